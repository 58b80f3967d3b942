"""Every rule of `helpers.operations`, on small functions of weights around one operation of TensorFlow.

A case is a function of an input and of weights, the shapes of these, and which of their axes can widen: all others must
stay. It is widened without asking on numbers, by several draws, so that the rules are tested and nothing saves them.
"""

import inspect
import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from models_for_tests import shared, traced_once

from helpers import Net2NetError, grow_into
from helpers import groups as g
from helpers import operations as o
from helpers import reading as rd
from helpers import rows as r

pytestmark = pytest.mark.usefixtures("traced_once")
__all__ = ["traced_once"]

R = tf.raw_ops
SINGLE = re.compile("FusedBatchNorm|Resize|ScaleAndTranslate")  # they compute in single precision
CASES = {}


def case(name, shapes, grows, x=(3, 5)):
    """Register a function as a case; `name` begins with the type of the operation that it is about."""

    def register(function):
        assert name not in CASES, name
        CASES[name] = function, x, shapes, grows
        return function

    return register


class Around(keras.layers.Layer):
    """A function of what enters and of weights."""

    def __init__(self, function, shapes):
        super().__init__(dtype="float64")
        self.function, self.shapes = function, shapes

    def build(self, _):
        self.held = [self.add_weight(shape=shape, name=f"w{i}", dtype="float64") for i, shape in enumerate(self.shapes)]

    def call(self, x):
        return self.function(x, *(tf.convert_to_tensor(w) for w in self.held))


def model_of(function, x, shapes):
    inputs = keras.Input(batch_shape=(2, *x), dtype="float64")
    return keras.Model(inputs, Around(function, shapes)(inputs))


def check(name, function, x, shapes, grows):
    """Widen a case in several ways, in two where all that widens are the same units; all students must be exact."""
    rng = np.random.default_rng(0)
    teacher = shared(model_of(function, x, shapes))
    for w in teacher.weights:
        w.assign(rng.normal(size=w.shape))
    reading = rd.read(teacher)
    rows = [
        (f"{i}.{k}", row) for i, w in enumerate(teacher.weights) for k, row in enumerate(reading.weights[id(w)].rows)
    ]
    found = " ".join(name for name, row in rows if r.units(row))
    why = {name: r.reason(r.normal(row)) for name, row in rows if not r.units(row)}
    assert found == grows, f"can widen: {found}, expected: {grows}; the others: {why}"
    free = list(dict.fromkeys(each for _, row in rows for each in r.units(row)))
    value = rng.normal(size=(2, *x))
    expected = np.asarray(teacher(value))
    assert np.isfinite(expected).all()
    done, draws = 0, 4 if len(free) > 1 else 2
    for draw in range(16):
        if draw == 0:
            sizes = {each: 2 * each.width for each in free}
        elif draw == 2:
            sizes = {each: 3 * each.width for each in free if rng.random() < 0.6}
        else:
            sizes = {each: each.width + int(rng.integers(1, 4)) for each in free if rng.random() < 0.6}
        if not sizes or g.Groups(reading).unfit(sizes) or done >= draws:
            continue
        done += 1
        wider = [tuple(r.width(row, sizes) for row in reading.weights[id(w)].rows) for w in teacher.weights]
        student = grow_into(teacher, model_of(function, x, wider), split="random", seed=draw, check=False)
        assert [tuple(w.shape) for w in student.weights] == wider
        gap = np.abs(np.asarray(student(value)) - expected).max() / max(np.abs(expected).max(), 1e-3)
        assert gap < (1e-6 if SINGLE.search(name) else 1e-12), f"{sizes}: {gap}"
    assert done or not free


# Entry by entry

BINARY = (
    "Atan2 Complex DivNoNan Equal FloorDiv FloorMod Greater GreaterEqual Igamma Less LessEqual Maximum Minimum Mod "
    "MulNoNan NextAfter NotEqual Polygamma Pow SquaredDifference TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta"
).split()
LOGICAL = "LogicalAnd LogicalNot LogicalOr".split()
BITS = "BitwiseAnd BitwiseOr BitwiseXor LeftShift RightShift".split()
COMPLEX = "Angle ComplexAbs Conj Imag Real".split()
OPENED = {"Acosh": 1.5, "Zeta": 1.5}  # by how much what enters must be above 1


def unary(kind):
    def apply(h):
        more = {"Complex": {"Tout": tf.complex128}}.get(kind) or FURTHER.get(kind, {})
        h = 0.1 + 0.8 * tf.sigmoid(h) + OPENED.get(kind, 0)
        if kind in LOGICAL:
            args = [h > 0.5, h > 0.4][: 1 if kind == "LogicalNot" else 2]
        elif kind in BITS:
            args = [tf.cast(10 * h, tf.int32), tf.cast(7 * h, tf.int32)]
        elif kind in COMPLEX:
            args = [tf.complex(h, h * h)]
            more = {} if kind == "Conj" else {"Tout": tf.float64}
        elif kind == "Polygamma":
            args = [tf.round(h) + 1, h]
        else:
            args = [h, h * h + 0.3 + OPENED.get(kind, 0)] if kind in BINARY else [h]
        names = inspect.signature(getattr(R, kind)).parameters
        y = getattr(R, kind)(**dict(zip(names, args, strict=False)) | more)
        return tf.math.real(y) + tf.math.imag(y) if y.dtype.is_complex else tf.cast(y, tf.float64)

    return apply


FURTHER = {"CheckNumerics": {"message": "x"}, "EnsureShape": {"shape": [2, 3, None]}}
for kind in [*o.ENTRYWISE.split(), *o.SAME.split()]:

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, apply=unary(kind)):
        return apply(x @ a) @ b


LINEAR = "Identity Neg StopGradient PreventGradient CheckNumerics EnsureShape Snapshot".split()
for kind in [*LINEAR, "Relu", "Abs", "Square"]:

    @case(f"{kind}: of parts of a sum", [(5, 4), (4,)], "0.1 1.0" if kind in LINEAR else "")
    def _(x, a, b, op=getattr(R, kind), more=FURTHER.get(kind, {})):
        name = next(iter(inspect.signature(op).parameters))
        return tf.reduce_sum(op(**{name: (x @ a) * b}, **more), -1)


for kind in ("Add", "AddV2", "Sub"):

    @case(kind, [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
    def _(x, a, b, c, op=getattr(R, kind)):
        return op(x=x @ a, y=x @ b) @ c

    @case(f"{kind}: an axis of one channel meets many", [(5, 4), (5, 1), (4, 2)], "0.1 2.0")
    def _(x, a, b, c, op=getattr(R, kind)):
        return op(x=x @ b, y=x @ a) @ c

    @case(f"{kind}: a number to parts of a sum", [(5, 4), (4,)], "")
    def _(x, a, b, op=getattr(R, kind)):
        return tf.reduce_sum(op(x=(x @ a) * b, y=tf.constant(2.0, tf.float64)), -1)


@case("AddN", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return R.AddN(inputs=[x @ a, x @ b, x @ a]) @ c


@case("BiasAdd", [(5, 4), (4,), (4, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    return R.BiasAdd(value=x @ a, bias=b) @ c


@case("BiasAdd: channels first", [(5, 4), (4,), (4, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h = tf.transpose(x @ a, [0, 2, 1])[..., None]
    return tf.einsum("bcpq,cd->bpqd", R.BiasAdd(value=h, bias=b, data_format="NCHW"), c)


@case("BiasAdd: positions as many as channels, channels first", [(5, 3), (3,), (3, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h = tf.transpose(x @ a, [0, 2, 1])[..., None]
    return tf.einsum("bcpq,cd->bpqd", R.BiasAdd(value=h, bias=b, data_format="NCHW"), c)


@case("Mul", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return (x @ a) * (x @ b) @ c


@case("Mul: by a weight", [(5, 4), (4,), (4, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    return (x @ a) * b @ c


@case("Mul: by itself", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return h * h @ b


@case("Mul: a square summed", [(5, 4)], "")
def _(x, a):
    h = x @ a
    return tf.reduce_sum(h * h, -1)


@case("Mul: two that are computed, summed", [(5, 4), (5, 4)], "0.1 1.1")
def _(x, a, b):
    return tf.reduce_sum((x @ a) * (x @ b), -1)


@case("Mul: a weight of one channel", [(5, 4), (1,), (4, 2)], "0.1 2.0")
def _(x, a, b, c):
    return (x @ a) * b @ c


@case(
    "Mul: tied weights, with a scale between", [(5, 4), (4,)], ""
)  # possible, but not found: b could carry the shares
def _(x, a, b):
    return tf.matmul((x @ a) * b, a, transpose_b=True)


@case("MatMul: tied weights", [(5, 4)], "")
def _(x, a):
    return tf.matmul(tf.reshape(x, [6, 5]) @ a, a, transpose_b=True)


for kind in ("RealDiv", "Div"):

    @case(kind, [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
    def _(x, a, b, c, op=getattr(R, kind)):
        return op(x=x @ a, y=1 + tf.abs(x @ b)) @ c

    @case(f"{kind}: by a weight, summed", [(5, 4), (4,)], "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind)):
        return tf.reduce_sum(op(x=x @ a, y=b * b + 1), -1)

    @case(f"{kind}: of a weight by what is computed", [(5, 4), (4,), (4, 2)], "0.1 1.0 2.0")
    def _(x, a, b, c, op=getattr(R, kind)):
        return op(x=b, y=1 + tf.abs(x @ a)) @ c

    @case(f"{kind}: a whole by parts of a sum", [(5, 4), (4,), (4, 2), (4,)], "0.1 1.0 2.0 3.0")
    def _(x, a, b, c, d, op=getattr(R, kind)):
        h = x @ a
        return op(x=h * b, y=d) @ c


@case("SelectV2", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return R.SelectV2(condition=x @ a > 0, t=x @ a, e=x @ b) @ c


@case("SelectV2: broadcast", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return R.SelectV2(condition=x[..., :1] > 0, t=h, e=tf.constant(-1.0, tf.float64)) @ b


@case("SelectV2: parts of a sum, or zeros", [(5, 4), (4,)], "0.1 1.0")
def _(x, a, b):
    h = (x @ a) * b
    return tf.reduce_sum(R.SelectV2(condition=x[..., :1] > 0, t=h, e=tf.zeros_like(h)), -1)


@case("SelectV2: parts of a sum, or a number", [(5, 4), (4,)], "")
def _(x, a, b):
    return tf.reduce_sum(R.SelectV2(condition=x[..., :1] > 0, t=(x @ a) * b, e=tf.constant(1.0, tf.float64)), -1)


@case("Select", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return R.Select(condition=x @ a > 0, x=x @ a, y=x @ b) @ c


@case("Select: one for each entry of the first axis", [(5, 4), (2,), (4, 2)], "0.1 2.0")
def _(x, a, b, c):
    h = x @ a
    return R.Select(condition=b > 0, x=h, y=-2 * h) @ c


@case("Select: channels on the first axis", [(5, 3), (3,), (3, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h = tf.transpose(x @ a, [2, 0, 1])
    return tf.transpose(R.Select(condition=b > 0, x=h, y=-2 * h), [1, 2, 0]) @ c


@case("IdentityN", [(5, 4), (5, 3), (4, 2), (3, 2)], "0.1 1.1 2.0 3.0")
def _(x, a, b, c, d):
    h, k = R.IdentityN(input=[x @ a, x @ b])
    return h @ c + k @ d


@case("Cast", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.cast(tf.cast(10 * (x @ a), tf.int32), tf.float64) @ b


@case("Cast: parts of a sum to integers", [(5, 4), (4,)], "")
def _(x, a, b):
    return tf.reduce_sum(tf.cast(tf.cast(10 * (x @ a) * b, tf.int32), tf.float64), -1)


@case("ZerosLike", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return (R.ZerosLike(x=h) + h) @ b


@case("ZerosLike: ones that are summed", [(5, 4), (4, 2)], "")
def _(x, a, b):
    h = x @ a
    return h @ b + tf.reduce_sum(R.ZerosLike(x=h) + 1, -1, keepdims=True)


@case("OnesLike: summed", [(5, 4), (4, 2)], "")
def _(x, a, b):
    h = x @ a
    return h @ b + tf.reduce_sum(R.OnesLike(x=h), -1, keepdims=True)


# Contractions


@case("MatMul: transposed", [(4, 5), (3, 4), (2, 3)], "0.0 1.0 1.1 2.1")
def _(x, a, b, c):
    h = R.MatMul(a=a, b=tf.reshape(x, [6, 5]), transpose_b=True)  # channels first
    h = R.MatMul(a=b, b=tf.nn.relu(h))
    return R.MatMul(a=tf.nn.relu(h), b=c, transpose_a=True, transpose_b=True)


@case("MatMul", [(5, 4), (4, 3), (3, 2)], "0.1 1.0 1.1 2.0")
def _(x, a, b, c):
    return tf.nn.relu(tf.nn.relu(tf.reshape(x, [6, 5]) @ a) @ b) @ c


@case("MatMul: a kernel of low rank", [(5, 3), (3, 4), (4, 2)], "0.1 1.0 1.1 2.0")
def _(x, a, b, c):
    return tf.nn.relu(x @ (a @ b)) @ c


@case("Softmax: a kernel over what leaves", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return (x @ tf.nn.softmax(a, axis=1)) @ b


@case("Softmax: a kernel over what enters", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return tf.nn.relu(x @ a) @ tf.nn.softmax(b, axis=0)


@case("Softmax: a kernel, channels beside", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.nn.relu(x @ tf.nn.softmax(a, axis=0)) @ b


@case("Mean: standardized kernels", [(5, 4), (4, 2)], "0.1 1.1")
def _(x, a, b):
    b = b - tf.reduce_mean(b, 0, keepdims=True)
    a = (a - tf.reduce_mean(a, 0, keepdims=True)) / tf.math.reduce_std(a, 0, keepdims=True)
    return tf.reduce_mean(tf.nn.relu(x @ a), -1, keepdims=True) + 0 * tf.reduce_sum(b)


@case("Mean: a centred kernel", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return tf.nn.relu(x @ a) @ (b - tf.reduce_mean(b, 0, keepdims=True))


@case("Mul: a masked kernel", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.nn.relu(x @ (a * np.tril(np.ones((5, 1))))) @ b


@case("Mul: a kernel by a kernel", [(5, 4), (4, 2), (4, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    return tf.nn.relu(x @ a) @ (b * c)


@case("Mul: a kernel by its own entries", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return tf.nn.relu(x @ a) @ (b * b)


@case("AddV2: two kernels", [(5, 4), (4, 2), (4, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    return tf.nn.relu(x @ a) @ (b + c)


@case("AddV2: a kernel and a number", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return tf.nn.relu(x @ a) @ (b + 1)


@case("BatchMatMulV2", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.BatchMatMulV2(x=R.BatchMatMulV2(x=x, y=a), y=b)


@case("BatchMatMulV2: adjoint", [(4, 5), (2, 4)], "0.0 1.1")
def _(x, a, b):
    h = R.BatchMatMulV2(x=a, y=x, adj_y=True)  # (2, 4, 3)
    return R.BatchMatMulV2(x=tf.nn.relu(h), y=b, adj_x=True, adj_y=True)


@case("BatchMatMulV2: broadcast", [(4, 5, 6), (6, 2)], "0.0 0.2 1.0")
def _(x, a, b):
    h = tf.nn.relu(R.BatchMatMulV2(x=x[:, None], y=a)) @ b  # (2, 4, 3, 2)
    return tf.reduce_mean(h, 1)


@case("BatchMatMulV2: a batch of one that meets many", [(1, 5, 4), (6, 4, 2)], "0.2 1.0 1.1")
def _(x, a, b):
    return tf.reduce_max(tf.nn.relu(x[:, None] @ a) @ b, 1)


@case("BatchMatMulV2: queries and keys", [(5, 4), (5, 4), (5, 3), (3, 2)], "2.1 3.0")
def _(x, q, k, v, c):
    return tf.nn.softmax(tf.matmul(x @ q, x @ k, transpose_b=True)) @ (x @ v) @ c


@case("BatchMatMulV2: as many positions as channels", [(5, 3), (3, 2)], "0.1 1.0")
def _(x, v, c):
    return tf.nn.softmax(tf.matmul(x, x, transpose_b=True)) @ (x @ v) @ c


@case("BatchMatMul", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = R.BatchMatMul(x=x, y=tf.stack([a, a]))
    return R.BatchMatMul(x=h, y=tf.stack([b, b]))


@case("BatchMatMulV3", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.BatchMatMulV3(x=R.BatchMatMulV3(x=x, y=a, Tout=tf.float64), y=b, Tout=tf.float64)


def einsum(equation, *inputs):
    return R.Einsum(inputs=list(inputs), equation=equation)


@case("Einsum", [(5, 4, 6), (4, 6, 2)], "0.1 0.2 1.0 1.1")
def _(x, a, b):
    return einsum("bphk,hkd->bpd", tf.nn.relu(einsum("bpi,ihk->bphk", x, a)), b)


@case("Einsum: ellipsis", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return einsum("...i,ij->...j", tf.nn.relu(einsum("...i,ij->...j", x, a)), b)


@case("Einsum: ellipsis of unequal lengths", [(4, 1, 5, 6), (4, 6, 2)], "0.0 0.3 1.0 1.1")
def _(x, a, b):
    h = tf.nn.relu(einsum("...pi,...ij->...pj", x, a))  # (4, 2, 3, 6)
    return einsum("h...j,hjd->...d", h, b)


@case("Einsum: ellipsis that is summed over", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return einsum("...i,ij->...j", tf.nn.relu(x @ a), b)


@case("Einsum: one input", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.matmul(einsum("bic->bci", x @ a), b, transpose_a=True)


@case("Einsum: a sum over one", [(5, 4), (4,)], "0.1 1.0")
def _(x, a, b):
    return einsum("bpi->bp", (x @ a) * b)


@case("Einsum: a sum over what is copied", [(5, 4)], "")
def _(x, a):
    return einsum("bpi->bp", tf.nn.relu(x @ a))


@case("Einsum: a diagonal", [(3, 3), (5, 4), (4, 2)], "1.1 2.0")
def _(x, a, b, c):
    return tf.nn.relu(x @ b) * einsum("ii->i", a)[:, None] @ c


@case("Einsum: outer products", [(5, 4), (5, 3), (4, 3, 2)], "0.1 1.1 2.0 2.1")
def _(x, a, b, c):
    return einsum("bpij,ijd->bpd", einsum("bpi,bpj->bpij", x @ a, x @ b), c)


def picture(x):
    return tf.reshape(x, [2, 6, 6, 2])


IMAGE = (6, 6, 2)
for strides, padding in ((1, "SAME"), (2, "VALID")):

    @case(f"Conv2D: stride {strides}", [(3, 3, 2, 4), (2, 2, 4, 3)], "0.3 1.2", x=IMAGE)
    def _(x, a, b, s=strides, p=padding):
        h = R.Conv2D(input=x, filter=a, strides=[1, s, s, 1], padding=p)
        return R.Conv2D(input=tf.nn.relu(h), filter=b, strides=[1, 1, 1, 1], padding=p)


@case("Conv2D: groups", [(3, 3, 2, 4), (2, 2, 2, 6), (6, 2)], "0.3 1.2 1.3 2.0", x=IMAGE)
def _(x, a, b, c):
    h = R.Conv2D(input=x, filter=a, strides=[1, 1, 1, 1], padding="SAME")
    h = R.Conv2D(input=tf.nn.relu(h), filter=b, strides=[1, 1, 1, 1], padding="SAME")
    return tf.nn.relu(h) @ c


@case("Conv2D: as many groups as channels", [(3, 3, 2, 4), (2, 2, 1, 4), (4, 2)], "0.3 1.2 1.3 2.0", x=IMAGE)
def _(x, a, b, c):
    h = R.Conv2D(input=x, filter=a, strides=[1, 1, 1, 1], padding="SAME")
    h = R.Conv2D(input=tf.nn.relu(h), filter=b, strides=[1, 1, 1, 1], padding="SAME")
    return tf.nn.relu(h) @ c


@case("Conv2D: kernels that are computed of weights", [(3, 3, 2, 4), (2, 2, 4, 3), (4,)], "0.3 1.2 2.0", x=IMAGE)
def _(x, a, b, c):
    a = a - tf.reduce_mean(a, [0, 1, 2], keepdims=True)
    h = R.Conv2D(input=x, filter=a * c, strides=[1, 1, 1, 1], padding="SAME")
    return R.Conv2D(input=tf.nn.relu(h), filter=b, strides=[1, 1, 1, 1], padding="SAME")


@case("Conv2D: a kernel that is computed of the input", [(3, 3, 2, 4), (1, 2)], "", x=IMAGE)
def _(x, a, b):
    h = R.Conv2D(input=x, filter=a, strides=[1, 1, 1, 1], padding="SAME")
    k = tf.reduce_mean(h, [0, 1, 2])[None, None, :, None] * b[None, None]
    return R.Conv2D(input=h, filter=k, strides=[1, 1, 1, 1], padding="SAME")


@case("Conv2D: channels on the axis of positions", [(6, 4), (3, 3, 2, 3), (4, 2), (3, 2)], "1.3 3.0", x=IMAGE)
def _(x, a, b, c, d):
    h = tf.einsum("bhwc,hk->bkwc", x, a)
    h = R.Conv2D(input=h, filter=b, strides=[1, 1, 1, 1], padding="SAME")
    return tf.einsum("bkwc,kd->bdwc", tf.nn.relu(h), c) @ d


@case("Conv3D", [(2, 2, 2, 2, 4), (1, 1, 1, 4, 3)], "0.4 1.3", x=(3, 3, 3, 2))
def _(x, a, b):
    h = R.Conv3D(input=x, filter=a, strides=[1] * 5, padding="SAME")
    return R.Conv3D(input=tf.nn.relu(h), filter=b, strides=[1] * 5, padding="SAME")


@case("Conv2DBackpropInput", [(3, 3, 4, 2), (3, 3, 3, 4)], "0.2 1.3", x=IMAGE)
def _(x, a, b):
    h = R.Conv2DBackpropInput(
        input_sizes=[2, 6, 6, a.shape[2]], filter=a, out_backprop=x, strides=[1] * 4, padding="SAME"
    )
    return R.Conv2DBackpropInput(
        input_sizes=[2, 12, 12, b.shape[2]], filter=b, out_backprop=tf.nn.relu(h), strides=[1, 2, 2, 1], padding="SAME"
    )


@case("Conv3DBackpropInputV2", [(2, 2, 2, 4, 2), (4, 3)], "0.3 1.0", x=(3, 3, 3, 2))
def _(x, a, b):
    sizes = [2, 3, 3, 3, a.shape[3]]
    h = R.Conv3DBackpropInputV2(input_sizes=sizes, filter=a, out_backprop=x, strides=[1] * 5, padding="SAME")
    return tf.nn.relu(h) @ b


@case("DepthwiseConv2dNative", [(5, 4), (3, 3, 4, 2), (8, 2)], "0.1 1.2 1.3 2.0", x=(6, 6, 5))
def _(x, a, b, c):
    h = R.DepthwiseConv2dNative(input=x @ a, filter=b, strides=[1] * 4, padding="SAME")
    return tf.nn.relu(h) @ c


@case(
    "DepthwiseConv2dNative: one for each channel, and around it",
    [(5, 4), (3, 3, 4, 1), (4, 2)],
    "0.1 1.2 2.0",
    x=(6, 6, 5),
)
def _(x, a, b, c):
    h = x @ a
    return (h + R.DepthwiseConv2dNative(input=h, filter=b, strides=[1] * 4, padding="SAME")) @ c


@case("DepthwiseConv2dNative: summed", [(5, 4), (3, 3, 4, 2)], "0.1 1.2 1.3", x=(6, 6, 5))
def _(x, a, b):
    return tf.reduce_sum(R.DepthwiseConv2dNative(input=x @ a, filter=b, strides=[1] * 4, padding="SAME"), -1)


# Statistics, and what mixes the entries of an axis

for kind, grows in (("Mean", True), ("Max", True), ("Min", True), ("Prod", False), ("EuclideanNorm", False)):
    for keep in (False, True):

        @case(f"{kind}: over channels, keep_dims={keep}", [(5, 4), (4, 2)], "0.1 1.0" if grows else "")
        def _(x, a, b, op=getattr(R, kind), keep=keep):
            h = x @ a
            m = op(input=h, axis=[-1], keep_dims=keep)
            return (h - (m if keep else m[..., None])) @ b

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind)):
        return op(input=x @ a, axis=1) @ b

    @case(f"{kind}: of parts of a sum", [(5, 4), (4,)], "0.1 1.0" if kind == "Mean" else "")
    def _(x, a, b, op=getattr(R, kind)):
        return tf.reduce_sum(op(input=(x @ a) * b, axis=-2), -1)


@case("Mean: of parts side by side", [(5, 4), (5, 3)], "0.1 1.1")
def _(x, a, b):
    return tf.reduce_mean(tf.concat([x @ a, x @ b], -1), -1)


@case("Mean: over positions and channels", [(5, 4)], "0.1")
def _(x, a):
    return tf.reduce_mean(tf.nn.relu(x @ a), [1, -1])


@case("Mean: over a part that cannot widen", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return h @ b + tf.reduce_mean(h, -1, keepdims=True)


@case("Sum", [(5, 4), (4,)], "0.1 1.0")
def _(x, a, b):
    return R.Sum(input=(x @ a) * b, axis=-1)


@case("Sum: over positions, keep_dims", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.Sum(input=x @ a, axis=[-2], keep_dims=True) @ b


@case("Sum: what is copied", [(5, 4), (4, 2)], "")
def _(x, a, b):
    h = tf.nn.relu(x @ a)
    return h @ b + R.Sum(input=h, axis=-1, keep_dims=True)


@case("Sum: a kernel alone", [(5, 4)], "0.1")
def _(x, a):
    return R.Sum(input=x @ a, axis=-1)


@case("Sum: over no axes", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.Sum(input=x @ a, axis=tf.zeros([0], tf.int32)) @ b


for kind in ("All", "Any"):

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind)):
        h = x @ a
        return tf.cast(op(input=h > 0, axis=-1, keep_dims=True), tf.float64) + h @ b


for kind in ("ArgMax", "ArgMin"):

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind)):
        return tf.cast(op(input=x @ a, dimension=1), tf.float64) @ b

    @case(f"{kind}: which channel", [(5, 4), (4, 2)], "")
    def _(x, a, b, op=getattr(R, kind)):
        h = x @ a
        return tf.cast(op(input=h, dimension=-1), tf.float64)[..., None] + h @ b


for kind in ("Softmax", "LogSoftmax"):

    @case(f"{kind}: over channels", [(5, 4), (4, 2)], "")
    def _(x, a, b, op=getattr(R, kind)):
        return op(logits=x @ a) @ b

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind)):
        return tf.transpose(op(logits=tf.transpose(x @ a, [0, 2, 1])), [0, 2, 1]) @ b

    @case(f"{kind}: of parts of a sum", [(5, 4), (4,)], "")
    def _(x, a, b, op=getattr(R, kind)):
        return tf.reduce_sum(op(logits=tf.transpose((x @ a) * b, [0, 2, 1])), 1)

    @case(f"{kind}: of equal entries", [(5, 4), (4, 2)], "")
    def _(x, a, b, op=getattr(R, kind)):
        h = x @ a
        return h * op(logits=R.ZerosLike(x=h)) @ b


def last(op):
    """Apply an operation along positions, which are put last, and give what is real."""

    def apply(h):
        y = op(tf.transpose(h, [0, 2, 1]))
        y = tf.math.real(y) + tf.math.imag(y) if y.dtype.is_complex else y
        return tf.transpose(y, [0, 2, 1])

    return apply


SPECTRA = {
    "FFT": lambda h: R.FFT(input=tf.cast(h, tf.complex128)),
    "IFFT": lambda h: R.IFFT(input=tf.cast(h, tf.complex128)),
    "RFFT": lambda h: R.RFFT(input=h, fft_length=[2], Tcomplex=tf.complex128),
    "IRFFT": lambda h: R.IRFFT(input=tf.cast(h, tf.complex128), fft_length=[4], Treal=tf.float64),
    "TopKV2": lambda h: R.TopKV2(input=h, k=2)[0],
}
for kind, op in SPECTRA.items():

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, op=last(op)):
        return op(x @ a) @ b

    @case(f"{kind}: over channels", [(5, 4), (4, 2)], "")
    def _(x, a, b, op=op):
        y = op(x @ a)
        return (tf.math.real(y) @ b[: y.shape[-1]]) + (x @ a) @ b


SQUARES = {
    "FFT2D": lambda h: R.FFT2D(input=tf.cast(h, tf.complex128)),
    "IFFT2D": lambda h: R.IFFT2D(input=tf.cast(h, tf.complex128)),
    "RFFT2D": lambda h: R.RFFT2D(input=h, fft_length=[3, 3], Tcomplex=tf.complex128),
    "IRFFT2D": lambda h: R.IRFFT2D(input=tf.cast(h, tf.complex128), fft_length=[3, 3], Treal=tf.float64),
    "Cholesky": lambda h: R.Cholesky(input=h @ tf.transpose(h, [0, 1, 3, 2]) + 9 * tf.eye(3, dtype=tf.float64)),
    "MatrixInverse": lambda h: R.MatrixInverse(input=h @ tf.transpose(h, [0, 1, 3, 2]) + tf.eye(3, dtype=tf.float64)),
    "Qr": lambda h: R.Qr(input=h)[1],
}
for kind, op in SQUARES.items():

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0", x=(3, 3, 5))
    def _(x, a, b, op=op):
        y = op(tf.transpose(x @ a, [0, 3, 1, 2]))
        return tf.transpose(tf.math.real(y), [0, 2, 3, 1]) @ b

    @case(f"{kind}: over channels", [(5, 3), (3, 2)], "", x=(3, 3, 5))
    def _(x, a, b, op=op):
        return tf.math.abs(op(x @ a))[..., :1] + (x @ a) @ b


for kind in ("Cumsum", "Cumprod", "CumulativeLogsumexp"):
    for exclusive in (False, True):
        for reverse in (False, True):

            @case(f"{kind}: exclusive={exclusive}, reverse={reverse}", [(5, 4), (4, 2)], "0.1 1.0")
            def _(x, a, b, op=getattr(R, kind), exclusive=exclusive, reverse=reverse):
                return tf.tanh(op(x=x @ a, axis=-2, exclusive=exclusive, reverse=reverse)) @ b

    @case(f"{kind}: over channels", [(5, 4), (4, 2)], "")
    def _(x, a, b, op=getattr(R, kind)):
        return op(x=x @ a, axis=-1) @ b


@case("ReverseV2", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.ReverseV2(tensor=x @ a, axis=[-2]) @ b


@case("ReverseV2: channels", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return R.ReverseV2(tensor=x @ a, axis=[-1]) @ b


@case("Roll", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.Roll(input=x @ a, shift=1, axis=-2) @ b


@case("Roll: channels", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return R.Roll(input=x @ a, shift=[1, 1], axis=[1, 2]) @ b


POOLS = {
    "MaxPool": lambda h, f, k: R.MaxPool(input=h, ksize=k, strides=k, padding="VALID", data_format=f),
    "AvgPool": lambda h, f, k: R.AvgPool(value=h, ksize=k, strides=k, padding="SAME", data_format=f),
    "MaxPoolV2": lambda h, f, k: R.MaxPoolV2(input=h, ksize=k, strides=k, padding="VALID", data_format=f),
}
for kind, op in POOLS.items():

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0", x=(6, 6, 5))
    def _(x, a, b, op=op):
        return op(x @ a, "NHWC", [1, 2, 2, 1]) @ b

    @case(f"{kind}: of parts of a sum", [(5, 4), (4,)], "0.1 1.0" if kind == "AvgPool" else "", x=(6, 6, 5))
    def _(x, a, b, op=op):
        return tf.reduce_sum(op((x @ a) * b, "NHWC", [1, 2, 2, 1]), -1)


@case("MaxPool: over channels", [(5, 4), (2, 2)], "", x=(6, 6, 5))
def _(x, a, b):
    return POOLS["MaxPool"](x @ a, "NHWC", [1, 1, 1, 2]) @ b


for kind in ("MaxPool3D", "AvgPool3D"):

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 4, 5))
    def _(x, a, b, op=getattr(R, kind)):
        h = op(
            input=tf.cast(tf.round(x @ a), tf.float32), ksize=[1, 2, 2, 2, 1], strides=[1, 2, 2, 2, 1], padding="SAME"
        )
        return tf.cast(h, tf.float64) @ b


for kind in "ResizeNearestNeighbor ResizeBilinear ResizeBicubic ResizeArea".split():

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 5))
    def _(x, a, b, op=getattr(R, kind)):
        h = tf.round(x @ a)  # of which single precision knows the means
        return tf.cast(tf.cast(op(images=h, size=[8, 8]), tf.float32), tf.float64) @ b


@case("SpaceToBatchND", [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 5))
def _(x, a, b):
    return R.SpaceToBatchND(input=x @ a, block_shape=[2, 2], paddings=[[0, 0], [0, 0]]) @ b


@case("BatchToSpaceND", [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 5))
def _(x, a, b):
    h = R.SpaceToBatchND(input=x, block_shape=[2, 2], paddings=[[0, 0], [0, 0]]) @ a
    return R.BatchToSpaceND(input=h, block_shape=[2, 2], crops=[[0, 0], [0, 0]]) @ b


@case("ImageProjectiveTransformV3", [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 5))
def _(x, a, b):
    t = [[1.0, 0, 1, 0, 1, 0, 0, 0]]
    h = R.ImageProjectiveTransformV3(
        images=x @ a, transforms=t, output_shape=[4, 4], fill_value=0.0, interpolation="NEAREST", fill_mode="REFLECT"
    )
    return h @ b


@case("ImageProjectiveTransformV2", [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 5))
def _(x, a, b):
    t = [[1.0, 0, 1, 0, 1, 0, 0, 0]]
    return R.ImageProjectiveTransformV2(images=x @ a, transforms=t, output_shape=[4, 4], interpolation="NEAREST") @ b


@case("ScaleAndTranslate", [(5, 4), (4, 2)], "0.1 1.0", x=(4, 4, 5))
def _(x, a, b):
    h = R.ScaleAndTranslate(
        images=tf.round(x @ a),
        size=[8, 8],
        scale=[2.0, 2.0],
        translation=[0.0, 0.0],
        kernel_type="box",
        antialias=False,
    )
    return tf.cast(h, tf.float64) @ b


for kind in ("FusedBatchNormV3", "FusedBatchNormV2", "FusedBatchNorm"):
    for training in (False, True):
        shapes = [(5, 4), (4,), (4,), (4, 2), *([] if training else [(4,), (4,)])]

        @case(
            f"{kind}: training={training}",
            shapes,
            "0.1 1.0 2.0 3.0" + ("" if training else " 4.0 5.0"),
            x=(3, 3, 5),
        )
        def _(x, a, scale, shift, b, mean=None, variance=None, op=getattr(R, kind), training=training):
            scale, shift, none = tf.cast(scale, tf.float32), tf.cast(shift, tf.float32), tf.zeros([0], tf.float32)
            mean = none if training else tf.cast(tf.round(mean), tf.float32)
            variance = (
                none if training else tf.ones_like(mean) * 0.999 + tf.cast(tf.round(variance * variance), tf.float32)
            )
            h = tf.cast(tf.round(x @ a), tf.float32)
            y, *_ = op(x=h, scale=scale, offset=shift, mean=mean, variance=variance, is_training=training)
            return tf.cast(y, tf.float64) @ b


@case(
    "FusedBatchNormV3: positions are parts of a sum", [(3,), (5, 4), (4,), (4,), (4, 2)], "1.1 2.0 3.0 4.0", x=(3, 3, 5)
)
def _(x, p, a, scale, shift, b):
    h = tf.cast(x @ a * p[:, None, None], tf.float32)
    scale, shift = tf.cast(scale, tf.float32), tf.cast(shift, tf.float32)
    y, *_ = R.FusedBatchNormV3(
        x=h, scale=scale, offset=shift, mean=0 * shift, variance=0 * shift + 1, is_training=False
    )
    return tf.reduce_sum(tf.cast(y, tf.float64) @ b, 1)


# Where entries lie


@case("Transpose", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.einsum("cbp,cd->bpd", R.Transpose(x=tf.nn.relu(x @ a), perm=[2, 0, 1]), b)


for axis in (0, 1, 2, 3, -1, -2, -4):

    @case(f"ExpandDims: {axis}", [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, axis=axis):
        return tf.squeeze(R.ExpandDims(input=x @ a, axis=axis), axis) @ b


@case("Squeeze", [(5, 4), (4, 2)], "0.1 1.0", x=(1, 3, 1, 5))
def _(x, a, b):
    return R.Squeeze(input=x @ a) @ b


@case("Squeeze: one channel", [(5, 1), (3, 2)], "")
def _(x, a, b):
    return R.Squeeze(input=x @ a, axis=[-1]) @ b


def size(*tensors):
    """Together, how many entries a tensor has but for its examples and positions."""
    return int(np.prod([t.shape[-1] for t in tensors]))


@case("Reshape: flattened", [(5, 4), (3, 4, 2)], "0.1 1.1")
def _(x, a, b):
    h = R.Reshape(tensor=tf.nn.relu(x @ a), shape=[2, -1])
    return h @ R.Reshape(tensor=b, shape=[-1, 2])


@case("Reshape: heads", [(5, 12), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = R.Reshape(tensor=x @ a, shape=[2, 3, a.shape[1] // b.shape[0], b.shape[0]])
    return tf.reduce_mean(tf.nn.relu(h) @ b, 2)


@case("Reshape: heads and channels", [(5, 12), (12, 2), (3, 4)], "0.1 1.0 2.0 2.1")
def _(x, a, b, c):
    h = R.Reshape(tensor=x @ a, shape=[2, 3, c.shape[0], c.shape[1]])
    return R.Reshape(tensor=tf.nn.relu(h * c), shape=[2, 3, -1]) @ b


@case("Reshape: one copied, one shared out", [(5, 3), (5, 4)], "")
def _(x, a, b):
    h = tf.nn.relu(x @ a)[..., None] * (x @ b)[..., None, :]
    return tf.reduce_sum(R.Reshape(tensor=h, shape=[2, 3, -1]), -1)


@case("Reshape: both shared out", [(5, 3), (3,), (5, 4), (4,)], "0.1 1.0 2.1 3.0")
def _(x, a, s, b, t):
    h = (tf.nn.relu(x @ a) * s)[..., None] * (tf.nn.relu(x @ b) * t)[..., None, :]
    return tf.reduce_sum(R.Reshape(tensor=h, shape=[2, 3, -1]), -1)


@case("Reshape: cut across", [(5, 4), (6, 2)], "")
def _(x, a, b):
    return R.Reshape(tensor=x @ a, shape=[2, 2, 6]) @ b


@case("Reshape: a sum in groups", [(5, 4), (5, 6), (2, 3)], "0.1 1.1 2.0")
def _(x, a, b, c):
    h = tf.concat([x @ a, x @ b], -1)
    h = R.Reshape(tensor=h, shape=[2, 3, -1, c.shape[0]]) @ c
    return tf.reduce_max(h, 2)


@case("Reshape: channels of one", [(5, 1), (1, 2)], "")
def _(x, a, b):
    h = tf.nn.relu(x @ a)
    return R.Reshape(tensor=h, shape=[2, 3])[..., None] @ b


@case("Reshape: an axis of one moves", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = R.Reshape(tensor=tf.nn.relu(x @ a), shape=[2, 1, 3, 1, -1, 1])
    return R.Reshape(tensor=h, shape=[2, 3, -1]) @ b


@case("Pack", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return R.Pack(values=[x @ a, x @ b], axis=-2) @ c


@case("Pack: last", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return tf.einsum("bpcs,cd->bpsd", R.Pack(values=[x @ a, x @ b], axis=-1), c)


@case("Unpack", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.add_n(R.Unpack(value=tf.nn.relu(x @ a), num=3, axis=-2)) @ b


@case("Unpack: channels", [(5, 4)], "")
def _(x, a):
    return tf.add_n(R.Unpack(value=tf.nn.relu(x @ a), num=4, axis=-1))


@case("ConcatV2", [(5, 4), (5, 3), (7, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    return R.ConcatV2(values=[x @ a, x @ b], axis=-1) @ c


@case("ConcatV2: the same twice", [(5, 4), (8, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return R.ConcatV2(values=[h, h], axis=2) @ b


@case("ConcatV2: positions", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return R.ConcatV2(values=[h, tf.nn.relu(h)], axis=-2) @ b


@case("ConcatV2: with constants", [(5, 4), (7, 2)], "0.1 1.0")
def _(x, a, b):
    return R.ConcatV2(values=[x @ a, tf.zeros([2, 3, 3], tf.float64)], axis=-1) @ b


@case("ConcatV2: a token for all, beside positions", [(1, 1, 4), (5, 4), (4, 2)], "0.2 1.1 2.0")
def _(x, t, a, b):
    h = x @ a
    token = tf.broadcast_to(t, [2, 1, h.shape[-1]])
    return R.ConcatV2(values=[token, h], axis=1) @ b


@case("ConcatV2: whole beside parts of a sum", [(5, 4), (5, 3)], "")
def _(x, a, b):
    return tf.reduce_sum(R.ConcatV2(values=[tf.nn.relu(x @ a), x @ b], axis=-1), -1)


@case("ConcatV2: a sum back against its parts", [(5, 4), (5, 4), (8, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    h, k = x @ a, x @ b
    return (R.ConcatV2(values=[h, k], axis=-1) + R.ConcatV2(values=[k, h], axis=-1)) @ c


@case("ConcatV2: a sum of unequal parts back against itself", [(5, 2), (5, 4), (6, 2)], "0.1 1.1 2.0")
def _(x, a, b, c):
    h, k = x @ a, x @ b
    return (R.ConcatV2(values=[h, k], axis=-1) + R.ConcatV2(values=[k, h], axis=-1)) @ c


@case("Split", [(5, 8), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h, k = R.Split(axis=-1, value=x @ a, num_split=2)
    return h * tf.sigmoid(k) @ b


@case("Split: independent parts", [(5, 8), (4, 2), (4, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h, k = R.Split(axis=2, value=x @ a, num_split=2)
    return h @ b + k @ c


@case("SplitV", [(5, 7), (4, 2), (3, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h, k = R.SplitV(value=x @ a, size_splits=[b.shape[0], c.shape[0]], axis=-1, num_split=2)
    return h @ b + k @ c


def many(x):
    """A small number that is computed, and not 1."""
    return 3 - tf.cast(x[0, 0, 0] > 0, tf.int32)


@case("Slice", [(5, 7), (4, 2), (3, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h = x @ a
    k = R.Slice(input=h, begin=[0, 0, b.shape[0]], size=[2, 3, c.shape[0]])
    return R.Slice(input=h, begin=[0, 0, 0], size=[-1, -1, b.shape[0]]) @ b + k @ c


@case("Slice: at a place that is computed", [(5, 4), (2, 2)], "")
def _(x, a, b):
    h = x @ a
    start = tf.cast(h[0, 0, 0] > 0, tf.int32)
    return R.Slice(input=h, begin=tf.stack([0, 0, start]), size=[2, 3, 2]) @ b


@case("StridedSlice", [(5, 7), (4, 2), (3, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h, n = x @ a, b.shape[0]
    return h[..., :n] @ b + tf.squeeze(h[:, tf.newaxis, ..., n:], 1) @ c


@case("StridedSlice: negative bounds", [(5, 7), (4, 2), (3, 2)], "0.1 1.0 2.0")
def _(x, a, b, c):
    h, n = x @ a, c.shape[0]
    return h[..., :-n] @ b + h[:, :, -n:] @ c


@case("Slice: positions at a place that is computed", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return R.Slice(input=x @ a, begin=tf.stack([0, many(x) - 2, 0]), size=[2, 2, a.shape[1]]) @ b


@case("Slice: as many as is computed", [(5, 4)], "")
def _(x, a):
    h = x @ a
    return tf.reduce_sum(R.Slice(input=h, begin=[0, 0, 0], size=tf.stack([2, 3, many(x)])), -1)


@case("StridedSlice: as many as is computed", [(5, 4)], "")
def _(x, a):
    return tf.reduce_sum((x @ a)[..., : many(x)], -1)


@case("StridedSlice: one position", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return (x @ a)[:, -1] @ b + (x @ a)[..., 0, :] @ b


@case("StridedSlice: one channel", [(5, 4), (4, 2)], "")
def _(x, a, b):
    h = x @ a
    return h[..., -1:] + h[..., 0, None] + h @ b


@case("StridedSlice: every second", [(5, 8), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    return (h[..., ::2] * tf.sigmoid(h[..., 1::2])) @ b


@case("StridedSlice: every second position", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return (x @ a)[:, ::2] @ b + (x @ a)[:, ::-2] @ b


@case("StridedSlice: backwards", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return (x @ a)[..., ::-1] @ b


@case("StridedSlice: a stride that does not fit", [(5, 5), (3, 2)], "")
def _(x, a, b):
    return (x @ a)[..., ::2] @ b


for kind in ("Pad", "PadV2", "MirrorPad"):
    more = {"Pad": {}, "PadV2": {"constant_values": np.float64(-1)}, "MirrorPad": {"mode": "SYMMETRIC"}}[kind]

    @case(f"{kind}: positions", [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind), more=more):
        return op(input=x @ a, paddings=[[0, 0], [1, 2], [0, 0]], **more) @ b

    @case(f"{kind}: positions of parts of a sum", [(5, 4), (4,)], "" if kind == "PadV2" else "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind), more=more):
        return tf.reduce_sum(op(input=(x @ a) * b, paddings=[[0, 0], [1, 2], [0, 0]], **more), -1)

    @case(f"{kind}: channels", [(5, 4), (7, 2)], "" if kind == "MirrorPad" else "0.1 1.0")
    def _(x, a, b, op=getattr(R, kind), more=more):
        return op(input=x @ a, paddings=[[0, 0], [0, 0], [1, 2]], **more) @ b


@case("PadV2: zeros, of parts of a sum", [(5, 4), (4,)], "0.1 1.0")
def _(x, a, b):
    h = R.PadV2(input=(x @ a) * b, paddings=[[0, 0], [0, 0], [1, 2]], constant_values=np.float64(0))
    return tf.reduce_sum(h, -1)


@case("Tile", [(5, 4), (8, 2)], "0.1 1.0")
def _(x, a, b):
    return R.Tile(input=x @ a, multiples=[1, 2, 2]) @ b


@case("Tile: one position", [(4,), (5, 4), (4, 2)], "0.0 1.1 2.0")
def _(x, p, a, b):
    return (x @ a + R.Tile(input=p[None, None], multiples=[2, 3, 1])) @ b


@case("Tile: one entry for all channels", [(1,), (5, 4), (4, 2)], "1.1 2.0")
def _(x, p, a, b):
    return (x @ a + R.Tile(input=p, multiples=[a.shape[1]])) @ b


@case("BroadcastTo", [(4,), (5, 4), (4, 2)], "0.0 1.1 2.0")
def _(x, p, a, b):
    return (x @ a + R.BroadcastTo(input=p, shape=[2, 3, p.shape[0]])) @ b


@case("BroadcastTo: one entry for all channels, summed", [(5, 4), (4, 2)], "")
def _(x, a, b):
    h = x @ a
    ones = R.BroadcastTo(input=x[..., :1], shape=[2, 3, a.shape[1]])
    return (ones + h) @ b + tf.reduce_sum(ones, -1, keepdims=True)


@case("Fill", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return (x @ a + R.Fill(dims=[2, 3, a.shape[1]], value=x[0, 0, 0])) @ b


@case("Fill: multiplied and summed", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    return tf.nn.relu(x @ a) @ b + R.Fill(dims=[2, 3, a.shape[1]], value=x[0, 0, 0]) @ b


for kind in ("GatherV2", "Gather"):

    @case(f"{kind}: a table", [(7, 4), (4, 2)], "0.1 1.0", x=(3,))
    def _(x, a, b, kind=kind):
        index = tf.cast(tf.abs(2 * x), tf.int32)
        h = R.GatherV2(params=a, indices=index, axis=0) if kind == "GatherV2" else R.Gather(params=a, indices=index)
        return h @ b


@case("GatherV2: batch_dims", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    index = tf.constant([[0, 2], [1, 1]])
    return R.GatherV2(params=x @ a, indices=index, axis=1, batch_dims=1) @ b


@case("GatherV2: negative batch_dims", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    index = tf.constant([[0, 2], [1, 1]])
    return R.GatherV2(params=x @ a, indices=index, axis=-2, batch_dims=-1) @ b


@case("GatherV2: channels", [(5, 4), (4, 2)], "")
def _(x, a, b):
    return R.GatherV2(params=x @ a, indices=[0, 2, 1, 3], axis=-1) @ b


@case("GatherV2: by numbers that channels give", [(5, 4), (7, 3), (4, 3, 2)], "0.1 1.1 2.0 2.1")
def _(x, a, t, b):
    index = tf.cast(tf.clip_by_value(3 + x @ a, 0, 6), tf.int32)
    return tf.einsum("bpck,ckd->bpd", R.GatherV2(params=t, indices=index, axis=0), b)


for axis in (-1, 0, 2):

    @case(f"OneHot: axis {axis}", [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, axis=axis):
        index = tf.cast(tf.clip_by_value(3 + x @ a, 0, 6), tf.int32)
        h = R.OneHot(indices=index, depth=7, on_value=np.float64(1), off_value=np.float64(0), axis=axis)
        return tf.einsum({-1: "bpci,cd->bpid", 0: "ibpc,cd->bpid", 2: "bpic,cd->bpid"}[axis], h, b)


@case("SpaceToDepth", [(5, 4), (2, 2, 4, 3), (3, 2)], "0.1 1.2 1.3 2.0", x=(4, 4, 5))
def _(x, a, b, c):
    h = R.SpaceToDepth(input=x @ a, block_size=2) @ tf.reshape(b, [-1, b.shape[-1]])
    return tf.nn.relu(h) @ c


@case("DepthToSpace", [(5, 8), (2, 3)], "0.1 1.0", x=(4, 4, 5))
def _(x, a, b):
    return R.DepthToSpace(input=x @ a, block_size=2) @ b


@case("DepthToSpace: channels on the axis of positions", [(5, 8), (4, 4), (2, 3)], "0.1 2.0", x=(4, 4, 5))
def _(x, a, p, b):
    h = R.DepthToSpace(input=tf.einsum("bhwc,hk->bkwc", x @ a, p), block_size=2)
    return tf.reduce_max(tf.nn.relu(h @ b), 1)


# Shapes, and numbers that no channel enters


for kind in ("Shape", "ShapeN", "Size", "Rank"):

    @case(kind, [(5, 4), (4, 2)], "0.1 1.0")
    def _(x, a, b, kind=kind):
        h = x @ a
        n = R.ShapeN(input=[x])[0] if kind == "ShapeN" else getattr(R, kind)(input=h if kind == "Rank" else x)
        return h @ b * tf.cast(tf.reshape(n, [-1])[0], tf.float64)


@case("Range", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    n = tf.cast(tf.round(x[0, 0, 0]), tf.int32) * 0 + 3
    places = tf.reshape(R.Range(start=0, limit=n, delta=1), [3])
    return (x @ a + tf.cast(places, tf.float64)[:, None]) @ b


@case("LinSpace", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    places = tf.reshape(R.LinSpace(start=x[0, 0, 0], stop=2 + x[0, 0, 0], num=3), [3])
    return (x @ a + places[:, None]) @ b


# Loops, branches and functions


def scan(x, a, u, step, start):
    """A recurrent network by hand, over the positions of `x`."""
    xs = tf.transpose(x @ a, [1, 0, 2])
    items = tf.TensorArray(tf.float64, 3).unstack(xs)
    out = tf.TensorArray(tf.float64, 3, element_shape=[2, u.shape[0]])

    def body(t, h, out):
        h = step(items.read(t), h)
        return t + 1, h, out.write(t, h)

    *_, h, out = tf.while_loop(lambda t, h, out: t < 3, body, (0, start, out))
    return h, tf.transpose(out.stack(), [1, 0, 2])


@case("While: a state that starts as zeros", [(5, 4), (4, 4), (4, 2)], "0.1 1.0 1.1 2.0")
def _(x, a, u, b):
    start = tf.zeros([2, u.shape[0]], tf.float64)
    return scan(x, a, u, lambda v, h: tf.tanh(v + h @ u), start)[0] @ b


@case("While: all its states", [(5, 4), (4, 4), (4, 2)], "0.1 1.0 1.1 2.0")
def _(x, a, u, b):
    start = tf.zeros([2, u.shape[0]], tf.float64)
    return scan(x, a, u, lambda v, h: tf.tanh(v + h @ u), start)[1] @ b


@case("While: a state of parts of a sum", [(5, 4), (4,)], "0.1 1.0")
def _(x, a, u):
    start = tf.zeros([2, u.shape[0]], tf.float64)
    return tf.reduce_sum(scan(x, a, u, lambda v, h: h + v * u, start)[0], -1)


@case("While: a state that is used whole, and as parts of a sum", [(5, 4), (4,)], "")
def _(x, a, u):
    start = tf.zeros([2, u.shape[0]], tf.float64)
    return tf.reduce_sum(scan(x, a, u, lambda v, h: tf.tanh(h + v) * u, start)[0], -1)


@case("While: a state that moves round", [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
def _(x, a, c, b):
    def body(t, p, q):
        return t + 1, q, p

    _, p, _ = tf.while_loop(lambda t, p, q: t < 3, body, (0, x @ a, x @ c))
    return p @ b


@case("While: over channels", [(5, 4)], "")
def _(x, a):
    items = tf.TensorArray(tf.float64, a.shape[1]).unstack(tf.transpose(x @ a, [2, 0, 1]))
    _, h = tf.while_loop(
        lambda t, h: t < a.shape[1], lambda t, h: (t + 1, tf.tanh(h + items.read(t))), (0, tf.zeros([2, 3], tf.float64))
    )
    return h


@case("StatelessWhile", [(5, 4), (4, 4), (4, 2)], "0.1 1.0 1.1 2.0")
def _(x, a, u, b):
    h = tf.while_loop(lambda t, h: t < 3, lambda t, h: (t + 1, tf.tanh(h @ u)), (0, x @ a))[1]
    return h @ b


@case("TensorListPushBack", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = x @ a
    items = R.EmptyTensorList(element_shape=[2, 3, h.shape[-1]], max_num_elements=-1, element_dtype=tf.float64)
    items = R.TensorListPushBack(input_handle=R.TensorListPushBack(input_handle=items, tensor=h), tensor=tf.nn.relu(h))
    n = tf.cast(R.TensorListLength(input_handle=items), tf.float64)
    stacked = R.TensorListStack(input_handle=items, element_shape=[2, 3, -1], element_dtype=tf.float64, num_elements=2)
    return tf.ensure_shape(stacked, [2, 2, 3, h.shape[-1]]) @ b * n


@case("TensorListResize", [(5, 4), (4, 2)], "0.1 1.0")
def _(x, a, b):
    h = tf.transpose(x @ a, [1, 0, 2])
    shape = [2, h.shape[-1]]
    items = R.TensorListResize(input_handle=R.TensorListFromTensor(tensor=h, element_shape=shape), size=2)
    return R.TensorListGetItem(input_handle=items, index=1, element_shape=shape, element_dtype=tf.float64) @ b


for kind in ("If", "StatelessIf"):

    @case(kind, [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
    def _(x, a, b, c, kind=kind):
        def no():
            return x @ b

        return tf.cond(x[0, 0, 0] > 0, lambda: tf.nn.relu(x @ a), no) @ c

    @case(f"{kind}: parts of a sum, or what is whole", [(5, 4), (4,), (5, 4)], "")
    def _(x, a, b, c):
        return tf.reduce_sum(tf.cond(x[0, 0, 0] > 0, lambda: (x @ a) * b, lambda: tf.nn.relu(x @ c)), -1)


for kind in ("Case", "StatelessCase"):

    @case(kind, [(5, 4), (5, 4), (4, 2)], "0.1 1.1 2.0")
    def _(x, a, b, c, kind=kind):
        state = tf.random.get_global_generator().state if kind == "Case" else None  # what has one is not stateless

        def first():
            return tf.nn.relu(x @ a) if state is None else tf.nn.relu(x @ a) + 0 * tf.cast(state[0], x.dtype)

        which = tf.cast(x[0, 0, 0] > 0, tf.int32)
        return tf.switch_case(which, [first, lambda: x @ b, lambda: tf.tanh(x @ b)]) @ c


@tf.function
def dense(x, kernel):
    return tf.nn.relu(x @ kernel)


@case("PartitionedCall", [(5, 4), (4, 3), (3, 2)], "0.1 1.0 1.1 2.0")
def _(x, a, b, c):
    return dense(dense(x, a), b) @ c


@case("PartitionedCall: twice, with other weights", [(5, 4), (5, 4), (4, 2), (4, 2)], "0.1 1.1 2.0 3.0")
def _(x, a, b, c, d):
    return dense(x, a) @ c + dense(x, b) @ d


@tf.function(input_signature=[tf.TensorSpec([None, None, None], "float64")])
def halves(x):
    a, b = tf.split(x, 2, -1)
    return tf.reduce_sum(a * tf.sigmoid(b), -1)


@case("PartitionedCall: halves of an unknown number", [(5, 4)], "")
def _(x, a):
    return halves(x @ a)


def chosen(x):
    """What enters, with an unknown number of channels."""
    return tf.gather(x, tf.where(x[0, 0] < 10)[:, 0], axis=-1)


@case("Mul: by an unknown number", [(5,), (5, 2)], "")
def _(x, a, b):
    return (chosen(x) * a) @ b


@case("MatMul: of an unknown number", [(5, 2)], "")
def _(x, a):
    return tf.matmul(chosen(x)[0], a)[None]


@pytest.mark.parametrize("name", CASES)
def test_case(name):
    check(name, *CASES[name])


APART = (  # what needs variables or states, which tests of their own have, or has neither inputs nor outputs
    "ReadVariableOp ResourceGather AssignVariableOp AssignAddVariableOp AssignSubVariableOp VarIsInitializedOp "
    "StatefulPartitionedCall NoOp Assert PrintV2 BroadcastGradientArgs ExtractGlimpseV2 "
    "TensorListReserve TensorListFromTensor TensorListStack TensorListGetItem TensorListSetItem "
    "TensorListLength EmptyTensorList"
).split()


def test_every_rule_has_a_case():
    had = {name.split(":")[0] for name in CASES}
    assert not set(o.RULES) - had - set(APART)
    assert not had - set(o.RULES)


@tf.function
def width_of(x):
    return tf.shape(x)[-1]


BY_WIDTH = {
    "a slice of positions": lambda h: tf.slice(h, (0, h.shape[-1] // 4, 0), (-1, 1, -1)),
    "one position": lambda h: h[:, h.shape[-1] // 4],
    "every so many positions": lambda h: h[:, :: 5 - h.shape[-1] // 4],
    "a number from a function": lambda h: h * tf.cast(width_of(h), h.dtype),
    "a number of unknown sides": lambda h: h * tf.cast(R.Shape(input=h)[-1], h.dtype),
    "a number in a branch": lambda h: tf.switch_case(tf.shape(h)[0] - 2, [lambda: h * h.shape[-1], lambda: h]),
}


@pytest.mark.parametrize("name", BY_WIDTH)
def test_what_depends_on_the_width_is_refused_without_numbers(name):
    def model(width):
        return model_of(lambda x, a: tf.reduce_sum(BY_WIDTH[name](x @ a), -1), (5, 5), [(5, width)])

    with pytest.raises(Net2NetError, match="cuts at another place|depends on the width"):
        grow_into(model(4), model(8), check=False)


def test_a_number_from_a_function_may_be_of_what_stays():
    def model(width):
        return model_of(lambda x, a: tf.reduce_sum(positions(x @ a), -1), (3, 5), [(5, width)])

    @tf.function
    def positions(h):
        return h * tf.cast(tf.range(tf.shape(h)[1]), h.dtype)[:, None]

    teacher = model(4)
    value = np.random.default_rng(0).normal(size=(2, 3, 5))
    student = grow_into(teacher, model(8), check=False)
    np.testing.assert_allclose(teacher(value), student(value), atol=1e-12)

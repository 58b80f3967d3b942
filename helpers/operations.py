"""How the rows of one TensorFlow operation go together: a short rule for each kind.

A rule takes a `Step` and returns one `Value` for each output, or one alone; None where it does not know what to do. It
ties rows that must widen alike, pins what it mixes, and says how roles go on: a kernel's inputs are divided, what
enters is copied, and so is their product. An operation without a rule pins all that enters it, so that a missing rule
can cost growth, but never exactness.

Read `rows` first. The names of operations are TensorFlow's own (`tf.raw_ops`).
"""

import re
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from helpers import rows as r
from helpers.rows import COPIED, DIVIDED, Role

CONSTANT, WEIGHT, ACTIVATION = range(3)


@dataclass
class Value:
    """A tensor as it is read: a row and a role for each axis (None for a list of tensors that is still empty)."""

    rows: list | None
    roles: list | None
    level: int  # CONSTANT; WEIGHT, if made of weights and constants alone; or ACTIVATION
    variable: object = None  # whose handle it is, if it is one

    def axes(self):
        """The row and the role of each axis."""
        return zip(self.rows, self.roles, strict=True)

    def at(self, axes):
        """The same with these axes alone, in this order."""
        return Value([self.rows[i] for i in axes], [self.roles[i] for i in axes], self.level)


def still(shape, why, level=ACTIVATION):
    """A tensor none of whose axes can widen."""
    return Value([r.fixed(side or 0, why) for side in shape], [COPIED] * len(shape), level)


def alike(side, why="its entries are equal"):
    """The row of an axis of equal entries, which goes with any other; `reading` pins it if no weight turns up in it."""
    return ((r.Units(side, why),),) if side else r.fixed(side, why)


def constant(array, why):
    """A tensor whose numbers are known."""
    array = np.asarray(array)

    def row(axis):
        same = array.shape[axis] == 1 or (array.size and bool(np.all(array == np.take(array, [0], axis))))
        return alike(array.shape[axis]) if same else r.fixed(array.shape[axis], why)

    zero = array.dtype.kind in "fc" and not array.any()  # which is as good divided as copied
    return Value([row(i) for i in range(array.ndim)], [Role() if zero else COPIED for _ in array.shape], CONSTANT)


def entering(op):
    """The tensors that enter an operation, a bias as it was before Keras took axes of one entry away to add it."""
    ins = list(op.inputs)
    if op.type == "BiasAdd" and ins[1].op.type in ("Squeeze", "Reshape") and op.get_attr("data_format") == b"NHWC":
        whole = ins[1].op.inputs[0]
        if shape_of(whole) == [1] * (whole.shape.rank - 1) + shape_of(ins[1]) and whole.shape.rank <= ins[0].shape.rank:
            ins[1] = whole
    return ins


FUNCTIONS = "f body cond then_branch else_branch branches".split()  # attributes of operations that call some


def functions_of(op):
    """The graphs of the functions that an operation calls, by name."""
    found = {}
    for name in FUNCTIONS:
        if name in op.node_def.attr:
            given = op.get_attr(name)
            for i, each in enumerate(given if isinstance(given, list) else [given]):
                found[f"{name}{i or ''}"] = op.graph._get_function(each.name).graph
    return found


def shape_of(tensor):
    """The sides of a tensor, 0 where they are not known."""
    return [] if tensor.shape.rank is None else [side or 0 for side in tensor.shape]


def place(op):
    """Where an operation runs: the path of layers, or its own name where it is in none."""
    path, _, name = op.name.rpartition("/")
    # Keras enters a layer's scope twice in each call, so that TensorFlow gives it an odd number the second time.
    return re.sub(r"_\d*[13579](?=/|$)", "", path) or name


class Misread(Exception):
    """Operations that could be written into a graph, but not run on inputs of these sides."""


class Step:
    """One operation, as its rule sees it.

    Attributes
    ----------
    ins : list of Value
        What enters.
    shapes, out_shapes : list of list of int
        Of what enters and of what comes out.
    """

    def __init__(self, op, ins, reading):
        self.op, self.ins, self.reading = op, ins, reading
        self.shapes, self.out_shapes = ([shape_of(x) for x in each] for each in (entering(op), op.outputs))
        self.level = max((x.level for x in ins), default=CONSTANT)

    def attribute(self, name):
        """An attribute of the operation, texts as `str`."""
        value = self.op.get_attr(name)
        return value.decode() if isinstance(value, bytes) else value

    def number(self, i):
        """The numbers of an input, or None if they are not known before the model runs."""
        return self.reading.numbers.get(id(entering(self.op)[i]))

    def why(self, what):
        """A reason, with the place that it holds for."""
        return type(what)(f"{what} ({self.op.type} in {place(self.op)})")

    def pin(self, row, what):
        """Say that a row cannot widen here."""
        r.pin(row, self.why(what))

    def fixed(self, side, what):
        """The row of a new axis that cannot widen."""
        return r.fixed(side, self.why(what))

    def tie(self, *rows):
        """Make rows carry one mapping; return it."""
        tied = rows[0]
        for row in rows[1:]:
            tied = r.tie(tied, row, self.why("it ties channels that lie differently in what enters it"))
        return tied

    def same(self, row, *roles):
        """Make roles equal where the row can widen; return the role."""
        if not r.units(row):
            return COPIED
        try:
            for role in roles[1:]:
                r.equal(roles[0], role)
        except r.Conflict:
            self.pin(row, "it would need the copies of a unit both whole and shared out")
        return roles[0].now()

    def whole(self, x):
        """Ask that all entries of a value are copied, as where they enter what is not linear."""
        for row, role in x.axes():
            self.same(row, COPIED, role)

    def total(self, row, a, b, result):
        """Ask that the roles of two factors add up to that of their product."""
        if r.units(row):
            why = self.why("it would need the shares of copies twice, or not at all")
            self.reading.ask(r.Total(a, b, result, row, why))
        elif result is DIVIDED and b.now().value is None:
            r.equal(b, DIVIDED)  # nothing will be shared out here, but it is the side of a kernel where things enter

    def product(self, row, a, b):
        """The role of a product of entries."""
        if COPIED.value in (a.now().value, b.now().value):
            return b if a.now().value == COPIED.value else a
        self.total(row, a, b, result := Role())
        return result

    def limit(self, x, what):
        """Say that new channels of any values, as random ones have, must not enter here."""
        self.reading.limited += [(row, self.why(what)) for row in x.rows or ()]

    def go_on(self, x, ways, what, i=0):
        """A value whose axes go on as others: {axis of `x`: axis of the output}; all others are pinned, or new."""
        for axis in set(range(len(x.rows))) - set(ways):
            self.pin(x.rows[axis], what)
        y = still(self.out_shapes[i], self.why(what), self.level)
        for axis, new in ways.items():
            y.rows[new], y.roles[new] = x.rows[axis], x.roles[axis]
        return y


RULES = {}
LOOSE = (  # these need not know how many axes tensors have
    "PartitionedCall StatefulPartitionedCall While StatelessWhile If StatelessIf Identity IdentityN TensorListSetItem "
    "TensorListPushBack TensorListStack TensorListGetItem"
).split()


def rule(*types):
    """Register a rule for operations of these types; see `tf.raw_ops` for their names.

    Examples
    --------
    >>> @rule("MyOperation")                       # keeps channels apart, whatever it does to each
    ... def mine(step):
    ...     return entrywise(step)
    """

    def register(function):
        RULES.update(dict.fromkeys(types, function))
        return function

    return register


def read(op, ins, reading):
    """The values that an operation gives; if its rule does not fit what it gives, it has none."""
    step = Step(op, ins, reading)
    ranks = [t.shape.rank for t in (*op.inputs, *op.outputs[:1]) if t.dtype not in (tf.resource, tf.variant)]
    found = RULES.get(op.type, unknown)(step) if None not in ranks or op.type in LOOSE else None
    found = [found] if isinstance(found, Value) else found
    known = found is not None and len(found) == len(op.outputs) and all(map(fits, found, op.outputs))
    return found if known else unknown(step)


def fits(value, tensor):
    """Whether a value has the axes of a tensor; sides that were not known until now are those of the tensor."""
    if value.rows is None or tensor.shape.rank is None or tensor.dtype in (tf.resource, tf.variant):
        return tensor.dtype == tf.variant or value.rows is not None
    if len(value.rows) != tensor.shape.rank:
        return False
    for axis, side in enumerate(tensor.shape):
        here = r.width(row := r.normal(value.rows[axis]))
        value.rows[axis] = r.fixed(side, r.POSITION) if side and not here else row
        if side and here not in (0, side):
            return False
    return True


def unknown(step):
    """What is not understood: nothing that enters it can widen."""
    if "PyFunc" in step.op.type:
        step.reading.hidden = step.why("Python code hides what it does")
    for x in step.ins:
        for row in (x if x.variable is None else step.reading.weight(x)).rows or ():
            step.pin(row, "it enters an operation that has no rule")
    found = [still(shape, step.why("an operation without a rule makes it"), step.level) for shape in step.out_shapes]
    for value, tensor in zip(found, step.op.outputs, strict=True):
        if tensor.dtype == tf.variant:
            value.rows = value.roles = None
    return found


def channel_axis(step, rank):
    """The axis of channels that an operation's data format names."""
    return 1 if step.attribute("data_format").startswith("NC") else rank - 1


# Entry by entry

SAME = "Identity Neg StopGradient PreventGradient CheckNumerics EnsureShape Snapshot Real Imag Conj"
SUM = "Add AddV2 Sub AddN BiasAdd"
ENTRYWISE = (
    "Abs Acos Acosh Angle Asin Asinh Atan Atan2 Atanh BesselI0e BesselI1e BitwiseAnd BitwiseOr BitwiseXor Ceil "
    "Complex ComplexAbs Cos Cosh Digamma DivNoNan Elu Equal Erf Erfc Erfinv Exp Expm1 Floor FloorDiv FloorMod Greater "
    "GreaterEqual Igamma Inv IsFinite IsInf IsNan LeakyRelu LeftShift Less LessEqual Lgamma Log Log1p LogicalAnd "
    "LogicalNot LogicalOr Maximum Minimum Mod MulNoNan Ndtri NextAfter NotEqual OnesLike Polygamma Pow Reciprocal Relu "
    "Relu6 RightShift Rint Round Rsqrt Selu Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Square SquaredDifference Tan "
    "Tanh TruncateDiv TruncateMod Xdivy Xlog1py Xlogy Zeta"
)
# Not finite, or not bounded, for all values: what a random new channel may not enter.
DELICATE = (
    "Acos Acosh Asin Atanh Cosh Digamma DivNoNan Exp Expm1 Inv Lgamma Log Log1p Pow Reciprocal Rsqrt Sinh Sqrt Tan "
    "Xlogy Xlog1py Xdivy"
).split()


def _meet(step, role_of):
    """An entrywise result: rows tied, and the role of each axis by `role_of(row, a role for each operand)`."""
    rows, roles, rank = [], [], len(step.out_shapes[0])
    for axis, side in enumerate(step.out_shapes[0]):
        found, each = [], []
        at = [axis - rank + len(shape) for shape in step.shapes]
        # A weight of one entry beside an input of one, as of a normalization, cannot get more.
        ways = [(x, i) for x, i in zip(step.ins, at, strict=True) if i >= 0 and x.level == step.level]
        widens = side == 1 and any(r.units(x.rows[i]) for x, i in ways)
        for x, shape, i in zip(step.ins, step.shapes, at, strict=True):
            met = i >= 0 and shape[i] == side
            if met and widens and _stays_one(step, x, i):
                met = False
            elif i >= 0 and not met:  # one entry for all along this axis
                step.pin(x.rows[i], "its only channel meets many")
            found += [x.rows[i]] if met else []
            each.append(x.roles[i] if met else COPIED)
        rows.append(step.tie(*found) if found else step.fixed(side, "its side is not known"))
        if side and any(i >= 0 and not shape[i] for shape, i in zip(step.shapes, at, strict=True)):
            step.pin(rows[-1], "it meets a side that is not known")
        roles.append(role_of(rows[-1], *each))
    return Value(rows, roles, step.level)


def _stays_one(step, x, axis):
    """Whether an axis of one entry stays so beside one that widens, since it cannot, and goes with each of many.

    Not in a sum: Keras may take a weight for a bias then.
    """
    return not r.units(x.rows[axis]) and (x.level == CONSTANT or step.op.type not in SUM.split())


def _longer(x, ones, level):
    """A value with some axes of one entry more, behind those that it has."""
    return Value(x.rows + [r.fixed(1, None)] * ones, x.roles + [COPIED] * ones, level)


@rule(*ENTRYWISE.split())
def entrywise(step):
    """Any function of each entry: copies must enter whole."""
    if step.op.type in DELICATE and step.level == ACTIVATION:
        for x in step.ins:
            step.limit(x, "it is not finite for all values")
    return _meet(step, lambda row, *roles: step.same(row, COPIED, *roles))


@rule(*SUM.split())
def add(step):
    if step.op.type == "BiasAdd" and channel_axis(step, len(step.shapes[0])) == 1:
        (x, bias), ones = step.ins, len(step.shapes[0]) - 2
        step.ins, step.shapes[1] = [x, _longer(bias, ones, bias.level)], step.shapes[1] + [1] * ones
    if step.op.type == "AddV2" and step.ins[1].level == ACTIVATION and step.shapes[0] != step.shapes[1]:
        examples, *rest = step.shapes[1] or [1]
        if examples > 1 and set(rest) == {1}:
            for row in step.ins[0].rows[1:]:
                step.pin(row, "Keras adds a number for each example along the channels where there are as many of both")
    return _meet(step, step.same)


@rule("Mul")
def multiply(step):
    return _meet(step, step.product)


@rule("RealDiv", "Div")
def divide(step):
    if step.ins[1].level == ACTIVATION:
        step.limit(step.ins[1], "it is not finite for all values")

    def role_of(row, a, b):
        if b.now().value == COPIED.value:
            return a
        step.total(row, result := Role(), b, a)
        return result

    return _meet(step, role_of)


@rule("SelectV2", "Select")
def select(step):
    ones = len(step.shapes[1]) - 1
    if step.op.type == "Select" and len(step.shapes[0]) == 1 <= ones:  # one for each entry of the first axis
        step.ins = [_longer(step.ins[0], ones, CONSTANT), *step.ins[1:]]
        step.shapes[0] = step.shapes[0] + [1] * ones
    step.whole(step.ins[0])
    return _meet(step, lambda row, mask, *roles: step.same(row, *roles))


@rule(*SAME.split())
def identity(step):
    return step.ins[0]


@rule("IdentityN")
def identities(step):
    return step.ins


@rule("Cast")
def cast(step):
    floating = step.op.inputs[0].dtype.is_floating and step.op.outputs[0].dtype.is_floating
    return step.ins[0] if floating else entrywise(step)


@rule("ZerosLike")
def zeros(step):
    x = step.ins[0]
    return x if x.rows is None else Value(list(x.rows), [Role() for _ in x.rows], CONSTANT)


# Statistics, and what mixes the entries of an axis


@rule("Sum", "Mean", "Prod", "Max", "Min", "All", "Any", "ArgMax", "ArgMin", "EuclideanNorm")
def reduce(step):
    x, kind, axes = step.ins[0], step.op.type, step.number(1)
    if axes is None:
        return None
    rank, over = len(x.rows), {int(axis) % len(x.rows) for axis in np.ravel(axes)}
    if kind not in ("Sum", "Mean"):
        step.whole(x)
    for row, role in x.at(over).axes():
        if kind == "Sum":
            step.same(row, DIVIDED, role)
        elif kind in ("Mean", "Max", "Min", "All", "Any"):
            step.same(row, COPIED, role)
            step.reading.limited.append((row, step.why("a new channel would count in it")))
            if kind == "Mean":
                step.reading.balanced.append((row, step.why("a mean over channels needs equally many copies of each")))
        else:
            step.pin(row, "it mixes channels")
    y = still(step.out_shapes[0], step.why(r.Place("it is what is left of an axis")), step.level)
    for new, axis in enumerate(axis for axis in range(rank) if axis not in over):
        new = axis if len(y.rows) == rank else new  # where what is summed over stays, as an axis of one
        y.rows[new], y.roles[new] = x.rows[axis], x.roles[axis]
    return y


def along(step, mixed):
    """Something that mixes the entries of some axes, and treats all others alike."""
    x, rank = step.ins[0], len(step.ins[0].rows)
    step.whole(x)
    last = step.op in step.reading.last
    what = r.OUTPUT if last else "it mixes channels"
    # Beside the old ones, new classes may come: `extending` asks what becomes of those.
    kept = () if last and step.reading.open else {axis % rank for axis in mixed}
    ways = {axis: axis for axis in set(range(rank)) - set(kept)}
    return [step.go_on(x, ways, what, i) for i in range(len(step.out_shapes))]


@rule("Softmax", "LogSoftmax", "FFT", "IFFT", "RFFT", "IRFFT", "TopKV2")
def mix_last(step):
    return along(step, {-1})


@rule("FFT2D", "IFFT2D", "RFFT2D", "IRFFT2D", "Cholesky", "MatrixInverse", "Qr")
def mix_last_two(step):
    return along(step, {-2, -1})


@rule("Cumsum", "Cumprod", "CumulativeLogsumexp", "ReverseV2", "Roll")
def mix_some(step):
    axes = step.number(2 if step.op.type == "Roll" else 1)
    return None if axes is None else along(step, set(np.ravel(axes).tolist()))


@rule("MaxPool", "AvgPool", "MaxPool3D", "AvgPool3D", "MaxPoolV2")
def pool(step):
    return _positions(step, channel_axis(step, len(step.shapes[0])))


@rule("ResizeBilinear", "ResizeNearestNeighbor", "ResizeBicubic", "ResizeArea", "SpaceToBatchND", "BatchToSpaceND")
@rule("ImageProjectiveTransformV3", "ImageProjectiveTransformV2", "ExtractGlimpseV2", "ScaleAndTranslate")
def resize(step):
    return _positions(step, len(step.shapes[0]) - 1)


def _positions(step, channel):
    """What moves, picks or averages positions, channel by channel."""
    if step.op.type.startswith("Max"):
        step.whole(step.ins[0])
    return step.go_on(step.ins[0], {channel: channel}, r.POSITION)


@rule("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
def normalize(step):
    x, scale, shift, *known = step.ins
    step.whole(x)
    channel, training = channel_axis(step, len(x.rows)), step.attribute("is_training")
    known = [] if training else known  # statistics, which training takes over all positions
    y = step.go_on(x, {axis: axis for axis in ([channel] if training else range(len(x.rows)))}, r.POSITION)
    for each in known:
        step.whole(each)
    row = step.tie(*(each.rows[0] for each in (scale, shift, *known)), x.rows[channel])
    y.rows[channel], y.roles[channel] = row, step.same(row, scale.roles[0], shift.roles[0])
    rest = [Value([row], [COPIED], step.level) for _ in step.op.outputs[1:5]]
    return [y, *rest, *(still(shape, None) for shape in step.out_shapes[5:])]

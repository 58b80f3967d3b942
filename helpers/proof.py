"""Whether two models are one function: the same operations in the same order, and the same numbers."""

import contextlib
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl

from helpers import operations as o
from helpers import reading as rd
from helpers import rows as r
from helpers.building import variables_of
from helpers.checks import Net2NetError
from helpers.layout import strided_axes


class Parted(Net2NetError):
    """Two graphs part at an operation."""

    def __init__(self, op, what, rows):
        super().__init__(f"student: it computes something else than the teacher: {what} ({op.type} in {o.place(op)})")
        self.rows = rows


# Inputs of operations that say nothing but shapes, which are compared themselves.
SHAPES = {
    "Reshape": (1,), "Fill": (0,), "BroadcastTo": (1,), "Tile": (1,), "Slice": (1, 2), "StridedSlice": (1, 2),
    "SplitV": (1,), "Conv2DBackpropInput": (0,), "Conv3DBackpropInputV2": (0,), "TensorListReserve": (0, 1),
    "TensorListFromTensor": (1,), "TensorListStack": (1,), "TensorListGetItem": (2,), "EmptyTensorList": (0, 1),
}  # fmt: skip
ARITHMETIC = set(
    "Pack ConcatV2 Prod Mul Add AddV2 Sub FloorDiv Cast StridedSlice Maximum Minimum Reshape SelectV2".split()
)
NUMBERED = ("Gather", "GatherV2", "ResourceGather")
SAME = {"BiasAdd": "AddV2", "Add": "AddV2"}  # Keras chooses by the width
DRAWS = ("Random", "StatelessRandom", "StatelessTruncated", "TruncatedNormal")  # their first input is a shape
# Attributes that name things, or hold shapes.
LOOSE = set(
    "token shape element_shape output_shapes _output_shapes value container shared_name _class config config_proto "
    "executor_type allowed_devices debug_name parallel_iterations".split()
) | set(o.FUNCTIONS)


def check(reading, student, sizes, numbers=True, x=None):
    """Raise `Parted` where a student does not run the teacher's operations, or an error if it gives other numbers.

    Return why it could not be asked for numbers, if so.
    """
    traced, *_ = rd.trace(student, x, reading.length)
    held = reading.variables, variables_of(student)
    orders = ({handle: i for i, handle in enumerate(rd.handles(each))} for each in held)
    _Comparison(reading, sizes).graphs(reading.graph, traced.graph, *orders)
    if sums := _sums_like_biases(reading.graph):
        _compare_sums(reading, student, sums, {*_sides(sums), *_sides(_sums_like_biases(traced.graph))}, x)
    return _ask(reading, student, x) if numbers else None


class _Comparison:
    """A teacher that was read, compared with a student of these sizes operation by operation."""

    def __init__(self, reading, sizes):
        self.reading, self.sizes = reading, sizes
        self.numbers = {}  # id of a tensor of the student -> its numbers, where they are known before the model runs
        self.path = ()  # the calls of functions that lead here

    def graphs(self, ours, theirs, order, theirs_order, differ=()):
        """Compare two graphs; the orders number the handles of weights, None within functions, which are given them.

        `differ` has the inputs, by id, whose known numbers are others in the student because a shape is.
        """
        same, differ = {}, set(differ)  # tensor of the teacher -> of the student; those whose known numbers differ
        for a, b in zip(ours.inputs, theirs.inputs, strict=False):
            same[id(a)] = b
        for (outer, a), (other, b) in zip(ours.captures, theirs.captures, strict=False):
            if a.dtype == tf.resource:
                if order and order.get(id(outer)) != theirs_order.get(id(other)):
                    raise Parted(a.op, "another weight is read", [])
            elif isinstance(outer, tf.Tensor) and not tf.is_symbolic_tensor(outer) and a.dtype != tf.variant:
                self.numbers[id(b)] = other.numpy()
                if not self._alike(outer.numpy(), other.numpy()):
                    differ.add(id(a))
        pairs = [_without_fillings(graph) for graph in (ours, theirs)]
        for a, b in zip(*pairs, strict=False):
            self._pair(a, b, same, differ)
        if len(pairs[0]) != len(pairs[1]):
            longer = max(pairs, key=len)
            raise Parted(longer[min(map(len, pairs))], "one of them goes on here, the other ends", [])
        for a, b in zip(ours.outputs, theirs.outputs, strict=True):
            if same.get(id(a)) is not b:
                raise Parted(a.op, "it gives another output", self._rows(a.op))
            if id(a) in differ:
                raise Parted(a.op, "a number that it gives depends on the width", self._rows(a.op))

    def _rows(self, op):
        values = [self.reading.within[self.path].get(id(t)) for t in (*o.entering(op), *op.outputs)]
        return [row for value in values if value is not None for row in value.rows or ()]

    def _pair(self, a, b, same, differ):
        equal = _is_constant(a) and _is_constant(b)  # then their numbers are compared, below
        if not equal and SAME.get(a.type, a.type) != SAME.get(b.type, b.type):
            raise Parted(a, f"it runs {b.type} where the teacher runs {a.type}", self._rows(a))
        ours, theirs = o.entering(a), o.entering(b)
        if not equal and (
            len(ours) != len(theirs) or any(same.get(id(x)) is not y for x, y in zip(ours, theirs, strict=True))
        ):
            raise Parted(a, "it is given something else", self._rows(a))
        for name in a.node_def.attr if a.type == b.type else ():
            if name not in LOOSE and not name.startswith("_") and a.node_def.attr[name] != b.node_def.attr[name]:
                raise Parted(a, f"its {name} is another", self._rows(a))
        for x, y in zip(a.outputs, b.outputs, strict=True):
            same[id(x)] = y
            self._shapes(a, x, y)
        loose = [i for i, x in enumerate(ours) if id(x) in differ]
        known = [self.reading.numbers.get(id(x)) for x in a.outputs]
        found = rd.known_numbers(b, self.numbers) if a.outputs and all(each is not None for each in known) else None
        if found is not None or equal:  # one may be too large to be computed here; then it is compared as others are
            found = found or [None] * len(known)
            self.numbers.update((id(y), each) for y, each in zip(b.outputs, found, strict=True))
            differ.update(id(x) for x, n, m in zip(a.outputs, known, found, strict=True) if not self._alike(n, m))
            return
        if a.type in ("Shape", "ShapeN", "Size") and any(r.widens(row, self.sizes) for row in self._rows(a)):
            differ.update(id(x) for x in a.outputs)
        if loose and self._picks_a_side_that_stays(a):
            return
        shapes = SHAPES.get(a.type, (0,) if a.type.startswith(DRAWS) else ())
        functions, others = (o.functions_of(op) for op in (a, b))
        if functions.keys() != others.keys():
            raise Parted(a, "it chooses between others", self._rows(a))
        if loose and a.type in ARITHMETIC and all(x.dtype.is_integer for x in a.outputs):
            differ.update(id(x) for x in a.outputs)  # still nothing but a shape
            return
        if loose and self.reading.open and a.type in NUMBERED:
            return  # more may be looked up, and a negative number counts from the end
        if not functions and any(i not in shapes for i in loose):
            raise Parted(a, "a number in it depends on the width", self._rows(a))
        if a.type in ("Slice", "StridedSlice"):
            self._start(a, b)
        for name, graph in functions.items():
            first = len(a.inputs) - len(graph.inputs)  # behind what chooses
            before, self.path = self.path, (*self.path, a.name, name)
            self.graphs(graph, others[name], None, None, {id(graph.inputs[i - first]) for i in loose if i >= first})
            self.path = before

    def _shapes(self, op, x, y):
        value = self.reading.within[self.path].get(id(x))
        if value is None or value.rows is None or x.dtype == tf.variant or x.shape.rank is None:
            return
        if x.shape.rank != y.shape.rank:
            raise Parted(op, f"it has {y.shape.rank} axes where the teacher has {x.shape.rank}", self._rows(op))
        for row, new in zip(value.rows, y.shape, strict=True):
            wanted = r.width(row, self.sizes) if r.width(row) else None
            repeated = new == 1 and value.level == o.CONSTANT  # whatever it meets
            if wanted is not None and new is not None and wanted != new and not repeated:
                raise Parted(op, f"a side is {new} where {wanted} is expected", self._rows(op))

    def _picks_a_side_that_stays(self, op):
        """Whether it takes one side of a shape, along which nothing widens."""
        shape, begin = op.inputs[0].op, self.reading.numbers.get(id(op.inputs[1])) if len(op.inputs) > 1 else None
        if op.type != "StridedSlice" or shape.type != "Shape" or begin is None or not op.get_attr("shrink_axis_mask"):
            return False
        row = self.reading.within[self.path][id(shape.inputs[0])].rows[int(begin[0])]
        return not r.widens(row, self.sizes)

    @staticmethod
    def _alike(a, b):
        """Whether constants are equal, but for how long axes are along which all entries are equal."""
        if a is None or b is None:
            return a is b
        a, b = np.asarray(a), np.asarray(b)
        if a.ndim != b.ndim or a.dtype != b.dtype:
            return False
        for axis in range(a.ndim):
            if a.shape[axis] != b.shape[axis]:
                if 0 in (a.shape[axis], b.shape[axis]):
                    return False
                firsts = np.take(a, [0], axis), np.take(b, [0], axis)
                if not all((first == whole).all() for first, whole in zip(firsts, (a, b), strict=True)):
                    return False
                a, b = firsts
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))

    def _start(self, a, b):
        """Compare where slices begin."""
        value = self.reading.within[self.path][id(a.inputs[0])]
        begins = self.reading.numbers.get(id(a.inputs[1])), self.numbers.get(id(b.inputs[1]))
        starts = [_starts(op, begin) for op, begin in zip((a, b), begins, strict=True)]
        for axis, row in enumerate(value.rows):
            old, new = (each.get(axis, 0) for each in starts)
            if (widens := r.widens(row, self.sizes)) and None not in (old, new):
                old = _offset(row, old, self.sizes)
            if old != new or (widens and new is None):
                raise Parted(a, "it cuts at another place", self._rows(a))


def _operations(graph):
    """The operations of a graph, and of the functions that it calls."""
    for op in rd.operations_of(graph):
        yield op
        for inner in o.functions_of(op).values():
            yield from _operations(inner)


def _sums_like_biases(graph):
    """Sums whose second operand has one long side, beside that of the examples: what Keras may take for a bias."""
    found = []
    for op in _operations(graph):
        if op.type in ("AddV2", "BiasAdd"):
            first, second = o.shape_of(op.inputs[0]), o.shape_of(_unsqueezed(op))
            second = [1] * (len(first) - len(second)) + second
            long = [side for side in second[1:] if side != 1]
            if len(first) > 1 and len(long) == 1 and not first[-1] == long[0] == second[-1]:
                found.append(op)
    return found


def _unsqueezed(op):
    """The second operand of a sum, as it was before Keras took away its axes of one entry."""
    second = op.inputs[1]
    return second.op.inputs[0] if second.op.type == "Squeeze" else second


def _sides(sums):
    """The sides of the first operands of such sums, but for the number of examples."""
    return {side for op in sums for side in o.shape_of(op.inputs[0])[1:]}


def _compare_sums(reading, student, sums, sides, x):
    """Compare such sums in batches of one example, at each length that a side has: Keras adds along one that fits."""
    one, lengths = None, {reading.length}
    if x is not None:
        one = keras.tree.map_structure(lambda a: np.asarray(a)[:1], x)
    elif rd.specs_of(student, 1) != rd.specs_of(student, 2):
        lengths |= sides
    for length in lengths:
        ours, theirs = (_added_elsewhere(model, one, length) for model in (reading.model, student))
        if ours != theirs:
            rows = [row for op in sums for t in op.inputs for row in reading.values[id(t)].rows]
            raise Parted(sums[0], "where sides are equal, Keras adds along another axis", rows)


def _added_elsewhere(model, x, length):
    """The axes along which Keras adds what lies along another, in a batch of one example."""
    try:
        graph = rd.trace(model, x, length, batch=1)[0].graph
    except rd.Unread:
        return None
    found = []
    for op in _operations(graph):
        if op.type == "BiasAdd" and (whole := _unsqueezed(op)) is not op.inputs[1]:
            first, second = o.shape_of(op.inputs[0]), o.shape_of(whole)
            axis = 1 if op.get_attr("data_format") == b"NCHW" else len(first) - 1
            if ([1] * (len(first) - len(second)) + second)[axis] == 1:
                found.append((axis, first[axis]))
    return found


def _is_constant(op):
    """Whether an operation gives numbers that are written in the graph; large ones that are all equal are filled."""
    return op.type == "Const" or (op.type == "Fill" and all(t.op.type == "Const" for t in op.inputs))


def _without_fillings(graph):
    """The operations of a graph, without the constants that say with what, and how far, another is filled."""
    found = rd.operations_of(graph)
    inside = {t.op for op in found if op.type == "Fill" and _is_constant(op) for t in op.inputs}
    inside = {op for op in inside if all(user.type == "Fill" for user in op.outputs[0].consumers())}
    return [op for op in found if op not in inside]


def _starts(op, begin):
    """Where a slice begins: {axis: first entry}, None for what is not known."""
    sides = o.shape_of(op.inputs[0])
    if op.type == "Slice":  # what takes a whole axis begins with it
        whole = [side == taken > 0 for side, taken in zip(sides, o.shape_of(op.outputs[0]), strict=True)]
        begin = [None] * len(sides) if begin is None else begin.tolist()
        return {axis: 0 if whole[axis] else first for axis, first in enumerate(begin)}
    found, ignored = {}, op.get_attr("begin_mask")
    for axis, k in strided_axes(op, len(sides)):
        if axis is not None and k is not None:
            start = 0 if ignored >> k & 1 else None if begin is None else int(begin[k])
            found[axis] = start + sides[axis] if start is not None and start < 0 else start
    return found


def _offset(row, old, sizes):
    """Where in the student the channel `old` of a row is, counted from 0; None if no segment begins there."""
    new = 0
    for segment in r.normal(row):
        if old == 0:
            return new
        here = r.size(segment)
        if old < here:
            rest = segment[1:]
            whole, remainder = divmod(old, r.size(rest))
            inside = _offset((rest,), remainder, sizes) if remainder else 0
            return None if inside is None else new + whole * r.size(rest, sizes) + inside
        old, new = old - here, new + r.size(segment, sizes)
    return new if old == 0 else None


# What a difference may be by rounding alone, as a part of the largest output.
ROUNDING = {"float64": 1e-6, "float32": 1e-3}  # a layer may compute in float32 whatever it is given


def rounding(reading):
    """What a difference may be by rounding in the coarsest type that a model computes in."""
    inside = {t.dtype for op in rd.operations_of(reading.graph) for t in op.outputs if t.dtype.is_floating}
    return max((ROUNDING.get(dtype.name, 0.1) for dtype in inside), default=0.0)


def _ask(reading, student, x):
    """Ask both on drawn numbers; return why it cannot be done, if so."""
    teacher = reading.model
    given = drawn(reading.spec, teacher) if x is None else x
    with states_kept(teacher, student):
        try:
            left = keras.tree.flatten(teacher(given, training=False))
        except Exception as error:  # it does not take what is drawn, or does not run on this machine
            return _unasked(reading, f"the teacher cannot be called on what is drawn: {error}")
        right = keras.tree.flatten(student(given, training=False))
    left, right = ([y.numpy() for y in each if y.dtype.is_floating or y.dtype.is_complex] for each in (left, right))
    limit, asked = rounding(reading), False
    for a, b in zip(left, right, strict=True):
        a, b = map(_precise, (a, b))
        if np.isinf(gap := difference(a, b)):
            raise Net2NetError(
                "student: its outputs are not finite at other places than the teacher's, or NaN where those are not, "
                "as where a number grows too large for its type, or the root is taken of what rounding makes a little "
                "less than 0; where that is so, leave the check out with check=False"
            )
        asked |= bool(np.isfinite(a).any())
        if not gap <= limit * (largest := size(a)):
            raise Net2NetError(
                f"student: it would give other outputs than the teacher, by {gap:.2g} beside a largest output of "
                f"{largest:.2g}; {reading.hidden or 'please report the model, since this is a fault of helpers'}"
            )
    return None if asked else _unasked(reading, "the teacher gives no finite numbers for what is drawn")


def difference(a, b):
    """The largest difference between two arrays where they are finite; infinite if they are not in the same way."""
    known = np.isfinite(a)
    same = np.array_equal(known, np.isfinite(b)) and np.array_equal(a[~known], b[~known], equal_nan=True)
    return np.abs(a[known] - b[known]).max(initial=0) if same else np.inf


def size(a):
    """The largest number of an array that is finite."""
    return np.abs(a[np.isfinite(a)]).max(initial=0)


def _precise(y):
    return y.astype(np.promote_types(y.dtype, "float64"))


def _unasked(reading, why):
    """Why a student was not asked, unless the proof does not do without."""
    if reading.hidden:
        raise Net2NetError(
            f"student: nobody can say whether it computes what the teacher does: {reading.hidden}, and {why}"
        )
    return why


def drawn(spec, model, seed=0):
    """Numbers that fit what a model takes: standard normal, or integers that its Embedding layers know."""
    rng = np.random.default_rng(seed)
    known = [layer.input_dim for layer in model._flatten_layers() if isinstance(layer, kl.Embedding)]

    def draw(x):
        if x.dtype == tf.string:
            return tf.constant(rng.choice(["a", "b", "c"], size=x.shape))
        if x.dtype == tf.bool:
            return tf.constant(rng.random(x.shape) < 0.5)
        if x.dtype.is_integer or (known and len(x.shape) < 3):
            return tf.cast(rng.integers(min(known, default=2), size=x.shape), x.dtype)
        return tf.cast(rng.standard_normal(x.shape), x.dtype)

    return keras.tree.map_structure(draw, spec)


# Are they the same function?


def function_gap(teacher: keras.Model, student: keras.Model, x: Any = None) -> float:
    """The largest absolute difference between the outputs of two models.

    Parameters
    ----------
    teacher, student : keras.Model
        Models with the same inputs and outputs.
    x : array, or list or dict of arrays, optional
        Inputs for both, batch first. If left out, 16 are drawn to fit the teacher: standard normal, or integers that
        its Embedding layers know, as long as it takes them where it leaves that open.

    Returns
    -------
    float
        In the outputs' own unit; NaN if an output is NaN, infinite if one alone is. Compare it with the outputs' size:
        1e-12 of the largest is exact in float64, 1e-5 in float32.

    Raises
    ------
    Net2NetError
        If one of the two is no model, cannot be called on `x`, or is not built where `x` is left out; if `x` has no
        examples; or if the outputs differ in number or shape.

    Examples
    --------
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    >>> function_gap(teacher, teacher)
    0.0
    """
    check_models(teacher=teacher, student=student)
    with states_kept(teacher, student):
        left, x = _answer(teacher, x)
        right = outputs(student, x)
    if [y.shape for y in left] != [y.shape for y in right]:
        raise Net2NetError(
            f"student: expected outputs of shape {', '.join(str(y.shape) for y in left)}, as the teacher's, "
            f"got {', '.join(str(y.shape) for y in right)}"
        )
    with np.errstate(invalid="ignore"):  # of what is infinite in both
        return float(np.max([np.where(a == b, 0, np.abs(a - b)).max() for a, b in zip(left, right, strict=True)]))


def _answer(model, x):
    """What a model gives, and for what: `x`, or inputs drawn in the first length that it takes."""
    refusals = []
    for each in [x] if x is not None else (example_inputs(model, length=length) for length in (32, *rd.LENGTHS)):
        try:
            return outputs(model, each), each
        except Net2NetError as refusal:
            refusals.append(refusal)
    raise refusals[0]


def check_models(**models):
    """Refuse arguments, given by name, that are no models."""
    for argument, model in models.items():
        if not isinstance(model, keras.Model):
            raise Net2NetError(f"{argument}: expected a keras.Model, got {model!r}")


def outputs(model, x):
    """What a model gives in inference, as a list of arrays in float64 or complex128."""
    if empty := [np.shape(a) for a in keras.tree.flatten(x) if np.size(a) == 0]:
        raise Net2NetError(f"x: expected at least one example, got an array of shape {empty[0]}")
    try:
        outputs = [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(x, training=False))]
    except Exception as error:  # a layer may be the user's, and fail in any way
        raise Net2NetError(f"x: model {model.name!r} cannot be called on it: {error}") from error
    if any(y.dtype == object for y in outputs):
        raise Net2NetError(
            f"x: model {model.name!r} gives texts, which have no difference; build one without that output"
        )
    return [_precise(y) for y in outputs]


def example_inputs(model, batch=16, length=32, seed=0):
    """Draw inputs that fit a model, in the structure that it takes; unknown sides get `length`."""
    if (inputs := rd.inputs_of(model)) is None:
        why = "is not built" if not model.built else "hides its graph"
        raise Net2NetError(f"x: model {model.name!r} {why}, so no inputs can be drawn for it; give inputs")
    rng = np.random.default_rng(seed)
    known = [layer.input_dim for layer in model._flatten_layers() if isinstance(layer, kl.Embedding)]

    def draw(x):
        if x.dtype == "string":
            raise Net2NetError(f"x: input {x.name!r} takes texts, which cannot be drawn; give inputs of your own")
        shape = tuple((length if i else batch) if side is None else side for i, side in enumerate(x.shape))
        if "int" in x.dtype or (known and len(shape) < 3):
            return rng.integers(min(known, default=2), size=shape).astype(x.dtype)
        if x.dtype == "bool":
            return rng.random(shape) < 0.5
        return rng.standard_normal(shape).astype(x.dtype)

    return keras.tree.map_structure(draw, inputs)


@contextlib.contextmanager
def states_kept(*models):
    """Give models back what they keep from their last batch, and their seeds, after calls that move them."""
    before = [(v, v.numpy()) for model in models for v in variables_of(model) if not v.trainable]
    try:
        yield
    finally:
        for variable, values in before:
            variable.assign(values)

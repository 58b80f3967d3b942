"""More rules for operations: where entries lie, and what is inside lists, loops and functions.

Read `operations` first, which says what a rule is.
"""

import math

import numpy as np

from helpers import rows as r
from helpers.operations import ACTIVATION, CONSTANT, WEIGHT, Misread, Value, alike, functions_of, rule, still
from helpers.rows import COPIED, DIVIDED

# Where entries lie


@rule("Transpose")
def transpose(step):
    order = step.number(1)
    return None if order is None else step.ins[0].at(order.tolist())


@rule("ExpandDims")
def expand(step):
    new = step.number(1)
    if new is None:
        return None
    return step.go_on(step.ins[0], _around(step, int(new) % len(step.out_shapes[0])), r.Place("it is a new axis"))


def _around(step, new):
    """How axes go on where a new one is put in: {axis of the input: axis of the output}."""
    return {axis: axis + (axis >= new) for axis in range(len(step.shapes[0]))}


@rule("Squeeze")
def squeeze(step):
    shape, x = step.shapes[0], step.ins[0]
    axes = {i % len(shape) for i in step.attribute("squeeze_dims")} or {i for i, side in enumerate(shape) if side == 1}
    kept = [i for i in range(len(shape)) if i not in axes]
    return step.go_on(x, {axis: i for i, axis in enumerate(kept)}, "an axis of one channel is taken away")


@rule("Reshape")
def reshape(step):
    shape, out, x = step.shapes[0], step.out_shapes[0], step.ins[0]
    if shape == out:
        return x
    first = 1 if shape and out and 0 in (shape[0], out[0]) else 0  # an unknown number of examples
    if 0 in shape[first:] + out[first:]:
        return None
    old, new = _runs(shape, first), _runs(out, first)
    for runs, side, other in ((old, shape, out), (new, out, shape)):
        if len(runs) > 1 and side[-1] == 1 != other[-1]:  # the last axes of one have no counterpart
            runs[-2:] = [runs[-2] + runs[-1]]
    y = still(out, step.why("it is cut in pieces by a reshape"), step.level)
    y.rows[:first], y.roles[:first] = x.rows[:first], x.roles[:first]
    while old and new:  # take as few axes as hold equally many entries, on both sides
        block, into, here, there = [], [], 1, 1
        while not (block and into) or here != there:
            if not block or (into and here < there):
                block += (axes := old.pop(0))
                here *= math.prod(shape[k] for k in axes)
            else:
                into += (axes := new.pop(0))
                there *= math.prod(out[k] for k in axes)
        row = (tuple(x.rows[k] for k in block),)
        role = step.same(row, *(x.roles[k] for k in block if r.units(x.rows[k])))
        rows = _regrouped(step, row, [out[k] for k in into])
        for k, each in zip(into, rows, strict=True):
            y.rows[k], y.roles[k] = each, role
    for k in (k for axes in old for k in axes):
        step.pin(x.rows[k], "an axis of one channel is taken away")
    return y


def _runs(shape, first):
    """The axes from the first on in runs: those of one entry go with the next of many, and the last by themselves."""
    runs, ones = [], []
    for axis in range(first, len(shape)):
        ones.append(axis)
        if shape[axis] != 1:
            runs.append(ones)
            ones = []
    return [*runs, ones] if ones else runs


def _regrouped(step, row, sides):
    """The rows of axes with these sides that together hold the entries of a row."""
    found = []
    try:
        for side in sides[:-1]:
            first, row = r.divide(row, side)
            found.append(first)
        return [*found, row]
    except r.Mismatch:
        for each in (*found, row):
            step.pin(each, "it is cut in pieces by a reshape")
        return [step.fixed(side, "it is cut in pieces by a reshape") for side in sides]


@rule("Pack")
def pack(step):
    new, x = step.attribute("axis") % len(step.out_shapes[0]), _joined(step, step.ins)
    return step.go_on(x, _around(step, new), "it is a stack of tensors")


@rule("Unpack")
def unpack(step):
    x, axis = step.ins[0], step.attribute("axis") % len(step.shapes[0])
    step.pin(x.rows[axis], "it is taken apart")
    return [x.at([i for i in range(len(x.rows)) if i != axis]) for _ in step.out_shapes]


@rule("ConcatV2")
def concatenate(step):
    axis = step.number(len(step.ins) - 1)
    return None if axis is None else _joined(step, step.ins[:-1], int(axis) % len(step.out_shapes[0]))


def _joined(step, parts, axis=None):
    """Tensors side by side along an axis, or each in place of the other."""
    rows, roles = [], []
    for k in range(len(parts[0].rows)):
        for x in parts if k == axis else ():
            if x.level == CONSTANT:
                step.pin(x.rows[k], "they are constants beside channels")
        rows.append(tuple((x.rows[k],) for x in parts) if k == axis else step.tie(*(x.rows[k] for x in parts)))
        roles.append(step.same(rows[-1], *(x.roles[k] for x in parts if k != axis or r.units(x.rows[k]))))
    return Value(rows, roles, step.level)


@rule("Split", "SplitV")
def cut(step):
    equal = step.op.type == "Split"
    x, axis = step.ins[1 if equal else 0], step.number(0 if equal else 2)
    if axis is None:
        return None
    axis = int(axis) % len(x.rows)
    rows = _pieces(step, x.rows[axis], [shape[axis] for shape in step.out_shapes])
    if equal and len(rows) > 1:
        step.reading.alike.append((rows, step.why("it is split into parts of one size")))
    return [Value([*x.rows[:axis], row, *x.rows[axis + 1 :]], list(x.roles), x.level) for row in rows]


def _pieces(step, row, widths):
    """The rows of pieces of these widths, which a row is cut into."""
    try:
        return r.split(row, widths)
    except r.Mismatch:
        step.pin(row, "it is cut in the middle of what widens together")
        return [step.fixed(width, "it is cut in the middle of what widens together") for width in widths]


def _part(step, row, start, length, stride=1):
    """The row of a slice; `start` is None where it is computed, `length` where it is not known."""
    whole = r.width(row)
    if stride == 1 and start is not None and start + (length or 0) > whole > 0:
        raise Misread(f"{step.op.name}: {length} entries from the {start}th on, of {whole}")
    if length is None:
        step.pin(row, "it is cut at a place that is computed")
    if not length:
        return ()
    if stride == 1 and length == whole and start in (0, None):
        return row
    if stride == 1 and start is not None:
        return _pieces(step, row, [start, length, whole - start - length])[1]
    if start is not None and stride > 1 and whole == stride * length:  # one of each run
        each = r.Units(length, step.op.name)
        step.tie(row, ((each, r.Fixed(stride, step.why("it is sliced with a stride"))),))
        return ((each,),)
    turned = "it is turned round" if stride < 0 else "it is sliced with a stride"
    step.pin(row, "it is cut at a place that is computed" if start is None else turned)
    return step.fixed(length, "it is sliced")


@rule("Slice")
def slices(step):
    x, begin = step.ins[0], step.number(1)
    starts = [None] * len(x.rows) if begin is None else begin.tolist()
    rows = [_part(step, *each) for each in zip(x.rows, starts, step.op.outputs[0].shape, strict=True)]
    return Value(rows, list(x.roles), step.level)


def strided_axes(op, rank):
    """The axes that a strided slice of a tensor takes, in order, each with its place in the lists of where to cut.

    The place is None where an axis is taken whole; the axis is None where there is a new one.
    """
    wide, new = (op.get_attr(f"{name}_mask") for name in ("ellipsis", "new_axis"))
    count, axis = op.inputs[1].shape[0], 0
    for k in range(count):
        if wide >> k & 1:
            behind = sum(not new >> later & 1 for later in range(k + 1, count))
            yield from ((whole, None) for whole in range(axis, rank - behind))
            axis = rank - behind
        elif new >> k & 1:
            yield None, k
        else:
            yield axis, k
            axis += 1
    yield from ((whole, None) for whole in range(axis, rank))


@rule("StridedSlice")
def strided(step):
    x, (begin, end, strides) = step.ins[0], [step.number(i) for i in (1, 2, 3)]
    begins, ends, shrink = (step.attribute(f"{name}_mask") for name in ("begin", "end", "shrink_axis"))
    rows, roles = [], []
    if strides is None:
        return None
    for axis, k in strided_axes(step.op, len(x.rows)):
        row, role = (r.fixed(1, None), COPIED) if axis is None else (x.rows[axis], x.roles[axis])
        if axis is not None and k is not None:
            here = 1 << k
            if shrink & here:
                step.pin(row, "one of its channels is picked")
                continue
            computed = (begin is None and not begins & here) or (end is None and not ends & here)
            first = None if begins & here or computed else int(begin[k])
            last = None if ends & here or computed else int(end[k])
            start, _, stride = slice(first, last, int(strides[k])).indices(step.shapes[0][axis])
            row = _part(step, row, None if computed else start, step.op.outputs[0].shape[len(rows)], stride)
        rows.append(row)
        roles.append(role)
    return Value(rows, roles, step.level)


@rule("Pad", "PadV2", "MirrorPad")
def pad(step):
    x, pads = step.ins[0], step.number(1)
    if pads is None:
        return None
    mirror, fill = step.op.type == "MirrorPad", step.number(2) if step.op.type == "PadV2" else np.zeros(())
    zeros = not mirror and fill is not None and not fill.any()
    if not zeros and not mirror:
        step.whole(x)
    y = Value(list(x.rows), list(x.roles), step.level)
    for axis, (before, after) in enumerate(pads.tolist()):
        if before or after:
            if mirror:
                step.pin(x.rows[axis], "its channels are mirrored")
            y.rows[axis] = (*step.fixed(before, "it is padding"), (x.rows[axis],), *step.fixed(after, "it is padding"))
    return y


@rule("Tile", "BroadcastTo")
def repeat(step):
    x, out = step.ins[0], step.out_shapes[0]
    rows, roles = [alike(side) for side in out], [COPIED for _ in out]
    for axis, (row, side) in enumerate(zip(x.rows, step.shapes[0], strict=True), start=len(out) - len(x.rows)):
        if side == 1 != out[axis] or not out[axis]:
            step.pin(row, "its only channel is repeated")
        elif side:
            rows[axis] = ((r.Fixed(out[axis] // side, r.Natural("it counts repetitions")), row),)
            roles[axis] = x.roles[axis - len(out)]
    return Value(rows, roles, step.level)


@rule("Fill")
def fill(step):
    return Value([alike(side) for side in step.out_shapes[0]], [COPIED for _ in step.out_shapes[0]], step.level)


@rule("GatherV2", "Gather", "ResourceGather")
def gather(step):
    x, index = step.ins[:2]
    x = step.reading.weight(x) if x.variable is not None else x
    axis = step.number(2) if step.op.type == "GatherV2" else 0
    batch = step.attribute("batch_dims") if step.op.type != "Gather" else 0
    if axis is None:
        return None
    axis = int(axis) % len(x.rows)
    batch = batch % max(len(index.rows), 1) if batch < 0 else batch
    if step.reading.open and x.level == WEIGHT and index.level != CONSTANT:
        step.reading.lookups.append(x.rows[axis])
    else:
        what = "its entries are looked up by number"
        step.pin(x.rows[axis], r.Natural(what) if x.level == WEIGHT else what)
    if x.level == WEIGHT and x.roles[axis].now().value is None and not step.reading.open:
        r.equal(x.roles[axis], DIVIDED)  # as a kernel behind a one-hot code
    step.whole(index)
    for a, b in zip(x.rows[:batch], index.rows[:batch], strict=True):
        step.tie(a, b)
    return Value(
        x.rows[:axis] + index.rows[batch:] + x.rows[axis + 1 :],
        x.roles[:axis] + index.roles[batch:] + x.roles[axis + 1 :],
        x.level if index.level == CONSTANT else ACTIVATION,
    )


@rule("OneHot")
def one_hot(step):
    new = step.attribute("axis") % len(step.out_shapes[0])
    step.whole(step.ins[0])
    return step.go_on(step.ins[0], _around(step, new), r.Natural("it counts classes"))


@rule("DepthToSpace", "SpaceToDepth")
def blocks(step):
    x, block = step.ins[0], step.attribute("block_size") ** 2
    if step.attribute("data_format") != "NHWC":
        return None
    y = step.go_on(x, {0: 0, 3: 3}, r.POSITION)
    places = r.Fixed(block, step.why(r.Natural("it counts the places of a block")))
    if step.op.type == "SpaceToDepth":
        y.rows[3] = ((places, x.rows[3]),)
    else:
        y.rows[3] = ((r.Units(step.out_shapes[0][3], step.op.name),),)
        step.tie(x.rows[3], ((places, y.rows[3]),))
    return y


# Shapes, handles, and numbers that no channel enters


@rule("Shape", "ShapeN", "Size", "Rank", "Range", "VarIsInitializedOp", "BroadcastGradientArgs", "LinSpace")
@rule("TensorListLength")
def shapes(step):
    return [still(shape, "it is computed from shapes", CONSTANT) for shape in step.out_shapes]


@rule("ReadVariableOp")
def read_variable(step):
    return step.reading.weight(step.ins[0])


@rule("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
def assign(step):
    _joined(step, [step.reading.weight(step.ins[0]), step.ins[1]])
    step.whole(step.ins[1])
    step.whole(step.reading.weight(step.ins[0]))
    return []


@rule("NoOp", "Assert", "PrintV2")
def nothing(step):
    return []


# Lists of tensors: read as one tensor, stacked along a new first axis


@rule("TensorListReserve", "EmptyTensorList")
def list_empty(step):
    return Value(None, None, CONSTANT)


@rule("TensorListFromTensor")
def list_of(step):
    step.pin(step.ins[0].rows[0], "it is taken apart")
    return step.ins[0]


@rule("TensorListStack", "TensorListResize")
def list_stack(step):
    return step.ins[0]


@rule("TensorListGetItem")
def list_get(step):
    x = step.ins[0]
    return x if x.rows is None else x.at(range(1, len(x.rows)))


@rule("TensorListSetItem", "TensorListPushBack")
def list_set(step):
    item = step.ins[-1]
    return _either(step, step.ins[0], Value([(), *item.rows], [COPIED, *item.roles], item.level))


def _either(step, a, b):
    """One value for what may be either of two, as the state of a loop before and after a round."""
    if a.variable is not None or a.rows is None or b.rows is None:
        return b if a.rows is None else a
    joined = _joined(step, [a, b])
    joined.level = max(a.level, b.level)
    return joined


# Functions and loops: read what is inside


def _inside(step, name, ins):
    return step.reading.walk(functions_of(step.op)[name], ins, (step.op.name, name))


@rule("PartitionedCall", "StatefulPartitionedCall")
def call(step):
    return _inside(step, "f", step.ins)


@rule("While", "StatelessWhile")
def loop(step):
    state = step.ins
    body = functions_of(step.op)["body"]
    types = {op.type for op in body.get_operations()}
    bounded = "Tanh" in types or ("Sigmoid" in types and "Mul" not in types)  # what is multiplied is a gate
    if not bounded or types & {"Relu", "LeakyRelu", "Elu", "Selu", "Softplus"}:
        for x in state:
            step.limit(x, "it is fed back without a bound")
    while True:
        _inside(step, "cond", state)
        after = [_either(step, a, b) for a, b in zip(state, _inside(step, "body", state), strict=True)]
        if [_seen(a) for a in after] == [_seen(a) for a in state]:
            return after
        state = after


def _seen(value):
    return value.rows and [r.normal(row) for row in value.rows], value.level


@rule("If", "StatelessIf", "Case", "StatelessCase")
def choose(step):
    found, *others = [_inside(step, name, step.ins[1:]) for name in functions_of(step.op)]
    for other in others:
        found = [_either(step, a, b) for a, b in zip(found, other, strict=True)]
    return found

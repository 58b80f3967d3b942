"""More rules for operations: contractions and convolutions, which are sums of products.

Read `operations` first, which says what a rule is.
"""

from helpers import rows as r
from helpers.operations import WEIGHT, Value, channel_axis, rule
from helpers.rows import DIVIDED


def _contract(step, ats, at_out):
    """Sums of products, the axes of each factor named by letters as in `einsum`.

    Of two factors that are summed over, one must be made of weights: it carries the shares.
    """
    rows, roles, levels = {}, {}, [x.level for x in step.ins]
    for letter in dict.fromkeys("".join(ats)):
        spans = [(x, at.index(letter)) for x, at in zip(step.ins, ats, strict=True) if letter in at]
        sides = [shape[at.index(letter)] for shape, at in zip(step.shapes, ats, strict=True) if letter in at]
        for (x, i), side in zip(spans, sides, strict=True):
            if not all(sides):
                step.pin(x.rows[i], "it meets a side that is not known")
            elif side != max(sides):
                step.pin(x.rows[i], "its only channel meets many")
        spans = [span for span, side in zip(spans, sides, strict=True) if side == max(sides)]
        row = rows[letter] = step.tie(*(x.rows[i] for x, i in spans))
        each = [x.roles[i] for x, i in spans]
        if letter in at_out:
            roles[letter] = step.product(row, *each) if len(each) == 2 else each[0]
        elif len(each) == 1:
            step.same(row, DIVIDED, each[0])
        elif WEIGHT not in levels:
            step.pin(row, "two things that are computed are multiplied and summed over it")
        else:
            step.total(row, *(each if levels[1] == WEIGHT else each[::-1]), DIVIDED)
    return Value([rows[letter] for letter in at_out], [roles[letter] for letter in at_out], step.level)


@rule("MatMul", "BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def matrices(step):
    names = ("transpose_a", "transpose_b") if step.op.type == "MatMul" else ("adj_x", "adj_y")
    batch, ats = "abcdefgh"[: len(step.out_shapes[0]) - 2], []
    for shape, name, own in zip(step.shapes, names, ("ik", "kj"), strict=True):
        ats.append(batch[len(batch) - len(shape) + 2 :] + (own[::-1] if step.attribute(name) else own))
    return _contract(step, ats, batch + "ij")


@rule("Einsum")
def einsum(step):
    enter, at_out = step.attribute("equation").replace(" ", "").split("->")
    ats = enter.split(",")
    free = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in enter]
    many = [len(shape) - len(at.replace("...", "")) for shape, at in zip(step.shapes, ats, strict=True)]
    letters = "".join(free[: max(many)])  # the axes that `...` stands for
    ats = [at.replace("...", letters[len(letters) - n :]) for at, n in zip(ats, many, strict=True)]
    if len(ats) > 2 or any(len(set(at)) < len(at) for at in ats):
        return None
    return _contract(step, ats, at_out.replace("...", letters))


def _convolved(step, x, kernel, enters, leaves):
    """A convolution whose kernel has what enters and what leaves along these axes; the shapes tell its groups."""
    channel = channel_axis(step, len(x.rows))
    y = step.go_on(x, {channel: channel}, r.Place("it is a position of a convolution"))
    step.go_on(kernel, {enters: enters, leaves: leaves}, r.Natural("it is the size of a kernel"))
    inner, outer = kernel.rows[enters], kernel.rows[leaves]
    groups = r.width(x.rows[channel]) // max(r.width(inner), 1)
    if groups > 1:  # the same channels of each group meet one kernel axis
        count = r.Fixed(groups, step.why(r.Natural("it counts the groups of a convolution")))
        inner = ((count, inner),)
        outer = step.tie(outer, ((count, r.Units(step.out_shapes[0][channel] // groups, step.op.name)),))
    row = step.tie(x.rows[channel], inner)
    if kernel.level != WEIGHT:
        step.pin(row, "the kernel of a convolution is computed")
    step.total(row, x.roles[channel], kernel.roles[enters], DIVIDED)
    y.rows[channel], y.roles[channel] = outer, kernel.roles[leaves]
    return y


@rule("Conv2D", "Conv3D")
def convolve(step):
    rank = len(step.shapes[1])
    return _convolved(step, *step.ins, rank - 2, rank - 1)


@rule("Conv2DBackpropInput", "Conv3DBackpropInputV2")
def convolve_back(step):
    rank = len(step.shapes[1])
    return _convolved(step, step.ins[2], step.ins[1], rank - 1, rank - 2)


@rule("DepthwiseConv2dNative")
def convolve_depthwise(step):
    (x, kernel), channel = step.ins, channel_axis(step, 4)
    y = step.go_on(x, {channel: channel}, r.Place("it is a position of a convolution"))
    step.go_on(kernel, {2: 2, 3: 3}, r.Natural("it is the size of a kernel"))
    row = step.tie(x.rows[channel], kernel.rows[2])
    role = step.product(row, x.roles[channel], kernel.roles[2])
    y.rows[channel] = ((row, kernel.rows[3]),)
    y.roles[channel] = step.same(y.rows[channel], role, kernel.roles[3])
    return y

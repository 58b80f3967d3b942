"""Which weights must be zero for a block to give out what enters it, in the graph that TensorFlow runs.

From what leaves a block one walks back over sums to what enters it, and from what is added there back to the last
weights. Zeros there must be able to learn: nothing behind them may have a slope of 0, and nothing they meet be zero.
"""

import contextlib

import keras
import tensorflow as tf

from helpers import building as bd
from helpers import operations as o
from helpers import reading as rd

# These give zeros where what `_read` names is zero.
NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
QUOTIENTS = ("Div", "DivNoNan", "RealDiv", "Xdivy")
STILL = {*NORMS, *QUOTIENTS} | set(
    "Add AddN AddV2 Asin Asinh Atan AvgPool AvgPool3D BatchToSpaceND BiasAdd BroadcastTo Cast CheckNumerics ConcatV2 "
    "Cumsum DepthToSpace Elu EnsureShape Erf ExpandDims Expm1 GatherV2 Identity IdentityN LeakyRelu Log1p Max MaxPool "
    "MaxPool3D Mean Min MirrorPad Neg Pack Pad PadV2 Reshape ResizeArea ResizeBicubic ResizeBilinear "
    "ResizeNearestNeighbor ReverseV2 Roll SelectV2 Selu Sin Sinh Slice Snapshot Softsign SpaceToBatchND SpaceToDepth "
    "Split SplitV Squeeze StridedSlice Sub Sum Tan Tanh Tile Transpose Unpack".split()
)
FLAT = ("Abs", "Relu", "Relu6", "Sign", "Square", "StopGradient")  # so do these, but with a slope of 0 there
# Behind these, a first small step of weights that are zero is none at all, or is as large as any.
STEEP = ("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual", "Rsqrt", "Sqrt")
# These give zeros where one of their factors is zero.
PRODUCTS = set(
    "BatchMatMul BatchMatMulV2 BatchMatMulV3 Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 "
    "DepthwiseConv2dNative Einsum MatMul Mul MulNoNan".split()
)
SAME = ("Identity", "StopGradient", "Snapshot", "EnsureShape", "Cast", "CheckNumerics")
SUMS = ("AddV2", "Add", "AddN", "BiasAdd", "Sub")
TAILS = ("Relu", "Relu6")  # which applied twice are what they are once


class NoBlock(Exception):
    """What is no residual block, or none that can be the identity."""


class Nearly(NoBlock):
    """What would be one, but for what stands behind its sum or at the end of a branch."""


class NoEnd(Nearly):
    """A branch that no weights at its end make zero."""

    def __init__(self, what):
        super().__init__(f"there is no weight at the end of its branch, but {what}")


class Scaled(NoBlock):
    """What would be one, but for a number that multiplies its sum."""


class Changes(NoBlock):
    """What computes its shortcut too, most often because its shape changes."""


COMPUTED = "it adds nothing that came through unchanged: its shortcut is computed too, as where the shape changes"


class Run:
    """A model as TensorFlow runs it.

    Attributes
    ----------
    graph, calls : tensorflow.Graph, list
        What runs, and (layer or operation of Keras, what enters, what it gives) in the order of the calls, those inside
        others before them.
    trained : set
        The ids of the weights that train, also while they are frozen.
    computed : set
        The ids of the tensors that depend on what enters the model.
    begun : dict
        From the id of a weight to whether it is zero now, as far as that is known.
    """

    def __init__(self, model):
        for length in rd.LENGTHS[:-1]:
            try:
                function, self.calls, *_ = rd.trace(model, None, length)
                break
            except rd.Unread as error:
                first = error
        else:
            raise first
        self.graph, self.begun = function.graph, {}
        self.trained = {id(v) for part in bd.parts(model) for v in part._trainable_variables}
        variables = rd.handles(bd.variables_of(model))
        self._read = {id(inner): variables.get(id(outer)) for outer, inner in self.graph.captures}
        self.at = {op: i for i, op in enumerate(self.graph.get_operations())}
        self.computed = {id(t) for t in self.graph.inputs} - self._read.keys()
        for op in self.at:
            if any(id(t) in self.computed for t in op.inputs):
                self.computed.update(id(t) for t in op.outputs)

    def weight(self, tensor):
        """The weight that is read as a tensor, or None."""
        return self._read.get(id(tensor.op.inputs[0])) if tensor.op.type == "ReadVariableOp" else None

    def steps(self):
        """The operations up to the end of each call, since the end of the one before, with the numbers in them."""
        ops = [op for op in self.at if op.type != "Placeholder"]
        at = {op: i for i, op in enumerate(ops, start=1)}
        found, begin = [], 0
        for *_, outputs in self.calls:
            end = max([begin, *(at.get(t.op, 0) for t in outputs)])
            found.append([(op.type, op.node_def.attr["value"].SerializeToString()) for op in ops[begin:end]])
            begin = end
        return found


class Way:
    """The way back from what leaves a block to what enters it.

    Attributes
    ----------
    run, x, leaving : Run, tensor, tensor
        The model, what enters and what leaves.
    held : set
        The ids of the weights that the block trains.
    least : int
        The bytes of a number that its shortcut must keep.
    """

    def __init__(self, run, x, leaving, held):
        self.run, self.x, self.leaving, self.held = run, source(x), leaving, held
        self.least = min(self.x.dtype.size, leaving.dtype.size)

    def zeros(self, begun=None):
        """The weights that must be zero for the block to be the identity, behind one that gives what leaves it.

        `begun`: from the id of a weight to whether its copy begins as zeros; by default, as the weight is now.
        """
        self.begun = self.run.begun if begun is None else begun
        last = source(self.leaving)  # behind an activation: what enters the copy has been through the like
        return list(self._as_entered(last.op.inputs[0] if tail(last) else self.leaving, {}).values())

    def _as_entered(self, tensor, zeros):
        if tensor is self.x:
            return zeros
        op = tensor.op
        if tensor.dtype.size < self.least:
            raise NoBlock(f"its shortcut is rounded to {tensor.dtype.name}")
        if op.type in SAME and op.inputs[0].dtype.is_floating:
            return self._as_entered(op.inputs[0], zeros)
        if op.type == "Mul" and (found := self._times_one(op, zeros)) is not None:
            return found
        if (whole := scaled(tensor)) is not None:
            self._as_entered(whole, zeros)  # or another reason
            raise Scaled(f"its sum is multiplied by a number, as in a mean, which no zeros can undo ({o.place(op)})")
        if op.type not in SUMS:
            raise _normalized(op) or NoBlock(f"it does not end in a sum, but in {op.type} ({o.place(op)})")
        for i, stream in enumerate(_added(op)):
            try:
                found = self._as_entered(stream, zeros)
                for k, other in enumerate(op.inputs):
                    if k != i:
                        depends = any(tensor is self.x for tensor in behind(other, self.x))
                        if depends or id(other) not in self.run.computed:  # else it may be a shortcut
                            found = self._zero(other, found)
                        if not depends:
                            raise NoBlock("what is added there does not depend on what enters")
                return found
            except NoEnd:  # then `x` was found
                raise
            except NoBlock:
                pass
        raise _normalized(op) or Changes(COMPUTED)

    def _times_one(self, op, zeros):
        """The weights for a product of what enters and a sum of ones and zeros, as in x * (1 + g(x)); None if none."""
        for factor, other in (op.inputs, op.inputs[::-1]):
            last = source(other).op
            for i, one in enumerate(_added(last) if last.type in SUMS else ()):
                known = tf.get_static_value(one) if id(one) not in self.run.computed else None
                if known is None or (known != 1).any():
                    continue
                with contextlib.suppress(NoBlock):
                    found = self._as_entered(factor, zeros)
                    for k, each in enumerate(last.inputs):
                        found = found if k == i else self._zero(each, found)
                    return found
        return None

    def _zero(self, tensor, zeros):
        """The weights that must be zero for `tensor` to be, and can learn; with those that are already."""
        op, read = tensor.op, _read(tensor)
        if tensor is self.x:
            raise NoEnd("what enters it")
        if id(tensor) not in self.run.computed and (known := tf.get_static_value(tensor)) is not None:
            if known.any():
                raise NoEnd(f"a number ({o.place(op)})")
            return zeros
        if op.type == "ReadVariableOp":
            variable = self.run.weight(tensor)
            if variable is None or id(variable) not in self.held:
                raise NoEnd(f"what it does not train, or does not hold ({o.place(op)})")
            return zeros | {id(variable): variable}
        if op.type in PRODUCTS:
            return self._one_zero(op, read, zeros)
        flat = op.type in FLAT or (op.type == "LeakyRelu" and not op.get_attr("alpha"))
        if flat or (op.type in NORMS and self._still(op.inputs[0], zeros)):
            raise _flat(op)
        if not read or op.type not in STILL:
            raise NoEnd(f"{op.type} ({o.place(op)})")
        found = zeros
        for each in read:
            found = self._zero(each, found)
        new = found.keys() - zeros.keys()
        if op.type in QUOTIENTS and self._steep(op.inputs[1], new):
            raise _steep(op)
        weights = any(id(each) not in self.run.computed for each in read)
        if op.type == "SelectV2" and weights and self._steep(op.inputs[0], new):
            raise _flat(op)
        return found

    def _one_zero(self, op, factors, zeros):
        """The weights for a product: those of a factor of weights alone, if there is one that they make zero."""
        refusals = []
        for factor in sorted(factors, key=lambda factor: id(factor) in self.run.computed):
            try:
                found = self._zero(factor, zeros)
            except NoBlock as error:
                refusals.append(error)
                continue
            others = [other for other in factors if other is not factor] or factors[1:]  # none, or the same twice
            new = found.keys() - zeros.keys()
            if any(self._still(other, found) for other in others):
                refusals.append(_flat(op))
            elif any(self._steep(other, new) for other in others):
                refusals.append(_steep(op))
            elif id(factor) not in self.run.computed and any(self._reads(other, new) for other in others):
                refusals.append(
                    NoEnd(f"{op.type} ({o.place(op)}) with what the same weight makes: zeros may never learn")
                )
            else:
                return found
        raise refusals[0]

    def _still(self, tensor, zeros):
        """Whether a tensor is zero where these weights are: then the gradient of what it meets is zero too."""
        still = {}
        for each in sorted(behind(tensor, self.x), key=lambda each: self.run.at[each.op]):
            op, read = each.op, _read(each)
            if each is self.x or not each.dtype.is_floating:
                still[id(each)] = False
            elif (weight := self.run.weight(each)) is not None:
                still[id(each)] = id(weight) in zeros or self._begins_still(weight)
            elif id(each) not in self.run.computed and (known := tf.get_static_value(each)) is not None:
                still[id(each)] = not known.any()
            elif op.type in PRODUCTS:
                still[id(each)] = any(still.get(id(t)) for t in read)
            else:
                keeps = op.type in STILL or op.type in FLAT
                still[id(each)] = keeps and bool(read) and all(still.get(id(t)) for t in read)
        return still[id(tensor)]

    def _begins_still(self, weight):
        """Whether the copy of a weight begins as zeros: by default, as the weight is now. Statistics do not count."""
        if id(weight) not in self.begun:
            self.begun[id(weight)] = id(weight) in self.run.trained and not keras.ops.any(weight)
        return self.begun[id(weight)]

    def _steep(self, tensor, new):
        """Whether what these weights make is compared with something, as in a ReLU with a threshold, or normalized."""
        steep = [t for t in behind(tensor, self.x) if t.op.type in STEEP]
        return any(self._reads(each, new) for each in steep)

    def _reads(self, tensor, weights):
        """Whether a tensor is made with any of these weights."""
        return any(id(self.run.weight(t)) in weights for t in behind(tensor, self.x))


def tail(tensor):
    """The kind of the activation that makes a tensor, if it is one that may stand behind a sum."""
    kind = source(tensor).op.type
    return kind if kind in TAILS else None


def behind(tensor, x):
    """The tensors from whose numbers a tensor is computed, itself and `x` among them, but none that `x` is made of."""
    pending, found = [tensor], {}
    while pending:
        here = pending.pop()
        if id(here) not in found:
            found[id(here)] = here
            if here is not x and here.op.type not in ("Shape", "ShapeN", "Size", "Rank"):
                pending.extend(here.op.inputs)
    return list(found.values())


def source(tensor):
    """Where a tensor is computed that some operations only hand on."""
    while tensor.op.type in SAME and tensor.op.inputs[0].dtype.is_floating:
        tensor = tensor.op.inputs[0]
    return tensor


def scaled(tensor):
    """The sum that a number multiplies or divides to give a tensor, or None."""
    op = source(tensor).op
    if op.type not in ("Mul", *QUOTIENTS):
        return None
    pairs = [op.inputs] if op.type in QUOTIENTS else [op.inputs, op.inputs[::-1]]
    sums = [source(each) for each, number in pairs if tf.get_static_value(number) is not None]
    return next((each for each in sums if each.op.type in SUMS), None)


def _added(op):
    """The terms of a sum, without what a difference takes away."""
    return list(op.inputs)[: 1 if op.type == "Sub" else None]


def _read(tensor):
    """The numbers that must be zero, all or of a product one, for a tensor to be."""
    op = tensor.op
    floats = [each for each in o.entering(op) if each.dtype.is_floating]
    if op.type in NORMS:
        return floats[1:3]  # scale and shift
    if op.type == "IdentityN":  # around a function with a gradient of its own, such as silu
        return [op.inputs[tensor.value_index]]
    return floats[:1] if op.type in QUOTIENTS else floats


def _flat(op):
    """The refusal of what gives zeros zeros with a slope of 0."""
    return NoEnd(f"{op.type} ({o.place(op)}), whose slope at 0 is 0: zeros before it would never learn")


def _steep(op):
    """The refusal of what compares or normalizes what it gives."""
    return NoEnd(
        f"{op.type} ({o.place(op)}), by what is compared or normalized: zeros before it would not learn as others"
    )


def _normalized(op):
    """The refusal of a normalization behind a sum, if an operation is of one."""
    if "norm" in (place := o.place(op)).lower():
        return Nearly(f"a normalization behind the sum would have to be undone, which no weights can ({place})")
    return None

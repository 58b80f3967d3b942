"""Residual blocks: where they stand in a model, and which weights must be zero for one to give out what enters it.

A block gives x + f(x). Where the last weights of f are zero, so is f, and the block is the identity behind anything.
Blocks are found in the graph that TensorFlow runs, whatever its layers are called: from what leaves a block one walks
back over sums to what enters it, and from what is added there back to the last weights.
"""

import contextlib
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from helpers import building as bd
from helpers import operations as o
from helpers import reading as rd

# These give zeros where all numbers that enter are zero.
STILL = set(
    "Add AddN AddV2 Asin Asinh Atan AvgPool AvgPool3D BatchToSpaceND BiasAdd BroadcastTo Cast ConcatV2 Cumsum "
    "DepthToSpace Elu Erf Expm1 ExpandDims GatherV2 Identity LeakyRelu Log1p Max MaxPool MaxPool3D Mean Min MirrorPad "
    "Neg Pack Pad PadV2 Reshape ResizeArea ResizeBicubic ResizeBilinear ResizeNearestNeighbor ReverseV2 Roll SelectV2 "
    "Selu Sin Sinh Slice Snapshot Softsign SpaceToBatchND SpaceToDepth Split SplitV Squeeze StridedSlice "
    "Sub Sum Tan Tanh Tile Transpose Unpack".split()
)
FLAT = ("Abs", "Relu", "Relu6", "Sign", "Square", "StopGradient")  # so do these, but with a slope of 0 there
# Behind these, a first small step of weights that are zero is none at all, or is as large as any.
STEEP = ("Equal", "Greater", "GreaterEqual", "Less", "LessEqual", "NotEqual", "Rsqrt", "Sqrt")
# These give zeros where one of their factors is zero.
PRODUCTS = set(
    "BatchMatMul BatchMatMulV2 BatchMatMulV3 Conv2D Conv2DBackpropInput Conv3D Conv3DBackpropInputV2 "
    "DepthwiseConv2dNative Einsum MatMul Mul MulNoNan".split()
)
QUOTIENTS = ("Div", "DivNoNan", "RealDiv", "Xdivy")
NORMS = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
SAME = ("Identity", "StopGradient", "Snapshot", "EnsureShape", "Cast", "CheckNumerics")
SUMS = ("AddV2", "Add", "AddN", "BiasAdd", "Sub")
TAILS = ("Relu", "Relu6")  # which applied twice are what they are once


class Block(NamedTuple):
    """A residual block of a model."""

    end: Any  # the layer or operation of Keras that gives what leaves it
    names: tuple  # of that, and of the sum
    layers: list  # what it is made of, in the order in which it is called
    zeros: list  # the weights that must be zero
    entering: Any  # Keras' tensors, where the model is a graph of Keras'
    leaving: Any
    nodes: list
    tail: str | None  # the kind of the activation behind the sum, which leaves what has been through the like
    looks: tuple  # what was looked at: `x`, `least` and `held` of `Blocks`, and the tensor that leaves


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


class Blocks:
    """The residual blocks of a model.

    Attributes
    ----------
    calls : list
        The layers and operations of Keras in the order of their calls, those inside others before them.
    run : tuple
        The graph, and the calls in it: what `steps` takes.
    found : dict
        From each layer that ends a block to the block, in this order.
    x, least, held : tensor, int, set
        While a block is looked at: what enters it, the bytes of a number there, and the weights that it trains.
    begun : dict
        From the id of a weight to whether its copy begins as zeros, as far as that is known.
    reasons, near : dict
        Why other layers are none, as `NoBlock`; of these, those that hold layers and nearly are one.
    """

    def __init__(self, model):
        rd.check(model)
        self.model = model
        function, calls = self.traced(model)
        self.graph, self.calls = function.graph, [layer for layer, *_ in calls]
        self.run = self.graph, calls
        self.variables = rd.handles(bd.variables_of(model))
        self.trained = {id(v) for part in bd.parts(model) for v in part._trainable_variables}  # also while it is frozen
        self.read = {id(inner): self.variables.get(id(outer)) for outer, inner in self.graph.captures}
        self.computed, self.begun = self._computed(), {}
        self.at = {op: i for i, op in enumerate(self.graph.get_operations())}
        self.tensors = {}  # layer -> what enters it and what it gives, at each call
        for layer, given, outputs in calls:
            self.tensors.setdefault(layer, []).append((given, outputs))
        inside = bd.is_plain if bd.is_plain(model) else bd.is_graph  # a class of its own makes all that is inside it
        self.nodes = list(_nodes(model, inside)) if bd.is_graph(model) else []
        self.node_of = {node.operation: node for node in self.nodes}
        outer = [each for each in self.node_of if bd.is_plain(model) and not inside(each)]
        self.outer = {id(part): each for each in outer for part in bd.parts(each)[1:]}  # what alone runs others
        self.makers = {id(x): node for node in self.nodes for x in node.outputs}
        self.readers = {}
        for node in self.nodes:
            for x in node.input_tensors:
                self.readers.setdefault(id(x), []).append(node)
        self.found, self.reasons, self.near = {}, {}, {}
        for layer in dict.fromkeys(self.calls):
            try:
                block = self._block(layer)
                self.found[block.end] = block
            except NoBlock as error:
                self.reasons[layer] = error
                if isinstance(error, Nearly) and len(bd.parts(layer)) > 1 and layer is not model:
                    self.near[layer] = error
        self._leave_inner()

    def _leave_inner(self):
        """Take out what is inside a block, and is repeated with it, or inside a layer that has no place for others."""
        blocks = [(layer, block) for block in self.found.values() for layer in block.layers if not bd.is_plain(layer)]
        within = {id(part): block.end for layer, block in blocks for part in bd.parts(layer)[1:]}
        for end in list(self.found):
            if (block := within.get(id(end))) is not None:
                self.reasons[end] = NoBlock(f"it is inside block {block.name!r}, with which it is repeated")
            elif (outer := self.outer.get(id(end))) is not None:
                alone = "; let that grow by itself, and build a model with it" if bd.is_graph(outer) else ""
                self.near[end] = self.reasons[end] = Nearly(
                    f"it runs inside {outer.name!r}, which has no place for others{alone}"
                )
            else:
                continue
            del self.found[end]

    def runs(self):
        """The blocks to repeat: those that take turns, such as attention and dense layers, are joined to one.

        A chain, in which each block directly follows another, is cut into the shortest runs that it repeats, by the
        classes of their layers. Blocks stay alone where one ends in an activation that the last of the run has not.
        """
        chains = {}
        for block in self.found.values():
            chain = chains.pop(id(block.entering), []) if block.nodes else []
            chains[id(block.leaving) if block.nodes else id(block.end)] = [*chain, block]
        for chain in chains.values():
            kinds = [[type(layer) for layer in block.layers] for block in chain]
            size = next(n for n in range(1, len(chain) + 1) if kinds[n:] == kinds[:-n])
            for run in (chain[i : i + size] for i in range(0, len(chain), size)):
                whole = all(block.tail in (None, run[-1].tail) for block in run)
                yield from [_joined(run)] if whole else run

    def left(self):
        """What gives a sum of its own and is no block, the largest such layers: {layer: `NoBlock`}."""
        covered = {id(part) for block in self.found.values() for layer in block.layers for part in bd.parts(layer)}
        left = {}
        for layer, why in reversed(self.reasons.items()):  # the calls of what holds others come after theirs
            parts = {id(part) for part in bd.parts(layer)}
            whole = layer is not self.model and not bd.is_plain(layer) and not parts & covered
            if whole and (layer in self.near or self._adds(layer)):
                left[layer] = why
                covered |= parts
        return dict(reversed(left.items()))

    def _adds(self, layer):
        """Whether a layer gives a sum of numbers that are all computed from those that enter it."""
        given, outputs = self.tensors[layer][0]
        floats = [x for x in given if x.dtype.is_floating]
        if len(floats) < 2 and len(bd.parts(layer)) < 2:
            return False
        lasts = [_source(_source(output).op.inputs[0] if _tail(output) else output) for output in outputs]
        lasts = [last if (whole := self._scaled(last)) is None else whole for last in lasts]
        return any(
            last.op.type in SUMS
            and all(any(x is t for x in floats for t in _behind_it(each, x)) for each in last.op.inputs)
            for last in lasts
        )

    @staticmethod
    def traced(model):
        """A model's function, and the calls of its layers."""
        for length in rd.LENGTHS[:-1]:
            try:
                return rd.trace(model, None, length)[:2]
            except rd.Unread as error:
                first = error
        raise first

    def _computed(self):
        """The tensors that depend on what enters the model, by id."""
        captured = {id(inner) for _, inner in self.graph.captures}
        found = {id(t) for t in self.graph.inputs} - captured
        for op in self.graph.get_operations():
            if any(id(t) in found for t in op.inputs):
                found.update(id(t) for t in op.outputs)
        return found

    def _block(self, layer):
        """The block that a layer ends, the activation behind a sum included."""
        (given, outputs), *more = self.tensors[layer]
        if layer is self.model or bd.is_plain(layer):
            raise NoBlock("it is a model")
        if more:
            raise NoBlock("it is called several times")
        if len(outputs) != 1:
            raise NoBlock(
                f"it gives {len(outputs)} tensors, and others read them; a block gives one, x + f(x), which zeros can "
                "make what enters it"
            )
        node = self.node_of.get(layer)
        entering = _entering(node) if node is not None else [None] * len(given)
        choices = []
        why = NoBlock(f"it gives no sum of what enters it and something else ({type(layer).__name__})")
        for x, tensor in zip(entering, given, strict=False):
            if not tensor.dtype.is_floating:
                continue
            if tensor.shape != outputs[0].shape:
                sides = f"from {tensor.shape[1:]} to {outputs[0].shape[1:]}"
                why = Changes(f"its shape changes {sides}, so that none can follow it")
                continue
            nodes = self._between(x, node) if node is not None else []
            layers = [each.operation for each in nodes] or [layer]
            self.x, self.least = _source(tensor), min(_source(tensor).dtype.size, outputs[0].dtype.size)
            held = [self.outer[id(layer)]] if id(layer) in self.outer else layers
            self.held = self.trained & {id(v) for each in held for v in bd.variables_of(each)}
            try:
                zeros = self._identity(outputs[0])
                looks = ((self.x, self.least, self.held, outputs[0]),)
            except NoBlock as error:
                why = why if isinstance(why, (Nearly, Scaled)) else error
                continue
            if zeros:
                leaving = node.outputs[0] if node is not None else None
                block = Block(layer, (layer.name,), layers, zeros, x, leaving, nodes, _tail(outputs[0]), looks)
                choices.append(self._with_tail(block))
        if not choices:
            raise why
        return max(choices, key=lambda block: len(block.layers))

    def _with_tail(self, block):
        """The block with the activation behind its sum."""
        readers = self.readers.get(id(block.leaving), [])
        if len(readers) != 1 or len(calls := self.tensors.get(readers[0].operation, ())) != 1:
            return block
        (node,), ((given, outputs),) = readers, calls
        last = _source(outputs[0])
        if len(given) > 1 or len(outputs) > 1 or not _tail(last) or _source(last.op.inputs[0]) is not _source(given[0]):
            return block
        end = node.operation
        return block._replace(
            end=end,
            names=(end.name, *block.names),
            layers=[*block.layers, end],
            leaving=node.outputs[0],
            nodes=[*block.nodes, node],
            tail=last.op.type,
        )

    def _between(self, x, last):
        """Keras' calls on the ways from a tensor to a call, in order."""
        meets, pending, ways = set(), [last], {}
        while pending:  # all that the call depends on, behind `x`
            node = pending.pop()
            for tensor in node.input_tensors:
                if tensor is not x and (maker := self.makers.get(id(tensor))) is not None and id(maker) not in ways:
                    ways[id(maker)] = maker
                    pending.append(maker)
        ways[id(last)] = last
        order = [node for node in self.nodes if id(node) in ways]
        for node in order:
            if any(tensor is x or id(tensor) in meets for tensor in node.input_tensors):
                meets.update(id(tensor) for tensor in node.outputs)
        return [node for node in order if any(id(tensor) in meets for tensor in node.outputs)]

    def begins(self, block, begun):
        """The block with the zeros that it needs where its weights begin so: {id: whether as zeros}."""
        zeros, self.begun = [], begun
        for self.x, self.least, self.held, tensor in block.looks:
            zeros += self._identity(tensor)
        return block._replace(zeros=zeros)

    # In TensorFlow's graph

    def _identity(self, tensor):
        """The weights that must be zero for `tensor` to be `x`, in a block behind one that gives such a tensor."""
        if _tail(tensor):  # then what enters the copy has been through the like
            tensor = _source(tensor).op.inputs[0]
        return list(self._as_entered(tensor, {}).values())

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
        if (whole := self._scaled(tensor)) is not None:
            self._as_entered(whole, zeros)  # or another reason
            raise Scaled(f"its sum is multiplied by a number, as in a mean, which no zeros can undo ({o.place(op)})")
        if op.type not in SUMS:
            raise _behind(op) or NoBlock(f"it does not end in a sum, but in {op.type} ({o.place(op)})")
        for i, stream in enumerate(list(op.inputs)[: 1 if op.type == "Sub" else None]):
            try:
                found = self._as_entered(stream, zeros)
                for k, other in enumerate(op.inputs):
                    if k != i:
                        depends = any(tensor is self.x for tensor in _behind_it(other, self.x))
                        if depends or id(other) not in self.computed:  # else it may be a shortcut
                            found = self._zero(other, found)
                        if not depends:
                            raise NoBlock("what is added there does not depend on what enters")
                return found
            except NoEnd:  # then `x` was found
                raise
            except NoBlock:
                pass
        raise _behind(op) or Changes(COMPUTED)

    def _times_one(self, op, zeros):
        """The weights for a product of what enters and a sum of ones and zeros, as in x * (1 + g(x)); None if none."""
        for factor, other in (op.inputs, op.inputs[::-1]):
            last = _source(other).op
            for i, one in enumerate(
                list(last.inputs)[: 1 if last.type == "Sub" else None] if last.type in SUMS else ()
            ):
                known = tf.get_static_value(one) if id(one) not in self.computed else None
                if known is None or (known != 1).any():
                    continue
                with contextlib.suppress(NoBlock):
                    found = self._as_entered(factor, zeros)
                    for k, each in enumerate(last.inputs):
                        found = found if k == i else self._zero(each, found)
                    return found
        return None

    def _scaled(self, tensor):
        """The sum that a number multiplies or divides to give a tensor, or None."""
        op = _source(tensor).op
        if op.type not in ("Mul", *QUOTIENTS):
            return None
        pairs = [op.inputs] if op.type in QUOTIENTS else [op.inputs, op.inputs[::-1]]
        sums = [_source(each) for each, number in pairs if tf.get_static_value(number) is not None]
        return next((each for each in sums if each.op.type in SUMS), None)

    def _weight(self, tensor):
        """The weight that is read as a tensor, or None."""
        return self.read.get(id(tensor.op.inputs[0])) if tensor.op.type == "ReadVariableOp" else None

    def _zero(self, tensor, zeros):
        """The weights that must be zero for `tensor` to be, and can learn; with those that are already."""
        op = tensor.op
        floats = [t for t in o.entering(op) if t.dtype.is_floating]
        if tensor is self.x:
            raise NoEnd("what enters it")
        if id(tensor) not in self.computed and (known := tf.get_static_value(tensor)) is not None:
            if known.any():
                raise NoEnd(f"a number ({o.place(op)})")
            return zeros
        if op.type == "ReadVariableOp":
            variable = self._weight(tensor)
            if variable is None or id(variable) not in self.held:
                raise NoEnd(f"what it does not train, or does not hold ({o.place(op)})")
            return zeros | {id(variable): variable}
        if op.type in NORMS:
            if self._still(floats[0], zeros):
                raise _flat(op)
            floats = floats[1:3]  # scale and shift
        elif op.type in QUOTIENTS:
            floats = floats[:1]
        elif op.type in PRODUCTS:
            return self._one_zero(op, floats, zeros)
        elif op.type == "IdentityN":  # around a function with a gradient of its own, such as silu
            floats = [op.inputs[tensor.value_index]]
        elif not floats or (op.type not in STILL and op.type not in FLAT):
            raise NoEnd(f"{op.type} ({o.place(op)})")
        elif op.type in FLAT:
            raise _flat(op)
        found = zeros
        for each in floats:
            found = self._zero(each, found)
        new = found.keys() - zeros.keys()
        if op.type in QUOTIENTS and self._steep(op.inputs[1], new):
            raise _steep(op)
        if op.type == "SelectV2" and self._steep(op.inputs[0], new) and any(id(t) not in self.computed for t in floats):
            raise _flat(op)
        return found

    def _one_zero(self, op, factors, zeros):
        """The weights for a product: those of a factor of weights alone, if there is one that they make zero."""
        refusals = []
        for factor in sorted(factors, key=lambda factor: id(factor) in self.computed):
            try:
                found = self._zero(factor, zeros)
            except NoBlock as error:
                refusals.append(error)
                continue
            others = [other for other in factors if other is not factor] or [factor]
            new = found.keys() - zeros.keys()
            if any(self._still(other, found) for other in others):
                refusals.append(_flat(op))
            elif any(self._steep(other, new) for other in others):
                refusals.append(_steep(op))
            elif id(factor) not in self.computed and any(self._reads(other, new) for other in others):
                refusals.append(
                    NoEnd(f"{op.type} ({o.place(op)}) with what the same weight makes: zeros may never learn")
                )
            else:
                return found
        raise refusals[0]

    def _still(self, tensor, zeros):
        """Whether a tensor is zero where these weights are: then the gradient of what it meets is zero too."""
        still = {}
        for each in sorted(_behind_it(tensor, self.x), key=lambda each: self.at[each.op]):
            op, floats = each.op, [t for t in o.entering(each.op) if t.dtype.is_floating]
            if each is self.x or not each.dtype.is_floating:
                still[id(each)] = False
            elif (weight := self._weight(each)) is not None:
                still[id(each)] = id(weight) in zeros or self._begins_still(weight)
            elif id(each) not in self.computed and (known := tf.get_static_value(each)) is not None:
                still[id(each)] = not known.any()
            elif op.type in PRODUCTS:
                still[id(each)] = any(still.get(id(t)) for t in floats)
            else:
                floats = floats[1:3] if op.type in NORMS else floats[:1] if op.type in QUOTIENTS else floats
                floats = [op.inputs[each.value_index]] if op.type == "IdentityN" else floats
                keeps = op.type in (*STILL, *FLAT, *SAME, *NORMS, *QUOTIENTS, "IdentityN")
                still[id(each)] = keeps and bool(floats) and all(still.get(id(t)) for t in floats)
        return still[id(tensor)]

    def _begins_still(self, weight):
        """Whether the copy of a weight begins as zeros: by default, as the weight is now. Statistics do not count."""
        if id(weight) not in self.begun:
            self.begun[id(weight)] = id(weight) in self.trained and not keras.ops.any(weight)
        return self.begun[id(weight)]

    def _steep(self, tensor, new):
        """Whether what these weights make is compared with something, as in a ReLU with a threshold, or normalized."""
        steep = [t for t in _behind_it(tensor, self.x) if t.op.type in STEEP]
        return any(self._reads(each, new) for each in steep)

    def _reads(self, tensor, weights):
        """Whether a tensor is made with any of these weights."""
        return any(id(self._weight(t)) in weights for t in _behind_it(tensor, self.x))


def _flat(op):
    """The refusal of what gives zeros zeros with a slope of 0."""
    return NoEnd(f"{op.type} ({o.place(op)}), whose slope at 0 is 0: zeros before it would never learn")


def _steep(op):
    """The refusal of what compares or normalizes what it gives."""
    return NoEnd(
        f"{op.type} ({o.place(op)}), by what is compared or normalized: zeros before it would not learn as others"
    )


def _joined(blocks):
    """Blocks that follow one another as one block."""
    parts = {
        name: [each for b in blocks for each in getattr(b, name)] for name in ("layers", "zeros", "nodes", "looks")
    }
    return blocks[-1]._replace(entering=blocks[0].entering, **parts)


def _tail(tensor):
    """The kind of the activation that makes a tensor, if it is one that may stand behind a sum."""
    kind = _source(tensor).op.type
    return kind if kind in TAILS else None


def _behind(op):
    """The refusal of a normalization behind a sum, if an operation is of one."""
    if "norm" in (place := o.place(op)).lower():
        return Nearly(f"a normalization behind the sum would have to be undone, which no weights can ({place})")
    return None


def _behind_it(tensor, x):
    """The tensors from whose numbers a tensor is computed, itself and `x` among them, but none that `x` is made of."""
    pending, found = [tensor], {}
    while pending:
        here = pending.pop()
        if id(here) not in found:
            found[id(here)] = here
            if here is not x and here.op.type not in ("Shape", "ShapeN", "Size", "Rank"):
                pending.extend(here.op.inputs)
    return list(found.values())


def _source(tensor):
    """Where a tensor is computed that some operations only hand on."""
    while tensor.op.type in SAME and tensor.op.inputs[0].dtype.is_floating:
        tensor = tensor.op.inputs[0]
    return tensor


def _entering(node):
    """Keras' tensors that enter a call, without masks that are named, as TensorFlow's are noted."""
    kwargs = {name: value for name, value in node.arguments.kwargs.items() if "mask" not in name}
    return [x for x in keras.tree.flatten((node.arguments.args, kwargs)) if isinstance(x, keras.KerasTensor)]


def steps(graph, calls):
    """The operations up to the end of each call, since the end of the one before, with the numbers in them."""
    ops = [op for op in graph.get_operations() if op.type != "Placeholder"]
    at = {op: i for i, op in enumerate(ops, start=1)}
    found, begin = [], 0
    for *_, outputs in calls:
        end = max([begin, *(at.get(t.op, 0) for t in outputs)])
        found.append([(op.type, op.node_def.attr["value"].SerializeToString()) for op in ops[begin:end]])
        begin = end
    return found


def _nodes(model, inside):
    """Keras' calls in a model, and in those graphs inside it that belong to the same whole."""
    for node in bd.nodes_of(model):
        yield node
        if inside(node.operation):
            yield from _nodes(node.operation, inside)

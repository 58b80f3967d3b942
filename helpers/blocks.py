"""Residual blocks: where they stand in a model.

A block gives x + f(x). Where the last weights of f are zero, so is f, and the block is the identity behind anything.
Blocks are found in the graph that TensorFlow runs, whatever its layers are called; `zeros` says which weights are last.
"""

from typing import Any, NamedTuple

import keras

from helpers import building as bd
from helpers import reading as rd
from helpers.zeros import SUMS, Changes, Nearly, NoBlock, Run, Scaled, Way, behind, scaled, source, tail


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
    ways: list  # `zeros.Way` of each sum, from what leaves to what enters

    def begins(self, begun):
        """The block with the zeros that it needs where its weights begin so: {id: whether as zeros}."""
        return self._replace(zeros=[weight for way in self.ways for weight in way.zeros(begun)])


class Blocks:
    """The residual blocks of a model.

    Attributes
    ----------
    run : zeros.Run
        The model as TensorFlow runs it.
    calls : list
        The layers and operations of Keras in the order of their calls, those inside others before them.
    found : dict
        From each layer that ends a block to the block, in this order.
    reasons, near : dict
        Why other layers are none, as `NoBlock`; of these, those that hold layers and nearly are one.
    """

    def __init__(self, model):
        rd.check(model)
        self.model = model
        self.run = Run(model)
        self.calls = [layer for layer, *_ in self.run.calls]
        self.tensors = {}  # layer -> what enters it and what it gives, at each call
        for layer, given, outputs in self.run.calls:
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
        classes of their layers. Blocks stay alone where one ends in an activation that the last of the run has not, or
        where two call the same layer: zeros of one might keep those of the other from learning.
        """
        chains = {}
        for block in self.found.values():
            chain = chains.pop(id(block.entering), []) if block.nodes else []
            chains[id(block.leaving) if block.nodes else id(block.end)] = [*chain, block]
        for chain in chains.values():
            kinds = [[type(layer) for layer in block.layers] for block in chain]
            size = next(n for n in range(1, len(chain) + 1) if kinds[n:] == kinds[:-n])
            for run in (chain[i : i + size] for i in range(0, len(chain), size)):
                layers = [layer for block in run for layer in set(block.layers)]
                apart = len(set(layers)) == len(layers)
                whole = apart and all(block.tail in (None, run[-1].tail) for block in run)
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
        lasts = [source(source(output).op.inputs[0] if tail(output) else output) for output in outputs]
        lasts = [last if (whole := scaled(last)) is None else whole for last in lasts]
        return any(
            last.op.type in SUMS
            and all(any(x is t for x in floats for t in behind(each, x)) for each in last.op.inputs)
            for last in lasts
        )

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
            held = [self.outer[id(layer)]] if id(layer) in self.outer else layers
            held = self.run.trained & {id(v) for each in held for v in bd.variables_of(each)}
            way = Way(self.run, tensor, outputs[0], held)
            try:
                zeros = way.zeros()
            except NoBlock as error:
                why = why if isinstance(why, (Nearly, Scaled)) else error
                continue
            if zeros:
                leaving = node.outputs[0] if node is not None else None
                block = Block(layer, (layer.name,), layers, zeros, x, leaving, nodes, tail(outputs[0]), [way])
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
        last = source(outputs[0])
        alone = len(given) == len(outputs) == 1
        if not alone or not tail(last) or source(last.op.inputs[0]) is not source(given[0]):
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


def _joined(blocks):
    """Blocks that follow one another as one block."""
    parts = {name: [each for b in blocks for each in getattr(b, name)] for name in ("layers", "zeros", "nodes", "ways")}
    return blocks[-1]._replace(entering=blocks[0].entering, **parts)


def _entering(node):
    """Keras' tensors that enter a call, without masks that are named, as TensorFlow's are noted."""
    kwargs = {name: value for name, value in node.arguments.kwargs.items() if "mask" not in name}
    return [x for x in keras.tree.flatten((node.arguments.args, kwargs)) if isinstance(x, keras.KerasTensor)]


def _nodes(model, inside):
    """Keras' calls in a model, and in those graphs inside it that belong to the same whole."""
    for node in bd.nodes_of(model):
        yield node
        if inside(node.operation):
            yield from _nodes(node.operation, inside)

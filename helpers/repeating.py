"""A residual block once more behind itself: as a copy, or with fresh weights, that begins as the identity."""

import contextlib
import random
from collections import Counter
from typing import NamedTuple

import keras
from keras import layers as kl

from helpers import blocks as b
from helpers import building as bd
from helpers import classes
from helpers import settings as st
from helpers.checks import Net2NetError
from helpers.zeros import NoBlock, Run

INITS = ("net2deeper", "fresh", "stacking", "randominit")
EXACT = ("net2deeper", "fresh")
DRAWN = ("fresh", "randominit")


class Repeat(NamedTuple):
    """A block's copy behind it, in a model that is a graph of Keras'."""

    block: b.Block
    copies: dict  # from each layer and operation of the block to its copy

    @property
    def layers(self):
        """The new layers."""
        return [copy for copy in self.copies.values() if isinstance(copy, kl.Layer)]

    def run(self, tensors, x):
        """What the copy makes of what leaves the block; `tensors` are the student's, by the ids of the teacher's."""
        inside = tensors | {id(self.block.entering): x}
        for node in self.block.nodes:
            args, kwargs = node.arguments.fill_in(inside)
            outputs = self.copies[node.operation](*args, **kwargs)
            inside.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
        return inside[id(self.block.leaving)]


@contextlib.contextmanager
def drawing(rng):
    """Let initializers without a seed, which take one from Python's random numbers, draw by `rng`."""
    state = random.getstate()
    random.seed(int(rng.integers(2**31)))
    try:
        yield
    finally:
        random.setstate(state)


def repeat(block, init, rng, name):
    """The copy of a block; `name` gives the name of each new layer from that of the old one."""
    copies = {}
    with drawing(rng):
        for layer in block.layers:
            if layer in copies:
                continue
            if bd.is_plain(layer):
                copies[layer] = bd.Builder(layer).build()
                copies[layer].name = name(layer)
                continue
            settings = bd.settings_of(layer) | {"name": name(layer), "trainable": True}
            # With LoRA, the kernel that begins as zeros would stay frozen: a copy has one that learns, and no LoRA.
            settings = {key: value for key, value in settings.items() if not key.startswith("lora")}
            if init in DRAWN:
                settings = {key: _undrawn(value) for key, value in settings.items()}
            copies[layer] = bd.rebuilt(layer, settings, draw=init in DRAWN)
    return Repeat(block, copies)


def _undrawn(value):
    """An initializer that has not drawn its seed yet; other settings as they are."""
    draws = isinstance(value, keras.initializers.Initializer) and "seed" in value.get_config()
    return value.clone() if draws else value


def begin(pairs, zeros, init):
    """Give the copies of a block's layers, as (old, copy), the weights that they begin with."""
    zeros = {id(v) for v in zeros}
    for old, new in pairs:
        for weight, its in _pairs(old, new):
            if id(weight) in zeros and init in EXACT:
                its.assign(keras.ops.zeros_like(its))
            elif init not in DRAWN:
                its.assign(weight if _whole(old, new) else _merged(old, weight))
        for part in bd.parts(new):
            vars(part).pop("add_weight", None)
        bd.settle(new)


def stack(blocks, places):
    """Let the blocks follow one another twice, as the same sequence: a baseline that does not keep the function.

    `places` has for each block its layers in the student, and those of its copy behind. Returns the weights that are
    where their blocks came first: pairs of a student's and a teacher's.
    """
    runs = {}
    for block, both in zip(blocks, places, strict=True):
        runs.setdefault(_shapes(block.layers), []).append((block, both))
    first = []
    for run in runs.values():
        row = [place for _, both in run for place in both]
        for i, place in enumerate(row):
            source = run[i % len(run)][0].layers
            begin(zip(source, place, strict=True), (), "stacking")
            if i < len(run):
                first += [(new, old) for a, c in zip(source, place, strict=True) for old, new in _pairs(a, c)]
    return first


def _shapes(layers):
    return tuple(tuple(v.shape) for layer in layers for v in _weights(layer))


class Class:
    """A model of a class with settings of its own, which is made again with more blocks."""

    def __init__(self, blocks):
        self.blocks, self.model = blocks, blocks.model
        self.settings = bd.settings_of(self.model)
        self.found = {}  # shapes of a block's weights -> the path of the setting that counts such blocks

    def deeper(self, chosen, init, rng):
        """The student, its weights that the teacher has too, {id: the teacher's}, and the blocks with their zeros."""
        count = Counter(self._setting(block) for block in chosen)
        values = dict(st.integers(self.settings))
        settings = st.replaced(self.settings, {path: values[path] + n for path, n in count.items()})
        with drawing(rng):
            student = bd.rebuilt(self.model, settings, draw=init in DRAWN)
            bd.build_like(self.model, student)
        at, places = self._order(chosen)
        order = [(self.blocks.calls[k], block) for k, block in at]
        run = Run(student)
        calls = run.calls
        if [_kind(old) for old, _ in order] != [_kind(layer) for layer, *_ in calls]:
            raise Net2NetError(
                f"after: {type(self.model).__name__} {self.model.name!r}, made with "
                f"{', '.join(f'{path[-1]}={values[path] + n}' for path, n in count.items())}, runs other layers than "
                "its teacher with these blocks repeated"
            )
        ours, theirs = (each.steps() if init in EXACT else () for each in (self.blocks.run, run))
        for (k, block), its in zip(at, theirs, strict=False):
            if block is None and its != ours[k]:
                raise Net2NetError(
                    f"after: layer {self._outer(k)!r} would compute something else behind more blocks, as "
                    f"where {type(self.model).__name__} lets kinds of attention alternate; name only later blocks"
                )
        news = [layer for layer, *_ in calls]
        origin = {}
        whole = [len(_weights(old)) == len(_weights(new)) for (old, _), new in zip(order, news, strict=True)]
        for (old, block), new, fits in reversed(list(zip(order, news, whole, strict=True))):  # the outer ones first
            if block is None and isinstance(old, kl.Layer):
                new.trainable = old.trainable
            if block is None and fits:  # else it holds blocks, whose layers are filled by themselves
                begin([(old, new)], (), "net2deeper")
                origin |= {id(its): weight for weight, its in zip(_weights(old), _weights(new), strict=True)}
        begun = {}
        for block in chosen:
            pairs = [(old, new) for (old, its), new in zip(order, news, strict=True) if its is block]
            begun[block.end] = as_begun(block, pairs, init)
            begin(pairs, begun[block.end].zeros, init)
        if init == "stacking":
            both = [tuple([news[i] for i in place] for place in pair) for pair in places]
            origin = dict(origin) | {id(new): old for new, old in stack(chosen, both)}
        known = {id(v) for new, fits in zip(news, whole, strict=True) if fits for v in _weights(new)}
        if left := [v.path for v in student.weights if id(v) not in known]:
            raise Net2NetError(f"after: weight {left[0]!r} of {self.model.name!r} belongs to no layer that is called")
        return student, origin, list(begun.values())

    def _outer(self, k):
        """The name of the layer of the model in which a call runs: that which holds others is called after them."""
        call = self.blocks.calls[k]
        rest = [layer for layer in self.blocks.calls[k:] if layer is not self.model and not bd.is_plain(layer)]
        holders = [layer for layer in rest if any(part is call for part in bd.parts(layer))]
        return max(holders, key=lambda layer: len(bd.parts(layer)), default=call).name

    def _order(self, chosen):
        """The student's calls, as (number of the teacher's, block that it copies), and where blocks and copies are."""
        at = {id(layer): [] for layer in self.blocks.calls}
        for i, layer in enumerate(self.blocks.calls):
            at[id(layer)].append(i)
        runs = {}
        for block in chosen:
            inside = {id(part) for layer in block.layers for part in (bd.parts(layer) or [layer])}
            run = sorted(i for key in inside for i in at.get(key, ()))
            if run != list(range(run[0], run[-1] + 1)):
                raise Net2NetError(f"after: other layers run between those of block {block.end.name!r}")
            runs[run[-1]] = block, run
        order, places = [], []
        for i in range(len(self.blocks.calls)):
            order.append((i, None))
            if i in runs:
                block, run = runs[i]
                here = len(order) - len(run)
                order += [(k, block) for k in run]
                rows = [[self.blocks.calls[k] for k in run].index(layer) for layer in block.layers]
                places.append(([here + k for k in rows], [here + len(run) + k for k in rows]))
        return order, places

    def _setting(self, block):
        """The path of the setting that counts blocks such as this one."""
        shapes = _shapes(block.layers)
        if shapes not in self.found:
            alike = sum(_shapes(each.layers) == shapes for each in self.blocks.found.values())
            wanted = Counter(tuple(v.shape) for v in bd.variables_of(self.model)) + Counter(
                tuple(v.shape) for layer in block.layers for v in bd.variables_of(layer)
            )
            options = sorted(st.integers(self.settings), key=lambda option: option[1] != alike)
            for path, value in options:
                changed = st.replaced(self.settings, {path: value + 1})
                found = classes.shapes_with(self.model, changed)
                if found is not None and Counter(each.shape for each in found) == wanted:
                    self.found[shapes] = path
                    break
            else:
                if adapted := bd.adapted(self.model):
                    raise Net2NetError(
                        f"after: layer {adapted[0]!r} of {type(self.model).__name__} {self.model.name!r} has LoRA, "
                        f"which no setting of the model tells{bd.MERGE}"
                    )
                raise Net2NetError(
                    f"after: no setting of {type(self.model).__name__} {self.model.name!r} adds one block such as "
                    f"{block.end.name!r}; build the deeper model yourself, or use keras.Model(model.inputs, "
                    "model.outputs)"
                )
        return self.found[shapes]


def _weights(layer):
    return getattr(layer, "weights", ())


def _whole(old, new):
    """Whether a copy has all weights of a layer, those of LoRA too."""
    return len(_weights(old)) == len(_weights(new))


def _pairs(old, new):
    """The weights of a layer and of its copy, which has no LoRA where `repeat` made it."""
    olds = [weight for weight in _weights(old) if _whole(old, new) or not weight.name.startswith("lora")]
    return list(zip(olds, _weights(new), strict=True))


def _merged(layer, weight):
    """A weight of a layer, with what its LoRA adds to it."""
    key = next((key for key in ("kernel", "embeddings") if getattr(layer, f"_{key}", None) is weight), None)
    return weight if key is None else getattr(layer, key)


def as_begun(block, pairs, init):
    """A block with the zeros that its copy needs, where fresh weights begin as they were drawn."""
    if init != "fresh":
        return block
    begun = {id(weight): not keras.ops.any(its) for old, new in pairs for weight, its in _pairs(old, new)}
    try:
        return block.begins(begun)
    except NoBlock as error:
        raise Net2NetError(
            f"init: 'fresh' cannot be used for block {block.names[0]!r}, whose new weights are zeros where they would "
            f"have to let others learn: {error}; use init='net2deeper', which copies its weights"
        ) from None


def _kind(layer):
    """What must be alike of two layers that do the same: their class, and the shapes of their own weights."""
    inside = {id(v) for part in bd.parts(layer)[1:] for v in part.weights}
    return type(layer), [tuple(v.shape) for v in _weights(layer) if id(v) not in inside]

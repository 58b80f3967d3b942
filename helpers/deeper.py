"""Model in, model out: deeper students of a trained Keras model, whose new layers or blocks begin as the identity."""

import warnings
from typing import Any

import keras
import numpy as np
from keras import layers as kl

from helpers import blocks as bl
from helpers import building as bd
from helpers import identities, places, proof, repeating, training
from helpers import reading as rd
from helpers.checks import Net2NetError, check_choice, check_width, generator
from helpers.identities import KINDS, ParametricActivation, ResidualBlock
from helpers.proof import function_gap
from helpers.report import GROWN, Deepened, Deepening, Left
from helpers.zeros import Changes

__all__ = ["ParametricActivation", "ResidualBlock", "function_gap", "net2deeper_net"]


def net2deeper_net(
    teacher: keras.Model,
    after: str | list[str] | None = None,
    *,
    init: str = "net2deeper",
    activation: str = "first",
    kernel_size: int | tuple[int, ...] | None = None,
    batch_norm: bool = False,
    x: Any = None,
    seed: int | None = None,
    optimizer: str = "carry",
) -> keras.Model:
    """Build a deeper student that computes the same function.

    What comes behind a layer begins as the identity, and is trainable even where the layer is frozen:

    - behind a residual block, x + f(x), a copy of it whose last weights are zero;
    - behind a Dense or convolution a layer of its kind, called ``NAME_deeper``, with the same activation. Where batch
      normalization or an activation stand as layers of their own behind it, the new layer goes behind them;
    - behind any other layer a `ResidualBlock`; with init="fresh" also behind one that would be a block, but for a
      normalization behind its sum or what is at its end.

    Parameters
    ----------
    teacher : keras.Model
        A built model. In one of a class with settings of its own, blocks alone can come, if a setting counts them. It
        is not changed.
    after : str, list of str, or None
        Names of layers; of a block the layer that is one, or the sum that ends it. "blocks": all residual blocks, those
        that take turns, such as attention and dense layers of a Transformer, together. None: all blocks; where there
        are none, all Dense and convolution layers that allow it.
    init : {"net2deeper", "fresh", "stacking", "randominit"}
        "net2deeper" and "fresh" keep the function; blocks are copies, or have fresh weights, and end in zeros. Two
        baselines do not: "stacking" lets the blocks follow one another twice; "randominit" draws all new weights.
    activation : {"first", "same", "parametric", "linear"}
        Of new layers behind Dense and convolutions. "same": the named layer's, which must be idempotent. "parametric":
        a `ParametricActivation`, which starts as none and can become the named layer's. "linear": none. "first": the
        first of these that is exact.
    kernel_size : int or tuple of int, optional
        Size of new convolutions' kernels; by default that of the layer before.
    batch_norm : bool
        Put batch normalization behind each new layer, before its activation. It starts by undoing what it does: its
        statistics come from a forward pass over `x`, its scale and shift are their inverse. Blocks have their own.
    x : array, or list of arrays
        Inputs of the teacher, for `batch_norm`.
    seed : int, optional
        Fixes all draws.
    optimizer : {"carry", "fresh"}
        "carry" gives the student's optimizer what the teacher's has gathered; new layers begin as in `net2wider_net`.

    Returns
    -------
    keras.Model
        The student, compiled as the teacher is. `growth` tells what is new, and what has nothing new behind it and why.

    Raises
    ------
    Net2NetError
        If a name is unknown; if a block changes its shape, gives several tensors, is normalized behind its sum, or has
        no weight at the end of a branch; if a layer is quantized, has its channels first, or is the output; if its
        activation f is not idempotent where "same" is asked for, that is f(f(v)) differs from f(v) for some v, or
        overflows where "parametric" would blend with it; if `batch_norm` has no `x`, or one that the teacher gives no
        finite outputs for, or if a step or a comparison behind a new one makes more of its rounding; if `x`,
        `batch_norm` or `kernel_size` is given and no new layer takes it; if two layers share a weight; or if the
        student would give other outputs, because a class or a layer has what its settings do not tell of, or attention
        and other layers that read a mask would run in another order.

    Examples
    --------
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...                             keras.layers.Dense(2, name="out")])
    >>> student = net2deeper_net(teacher)
    >>> [layer.name for layer in student.layers], function_gap(teacher, student) == 0
    (['hidden', 'hidden_deeper', 'out'], True)

    References
    ----------
    Chen et al. 2016, section 2.4; Wei et al. 2016, "Network Morphism", for "parametric"; Gong et al. 2019 for
    "stacking"; Wu et al. 2024, "LLaMA Pro", for copied blocks that end in zeros.
    """
    check_choice("init", init, repeating.INITS)
    check_choice("activation", activation, ("first", "same", "parametric", "linear"))
    check_choice("optimizer", optimizer, ("carry", "fresh"))
    if batch_norm and x is None:
        raise Net2NetError(
            "x: batch_norm=True needs inputs of the teacher, to measure the statistics that the new layers will meet"
        )
    if x is not None and not batch_norm:
        raise Net2NetError("x: expected none without batch_norm=True, which alone measures statistics")
    proof.check_models(teacher=teacher)
    rd.check(teacher)
    names, rng = _names(after), generator(seed)
    if bd.is_plain(teacher):
        plan = _Plan(places.Graph(teacher), names, init, activation)
        if kernel_size is not None and not plan.sized():
            raise Net2NetError(f"kernel_size: expected none, since no new layer is a convolution, got {kernel_size!r}")
        if batch_norm and not plan.places:
            raise Net2NetError("batch_norm: expected False, since no new layer is a Dense or a convolution")
        student, origin, report = plan.student(kernel_size, batch_norm, x, rng)
    else:
        student, origin, report = _of_a_class(teacher, names, init, rng)
    if init in repeating.EXACT:
        report.unasked = _check_same(teacher, student, x)
    training.compiled_alike(teacher, student)
    law, gathered = training.goes_on(teacher, student, training.AsBefore(origin), optimizer)
    if gathered and isinstance(law, str):
        warnings.warn(f"the student's optimizer begins fresh: {law}", stacklevel=2)
    GROWN[student] = report
    report.carried(student, law, gathered)
    if count := sum(not each.natural for each in report.left):
        text = "1 layer or block has" if count == 1 else f"{count} layers or blocks have"
        warnings.warn(f"{text} nothing new behind; growth(student) says why", stacklevel=2)
    return student


def _names(after):
    """The names that are asked for; "blocks" and None as they are."""
    if after is None or after == "blocks":
        return after
    names = [after] if isinstance(after, str) else after
    if not isinstance(names, (list, tuple, set)) or not names or not all(isinstance(name, str) for name in names):
        got = "an empty list" if names == [] else repr(after)
        raise Net2NetError(f"after: expected a layer's name, a list of names, or None, got {got}")
    return list(dict.fromkeys(names))


def _of_a_class(teacher, names, init, rng):
    """The student of a model with settings of its own, where its weights come from, and the report."""
    blocks = bl.Blocks(teacher)
    if names is None or names == "blocks":
        chosen = list(blocks.found.values())
        if not chosen:
            raise _none(teacher, blocks)
    else:
        chosen = [_chosen(blocks, name) for name in names]
    student, origin, chosen = repeating.Class(blocks).deeper(chosen, init, rng)
    left = [] if isinstance(names, list) else _left(blocks)
    if names is None:
        no_place = f"it is in no block, and {type(teacher).__name__} has no place for other layers"
        left += [Left(layer.name, no_place, True) for layer in _beside(blocks, teacher._flatten_layers())]
    return student, origin, Deepened([_told(block, [], init) for block in chosen], left)


def _left(blocks):
    """What is no block among blocks, for the report."""
    return [Left(layer.name, str(why), isinstance(why, Changes)) for layer, why in blocks.left().items()]


def _beside(blocks, layers):
    """Those Dense and convolutions among layers that are in no block, and in nothing that might have been one."""
    wholes = [*blocks.left(), *(layer for block in blocks.found.values() for layer in block.layers)]
    inside = {id(part) for whole in wholes for part in bd.parts(whole)}
    return [layer for layer in layers if type(layer) in KINDS and id(layer) not in inside]


def _chosen(blocks, name):
    """The block of a name, in a model of a class of its own."""
    found = [block for block in blocks.found.values() if name in block.names]
    if len(found) == 1:
        return found[0]
    known = list(dict.fromkeys(block.names[0] for block in blocks.found.values()))
    if len(found) > 1:
        raise Net2NetError(f"after: {len(found)} blocks end in layers that are called {name!r}")
    why = next((why for layer, why in blocks.reasons.items() if layer.name == name), None)
    can = f"the blocks of the model are {', '.join(map(repr, known[:5])) or 'none'}"
    if why is None:
        raise Net2NetError(f"after: the model has no layer {name!r}; {can}")
    raise Net2NetError(f"after: {name!r} is no residual block that can be repeated: {why}; {can}. {_elsewhere(blocks)}")


def _none(model, blocks):
    """The error that a model has no blocks, with a reason that sums in it give."""
    left = sorted(blocks.left().items(), key=lambda each: isinstance(each[1], Changes))
    told = "no layer adds what enters it to what it makes of it"
    if left:
        told = f"layer {left[0][0].name!r} is none, because {left[0][1]}"
    more = "" if bd.is_plain(model) else f". {_elsewhere(blocks)}"
    return Net2NetError(f"after: model {model.name!r} has no residual block that can be repeated: {told}{more}")


def _elsewhere(blocks):
    """What to do with a model of a class of its own where no blocks come."""
    kind = type(blocks.model).__name__
    if blocks.nodes:
        graph = places.Graph(keras.Model(rd.inputs_of(blocks.model), blocks.model.outputs))
        free = [each for each in graph.calls if isinstance(each, kl.Layer) and not places.no_room(graph, each)]
        plain, near = (
            [repr(each.name) for each in free if (each in blocks.near) is nearly] for nearly in (False, True)
        )
        plain, near = (", ".join(names[:3] + ["..."] * (len(names) > 3)) for names in (plain, near))
        ways = [f"a ResidualBlock can follow {plain}"] if plain else []
        ways += [f"with init='fresh' it can follow {near}"] if near else []
        return (
            f"Its class {kind} makes its layers from settings of its own, which have no place for others; in "
            f"keras.Model(model.inputs, model.outputs) {', and '.join(ways) or 'none can follow either'}"
        )
    return (
        f"Other layers have no place in {kind}, whose graph is hidden in its call method; build it as keras.Model(...)"
    )


def _told(block, new, init):
    """What the report says of a repeated block."""
    ends = ", ".join("/".join(v.path.split("/")[-2:]) for v in block.zeros)
    zeros = f"with zeros where the block has {ends}"
    how = {"net2deeper": f"a copy of the block, {zeros}", "fresh": f"a fresh block, {zeros}"}
    how |= {"stacking": "the blocks follow one another twice", "randominit": "a random block"}
    return Deepening(block.names[0], new, how[init])


class _Plan:
    """What comes where in a model that is a graph of Keras'.

    Attributes
    ----------
    places : list
        (`Place`, activation) of each Dense and convolution that is followed.
    blocks, others : list
        The residual blocks that are repeated, and the layers that a `ResidualBlock` follows.
    left : list of `Left`
        What nothing follows, where no names are given.
    """

    def __init__(self, graph, names, init, activation):
        self.graph, self.init, self.activation = graph, init, activation
        self.places, self.blocks, self.others, self.left = [], [], [], []
        self.known = [layer for layer in graph.calls if type(layer) in KINDS]
        self.all = None
        if names is None or names == "blocks":
            self.all = bl.Blocks(graph.model)
            self.blocks = list(self.all.runs())
            if not self.blocks and names:
                raise _none(graph.model, self.all)
            self.left = _left(self.all)
            if not self.blocks:
                self._layers()
            elif names is None:
                self._leave()
        for name in names if isinstance(names, list) else ():
            self._follow(name)
        if self.places and init not in ("net2deeper", "randominit"):
            raise Net2NetError(
                f"init: {init!r} is for residual blocks; behind {self.places[0][0].layer.name!r} use 'net2deeper'"
            )
        if self.others and init == "stacking":
            raise Net2NetError(f"init: 'stacking' is for residual blocks, and {self.others[0].name!r} is none")

    def _layers(self):
        """Every Dense and convolution that an identity can follow."""
        for layer in self.known:
            place = places.place(self.graph, layer)
            how, why = self._activation(place)
            if why is None:
                self.places.append((place, how))
            else:
                self.left.append(Left(layer.name, why, place.end in self.graph.ends))
        if not self.places:
            raise Net2NetError(
                f"after: no layer of {self.graph.model.name!r} can be followed by an identity: it takes a hidden Dense "
                "or convolution" + (" with an idempotent activation" if self.activation == "same" else "")
            )

    def _leave(self):
        """Tell of each Dense and convolution that none comes behind it, since blocks alone are repeated."""
        for layer in _beside(self.all, self.known):
            _, why = self._activation(places.place(self.graph, layer))
            self.left.append(Left(layer.name, why or "blocks alone are repeated; name it in `after`", True))

    def _activation(self, place):
        """The activation that a new layer gets, and why none can come."""
        ways = ("same", "parametric", "linear") if self.activation == "first" else (self.activation,)
        for way in ways:
            if (why := places.reason(self.graph, place, way)) is None:
                return way, None
        return None, why

    def _follow(self, name):
        layer = places.named(self.graph, name)
        if layer in self.known:
            place = places.place(self.graph, layer)
            how, why = self._activation(place)
            if why:
                raise Net2NetError(f"after: layer {name!r} cannot be followed: {why}")
            self.places.append((place, how))
            return
        self.all = self.all or bl.Blocks(self.graph.model)
        block = next((block for block in self.all.found.values() if name in block.names), None)
        if block is not None:
            self.blocks.append(block)
        elif why := places.no_room(self.graph, layer):
            raise Net2NetError(f"after: layer {name!r} cannot be followed: {why}")
        elif (why := self.all.near.get(layer)) and self.init not in repeating.DRAWN:
            raise Net2NetError(
                f"after: layer {name!r} cannot be followed by a copy: {why}. With init='fresh' a ResidualBlock can "
                "follow it"
            )
        else:
            self.others.append(layer)

    def sized(self):
        """Whether any new layer takes a kernel's size."""
        return self.others or any(KINDS[type(place.layer)] is not kl.Dense for place, _ in self.places)

    def student(self, kernel_size, batch_norm, x, rng):
        """The student, where its weights come from, and the report."""
        graph, init, behind, told = self.graph, self.init, {}, Deepened((), self.left)
        free = places.Names(graph.model)
        news = [
            identities.new_layers(place, how, kernel_size, batch_norm, init, rng, free) for place, how in self.places
        ]
        for (place, how), new in zip(self.places, news, strict=True):
            behind.setdefault(place.end, []).append(bd.Chain(list(new.values())))
            words = {
                "same": "with the same activation",
                "linear": "linear",
                "parametric": "with a parametric activation",
            }
            told.append(Deepening(place.layer.name, list(new.values()), f"an identity, {words[how]}"))
        for layer in self.others:
            size = None if kernel_size is None else check_width("kernel_size", kernel_size, 1)
            new = ResidualBlock(kernel_size=size, name=free(layer.name), dtype=layer.dtype_policy)
            behind.setdefault(layer, []).append(bd.Chain([new]))
            told.append(Deepening(layer.name, [new], f"a residual block, with zeros in {new.name}/last"))
        repeats = [repeating.repeat(block, init, rng, lambda old: free(old.name)) for block in self.blocks]
        for each in repeats:
            behind.setdefault(each.block.end, []).append(each)
        builder = bd.Builder(graph.model, behind=behind)
        with repeating.drawing(rng):
            student = builder.build()
        builder.fill(student, lambda old_weight, _: old_weight.numpy())
        bd.check_told([*builder.made.items(), *(pair for each in repeats for pair in each.copies.items())])
        for i, each in enumerate(repeats):
            block = repeating.as_begun(each.block, each.copies.items(), init)
            repeats[i] = each._replace(block=block)
            told.append(_told(block, each.layers, init))
        self._begin(builder, news, repeats, told, rng)
        followed = [place for place, _ in self.places]
        for new, (mean, variance) in (
            zip(news, places.statistics(graph, followed, x), strict=True) if batch_norm else ()
        ):
            norm = new["batch_norm"]  # its scale and shift undo its statistics
            norm.set_weights([np.sqrt(variance + norm.epsilon), mean, mean, variance])
        pairs = [
            pair for old, new in builder.made.items() if not bd.is_plain(old) for pair in bd.weight_pairs(old, new)
        ]
        origin = {id(new): old for old, new in pairs}
        if init == "stacking":
            both = [([builder.made[old] for old in each.block.layers], list(each.copies.values())) for each in repeats]
            origin |= {id(new): old for new, old in repeating.stack(self.blocks, both)}
        return student, origin, told

    def _begin(self, builder, news, repeats, told, rng):
        """Give new layers the weights that they begin with."""
        for each in repeats:
            repeating.begin(each.copies.items(), each.block.zeros, self.init)
        for new in news if self.init == "net2deeper" else ():
            identities.set_identity(new["layer"])
        if self.init == "randominit":
            for new in (new for each in told for new in each.layers if isinstance(new, ResidualBlock)):
                kernel = new.last.kernel
                kernel.assign(keras.initializers.GlorotUniform(int(rng.integers(2**31)))(kernel.shape))


def _check_same(teacher, student, x):
    """Refuse a student that gives other numbers, for what settings do not tell of, or what makes more of rounding.

    Return why it was not asked, if so.
    """
    layers = list(teacher._flatten_layers())
    out = next((layer.mask_value for layer in layers if isinstance(layer, kl.Masking)), 0)

    def drawn(spec):
        """Numbers that fit, in sequences that end in what a mask leaves out."""
        given = keras.tree.map_structure(np.array, proof.drawn(spec, teacher))
        for values in keras.tree.flatten(given):
            if values.ndim > 1 and values.dtype != object:  # else they are texts
                values[:, -(-values.shape[1] // 2) :] = out
        return given

    def asked(*models):
        with proof.states_kept(*models):
            return [proof.outputs(model, few) for model in models]

    for spec in [spec for length in rd.LENGTHS for spec in rd.specs_of(teacher, length)]:
        few = drawn(spec) if x is None else places.batch(x, 0)
        try:
            (left,) = asked(teacher)
            break
        except Net2NetError as error:
            why = error
    else:
        return f"the teacher cannot be called on what is drawn: {why}"
    (right,) = asked(student)
    # Inputs, and models, compute nothing by themselves: their type is what is set when they are made.
    types = {layer.compute_dtype for layer in layers if not isinstance(layer, (kl.InputLayer, keras.Model))}

    def gap_to(others):
        return max(map(proof.difference, left, others))

    largest = max(map(proof.size, left))
    limit = largest * max(proof.ROUNDING.get(dtype, 0.1) for dtype in types)
    if (gap := gap_to(right)) <= limit:
        finite = any(np.isfinite(a).any() for a in left)
        return None if finite else "the teacher gives no finite numbers for what is drawn"
    if not gap_to(asked(teacher, teacher)[1]) <= limit:
        return "the teacher draws, or has states, and does not give the same twice itself"
    told = f"a difference of {gap:.2g}, beside a largest output of {largest:.2g}"
    if x is not None:
        raise Net2NetError(
            "batch_norm: a new normalization undoes itself up to rounding, and what stands behind it turns rounding "
            f"into {told}, as a step, a comparison or a Masking may; leave batch_norm out, or name other layers in "
            "`after`"
        )
    why = "something in it is not told by the settings and weights of its layers, as an attribute that was set later"
    if np.isinf(gap):
        why = "what is not finite, as a logarithm of 0 or what is too large for its type, meets weights that are zero"
    elif attentions := [repr(layer.name) for layer in layers if isinstance(layer, kl.MultiHeadAttention)]:
        why = f"attention ({', '.join(attentions)}) takes the mask off what it reads, and now runs before or after "
        why += "others that read the same; give it its mask as attention_mask, or do without masks"
    raise Net2NetError(f"model {teacher.name!r}: the student would give other outputs, with {told}: {why}")

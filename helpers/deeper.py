"""Model in, model out: deeper students of a trained Keras model, whose new layers begin as the identity."""

import contextlib
import difflib
import operator
import warnings
from collections import Counter
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers as kl

from helpers import building as bd
from helpers import proof, training
from helpers import reading as rd
from helpers import weights as w
from helpers.checks import Net2NetError, check_choice, check_width, generator
from helpers.proof import function_gap

__all__ = ["ParametricActivation", "function_gap", "net2deeper_net"]


def net2deeper_net(
    teacher: keras.Model,
    after: str | list[str] | None = None,
    *,
    init: str = "net2deeper",
    activation: str = "same",
    kernel_size: int | tuple[int, ...] | None = None,
    batch_norm: bool = False,
    x: Any = None,
    seed: int | None = None,
    optimizer: str = "carry",
) -> keras.Model:
    """Build a deeper student that computes the same function.

    Each named layer gets a new one of its kind behind it, called ``NAME_deeper``: an identity with the same activation,
    trainable even where the named layer is frozen. Where batch normalization or an activation stand as layers of
    their own behind the named layer, the new layer goes behind them and gets the same activation.

    Parameters
    ----------
    teacher : keras.Model
        A built Sequential or functional model, also one of a class derived from these. It is not changed.
    after : str, list of str, or None
        The Dense or convolution layers to follow; None: every one that allows it.
    init : {"net2deeper", "randominit"}
        "net2deeper" keeps the function. "randominit" is the baseline that does not: a random new layer.
    activation : {"same", "linear", "parametric"}
        Of the new layers. "same": the named layer's, which must be idempotent. "linear": none, which is exact behind
        any other. "parametric": a `ParametricActivation`, which starts as none and can become the named layer's.
    kernel_size : int or tuple of int, optional
        Size of new convolutions' kernels; by default that of the layer before.
    batch_norm : bool
        Put batch normalization behind each new layer, before its activation. It starts by undoing what it does: its
        statistics come from a forward pass over `x`, its scale and shift are their inverse.
    x : array, or list of arrays
        Inputs of the teacher, for `batch_norm`.
    seed : int, optional
        Fixes the draws of "randominit".
    optimizer : {"carry", "fresh"}
        "carry" gives the student's optimizer what the teacher's has gathered; new layers begin as in `net2wider_net`.

    Returns
    -------
    keras.Model
        The student, compiled as the teacher is.

    Raises
    ------
    Net2NetError
        If a layer is unknown, is no Dense or convolution, is quantized, has its channels first, or is the output; if
        its activation f is not idempotent, that is f(f(v)) differs from f(v) for some v, or overflows where
        "parametric" would blend with it; if `batch_norm` has no `x`, or one that the teacher gives no finite outputs
        for, or if a step or a comparison behind a new one makes more of its rounding; if `x` or `kernel_size` is given
        and no new layer takes it; if two layers share a weight; or if the student would give other outputs,
        because a class or a layer has what its settings do not tell of, or attention and other layers that read a mask
        would run in another order.

    Examples
    --------
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...                             keras.layers.Dense(2, name="out")])
    >>> student = net2deeper_net(teacher)
    >>> [layer.name for layer in student.layers], function_gap(teacher, student) == 0
    (['hidden', 'hidden_deeper', 'out'], True)

    References
    ----------
    Chen et al. 2016, section 2.4; Wei et al. 2016, "Network Morphism", for "parametric".
    """
    check_choice("init", init, ("net2deeper", "randominit"))
    check_choice("activation", activation, ("same", "linear", "parametric"))
    check_choice("optimizer", optimizer, ("carry", "fresh"))
    if batch_norm and x is None:
        raise Net2NetError(
            "x: batch_norm=True needs inputs of the teacher, to measure the statistics that the new layers will meet"
        )
    if x is not None and not batch_norm:
        raise Net2NetError("x: expected none without batch_norm=True, which alone measures statistics")
    graph = _Graph(teacher)
    blocks = _blocks(graph, after, activation)
    if kernel_size is not None and all(_KINDS[type(block.layer)] is kl.Dense for block in blocks):
        raise Net2NetError(f"kernel_size: expected none, since no new layer is a convolution, got {kernel_size!r}")
    taken = {layer.name for layer in teacher._flatten_layers()}
    rng = generator(seed)
    news = [_new_block(block, activation, kernel_size, batch_norm, init, rng, taken) for block in blocks]
    behind = {block.end: list(new.values()) for block, new in zip(blocks, news, strict=True)}
    builder = bd.Builder(teacher, behind=behind)
    student = builder.build()
    builder.fill(student, lambda old_weight, _: old_weight.numpy())
    for new, (mean, variance) in zip(news, _statistics(graph, blocks, x), strict=True) if batch_norm else ():
        norm = new["batch_norm"]  # its scale and shift undo its statistics
        norm.set_weights([np.sqrt(variance + norm.epsilon), mean, mean, variance])
    if init == "net2deeper":
        for new in news:
            _set_identity(new["layer"])
        _check_same(teacher, student, x)
    training.compiled_alike(teacher, student)
    pairs = [pair for old, new in builder.made.items() if not bd.is_plain(old) for pair in bd.weight_pairs(old, new)]
    filling = training.AsBefore({id(new): old for old, new in pairs})
    law, gathered = training.goes_on(teacher, student, filling, optimizer)
    if gathered and isinstance(law, str):
        warnings.warn(f"the student's optimizer begins fresh: {law}", stacklevel=2)
    return student


@keras.saving.register_keras_serializable("helpers")
class ParametricActivation(kl.Wrapper):
    """An activation that starts as the identity and is learned: a * v + (1 - a) * f(v), with a weight a of 1 at first.

    A new layer with it can follow any layer, also where f is not idempotent. To anneal a by hand instead, set
    `trainable` to False and assign to ``layer.a`` from a callback, down to 0, where only f is left.

    Parameters
    ----------
    layer : keras.layers.Layer
        The activation f; shapes and dtypes stay as they are.

    Examples
    --------
    >>> layer = ParametricActivation(kl.Activation("tanh"))
    >>> v = np.array([[-2.0, 0.0, 2.0]])
    >>> layer(v).numpy()
    array([[-2.,  0.,  2.]], dtype=float32)
    >>> layer.a.assign(0.0).numpy().item(), layer(v).numpy().round(3)
    (0.0, array([[-0.964,  0.   ,  0.964]], dtype=float32))

    References
    ----------
    Wei et al. 2016, "Network Morphism", arXiv:1603.01670: the parametric activation of its non-linear case.
    """

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.supports_masking = True

    def build(self, input_shape=None):
        super().build(input_shape)
        self.a = self.add_weight(shape=(), initializer="ones", name="a")

    def call(self, v):
        return self.a * v + (1 - self.a) * self.layer(v)

    def compute_output_shape(self, input_shape):
        return input_shape


# The graph of a teacher


class _Graph:
    """Which layers read what others give, in a model and in the plain graphs inside it."""

    def __init__(self, model):
        proof.check_models(teacher=model)
        reason = "expected a Sequential or functional model; a subclassed model hides its graph in its call method. "
        mend = "Build it as keras.Model(inputs, outputs)"
        if bd.is_graph(model):
            reason = "its class makes its layers from settings of its own, which have no place for a new one. "
            mend = "Use keras.Model(model.inputs, model.outputs) in its place"
        if getattr(model, "_functional", model) is None:
            reason = "not built, so that its layers have no weights yet; "
            mend = "add a keras.Input or call model.build(input_shape)"
        if not bd.is_plain(model):
            raise Net2NetError(f"model {model.name!r} ({type(model).__name__}): {reason}{mend}")
        self.model, self.calls, self.tensors, self.readers, self.makers = model, Counter(), {}, {}, {}
        self._walk(model)
        self.ends = {self.makers.get(id(x)) for x in model.outputs}
        bd.check_shared(self.calls)

    def _walk(self, model):
        nodes = getattr(model, "_functional", model)._nodes_by_depth  # Keras has no public way to a model's calls
        for node in (node for depth in sorted(nodes, reverse=True) for node in nodes[depth] if not node.is_input):
            layer = node.operation
            if plain := bd.is_plain(layer):
                self._walk(layer)
            else:
                self.calls[layer] += 1
                self.tensors.setdefault(layer, node.outputs[0])
            for x in node.input_tensors:
                self.readers.setdefault(self.makers.get(id(x)), set()).add(layer)
            for i, x in enumerate(node.outputs):
                self.makers[id(x)] = self.makers.get(id(layer.outputs[i])) if plain else layer


# Where new layers go


class _Block(NamedTuple):
    """A layer to follow, the last layer of its own (batch normalization, activation), its activation and its shape."""

    layer: kl.Layer
    end: kl.Layer
    activation: object
    shape: tuple


# What follows a layer is a plain convolution where its own kind has no identity of its own.
_KINDS = {kl.Dense: kl.Dense} | {
    getattr(kl, name): getattr(kl, f"Conv{d}D")
    for d in (1, 2, 3)
    for name in (f"Conv{d}D", f"Conv{d}DTranspose", f"SeparableConv{d}D", f"DepthwiseConv{d}D")
    if hasattr(kl, name)
}
_ACTIVATIONS = (kl.Activation, kl.ReLU, kl.LeakyReLU, kl.ELU, kl.PReLU, kl.Softmax, ParametricActivation)


def _blocks(graph, after, activation):
    known = [layer for layer in graph.calls if type(layer) in _KINDS]
    if after is None:
        blocks = [block for block in (_block(graph, layer) for layer in known) if not _reason(graph, block, activation)]
        if not blocks:
            raise Net2NetError(
                f"after: no layer of {graph.model.name!r} can be followed by an identity: it takes a hidden Dense or "
                "convolution with an idempotent activation, such as relu or none"
            )
        return blocks
    names = [after] if isinstance(after, str) else after
    if not isinstance(names, (list, tuple, set)) or not names or not all(isinstance(name, str) for name in names):
        got = "an empty list" if names == [] else repr(after)
        raise Net2NetError(f"after: expected a layer's name, a list of names, or None, got {got}")
    blocks = [_block(graph, _named(graph, name, known)) for name in dict.fromkeys(names)]
    for block in blocks:
        if reason := _reason(graph, block, activation):
            raise Net2NetError(f"after: layer {block.layer.name!r} cannot be followed: {reason}")
    return blocks


def _named(graph, name, known):
    found = [layer for layer in graph.calls if layer.name == name]
    names = [layer.name for layer in known]
    if not found:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:5]
        raise Net2NetError(f"after: the model has no layer {name!r}; near names: {', '.join(map(repr, near))}")
    if len(found) > 1:
        raise Net2NetError(
            f"after: {len(found)} layers are called {name!r}, in different nested models; give them names of their own"
        )
    if found[0] not in known:
        raise Net2NetError(
            f"after: layer {name!r} is a {type(found[0]).__name__}; name a Dense or convolution layer, such as "
            f"{', '.join(map(repr, names[:3]))}"
        )
    return found[0]


def _block(graph, layer):
    """The block that a layer begins."""
    end, activation, passed = layer, layer.activation, set()
    while activation is keras.activations.linear:
        reader, *others = graph.readers.get(end) or [None]
        if others or reader in passed or not isinstance(reader, (kl.BatchNormalization, *_ACTIVATIONS)):
            break  # a normalization that is shared can read itself
        end = reader
        passed.add(end)
        if not isinstance(end, kl.BatchNormalization):
            activation = end
    return _Block(layer, end, activation, graph.tensors[end].shape)


def _reason(graph, block, new_activation):
    """Why no identity can follow a block."""
    layer, end, activation, _ = block
    name = getattr(activation, "__name__", getattr(activation, "name", activation))
    if graph.calls[end] > graph.calls[layer]:
        return f"layer {end.name!r} behind it is shared with other layers; give it one of its own"
    if end in graph.ends:
        return "it makes the model's output; name a hidden layer"
    if getattr(layer, "quantization_mode", None):
        return "it is quantized; let the model grow first, and quantize the student"
    if getattr(layer, "data_format", None) == "channels_first":
        return "it has its channels first; build it with data_format='channels_last'"
    if new_activation == "linear":
        return None
    once, twice, weights = _applied(block, "float64" if new_activation == "same" else layer.compute_dtype)
    if new_activation == "same" and (weights or not np.array_equal(once, twice)):  # weights change in training
        return (
            f"its activation {name!r} is not idempotent (applied twice, it gives other values than once), so an "
            "identity layer with it would change the function; relu, relu6 and linear are idempotent. With "
            "activation='linear' or 'parametric' the new layer can follow any"
        )
    if new_activation == "parametric" and not np.isfinite(twice).all():
        return (
            f"its activation {name!r}, applied twice, is soon larger than any number, and no blend with that can be "
            "taken; use activation='linear'"
        )
    return None


def _applied(block, dtype):
    """What an activation gives for small and large numbers, applied once and twice, and the weights that it has."""
    steps = np.concatenate([np.linspace(-8, 8, 257), *(sign * np.geomspace(1e-6, 1e3, 64) for sign in (1, -1))])
    steps = np.concatenate([np.sort(steps), np.random.default_rng(0).permutation(steps)])  # among their like, and mixed
    sides = [min(side or 3, 3) for side in block.shape[1:-1]] + [block.shape[-1] or 8]
    steps = np.resize(steps, (-(-len(steps) // np.prod(sides)), *sides))
    function = block.activation
    try:
        if isinstance(function, kl.Layer) and not function.built:
            function = type(function).from_config(function.get_config())
        with keras.StatelessScope():  # leaves no trace in a layer
            once = function(keras.ops.cast(steps, dtype))
            twice = function(once)
        return *(np.asarray(keras.ops.cast(v, "float64")) for v in (once, twice)), getattr(function, "weights", None)
    except Exception:  # a function of the user's may fail in any way; then nothing is known of it
        return np.nan, 0.0, None


# What new layers are


def _new_block(block, activation, kernel_size, batch_norm, init, rng, taken):
    """The new layers behind a block, by what they are for."""
    old, linear = block.layer, keras.activations.linear
    follows = linear if activation == "linear" else block.activation
    parametric = activation == "parametric" and follows is not linear
    is_layer = isinstance(follows, kl.Layer)
    apart = is_layer or parametric or (batch_norm and follows is not linear)
    kind = _KINDS[type(old)]
    with bd.naming(old):
        config = old.get_config() if type(old) is kind else {"use_bias": old.use_bias}
    config = {key: value for key, value in config.items() if not key.startswith(("lora", "quantization"))}
    config |= bd.live(old, config)
    config |= {key: keras.initializers.Zeros() for key, value in config.items() if bd.holds_array(value)}
    dtype = block.end.dtype_policy  # what enters is of this type, and must not be rounded to a coarser one

    def named(suffix=""):
        """The first of NAME_deeper, NAME_deeper_2, ... that no layer has."""
        name = f"{old.name}_deeper{suffix}"
        name = next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
        taken.add(name)
        return {"name": name, "dtype": dtype}

    config |= named() | {"trainable": True, "activation": linear if apart else follows}
    if kind is not kl.Dense:
        config |= {"filters": block.shape[-1], "kernel_size": _sides(kernel_size, old), "data_format": old.data_format}
        config |= {"strides": 1, "dilation_rate": 1, "groups": 1}
        config["padding"] = "causal" if getattr(old, "padding", None) == "causal" else "same"
    if init == "randominit":
        drawer, seed = getattr(old, "kernel_initializer", None), int(rng.integers(2**31))
        drawer = keras.initializers.GlorotUniform() if drawer is None or bd.holds_array(drawer) else drawer
        if hasattr(drawer, "get_config"):  # else it is a function, which draws as it likes
            its = drawer.get_config()
            drawer = type(drawer).from_config(its | ({"seed": seed} if "seed" in its else {}))
        config["kernel_initializer"] = drawer
    made = {"layer": kind.from_config(config)}
    if batch_norm:
        made["batch_norm"] = kl.BatchNormalization(**named("_bn"))
    if apart:
        like = follows if is_layer else kl.Activation(follows, dtype=dtype)
        name = named("_activation")["name"]
        new = made["activation"] = bd.rebuilt(like, bd.settings_of(like) | {"name": name})
        bd.give_functions(like, new)
        for part in bd.parts(new):
            del part.add_weight
        if parametric:
            made["activation"] = ParametricActivation(new, name=name, dtype=new.dtype_policy)
    for new in made.values():
        new.supports_masking |= block.end.supports_masking
    return made


def _sides(kernel_size, old):
    sides = old.kernel_size if kernel_size is None else kernel_size
    sides = tuple(sides) if np.iterable(sides) else (sides,) * len(old.kernel_size)
    if len(sides) != len(old.kernel_size):
        raise Net2NetError(
            f"kernel_size: expected one integer or {len(old.kernel_size)} behind layer {old.name!r}, got {kernel_size}"
        )
    return tuple(check_width("kernel_size", side, 1) for side in sides)


def _set_identity(layer):
    if isinstance(layer, kl.Dense):
        kernel, bias = w.deeper2net_fc(layer.units, layer.kernel.numpy().dtype)
    else:
        kernel, bias = w.deeper2net_conv2d(layer.kernel.numpy())
        if layer.padding == "causal":  # a position sees itself and those before: the tap is the last
            kernel = np.roll(kernel, len(kernel) // 2, axis=0)
    layer.set_weights([kernel, bias] if layer.use_bias else [kernel])


def _batch(x, start):
    return keras.tree.map_structure(operator.itemgetter(slice(start, start + 32)), x)


def _statistics(graph, blocks, x):
    """Mean and variance of the channels behind each block, in one pass over `x` that keeps no layer's outputs."""
    for block in blocks:
        if block.end not in graph.model.layers:
            raise Net2NetError(
                f"batch_norm: layer {block.end.name!r} is inside a nested model, where statistics are not measured; "
                "leave batch_norm out, or flatten the model"
            )
    model = keras.Model(rd.inputs_of(graph.model), [graph.tensors[block.end] for block in blocks])
    moments = [[] for _ in blocks]  # of each example: means and variances
    try:
        with proof.states_kept(graph.model):
            for start in range(0, len(keras.tree.flatten(x)[0]), 32):
                outputs = keras.tree.flatten(model.predict_on_batch(_batch(x, start)))
                for values, found in zip(outputs, moments, strict=True):
                    values = values.reshape(len(values), -1, values.shape[-1]).astype("float64")
                    found.append(np.stack([values.mean(axis=1), values.var(axis=1)]))
        moments = [np.concatenate(found, axis=1) for found in moments]
    except Exception as error:
        wanted = ", ".join(str(tensor.shape) for tensor in graph.model.inputs)
        raise Net2NetError(
            f"x: expected inputs of the teacher, arrays of shape {wanted} with at least one example; on what came it "
            f"cannot be called: {error}"
        ) from error
    for block, found in zip(blocks, moments, strict=True):
        if not np.isfinite(found).all():
            raise Net2NetError(
                f"x: what layer {block.end.name!r} gives for it is not finite, so it has no mean; look for NaN in x, "
                "and in the teacher's weights"
            )
    # The variance of all is that within the examples and that between them.
    return [(means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)) for means, variances in moments]


def _check_same(teacher, student, x):
    """Refuse a student that gives other numbers, for what settings do not tell of, or what makes more of rounding."""
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
        few = drawn(spec) if x is None else _batch(x, 0)
        with contextlib.suppress(Net2NetError):  # the teacher may take no such numbers
            left, again = asked(teacher, teacher)
            break
    else:
        return
    (right,) = asked(student)
    # Inputs, and models, compute nothing by themselves: their type is what is set when they are made.
    types = {layer.compute_dtype for layer in layers if not isinstance(layer, (kl.InputLayer, keras.Model))}
    largest, own, gap = (
        max(np.abs(a - b).max(initial=0) for a, b in zip(left, others, strict=True))
        for others in ([0] * len(left), again, right)
    )
    limit = largest * max(proof.ROUNDING.get(dtype, 0.1) for dtype in types)
    if gap <= limit or not own <= limit:  # a teacher that draws, or has states, is not the same itself
        return
    told = f"a difference of {gap:.2g}, beside a largest output of {largest:.2g}"
    if x is not None:
        raise Net2NetError(
            "batch_norm: a new normalization undoes itself up to rounding, and what stands behind it turns rounding "
            f"into {told}, as a step, a comparison or a Masking may; leave batch_norm out, or name other layers in "
            "`after`"
        )
    why = "something in it is not told by the settings and weights of its layers, as an attribute that was set later"
    if attentions := [repr(layer.name) for layer in layers if isinstance(layer, kl.MultiHeadAttention)]:
        why = f"attention ({', '.join(attentions)}) takes the mask off what it reads, and now runs before or after "
        why += "others that read the same; give it its mask as attention_mask, or do without masks"
    raise Net2NetError(f"model {teacher.name!r}: the student would give other outputs, with {told}: {why}")

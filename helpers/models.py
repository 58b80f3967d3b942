"""Model in, model out: wider and deeper students of a trained Keras model that compute what it computes.

The teacher is only read. A student is built whole or not at all, with the teacher's names, regularizers, constraints,
strides, dtypes and trainable flags, and compiled as the teacher is.
"""

import contextlib
import operator
import warnings
from types import FunctionType
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl

from helpers import graph as g
from helpers import layers as rules
from helpers import weights as w
from helpers.layers import Inputs, Outputs
from helpers.weights import Net2NetError

# Wider


def net2wider_net(teacher, widths, *, init="net2wider", split="equal", noise=0.0, seed=None):
    """Build a wider student that computes the same function.

    Parameters
    ----------
    teacher : keras.Model
        A built Sequential or functional model. It is not changed.
    widths : float or dict
        A factor over 1 for every hidden layer, rounded up to whole units; or {layer name: new width}. Naming one layer
        of a group (see `channel_groups`) widens the whole group.
    init : {"net2wider", "zeropad", "randompad"}
        "net2wider" copies units, and keeps the function. The others give new units random incoming weights: "zeropad"
        with outgoing weights of zero, which keeps the function too; "randompad", the baseline that does not, with
        random ones.
    split : {"equal", "random"}
        How copies share outgoing weights; see `copy_shares`. Both are exact; "random" lets copies part in training.
    noise : float
        Standard deviation of the relative noise on the incoming weights of copies. 0 keeps the function.
    seed : int, optional
        Fixes every draw.

    Returns
    -------
    keras.Model
        The student, of the teacher's dtypes, compiled as the teacher is, with a fresh optimizer state.

    Raises
    ------
    Net2NetError
        If a width is not larger than it was, a layer is unknown or tied to the model's input or output, two names of
        one group ask for different widths, or the model holds something that cannot be widened exactly, such as a
        weight that two layers share; with "zeropad" also if a layer takes statistics over channels, where new ones
        would count, or does what is not finite for all values.

    Examples
    --------
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...                             keras.layers.Dense(2)])
    >>> student = net2wider_net(teacher, {"hidden": 20}, seed=0)
    >>> student.get_layer("hidden").units, function_gap(teacher, student) < 1e-5
    (20, True)

    References
    ----------
    Chen et al. 2016, section 2.3 and algorithm 1.
    """
    w.check_choice("init", init, w.INITS)
    w.check_choice("split", split, w.SPLITS)
    w.check_noise(noise)
    graph = g.read(teacher)
    sizes = graph.sizes(widths)
    rng = w.generator(seed)
    if init == "zeropad":
        _check_zeropad(graph, sizes)
    draws = g.Draws(graph, sizes, split, rng)

    axes_of = {id(v): axes for plan in graph.plans.values() for v, axes in plan.weights}

    def settings(layer):
        rows = graph.plans[layer].settings if layer in graph.plans else {}
        return {path: graph.width(row, sizes) for path, row in rows.items() if draws.place(row) is not None}

    def shape(x):
        row = graph.rows.get(id(x), ())
        return x.shape if draws.place(row) is None else (*x.shape[:-1], graph.width(row, sizes))

    def placed(old_weight, new_weight):
        return _placed(old_weight, axes_of.get(id(old_weight), ()), draws, init, noise, rng, new_weight)

    return _compiled_alike(teacher, _student(teacher, placed, settings=settings, shape=shape))


def _check_zeropad(graph, sizes):
    def widens(row):
        return any(units in sizes for units, _ in g.resolve(row))

    for row, name in graph.balanced:
        if widens(row):
            raise Net2NetError(
                f"init: 'zeropad' gives layer {name!r} new channels whose values count in its statistics, so the "
                "function would change; use 'net2wider' with a whole factor, which keeps them"
            )
    for row, reason in graph.limited:
        if widens(row):
            raise Net2NetError(
                f"init: 'zeropad' makes new channels with any values, but {reason}; use 'net2wider', which copies "
                "what is there"
            )


# Of a Normalization over several axes: what it has for a channel of which nothing is known.
_STATISTICS = {"mean": 0, "variance": 1}


def _placed(old_weight, axes, draws, init, noise, rng, new_weight):
    """One weight of the student: the teacher's, with every axis where its row puts it."""
    array = old_weight.numpy()
    w.warn_if_not_finite(f"weight {old_weight.path!r}", array, stacklevel=6)
    for axis, follows in enumerate(axes, start=-len(axes)):
        if follows is None or (places := draws.place(follows.row)) is None:
            continue
        index, shares, new = places
        if init == "zeropad" and isinstance(follows, Inputs):
            array = w.place_inputs(array, index, ~new, axis)
        elif init != "net2wider":
            array = w.place_outputs(array, index, axis)
            if array.ndim > 1 and new_weight.name in _STATISTICS:
                array[..., new] = _STATISTICS[new_weight.name]
            elif array.ndim > 1:
                array = w.pad_random(array, new, rng, axis)
            else:  # biases begin at 0.1, as in `wider2net_fc`; batch statistics as in a new layer
                array[new] = w.PAD_BIAS if new_weight.name == "bias" else new_weight.numpy()[new]
        elif isinstance(follows, Outputs):
            array = w.place_outputs(array, index, axis)
            if noise and any(isinstance(other, Inputs) for other in axes):
                array = w.add_noise(array, new, noise, rng, axis)
        else:
            array = w.place_inputs(array, index, shares, axis)
    return array


# Deeper


def net2deeper_net(
    teacher, after=None, *, init="net2deeper", activation="same", kernel_size=None, batch_norm=False, x=None, seed=None
):
    """Build a deeper student that computes the same function.

    Each named layer gets a new one of its kind behind it, called ``NAME_deeper``: an identity with the same activation,
    trainable even where the named layer is frozen. Where batch normalization or an activation stand as layers of
    their own behind the named layer, the new layer goes behind them and gets the same activation.

    Parameters
    ----------
    teacher : keras.Model
        A built Sequential or functional model. It is not changed.
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

    Returns
    -------
    keras.Model
        The student, compiled as the teacher is, with a fresh optimizer state.

    Raises
    ------
    Net2NetError
        If a layer is unknown, is no Dense or convolution, is quantized, has its channels first, or is the output; if
        its activation f is not idempotent, that is f(f(v)) differs from f(v) for some v, or overflows where
        "parametric" would blend with it; if `batch_norm` has no `x`, or one that the teacher gives no finite outputs
        for, or if a step or a comparison behind a new one makes more of its rounding; if `x` or `kernel_size` is given
        and no new layer takes it; if two layers share a weight; or if the order in which Keras runs the model's layers
        decides which of them see a mask.

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
    w.check_choice("init", init, ("net2deeper", "randominit"))
    w.check_choice("activation", activation, ("same", "linear", "parametric"))
    if batch_norm and x is None:
        raise Net2NetError(
            "x: batch_norm=True needs inputs of the teacher, to measure the statistics that the new layers will meet"
        )
    if x is not None and not batch_norm:
        raise Net2NetError("x: expected none without batch_norm=True, which alone measures statistics")
    graph = g.read(teacher)
    if loose := graph.loose_mask():
        attention, other = (layer.name for layer in loose)
        raise Net2NetError(
            f"layer {attention!r} takes the mask off a tensor that layer {other!r} reads too, and which of them Keras "
            "runs first may change with a new layer; give attention its mask as attention_mask, or do without masks"
        )
    blocks = _blocks(graph, after, activation)
    if kernel_size is not None and all(_KINDS[type(block.layer)] is kl.Dense for block in blocks):
        raise Net2NetError(f"kernel_size: expected none, since no new layer is a convolution, got {kernel_size!r}")
    taken = set(graph.names)
    rng = w.generator(seed)
    news = [_new_block(block, activation, kernel_size, batch_norm, init, rng, taken) for block in blocks]
    behind = {block.end: list(new.values()) for block, new in zip(blocks, news, strict=True)}
    student = _student(teacher, lambda old_weight, _: old_weight.numpy(), behind=behind)
    if init == "net2deeper":
        for new in news:
            _set_identity(new["layer"])
    if batch_norm:
        met = _statistics(graph, [block.end for block in blocks], x)
        for new, (mean, variance) in zip(news, met, strict=True):
            _undo(new["batch_norm"], mean, variance)
        if init == "net2deeper":
            _check_undone(teacher, student, x)
    return _compiled_alike(teacher, student)


class _Block(NamedTuple):
    """A layer to follow, the last layer of its own (batch normalization, activation), and its activation."""

    layer: keras.layers.Layer
    end: keras.layers.Layer
    activation: object


# What follows a layer is a plain convolution where its own kind has no identity of its own.
_KINDS = {kl.Dense: kl.Dense} | {
    getattr(kl, name): getattr(kl, f"Conv{d}D")
    for d in (1, 2, 3)
    for name in (f"Conv{d}D", f"Conv{d}DTranspose", f"SeparableConv{d}D", f"DepthwiseConv{d}D")
    if hasattr(kl, name)
}
_ACTIVATION_LAYERS = (kl.Activation, kl.ReLU, kl.LeakyReLU, kl.ELU, kl.PReLU, kl.Softmax, rules.ParametricActivation)


def _blocks(graph, after, activation):
    followable = [layer for layer in graph.plans if type(layer) in _KINDS]
    if after is None:
        blocks = [_block(graph, layer, activation) for layer in followable]
        blocks = [block for block in blocks if isinstance(block, _Block)]
        if not blocks:
            raise Net2NetError(
                f"after: no layer of {graph.model.name!r} can be followed by an identity: it takes a hidden Dense or "
                "convolution with an idempotent activation, such as relu or none"
            )
        return blocks
    names = [after] if isinstance(after, str) else after
    if not isinstance(names, (list, tuple, set)) or not all(isinstance(name, str) for name in names):
        raise Net2NetError(f"after: expected a layer's name, a list of names, or None, got {after!r}")
    blocks = []
    for name in dict.fromkeys(names):
        layer = graph.find("after", name)
        if layer not in followable:
            raise Net2NetError(
                f"after: layer {name!r} is a {type(layer).__name__}; name a Dense or convolution layer, such as "
                f"{', '.join(repr(other.name) for other in followable[:3])}"
            )
        block = _block(graph, layer, activation)
        if isinstance(block, str):
            raise Net2NetError(f"after: layer {name!r} cannot be followed: {block}")
        blocks.append(block)
    if not blocks:
        raise Net2NetError("after: expected a layer's name, a list of names, or None, got an empty list")
    return blocks


def _block(graph, layer, new_activation):
    """The block that `layer` begins, or the reason why no identity can follow it."""
    end, activation, passed = layer, layer.activation, set()
    while activation is keras.activations.linear:
        readers = graph.readers.get(end, [])
        if len(readers) != 1 or not isinstance(readers[0], (kl.BatchNormalization, *_ACTIVATION_LAYERS)):
            break
        if readers[0] in passed:  # a normalization that is shared can read itself
            break
        end = readers[0]
        passed.add(end)
        if not isinstance(end, kl.BatchNormalization):
            activation = end
    if end is not layer and graph.calls[end] > graph.calls[layer]:
        return f"layer {end.name!r} behind it is shared with other layers; give it one of its own"
    if end in graph.ends:
        return "it makes the model's output; name a hidden layer"
    if getattr(layer, "quantization_mode", None):
        return "it is quantized; let the model grow first, and quantize the student"
    if getattr(layer, "data_format", None) == "channels_first":
        return "it has its channels first; build it with data_format='channels_last'"
    name = getattr(activation, "__name__", getattr(activation, "name", activation))
    if new_activation == "same" and not _is_idempotent(activation, graph.tensors[end].shape):
        return (
            f"its activation {name!r} is not idempotent (applied twice, it gives other values than once), so an "
            "identity layer with it would change the function; relu, relu6 and linear are idempotent. With "
            "activation='linear' or 'parametric' the new layer can follow any"
        )
    if new_activation == "parametric" and _overflows(activation, graph.tensors[end].shape, layer.compute_dtype):
        return (
            f"its activation {name!r}, applied twice, is soon larger than any number, and no blend with that can be "
            "taken; use activation='linear'"
        )
    return _Block(layer, end, activation)


@rules.remembered
def _is_idempotent(function, shape):
    """Ask an activation on numbers whether applying it twice is the same as applying it once."""
    steps = np.concatenate([np.linspace(-8, 8, 257), np.geomspace(1e-6, 1e3, 64), -np.geomspace(1e-6, 1e3, 64)])
    try:
        ask = rules.probe(function)
        once = ask(keras.ops.convert_to_tensor(steps[None]))
        # An activation with weights of its own changes while it is trained.
        return (
            not any(getattr(it, "weights", None) for it in (function, ask))
            and np.array_equal(keras.ops.convert_to_numpy(once), keras.ops.convert_to_numpy(ask(once)))
            and rules.is_unitwise(function, shape)
        )
    except Exception:  # a function of the user's may fail in any way; then nothing is known of it
        return False


def _overflows(activation, shape, dtype):
    """Ask an activation on numbers whether applying it twice is soon too much for the type it computes in."""
    function = getattr(activation, "activation", activation)  # as a function, or of a layer Activation
    if isinstance(function, kl.Layer):  # another activation of Keras as a layer: none grows so fast
        return False
    shape = rules.small(shape)
    steps = np.linspace(-8, 8, np.prod(shape)).reshape(shape).astype(dtype)
    return not rules.is_defined(lambda v: function(function(v)), [steps])


def _new_block(block, activation, kernel_size, batch_norm, init, rng, taken):
    """The new layers behind a block, by what they are for."""
    old, linear = block.layer, keras.activations.linear
    follows = linear if activation == "linear" else block.activation
    parametric = activation == "parametric" and follows is not linear
    kind = _KINDS[type(old)]
    if type(old) is kind:
        with _naming(old):
            config = old.get_config()
    else:
        config = {"use_bias": old.use_bias, "activation": old.activation}
    config = {key: value for key, value in config.items() if not key.startswith(("lora", "quantization"))}
    config |= _live(old, config)
    config |= {key: keras.initializers.Zeros() for key, value in config.items() if _holds_array(value)}
    dtype = block.end.dtype_policy  # what enters is of this type, and must not be rounded to a coarser one
    config |= {"name": _free_name(f"{old.name}_deeper", taken), "trainable": True, "dtype": dtype}
    if kind is not kl.Dense:
        config |= {
            "filters": block.end.output.shape[-1],
            "kernel_size": old.kernel_size if kernel_size is None else _sides(kernel_size, old),
            "strides": 1,
            "dilation_rate": 1,
            "groups": 1,
            "data_format": old.data_format,
            "padding": "causal" if getattr(old, "padding", None) == "causal" else "same",
        }
    if init == "randominit":
        drawer = getattr(old, "kernel_initializer", None)
        drawer = keras.initializers.GlorotUniform() if drawer is None or _holds_array(drawer) else drawer
        seed = int(rng.integers(2**31))
        if hasattr(drawer, "get_config"):  # else it is a function, which draws as it likes
            drawer = type(drawer).from_config(
                {key: seed if key == "seed" else value for key, value in drawer.get_config().items()}
            )
        config["kernel_initializer"] = drawer
    is_layer = isinstance(follows, keras.layers.Layer)
    apart = is_layer or parametric or (batch_norm and follows is not linear)
    config["activation"] = linear if apart else follows
    made = {"layer": kind.from_config(config)}
    if batch_norm:
        name = _free_name(f"{old.name}_deeper_bn", taken)
        made["batch_norm"] = kl.BatchNormalization(name=name, dtype=dtype)
    if apart:
        like = follows if is_layer else kl.Activation(follows, dtype=dtype)
        name = _free_name(f"{old.name}_deeper_activation", taken)
        new = _rebuilt(like, {("name",): name})
        _give_functions(like, new)
        made["activation"] = rules.ParametricActivation(new, name=name, dtype=new.dtype_policy) if parametric else new
    for new in made.values():
        new.supports_masking |= block.end.supports_masking
    return made


def _sides(kernel_size, old):
    sides = tuple(kernel_size) if np.iterable(kernel_size) else (kernel_size,) * len(old.kernel_size)
    if len(sides) != len(old.kernel_size):
        raise Net2NetError(
            f"kernel_size: expected one integer or {len(old.kernel_size)} behind layer {old.name!r}, got {kernel_size}"
        )
    return tuple(w.check_width("kernel_size", side, 1) for side in sides)


def _free_name(name, taken):
    """`name`, or the first of name_2, name_3, ... that no layer has."""
    free = next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(taken) + 3))) if n not in taken)
    taken.add(free)
    return free


def _set_identity(layer):
    if isinstance(layer, kl.Dense):
        kernel, bias = w.deeper2net_fc(layer.units, layer.kernel.numpy().dtype)
    else:
        kernel, bias = w.deeper2net_conv2d(layer.kernel.numpy())
        if layer.padding == "causal":  # a position sees itself and those before: the tap is the last
            side = len(kernel)
            kernel = np.roll(kernel, side - 1 - (side - 1) // 2, axis=0)
    layer.set_weights([kernel, bias] if layer.use_bias else [kernel])


def _statistics(graph, layers, x):
    """Mean and variance of the channels behind each layer, in one pass over `x` that keeps no layer's outputs."""
    for layer in layers:
        if layer not in graph.model.layers:
            raise Net2NetError(
                f"batch_norm: layer {layer.name!r} is inside a nested model, where statistics are not measured; "
                "leave batch_norm out, or flatten the model"
            )
    model = keras.Model(_input(graph.model), [graph.tensors[layer] for layer in layers])
    means, variances = [[] for _ in layers], [[] for _ in layers]
    try:
        examples = len(keras.tree.flatten(x)[0])
        with _states_kept(graph.model):
            for start in range(0, examples, 32):
                batch = keras.tree.map_structure(operator.itemgetter(slice(start, start + 32)), x)
                for i, values in enumerate(keras.tree.flatten(model.predict_on_batch(batch))):
                    values = values.reshape(len(values), -1, values.shape[-1]).astype("float64")
                    means[i].append(values.mean(axis=1))
                    variances[i].append(values.var(axis=1))
        means, variances = ([np.concatenate(each) for each in kind] for kind in (means, variances))
    except Exception as error:
        wanted = ", ".join(str(tensor.shape) for tensor in graph.model.inputs)
        raise Net2NetError(
            f"x: expected inputs of the teacher, arrays of shape {wanted} with at least one example; on what came it "
            f"cannot be called: {error}"
        ) from error
    # The variance of all is that within the examples and that between them.
    found = [(m.mean(axis=0), v.mean(axis=0) + m.var(axis=0)) for m, v in zip(means, variances, strict=True)]
    for layer, each in zip(layers, found, strict=True):
        if not np.isfinite(each).all():
            raise Net2NetError(
                f"x: what layer {layer.name!r} gives for it is not finite, so it has no mean; look for NaN in x, and "
                "in the teacher's weights"
            )
    return found


@contextlib.contextmanager
def _states_kept(*models):
    """Give recurrent layers back the states that they kept from their last batch, after calls that move them."""
    before = [(state, state.numpy()) for model in models for state in _states(model)]
    try:
        yield
    finally:
        for state, values in before:
            state.assign(values)


def _states(model):
    """The variables in which stateful layers keep what they saw last."""
    layers = model._flatten_layers()
    states = [state for layer in layers for state in keras.tree.flatten(getattr(layer, "states", None))]
    return [state for state in states if hasattr(state, "assign")]


def _undo(batch_norm, mean, variance):
    """Give a batch normalization the statistics of what it will meet, and the scale and shift that undo them."""
    batch_norm.set_weights([np.sqrt(variance + batch_norm.epsilon), mean, mean, variance])


def _check_undone(teacher, student, x):
    """Refuse what is behind a new batch normalization and turns its rounding into a difference, as a step does."""
    few = keras.tree.map_structure(operator.itemgetter(slice(32)), x)
    rounding = {"float64": 1e-8, "float32": 1e-3}
    # Inputs, and models, compute nothing by themselves: their type is what is set when they are made.
    layers = [layer for layer in teacher._flatten_layers() if not isinstance(layer, (kl.InputLayer, keras.Model))]
    limit = max(rounding.get(layer.compute_dtype, 0.1) for layer in layers)
    with _states_kept(teacher, student):
        for state, its in zip(_states(teacher), _states(student), strict=True):
            its.assign(state)
        for left, right in zip(*(_outputs(model, few) for model in (teacher, student)), strict=True):
            largest, gap = np.abs(left).max(), np.abs(left - right).max()
            if gap > limit * largest:
                raise Net2NetError(
                    "batch_norm: a new normalization undoes itself up to rounding, and what stands behind it turns "
                    f"rounding into a difference of {gap:.2g}, beside a largest output of {largest:.2g}, as a step, a "
                    "comparison or a Masking may; leave batch_norm out, or name other layers in `after`"
                )


# What wider and deeper share


def _student(teacher, placed, settings=lambda layer: {}, **how):
    """Clone a teacher, some settings replaced; `placed` gives each weight's array, from the old weight and the new."""
    pairs, made = {}, {}

    def copy(layer):
        pairs[layer] = new = _rebuilt(layer, settings(layer))
        if isinstance(new, kl.Layer):  # of these, settings do not tell
            new.supports_masking, new.autocast = layer.supports_masking, layer.autocast
        for part in _parts(new):
            part.add_weight = _without_drawing(part.add_weight)
        return new

    student = _clone(teacher, copy, made=made, **how)
    # A model hands its flag on to its layers, and a layer to its parts and weights: so the outer ones come first.
    for old, new in [(teacher, student), *reversed(made.items())]:
        for part, its in [(old, new)] if g.is_graph(old) else _part_pairs(old, new):
            its.trainable = part.trainable
    for news in how.get("behind", {}).values():
        for new in news:
            new.trainable = True
    for old, new in pairs.items():
        for old_weight, new_weight in _weight_pairs(old, new):
            array = placed(old_weight, new_weight)
            if array.shape != tuple(new_weight.shape):
                mend = "mend its rule, or its get_config"
                if getattr(old, "lora_enabled", False) or getattr(old, "quantization_mode", None):
                    mend = "weights of LoRA or quantization cannot follow; let the model grow first"
                raise Net2NetError(
                    f"layer {old.name!r}: its rule gives weight {old_weight.name!r} the shape {array.shape}, the "
                    f"new layer wants {tuple(new_weight.shape)}; {mend}"
                )
            new_weight.assign(array)
            new_weight.trainable = old_weight.trainable
        for part in _parts(new):
            vars(part).pop("add_weight", None)
        _give_functions(old, new)
        _settle(new)
    return student


def _give_functions(old, new):
    """Give the parts of a layer the functions of the old one's: by a name alone, Keras may have found its own."""
    for part, its in _part_pairs(old, new):
        alike = [weight.shape for weight in part.weights] == [weight.shape for weight in its.weights]
        for key, function in _live(part, vars(part)).items():
            setattr(its, key, function if alike or not _holds_array(function) else keras.initializers.Zeros())
        for key, found in list(vars(its).items()):
            if isinstance(found, FunctionType) and not hasattr(type(its), key):  # else one of Keras' own wrappers
                function = vars(part).get(key)
                if isinstance(function, FunctionType) and (found.__module__ or "").startswith("keras."):
                    setattr(its, key, function)


def _holds_array(initializer):
    """Whether an initializer has a value for each weight, and so serves one shape alone."""
    return isinstance(initializer, keras.initializers.Constant) and np.size(initializer.value) > 1


def _settle(layer):
    """Let Normalization, which computes with a copy of its statistics, make that copy from those it has now."""
    for part in _parts(layer):
        if hasattr(part, "finalize_state"):
            part.finalize_state()


def _is_settled(normalization):
    """Whether Normalization computes with the statistics in its weights."""
    if normalization.input_mean is not None or not normalization.built:
        return True
    pairs = (normalization.adapt_mean, normalization.mean), (normalization.adapt_variance, normalization.variance)
    pairs = (map(keras.ops.convert_to_numpy, pair) for pair in pairs)
    return all(np.array_equal(weight.ravel().astype(used.dtype), used.ravel()) for weight, used in pairs)


def _parts(layer):
    """A layer and the layers inside it; an operation has none."""
    return layer._flatten_layers() if isinstance(layer, kl.Layer) else ()


def _without_drawing(add_weight):
    """Let matrices begin as zeros: what they would draw is thrown away, but takes time, and memory until then."""

    def add(shape=None, initializer=None, *args, **kwargs):
        zeros = np.size(shape) > 1 or _holds_array(initializer)
        return add_weight(shape, "zeros" if zeros else initializer, *args, **kwargs)

    return add


def _rebuilt(layer, settings=None):
    """A new layer from the settings of an old one, some of them replaced: {path in its config: value}."""
    for part in _parts(layer):
        if hasattr(part, "load_assets") or (isinstance(part, kl.Discretization) and part.num_bins):
            raise Net2NetError(
                f"layer {part.name!r} ({type(part).__name__}) keeps a table outside its weights, which cannot be "
                "carried over; apply it before the model"
            )
        if isinstance(part, kl.Normalization) and not _is_settled(part):
            raise Net2NetError(
                f"layer {part.name!r} (Normalization) computes with other statistics than stand in its weights, as "
                "after set_weights; call its finalize_state() first"
            )
    known = {getattr(f, "__name__", ""): f for part in _parts(layer) for f in _live(part, vars(part)).values()}
    known |= {type(part).__name__: type(part) for part in _parts(layer) if not hasattr(kl, type(part).__name__)}
    with _naming(layer), keras.saving.custom_object_scope(known):
        config = layer.get_config()
        config |= _live(layer, config)
        _forget_shapes(config)
        for path, value in (settings or {}).items():
            _set(config, path, value)
        return type(layer).from_config(config)


def _forget_shapes(config):
    """Take out of a wrapper's settings that what it holds was built for the teacher's widths."""
    for inner in (config.get("layer"), config.get("backward_layer")):
        if isinstance(inner, dict):
            inner.pop("build_config", None)
            _forget_shapes(inner["config"])


@contextlib.contextmanager
def _naming(layer):
    """Say which layer it is that fails: it may be the user's, and fail in any way."""
    try:
        yield
    except Exception as error:
        raise Net2NetError(
            f"layer {layer.name!r} ({type(layer).__name__}) cannot be rebuilt from its settings: {error}. It needs a "
            "get_config and from_config that agree; a Lambda is better written as a layer or as keras.ops"
        ) from error


def _live(layer, keys):
    """The functions that a layer holds under these names: by its own name alone, a user's could not be found."""
    live = {key: getattr(layer, key, None) for key in keys if key.endswith(_FUNCTIONS)}
    return {key: value for key, value in live.items() if callable(value) and not isinstance(value, kl.Layer)}


_FUNCTIONS = ("activation", "initializer", "regularizer", "constraint")


def _clone(model, copy, shape=lambda x: x.shape, behind=None, made=None):
    """Rebuild a model from copies of its layers, for inputs of other shapes, with new layers behind some of them."""
    behind = {} if behind is None else behind
    made = {} if made is None else made  # old -> new, across nested models, so that what was shared stays shared
    extras = {}  # id of a copy -> the new layers behind it

    def copied(layer):
        if layer not in made:
            made[layer] = _clone(layer, copy, shape, behind, made) if g.is_graph(layer) else copy(layer)
        extras[id(made[layer])] = behind.get(layer, ())
        return made[layer]

    def call(new, *args, **kwargs):
        outputs = new(*args, **kwargs)
        for extra in extras[id(new)]:
            outputs = extra(outputs)
        return outputs

    def source(x):
        origin = x._keras_history.operation
        flags = ("optional", "sparse", "ragged")
        flags = {flag: True for flag in flags if getattr(origin, flag, False) or getattr(x, flag, False)}
        return keras.Input(batch_shape=shape(x), dtype=x.dtype, name=getattr(origin, "name", x.name), **flags)

    if isinstance(model, keras.Sequential):
        layers = [new for layer in model.layers for new in (copied(layer), *behind.get(layer, ()))]
        return keras.Sequential([source(model.inputs[0]), *layers], name=model.name)
    # A compiled model would be compiled by clone_model, which fails on losses and metrics of the user's own.
    bare = keras.Model(model.input, model.output, name=model.name)
    inputs = keras.tree.map_structure(source, model.input)
    return keras.models.clone_model(bare, inputs, clone_function=copied, call_function=call)


def _part_pairs(old, new):
    """The layers inside a layer and inside its copy, themselves included, which come in the same order."""
    if len(parts := list(_parts(old))) != len(copies := list(_parts(new))):
        raise Net2NetError(
            f"layer {old.name!r} has {len(parts)} layers inside, but a new one with its settings has {len(copies)}; "
            "mend its get_config"
        )
    return zip(parts, copies, strict=True)


def _weight_pairs(old, new):
    """The variables of a layer and of its copy, which come in the same order."""
    old_weights, new_weights = getattr(old, "weights", []), getattr(new, "weights", [])
    if len(old_weights) != len(new_weights):
        raise Net2NetError(
            f"layer {old.name!r} has {len(old_weights)} weights, but a new one with its settings has "
            f"{len(new_weights)}; weights that the settings do not tell of (LoRA, quantization) cannot be carried over"
        )
    return zip(old_weights, new_weights, strict=True)


def _set(config, path, value):
    """Set one entry of a nested config; a tuple on the way is replaced by a list."""
    key, *rest = path
    if rest:
        config[key] = list(config[key]) if isinstance(config[key], tuple) else config[key]
        _set(config[key], rest, value)
    else:
        config[key] = value


def _compiled_alike(teacher, student):
    if not teacher.compiled:
        return student
    # get_compile_config() turns functions into names that a loss of the user's own cannot be found by.
    given = dict(teacher._compile_config.config)
    try:
        for key in ("metrics", "weighted_metrics"):
            given[key] = keras.tree.map_structure(_fresh, given[key])
        optimizer = _fresh(teacher.optimizer)
        _exclude_alike(teacher, optimizer, student)
        student.compile(**given | {"optimizer": optimizer})
    except Exception as error:  # an optimizer or metric may be the user's, and fail in any way
        warnings.warn(
            f"the student is not compiled, because the teacher's settings cannot be copied: {error}", stacklevel=3
        )
    return student


def _exclude_alike(teacher, optimizer, student):
    """Take the same weights out of weight decay, of which an optimizer's settings do not tell."""
    old, new = (getattr(each, "inner_optimizer", each) for each in (teacher.optimizer, optimizer))
    keys, pattern = (getattr(old, f"_exclude_from_weight_decay{kind}", None) for kind in ("", "_pattern"))
    if keys is not None:
        paths = {weight.path for weight in teacher.weights if old._var_key(weight) in keys}
        weights = [weight for weight in student.weights if weight.path in paths]
        new.exclude_from_weight_decay(weights, [pattern.pattern] if pattern else None)


def _fresh(value):
    """A copy without state of an optimizer or metric; a name or function as it is."""
    if not hasattr(value, "get_config"):
        return value
    function = getattr(value, "_fn", None)  # of a metric that wraps one
    with keras.saving.custom_object_scope({function.__name__: function} if function else {}):
        return type(value).from_config(value.get_config())


# Weights by name


class CopyReport(NamedTuple):
    """What `copy_weights` did: names copied, and names left out with the reason."""

    copied: list
    left_out: dict

    def __str__(self):
        lines = [f"copied    {name}" for name in self.copied]
        return "\n".join(lines + [f"left out  {name}: {why}" for name, why in self.left_out.items()])


def copy_weights(teacher, student, layer_names):
    """Copy the weights of the named layers from teacher to student, where their shapes agree.

    Parameters
    ----------
    teacher, student : keras.Model
        Only the student is changed.
    layer_names : list of str
        Layers that both models have.

    Returns
    -------
    CopyReport
        ``copied``, a list of names, and ``left_out``, {name: reason}. Prints as a list.

    Raises
    ------
    Net2NetError
        If one of the two is no model, or `layer_names` no list of names.

    Examples
    --------
    >>> def model(classes):
    ...     layers = [keras.layers.Dense(8, name="a"), keras.layers.Dense(classes, name="b")]
    ...     return keras.Sequential([keras.Input((4,)), *layers])
    >>> teacher, student = model(2), model(3)
    >>> print(copy_weights(teacher, student, ["a", "b"]))
    copied    a
    left out  b: shapes differ, teacher (8, 2) (2,), student (8, 3) (3,)
    """
    _check_models(teacher=teacher, student=student)
    if isinstance(layer_names, str):
        raise Net2NetError(
            f"layer_names: expected a list of names, got the string {layer_names!r}; write [{layer_names!r}]"
        )
    if not np.iterable(layer_names):
        raise Net2NetError(f"layer_names: expected a list of names, got {layer_names!r}")
    report = CopyReport([], {})
    of = {
        who: {layer.name: layer for layer in model.layers}
        for who, model in (("teacher", teacher), ("student", student))
    }
    for name in layer_names:
        missing = [who for who in of if name not in of[who]]
        if missing:
            report.left_out[name] = f"the {' and the '.join(missing)} has no layer of this name"
            continue
        weights, here = of["teacher"][name].get_weights(), of["student"][name].get_weights()
        shapes, wanted = ([a.shape for a in arrays] for arrays in (weights, here))
        if not weights and not here:
            report.left_out[name] = "it has no weights"
        elif shapes != wanted:
            told = ("teacher", *shapes), ("student", *wanted)
            report.left_out[name] = "shapes differ, " + ", ".join(" ".join(map(str, each)) for each in told)
        else:
            of["student"][name].set_weights(weights)
            _settle(of["student"][name])
            report.copied.append(name)
    return report


# Are they the same function?


def function_gap(teacher, student, x=None):
    """The largest absolute difference between the outputs of two models.

    Parameters
    ----------
    teacher, student : keras.Model
        Models with the same inputs and outputs.
    x : array, or list or dict of arrays, optional
        Inputs for both, batch first. If left out, 16 are drawn to fit the teacher: standard normal, or integers that
        its Embedding layers know.

    Returns
    -------
    float
        In the outputs' own unit; NaN if an output is NaN. Compare it with the outputs' size: 1e-12 of the largest is
        exact in float64, 1e-5 in float32.

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
    _check_models(teacher=teacher, student=student)
    if x is None:
        x = example_inputs(teacher)
    with _states_kept(teacher, student):
        left, right = (_outputs(model, x) for model in (teacher, student))
    if [y.shape for y in left] != [y.shape for y in right]:
        raise Net2NetError(
            f"student: expected outputs of shape {', '.join(str(y.shape) for y in left)}, as the teacher's, "
            f"got {', '.join(str(y.shape) for y in right)}"
        )
    return float(np.max([np.abs(a - b).max() for a, b in zip(left, right, strict=True)]))


def _check_models(**models):
    for argument, model in models.items():
        if not isinstance(model, keras.Model):
            raise Net2NetError(f"{argument}: expected a keras.Model, got {model!r}")


def _outputs(model, x):
    """What a model gives in inference, as a list of arrays in float64."""
    if empty := [np.shape(a) for a in keras.tree.flatten(x) if np.size(a) == 0]:
        raise Net2NetError(f"x: expected at least one example, got an array of shape {empty[0]}")
    try:
        outputs = [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(x, training=False))]
    except Exception as error:  # a layer may be the user's, and fail in any way
        raise Net2NetError(f"x: model {model.name!r} cannot be called on it: {error}") from error
    return [y.astype("float64") for y in outputs]


def example_inputs(model, batch=16, length=32, seed=0):
    """Draw inputs that fit a model, in the structure that it takes; unknown sides get `length`."""
    if not g.has_inputs(model):
        why = "is not built" if g.is_graph(model) else "hides its graph"
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

    return keras.tree.map_structure(draw, _input(model))


def _input(model):
    """The inputs of a model, in the structure that it takes."""
    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input

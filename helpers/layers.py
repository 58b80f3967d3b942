"""One short rule for each kind of layer: how its weights follow the mappings of its inputs and outputs.

A *row* describes the channels of a tensor, the entries of its last axis: which group of units each comes from, in
order. A rule reads the rows that enter a layer and answers with a `Plan`: the row that leaves it, which row each
axis of each weight follows, and which settings are the width of a row. It draws nothing and places nothing; the rooms
above do that, the same way for every layer.

A layer of your own gets a rule by `register_rule`.
"""

from functools import lru_cache, wraps
from math import prod
from types import FunctionType
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl

from helpers.weights import Net2NetError


class Outputs(NamedTuple):
    """An axis of a weight that counts a layer's outputs: copies repeat their unit's entries."""

    row: tuple


class Inputs(NamedTuple):
    """An axis of a weight that counts a layer's inputs: copies divide their unit's entries between them."""

    row: tuple


class Plan(NamedTuple):
    """What a rule says of one call of a layer.

    out : the row that leaves, or a list of them where the layer has several outputs
    weights : pairs (variable, axes); axes name the last axes of the variable, each `Outputs`, `Inputs` or None
    settings : {path in the layer's config, as a tuple: the row whose width stands there}
    """

    out: tuple | list
    weights: tuple | list = ()
    settings: dict = {}


RULES = {}


def register_rule(layer_class):
    """Register the decorated function as the rule of a layer class of your own.

    The function gets the layer and a call, and returns a `Plan`. ``call.x`` is the row of the first input,
    ``call.xs`` the rows of all, ``call.named(name)`` those that enter under a name, ``call.shapes`` their shapes,
    ``call.out_shapes`` those of the outputs. ``call.open(width)`` makes a new row, ``call.tie(a, b)`` says that two
    rows must widen alike, ``call.pin(row, reason)`` that one must not widen, ``call.balance(row, name)`` that its units
    need equally many copies, ``call.limit(row, reason)`` that it can take copies but not channels of any values, as
    'zeropad' makes them.

    A rule holds for the class itself, not for classes derived from it: they may compute something else.

    Parameters
    ----------
    layer_class : type
        A subclass of keras.layers.Layer.

    Returns
    -------
    callable
        The decorator, which returns the function as it is.

    Raises
    ------
    Net2NetError
        If `layer_class` is no class of layers.

    Examples
    --------
    A layer that multiplies each channel by a weight of its own:

    >>> class Scale(keras.layers.Layer):
    ...     def build(self, shape):
    ...         self.scale = self.add_weight(shape=(shape[-1],), initializer="ones")
    ...     def call(self, x):
    ...         return x * self.scale
    >>> @register_rule(Scale)
    ... def scale(layer, call):
    ...     return Plan(call.x, weights=[(layer.scale, (Outputs(call.x),))])
    """

    if not (isinstance(layer_class, type) and issubclass(layer_class, keras.layers.Layer)):
        raise Net2NetError(f"layer_class: expected a subclass of keras.layers.Layer, got {layer_class!r}")

    def register(rule):
        RULES[layer_class] = rule
        return rule

    return register


def _rule(*names):
    """Register a rule for the Keras layers of these names; a name that this Keras does not have yet is passed over."""

    def register(rule):
        RULES.update({getattr(kl, name): rule for name in names if hasattr(kl, name)})
        return rule

    return register


def plan_call(layer, call):
    """Ask the rule of `layer`; what has no rule, or holds its channels elsewhere than last, may not be widened."""
    if isinstance(layer, keras.layers.Layer):
        rule = RULES.get(type(layer)) or _APPLICATIONS.get((type(layer).__module__, type(layer).__name__))
        reason = f"layer {layer.name!r} ({type(layer).__name__}) has no rule; see helpers.layers.register_rule"
    else:
        rule, reason = _operation, None
    if getattr(layer, "data_format", None) == "channels_first":
        rule, reason = None, f"layer {layer.name!r} has its channels first; build it with data_format='channels_last'"
    if rule is None:
        return frozen(call, reason)
    return rule(layer, call)


def frozen(call, reason):
    """The plan of a call that must stay as it is, and so must all that enters it."""
    for x in call.xs:
        call.pin(x, reason)
    outs = [call.open(shape[-1] if shape else None) for shape in call.out_shapes]
    for out in outs:
        call.pin(out, reason)
    return Plan(outs)


def probe(function):
    """The same function, to be called on numbers, without a trace in a layer; a copy where a call would build it."""
    if not isinstance(function, keras.layers.Layer):
        return function
    if not function.built:
        return type(function).from_config(function.get_config())

    def ask(x):
        with keras.StatelessScope():
            return function(x)

    return ask


def remembered(ask):
    """Ask about each of Keras' own activations once; any other may have another answer next time."""
    cached = lru_cache(maxsize=256)(ask)

    @wraps(ask)
    def answer(function, shape, *more):
        own = isinstance(function, FunctionType) and (function.__module__ or "").startswith("keras.")
        return cached(function, (None, 8), *more) if own else ask(function, shape, *more)

    return answer


@remembered
def is_unitwise(function, shape):
    """Ask an activation on numbers whether each unit's value depends on that unit alone, by one rule for all."""
    v = np.random.default_rng(0).normal(scale=3, size=small(shape)).astype("float32")
    others = v.copy()
    others[..., 1::2] = np.random.default_rng(1).normal(scale=300, size=others[..., 1::2].shape)
    try:
        before, after = (_answers(lambda x: probe(function)(x), [x])[0][..., ::2] for x in (v, others))
        alone = np.allclose(before.astype(float), after.astype(float), rtol=1e-4, atol=1e-5, equal_nan=True)
    except Exception:  # it may be the user's, and fail in any way
        return False
    return alone and _keeps_copies(lambda x: probe(function)(x), [v], v.shape[-1], atol=1e-5, equal_nan=True)


@remembered
def is_defined_everywhere(function, shape, dtype):
    """Ask an activation on numbers whether what it gives is finite; a logarithm, say, fails, or an exponential."""
    return is_defined(probe(function), [np.random.default_rng(0).normal(scale=3, size=small(shape)).astype(dtype)])


@remembered
def is_bounded(function, shape):
    """Ask an activation on numbers whether what it gives stays small, whatever comes."""
    ends = np.resize([-1e6, 1e6], small(shape)).astype("float32")
    try:
        return all((np.abs(y.astype(float)) <= 100).all() for y in _answers(probe(function), [ends]))
    except Exception:  # it may be the user's, and fail in any way
        return False


def is_defined(function, arrays):
    """Ask a function on numbers, some of them 0 and some large, whether what it gives is finite."""
    asked = []
    for a in arrays:
        turn = np.arange(a.size).reshape(a.shape) % 10
        large = 0 if a.dtype.kind in "biu" else 100 if a.dtype.itemsize == 2 else 1000
        ends = {0: 0, 5: 0, 3: large, 8: -large}
        asked.append(np.select([turn == at for at in ends], list(ends.values()), a).astype(a.dtype))
    try:
        return all(np.isfinite(y.astype(float)).all() for y in _answers(function, asked))
    except Exception:  # it may be the user's, and fail in any way
        return False


def small(shape):
    """A shape like this one that numbers can be drawn for: all of its channels, and of all else a few."""
    return 5, *(min(side or 3, 3) for side in shape[1:-1]), shape[-1] or 8


def _answers(function, arrays):
    """What a function gives for arrays, as a list of arrays."""
    outs = function(*map(keras.ops.convert_to_tensor, arrays))
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(outs)]


def _keeps_copies(function, arrays, width, **tolerance):
    """Ask a function on numbers: do copies of the channels that enter come out as copies of those that leave?"""
    # Unequally many copies, since means may be kept by equally many; and in another order.
    mapping = np.array([*range(width), *reversed(range(width)), *[0] * (width + 1)])
    copies = [a[..., mapping] if a.shape[-1:] == (width,) else a for a in arrays]
    try:
        before, after = (_answers(function, each) for each in (arrays, copies))
        copied = [y[..., mapping] for y in before if y.shape[-1] == width and y.size]
        return [y.shape for y in copied] == [y.shape for y in after] and all(
            np.allclose(y.astype(float), z.astype(float), rtol=1e-4, **tolerance)
            for y, z in zip(copied, after, strict=True)
        )
    except Exception:  # it may be the user's, and fail in any way, or take no other number of channels
        return False


def _check_activation(layer, call, row, *names):
    shape = (*call.out_shapes[0][:-1], sum(units.width * run for units, run in row) or None)
    for name in names or ("activation",):
        function = getattr(layer, name, None)
        if function is None or function is keras.activations.linear:
            continue
        label = getattr(function, "__name__", type(function).__name__)
        if not is_unitwise(function, shape):
            call.pin(
                row, f"layer {layer.name!r}: its {name} {label!r} mixes channels, so copies would change its values"
            )
        elif not is_defined_everywhere(function, shape, layer.compute_dtype):
            call.limit(row, f"the {name} of layer {layer.name!r} is not finite for all")


def _present(*pairs):
    """Weights that the layer has: leaves out a bias that is None."""
    return [(variable, axes) for variable, axes in pairs if variable is not None]


def _every_weight(layer, row):
    return [(variable, (Outputs(row),)) for variable in layer.weights]


def _each(row, times):
    """The row in which every channel of `row` stands `times` times running."""
    return tuple((group, run * times) for group, run in row)


# Layers that make channels


@_rule("Dense")
def _dense(layer, call):
    out = call.open(layer.units)
    _check_activation(layer, call, out)
    weights = _present((layer.kernel, (Inputs(call.x), Outputs(out))), (layer.bias, (Outputs(out),)))
    return Plan(out, weights, {("units",): out})


@_rule("Conv1D", "Conv2D", "Conv3D")
def _convolution(layer, call):
    x, g, inputs = call.x, layer.groups, call.shapes[0][-1]
    if g == inputs > 1:  # depthwise: each channel by itself, so that there are as many groups as channels
        out = _each(x, layer.filters // g)
        settings, kernel = {("filters",): out, ("groups",): x}, (Outputs(out),)
    else:
        if g > 1:  # each group sees its own run of the channels; one mapping for all runs keeps them equally long
            x = call.open(inputs // g)
            call.tie(call.x, x * g)
        out = call.open(layer.filters // g) * g
        settings, kernel = {("filters",): out}, (Inputs(x), Outputs(out))
    _check_activation(layer, call, out)
    return Plan(out, _present((layer.kernel, kernel), (layer.bias, (Outputs(out),))), settings)


@_rule("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def _transposed_convolution(layer, call):
    out = call.open(layer.filters)
    _check_activation(layer, call, out)
    weights = _present((layer.kernel, (Outputs(out), Inputs(call.x))), (layer.bias, (Outputs(out),)))
    return Plan(out, weights, {("filters",): out})


@_rule("DepthwiseConv1D", "DepthwiseConv2D")
def _depthwise_convolution(layer, call):
    out = _each(call.x, layer.depth_multiplier)
    _check_activation(layer, call, out)
    return Plan(out, _present((layer.kernel, (Outputs(call.x), None)), (layer.bias, (Outputs(out),))))


@_rule("SeparableConv1D", "SeparableConv2D")
def _separable_convolution(layer, call):
    out = call.open(layer.filters)
    _check_activation(layer, call, out)
    weights = _present(
        (layer.depthwise_kernel, (Outputs(call.x), None)),
        (layer.pointwise_kernel, (Inputs(_each(call.x, layer.depth_multiplier)), Outputs(out))),
        (layer.bias, (Outputs(out),)),
    )
    return Plan(out, weights, {("filters",): out})


@_rule("Embedding")
def _embedding(layer, call):
    call.pin(call.x, f"it enters the Embedding {layer.name!r} as indices")
    out = call.open(layer.output_dim)
    return Plan(out, _every_weight(layer, out), {("output_dim",): out})


@_rule("SimpleRNN", "LSTM", "GRU")
def _recurrent(layer, call):
    if call.constants & {"sequences", "initial_state"}:
        return frozen(call, f"layer {layer.name!r} is called with a constant, which cannot grow with it")
    cell, out = layer.cell, call.open(layer.units)
    _check_activation(layer, call, out, "activation", "recurrent_activation")
    if not is_bounded(layer.activation, call.out_shapes[0]):
        call.limit(out, f"layer {layer.name!r} feeds them back to themselves, and its activation has no bound")
    gates = out * (cell.kernel.shape[-1] // layer.units)
    for state in call.named("initial_state"):
        call.tie(state, out)
    weights = _present(
        (cell.kernel, (Inputs(call.x), Outputs(gates))),
        (cell.recurrent_kernel, (Inputs(out), Outputs(gates))),
        (cell.bias, (Outputs(gates),)),
    )
    return Plan([out] * len(call.out_shapes), weights, {("units",): out})


@_rule("Bidirectional")
def _bidirectional(layer, call):
    inner = (layer.forward_layer, layer.backward_layer)
    known = all(RULES.get(type(each)) is _recurrent for each in inner) and inner[0].units == inner[1].units
    states = call.named("initial_state") or "initial_state" in call.constants
    if not known or states or len(call.out_shapes) > 1:
        return frozen(
            call,
            f"layer {layer.name!r}: only a Bidirectional SimpleRNN, LSTM or GRU, equal both ways and without states, "
            "has a rule",
        )
    there, back = (plan_call(each, call) for each in inner)
    settings = _nested(there, "layer") | _nested(back, "backward_layer")
    (out,), (other,) = there.out, back.out
    call.tie(out, other)  # also side by side: Keras works out their shape as twice that of one
    return Plan(out * 2 if layer.merge_mode == "concat" else out, [*there.weights, *back.weights], settings)


@_rule("TimeDistributed")
def _time_distributed(layer, call):
    inner = plan_call(layer.layer, call.over_time())
    return Plan(inner.out, inner.weights, _nested(inner, "layer"))


def _nested(plan, key):
    return {(key, "config", *path): row for path, row in plan.settings.items()}


# Keras' addition on TensorFlow takes what squeezes to a vector for a bias, if it is as long as axis 1 or the last.
_BIAS = "Keras may add a vector along another axis once that is as long as the vector"


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


@register_rule(ParametricActivation)
def _parametric_activation(layer, call):
    inner = plan_call(layer.layer, call)
    out = inner.out[0] if isinstance(inner.out, list) else inner.out
    if out is not call.x:  # a layer that makes channels of its own: they are added to those that enter
        call.tie(call.x, out)
    return Plan(out, inner.weights, _nested(inner, "layer"))


@_rule("MultiHeadAttention")
def _attention(layer, call):
    if call.constants & {"query", "value", "key"}:
        return frozen(call, f"layer {layer.name!r} is called with a constant, which cannot grow with it")
    # Heads and values are copied like units.
    (query,), (value,) = call.named("query"), call.named("value")
    (key,) = call.named("key") or [value]
    heads, keys, values = (call.open(width) for width in (layer.num_heads, layer.key_dim, layer.value_dim))
    call.pin(keys, "attention divides by the root of key_dim, which Keras rounds to float32", structural=True)
    if layer._use_bias and 1 in (layer.key_dim, layer.value_dim):
        reason = f"layer {layer.name!r} has a key_dim or value_dim of 1, and then {_BIAS}; build it without bias"
        for row in (heads, values):
            call.pin(row, reason, structural=True)
    out, sides = query, ()  # without an output shape of its own, the layer gives as many channels as the query has
    if layer._output_shape:
        out, sides = call.open(layer._output_shape[-1]), (None,) * (len(layer._output_shape) - 1)
        call.pin(out, f"layer {layer.name!r} fixes its output_shape; build it without one")
    weights = [(layer._output_dense.kernel, (Inputs(heads), Inputs(values), *sides, Outputs(out)))]
    weights += _present((layer._output_dense.bias, (Outputs(out),)))
    for dense, row, inner in (
        (layer._query_dense, query, Outputs(keys)),
        (layer._key_dense, key, Outputs(keys)),
        (layer._value_dense, value, Outputs(values)),
        (getattr(layer, "_gate_dense", None), query, Outputs(values)),
    ):
        if dense:
            weights += _present((dense.kernel, (Inputs(row), Outputs(heads), inner)))
            weights += _present((dense.bias, (Outputs(heads), inner)))
    settings = {("num_heads",): heads, ("key_dim",): keys, ("value_dim",): values}
    if len(call.out_shapes) == 1:
        return Plan(out, weights, settings)
    scores = call.open(call.out_shapes[1][-1])
    for row in (scores, heads):
        call.pin(row, f"layer {layer.name!r} also gives its attention scores, one for each head")
    return Plan([out, scores], weights, settings)


# Layers that pass channels on, each by itself


@_rule(
    *(f"{kind}Pooling{d}D" for kind in ("Max", "Average") for d in (1, 2, 3)),
    *(f"{how}{kind}Pooling{d}D" for how in ("Global", "Adaptive") for kind in ("Max", "Average") for d in (1, 2, 3)),
    *(f"{kind}{d}D" for kind in ("ZeroPadding", "Cropping", "UpSampling", "SpatialDropout") for d in (1, 2, 3)),
    *("Dropout", "GaussianDropout", "GaussianNoise", "AlphaDropout", "ActivityRegularization", "Identity"),
    *("ReLU", "LeakyReLU", "ELU", "RepeatVector"),
)
def _unitwise(layer, call):
    if (getattr(layer, "noise_shape", None) or [None])[-1] not in (None, 1):
        call.pin(call.x, f"layer {layer.name!r} names the number of channels in its noise_shape")
    return Plan(call.x)


@_rule("Masking")
def _masking(layer, call):
    if np.size(layer.mask_value) > 1:
        call.pin(call.x, f"layer {layer.name!r} has a mask value for each channel")
    else:
        value = float(np.ravel(layer.mask_value)[0])
        call.limit(call.x, f"layer {layer.name!r} asks whether all of a position's are {value:g}")
    return Plan(call.x)


@_rule("Activation")
def _activation(layer, call):
    _check_activation(layer, call, call.x)
    return Plan(call.x)


@_rule("Softmax")
def _softmax(layer, call):
    if _over_channels(layer, call):
        call.pin(call.x, f"layer {layer.name!r}: softmax over channels mixes them, so copies would change its values")
    return Plan(call.x)


@_rule("PReLU")
def _prelu(layer, call):
    # One slope serves all channels; Keras takes axis 0, that of the examples, for the last.
    shared = {0, len(call.shapes[0]) - 1} & set(layer.shared_axes or ())
    return Plan(call.x, [] if shared else _every_weight(layer, call.x))


@_rule("Rescaling")
def _rescaling(layer, call):
    if np.size(layer.scale) > 1 or np.size(layer.offset) > 1:
        call.pin(call.x, f"layer {layer.name!r} has a scale or offset for each channel")
    return Plan(call.x)


# Normalization


@_rule("Normalization")
def _normalization(layer, call):
    if np.size(layer.input_mean) > 1:
        call.pin(call.x, f"layer {layer.name!r} has a mean and variance for each channel among its settings")
    own = layer.input_mean is None and _over_channels(layer, call)
    return Plan(call.x, _every_weight(layer, call.x)[:2] if own else ())  # the third counts what was seen


@_rule("UnitNormalization")
def _unit_normalization(layer, call):
    if _over_channels(layer, call):
        call.pin(call.x, f"layer {layer.name!r} divides by a norm over the channels, which copies would change")
    return Plan(call.x)


@_rule("BatchNormalization")
def _batch_normalization(layer, call):
    if not _is_last(layer.axis, call):
        return frozen(call, f"layer {layer.name!r} normalizes axis {layer.axis}, not the channels, which come last")
    return Plan(call.x, _every_weight(layer, call.x))


@_rule("LayerNormalization", "RMSNormalization")
def _layer_normalization(layer, call):
    if not _over_channels(layer, call):
        return frozen(call, f"layer {layer.name!r} normalizes axis {layer.axis} without the channels, which come last")
    if isinstance(layer.axis, list) and not _is_last(layer.axis[-1], call):
        return frozen(call, f"layer {layer.name!r} names its axes in an order that puts the channels first; count up")
    call.balance(call.x, layer.name)
    return Plan(call.x, _every_weight(layer, call.x))


@_rule("GroupNormalization")
def _group_normalization(layer, call):
    width = call.shapes[0][-1]
    if not _is_last(layer.axis, call):
        return frozen(call, f"layer {layer.name!r} normalizes axis {layer.axis}, not the channels, which come last")
    if layer.groups == width:  # every channel by itself
        return Plan(call.x, _every_weight(layer, call.x), {("groups",): call.x})
    # Widened by one whole factor, the runs that are normalized together keep their members and their statistics.
    runs = sum((call.open(width // layer.groups) for _ in range(layer.groups)), ())
    call.tie(call.x, runs)
    call.balance(runs, layer.name)
    return Plan(runs, _every_weight(layer, runs))


def _is_last(axis, call):
    return axis % len(call.shapes[0]) == len(call.shapes[0]) - 1


def _over_channels(layer, call):
    axes = layer.axis if isinstance(layer.axis, (list, tuple)) else [layer.axis]
    return any(_is_last(axis, call) for axis in axes)


# Layers that change the shape


@_rule("Flatten")
def _flatten(layer, call):
    positions = call.shapes[0][1:-1]
    if None in positions or len(call.shapes[0]) < 2:
        return frozen(call, f"layer {layer.name!r} flattens an axis of unknown length")
    return Plan(call.x * prod(positions))


@_rule("Reshape")
def _reshape(layer, call):
    return _reshaped(call, layer.name, ("target_shape", len(layer.target_shape) - 1))


def _reshaped(call, name, setting):
    before, after = call.shapes[0][-1], call.out_shapes[0][-1]
    if before and after and after % before == 0:  # positions are drawn into the channels, as in Flatten
        out = call.x * (after // before)
    elif before and after and before % after == 0:  # channels become positions: each must carry the same mapping
        out = call.open(after)
        call.tie(call.x, out * (before // after))
    else:
        return frozen(call, f"{name!r} reshapes {call.shapes[0]} to {call.out_shapes[0]} across the channels")
    return Plan(out, settings={setting: out})


@_rule("Permute")
def _permute(layer, call):
    if layer.dims[-1] != len(layer.dims):
        return frozen(call, f"layer {layer.name!r} moves the channels from the last axis")
    return Plan(call.x)


# Merges


@_rule("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")
def _merge(layer, call):
    """Full rows widen alike; a single channel is broadcast over many, and must stay single."""
    widths = [shape[-1] if shape else None for shape in call.shapes]
    if isinstance(layer, kl.Layer) and call.has_array:
        return frozen(call, f"layer {layer.name!r} merges channels with an array, which cannot grow with them")
    if None in widths or any(max(widths) != shape[-1] for shape in call.out_shapes):
        return frozen(call, f"{layer.name!r} merges tensors whose channels are not known or not its own")
    if type(layer).__name__ in ("Add", "Average") and _takes_for_bias(call.shapes):
        return frozen(call, f"{layer.name!r} adds tensors of unlike shapes, where {_BIAS}; give them equal shapes")
    full = [x for x, width in zip(call.xs, widths, strict=True) if width == max(widths)]
    for x, width in zip(call.xs, widths, strict=True):
        if width < max(widths):
            call.pin(x, f"its one channel is broadcast over many in {layer.name!r}", structural=True)
    for x in full[1:]:
        call.tie(full[0], x)
    return Plan([full[0]] * len(call.out_shapes))


def _takes_for_bias(shapes):
    """Whether Keras may take a later term for a bias, in some batch or at some width, and add it along a wrong axis."""
    for i, term in enumerate(shapes):
        long = [axis for axis, side in enumerate(term) if side and side > 1]
        vector = len(long) == 1 or (not long and None in term)
        for first in shapes[:i]:
            along_channels = long == [len(term) - 1] and term[-1] == first[-1]
            if vector and first != term and not along_channels:
                return True
    return False


@_rule("Concatenate")
def _concatenate(layer, call):
    if not _is_last(layer.axis, call):
        return _merge(layer, call)
    if sum(shape[-1] for shape in call.shapes) != call.out_shapes[0][-1]:
        return frozen(call, f"{layer.name!r} puts a constant beside the channels")
    return Plan(sum(call.xs, ()))


# Layers that keras.applications keeps to itself, by where they live


def _layer_scale(layer, call):
    return Plan(call.x, _every_weight(layer, call.x), {("projection_dim",): call.x})


_APPLICATIONS = {
    ("keras.src.applications.convnext", "LayerScale"): _layer_scale,
    ("keras.src.applications.convnext", "StochasticDepth"): _unitwise,
    ("keras.src.applications.inception_resnet_v2", "CustomScaleLayer"): _merge,
}


# Operations written into the graph, as in x + y or keras.ops.relu(x)


def _operation(operation, call):
    kind = type(operation).__name__
    if kind == "Concatenate" and _is_last(operation.axis, call):
        return _concatenate(operation, call)
    if kind == "Reshape":
        return _reshaped(call, operation.name, ("newshape", len(operation.newshape) - 1))
    if kind == "Add" and call.has_array:
        return frozen(call, f"the operation Add ({operation.name!r}) takes an array, and {_BIAS}")
    if any(x.dtype == "string" for x in call.tensors):
        return frozen(call, f"the operation {kind} ({operation.name!r}) works on texts")
    numbers, width = _numbers(call)
    if not _keeps_copies(call.on_numbers, numbers, width, equal_nan=True):
        return frozen(
            call, f"the operation {kind} ({operation.name!r}) mixes its channels, or has constants for each of them"
        )
    if not is_defined(call.on_numbers, numbers):
        for x in call.xs:
            call.limit(x, f"operation {operation.name!r} is not finite for all")
    return _merge(operation, call)


def _numbers(call):
    """Numbers that fit the tensors which enter an operation, and how many channels they have."""
    rng, arrays = np.random.default_rng(0), []
    width = max((shape[-1] or 0 for shape in call.shapes if shape), default=0)
    asked = 2 if width == 1 else width  # a flip, say, does nothing to one channel alone, nor to its copies
    for x in call.tensors:
        # More examples than one, and more positions than a slice is likely to leave out.
        shape = [(16 if i else 2) if side is None else side for i, side in enumerate(x.shape)]
        shape[-1:] = [asked if side == width else side for side in shape[-1:]]
        numbers = rng.normal(scale=3, size=shape) if "float" in x.dtype else rng.integers(2, size=shape)
        arrays.append(numbers.astype(x.dtype))
    return arrays, asked


def check_plan(layer, call, plan):
    """Return the plan's rows out, or say that its rule does not describe what the layer gives."""
    outs = plan.out if isinstance(plan.out, list) else [plan.out]
    widths = [sum(group.width * run for group, run in row) for row in outs]
    expected = [shape[-1] if shape else None for shape in call.out_shapes]
    if len(outs) != len(expected) or any(e is not None and w != e for w, e in zip(widths, expected, strict=True)):
        raise Net2NetError(f"the rule of layer {layer.name!r} gives rows of {widths} channels, the layer {expected}")
    return outs

"""New layers that begin as the identity, and what they follow."""

import keras
import numpy as np
from keras import layers as kl

from helpers import building as bd
from helpers import weights as w
from helpers.checks import Net2NetError, check_width

__all__ = ["ParametricActivation", "ResidualBlock"]


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


@keras.saving.register_keras_serializable("helpers")
class ResidualBlock(kl.Layer):
    """x + f(x), with a hidden layer and a last layer whose weights are zero at first: the identity, behind any layer.

    Behind pictures the hidden layer is a convolution, behind all else it is dense; the last one is always dense.

    Parameters
    ----------
    units : int, optional
        Width of the hidden layer; by default that of x.
    activation : str or function
        Of the hidden layer.
    kernel_size : int or tuple of int, optional
        Of the hidden convolution: 3 behind pictures, by default; None behind sequences makes it dense.

    Examples
    --------
    >>> block = ResidualBlock()
    >>> v = np.array([[-2.0, 0.0, 2.0]])
    >>> block(v).numpy()
    array([[-2.,  0.,  2.]], dtype=float32)

    References
    ----------
    He et al. 2016, "Deep Residual Learning"; Goyal et al. 2017 and Zhang et al. 2019 ("Fixup") for zeros at the end.
    """

    def __init__(self, units=None, activation="relu", kernel_size=None, **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation, self.kernel_size = units, keras.activations.get(activation), kernel_size
        self.supports_masking = True

    def build(self, input_shape):
        width, spaces, size = input_shape[-1], len(input_shape) - 2, self.kernel_size
        self.units = self.units or width
        how = {"activation": self.activation, "name": "hidden", "dtype": self.dtype_policy}
        if size is None and spaces < 2:
            self.hidden = kl.Dense(self.units, **how)
        else:
            kind = (kl.Conv1D, kl.Conv2D, kl.Conv3D)[spaces - 1]
            how |= {"padding": "same", "data_format": "channels_last"}
            self.hidden = kind(self.units, size or 3, **how)
        self.last = kl.Dense(width, kernel_initializer="zeros", name="last", dtype=self.dtype_policy)
        self.hidden.build(input_shape)
        self.last.build((*input_shape[:-1], self.units))

    def call(self, x):
        return x + self.last(self.hidden(x))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        activation = keras.activations.serialize(self.activation)
        how = {"units": self.units, "activation": activation, "kernel_size": self.kernel_size}
        return super().get_config() | how


# What follows a layer is a plain convolution where its own kind has no identity of its own.
KINDS = {kl.Dense: kl.Dense} | {
    getattr(kl, name): getattr(kl, f"Conv{d}D")
    for d in (1, 2, 3)
    for name in (f"Conv{d}D", f"Conv{d}DTranspose", f"SeparableConv{d}D", f"DepthwiseConv{d}D")
    if hasattr(kl, name)
}


def new_layers(block, activation, kernel_size, batch_norm, init, rng, name):
    """The new layers behind a block, by what they are for; `name` gives a free name for each."""
    old, linear = block.layer, keras.activations.linear
    follows = linear if activation == "linear" else block.activation
    parametric = activation == "parametric" and follows is not linear
    is_layer = isinstance(follows, kl.Layer)
    apart = is_layer or parametric or (batch_norm and follows is not linear)
    kind = KINDS[type(old)]
    with bd.naming(old):
        config = old.get_config() if type(old) is kind else {"use_bias": old.use_bias}
    config = {key: value for key, value in config.items() if not key.startswith(("lora", "quantization"))}
    config |= bd.live(old, config)
    config |= {key: keras.initializers.Zeros() for key, value in config.items() if bd.holds_array(value)}
    dtype = block.end.dtype_policy  # what enters is of this type, and must not be rounded to a coarser one

    def named(suffix=""):
        return {"name": name(old.name, suffix), "dtype": dtype}

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
        its = name(old.name, "_activation")
        new = made["activation"] = bd.rebuilt(like, bd.settings_of(like) | {"name": its}, draw=True)
        bd.give_functions(like, new)
        if parametric:
            made["activation"] = ParametricActivation(new, name=its, dtype=new.dtype_policy)
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


def set_identity(layer):
    """Give a Dense or convolution layer the weights of the identity."""
    if isinstance(layer, kl.Dense):
        kernel, bias = w.deeper2net_fc(layer.units, layer.kernel.numpy().dtype)
    else:
        kernel, bias = w.deeper2net_conv2d(layer.kernel.numpy())
        if layer.padding == "causal":  # a position sees itself and those before: the tap is the last
            kernel = np.roll(kernel, len(kernel) // 2, axis=0)
    layer.set_weights([kernel, bias] if layer.use_bias else [kernel])

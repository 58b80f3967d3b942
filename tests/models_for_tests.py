"""What the tests of models share: float64, random weights, the gap as a part of the largest output, random graphs."""

import contextlib
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl

from helpers import ParametricActivation
from helpers import reading as rd
from helpers.proof import example_inputs

EXACT = {"float64": 1e-12, "float32": 1e-5}  # gap, as a part of the largest output


@contextlib.contextmanager
def dtype(name):
    """Build models in `name`, and afterwards in what was set before."""
    floatx, policy = keras.config.floatx(), keras.config.dtype_policy()
    keras.config.set_floatx(name)
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_floatx(floatx)
        keras.config.set_dtype_policy(policy)


@pytest.fixture
def float64():
    """The precision that can tell right from nearly right."""
    with dtype("float64"):
        yield


@pytest.fixture
def eagerly():
    """Without graphs: each model would need its own, which takes longer than the few batches that it is given."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


SHARED = {}  # from each model that tests share, and leave as it is, to its traces


def shared(model):
    """Say that nothing will change a model, so that `traced_once` holds for it; return it."""
    SHARED[model] = {}
    return model


@pytest.fixture
def traced_once(monkeypatch):
    """A model that tests share is traced the first time that it is read, and not again for each student."""
    trace = rd.trace

    def once(model, x=None, length=None, batch=rd.BATCH):
        if model not in SHARED or x is not None:
            return trace(model, x, length, batch)
        if (length, batch) not in SHARED[model]:
            SHARED[model][length, batch] = trace(model, x, length, batch)
        return SHARED[model][length, batch]

    monkeypatch.setattr(rd, "trace", once)


def randomize(model, seed=0):
    """Give a model random weights and random batch statistics, none of them at its initial value; return it."""
    rng = np.random.default_rng(seed)
    for layer in model._flatten_layers(include_self=False, recursive=True):
        if type(layer) is kl.Normalization:
            continue  # its weights are statistics that `adapt` has set
        for variable in layer._trainable_variables + layer._non_trainable_variables:
            shape = variable.shape
            if "variance" in variable.name:
                value = rng.uniform(0.5, 2, shape)
            elif variable.name in ("gamma", "scale"):
                value = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
            elif len(shape) > 1:
                depthwise = isinstance(layer, (kl.DepthwiseConv1D, kl.DepthwiseConv2D))
                each = depthwise or "depthwise" in variable.path  # sees its own channel alone
                value = rng.normal(0, (2 / np.prod(shape[: -2 if each else -1])) ** 0.5, shape)
            else:
                value = rng.normal(0, 0.5, shape)
            if "float" in variable.dtype:
                variable.assign(value)
    return model


def outputs(model, x, training=False):
    return [keras.ops.convert_to_numpy(y) for y in keras.tree.flatten(model(x, training=training))]


def relative_gap(teacher, student, x=None, training=False):
    """The largest difference of the outputs, as a part of the teacher's largest; measured here, not by `helpers`."""
    x = example_inputs(teacher) if x is None else x
    before, after = outputs(teacher, x, training), outputs(student, x, training)
    assert [y.shape for y in before] == [y.shape for y in after]
    assert not_trivial(before), "these outputs cannot tell right from wrong"
    size = max(np.abs(y).max() for y in before)
    return max(np.abs(a.astype("float64") - b).max() for a, b in zip(before, after, strict=True)) / size


def not_trivial(ys):
    """Whether outputs are finite, not all zero, and differ between examples: only then a gap of 0 means something."""
    ys = [y.astype("float64") for y in ys]
    return all(np.isfinite(y).all() for y in ys) and any(np.ptp(y, axis=0).max() > 1e-3 * np.abs(y).max() for y in ys)


def snapshot(model):
    """All that widening and deepening must leave alone."""
    return (
        [(v.path, v.trainable, keras.ops.convert_to_numpy(v).tobytes()) for v in model.variables],
        str(model.get_config()),
        [(len(it._inbound_nodes), len(it._outbound_nodes)) for it in model._flatten_layers(include_self=True)],
        model.trainable,
        model.compiled,
    )


# Random graphs


class Builder:
    """Draws a functional model out of the layers that have rules, and a few that have none.

    `rng` is a random.Random; one of Hypothesis' lets a failing graph shrink. `code` tells how the model was made.
    """

    WIDTHS = (1, 2, 3, 4, 4, 6, 8)

    def __init__(self, rng, most_layers=20):
        self.rng, self.left, self.code = rng, most_layers, []
        self.made = []  # layers that may be called again: (layer, shape of its input)
        self.depth = 0

    def pick(self, *options):
        return options[self.rng.randint(0, len(options) - 1)]

    def often(self):
        return self.rng.randint(0, 3) > 0

    def rarely(self):
        return self.rng.randint(0, 5) == 5

    def width(self):
        return self.pick(*self.WIDTHS)

    def activation(self):
        if self.rarely() and self.rarely():
            return "softmax"
        return self.pick("relu", "linear", "tanh", "relu", "sigmoid", "elu", "linear", "swish", "relu6")

    def call(self, layer, *xs, reuse=False):
        """Call a layer and write the call down."""
        self.left -= 1
        config = {k: v for k, v in layer.get_config().items() if not k.endswith(("initializer", "dtype", "trainable"))}
        self.code.append(f"{type(layer).__name__}({config}) on {[tuple(x.shape[1:]) for x in xs]}{' again' * reuse}")
        y = layer(*xs) if len(xs) == 1 or isinstance(layer, kl.MultiHeadAttention) else layer(list(xs))
        if len(xs) == 1 and not reuse and isinstance(y, keras.KerasTensor):
            self.made.append((layer, tuple(xs[0].shape)))
        return y

    def model(self):
        inputs = [self.input() for _ in range(self.pick(1, 1, 2))]
        ends = self.grow([self.enter(x) for x in inputs])
        heads = [self.head(x) for x in ends[-3:]]
        while len(heads) > 1 and self.often():
            merge = self.pick(kl.Add, kl.Concatenate) if heads[-1].shape == heads[-2].shape else kl.Concatenate
            heads[-2:] = [self.call(merge(), *heads[-2:])]
        return keras.Model(inputs if len(inputs) > 1 else inputs[0], heads if len(heads) > 1 else heads[0])

    def input(self):
        shape, kind = self.pick(
            ((5,), None), ((6, 3), None), ((6, 6, 2), None), ((6, 6, 2), None), ((4, 4, 4, 1), None), ((6,), "int32")
        )
        self.code.append(f"Input({shape}, {kind})")
        return keras.Input(shape, dtype=kind)

    def enter(self, x):
        return self.call(kl.Embedding(7, self.width(), mask_zero=self.rarely()), x) if x.dtype == "int32" else x

    def head(self, x):
        if len(x.shape) > 2:
            pool = getattr(kl, f"Global{self.pick('Average', 'Max')}Pooling{len(x.shape) - 2}D")
            x = self.call(self.pick(kl.Flatten, kl.Flatten, pool)(), x)
        return self.call(kl.Dense(3), x)

    def grow(self, ends):
        """Add layers at the open ends until enough are there."""
        for _ in range(self.rng.randint(1, 14)):
            if self.left < 4:
                break
            try:
                self.move(ends, self.rng.randint(0, len(ends) - 1))
            except ValueError as error:  # shapes that do not fit: the builder is simple, and Keras checks them
                self.code.append(f"-- did not fit: {str(error)[:60]!r}")
        return ends

    def move(self, ends, i):
        x = ends[i]
        move = self.pick("layer", "layer", "layer", "layer", "branch", "merge", "again", "nest", "operation")
        if move == "branch":
            ends.append(self.step(x))
        elif move == "merge":
            ends[i] = self.merge(x, self.pick(*range(len(ends))), ends)
        elif move == "again":
            ends[i] = self.again(x)
        elif move == "nest" and self.depth < 2:
            ends[i] = self.nest(x)
        elif move == "operation":
            ends[i] = self.operation(x)
        else:
            ends[i] = self.step(x)

    def again(self, x):
        fitting = [layer for layer, shape in self.made if shape == tuple(x.shape)]
        return self.call(self.pick(*fitting), x, reuse=True) if fitting else self.step(x)

    def nest(self, x):
        """A model within the model, called once or twice."""
        source = keras.Input(x.shape[1:])
        outer, self.made = self.made, []  # what is inside belongs to the inner model
        self.depth += 1
        self.code.append("[")
        if self.pick(True, False):
            layers = []
            y = source
            for _ in range(self.pick(1, 2, 3)):
                layers.append(self.kind(y))
                y = layers[-1](y)
            inner = keras.Sequential([keras.Input(x.shape[1:]), *layers])
            self.left -= len(layers)
            self.code += [type(layer).__name__ + str(layer.get_config()) for layer in layers]
        else:
            ends = self.grow([source])
            inner = keras.Model(source, self.join(ends[-2:]))
        self.code.append("]")
        self.depth -= 1
        self.made = outer
        y = self.call(inner, x)
        if y.shape == x.shape and self.pick(True, False):
            y = self.call(inner, y, reuse=True)
        return y

    def join(self, ends):
        return ends[0] if len(ends) == 1 else self.merge(ends[0], 1, ends)

    def merge(self, x, other, ends):
        """Merge `x` with another end, made to fit, or with what has been made from itself."""
        y = ends[other]
        if y is x or len(y.shape) != len(x.shape) or y.shape[1:-1] != x.shape[1:-1]:
            how = self.pick("project", "gate", "gate", "single")
            if how == "gate" and len(x.shape) > 2:  # as in squeeze-and-excitation
                rank = len(x.shape) - 2
                gate = self.call(getattr(kl, f"GlobalAveragePooling{rank}D")(keepdims=True), x)
                gate = self.call(kl.Dense(x.shape[-1], activation="sigmoid"), gate)
                return self.call(kl.Multiply(), *self.pick((x, gate), (gate, x)))
            if how == "single":
                gate = self.call(kl.Dense(1, activation="sigmoid"), x)
                return self.call(kl.Multiply(), *self.pick((x, gate), (gate, x)))
            y = self.call(kl.Dense(x.shape[-1]), x)
        if self.pick(True, False, False):
            return self.call(kl.Concatenate(), x, y)
        if len(x.shape) > 2 and y.shape == x.shape and self.rarely():
            return self.call(kl.Concatenate(axis=1), x, y)
        if y.shape != x.shape:
            y = self.call(kl.Dense(x.shape[-1]), y)
        self.left -= 1
        operation = self.pick("Add", "Add", "Multiply", "Subtract", "Average", "Maximum", "Minimum", "+", "*", "-")
        self.code.append(f"{operation} of {tuple(x.shape[1:])}")
        if operation == "+":
            return x + y
        if operation == "*":
            return x * y
        if operation == "-":
            return x - y
        return getattr(kl, operation)()([x, y])

    def operation(self, x):
        self.left -= 1
        name = self.pick(
            *("relu", "tanh", "affine", "mean", "max", "vector", "reshape", "negative", "row", "swap", "slice"),
            *("softmax", "pad", "flip", "cumsum", "where", "split", "first"),
        )
        self.code.append(f"operation {name} of {tuple(x.shape[1:])}")
        if name == "affine":
            return 1 - 2 * x
        if name in ("mean", "max"):
            axis = self.pick(*range(1, len(x.shape)))
            return getattr(keras.ops, name)(x, axis=axis, keepdims=True)
        if name == "vector":
            return x * np.linspace(0.5, 1.5, x.shape[-1])
        if name == "row":
            return x + keras.ops.reshape(np.linspace(0.5, 1.5, x.shape[1]), (-1, *[1] * (len(x.shape) - 2)))
        if name == "reshape":
            return keras.ops.reshape(
                x, (-1, *x.shape[1:-1], 1, x.shape[-1]) if len(x.shape) < 4 else (-1, *x.shape[1:])
            )
        if name == "swap":
            return keras.ops.swapaxes(x, 1, -1)
        if name == "slice":
            return x[:, :1]
        axis = self.pick(*range(1, len(x.shape)))
        if name in ("softmax", "flip", "cumsum"):
            return getattr(keras.ops, name)(x, axis=axis)
        if name == "pad":
            return keras.ops.pad(x, [(0, 0), *((1, 0) if a == axis else (0, 0) for a in range(1, len(x.shape)))])
        if name == "where":
            return keras.ops.where(x > 0.1, x, 0.5)
        if name == "split":
            return keras.ops.split(x, [x.shape[axis] // 2], axis=axis)[1]
        if name == "first":
            return x[:, 0] if len(x.shape) > 2 else x[:, :1]
        return {"relu": keras.ops.relu, "tanh": keras.ops.tanh, "negative": keras.ops.negative}[name](x)

    def step(self, x):
        if len(x.shape) == 3 and self.rarely():
            return self.attend(x)
        if len(x.shape) == 3 and self.rarely():
            return self.remember(x)
        return self.call(self.kind(x), x)

    def remember(self, x):
        """A recurrent layer that begins with the states that another one ends with, or with drawn ones."""
        kind, units = self.pick(kl.LSTM, kl.GRU), self.pick(1, 2, 3)
        self.left -= 3
        self.code.append(f"{kind.__name__}({units}) with states")
        if self.pick(True, False):
            _, *states = kind(units, return_state=True)(x)
        else:
            start = kl.GlobalAveragePooling1D()(x)
            states = [kl.Dense(units)(start) for _ in range(2 if kind is kl.LSTM else 1)]
        how = {"return_sequences": self.often(), "return_state": self.rarely()}
        y = kind(units, **how)(x, initial_state=states[0] if len(states) == 1 and self.often() else states)
        return y[0] if how["return_state"] else y

    def attend(self, x):
        layer = kl.MultiHeadAttention(
            self.pick(1, 2), self.pick(1, 3), value_dim=self.pick(None, 2), use_bias=self.often()
        )
        if self.pick(True, False):
            return self.call(layer, x, x)
        value, key = (self.call(kl.Dense(self.width()), x) for _ in "vk")
        return self.call(layer, x, value, key)

    def kind(self, x):
        """A layer that fits a tensor."""
        rank = len(x.shape) - 2
        makers = [self.dense, self.dense, self.pointwise, self.pointwise, self.normalization]
        if rank == 0:
            makers += [self.unflatten]
        if 1 <= rank <= 3:
            makers += [self.convolution, self.convolution, self.convolution, self.spatial, self.flatten]
        if rank == 1:
            makers += [self.recurrent, self.recurrent, self.over_time]
        return self.pick(*makers)(x)

    def dense(self, x):
        return kl.Dense(self.width(), activation=self.activation(), use_bias=self.often())

    def flatten(self, x):
        return self.pick(kl.Flatten(), kl.Reshape((-1,)), kl.Reshape((*x.shape[2:-1], x.shape[1] * x.shape[-1])))

    def unflatten(self, x):
        sides = [side for side in (1, 2, 3, 4) if x.shape[-1] % side == 0]
        side = self.pick(*sides)
        return self.pick(kl.Reshape((side, x.shape[-1] // side)), kl.RepeatVector(3))

    def pointwise(self, x):
        return self.pick(
            kl.Activation(self.activation()),
            kl.ReLU(),
            kl.LeakyReLU(),
            kl.ELU(),
            kl.PReLU(),
            kl.PReLU(shared_axes=list(range(1, len(x.shape) - 1)) or [1]),
            kl.Dropout(0.5),
            kl.GaussianNoise(0.5),
            kl.Rescaling(2.0, -1.0),
            kl.ActivityRegularization(0.1),
            kl.Identity(),
            kl.Softmax(axis=self.pick(*range(1, len(x.shape)))) if self.rarely() else kl.ReLU(),
            kl.Masking() if len(x.shape) == 3 else kl.ReLU(max_value=1.0),
            ParametricActivation(kl.Activation(self.activation())),
        )

    def normalization(self, x):
        width, last = x.shape[-1], len(x.shape) - 1
        groups = self.pick(*[g for g in range(1, width + 1) if width % g == 0])
        return self.pick(
            kl.BatchNormalization(),
            kl.BatchNormalization(scale=False),
            kl.BatchNormalization(axis=last, center=False),
            kl.LayerNormalization(),
            kl.LayerNormalization(axis=[1, last] if last > 1 else 1),
            kl.GroupNormalization(groups) if last > 1 else kl.BatchNormalization(),
            kl.UnitNormalization(axis=self.pick(*range(1, last + 1))) if self.rarely() else kl.BatchNormalization(),
            *([kl.RMSNormalization()] if hasattr(kl, "RMSNormalization") else []),
        )

    def convolution(self, x):
        rank, width = len(x.shape) - 2, x.shape[-1]
        short = min(x.shape[1:-1])
        how = {
            "kernel_size": [self.rng.randint(1, min(3, short)) for _ in range(rank)],
            "padding": self.pick("same", "valid"),
            "use_bias": self.often(),
            "activation": self.activation(),
        }
        steps = (
            {"strides": 2}
            if self.rarely()
            else {"dilation_rate": 2}
            if how["padding"] == "same" and self.rarely()
            else {}
        )
        kind = self.pick("", "", "", "grouped", "Transpose", "Depthwise", "Separable")
        if kind == "Depthwise" and rank < 3:
            return getattr(kl, f"DepthwiseConv{rank}D")(depth_multiplier=self.pick(1, 2), **how, **steps)
        if kind == "Separable" and rank < 3:
            return getattr(kl, f"SeparableConv{rank}D")(self.width(), depth_multiplier=self.pick(1, 2), **how, **steps)
        if kind == "Transpose" and short < 8:
            return getattr(kl, f"Conv{rank}DTranspose")(self.width(), **how)
        groups = self.pick(*[g for g in (2, 3, 4) if width % g == 0] or [1]) if kind == "grouped" else 1
        if rank == 1 and self.rarely():
            how["padding"] = "causal"
        return getattr(kl, f"Conv{rank}D")(groups * self.pick(1, 2, 3), groups=groups, **how, **steps)

    def spatial(self, x):
        rank = len(x.shape) - 2
        makers = [
            getattr(kl, f"ZeroPadding{rank}D")(1),
            getattr(kl, f"SpatialDropout{rank}D")(0.3),
            kl.Permute((*range(rank, 0, -1), rank + 1) if self.often() else tuple(range(rank + 1, 0, -1))),
        ]
        if max(x.shape[1:-1]) < 8:
            makers.append(getattr(kl, f"UpSampling{rank}D")(2))
        if min(x.shape[1:-1]) > 2:
            if rank < 3:  # TensorFlow pools volumes in float32 only
                makers += [getattr(kl, f"{kind}Pooling{rank}D")(2) for kind in ("Max", "Average")]
            makers.append(getattr(kl, f"Cropping{rank}D")(1))
        makers += [
            getattr(kl, f"Global{kind}Pooling{rank}D")(keepdims=self.pick(True, False)) for kind in ("Max", "Average")
        ]
        return self.pick(*makers)

    def recurrent(self, x):
        kind = self.pick(kl.LSTM, kl.GRU, kl.SimpleRNN)
        sequences = self.often()
        layer = kind(
            self.pick(1, 2, 3),
            return_sequences=sequences,
            use_bias=self.often(),
            go_backwards=self.rarely(),
            **({"reset_after": self.often()} if kind is kl.GRU else {}),
        )
        if self.pick(True, False, False):
            layer.go_backwards = False
            return kl.Bidirectional(layer, merge_mode=self.pick("concat", "sum", "mul", "ave"))
        return layer

    def over_time(self, x):
        inner = keras.Input(x.shape[2:])
        return kl.TimeDistributed(self.pick(self.dense, self.pointwise, self.normalization)(inner))


def quietly(function, *args, **kwargs):
    """Call a function without the warnings of Keras about names and masks."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)

"""Kinds of models: Lambda, layers of one's own, loops in them."""

import keras
import tensorflow as tf
from keras import layers as kl
from keras import ops
from kinds import Bare, chain, kind

mine = keras.saving.register_keras_serializable("kinds")


@mine
def half(x):
    """A named function for a Lambda."""
    return 0.5 * x


@kind()
def lambdas():
    """Functions in layers: at the input, on hidden channels, with and without a name, over positions."""
    return chain(
        (3, 2),
        kl.Lambda(half, name="scale"),
        kl.Dense(4, name="a"),
        kl.Lambda(lambda x: x[:, 1:] * 2.0, output_shape=(2, 4), name="cut"),
        kl.Dense(4, activation="relu", name="b"),
        kl.Lambda(lambda x: ops.mean(x, axis=1), output_shape=(4,), name="mean"),
    )


@mine
class Reflect(kl.Layer):
    """Without weights, with a setting."""

    def __init__(self, by=1, **kwargs):
        super().__init__(**kwargs)
        self.by = by

    def call(self, x):
        return ops.pad(x, [[0, 0], [self.by, self.by], [self.by, self.by], [0, 0]], mode="reflect")

    def get_config(self):
        return super().get_config() | {"by": self.by}


@mine
class LowRank(kl.Layer):
    """Two weights of its own; an inner width and an outer one."""

    def __init__(self, rank, units, **kwargs):
        super().__init__(**kwargs)
        self.rank, self.units = rank, units

    def build(self, shape):
        self.down = self.add_weight((shape[-1], self.rank), name="down")
        self.up = self.add_weight((self.rank, self.units), name="up")
        self.shift = self.add_weight((self.units,), name="shift")

    def call(self, x):
        return tf.matmul(tf.matmul(x, self.down), self.up) + self.shift

    def get_config(self):
        return super().get_config() | {"rank": self.rank, "units": self.units}


@mine
class Gated(kl.Layer):
    """Weights that are joined and transposed before they meet the data; Keras keeps the settings."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight((2 * self.units, shape[-1]), name="kernel")
        self.scale = self.add_weight((self.units,), name="scale")
        self.first, self.second = (self.add_weight((self.units,), name=name) for name in ("bias1", "bias2"))

    def call(self, x):
        a, b = tf.split(
            tf.linalg.matmul(x, self.kernel, transpose_b=True) + tf.concat([self.first, self.second], 0), 2, -1
        )
        return a * self.scale * tf.sigmoid(b)


@kind()
def layers_of_ones_own():
    """Layers that the user wrote: without weights, with weights, with and without a get_config that Keras made."""
    return chain(
        (3, 3, 2),
        kl.Conv2D(4, 1, activation="relu", name="a"),
        Reflect(1, name="reflect"),
        kl.Conv2D(4, 3, activation="relu", name="b"),
        kl.GlobalAveragePooling2D(),
        LowRank(3, 4, name="low"),
        Gated(4, name="gated"),
    )


@mine
class Blocked(kl.Layer):
    """A pile of layers, kept in a list and in a dict."""

    def __init__(self, width, inner, depth, **kwargs):
        super().__init__(**kwargs)
        self.settings = (width, inner, depth)
        self.enter = [kl.Dense(inner, activation="relu", name=f"enter{i}") for i in range(depth)]
        self.leave = {f"leave{i}": kl.Dense(width, name=f"leave{i}") for i in range(depth)}

    def build(self, shape):
        for enter, leave in zip(self.enter, self.leave.values(), strict=True):
            enter.build(shape)
            leave.build((*shape[:-1], self.settings[1]))

    def call(self, x):
        for enter, leave in zip(self.enter, self.leave.values(), strict=True):
            x = x + leave(enter(x))
        return x


@kind()
def blocks_of_ones_own():
    """A layer made of layers; its settings are kept by Keras alone."""
    return chain((3,), kl.Dense(4, activation="tanh", name="a"), Blocked(4, 6, 2, name="blocks"))


class Plain(kl.Layer):
    """A block as many write it: without the keywords that all layers take, and without a get_config."""

    def __init__(self, width, heads, inner, rate=0.1):
        super().__init__()
        self.attend = kl.MultiHeadAttention(heads, width)
        self.feed = keras.Sequential([kl.Dense(inner, activation="relu"), kl.Dense(width)])
        self.first, self.second, self.drop = kl.LayerNormalization(), kl.LayerNormalization(), kl.Dropout(rate)

    def call(self, x):
        x = self.first(x + self.drop(self.attend(x, x)))
        return self.second(x + self.drop(self.feed(x)))


@kind(
    whole=(),
    partly=(1.5, 2),
    grown=("c/", "sequential/dense/", "query/kernel", "attention_output/kernel"),
    statues=("key/bias",),
)
def block_without_keywords():
    """Its width is also that of each head, which cannot grow; so its inner parts do."""
    return chain((3, 4), Plain(4, 2, 6), kl.Flatten(), kl.Dense(4, activation="relu", name="c"))


@kind(bare="bare", kept=("bare",))
def layer_that_cannot_be_made_anew():
    """A layer truly without get_config stays as it is, or is refused by name."""
    return chain((3,), kl.Dense(4, activation="tanh", name="a"), kl.Dense(4, name="b"), Bare(4, lambda x: ops.relu(x)))


@mine
class WeightNorm(kl.Wrapper):
    """A kernel that is normalized over its inputs, with a scale."""

    def build(self, shape):
        if not self.layer.built:  # it is, where a saved model is loaded
            self.layer.build(shape)
        self.g = self.add_weight((self.layer.kernel.shape[-1],), name="gamma")

    def call(self, x):
        k = self.layer.kernel
        return ops.conv(x, k * self.g / ops.sqrt(ops.sum(k * k, axis=(0, 1), keepdims=True) + 1e-6), padding="same")


@kind(whole=(), partly=(1.5, 2), grown=("c/kernel",))
def weight_normalization():
    """A layer around a layer: a length over inputs holds them, the outputs may grow."""
    return chain(
        (4, 2),
        WeightNorm(kl.Conv1D(4, 3, use_bias=False, name="b"), name="norm"),
        kl.LeakyReLU(),
        kl.Dense(5, activation="relu", name="c"),
    )


# Loops


@mine
class Loops(kl.Layer):
    """A loop of TensorFlow, one of Keras, a scan, a map; weights are read inside."""

    def __init__(self, units, how, **kwargs):
        super().__init__(**kwargs)
        self.units, self.how = units, how

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.units), name="kernel")
        self.again = self.add_weight((self.units, self.units), name="again")

    def call(self, x):
        y = ops.matmul(x, self.kernel)

        def step(h, now):
            return ops.tanh(now + ops.matmul(h, self.again))

        if self.how == "tf.while_loop":
            return tf.while_loop(
                lambda i, h: i < 3, lambda i, h: (i + 1, step(h, y[:, i])), (0, tf.zeros_like(y[:, 0]))
            )[1]
        if self.how == "while_loop":
            return ops.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, step(h, y[:, 0])), (0, y[:, 1]))[1]
        if self.how == "fori_loop":
            return ops.fori_loop(0, 3, lambda i, h: step(h, y[:, 0]), y[:, 1])
        time = ops.swapaxes(y, 0, 1)
        if self.how == "scan":
            return ops.swapaxes(ops.scan(lambda h, now: (step(h, now),) * 2, ops.zeros_like(time[0]), time)[1], 0, 1)
        if self.how == "map":
            return ops.swapaxes(ops.map(lambda now: step(now, now), time), 0, 1)
        if self.how == "cond":
            return ops.cond(ops.sum(x) > 1e6, lambda: y, lambda: step(y, y))
        return step(step(time[0], time[1]), time[2])  # a loop of Python


def _loop(how):
    return chain((3, 2), kl.Dense(4, activation="relu", name="a"), Loops(4, how, name="loop"))


@kind()
def loop_of_tensorflow():
    """tf.while_loop whose state starts as zeros."""
    return _loop("tf.while_loop")


@kind()
def loop_of_keras():
    """keras.ops.while_loop; the state is hidden channels."""
    return _loop("while_loop")


@kind()
def loop_for():
    """keras.ops.fori_loop."""
    return _loop("fori_loop")


@kind()
def scan():
    """keras.ops.scan gives an output for each position."""
    return _loop("scan")


@kind()
def mapped():
    """keras.ops.map over positions."""
    return _loop("map")


@kind(kept=("a/", "loop/kernel"))
def conditional():
    """keras.ops.cond: two branches of the same widths."""
    return _loop("cond")


@kind()
def loop_of_python():
    """A loop that is unrolled as the model is traced."""
    return _loop("python")

"""Kinds of models: subclassed, made at any width, so that `grow_into` fills a student that the user has built."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl
from keras import ops
from kinds import Bare, kind

mine = keras.saving.register_keras_serializable("kinds")


def made(model, *x):
    """Call a model once, so that its weights are there."""
    model(*x)
    return model


def numbers(*shape):
    return lambda rng, batch: rng.normal(size=(batch, *shape))


def tokens(length=4):
    return lambda rng, batch: rng.integers(0, 5, (batch, length)).astype("int32")


@mine
class Plain(keras.Model):
    """Layers as attributes; with a get_config."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.a, self.b = kl.Dense(units, activation="relu", name="a"), kl.Dense(2 * units, name="b")
        self.end = kl.Dense(2, name="out")

    def call(self, x, training=False):
        return self.end(ops.relu(self.b(self.a(x))))

    def get_config(self):
        return super().get_config() | {"units": self.units}


@kind(scales=(1.5, 2), data=numbers(3))
def subclassed(scale):
    """A class with call and get_config."""
    return made(Plain(int(4 * scale)), np.zeros((1, 3)))


@kind(scales=(1.5, 2), data=numbers(3))
def subclassed_in_a_function(scale):
    """A class without get_config, made inside a function; lists and dicts of layers, a loop of Python."""

    class Tower(keras.Model):
        def __init__(self, width, activations):
            super().__init__()
            self.activations = activations
            self.enter = kl.Dense(width, name="enter")
            self.steps = [kl.Dense(width, activation=each, name=f"step{i}") for i, each in enumerate(activations)]
            self.heads = {"mean": kl.Dense(2, name="out1"), "spread": kl.Dense(1, activation="softplus", name="out2")}

        def call(self, x):
            x = self.enter(x)
            for step in self.steps:
                x = x + step(x)
            return {name: head(x) for name, head in self.heads.items()}

    return made(Tower(int(4 * scale), [ops.tanh, ops.relu]), np.zeros((1, 3)))


class Raw(keras.Model):
    """Weights of its own, cut and joined and multiplied before use; no get_config."""

    def __init__(self, units, initializer):
        super().__init__()

        def add(name, *shape):
            return self.add_weight(shape=shape, initializer=initializer, name=name)

        self.kernel, self.bias = add("kernel", 3, 2 * units), (add("bias1", units), add("bias2", units))
        self.left, self.right = add("left", units, 3), add("right", 3, 2)
        self.gate = add("gate", units)

    def call(self, x):
        a, b = tf.split(tf.matmul(x, self.kernel) + tf.concat(self.bias, 0), 2, axis=1)
        return tf.matmul(a * tf.sigmoid(b) * self.gate, tf.matmul(self.left, self.right))


@kind(scales=(1.5, 2), data=numbers(3), fixed=("right",))
def raw_weights(scale):
    """Variables instead of layers; two weights are multiplied with each other first."""
    return made(Raw(int(4 * scale), keras.initializers.GlorotUniform()), np.zeros((1, 3)))


class Loop(keras.Model):
    """Recurrence by hand: in Python, by tf.while_loop, by Keras' while_loop, or by scan."""

    def __init__(self, units, how):
        super().__init__()
        self.units, self.how = units, how
        self.enter, self.again = kl.Dense(units, name="enter"), kl.Dense(units, use_bias=False, name="again")
        self.end = kl.Dense(2, name="out")

    def call(self, x):
        x = self.enter(x)

        def step(h, now):
            return ops.tanh(now + self.again(h))

        h = ops.zeros((ops.shape(x)[0], self.units), dtype=x.dtype)
        if not self.again.built:
            self.again.build((None, self.units))
        if self.how == "python":
            for i in range(x.shape[1]):
                h = step(h, x[:, i])
        elif self.how == "tensorflow":
            h = tf.while_loop(lambda i, h: i < tf.shape(x)[1], lambda i, h: (i + 1, step(h, x[:, i])), (0, h))[1]
        elif self.how == "keras":

            def body(i, h):
                return (i + 1, step(h, ops.take(x, i, axis=1)))

            h = ops.while_loop(lambda i, h: i < 3, body, (0, h), maximum_iterations=9)[1]
        else:
            h = ops.scan(lambda h, now: (step(h, now), h), h, ops.swapaxes(x, 0, 1))[0]
        return self.end(h)


@kind(scales=(1.5, 2), data=numbers(3, 2))
def loop_in_python(scale):
    """The same weights again and again, without a loop in the graph."""
    return made(Loop(int(4 * scale), "python"), np.zeros((1, 3, 2)))


@kind(scales=(1.5, 2), data=numbers(3, 2))
def loop_in_tensorflow(scale):
    """tf.while_loop, as many times as there are positions."""
    return made(Loop(int(4 * scale), "tensorflow"), np.zeros((1, 3, 2)))


@kind(scales=(1.5, 2), data=numbers(3, 2))
def loop_in_keras(scale):
    """keras.ops.while_loop, at most nine times."""
    return made(Loop(int(4 * scale), "keras"), np.zeros((1, 3, 2)))


@kind(scales=(1.5, 2), data=numbers(3, 2))
def scan_in_keras(scale):
    """keras.ops.scan."""
    return made(Loop(int(4 * scale), "scan"), np.zeros((1, 3, 2)))


class Recommender(keras.Model):
    """Embeddings of two columns, side by side."""

    def __init__(self, width, dot):
        super().__init__()
        self.users, self.items = (
            kl.Embedding(5, 4 if dot else width, name="users"),
            kl.Embedding(5, 4 if dot else width, name="items"),
        )
        self.a, self.b, self.dot = kl.Dense(width, activation="relu", name="a"), kl.Dense(1, name="out"), dot

    def call(self, x):
        u, v = self.users(x[:, 0]), self.items(x[:, 1])
        y = self.b(self.a(ops.concatenate([u, v], axis=-1)))
        return y + kl.Dot(axes=1)([u, v]) if self.dot else y


@kind(scales=(1.5, 2), data=tokens(2))
def subclassed_recommender(scale):
    """Columns of one input; two embeddings."""
    return made(Recommender(int(4 * scale), False), np.zeros((1, 2), "int32"))


@kind(scales=(1.5, 2), data=tokens(2), kept=("users", "items"))
def subclassed_recommender_with_a_dot(scale):
    """The width of what meets in a dot product must stay; the student's does."""
    return made(Recommender(int(4 * scale), True), np.zeros((1, 2), "int32"))


class GPT(keras.Model):
    """A language model from scratch: attention in one projection, heads by reshape, tied words."""

    def __init__(self, width, heads, inner, depth=1):
        super().__init__()
        self.heads, self.width = heads, width
        self.words = self.add_weight(shape=(5, width), name="embedding", initializer="normal")
        self.places = kl.Embedding(4, width, name="places")
        self.blocks = [
            {
                "n1": kl.LayerNormalization(name=f"n1_{i}"),
                "qkv": kl.Dense(3 * width, name=f"qkv{i}"),
                "o": kl.Dense(width, name=f"o{i}"),
                "n2": kl.LayerNormalization(name=f"n2_{i}"),
                "up": kl.Dense(inner, activation="gelu", name=f"up{i}"),
                "down": kl.Dense(width, name=f"down{i}"),
            }
            for i in range(depth)
        ]
        self.last = kl.LayerNormalization(name="last")

    def call(self, tokens):
        t, keys = tokens.shape[1], self.width // self.heads
        x = ops.take(self.words, tokens, axis=0) + self.places(ops.arange(t))
        for block in self.blocks:
            y = ops.reshape(block["qkv"](block["n1"](x)), (-1, t, 3, self.heads, keys))
            q, k, v = (ops.transpose(y[:, :, i], (0, 2, 1, 3)) for i in range(3))
            scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) / 2.0 + np.triu(np.full((t, t), -1e9), 1)
            y = ops.transpose(ops.matmul(ops.softmax(scores), v), (0, 2, 1, 3))
            x = x + block["o"](ops.reshape(y, (-1, t, self.width)))
            x = x + block["down"](block["up"](block["n2"](x)))
        return ops.matmul(self.last(x), ops.transpose(self.words))


@kind(scales=(2,), data=tokens())
def gpt_from_scratch(scale):
    """Heads, width and inner layer twice; the words are tied."""
    return made(GPT(4 * scale, 2 * scale, 6 * scale), np.zeros((1, 4), "int32"))


@kind(scales=(1.5, 2), data=tokens(), kept=("embedding", "places", "n1", "n2", "last", "qkv", "/o", "down0/bias"))
def gpt_from_scratch_inner_layer_only(scale):
    """Only the inner layer of the student is larger."""
    return made(GPT(4, 2, int(6 * scale)), np.zeros((1, 4), "int32"))


class Convolutions(keras.Model):
    """Blocks that are models, with batch normalization; several inputs by a dict."""

    def __init__(self, width):
        super().__init__()

        def block(name):
            layers = [kl.Conv2D(width, 2, padding="same"), kl.BatchNormalization(), kl.ReLU()]
            return keras.Sequential(layers, name=name)

        self.front, self.back = block("front"), block("back")
        self.number = kl.Dense(width, name="number")
        self.end = kl.Dense(2, name="out")

    def call(self, x, training=False):
        y = self.front(x["image"], training=training)
        y = y + self.back(y, training=training) * ops.sigmoid(self.number(x["number"]))[:, None, None]
        return self.end(ops.mean(y, axis=(1, 2)))


@kind(
    scales=(1.5, 2),
    data=lambda rng, batch: {"image": rng.normal(size=(batch, 3, 3, 1)), "number": rng.normal(size=(batch, 1))},
)
def subclassed_with_a_dict(scale):
    """Models in a model, called with a dict and with training=."""
    return made(Convolutions(int(4 * scale)), {"image": np.zeros((1, 3, 3, 1)), "number": np.zeros((1, 1))})


class Translator(keras.Model):
    """Recurrent layers that hand on their states; two inputs as a tuple."""

    def __init__(self, units):
        super().__init__()
        self.words = kl.Embedding(5, units, mask_zero=True, name="words")
        self.encoder, self.decoder = (
            kl.LSTM(units, return_state=True, name="encoder"),
            kl.LSTM(units, return_sequences=True, name="decoder"),
        )
        self.end = kl.Dense(3, name="out")

    def call(self, pair):
        _, *states = self.encoder(self.words(pair[0]))
        return self.end(self.decoder(self.words(pair[1]), initial_state=states))


@kind(scales=(1.5, 2), data=lambda rng, batch: tuple(rng.integers(1, 5, (2, batch, 3)).astype("int32")))
def subclassed_translator(scale):
    """Masks and states inside a subclassed model."""
    return made(Translator(int(4 * scale)), (np.zeros((1, 3), "int32"),) * 2)


class Autoencoder(keras.Model):
    """Two functional models in a class with a train_step."""

    def __init__(self, encoder, decoder):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def call(self, x):
        return self.decoder(self.encoder(x))

    def train_step(self, data):
        return super().train_step(data)


@kind(scales=(1.5, 2), data=numbers(3), kept=("code/bias",))
def subclassed_autoencoder(scale):
    """A class around an encoder and a decoder; the code stays as narrow as it is."""
    units = int(4 * scale)
    encoder = keras.Sequential(
        [keras.Input((3,)), kl.Dense(units, activation="relu", name="a"), kl.Dense(2, name="code")], name="encoder"
    )
    decoder = keras.Sequential(
        [keras.Input((2,)), kl.Dense(units, activation="relu", name="b"), kl.Dense(3, name="out")], name="decoder"
    )
    return made(Autoencoder(encoder, decoder), np.zeros((1, 3)))


@kind(scales=(1.5, 2))
def functional_filled(scale):
    """A functional model that the user built anew, larger."""
    x = table = keras.Input((3,))
    x = kl.Dense(int(4 * scale), activation="relu", name="a")(x)
    x = kl.BatchNormalization(name="n")(kl.Dense(int(6 * scale), name="b")(x))
    return keras.Model(table, kl.Dense(2, name="out")(x))


@kind(scales=(1.5, 2))
def bare_layer_filled(scale):
    """A functional model with a layer that only the user can make anew."""
    x = table = keras.Input((3,))
    x = Bare(int(4 * scale), lambda x: ops.relu(x))(kl.Dense(int(4 * scale), activation="tanh", name="a")(x))
    return keras.Model(table, kl.Dense(2, name="out")(x))

"""Kinds of models: corners in which a reader of graphs could be wrong. Whatever grows, it must be exact."""

import keras
import numpy as np
import tensorflow as tf
from keras import Input, ops
from keras import layers as kl
from kinds import chain, kind, out

mine = keras.saving.register_keras_serializable("kinds")
ANY = {"whole": (), "partly": (1.5, 2)}
BEHIND = {**ANY, "grown": ("behind/bias",)}


def behind():
    return kl.Dense(4, activation="relu", name="behind")


@kind(**BEHIND)
def channels_by_number():
    """Channels in another order, one twice; turned round; moved on by one."""
    return chain(
        (3,),
        kl.Dense(4, name="a"),
        lambda x: ops.take(x, [3, 1, 1, 0], axis=-1),
        kl.Dense(4, name="b"),
        lambda x: ops.relu(x[:, ::-1]),
        kl.Dense(4, name="c"),
        lambda x: ops.roll(ops.tanh(x), 1, axis=-1) + ops.flip(x, axis=1),
        behind(),
    )


@kind(**BEHIND)
def order_of_channels():
    """Sums so far, sorting and differences along the channels; the second largest."""
    return chain(
        (3,),
        kl.Dense(4, name="a"),
        lambda x: ops.cumsum(x, axis=-1),
        kl.Dense(4, name="b"),
        lambda x: ops.sort(x, axis=-1) + ops.pad(ops.diff(x, axis=-1), [[0, 0], [1, 0]]),
        kl.Dense(4, name="c"),
        lambda x: ops.concatenate([ops.top_k(x, 2)[0], ops.prod(x, axis=-1, keepdims=True)], axis=-1),
        behind(),
    )


@kind(**BEHIND)
def constants_along_channels():
    """A vector for the channels, a matrix that mixes them, a mask of some."""
    return chain(
        (4, 3),
        kl.Dense(4, name="a"),
        lambda x: x + np.linspace(0.5, 2, 4),
        kl.Dense(4, name="b"),
        lambda x: ops.tanh(ops.matmul(x, np.linspace(-1, 1, 16).reshape(4, 4))),
        kl.Dense(4, name="c"),
        lambda x: ops.where(np.array([True, False, True, True]), x, 0.3),
        behind(),
    )


@kind(kept=("b/", "out/kernel"))
def constant_for_positions():
    """A vector for positions, of as many as there are channels; the same number for all channels."""
    return chain(
        (4, 3),
        kl.Dense(4, name="a"),
        lambda x: ops.relu(x) * np.linspace(0.5, 2, 4)[:, None] + np.full((1, 1), 0.1),
        kl.Dense(4, name="b"),
        lambda x: ops.relu(x) + np.linspace(0.5, 2, 4).reshape(1, 4, 1),
    )


@mine
class RootOfWidth(kl.Layer):
    """Multiplies by the root of the width, as Gemma does with its embeddings."""

    def call(self, x):
        return x * ops.cast(x.shape[-1], x.dtype) ** 0.5 + 1.0 / x.shape[-1]


@kind(**BEHIND)
def constant_of_the_width():
    """A number that changes with the width: it may not grow, unless the number is made up for."""
    return chain((3,), kl.Dense(4, activation="relu", name="a"), RootOfWidth(name="root"), behind())


@mine
class Unsteady(kl.Layer):
    """Does something else where there are more than five channels."""

    def call(self, x):
        return ops.tanh(x) if x.shape[-1] > 5 else ops.relu(x)


@kind(**BEHIND)
def another_function_where_it_is_wide():
    """A layer that looks at the width and then computes another function."""
    return chain((3,), kl.Dense(4, name="a"), Unsteady(name="unsteady"), behind())


@kind()
def width_one():
    """One channel that becomes more; one that is broadcast; a sum of a narrow and a wide one."""
    x = table = Input((3,))
    x = kl.Dense(1, activation="tanh", name="one")(x)
    y = kl.Dense(4, activation="relu", name="four")(x)
    return out(table, y, 2)


@kind(fixed=("gate",))
def broadcast_channels():
    """One number for all channels, multiplied and added."""
    x = text = Input((3, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    y = x * kl.Dense(1, activation="sigmoid", name="gate1")(x) + kl.Dense(1, name="gate2")(x)
    return out(text, ops.concatenate([y, ops.max(y, axis=1, keepdims=True) * x], axis=-1))


@mine
class Weights(kl.Layer):
    """Weights of all shapes that can be broadcast; one is read twice; one is multiplied with itself."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        width, units = shape[-1], self.units
        shapes = {"row": (1, units), "column": (width, 1), "number": (), "one": (1, 1), "cube": (1, 1, units)}
        for name, each in shapes.items():
            setattr(self, name, self.add_weight(each, name=name))
        self.kernel = self.add_weight((width, units), name="kernel")
        self.square = self.add_weight((units, units), name="square")

    def call(self, x):
        y = tf.matmul(x, self.kernel * self.column + self.one) * self.number + self.row
        y = tf.tanh(y) + tf.squeeze(self.cube * y[:, None], axis=[-2])
        y = tf.matmul(y, self.square, adjoint_b=True)
        return tf.tanh(tf.matmul(y, self.square)) * self.row


@kind(**BEHIND)
def weights_of_all_shapes():
    """Weights with axes of one, a number, a square one that is read twice and turned round."""
    x = table = Input((3,))
    x = kl.Dense(4, activation="relu", name="a")(x)
    return out(table, behind()(kl.Concatenate()([x, Weights(4, name="weights")(x)])))


@mine
class Traced(kl.Layer):
    """A function of TensorFlow that is called twice, one inside the other."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.units), name="kernel")
        self.again = self.add_weight((self.units, self.units), name="again")

    def call(self, x):
        @tf.function
        def inner(a, b):
            return tf.nn.relu(tf.matmul(a, b))

        @tf.function
        def outer(a):
            return inner(inner(a, self.kernel.value), self.again.value)

        return outer(x) + inner(x, self.kernel.value)


@kind()
def functions_called_twice():
    """Calls of functions inside the graph, with weights as arguments and as captured variables."""
    return chain((3,), kl.Dense(4, activation="tanh", name="a"), Traced(4, name="traced"))


@kind(**BEHIND)
def positions_as_many_as_channels():
    """Channels and positions change places without being told apart by their number, and meet in a sum."""
    return chain(
        (4, 3),
        kl.Dense(4, name="a"),
        lambda x: x + ops.transpose(x, (0, 2, 1)),
        ops.tanh,
        kl.Dense(4, name="b"),
        behind(),
    )


@kind()
def reshaped_again_and_again():
    """Heads and back, folded positions, an axis of one, an empty part."""
    return chain(
        (4, 3),
        kl.Dense(4, name="a"),
        lambda x: ops.reshape(ops.reshape(x, (-1, 4, 2, 2)), (-1, 16)),
        lambda x: ops.tanh(ops.reshape(x, (-1, 1, 2, 8))),
        lambda x: ops.reshape(x, (-1, 4, 4)),
        lambda x: ops.concatenate([x, x[..., :0]], axis=-1),
        kl.Dense(4, activation="relu", name="b"),
        lambda x: ops.squeeze(ops.expand_dims(ops.ravel(x), 0), 0),
        lambda x: ops.reshape(x, (-1, 16)),
    )


@kind(**ANY)
def one_setting_for_two_widths():
    """A layer whose one setting says how wide two things are, of which one is held by a softmax."""
    return chain((3,), kl.Dense(4, activation="relu", name="a"), TwoWidths(4, name="two"), behind())


@mine
class TwoWidths(kl.Layer):
    """A softmax over channels, and a dense layer as wide."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.first = kl.Dense(units, activation="softmax", name="first")
        self.second = kl.Dense(units, activation="relu", name="second")

    def build(self, shape):
        self.first.build(shape)
        self.second.build(self.first.compute_output_shape(shape))

    def call(self, x):
        return self.second(self.first(x))


@kind(2)
def normalization_of_a_concatenation():
    """One normalization over parts that would grow by themselves: they grow by one factor."""
    x = table = Input((3,))
    x = ops.concatenate([kl.Dense(4, activation="relu", name="a")(x), kl.Dense(2, name="b")(x)], axis=-1)
    return out(table, kl.Dense(4, activation="relu", name="c")(kl.LayerNormalization(name="n")(x)))


@kind(**BEHIND, exact=1e-5)
def mixed_types():
    """A layer in float32 among layers in float64, and a cast by hand."""
    return chain(
        (3,),
        kl.Dense(4, activation="relu", name="a"),
        lambda x: ops.cast(ops.cast(x, "float32"), "float64"),
        kl.Dense(4, name="b"),
        behind(),
    )

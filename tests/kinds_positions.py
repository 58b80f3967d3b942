"""Kinds of models: operations along positions, masks, and bottlenecks that stay while the rest grows."""

import keras
from keras import Input, ops
from keras import layers as kl
from kinds import chain, kind, out

mine = keras.saving.register_keras_serializable("kinds")


@kind()
def gather_and_pad():
    """Positions by number, out of order and twice; padding in all modes; one position alone."""
    return chain(
        (4, 2),
        kl.Dense(4, activation="relu", name="a"),
        lambda x: ops.take(x, [2, 0, 0, 3], axis=1),
        lambda x: ops.pad(x, [[0, 0], [1, 1], [0, 0]], mode="reflect"),
        lambda x: ops.pad(x, [[0, 0], [1, 0], [0, 0]], constant_values=0.5),
        kl.Conv1D(4, 2, name="b"),
        lambda x: x[:, ::-2] + x[:, -1:] + x[:, 1, None],
    )


@kind(whole=(), partly=(1.5, 2), grown=("b2",))
def padded_channels():
    """A shortcut without weights: channels of zeros are put beside."""
    x = image = Input((4, 4, 2))
    x = kl.Conv2D(4, 1, activation="relu", name="a")(x)
    y = kl.Conv2D(6, 1, name="b2")(kl.Conv2D(4, 1, activation="relu", name="b1")(x))
    return out(image, kl.GlobalAveragePooling2D()(ops.pad(x, [[0, 0], [0, 0], [0, 0], [1, 1]]) + y))


@kind()
def resized():
    """Images and maps of hidden channels in other sizes."""
    return chain(
        (3, 3, 2),
        kl.Conv2D(4, 1, activation="relu", name="a"),
        kl.UpSampling2D(2, interpolation="bilinear"),
        lambda x: ops.image.resize(x, (4, 5), interpolation="bicubic"),
        kl.Cropping2D(1),
        kl.Conv2D(3, 1, name="b"),
        lambda x: ops.image.resize(x, (3, 3), interpolation="nearest"),
        kl.UpSampling2D(2),
        kl.GlobalMaxPooling2D(),
    )


@kind()
def over_positions():
    """Sums so far, products so far, sorted, softmax, differences: each channel for itself."""
    return chain(
        (4, 2),
        kl.Dense(4, name="a"),
        lambda x: ops.cumsum(x, axis=1) * ops.softmax(x, axis=1) + ops.cumprod(x, axis=1),
        lambda x: ops.sort(x, axis=1) - ops.logsumexp(x, axis=1, keepdims=True),
        lambda x: ops.diff(x, axis=1) + ops.sum(x, axis=1, keepdims=True) + ops.prod(x, axis=1, keepdims=True),
        kl.Dense(4, activation="relu", name="b"),
    )


@kind(whole=(), partly=(1.5, 2), grown=("b1", "b2/kernel"))
def fnet():
    """The Fourier transform of positions and channels holds the width; the layers beside grow."""
    x = text = Input((4, 2))
    x = kl.Dense(4, name="a")(x)
    real, _ = ops.fft2((x, ops.zeros_like(x)))
    x = x + real
    x = x + kl.Dense(4, name="b2")(kl.Dense(6, activation="gelu", name="b1")(x))
    return out(text, x)


@kind()
def fourier_over_positions():
    """A transform of positions alone, back again with a filter."""

    def low(x):
        x = ops.transpose(x, (0, 2, 1))
        real, imaginary = ops.fft((x, ops.zeros_like(x)))
        return ops.transpose(real + 0.5 * imaginary, (0, 2, 1))

    return chain((4, 2), kl.Dense(4, name="a"), low, kl.Dense(4, activation="relu", name="b"))


@kind()
def masks_and_selects():
    """Where, select, clip, comparisons, stop_gradient, casts, rounding; what is not a number is replaced."""
    return chain(
        (3, 2),
        kl.Dense(4, name="a"),
        lambda x: ops.where(x > 0.1, x, 0.3 * ops.stop_gradient(x)),
        lambda x: ops.select([x < -0.5, x > 0.5], [x * 2, ops.clip(x, -1, 0.9)], ops.floor(3 * x)),
        lambda x: x * ops.cast(ops.logical_and(x > -1, ops.isfinite(x)), x.dtype),
        lambda x: ops.nan_to_num(ops.log(ops.abs(x) + 0.1)) + ops.maximum(x, 0.2),
    )


@kind()
def one_hot():
    """Words as ones and zeros, as numbers of times, and through a mask."""
    x = words = Input((3,), dtype="int32")
    mask = ops.cast(ops.expand_dims(ops.not_equal(x, 0), -1), "float64")
    x = kl.Dense(4, activation="relu", name="a")(ops.one_hot(x, 5)) * mask
    return out(words, ops.sum(x, axis=1) / (ops.sum(mask, axis=1) + 1))


@kind()
def activations():
    """All activations that work element by element."""
    names = (
        "relu6 leaky_relu elu selu celu gelu silu mish softplus softsign hard_silu hard_tanh log_sigmoid tanh_shrink"
    )
    names += " soft_shrink hard_shrink squareplus exponential sparse_plus sparse_sigmoid threshold"
    x = table = Input((3,))
    x = kl.Dense(4, name="a")(x)
    xs = [
        keras.activations.threshold(x, 0.1, 0.2) if name == "threshold" else kl.Activation(name)(x)
        for name in names.split()
    ]
    return out(table, kl.Concatenate()(xs))


@kind(kept=("gate/bias",))
def softmax_over_hidden_channels():
    """A softmax over channels in the middle is kept; the rest grows."""
    x = table = Input((3,))
    x = kl.Dense(4, activation="relu", name="a")(x)
    x = kl.Dense(3, activation="softmax", name="gate")(x)
    return out(table, kl.Dense(4, activation="relu", name="b")(x))


@kind(kept=("gate/bias",), statues=("gate",))
def argmax_in_the_middle():
    """The place of the largest channel chooses a row of a table."""
    x = table = Input((3,))
    x = kl.Dense(4, activation="relu", name="a")(x)
    chosen = ops.argmax(kl.Dense(3, name="gate")(x), axis=-1)
    return out(table, kl.Concatenate()([x, kl.Embedding(3, 4, name="embedding")(chosen)]))


@mine
class Experts(kl.Layer):
    """The best two of three experts, for each example."""

    def __init__(self, experts, units, **kwargs):
        super().__init__(**kwargs)
        self.experts, self.units = experts, units

    def build(self, shape):
        self.gate = self.add_weight((shape[-1], self.experts), name="gate")
        self.enter = self.add_weight((self.experts, shape[-1], self.units), name="enter")
        self.leave = self.add_weight((self.experts, self.units, shape[-1]), name="leave")

    def call(self, x):
        scores, chosen = ops.top_k(ops.softmax(ops.matmul(x, self.gate), axis=-1), 2)
        weights = ops.sum(ops.one_hot(chosen, self.experts, dtype=x.dtype) * scores[..., None], axis=-2)
        y = ops.relu(ops.einsum("bc,ecu->beu", x, self.enter))
        return ops.einsum("beu,euc,be->bc", y, self.leave, weights)

    def get_config(self):
        return super().get_config() | {"experts": self.experts, "units": self.units}


@kind()
def mixture_of_experts():
    """How many experts there are stays; how wide they are grows."""
    return chain((3,), kl.Dense(4, activation="relu", name="a"), Experts(3, 4, name="experts"))


@kind(fixed=("gate/bias",))
def mixture_of_dense_experts():
    """A softmax over experts weighs their outputs."""
    x = table = Input((3,))
    x = kl.Dense(4, activation="relu", name="a")(x)
    experts = ops.stack([kl.Dense(4, activation="tanh", name=f"expert{i}")(x) for i in range(3)], axis=1)
    gate = kl.Dense(3, activation="softmax", name="gate")(x)
    return out(table, ops.sum(experts * ops.expand_dims(gate, -1), axis=1))


@kind(kept=("codes", "encode/bias"), statues=("encode",))
def vector_quantizer():
    """The nearest of some vectors takes the place of a code: distances hold its width."""
    x = table = Input((3,))
    x = kl.Dense(5, activation="relu", name="a")(x)
    y = Codes(6, 4, name="codes")(kl.Dense(4, name="encode")(x))
    return out(table, kl.Concatenate()([x, kl.Dense(5, activation="relu", name="b")(y)]))


@mine
class Codes(kl.Layer):
    """The nearest of some vectors."""

    def __init__(self, count, width, **kwargs):
        super().__init__(**kwargs)
        self.count, self.width = count, width
        self.codes = self.add_weight((width, count), name="embedding")

    def call(self, x):
        distances = (
            ops.sum(x**2, axis=1, keepdims=True) + ops.sum(self.codes**2, axis=0) - 2 * ops.matmul(x, self.codes)
        )
        return ops.matmul(
            ops.one_hot(ops.argmin(distances, axis=1), self.count, dtype=x.dtype), ops.transpose(self.codes)
        )

    def get_config(self):
        return super().get_config() | {"count": self.count, "width": self.width}

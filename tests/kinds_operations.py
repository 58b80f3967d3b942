"""Kinds of models: operations of Keras, in the graph."""

import keras
import numpy as np
from keras import Input, ops
from keras import layers as kl
from kinds import chain, kind, out

mine = keras.saving.register_keras_serializable("kinds")


# Gates and slices


@kind()
def glu_by_split():
    """One convolution gives both halves of a gate."""

    def gate(x):
        a, b = ops.split(x, 2, axis=-1)
        return ops.tanh(a) * ops.sigmoid(b)

    return chain((4, 2), kl.Conv1D(8, 2, name="a"), gate, kl.Dense(8, name="b"), keras.activations.glu)


@kind()
def unequal_split():
    """Parts of other widths; each has its own way."""

    def parts(x):
        a, b, c = ops.split(x, [2, 5], axis=-1)
        return ops.concatenate([ops.relu(a), kl.Dense(4, activation="relu", name="b")(b), ops.tanh(c)], axis=-1)

    return chain((3,), kl.Dense(8, name="a"), parts)


@kind()
def film():
    """A second input scales and shifts the channels of an image."""
    image, words = Input((4, 4, 2), name="image"), Input((3,), name="words")
    x = kl.Conv2D(4, 2, name="a")(image)
    scale, shift = ops.split(kl.Reshape((1, 1, 8))(kl.Dense(8, name="film")(words)), 2, axis=-1)
    return out([image, words], kl.GlobalAveragePooling2D()(ops.relu(x * (1 + scale) + shift)))


@kind()
def slices():
    """Channels by contiguous slices: the front, the middle, the end, one."""
    return chain(
        (3,),
        kl.Dense(8, name="a"),
        lambda x: ops.concatenate([x[:, :4] * ops.sigmoid(x[:, 4:]), ops.tanh(x[:, 2:6]), x[:, 3:4]], axis=-1),
        kl.Dense(4, activation="relu", name="b"),
    )


@kind()
def every_other_channel():
    """A gate whose two halves are interleaved."""
    return chain((3,), kl.Dense(8, name="a"), lambda x: x[..., ::2] * ops.sigmoid(x[..., 1::2]))


@kind()
def unstack_and_stack():
    """Heads taken apart and put together."""

    def heads(x):
        a, b = ops.unstack(ops.reshape(x, (-1, 2, 4)), axis=1)
        return ops.reshape(ops.stack([ops.relu(a), ops.tanh(b)], axis=2), (-1, 8))

    return chain((3,), kl.Dense(8, name="a"), heads, kl.Dense(4, activation="relu", name="b"))


# Channels on any axis


@kind(fixed=("token2/bias",))
def mixer_by_permute():
    """Dense layers over channels and over positions by turns."""

    def mix(x):
        y = kl.Permute((2, 1))(kl.BatchNormalization(name="n")(x))
        y = kl.Dense(3, name="token2")(kl.Dense(4, activation="gelu", name="token1")(y))
        return kl.Add()([x, kl.Permute((2, 1))(y)])

    return chain(
        (3, 2), kl.Dense(4, name="a"), mix, kl.Dense(5, activation="relu", name="b"), kl.GlobalAveragePooling1D()
    )


@kind(2, fixed=("token2/bias",))
def mixer_by_transpose():
    """The same with operations and a normalization over channels."""

    def mix(x):
        y = ops.transpose(kl.LayerNormalization(name="n")(x), (0, 2, 1))
        y = kl.Dense(3, name="token2")(kl.Dense(4, activation="gelu", name="token1")(y))
        return x + ops.swapaxes(y, 1, 2)

    return chain((3, 2), kl.Dense(4, name="a"), mix, kl.Flatten())


@kind()
def channels_first():
    """Channels in front of the positions, in layers that run so on a processor (convolutions do not)."""
    first = {"data_format": "channels_first"}
    return chain(
        (2, 4, 4),
        kl.EinsumDense("bchw,cd->bdhw", (4, 4, 4), bias_axes=None, name="a"),
        kl.BatchNormalization(axis=1, name="n"),
        kl.PReLU(shared_axes=[2, 3], name="p"),
        kl.GroupNormalization(-1, axis=1, name="g"),
        kl.Cropping2D(1, **first),
        kl.UpSampling2D(2, **first),
        kl.ZeroPadding2D(1, **first),
        lambda x: ops.concatenate([kl.GlobalAveragePooling2D(**first)(x), kl.GlobalMaxPooling2D(**first)(x)], axis=1),
        kl.Dense(4, activation="relu", name="b"),
        kl.Reshape((4, 1)),
        kl.Permute((2, 1)),
    )


@kind(2, fixed=("positions/bias",))
def channels_first_flattened():
    """A dense layer over positions, statistics over the first axis, then Flatten for channels in front."""
    return chain(
        (2, 3),
        kl.EinsumDense("bct,cd->bdt", (4, 3), name="a"),
        kl.LayerNormalization(axis=1, name="n"),
        kl.Dense(3, activation="relu", name="positions"),
        kl.Flatten(data_format="channels_first"),
    )


@kind()
def positions_turned():
    """Rows and columns change places; rolled, turned round, repeated, tiled."""
    return chain(
        (3, 3, 2),
        kl.Conv2D(4, 1, activation="relu", name="a"),
        kl.Permute((2, 1, 3)),
        lambda x: ops.roll(ops.flip(x, axis=1), 1, axis=2) + ops.rot90(x, axes=(1, 2)),
        lambda x: ops.tile(ops.repeat(x, 2, axis=1), (1, 1, 2, 1)),
        lambda x: ops.moveaxis(x, -1, 1),
        lambda x: ops.max(x, axis=(2, 3)),
    )


@kind()
def channel_shuffle():
    """Groups of channels are mixed as in ShuffleNet."""
    return chain(
        (4, 4, 2),
        kl.Conv2D(4, 1, activation="relu", name="a"),
        lambda x: ops.reshape(ops.transpose(ops.reshape(x, (-1, 4, 4, 2, 2)), (0, 1, 2, 4, 3)), (-1, 4, 4, 4)),
        kl.Conv2D(4, 2, groups=2, activation="relu", name="b"),
        kl.GlobalAveragePooling2D(),
    )


@kind()
def depth_to_space():
    """Channels become positions: TensorFlow's operation, and by hand."""

    def by_hand(x):
        x = ops.transpose(ops.reshape(x, (-1, 4, 4, 2, 2, 3)), (0, 1, 3, 2, 4, 5))
        return ops.reshape(x, (-1, 8, 8, 3))

    return chain(
        (2, 2, 2),
        kl.Conv2D(16, 1, name="a"),
        lambda x: ops.relu(ops.depth_to_space(x, 2)),
        kl.Conv2D(12, 1, name="b"),
        by_hand,
        kl.Conv2D(3, 2, 2, name="c"),
        kl.GlobalMaxPooling2D(),
    )


@kind()
def space_to_depth():
    """Positions become channels."""
    return chain((4, 4, 2), kl.Conv2D(4, 1, name="a"), lambda x: ops.relu(ops.space_to_depth(x, 2)), kl.Flatten())


@kind(kept=("a/", "b/kernel"))
def patches():
    """Patches by operation from hidden channels, and windows by unfolding a sequence."""
    return chain(
        (4, 4, 2),
        kl.Conv2D(4, 1, activation="relu", name="a"),
        lambda x: ops.image.extract_patches(x, 2),
        lambda x: ops.reshape(x, (-1, 4, 16)),
        kl.Dense(4, activation="tanh", name="b"),
    )


# Statistics and gates over channels


@kind(2, fixed=("spatial",))
def cbam():
    """Attention to channels by two poolings, then to places by maximum and mean over channels."""
    x = image = Input((4, 4, 2))
    x = kl.Conv2D(4, 2, padding="same", name="a")(x)
    one, two = kl.Dense(3, activation="relu", name="m1"), kl.Dense(4, name="m2")
    scores = ops.sigmoid(two(one(kl.GlobalAveragePooling2D()(x))) + two(one(kl.GlobalMaxPooling2D()(x))))
    x = x * kl.Reshape((1, 1, 4))(scores)
    both = ops.concatenate([ops.mean(x, axis=-1, keepdims=True), ops.max(x, axis=-1, keepdims=True)], axis=-1)
    x = x * kl.Conv2D(1, 3, padding="same", activation="sigmoid", name="spatial")(both)
    return out(image, kl.GlobalAveragePooling2D()(x))


@kind(fixed=("spatial",))
def maximum_over_channels():
    """The largest and the smallest channel stay what they are, however many copies there are."""
    x = text = Input((3, 2))
    x = kl.Dense(4, name="a")(x)
    ends = ops.stack([ops.max(x, axis=-1), ops.min(x, axis=-1)], axis=-1)
    return out(text, x * kl.Dense(1, activation="sigmoid", name="spatial")(ends))


@kind(2)
def mean_and_deviation_over_channels():
    """A normalization written by hand, without weights."""

    def by_hand(x):
        return (x - ops.mean(x, axis=-1, keepdims=True)) / (ops.std(x, axis=-1, keepdims=True) + 0.1)

    return chain((3, 2), kl.Dense(4, name="a"), by_hand, kl.Dense(4, activation="relu", name="b"))


@kind()
def squeeze_and_excite():
    """Channels weigh themselves."""
    x = image = Input((3, 3, 2))
    x = kl.Conv2D(4, 2, name="a")(x)
    gate = kl.Dense(3, activation="relu", name="squeeze")(kl.GlobalAveragePooling2D(keepdims=True)(x))
    return out(image, kl.Flatten()(x * kl.Dense(4, activation="sigmoid", name="excite")(gate)))


@kind()
def maxout():
    """The largest of two pieces, whichever axis they lie on."""
    return chain(
        (3,),
        kl.Dense(8, name="a"),
        lambda x: ops.max(ops.reshape(x, (-1, 4, 2)), axis=-1),
        kl.Dense(8, name="b"),
        lambda x: ops.max(ops.reshape(x, (-1, 2, 4)), axis=1),
    )


# Products


@kind(data=lambda rng, batch: [rng.uniform(0, 1, (batch, 4, 4)), rng.normal(size=(batch, 4, 2))])
def graph_network():
    """Who is linked with whom is an input, and a constant; as many nodes as channels."""
    links, nodes = Input((4, 4), name="links"), Input((4, 2), name="nodes")
    x = ops.relu(ops.matmul(links, kl.Dense(4, name="a")(nodes)))
    x = kl.Dense(4, name="b")(x)
    x = ops.relu(ops.matmul(np.random.default_rng(0).uniform(0, 1, (4, 4)), x))
    return out([links, nodes], x)


@kind(kept=("q/bias", "k/bias"), statues=("k/bias",))
def attention_by_hand():
    """Queries, keys, values, softmax: by matmul, and by einsum."""
    x = text = Input((4, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    for name in ("by_matmul", "by_einsum"):
        q, k, v = (kl.Dense(4, name=f"{name}_{which}")(x) for which in "qkv")
        if name == "by_matmul":
            y = ops.matmul(ops.softmax(ops.matmul(q, ops.transpose(k, (0, 2, 1))) / 2.0, axis=-1), v)
        else:
            scores = ops.einsum("btc,bsc->bts", q, k)
            y = ops.einsum("bts,bsc->btc", ops.softmax(ops.where(np.tri(4) > 0, scores, -1e9), axis=-1), v)
        x = x + kl.Dense(4, name=f"{name}_o")(y)
    return out(text, x)


@kind(kept=("q/bias", "k/bias"), statues=("k/bias",))
def linear_attention():
    """Keys and values meet first, over positions."""
    x = text = Input((4, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    q, k, v = (kl.Dense(3, name=name)(x) for name in "qkv")
    k = ops.softmax(k, axis=1)
    return out(text, ops.matmul(ops.elu(q), ops.matmul(ops.transpose(k, (0, 2, 1)), v)))


@kind(kept=("embedding",))
def recommender_dot():
    """A dot product of two embeddings holds their width; the layers beside grow."""
    user, item = Input((1,), dtype="int32", name="user"), Input((1,), dtype="int32", name="item")
    latent = [kl.Flatten()(kl.Embedding(5, 4, name=f"embedding{i}")(x)) for i, x in enumerate((user, item))]
    deep = [kl.Flatten()(kl.Embedding(5, 4, name=f"deep{i}")(x)) for i, x in enumerate((user, item))]
    x = kl.Dense(4, activation="relu", name="a")(kl.Concatenate()(deep))
    return out([user, item], kl.Concatenate()([kl.Dot(axes=1)(latent), x]))


@kind(kept=("code/bias", "embedding"))
def normalized_embedding():
    """Cosine of a text and each of the words: lengths hold the width."""
    x = words = Input((3,), dtype="int32")
    x = kl.GlobalAveragePooling1D()(kl.Embedding(5, 4, name="embedding")(x))
    x = kl.Dense(4, name="code")(kl.Dense(5, activation="relu", name="a")(x))
    x = ops.normalize(x, axis=-1)
    return out(words, kl.Dense(4, activation="relu", name="b")(x))


@mine
class Words(kl.Layer):
    """An embedding that gives the outputs too."""

    def __init__(self, words, width, **kwargs):
        super().__init__(**kwargs)
        self.words, self.width = words, width
        self.embedding = self.add_weight((words, width), name="embedding")

    def call(self, x, reverse=False):
        return ops.matmul(x, ops.transpose(self.embedding)) if reverse else ops.take(self.embedding, x, axis=0)

    def get_config(self):
        return super().get_config() | {"words": self.words, "width": self.width}


@kind(2)
def tied_embedding():
    """The embedding of words gives the scores of words: its share goes to the normalization before it."""
    words, tied = Input((3,), dtype="int32"), Words(5, 4, name="words")
    x = tied(words)
    x = x + kl.Dense(4, name="b")(kl.Dense(6, activation="relu", name="a")(x))
    return keras.Model(words, tied(kl.LayerNormalization(name="n")(x), reverse=True))


@kind(2)
def reversible_embedding():
    """The same with Keras' layer."""
    words, tied = Input((3,), dtype="int32"), kl.ReversibleEmbedding(5, 4, name="words")
    x = tied(words)
    x = x + kl.Dense(4, name="b")(kl.Dense(6, activation="relu", name="a")(x))
    return keras.Model(words, tied(kl.RMSNormalization(name="n")(x), reverse=True))


@kind(whole=(), partly=(1.5, 2), grown=("a/", "b/kernel"))
def tied_without_a_normalization():
    """The share has nowhere to go but the dense layer before; its inner layer grows in any case."""
    words, tied = Input((3,), dtype="int32"), Words(5, 4, name="words")
    x = kl.Dense(4, name="b")(kl.Dense(6, activation="relu", name="a")(tied(words)))
    return keras.Model(words, tied(x, reverse=True))


@kind()
def bilinear():
    """An outer product of two codes, flattened; each side grows."""
    x = table = Input((3,))
    a, b = kl.Dense(3, name="a", activation="tanh")(x), kl.Dense(4, name="b", activation="tanh")(x)
    return out(table, kl.Flatten()(ops.expand_dims(a, 2) * ops.expand_dims(b, 1)))


@kind(fixed=("filters",))
def dynamic_filter():
    """The weights of a product over positions are made by a network."""
    x = text = Input((3, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    weights = kl.Dense(3, activation="softmax", name="filters")(x)
    return out(text, ops.matmul(weights, x))

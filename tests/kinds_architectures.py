"""Kinds of models: architectures as Keras' own examples write them, with layers of their own."""

import keras
import numpy as np
from keras import Input, ops
from keras import layers as kl
from kinds import kind, out

mine = keras.saving.register_keras_serializable("kinds")


@mine
class CutPatches(kl.Layer):
    """An image becomes a sequence of patches; Keras writes the settings down."""

    def __init__(self, side, **kwargs):
        super().__init__(**kwargs)
        self.side = side

    def call(self, x):
        x = ops.image.extract_patches(x, size=self.side)
        return ops.reshape(x, (ops.shape(x)[0], x.shape[1] * x.shape[2], x.shape[3]))


@mine
class PatchEncoder(kl.Layer):
    """A projection and a place for each patch."""

    def __init__(self, patches, width, **kwargs):
        super().__init__(**kwargs)
        self.patches = patches
        self.projection, self.position = (
            kl.Dense(width, name="projection"),
            kl.Embedding(patches, width, name="position"),
        )

    def build(self, shape):
        self.projection.build(shape)
        self.position.build((1, self.patches))

    def call(self, x):
        return self.projection(x) + self.position(ops.expand_dims(ops.arange(self.patches), 0))

    def get_config(self):
        return super().get_config() | {"patches": self.patches, "width": self.projection.units}


@kind(2, statues=("key/bias",), fixed=("normalization/",))
def vision_transformer():
    """As Keras' example has it: chance and sizes first, patches, places, blocks, Flatten, a head."""
    image = Input((5, 5, 1))
    norm = kl.Normalization(name="normalization")
    norm.adapt(np.random.default_rng(0).normal(size=(9, 5, 5, 1)))
    x = keras.Sequential([norm, kl.Resizing(4, 4), kl.RandomFlip("horizontal")], name="prepare")(image)
    x = PatchEncoder(4, 4, name="places")(CutPatches(2, name="patches")(x))
    y = kl.LayerNormalization(name="n1")(x)
    x = kl.Add()([x, kl.MultiHeadAttention(2, 2, dropout=0.1, name="mha")(y, y)])
    y = kl.LayerNormalization(name="n2")(x)
    for i, units in enumerate((6, 4)):
        y = kl.Dropout(0.1)(kl.Dense(units, activation=keras.activations.gelu, name=f"mlp{i}")(y))
    x = kl.Flatten()(kl.LayerNormalization(name="n3")(kl.Add()([x, y])))
    return out(image, kl.Dense(5, activation="gelu", name="head")(x))


@mine
class TokensAndPlaces(kl.Layer):
    """The sum of two embeddings; Keras writes the settings down."""

    def __init__(self, length, words, width, **kwargs):
        super().__init__(**kwargs)
        self.tokens, self.places = kl.Embedding(words, width, name="tokens"), kl.Embedding(length, width, name="places")

    def build(self, shape):
        self.tokens.build(shape)
        self.places.build((shape[-1],))

    def call(self, x):
        return self.tokens(x) + self.places(ops.arange(ops.shape(x)[-1]))


@mine
class Block(kl.Layer):
    """A block of a Transformer; Keras writes the settings down. Its width is also what each head's keys have."""

    def __init__(self, width, heads, inner, causal=False, keys=None, **kwargs):
        super().__init__(**kwargs)
        self.causal = causal
        self.mha = kl.MultiHeadAttention(heads, keys or width, name="mha")
        self.ffn = keras.Sequential([kl.Dense(inner, activation="relu"), kl.Dense(width)], name="ffn")
        self.n1, self.n2 = (kl.LayerNormalization(epsilon=1e-6, name=name) for name in ("n1", "n2"))
        self.drop = kl.Dropout(0.1)

    def build(self, shape):
        self.mha.build(shape, shape)
        for layer in (self.ffn, self.n1, self.n2):
            layer.build(shape)

    def call(self, x):
        x = self.n1(x + self.drop(self.mha(x, x, use_causal_mask=self.causal)))
        return self.n2(x + self.drop(self.ffn(x)))


@mine
class BlockWithConfig(Block):
    """The same, with a get_config."""

    def __init__(self, width, heads, inner, keys, **kwargs):
        super().__init__(width, heads, inner, keys=keys, **kwargs)
        self.settings = {"width": width, "heads": heads, "inner": inner, "keys": keys}

    def get_config(self):
        return kl.Layer.get_config(self) | self.settings


@kind(2, statues=("key/bias",))
def text_transformer():
    """Layers of one's own with get_config."""
    x = words = Input((4,), dtype="int32")
    x = BlockWithConfig(4, 2, 6, 2, name="block")(TokensAndPlaces(4, 5, 4, name="embed")(x))
    return out(words, kl.Dense(5, activation="relu", name="head")(kl.GlobalAveragePooling1D()(x)))


@kind(whole=(), partly=(1.5, 2), grown=("ffn/dense/kernel", "query", "value", "head"), statues=("key/bias",))
def text_transformer_as_written():
    """Without get_config; one setting is the residual width and that of the keys, so that only the rest grows."""
    x = words = Input((4,), dtype="int32")
    x = Block(4, 2, 6, name="block")(TokensAndPlaces(4, 5, 4, name="embed")(x))
    return out(words, kl.Dense(5, activation="relu", name="head")(kl.GlobalAveragePooling1D()(x)))


@kind(2, statues=("key/bias",))
def miniature_gpt():
    """Causal blocks, a score for each word at each position, and what is inside as a second output of the loss."""
    x = words = Input((4,), dtype="int32")
    x = TokensAndPlaces(4, 5, 4, name="embed")(x)
    for i in range(2):
        x = Block(4, 2, 6, True, keys=2, name=f"block{i}")(x)
    return out(words, x, 5)


@kind(2, fixed=("numbers/",), statues=("key/bias",))
def tab_transformer():
    """A dict of scalars; one embedding a column, side by side as positions."""
    sorts = {f"sort{i}": Input((), name=f"sort{i}", dtype="int32") for i in range(2)}
    numbers = {f"number{i}": Input((), name=f"number{i}") for i in range(2)}
    x = ops.stack([kl.Embedding(5, 4, name=f"embedding{i}")(s) for i, s in enumerate(sorts.values())], axis=1)
    y = kl.MultiHeadAttention(2, 2, name="mha")(x, x)
    x = kl.LayerNormalization(name="n")(kl.Add()([x, y]))
    beside = kl.LayerNormalization(name="numbers")(kl.Concatenate()([ops.expand_dims(n, -1) for n in numbers.values()]))
    x = kl.Concatenate()([kl.Flatten()(x), beside])
    mlp = [kl.BatchNormalization(name="bn"), kl.Dense(5, activation="selu", name="h")]
    return out({**sorts, **numbers}, keras.Sequential(mlp, name="mlp")(x))


@kind(2, statues=("key/bias",))
def mobile_vit():
    """Inverted residuals, maps folded into patches, a block of a Transformer, unfolded, side by side."""
    x = image = Input((4, 4, 1))
    y = kl.Conv2D(6, 1, use_bias=False, name="expand")(kl.Conv2D(4, 2, padding="same", activation="swish", name="a")(x))
    y = kl.BatchNormalization(name="bn")(
        kl.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(ops.swish(y))
    )
    x = kl.Conv2D(4, 1, name="project")(y)
    f = kl.Conv2D(4, 1, activation="swish", name="local")(x)
    p = kl.Reshape((4, 4, 4))(f)
    y = kl.LayerNormalization(name="n1")(p)
    p = kl.Add()([p, kl.MultiHeadAttention(2, 2, name="mha")(y, y)])
    y = kl.LayerNormalization(name="n2")(p)
    p = kl.Add()([p, kl.Dense(4, name="f2")(kl.Dense(6, activation="swish", name="f1")(y))])
    g = kl.Conv2D(4, 1, activation="swish", name="back")(kl.Reshape((4, 4, 4))(p))
    x = kl.Conv2D(4, 2, activation="swish", name="fuse")(kl.Concatenate()([x, g]))
    return out(image, kl.GlobalAveragePooling2D()(x))


@mine
def waves(x):
    """A number as sines and cosines."""
    x = ops.exp(ops.linspace(0.0, 1.0, 2, dtype=x.dtype)) * x
    return ops.concatenate([ops.sin(x), ops.cos(x)], axis=-1)


@kind()
def u_net():
    """Down and up with skips; a second input says how much noise there is."""
    image, noise = Input((4, 4, 1), name="image"), Input((1, 1, 1), name="noise")
    e = kl.UpSampling2D(4)(kl.Lambda(waves, output_shape=(1, 1, 4), name="waves")(noise))
    x = s1 = kl.Concatenate()([kl.Conv2D(4, 1, name="a")(image), e])
    y = kl.BatchNormalization(center=False, scale=False, name="bn")(x)
    x = s2 = kl.Add()(
        [kl.Conv2D(4, 3, padding="same", activation="swish", name="b")(y), kl.Conv2D(4, 1, name="skip")(x)]
    )
    x = kl.Conv2D(5, 3, padding="same", activation="relu", name="bottom")(kl.AveragePooling2D(2)(x))
    x = kl.Concatenate()(
        [kl.Conv2DTranspose(4, 2, 2, name="up")(x), kl.UpSampling2D(2, interpolation="bilinear")(x), s2]
    )
    x = kl.Conv2D(4, 3, padding="same", activation="relu", name="c")(kl.Concatenate()([x, s1]))
    return keras.Model([image, noise], kl.Conv2D(2, 1, name="out")(x))


@kind(fixed=("psi/bias",))
def attention_u_net():
    """A gate of one channel weighs a skip."""
    x = image = Input((4, 4, 1))
    s = kl.Conv2D(4, 2, padding="same", activation="relu", name="a")(x)
    x = kl.Conv2D(5, 2, padding="same", activation="relu", name="b")(kl.MaxPooling2D()(s))
    both = ops.relu(kl.add([kl.Conv2D(3, 1, name="g")(x), kl.Conv2D(3, 1, 2, name="t")(s)]))
    gate = kl.UpSampling2D(2)(kl.Conv2D(1, 1, activation="sigmoid", name="psi")(both))
    x = kl.concatenate([kl.Conv2DTranspose(4, 2, 2, name="up")(x), kl.multiply([s, gate])])
    return keras.Model(image, kl.Conv2D(2, 1, name="out")(x))


@kind()
def wavenet():
    """Dilated causal convolutions, gates by halves, residual and skip sums; any length."""
    x = sound = Input((None, 1))
    x, skips = kl.Conv1D(4, 2, padding="causal", name="front")(x), []
    for d in (1, 2):
        y = kl.Conv1D(6, 2, dilation_rate=d, padding="causal", name=f"f{d}")(x)
        y = ops.tanh(y[..., :3]) * ops.sigmoid(y[..., 3:])
        skips.append(kl.Conv1D(5, 1, name=f"s{d}")(y))
        x = kl.Add()([x, kl.Conv1D(4, 1, name=f"r{d}")(y)])
    return out(sound, kl.Activation("relu")(kl.Add()(skips)))


@kind()
def crnn():
    """Letters in an image: convolutions, columns as positions, recurrent layers both ways."""
    x = image = Input((8, 4, 1))
    x = kl.MaxPooling2D()(kl.Conv2D(4, 2, padding="same", activation="relu", name="a")(x))
    x = kl.Dense(4, activation="relu", name="squeeze")(kl.Reshape((4, 2 * 4))(x))
    x = kl.Bidirectional(kl.LSTM(3, return_sequences=True, dropout=0.2), name="r")(x)
    return out(image, x, 4, activation="softmax")


@kind(fixed=("time/",))
def speech():
    """Convolutions, LSTMs, then dense layers over time."""
    x = sound = Input((4, 2))
    x = kl.BatchNormalization(name="bn")(kl.Conv1D(4, 2, padding="same", activation="relu", name="a")(x))
    x = kl.Permute((2, 1))(kl.Bidirectional(kl.LSTM(3, return_sequences=True), name="r")(x))
    x = kl.Permute((2, 1))(kl.Dense(5, activation="relu", name="time")(x))
    return out(sound, x)


@mine
class Draw(kl.Layer):
    """Draws around a mean; the seed is a variable that is no number of the network."""

    def __init__(self, noise=0.0, **kwargs):
        super().__init__(**kwargs)
        self.noise, self.seed = noise, keras.random.SeedGenerator(7)

    def call(self, xs):
        mean, spread = xs
        drawn = keras.random.normal(ops.shape(mean), dtype=mean.dtype, seed=self.seed)
        return mean + self.noise * ops.exp(0.5 * spread) * drawn + 0.1 * spread


@kind(kept=("mean/bias", "spread/bias"))
def variational_autoencoder():
    """An encoder with three outputs, a latent that is drawn, a decoder; the latent is hidden."""
    x = image = Input((4, 4, 1))
    x = kl.Conv2D(4, 3, 2, padding="same", activation="relu", name="e1")(x)
    x = kl.Dense(4, activation="relu", name="e2")(kl.Flatten()(x))
    mean, spread = kl.Dense(2, name="mean")(x), kl.Dense(2, name="spread")(x)
    encoder = keras.Model(image, [mean, spread, Draw(name="draw")([mean, spread])], name="encoder")
    x = latent = Input((2,))
    x = kl.Reshape((2, 2, 4))(kl.Dense(16, activation="relu", name="d1")(x))
    x = kl.Conv2DTranspose(4, 3, 2, padding="same", activation="relu", name="d2")(x)
    decoder = keras.Model(
        latent, kl.Conv2DTranspose(1, 3, padding="same", activation="sigmoid", name="out")(x), name="decoder"
    )
    image = Input((4, 4, 1))
    return keras.Model(image, decoder(encoder(image)[2]))


@mine
def distance(pair):
    """Euclid's."""
    return ops.sqrt(ops.sum(ops.square(pair[0] - pair[1]), axis=1, keepdims=True) + 1e-7)


@kind(kept=("code/bias", "bn/", "out/kernel"))
def siamese():
    """Two images through one tower; a Lambda takes the distance of their codes, which holds their width."""
    x = image = Input((4, 4, 1))
    x = kl.AveragePooling2D(2)(kl.Conv2D(4, 2, padding="same", activation="tanh", name="a")(x))
    x = kl.BatchNormalization(name="flat")(kl.Flatten()(x))
    tower = keras.Model(image, kl.Dense(3, activation="tanh", name="code")(x), name="tower")
    a, b = Input((4, 4, 1), name="first"), Input((4, 4, 1), name="second")
    x = kl.Lambda(distance, output_shape=(1,), name="distance")([tower(a), tower(b)])
    return out([a, b], kl.BatchNormalization(name="bn")(x), 1, activation="sigmoid")


@mine
class ReflectionPadding(kl.Layer):
    """As in Keras' CycleGAN."""

    def __init__(self, padding=(1, 1), **kwargs):
        super().__init__(**kwargs)
        self.padding = tuple(padding)

    def call(self, x):
        return ops.pad(x, [[0, 0], [self.padding[0]] * 2, [self.padding[1]] * 2, [0, 0]], mode="reflect")


@kind()
def cycle_gan():
    """Reflected borders, normalization of each channel, residual blocks, transposed convolutions."""

    def norm(x, name):
        return kl.GroupNormalization(-1, name=name)(x)

    x = image = Input((4, 4, 1))
    x = norm(kl.Conv2D(4, 3, use_bias=False, name="stem")(ReflectionPadding(name="pad1")(x)), "n1")
    x = ops.relu(norm(kl.Conv2D(5, 3, 2, padding="same", use_bias=False, name="down")(x), "n2"))
    y = norm(kl.Conv2D(5, 3, use_bias=False, name="r")(ReflectionPadding(name="pad2")(x)), "n3")
    x = kl.Conv2DTranspose(4, 3, 2, padding="same", use_bias=False, name="up")(kl.Add()([x, y]))
    return keras.Model(image, kl.Conv2D(2, 1, activation="tanh", name="out")(ops.relu(norm(x, "n4"))))


@kind()
def dueling_q_network():
    """Value and advantage; their mean is taken over what comes out."""
    x = image = Input((4, 4, 1))
    x = kl.Flatten()(kl.Conv2D(4, 2, 2, activation="relu", name="a")(x))
    value = kl.Dense(1, name="out1")(kl.Dense(4, activation="relu", name="v")(x))
    advantage = kl.Dense(3, name="out2")(kl.Dense(4, activation="relu", name="w")(x))
    return keras.Model(image, value + advantage - ops.mean(advantage, axis=1, keepdims=True))


@kind()
def alpha_zero():
    """A residual tower whose gate is split; two heads."""
    x = board = Input((3, 3, 2))
    x = ops.relu(
        kl.BatchNormalization(scale=False, name="bn")(kl.Conv2D(4, 3, padding="same", use_bias=False, name="a")(x))
    )
    y = kl.Conv2D(4, 3, padding="same", name="b")(x)
    g = kl.Dense(8, name="g2")(kl.Dense(3, activation="relu", name="g1")(kl.GlobalAveragePooling2D()(y)))
    gamma, beta = ops.split(kl.Reshape((1, 1, 8))(g), 2, axis=-1)
    x = ops.relu(x + y * ops.sigmoid(gamma) + beta)
    policy = kl.Dense(3, name="out1")(kl.Flatten()(kl.Conv2D(3, 1, activation="relu", name="p")(x)))
    value = kl.Dense(1, activation="tanh", name="out2")(kl.Dense(4, activation="relu", name="v")(kl.Flatten()(x)))
    return keras.Model(board, [policy, value])


@kind(fixed=("cross0/bias", "cross1/bias"))
def cross_network():
    """Deep and cross: a product with the input, again and again."""
    x0 = x = table = Input((4,))
    for i in range(2):
        x = x0 * kl.Dense(4, name=f"cross{i}")(kl.Dense(3, use_bias=False, name=f"low{i}")(x)) + x
    return out(table, kl.Dense(5, activation="relu", name="deep")(x))


@kind(kept=("embedding/",))
def text_cnn():
    """Kim's: convolutions over a text as an image whose columns are the channels of an embedding."""
    x = words = Input((4,), dtype="int32")
    x = kl.Reshape((4, 4, 1))(kl.Embedding(5, 4, name="embedding")(x))
    return out(words, kl.Flatten()(kl.Conv2D(3, (2, 4), activation="relu", name="a")(x)))


@kind(fixed=("alpha",))
def multiple_instances():
    """Attention of a bag to its instances, by a layer of one's own whose output is made of weighed positions."""
    x = bag = Input((3, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    scores = kl.Dense(1, use_bias=False, name="w")(
        kl.Dense(3, activation="tanh", name="v")(x) * kl.Dense(3, activation="sigmoid", name="u")(x)
    )
    return out(bag, ops.sum(ops.softmax(scores, axis=1) * x, axis=1))


@kind()
def transfer_learning():
    """A frozen model with batch normalization, called for inference; a new head."""
    x = image = Input((4, 4, 3))
    x = kl.ReLU(6.0)(kl.BatchNormalization(name="bn")(kl.Conv2D(4, 3, use_bias=False, name="a")(x)))
    base = keras.Model(image, kl.DepthwiseConv2D(2, name="depthwise")(x), name="base")
    base.trainable = False
    image = Input((4, 4, 3))
    x = base(keras.applications.mobilenet_v2.preprocess_input(image), training=False)
    return out(image, kl.Dense(4, activation="relu", name="new")(kl.GlobalAveragePooling2D()(x)))


@mine
class WithStep(keras.Model):
    """A functional model of a class of one's own."""

    def train_step(self, data):
        return super().train_step(data)


@kind()
def functional_class():
    """A class derived from Model around a graph, for the sake of its train_step."""
    x = table = Input((3,))
    return WithStep(table, kl.Dense(2, name="out")(kl.Dense(4, activation="relu", name="a")(x)))


@mine
class Endpoint(kl.Layer):
    """Adds a loss of labels and scores, and gives the scores."""

    def call(self, labels, scores):
        self.add_loss(ops.mean(ops.square(labels - scores)))
        return scores


@kind()
def endpoint_with_a_loss():
    """A layer that takes labels too; the model's loss is inside."""
    x, labels = Input((3,), name="table"), Input((2,), name="labels")
    y = kl.Dense(2, name="out", kernel_regularizer="l2")(kl.Dense(4, activation="relu", name="a")(x))
    return keras.Model([x, labels], Endpoint(name="end")(labels, y))

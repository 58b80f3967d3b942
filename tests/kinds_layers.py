"""Kinds of models: the layers of Keras."""

import keras
import numpy as np
from keras import Input, ops
from keras import layers as kl
from kinds import chain, kind, out


@kind()
def dense():
    """Dense layers one behind the other."""
    return keras.Sequential(
        [
            Input((3,)),
            kl.Dense(4, activation="relu"),
            kl.Dense(5, activation="tanh"),
            kl.Dropout(0.5),
            kl.Dense(2, name="out"),
        ]
    )


@kind()
def sequential_without_an_input():
    """A Sequential that was built by a shape."""
    model = keras.Sequential([kl.Dense(4, activation="gelu"), kl.Dense(2, name="out")])
    model.build((None, 3))
    return model


@kind()
def conv2d():
    """Strides, dilation, Flatten behind a convolution."""
    x = image = Input((6, 6, 2))
    x = kl.Conv2D(4, 3, 2, padding="same", activation="relu", name="a")(x)
    x = kl.Conv2D(4, 2, dilation_rate=2, padding="same", use_bias=False, activation="elu", name="b")(x)
    return out(image, kl.Flatten()(x))


@kind()
def grouped_convolution():
    """Groups of channels; the layer behind sees all."""
    x = image = Input((5, 5, 3))
    x = kl.Conv2D(4, 2, activation="tanh", name="a")(x)
    x = kl.Conv2D(6, 2, groups=2, activation="relu", name="b")(x)
    return out(image, kl.GlobalAveragePooling2D()(x))


@kind()
def depthwise_and_separable_2d():
    """Depthwise convolutions with several outputs a channel, and separable ones."""
    x = image = Input((6, 6, 2))
    x = kl.Conv2D(4, 1, activation="relu", name="a")(x)
    x = kl.DepthwiseConv2D(2, 2, depth_multiplier=2, activation="tanh", name="depthwise")(x)
    x = kl.SeparableConv2D(5, 2, depth_multiplier=2, name="separable")(x)
    return out(image, kl.GlobalMaxPooling2D()(x))


@kind()
def conv1d():
    """Causal and dilated convolutions over positions, depthwise and separable ones, groups."""
    x = sound = Input((8, 2))
    x = kl.Conv1D(4, 2, padding="causal", dilation_rate=2, activation="relu", name="a")(x)
    x = kl.DepthwiseConv1D(2, depth_multiplier=2, name="depthwise")(x)
    x = kl.SeparableConv1D(6, 2, padding="same", activation="tanh", name="separable")(x)
    x = kl.Conv1D(4, 2, 2, groups=2, name="b")(x)
    return out(sound, kl.Flatten()(x))


@kind()
def conv3d():
    """Volumes."""
    x = volume = Input((3, 3, 3, 1))
    x = kl.Conv3D(4, 2, activation="relu", name="a")(x)
    x = kl.Conv3D(5, 2, padding="same", name="b")(kl.UpSampling3D(2)(kl.ZeroPadding3D(1)(x)))
    return out(volume, kl.GlobalAveragePooling3D()(kl.Cropping3D(1)(x)))


@kind()
def transposed_convolutions():
    """A decoder: Dense, Reshape, transposed convolutions in one, two and three dimensions."""
    x = code = Input((3,))
    x = kl.Reshape((2, 4))(kl.Dense(8, activation="relu", name="a")(x))
    x = kl.Conv1DTranspose(4, 2, 2, activation="relu", name="b")(x)
    x = kl.Reshape((2, 2, 4))(x)
    x = kl.Conv2DTranspose(3, 3, 2, padding="same", activation="tanh", name="c")(x)
    x = kl.Conv2DTranspose(4, 2, padding="valid", dilation_rate=1, name="d")(x)
    x = kl.Reshape((1, 5, 5, 4))(x)
    x = kl.Conv3DTranspose(3, 2, name="e")(x)
    return out(code, x)


@kind()
def poolings_1d():
    """Windows and whole axes of positions."""
    x = sound = Input((9, 2))
    x = kl.MaxPooling1D(2)(kl.Conv1D(4, 2, activation="relu", name="a")(x))
    x = kl.AveragePooling1D(2, 1, padding="same")(kl.Conv1D(4, 1, name="b")(x))
    x = kl.UpSampling1D(2)(kl.Cropping1D(1)(kl.ZeroPadding1D(1)(x)))
    return out(sound, kl.Concatenate()([kl.GlobalAveragePooling1D()(x), kl.GlobalMaxPooling1D()(x)]))


@kind()
def poolings_2d():
    """Windows, whole axes with and without the axes kept, adaptive windows."""
    x = image = Input((8, 8, 2))
    x = kl.MaxPooling2D(3, 2, padding="same")(kl.Conv2D(4, 1, activation="relu", name="a")(x))
    x = kl.AveragePooling2D(2, 1)(kl.Conv2D(4, 1, name="b")(x))
    x = kl.AdaptiveMaxPooling2D(2)(kl.AdaptiveAveragePooling2D(3)(kl.Conv2D(5, 1, name="c")(x)))
    gate = kl.GlobalAveragePooling2D(keepdims=True)(x)
    return out(image, kl.GlobalMaxPooling2D()(x * gate))


@kind(exact=1e-5)
def poolings_3d():
    """Volumes are pooled in float32 only."""
    policy = {"dtype": "float32"}
    x = volume = Input((4, 4, 4, 1), dtype="float32")
    x = kl.MaxPooling3D(2, 1, **policy)(kl.Conv3D(4, 2, padding="same", activation="relu", name="a", **policy)(x))
    x = kl.AveragePooling3D(2, **policy)(kl.Conv3D(5, 2, padding="same", name="b", **policy)(x))
    return keras.Model(volume, kl.Dense(2, name="out", **policy)(kl.GlobalMaxPooling3D(**policy)(x)))


@kind()
def batch_normalization():
    """With and without scale and shift; its statistics are weights; then PReLU."""
    x = image = Input((4, 4, 2))
    x = kl.ReLU()(kl.BatchNormalization(name="n1")(kl.Conv2D(4, 3, use_bias=False, name="a")(x)))
    x = kl.PReLU(name="p1")(kl.BatchNormalization(scale=False, name="n2")(kl.Conv2D(4, 1, name="b")(x)))
    x = kl.PReLU(shared_axes=[1, 2], name="p2")(kl.BatchNormalization(center=False, name="n3")(x))
    return out(image, kl.GlobalAveragePooling2D()(x))


@kind(fixed=("first/", "last/"))
def normalization_of_one_channel():
    """As of grey pictures, and of a distance."""
    return chain(
        (4, 4, 1),
        kl.BatchNormalization(name="first"),
        kl.Conv2D(4, 3, activation="relu", name="a"),
        kl.Flatten(),
        kl.Dense(4, name="b"),
        lambda x: ops.sum(x, axis=-1, keepdims=True),
        kl.BatchNormalization(name="last"),
        kl.Dense(4, activation="tanh", name="c"),
    )


@kind(2, partly=())
def layer_normalization():
    """Statistics over channels, and over channels and positions."""
    x = text = Input((3, 2))
    x = kl.LayerNormalization(name="n1")(kl.Dense(4, activation="relu", name="a")(x))
    x = kl.LayerNormalization(axis=[1, 2], name="n2")(kl.Dense(6, activation="tanh", name="b")(x))
    return out(text, x)


@kind(2)
def group_normalization():
    """Statistics of groups of channels."""
    x = image = Input((3, 3, 2))
    x = kl.GroupNormalization(2, name="n")(kl.Conv2D(4, 2, name="a")(x))
    return out(image, kl.GlobalAveragePooling2D()(ops.gelu(x)))


@kind(statues=("a/bias",))
def instance_normalization():
    """Statistics of each channel: any width will do."""
    x = image = Input((3, 3, 2))
    x = kl.GroupNormalization(-1, name="n")(kl.Conv2D(4, 2, name="a")(x))
    return out(image, kl.GlobalAveragePooling2D()(ops.relu(x)))


@kind(2, partly=())
def rms_normalization():
    """Root mean squares over channels."""
    x = text = Input((3, 2))
    return out(text, kl.RMSNormalization(name="n")(kl.Dense(4, activation="silu", name="a")(x)))


@kind(kept=("b/bias",))
def unit_normalization():
    """A sum of squares over channels holds them; those before and behind grow."""
    x = text = Input((3, 3))
    x = kl.Dense(4, activation="relu", name="a")(x)
    x = kl.UnitNormalization()(kl.Dense(4, name="b")(x))
    return out(text, kl.Dense(4, activation="relu", name="c")(x))


@kind()
def spectral_normalization():
    """A wrapper with a vector of its own that only training reads."""
    x = image = Input((4, 4, 2))
    x = kl.SpectralNormalization(kl.Conv2D(4, 2, activation="relu"), name="a")(x)
    x = kl.SpectralNormalization(kl.Dense(5, activation="relu"), name="b")(kl.Flatten()(x))
    return out(image, x)


@kind()
def residual_and_concatenated():
    """Sums of what must be as wide, side by side what need not."""
    x = y = table = Input((3,))
    x = kl.Dense(4, activation="relu", name="a")(x)
    for name in "bc":
        x = kl.Add()([x, kl.Dense(4, name=f"{name}2")(kl.Dense(5, activation="relu", name=name)(x))])
    y = kl.Average()([kl.Dense(4, activation="tanh", name="d")(y), x])
    x = kl.Concatenate()([x, kl.Multiply()([y, x]), kl.Maximum()([x, y]), kl.Subtract()([x, y]), table])
    return out(table, kl.Dense(4, activation="relu", name="e")(x))


@kind()
def nested_models():
    """A model in a model in a model; one is called twice."""
    inner = keras.Sequential(
        [Input((4,)), kl.Dense(5, activation="relu", name="i"), kl.Dense(4, name="j")], name="inner"
    )
    x = middle = Input((4,))
    x = kl.Add()([inner(x), kl.Dense(4, name="k")(x)])
    block = keras.Model(middle, inner(x), name="block")
    x = table = Input((3,))
    x = block(kl.Dense(4, activation="tanh", name="a")(x))
    return out(table, block(x))


@kind()
def shared_layers():
    """One layer called on three tensors."""
    a, b = Input((3,), name="first"), Input((3,), name="second")
    tower = [kl.Dense(4, activation="relu", name="tower"), kl.Dense(4, activation="tanh", name="top")]
    x, y = (tower[1](tower[0](each)) for each in (a, b))
    return out([a, b], kl.Concatenate()([x, y, tower[1](x), ops.abs(x - y)]))


@kind(fixed=("critic",))
def many_inputs_and_outputs():
    """A dict of inputs, scalars among them; a dict of outputs, a hidden layer's among them."""
    number, token, image = (
        Input((), name="number"),
        Input((), name="token", dtype="int32"),
        Input((4, 4, 1), name="image"),
    )
    x = kl.Concatenate()([ops.expand_dims(number, -1), kl.Embedding(5, 4, name="embedding")(token)])
    y = kl.GlobalAveragePooling2D()(kl.Conv2D(4, 3, activation="relu", name="a")(image))
    x = kl.Dense(5, activation="relu", name="b")(kl.Concatenate()([x, y]))
    shown = kl.Dense(3, activation="relu", name="out")(kl.Dense(4, activation="relu", name="c")(x))
    ends = {"actor": shown, "critic": kl.Dense(1, name="critic")(shown)}
    return keras.Model({"number": number, "token": token, "image": image}, ends)


@kind()
def einsum_dense():
    """Dense layers over axes by their letters: heads appear and go."""
    x = text = Input((3, 2))
    x = kl.EinsumDense("btc,cd->btd", (None, 4), bias_axes="d", activation="relu", name="a")(x)
    x = kl.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de", name="b")(x)
    return out(text, kl.EinsumDense("abde,def->abf", (None, 4), bias_axes="f", name="c")(ops.tanh(x)))


@kind(kept=("q/bias", "k/bias"), statues=("k/bias",))
def attention():
    """Luong's: the width of queries and keys stays, that of the values grows."""
    a, b = Input((3, 2), name="first"), Input((4, 3), name="second")
    x, y = kl.Dense(4, activation="relu", name="a")(a), kl.Dense(5, activation="relu", name="b")(b)
    q, k, v = kl.Dense(3, name="q")(x), kl.Dense(3, name="k")(y), kl.Dense(4, name="v")(y)
    return out([a, b], kl.Concatenate()([x, kl.Attention(name="attention")([q, v, k])]))


@kind(kept=("v/bias", "attention/scale"))
def attention_with_a_scale_and_a_mask():
    """The value is the key too; a scale is learned; positions are causal and masked."""
    a = Input((4,), dtype="int32")
    x = kl.Embedding(5, 4, mask_zero=True, name="embedding")(a)
    x = kl.Dense(4, name="v")(x)
    x = kl.Attention(use_scale=True, name="attention")([x, x], use_causal_mask=True)
    return out(a, kl.Dense(5, activation="relu", name="b")(x))


@kind()
def additive_attention():
    """Bahdanau's: the scale is a weight that carries the shares."""
    a, b = Input((3, 2), name="first"), Input((4, 3), name="second")
    q, v = kl.Dense(4, activation="relu", name="q")(a), kl.Dense(4, name="v")(b)
    return out([a, b], kl.Concatenate()([q, kl.AdditiveAttention(name="attention")([q, v])]))


@kind(statues=("key/bias",))
def self_attention():
    """Heads, values and the width behind grow."""
    x = text = Input((3, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    y = kl.MultiHeadAttention(2, 3, value_dim=2, dropout=0.1, name="mha")(x, x)
    return out(text, kl.Add()([x, y]))


@kind(2, statues=("key/bias",))
def attention_of_one():
    """One head, keys of one channel, values of one channel, one of each: heads and the width behind grow."""
    x = text = Input((3, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    for i, how in enumerate([(2, 1), (2, 3, 1), (1, 3, 1), (1, 1, 3), (1, 1)]):
        x = x + kl.MultiHeadAttention(*how, name=f"mha{i}")(x, x)
    return out(text, x + kl.GroupQueryAttention(1, 4, 2, name="gqa")(x, x))


@kind(2, statues=("key/bias",))
def cross_attention_masked():
    """Two texts; one has a mask of its own, one looks at the past only; with normalizations."""
    a, b = Input((3,), dtype="int32", name="first"), Input((4,), dtype="int32", name="second")
    x = kl.Embedding(5, 4, mask_zero=True, name="embedding_a")(a)
    y = kl.Embedding(5, 6, mask_zero=True, name="embedding_b")(b)
    x = kl.LayerNormalization(name="n1")(x + kl.MultiHeadAttention(2, 2, name="own")(x, x, use_causal_mask=True))
    y, _ = kl.MultiHeadAttention(2, 2, use_bias=False, name="cross")(x, y, return_attention_scores=True)
    x = kl.LayerNormalization(name="n2")(x + y)
    return keras.Model([a, b], kl.Dense(3, name="out")(kl.GlobalAveragePooling1D()(x)))


@kind(2, statues=("key/bias",))
def group_query_attention():
    """Several heads of queries for one of keys and values."""
    x = text = Input((3, 2))
    x = kl.Dense(4, activation="relu", name="a")(x)
    return out(text, x + kl.GroupQueryAttention(2, 4, 2, name="gqa")(x, x, use_causal_mask=True))


@kind()
def model_over_time():
    """A model for images, for each image of a film."""
    x = image = Input((4, 4, 1))
    x = kl.Conv2D(4, 3, activation="relu", name="a")(x)
    cnn = keras.Model(image, kl.GlobalMaxPooling2D()(kl.BatchNormalization(name="n")(x)), name="cnn")
    film = Input((3, 4, 4, 1))
    x = kl.TimeDistributed(kl.Dense(4, activation="relu"), name="each")(kl.TimeDistributed(cnn, name="frames")(film))
    return out(film, kl.LSTM(4, name="lstm")(x))


@keras.saving.register_keras_serializable("kinds")
class MyDense(kl.Dense):
    """Derived from Dense, doing more."""

    def call(self, x):
        return super().call(x) * 0.5


@keras.saving.register_keras_serializable("kinds")
class Pixel(kl.Conv2D):
    """Derived from Conv2D, its kernel masked."""

    def call(self, x):
        mask = np.ones((3, 3, 1, 1))
        mask[2:] = mask[1, 1:] = 0
        return self.activation(ops.conv(x, self.kernel * mask, padding=self.padding) + self.bias)


@kind()
def derived_layers():
    """Classes derived from Keras' layers."""
    x = image = Input((4, 4, 2))
    x = Pixel(4, 3, padding="same", activation="relu", name="a")(x)
    x = Pixel(4, 3, padding="same", activation="tanh", name="b")(x)
    return out(image, MyDense(5, activation="relu", name="c")(kl.Flatten()(x)))


@kind()
def quiet_layers():
    """What does nothing at inference, or works element by element, or on a mask."""
    x = text = Input((3, 2))
    x = kl.Masking(0.0)(x)
    x = kl.GaussianNoise(0.1)(kl.Dense(4, name="a")(x))
    x = kl.SpatialDropout1D(0.2)(kl.LeakyReLU()(kl.GaussianDropout(0.1)(kl.AlphaDropout(0.1)(x))))
    x = kl.ActivityRegularization(0.1)(kl.ELU()(kl.Identity()(kl.Rescaling(2.0, 1.0)(x))))
    x = kl.Activation("hard_sigmoid")(x) * kl.ReLU(max_value=1.0, negative_slope=0.1, threshold=0.2)(x)
    return out(text, kl.RepeatVector(2)(kl.GlobalAveragePooling1D()(x)))

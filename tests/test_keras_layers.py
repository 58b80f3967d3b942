"""Each kind of layer, between layers that widen: wider, deeper, in inference and in training, in float64."""

import functools
import inspect
import re
import warnings

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops
from keras.src.applications import convnext, inception_resnet_v2
from models_for_tests import (
    EXACT,
    dtype,
    eagerly,
    float64,
    quietly,
    randomize,
    relative_gap,
    shared,
    traced_once,
)

from helpers import Net2NetError, ParametricActivation, channel_groups, grow_into, growth, net2deeper_net, net2wider_net
from helpers.proof import example_inputs

pytestmark = pytest.mark.usefixtures("float64", "traced_once")
__all__ = ["eagerly", "float64", "traced_once"]

VECTOR, SEQUENCE, IMAGE, VOLUME, CLIP = (5,), (6, 3), (6, 6, 2), (5, 5, 5, 2), (3, 4, 4, 2)


def dense(width=4, **how):
    return kl.Dense(width, **how)


def conv(width=4, **how):
    return kl.Conv2D(width, how.pop("kernel_size", 3), **how)


def residual(x):
    return x + kl.Dense(x.shape[-1])(x)


def squeeze_and_excite(x):
    gate = kl.GlobalAveragePooling2D(keepdims=True)(x)
    gate = kl.Dense(x.shape[-1], activation="sigmoid")(kl.Dense(2, activation="relu")(gate))
    return kl.Multiply()([x, gate])


def transformer_block(x):
    x = kl.Dense(4)(x)
    h = kl.LayerNormalization()(x + kl.MultiHeadAttention(2, 3)(x, x))
    return kl.LayerNormalization()(h + kl.Dense(4)(kl.Dense(7, activation="gelu")(h)))


def inception(x):
    branches = [conv(3, kernel_size=k, padding="same", activation="relu")(x) for k in (1, 3)]
    return kl.Concatenate()([*branches, kl.MaxPooling2D(2, 1, padding="same")(x)])


def called_twice(x):
    layer = kl.Dense(x.shape[-1], activation="relu")
    return layer(layer(x))


def with_states(layer):
    def call(x):
        start = kl.GlobalAveragePooling1D()(x)
        states = [kl.Dense(3)(start) for _ in range(2 if layer is kl.LSTM else 1)]
        y, *states = layer(3, return_state=True, return_sequences=True)(x, initial_state=states)
        return layer(3)(y, initial_state=states)

    return call


def one_state(x):
    return kl.GRU(3)(x, initial_state=kl.Dense(3)(kl.GlobalAveragePooling1D()(x)))


def inner_model(x, inside):
    source = keras.Input(x.shape[1:])
    return keras.Model(source, inside(source))


def nested(x):
    return inner_model(x, lambda h: kl.Dense(4)(kl.Dense(3, activation="tanh")(h)))(x)


def nested_twice(x):
    return inner_model(x, lambda h: nested(kl.Dense(3)(h)))(x)


def nested_sequential(x):
    return keras.Sequential([kl.Dense(3, activation="relu"), kl.BatchNormalization(), kl.Dense(4)])(x)


def nested_shared(x):
    inner = inner_model(x, lambda h: kl.Dense(h.shape[-1])(kl.Dense(3, activation="tanh")(h)))
    return inner(inner(x))


def siamese(x):
    tower = keras.Sequential([kl.Dense(4, activation="relu"), kl.Dense(4)])
    return kl.Subtract()([tower(x), tower(kl.Rescaling(-1.0)(x))])


def cross_attention(x):
    query, key, value = kl.Dense(4)(x), kl.Dense(3)(x), kl.Dense(2)(x)
    return kl.MultiHeadAttention(2, 3, value_dim=2)(query, value, key)


# name: (shape of the input, what lies between two layers that widen)
KINDS = {
    # Layers that make channels
    "dense": (VECTOR, dense(activation="relu")),
    "dense_without_bias": (VECTOR, dense(use_bias=False)),
    "dense_on_a_sequence": (SEQUENCE, dense()),
    "conv1d": (SEQUENCE, kl.Conv1D(4, 3, activation="relu")),
    "conv1d_causal": (SEQUENCE, kl.Conv1D(4, 3, padding="causal", dilation_rate=2)),
    "conv2d": (IMAGE, conv(activation="relu")),
    "conv2d_without_bias": (IMAGE, conv(use_bias=False, padding="same")),
    "conv2d_strides": (IMAGE, conv(strides=(2, 1), padding="same")),
    "conv2d_dilation": (IMAGE, conv(dilation_rate=(1, 2), padding="same")),
    "conv2d_even": (IMAGE, conv(kernel_size=(2, 4))),
    "conv2d_grouped": (IMAGE, conv(6, groups=2)),
    "conv2d_all_groups": (IMAGE, conv(8, groups=4)),
    "conv3d": (VOLUME, kl.Conv3D(3, (2, 1, 3), activation="relu")),
    "conv1d_transpose": (SEQUENCE, kl.Conv1DTranspose(4, 3, strides=2)),
    "conv2d_transpose": (IMAGE, kl.Conv2DTranspose(4, 3, activation="relu", use_bias=False)),
    "conv3d_transpose": (VOLUME, kl.Conv3DTranspose(3, 2)),
    "depthwise1d": (SEQUENCE, kl.DepthwiseConv1D(3, depth_multiplier=2)),
    "depthwise2d": (IMAGE, kl.DepthwiseConv2D(3, activation="relu")),
    "depthwise2d_multiplier": (IMAGE, kl.DepthwiseConv2D(3, depth_multiplier=3, use_bias=False)),
    "separable1d": (SEQUENCE, kl.SeparableConv1D(4, 3)),
    "separable2d": (IMAGE, kl.SeparableConv2D(4, 3, depth_multiplier=2, activation="relu")),
    "simple_rnn": (SEQUENCE, kl.SimpleRNN(3)),
    "lstm": (SEQUENCE, kl.LSTM(3, return_sequences=True)),
    "lstm_without_bias": (SEQUENCE, kl.LSTM(3, use_bias=False, go_backwards=True)),
    "gru": (SEQUENCE, kl.GRU(3, return_sequences=True)),
    "gru_reset_before": (SEQUENCE, kl.GRU(3, reset_after=False)),
    "lstm_with_states": (SEQUENCE, with_states(kl.LSTM)),
    "gru_with_states": (SEQUENCE, with_states(kl.GRU)),
    "gru_with_one_state": (SEQUENCE, one_state),
    "bidirectional": (SEQUENCE, kl.Bidirectional(kl.LSTM(3, return_sequences=True))),
    "bidirectional_sum": (SEQUENCE, kl.Bidirectional(kl.GRU(3), merge_mode="sum")),
    "bidirectional_two_layers": (
        SEQUENCE,
        kl.Bidirectional(kl.GRU(3, activation="relu"), backward_layer=kl.GRU(3, go_backwards=True)),
    ),
    "time_distributed_dense": (SEQUENCE, kl.TimeDistributed(kl.Dense(4, activation="relu"))),
    "attention": (SEQUENCE, lambda x: kl.MultiHeadAttention(2, 3)(x, x)),
    "attention_without_bias": (SEQUENCE, lambda x: kl.MultiHeadAttention(1, 2, use_bias=False)(x, x)),
    "cross_attention": (SEQUENCE, cross_attention),
    # Layers that pass channels on
    "activation": (VECTOR, kl.Activation("tanh")),
    "relu": (VECTOR, kl.ReLU(max_value=1.0, negative_slope=0.1)),
    "leaky_relu": (VECTOR, kl.LeakyReLU()),
    "elu": (VECTOR, kl.ELU()),
    "prelu": (IMAGE, kl.PReLU()),
    "prelu_shared": (IMAGE, kl.PReLU(shared_axes=[1, 2])),
    "prelu_one": (VECTOR, kl.PReLU(shared_axes=[1])),
    "prelu_shared_by_name_of_examples": (IMAGE, kl.PReLU(shared_axes=[0])),
    "prelu_one_for_one": (VECTOR, lambda x: kl.PReLU(shared_axes=[1])(kl.Dense(1)(x))),
    "softmax_over_positions": (SEQUENCE, kl.Softmax(axis=1)),
    "dropout": (VECTOR, kl.Dropout(0.5)),
    "dropout_noise_shape": (SEQUENCE, kl.Dropout(0.5, noise_shape=(None, 1, None))),
    "spatial_dropout1d": (SEQUENCE, kl.SpatialDropout1D(0.5)),
    "spatial_dropout2d": (IMAGE, kl.SpatialDropout2D(0.5)),
    "spatial_dropout3d": (VOLUME, kl.SpatialDropout3D(0.5)),
    "gaussian_dropout": (VECTOR, kl.GaussianDropout(0.5)),
    "gaussian_noise": (VECTOR, kl.GaussianNoise(0.5)),
    "alpha_dropout": (VECTOR, kl.AlphaDropout(0.5)),
    "activity_regularization": (VECTOR, kl.ActivityRegularization(l2=0.1)),
    "identity": (VECTOR, kl.Identity()),
    "masking": (SEQUENCE, kl.Masking()),
    "masking_of_ones": (SEQUENCE, kl.Masking(mask_value=1.0)),
    "told_whether_it_trains": (
        IMAGE,
        lambda x: kl.ReLU()(kl.BatchNormalization()(conv()(x, training=False), training=False), training=False),
    ),
    "rescaling": (VECTOR, kl.Rescaling(2.0, offset=-1.0)),
    "repeat_vector": (VECTOR, kl.RepeatVector(3)),
    "time_distributed_conv": (CLIP, kl.TimeDistributed(kl.Conv2D(3, 3, activation="relu"))),
    "time_distributed_batch_norm": (CLIP, kl.TimeDistributed(kl.BatchNormalization())),
    "time_distributed_flatten": (CLIP, kl.TimeDistributed(kl.Flatten())),
    "time_distributed_bidirectional": ((2, 3, 2), kl.TimeDistributed(kl.Bidirectional(kl.LSTM(3)))),
    "time_distributed_twice": (CLIP, kl.TimeDistributed(kl.TimeDistributed(kl.Dense(3)))),
    **{
        f"{kind}_pooling{d}d".lower(): (shape, getattr(kl, f"{kind}Pooling{d}D")(2))
        for kind in ("Max", "Average")
        for d, shape in {1: SEQUENCE, 2: IMAGE, 3: VOLUME}.items()
    },
    "max_pooling_same": (IMAGE, kl.MaxPooling2D(3, strides=2, padding="same")),
    **{
        f"global_{kind}_pooling{d}d".lower(): (shape, getattr(kl, f"Global{kind}Pooling{d}D")(keepdims=d == 2))
        for kind in ("Max", "Average")
        for d, shape in {1: SEQUENCE, 2: IMAGE, 3: VOLUME}.items()
    },
    **{
        f"{kind}{d}d".lower(): (shape, getattr(kl, f"{kind}{d}D")())
        for kind in ("ZeroPadding", "Cropping", "UpSampling")
        for d, shape in {1: SEQUENCE, 2: IMAGE, 3: VOLUME}.items()
    },
    "zero_padding2d_uneven": (IMAGE, kl.ZeroPadding2D(((0, 1), (2, 0)))),
    # Normalization
    "batch_norm": (VECTOR, kl.BatchNormalization()),
    "batch_norm_image": (IMAGE, kl.BatchNormalization(scale=False)),
    "batch_norm_no_shift": (IMAGE, kl.BatchNormalization(center=False, axis=3)),
    "layer_norm": (SEQUENCE, kl.LayerNormalization()),
    "layer_norm_image": (IMAGE, kl.LayerNormalization(axis=[1, 2, 3])),
    "layer_norm_plain": (VECTOR, kl.LayerNormalization(center=False, scale=False)),
    "group_norm": (IMAGE, kl.GroupNormalization(2)),
    "group_norm_one": (IMAGE, kl.GroupNormalization(1)),
    "instance_norm": (IMAGE, kl.GroupNormalization(-1)),
    "normalization": (VECTOR, kl.Normalization()),
    "normalization_of_one": (VECTOR, kl.Normalization(mean=2.0, variance=4.0)),
    "normalization_of_positions": (SEQUENCE, kl.Normalization(axis=1)),
    "batch_norm_of_positions": (SEQUENCE, kl.BatchNormalization(axis=1)),
    "normalization_of_both": (SEQUENCE, kl.Normalization(axis=(1, 2))),
    "unit_norm_over_positions": (SEQUENCE, kl.UnitNormalization(axis=1)),
    # Layers that change the shape
    "flatten": (IMAGE, kl.Flatten()),
    "flatten_vector": (VECTOR, kl.Flatten()),
    "reshape_like_flatten": (IMAGE, kl.Reshape((-1,))),
    "reshape_merges_a_side": (IMAGE, kl.Reshape((6, 24))),
    "reshape_to_positions": (VECTOR, kl.Reshape((2, 2))),
    "reshape_to_single_channel": (VECTOR, kl.Reshape((4, 1))),
    "reshape_moves_positions": (IMAGE, kl.Reshape((9, 4, 4))),
    "permute": (IMAGE, kl.Permute((2, 1, 3))),
    # Merges
    "add": (VECTOR, lambda x: kl.Add()([x, dense()(x), dense()(x)])),
    "subtract": (VECTOR, lambda x: kl.Subtract()([x, dense()(x)])),
    "multiply": (VECTOR, lambda x: kl.Multiply()([x, dense(activation="sigmoid")(x)])),
    "average": (VECTOR, lambda x: kl.Average()([x, dense()(x)])),
    "maximum": (VECTOR, lambda x: kl.Maximum()([x, dense()(x)])),
    "minimum": (VECTOR, lambda x: kl.Minimum()([x, dense()(x)])),
    "merge_with_itself": (VECTOR, lambda x: kl.Multiply()([x, x])),
    "concatenate": (VECTOR, lambda x: kl.Concatenate()([x, dense(3)(x), x])),
    "concatenate_positions": (SEQUENCE, lambda x: kl.Concatenate(axis=1)([x, dense()(x)])),
    "sum_of_concatenations": (
        VECTOR,
        lambda x: kl.Concatenate()([x, dense(2)(x)]) + kl.Concatenate()([dense(3)(x), dense(3)(x)]),
    ),
    "concatenation_times_dense": (VECTOR, lambda x: kl.Multiply()([kl.Concatenate()([x, dense(2)(x)]), dense(6)(x)])),
    "multiply_broadcast": (IMAGE, squeeze_and_excite),
    "multiply_one_channel": (IMAGE, lambda x: kl.Multiply()([kl.Conv2D(1, 1, activation="sigmoid")(x), x])),
    "add_lower_rank": (SEQUENCE, lambda x: kl.Add()([x, kl.GlobalMaxPooling1D()(x)])),
    "residual": (VECTOR, residual),
    "residual_convolution": (IMAGE, lambda x: x + conv(x.shape[-1], padding="same")(x)),
    "inception": (IMAGE, inception),
    # Operations
    "minus": (VECTOR, lambda x: 1 - x),
    "affine": (VECTOR, lambda x: x * 2 + np.float64(0.5)),
    "product": (VECTOR, lambda x: x * dense()(x)),
    "quotient": (VECTOR, lambda x: x / dense(activation="exponential")(x)),
    "ops_relu": (VECTOR, lambda x: ops.relu(x)),
    "ops_sqrt": (VECTOR, lambda x: ops.where(x > 0, ops.sqrt(x), 0.0)),
    "ops_clip": (VECTOR, lambda x: ops.clip(x, -1.0, 1.0)),
    "ops_maximum": (VECTOR, lambda x: ops.maximum(x, 0.1)),
    "ops_mean": (IMAGE, lambda x: ops.mean(x, axis=(1, 2))),
    "ops_concatenate": (VECTOR, lambda x: ops.concatenate([x, ops.tanh(x)], axis=-1)),
    "ops_reshape": (IMAGE, lambda x: ops.reshape(x, (-1, 36, x.shape[-1]))),
    "row_of_constants": (SEQUENCE, lambda x: x * np.arange(6.0)[:, None]),
    "slice": (SEQUENCE, lambda x: x[:, 1:-1]),
    "first_position": (SEQUENCE, lambda x: x[:, 0]),
    "swapped_sides": (IMAGE, lambda x: ops.transpose(x, (0, 2, 1, 3))),
    "another_axis": (VECTOR, lambda x: ops.squeeze(ops.expand_dims(x, 1), 1)),
    "padded": (SEQUENCE, lambda x: ops.pad(x, ((0, 0), (2, 1), (0, 0)))),
    "running_sum": (SEQUENCE, lambda x: ops.cumsum(x, axis=1)),
    "softmax_operation_over_positions": (SEQUENCE, lambda x: ops.softmax(x, axis=1)),
    "chosen": (VECTOR, lambda x: ops.where(x > 0, x, dense()(x))),
    "two_halves": (SEQUENCE, lambda x: ops.multiply(*ops.split(x, 2, axis=1))),
    "spread": (IMAGE, lambda x: x - ops.mean(x, axis=(1, 2), keepdims=True)),
    # Layers that keras.applications keeps to itself
    "layer_scale": (IMAGE, lambda x: convnext.LayerScale(0.5, x.shape[-1])(x)),
    "stochastic_depth": (IMAGE, lambda x: x + convnext.StochasticDepth(0.5)(conv(padding="same")(x))),
    "custom_scale": (IMAGE, lambda x: inception_resnet_v2.CustomScaleLayer(0.5)([x, conv(padding="same")(x)])),
    # Structure
    "shared": (VECTOR, called_twice),
    "siamese": (VECTOR, siamese),
    "nested": (VECTOR, nested),
    "nested_twice": (VECTOR, nested_twice),
    "nested_sequential": (VECTOR, nested_sequential),
    "nested_shared": (VECTOR, nested_shared),
    "transformer_block": (SEQUENCE, transformer_block),
}
if hasattr(kl, "RMSNormalization"):
    KINDS["rms_norm"] = (SEQUENCE, kl.RMSNormalization())
if hasattr(kl, "AdaptiveAveragePooling2D"):
    KINDS["adaptive_average_pooling2d"] = (IMAGE, kl.AdaptiveAveragePooling2D(2))
    KINDS["adaptive_max_pooling1d"] = (SEQUENCE, kl.AdaptiveMaxPooling1D(2))
if "use_gate" in inspect.signature(kl.MultiHeadAttention).parameters:
    KINDS["gated_attention"] = (SEQUENCE, lambda x: kl.MultiHeadAttention(2, 3, use_gate=True)(x, x))

LEARN = (
    *("conv1d", "conv2d_grouped", "depthwise2d", "separable2d", "conv2d_transpose", "batch_norm_image", "layer_norm"),
    *(
        "lstm",
        "gru",
        "bidirectional",
        "time_distributed_dense",
        "attention",
        "transformer_block",
        "prelu",
        "group_norm",
    ),
    *("residual_convolution", "inception", "multiply_broadcast", "siamese", "nested_shared", "two_halves"),
)
FLOAT32 = ("max_pooling3d", "average_pooling3d")  # TensorFlow has no float64 for these
RANDOM = ("dropout", "noise", "stochastic")  # in training these draw, so outputs differ from call to call


def make(shape, between, seed=0):
    """Input, a layer that widens, `between`, another one that widens, output."""
    if isinstance(between, kl.Layer):  # a fresh copy, for this test alone and in its dtype
        between = quietly(type(between).from_config, anew(between.get_config()))
    x = keras.Input(shape)
    first = {1: kl.Dense(4), 2: kl.Dense(4)}.get(len(shape)) or getattr(kl, f"Conv{len(shape) - 1}D")(4, 1)
    if shape == CLIP:
        first = kl.Dense(4)
    h = quietly(between, first(x))
    if len(h.shape) > 2:
        h = quietly(kl.Flatten(), h)
    h = kl.Dense(6, activation="relu")(h)  # can always be followed
    return randomize(keras.Model(x, kl.Dense(3, name="end")(h)), seed)


def anew(config):
    """The config of a layer without its name, and without dtypes, also those of layers inside."""
    if isinstance(config, dict):
        return {key: anew(value) for key, value in config.items() if key not in ("name", "dtype")}
    return [anew(value) for value in config] if isinstance(config, list) else config


@pytest.fixture
def exact(name):
    """How exact a kind must be, while the test builds in the dtype that can tell."""
    with dtype("float32" if name in FLOAT32 else "float64"):
        yield EXACT["float32" if name in FLOAT32 else "float64"]


@functools.cache
def taught(name):
    """A teacher that a test leaves as it is, and its groups."""
    teacher = shared(make(*KINDS[name]))
    return teacher, channel_groups(teacher)


@pytest.mark.parametrize("name", KINDS)
def test_wider(name, exact):
    teacher, before = taught(name)
    x = example_inputs(teacher)
    student = quietly(net2wider_net, teacher, 2, split="random", seed=1)
    assert relative_gap(teacher, student, x) <= exact
    assert student.count_params() > teacher.count_params()
    # All layers that can be widened are, and names stay.
    assert [layer.name for layer in student.layers[1:]] == [layer.name for layer in teacher.layers[1:]]
    after = channel_groups(student)
    assert [g.layers for g in after] == [g.layers for g in before]
    stayed = {name for grown in growth(student) if grown.reason for name in grown.names}
    for old, new in zip(before, after, strict=True):
        assert new.width == old.width * (1 if stayed & set(old.layers) else 2)
    if not any(word in name for word in RANDOM):
        # In training the batch's own statistics are used, and moved ones kept: the function must stay after that too.
        assert relative_gap(teacher, student, x, training=True) <= exact
        assert relative_gap(teacher, student, x) <= exact


@pytest.mark.parametrize("name", KINDS)
def test_wider_unevenly(name, exact):
    """Widths that are no multiples: counts of copies then differ, within a layer and between layers."""
    teacher, groups = taught(name)
    widths = {g.layers[0]: 3 * g.width // 2 + 1 for g in groups if not g.fixed}
    for wish in (widths, 1.5):
        try:
            student = quietly(net2wider_net, teacher, wish, seed=1)
        except Net2NetError as error:
            assert wish != 1.5 or "norm" in name or "transformer" in name
            told = "equally many copies|runs that share|cannot have .* share one width"
            assert re.search(f"{told}|alpha.* is wanted|depends on the width .*normalization", str(error)), error
        else:
            assert relative_gap(teacher, student) <= exact
            break


@pytest.mark.parametrize("name", KINDS)
def test_deeper(name, exact):
    teacher, _ = taught(name)
    x = example_inputs(teacher)
    student = net2deeper_net(teacher)
    assert relative_gap(teacher, student, x) <= exact
    assert student.count_params() > teacher.count_params()
    if not any(word in name for word in RANDOM):
        assert relative_gap(teacher, student, x, training=True) <= exact
    if name in LEARN:
        assert relative_gap(teacher, net2wider_net(student, 2, seed=0), x) <= exact


@pytest.mark.parametrize("name", ["conv2d", "batch_norm_image", "lstm", "transformer_block", "separable2d"])
def test_float32(name):
    with dtype("float32"):
        teacher = make(*KINDS[name])
        student = net2wider_net(teacher, 2, seed=0)
        assert {v.dtype for v in student.weights} == {"float32"}
        assert relative_gap(teacher, student) <= EXACT["float32"]
        assert relative_gap(teacher, net2deeper_net(teacher)) <= EXACT["float32"]


@pytest.mark.parametrize("name", LEARN)
def test_students_learn_from_where_the_teacher_was(request, name):
    if name != "conv2d_grouped":  # whose gradient TensorFlow has on CPUs in graphs only
        request.getfixturevalue("eagerly")
    teacher = make(*KINDS[name])
    x = example_inputs(teacher, 32)
    y = teacher.predict(x, verbose=0) + np.random.default_rng(0).normal(size=(32, 3))
    teacher.compile(keras.optimizers.SGD(1e-4), "mse")
    start = float(ops.mean((teacher(x, training=True) - y) ** 2))
    for student in (net2wider_net(teacher, 2, split="random", seed=0), net2deeper_net(teacher)):
        first, second = student.fit(x, y, batch_size=32, epochs=2, verbose=0).history["loss"]  # before each update
        np.testing.assert_allclose(first, start, rtol=1e-9)
        assert second < start


def test_training_moves_statistics_alike():
    teacher = make(IMAGE, kl.BatchNormalization())
    student = net2wider_net(teacher, 2, seed=0)
    x = np.random.default_rng(0).normal(2, 3, (32, *IMAGE))
    norm = teacher.layers[2]
    before = norm.moving_variance.numpy()
    for model in (teacher, student):
        model(x, training=True)
    assert not np.allclose(norm.moving_variance.numpy(), before)
    mine = student.get_layer(norm.name).moving_variance.numpy()
    np.testing.assert_allclose(mine[:4], norm.moving_variance.numpy())
    assert relative_gap(teacher, student, x) <= EXACT["float64"]


def test_embedding():
    x = keras.Input((6,), dtype="int32")
    h = kl.Embedding(10, 4, mask_zero=True, name="words")(x)
    teacher = randomize(keras.Model(x, kl.Dense(3)(kl.LSTM(4)(h))))
    tokens = np.random.default_rng(0).integers(10, size=(8, 6))  # zeros are masked
    for split in ("equal", "random"):
        student = net2wider_net(teacher, 2, split=split, seed=0)
        assert student.layers[1].output_dim == 8
        assert student.layers[1].mask_zero
        assert relative_gap(teacher, student, tokens) <= EXACT["float64"]
    assert relative_gap(teacher, net2wider_net(teacher, {"words": 9}, seed=0), tokens) <= EXACT["float64"]


def test_normalization_keeps_what_it_was_adapted_to():
    layer = kl.Normalization()
    data = np.random.default_rng(0).normal(3, 5, (100, 5))
    layer.adapt(data)
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(3)(kl.Dense(4, activation="relu", name="hidden")(layer(x))))
    for student in (net2wider_net(teacher, 2), net2deeper_net(teacher, "hidden")):
        assert relative_gap(teacher, student, data) <= EXACT["float64"]


def test_normalization_inside_other_layers():
    data = np.random.default_rng(0).normal(3, 5, (100, 6, 4))
    for wrap in (kl.TimeDistributed, lambda layer: keras.Sequential([keras.Input((6, 4)), layer])):
        layer = kl.Normalization()
        layer.adapt(data.reshape(-1, 4) if wrap is kl.TimeDistributed else data)
        x = keras.Input((6, 4))
        teacher = keras.Model(x, kl.Dense(3)(kl.Dense(4, name="hidden")(kl.Flatten()(wrap(layer)(x)))))
        for student in (net2wider_net(teacher, {"hidden": 6}), net2deeper_net(teacher, "hidden")):
            assert relative_gap(teacher, student, data) <= EXACT["float64"]


def test_discretization_keeps_its_bins_or_is_refused():
    layer = kl.Discretization(num_bins=4)
    layer.adapt(np.random.default_rng(0).normal(size=(100, 1)))
    x = keras.Input((2,))
    teacher = randomize(keras.Model(x, kl.Dense(3)(kl.Flatten()(kl.Embedding(4, 5)(layer(x))))))
    data = np.random.default_rng(1).normal(size=(50, 2))
    try:
        student = net2wider_net(teacher, 2)
    except Net2NetError as error:
        assert "discretization" in str(error)
    else:
        assert relative_gap(teacher, student, data) <= EXACT["float64"]


def test_statistics_that_a_normalization_does_not_compute_with_are_refused():
    def build():
        return keras.Sequential([keras.Input((4,)), kl.Normalization(name="norm"), kl.Dense(4, name="h"), kl.Dense(2)])

    adapted, teacher = build(), build()
    data = np.random.default_rng(0).normal(5, 3, (50, 4))
    adapted.get_layer("norm").adapt(data)
    teacher.set_weights(adapted.get_weights())  # Keras goes on with those of before
    assert relative_gap(teacher, adapted, data) > 0.1
    for make in (lambda: net2wider_net(teacher, {"h": 6}), lambda: net2deeper_net(teacher, "h")):
        with pytest.raises(Net2NetError, match="norm|an attribute that was set later"):
            make()
    teacher.get_layer("norm").finalize_state()
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 6}), data) <= EXACT["float64"]


@pytest.mark.parametrize("wrap", [lambda layer: layer, kl.TimeDistributed, lambda layer: kl.Pipeline([layer])])
def test_tables_go_on(wrap):
    layer = kl.IntegerLookup()
    layer.adapt(np.array([3, 5, 7]))
    x = keras.Input((2, 1), dtype="int64")
    h = kl.Flatten()(kl.Embedding(5, 4)(wrap(layer)(x)))
    teacher = randomize(keras.Model(x, kl.Dense(3)(kl.Dense(6, activation="relu")(h))))
    words = np.random.default_rng(0).integers(2, 9, (16, 2, 1))
    for make in (lambda: net2wider_net(teacher, 2), lambda: net2deeper_net(teacher)):
        assert relative_gap(teacher, make(), words) <= EXACT["float64"]


def test_masks_go_where_they_went():
    tokens = np.random.default_rng(0).integers(7, size=(8, 6))  # zeros are masked
    inside = keras.Input((6, 4))
    for between in (
        kl.LSTM(5),
        kl.Bidirectional(kl.GRU(5)),
        keras.Model(inside, kl.LSTM(5)(inside)),
        keras.Sequential([kl.LSTM(5)]),
        lambda h: kl.GlobalAveragePooling1D()(kl.MultiHeadAttention(2, 3)(h, h)),
        lambda h: kl.GlobalAveragePooling1D()(kl.TimeDistributed(kl.Dense(5))(h)),
    ):
        x = keras.Input((6,), dtype="int32")
        h = kl.Embedding(7, 4, mask_zero=True, name="words")(x)
        teacher = randomize(keras.Model(x, kl.Dense(3)(kl.Dense(6, name="hidden")(quietly(between, h)))))
        for student in (
            quietly(net2wider_net, teacher, 2, seed=0),
            quietly(net2wider_net, teacher, {"hidden": 7}, seed=0),
            quietly(net2deeper_net, teacher),
        ):
            assert relative_gap(teacher, student, tokens) <= EXACT["float64"]


def test_several_inputs_and_outputs():
    left, right = keras.Input((5,), name="left"), keras.Input((4,), name="right")
    h = kl.Dense(6, activation="relu", name="trunk")(kl.Concatenate()([kl.Dense(4)(left), right]))
    auxiliary = kl.Dense(2, name="auxiliary")(h)
    main = kl.Dense(3, name="main")(kl.Dense(5, activation="relu")(h))
    for inputs, results in (
        ([left, right], [main, auxiliary]),
        ({"b": left, "a": right}, {"main": main, "auxiliary": auxiliary}),
    ):
        teacher = randomize(keras.Model(inputs, results))
        x = example_inputs(teacher)
        for student in (net2wider_net(teacher, 1.5, seed=0), net2deeper_net(teacher)):
            assert relative_gap(teacher, student, x) <= EXACT["float64"]
            assert student.output_names == teacher.output_names
            assert [x.name for x in student.inputs] == [x.name for x in teacher.inputs]


# What cannot widen stays, and says why


@keras.saving.register_keras_serializable("net2net tests")
class Reversed(kl.Dense):
    """Derived from a layer with a rule, but another function."""

    def call(self, x):
        return super().call(x)[..., ::-1]


@keras.saving.register_keras_serializable("net2net tests")
class Scale(kl.Layer):
    """A user's layer: a weight for each channel."""

    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

    def call(self, x):
        return x * self.scale


def nested_by_name(x):
    # The inner model takes a list, is called by names, and names sort the other way round.
    left, right = keras.Input((4,), name="z"), keras.Input((4,), name="a")
    inner = keras.Model([left, right], kl.Concatenate()([ops.relu(left), ops.tanh(kl.Dense(4)(right))]))
    return inner({"a": kl.Dense(4)(x), "z": kl.Dense(4)(x)})


STAY = {
    "softmax_layer": (kl.Softmax(), VECTOR, "mixes channels .Softmax in .*softmax"),
    "softmax_activation": (kl.Activation("softmax"), VECTOR, "mixes channels .Softmax in .*activation"),
    "softmax_dense": (dense(activation="softmax"), VECTOR, "mixes channels .Softmax in .*dense"),
    "softmax_conv": (conv(activation="softmax"), IMAGE, "mixes channels .Softmax in .*conv2d"),
    "softmax_transposed": (
        kl.Conv2DTranspose(4, 3, activation="softmax"),
        IMAGE,
        "mixes channels .Softmax in .*conv2d",
    ),
    "softmax_separable": (kl.SeparableConv2D(4, 3, activation="softmax"), IMAGE, "mixes channels .Softmax in .*conv2d"),
    "softmax_depthwise": (kl.DepthwiseConv2D(3, activation="softmax"), IMAGE, "mixes channels .Softmax in .*depthwise"),
    "log_softmax": (dense(activation="log_softmax"), VECTOR, "mixes channels .LogSoftmax"),
    "softmax_gate": (kl.LSTM(3, recurrent_activation="softmax"), SEQUENCE, "mixes channels .Softmax in .*lstm"),
    "unit_norm": (kl.UnitNormalization(), VECTOR, "both whole and shared out .Sum in .*unit_normalization"),
    "normalization_by_channel": (
        lambda x: kl.Normalization(mean=[1.0, 2.0], variance=[1.0, 3.0])(dense(2)(x)),
        VECTOR,
        "it is a constant of the model",
    ),
    "layer_norm_counting_down": (
        kl.LayerNormalization(axis=(1, -1)),
        SEQUENCE,
        "cut in pieces by a reshape .*layer_norm",
    ),
    "reshape_across": (kl.Reshape((8, 3)), SEQUENCE, "cut in pieces by a reshape .Reshape in .*reshape"),
    "rescaling": (lambda x: kl.Rescaling([1.0, 2.0])(dense(2)(x)), VECTOR, "it is a constant of the model"),
    "offset": (lambda x: kl.Rescaling(1.0, offset=[1.0, 2.0])(dense(2)(x)), VECTOR, "it is a constant of the model"),
    "array_in_a_merge": (lambda x: kl.Multiply()([x, np.arange(4.0)[None]]), VECTOR, "it is a constant of the model"),
    "derived": (Reversed(4), VECTOR, "turned round .StridedSlice in .*reversed"),
    "dot": (lambda x: kl.Dot(1)([x, dense()(x)]), VECTOR, "multiplied and summed over it .BatchMatMulV2 in .*dot"),
    "channel_constant": (lambda x: x * np.arange(1.0, 5), VECTOR, "it is a constant of the model"),
    "channel_softmax": (lambda x: ops.softmax(x), VECTOR, "mixes channels .Softmax"),
    "turned_channels": (lambda x: ops.flip(x, axis=-1), VECTOR, "mixes channels .ReverseV2"),
    "one_turned_channel": (lambda x: ops.flip(dense(1)(x), axis=-1), VECTOR, "mixes channels .ReverseV2"),
    "sorted_channels": (lambda x: ops.sort(x, axis=-1), VECTOR, "mixes channels .TopKV2"),
    "no_rule": (lambda x: ops.triu(x), VECTOR, "an operation that has no rule .MatrixBandPart"),
    "turned_channels_of_later_examples": (lambda x: x[1:, :, ::-1], SEQUENCE, "turned round .StridedSlice"),
    "matrix_product": (lambda x: ops.matmul(x, np.eye(4)), VECTOR, "it is a constant of the model"),
    "broadcast_to_many": (lambda x: dense(1)(x) * np.arange(1.0, 5), VECTOR, "its only channel meets many .Mul"),
    "lambda_flip": (lambda x: kl.Lambda(lambda t: t[..., ::-1], name="flip")(x), VECTOR, "StridedSlice in .*flip"),
}


@pytest.mark.parametrize("name", STAY)
def test_what_cannot_widen_stays_and_says_why(name):
    between, shape, reason = STAY[name]
    teacher = shared(make(shape, between))
    with pytest.warns(UserWarning, match="stayed as they are; growth"):
        student = net2wider_net(teacher, 2, split="random", seed=0)
    assert relative_gap(teacher, student) <= EXACT["float64"]
    assert student.layers[-2].units == 12  # what lies behind widens all the same
    left = [grown for grown in growth(student).left() if re.search(reason, grown.reason)]
    assert left, growth(student)
    with pytest.raises(Net2NetError, match=f"widths: layer '.*' cannot be widened: .*{reason}"):
        net2wider_net(teacher, {left[0].names[0]: 2 * left[0].old})
    with pytest.raises(Net2NetError, match=reason):
        net2wider_net(teacher, 2, strict=True)


GROWS = {
    "nested_by_name": (nested_by_name, VECTOR),
    "noise_shape": (kl.Dropout(0.5, noise_shape=(None, 1, 4)), SEQUENCE),
    "layer_norm_positions": (kl.LayerNormalization(axis=1), SEQUENCE),
    "batch_norm_positions": (kl.BatchNormalization(axis=1), SEQUENCE),
    "group_norm_positions": (kl.GroupNormalization(2, axis=1), SEQUENCE),
    "permute": (kl.Permute((2, 1)), SEQUENCE),
    "layer_of_ones_own": (Scale(), VECTOR),
    "convlstm": (kl.ConvLSTM2D(3, 2), CLIP),
    "states_of_bidirectional": (
        lambda x: kl.Bidirectional(kl.GRU(3))(x, initial_state=[dense(3)(kl.GlobalMaxPooling1D()(x)) for _ in "ab"]),
        SEQUENCE,
    ),
    "output_shape": (lambda x: kl.MultiHeadAttention(2, 3, output_shape=4)(x, x) + dense()(x), SEQUENCE),
    "channel_sum": (lambda x: x / ops.sum(x, axis=(1, 2), keepdims=True), SEQUENCE),
    "channel_mean": (lambda x: ops.mean(x, axis=-1, keepdims=True), VECTOR),
    "mean_of_one": (lambda x: ops.mean(dense(1)(x), axis=-1, keepdims=True), VECTOR),
    "some_channels": (lambda x: x[..., 1:], VECTOR),
    "every_other_channel": (lambda x: x[..., ::2], VECTOR),
    "moved_channels": (lambda x: ops.swapaxes(x, 1, 2), SEQUENCE),
}


@pytest.mark.parametrize("name", GROWS)
def test_what_the_first_reader_refused_grows(name):
    between, shape = GROWS[name]
    teacher = shared(make(shape, between))
    student = quietly(net2wider_net, teacher, 2, split="random", seed=0)
    assert relative_gap(teacher, student) <= EXACT["float64"]
    grown = {name for group in growth(student) if group.reason is None for name in group.names}
    assert {layer.name for layer in teacher.layers if type(layer) in (kl.Dense, kl.Conv2D)} - {"end"} <= grown
    assert relative_gap(teacher, quietly(net2wider_net, teacher, 1.5, seed=0)) <= EXACT["float64"]


def test_what_is_folded_at_an_unknown_length():
    x = keras.Input((None, 3))
    teacher = randomize(
        keras.Model(x, kl.Dense(2)(kl.GlobalMaxPooling1D()(kl.Reshape((-1, 2))(kl.Dense(4, name="first")(x)))))
    )
    try:
        student = net2wider_net(teacher, {"first": 6}, seed=0)
    except Net2NetError as error:
        assert "'first'" in str(error)
    else:
        assert relative_gap(teacher, student, np.random.default_rng(0).normal(size=(8, 5, 3))) <= EXACT["float64"]


@pytest.mark.parametrize("begin", [2, 30])
def test_what_is_done_to_later_positions_is_seen(begin):
    x = keras.Input((None, 3))
    teacher = keras.Model(x, kl.Dense(4)(kl.Dense(4, name="first")(x)[:, begin:, ::-1]))
    with pytest.raises(Net2NetError, match="turned round .StridedSlice"):
        net2wider_net(teacher, {"first": 6})


INSIDE = [{"attention.num_heads": 5}, {"attention.value_dim": 4}, {"attention.num_heads": 4, "attention": 8}]


@pytest.mark.parametrize("widths", INSIDE)
@pytest.mark.parametrize("how", [{}, {"value_dim": 2, "use_bias": False}])
def test_widths_inside_attention(widths, how):
    teacher = make(SEQUENCE, lambda x: x + kl.MultiHeadAttention(2, 3, name="attention", **how)(x, x))
    for split in ("equal", "random"):
        student = net2wider_net(teacher, widths, split=split, seed=0)
        assert relative_gap(teacher, student) <= EXACT["float64"]
        layer = student.get_layer("attention")
        assert layer.num_heads == widths.get("attention.num_heads", 2)
        assert layer.value_dim == widths.get("attention.value_dim", how.get("value_dim", 3))
        assert layer.key_dim == 3


def test_a_factor_gives_attention_more_heads():
    teacher = make(SEQUENCE, lambda x: kl.MultiHeadAttention(2, 3, name="attention")(x, x))
    student = net2wider_net(teacher, 2)
    layer = student.get_layer("attention")
    assert (layer.num_heads, layer.key_dim, layer.value_dim) == (4, 3, 3)
    assert "attention.num_heads" in repr(channel_groups(teacher))
    assert relative_gap(teacher, student) <= EXACT["float64"]


def test_what_is_refused_inside_attention():
    teacher = make(SEQUENCE, lambda x: kl.MultiHeadAttention(2, 3, name="attention")(x, x))
    key = next(name for group in channel_groups(teacher) if group.fixed for name in group.layers if "key" in name)
    with pytest.raises(Net2NetError, match="cannot be widened: two things that are computed are multiplied and summed"):
        net2wider_net(teacher, {key: 6})
    with pytest.raises(Net2NetError, match="'attention.num_heads' has 2 channels; expected more than that, got 2"):
        net2wider_net(teacher, {"attention.num_heads": 2})
    with pytest.raises(Net2NetError, match="has no layer 'attention.heads'; near names: 'attention"):
        net2wider_net(teacher, {"attention.heads": 4})
    scores = make(
        SEQUENCE,
        lambda x: kl.MultiHeadAttention(2, 3, name="attention")(x, x, return_attention_scores=True)[1],
    )
    try:
        student = net2wider_net(scores, {"attention.num_heads": 4}, split="random", seed=0)
    except Net2NetError as error:
        assert "attention" in str(error)
    else:
        assert relative_gap(scores, student) <= EXACT["float64"]


@pytest.mark.parametrize("width", [4 + 2, 4 * 2 + 1])
@pytest.mark.parametrize(
    ("norm", "shape"),
    [(kl.LayerNormalization(), VECTOR), (kl.GroupNormalization(2), IMAGE), (kl.GroupNormalization(1), IMAGE)],
)
def test_unequal_copies_are_refused_where_statistics_need_equal_ones(norm, shape, width):
    teacher = make(shape, norm)
    first = teacher.layers[1].name
    try:  # GroupNormalization may get more groups instead
        assert relative_gap(teacher, net2wider_net(teacher, {first: width}, seed=0)) <= EXACT["float64"]
        assert isinstance(norm, kl.GroupNormalization)
    except Net2NetError as error:
        assert re.search(
            "runs that share|equally many copies of each .*; got 4 channels widened to .* Use a whole factor: 8, 12",
            str(error),
        ), error
    student = quietly(net2wider_net, teacher, 1.5, seed=0)
    assert relative_gap(teacher, student) <= EXACT["float64"]
    assert relative_gap(teacher, net2wider_net(teacher, {first: 12}, seed=0)) <= EXACT["float64"]


@pytest.mark.parametrize("width", [4, 6])
def test_a_constant_that_keras_takes_for_a_bias(width):
    """Keras adds a constant of shape (6, 1) to 6 channels as a bias, and to 4 or 8 channels as written."""
    x = keras.Input((6, 3))
    h = kl.Dense(width, name="first")(x) + np.linspace(0.5, 1.5, 6)[:, None]
    teacher = randomize(keras.Model(x, kl.Dense(3)(kl.Flatten()(h))))
    for wider in (6, 8, 9):
        try:
            student = net2wider_net(teacher, {"first": wider}, seed=0)
        except Net2NetError:
            continue
        assert relative_gap(teacher, student) <= EXACT["float64"]


def test_both_directions_have_one_width():
    teacher = make(
        SEQUENCE, lambda x: kl.Reshape((-1,))(kl.Bidirectional(kl.GRU(1, return_sequences=True), name="both")(x))
    )
    with pytest.raises(Net2NetError, match="both"):
        net2wider_net(teacher, {"both": 3})
    student = net2wider_net(teacher, {"both": 4}, split="random", seed=0)
    assert student.get_layer("both").forward_layer.units == student.get_layer("both").backward_layer.units == 2
    assert relative_gap(teacher, student) <= EXACT["float64"]


def test_biases_that_keras_adds_along_the_wrong_axis():
    """Biases of shape (heads, 1) are added along the positions if there are as many of them as heads: here, with 6."""
    for how in ({"key_dim": 1}, {"key_dim": 2, "value_dim": 1}, {"key_dim": 1, "use_bias": False}):
        teacher = make(SEQUENCE, lambda x, how=how: kl.MultiHeadAttention(2, name="attention", **how)(x, x))
        for widths in ({"attention.num_heads": 6}, 2):
            try:
                student = quietly(net2wider_net, teacher, widths, seed=0)
            except Net2NetError as error:
                assert "attention" in str(error)
                assert widths != 2
            else:
                assert relative_gap(teacher, student) <= EXACT["float64"]


@pytest.mark.parametrize("plus", [lambda *xs: xs[0] + xs[1], lambda *xs: kl.Add()(xs)], ids=["operation", "layer"])
def test_sums_in_batches_of_one(plus):
    """Keras takes six numbers for a bias of six channels, and the student must not have six then."""
    x = keras.Input(batch_shape=(1, 6, 3))
    h = plus(kl.Dense(4, name="first")(x), kl.Dense(1)(x))
    teacher = randomize(keras.Model(x, kl.Dense(3)(kl.Dense(5, name="hidden")(h))))
    with pytest.raises(Net2NetError):
        net2wider_net(teacher, {"first": 6})
    x = np.random.default_rng(0).normal(size=(1, 6, 3))
    for widths in ({"hidden": 9}, {"first": 8}):
        student = net2wider_net(teacher, widths, seed=0)
        np.testing.assert_allclose(student(x), teacher(x), rtol=1e-12)


def test_masks_made_of_channels_are_not_torn():
    def between(x):
        x = kl.Reshape((3, 4))(kl.Dense(12)(x))
        mask = ops.cast(kl.Reshape((3, 4))(kl.Dense(12, activation="relu")(kl.Flatten()(x))), "bool")
        return kl.Softmax(axis=1)(x, mask=mask)

    teacher = make(VECTOR, between)
    try:
        student = quietly(net2wider_net, teacher, 2, seed=0)
    except Net2NetError:
        return
    assert relative_gap(teacher, student) <= EXACT["float64"]


def test_a_parametric_activation_is_widened_at_every_stage():
    for layer in (kl.Activation("tanh"), kl.PReLU(), kl.GroupNormalization(-1)):
        shape = IMAGE if isinstance(layer, kl.GroupNormalization) else VECTOR
        teacher = make(shape, lambda x, layer=layer: ParametricActivation(layer, name="phi")(x))
        assert teacher.get_layer("phi").a.name == "a"
        for a in (1.0, 0.3, 0.0):
            teacher.get_layer("phi").a.assign(a)
            student = net2wider_net(teacher, 2, split="random", seed=0)
            assert student.get_layer("phi").a.numpy() == a
            assert relative_gap(teacher, student) <= EXACT["float64"]
    inner = make(VECTOR, lambda x: ParametricActivation(kl.Dense(4, activation="tanh"), name="phi")(kl.Dense(4)(x)))
    for a in (1.0, 0.3):
        inner.get_layer("phi").a.assign(a)
        for widths in (2, {"phi": 7}):
            assert relative_gap(inner, net2wider_net(inner, widths, split="random", seed=0)) <= EXACT["float64"]
    mixing = make(VECTOR, lambda x: ParametricActivation(kl.Softmax(), name="phi")(x))
    with pytest.raises(Net2NetError, match="mixes channels .Softmax"):
        net2wider_net(mixing, 2, strict=True)


def halves(v):
    return ops.concatenate([ops.relu(v[..., :16]), ops.tanh(v[..., 16:])], -1)


def centered(v):
    return v - ops.mean(v, axis=tuple(range(2, len(v.shape))), keepdims=True) if len(v.shape) > 2 else v


def test_activations_are_read_at_the_layers_own_width_and_rank():
    for wrap in (lambda f: {"activation": f}, None):
        for shape, layer, width, function in (
            ((5,), kl.Dense, 32, halves),
            ((6, 6, 2), lambda *args, **how: kl.Conv2D(*args, 3, **how), 4, centered),
        ):
            x = keras.Input(shape)
            h = layer(width, name="h", **(wrap(function) if wrap else {}))(x)
            h = h if wrap else kl.Activation(function)(h)
            teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Flatten()(h))))
            try:
                student = net2wider_net(teacher, {"h": 2 * width}, seed=0)
            except Net2NetError as error:
                assert "h" in str(error)
            else:
                assert relative_gap(teacher, student) <= EXACT["float64"]


def test_an_activation_layer_with_weights():
    phi = ParametricActivation(kl.Softmax())
    x = keras.Input((5,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(4, activation=phi, name="h")(x))))
    with pytest.raises(Net2NetError, match="mixes channels .Softmax"):
        net2wider_net(teacher, {"h": 7})


class Counting(kl.Layer):
    """A ReLU that counts its calls, and has something to say of them."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, v):
        self.calls.assign_add(1.0)
        self.add_loss(ops.mean(v))
        return ops.relu(v)


def test_reading_a_layer_leaves_no_trace_in_it():
    counting = Counting()
    counting.build((None, 4))
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation=counting, name="h")(x)))
    before, losses = float(counting.calls.numpy()), len(counting.losses)
    channel_groups(teacher)
    with pytest.raises(Net2NetError, match="is not idempotent"):  # what has weights may change
        net2deeper_net(teacher, "h", activation="same")
    assert float(counting.calls.numpy()) == before
    assert len(counting.losses) == losses


# Sums of unlike shapes


SUMS = {
    "a_column_in_a_batch": [(None, 6, 4), (None, 6, 1)],
    "a_number_for_each_example": [(None, 6, 4), (None, 1, 1)],
    "a_number_in_a_row": [(None, 4), (None, 1)],
    "a_column_first": [(None, 6, 1), (None, 1, 4)],
    "a_column_in_a_batch_of_one": [(1, 6, 4), (1, 6, 1)],
}


@pytest.mark.parametrize("name", SUMS)
@pytest.mark.parametrize("add", [kl.Add(), lambda pair: pair[0] + pair[1]])
def test_what_keras_may_take_for_a_bias(name, add):
    """In batches of one, or of as many as there are channels, Keras would add along another axis."""
    inputs = [keras.Input(batch_shape=shape) for shape in SUMS[name]]
    terms = [kl.Dense(shape[-1], name=f"h{i}")(x) for i, (x, shape) in enumerate(zip(inputs, SUMS[name], strict=True))]
    teacher = randomize(keras.Model(inputs, kl.Dense(2)(add(terms))))
    wide = max(range(2), key=lambda i: SUMS[name][i][-1])
    with pytest.raises(Net2NetError, match="Keras adds .*along|its data_format is another"):
        net2wider_net(teacher, {f"h{wide}": 6}, seed=0)


@pytest.mark.parametrize("shape", [(None, 3), (12, 3)])
def test_a_column_of_an_open_length_or_as_long_as_the_channels(float64, shape):
    """Keras would add it along the channels in a batch of one where there are as many, before or after they grow."""
    x = keras.Input(shape)
    h = kl.Dense(12, name="h")(x)
    if shape[0]:
        h = kl.Permute((2, 1))(kl.Dense(12, activation="relu", name="positions")(kl.Permute((2, 1))(h)))
    column = kl.Dense(1, name="column")(h)
    h = kl.GlobalAveragePooling1D()(kl.Dense(8, activation="relu", name="behind")(h + column))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    student = quietly(net2wider_net, teacher, 2, split="random", seed=0)
    assert student.get_layer("behind").units == 16
    for length in (8, 12, 24):
        value = np.random.default_rng(0).normal(size=(1, shape[0] or length, 3))
        outputs = [np.asarray(model(value)) for model in (teacher, student)]
        np.testing.assert_allclose(*outputs, atol=1e-12)


def test_a_column_of_weights_beside_an_open_length(float64):
    """Keras would add it along the positions where there are as many."""

    def model(width):
        x = keras.Input((None, 3))
        h = kl.EinsumDense("btc,cd->btd", (None, width), name="h")(x)
        h = kl.EinsumDense("btc,cde->btde", (None, width, 1), bias_axes="de", activation="relu")(h)
        return randomize(keras.Model(x, kl.EinsumDense("btde,dk->btk", (None, 2))(h)))

    teacher, student = model(12), model(18)
    with pytest.raises(Net2NetError, match="where sides are equal"):
        grow_into(teacher, student, seed=0)


@keras.saving.register_keras_serializable("tests")
class Refining(kl.Layer):
    """Adds a column to what enters, again and again."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 1), name="kernel")

    def call(self, x):
        return ops.fori_loop(0, 2, lambda i, h: ops.tanh(ops.add(h, ops.matmul(h, self.kernel))), x)


def test_a_column_that_is_added_in_a_loop(float64):
    x = keras.Input((12, 3))
    h = Refining(name="loop")(kl.Dense(8, name="h")(x))
    h = kl.Flatten()(kl.Dense(8, activation="relu", name="behind")(h))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    for factor in (1.5, 2):
        student = quietly(net2wider_net, teacher, factor, split="random", seed=0)
        assert student.get_layer("behind").units == 8 * factor
        value = np.random.default_rng(0).normal(size=(1, 12, 3))
        outputs = [np.asarray(model(value)) for model in (teacher, student)]
        np.testing.assert_allclose(*outputs, atol=1e-12)


@pytest.mark.parametrize("shapes", [[(6, 4), (1, 4)], [(6, 6, 4), (6, 1, 4)], [(4,), (4,)], [(6, 6, 4), (6, 6, 1)]])
def test_a_sum_that_keras_cannot_mistake_is_widened(float64, shapes):
    inputs = [keras.Input(shape) for shape in shapes]
    terms = [kl.Dense(shape[-1], name=f"h{i}")(x) for i, (x, shape) in enumerate(zip(inputs, shapes, strict=True))]
    teacher = randomize(keras.Model(inputs, kl.Dense(2)(terms[0] + terms[1])))
    student = net2wider_net(teacher, {"h0": 6}, split="random", seed=0)
    for batch in (1, 6, 16):
        outputs = [np.asarray(model(example_inputs(teacher, batch))) for model in (teacher, student)]
        np.testing.assert_allclose(*outputs, rtol=0, atol=1e-12 * np.abs(outputs[0]).max())


# zeropad, where new channels have any values


@pytest.mark.parametrize(
    "step", [ops.sqrt, lambda h: 1 / h, kl.Activation(ops.log), ops.exp, kl.Activation("exponential"), ops.sinh]
)
def test_zeropad_is_refused_where_not_all_values_are_defined(float64, step):
    x = keras.Input((5,))
    positive = kl.Dense(4, name="h", activation="sigmoid")(x)
    teacher = randomize(keras.Model(x, kl.Dense(2)(step(positive))))
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 7}, seed=0)) <= EXACT["float64"]
    with pytest.raises(Net2NetError, match="new channels with any values, but .*; use"):
        net2wider_net(teacher, {"h": 7}, init="zeropad")


@pytest.mark.parametrize("activation", ["relu", "elu", "gelu", "silu", "softplus", "selu", "relu6", "log_sigmoid"])
def test_zeropad_takes_activations_that_are_finite_for_all(float64, activation):
    teacher = make(VECTOR, kl.Dense(4, activation=activation))
    hidden = teacher.layers[2].name
    student = net2wider_net(teacher, {hidden: 40}, init="zeropad", seed=0)
    assert relative_gap(teacher, student, 1000 * example_inputs(teacher)) <= EXACT["float64"]


def test_zeropad_is_refused_where_masking_looks_at_all_channels(float64):
    x = keras.Input((6, 3))
    h = kl.Dense(2, activation="relu6", kernel_initializer="ones", name="h")(x)
    teacher = keras.Model(x, kl.Dense(2)(kl.Masking(mask_value=6.0, name="masking")(h)))
    data = 10 * np.random.default_rng(0).normal(size=(50, 6, 3))
    assert np.any(np.all(np.asarray(keras.Model(x, h)(data)) == 6, axis=-1))  # so it masks
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 5}, seed=0), data) <= EXACT["float64"]
    with pytest.raises(Net2NetError, match="new channels with any values, but .*masking.*; use"):
        net2wider_net(teacher, {"h": 5}, init="zeropad")


def test_zeropad_is_refused_where_masking_looks_for_zeros(float64):
    x = keras.Input((6, 3))
    hidden = kl.Dense(4, activation="relu", name="h")
    inner = keras.Sequential([keras.Input((6, 4)), kl.Masking(name="masking")])
    teacher = randomize(keras.Model(x, kl.Dense(2)(inner(hidden(x)))))
    with pytest.raises(Net2NetError, match="new channels with any values, but .*masking.*; use"):
        net2wider_net(teacher, {"h": 7}, init="zeropad")
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 7}, seed=0)) <= EXACT["float64"]


def test_a_mask_value_for_each_channel(float64):
    x = keras.Input((6, 3))
    value = np.array([0.0, 1.0, 2.0])
    h = kl.LSTM(4, name="h")(kl.Masking(mask_value=value)(x))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    data = np.random.default_rng(0).normal(size=(8, 6, 3))
    data[:, 3:] = value
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 7}, seed=0), data) <= EXACT["float64"]
    h = kl.LSTM(4)(kl.Masking(mask_value=value)(kl.Dense(3, name="hidden")(x)))
    with pytest.raises(Net2NetError, match="layer 'hidden' cannot be widened"):
        net2wider_net(keras.Model(x, kl.Dense(2)(h)), {"hidden": 6})


def on_a_constant_memory(x):
    return kl.MultiHeadAttention(2, 3, name="on")(x, np.random.default_rng(0).normal(size=(16, 5, 4)))


def from_constant_states(x):
    return kl.LSTM(4, name="on", return_sequences=True)(x, initial_state=[np.ones((16, 4))] * 2)


def from_constant_states_both_ways(x):
    layer = kl.Bidirectional(kl.GRU(4, return_sequences=True), name="on")
    return layer(x, initial_state=[np.ones((16, 4))] * 2)


@pytest.mark.parametrize("call", [on_a_constant_memory, from_constant_states, from_constant_states_both_ways])
def test_what_a_constant_enters_stays(float64, call):
    x = keras.Input(batch_shape=(16, 6, 4))
    h = kl.Dense(6, activation="relu", name="h")(call(x))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 9}, seed=0)) <= EXACT["float64"]
    try:
        student = net2wider_net(teacher, {"on": 8}, seed=0)
    except Net2NetError as error:
        assert "LSTM" in str(error) or "'on'" in str(error)
    else:
        assert relative_gap(teacher, student) <= EXACT["float64"]


@pytest.mark.parametrize("kind", [kl.SimpleRNN, kl.LSTM, kl.GRU])
def test_zeropad_is_refused_where_new_units_could_feed_themselves_without_bound(float64, kind):
    for activation in ("relu", "tanh"):
        teacher = make(SEQUENCE, kind(4, activation=activation, name="h"))
        widths = {teacher.layers[2].name: 7}
        assert relative_gap(teacher, net2wider_net(teacher, widths, seed=0)) <= EXACT["float64"]
        if activation == "tanh":
            assert relative_gap(teacher, net2wider_net(teacher, widths, init="zeropad")) <= EXACT["float64"]
            continue
        with pytest.raises(Net2NetError, match="new channels with any values, but .*; use"):
            net2wider_net(teacher, widths, init="zeropad")


def test_no_warnings_of_our_own():
    teacher = make(VECTOR, kl.BatchNormalization())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net2wider_net(teacher, 2)
        net2deeper_net(teacher)

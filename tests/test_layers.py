"""Each kind of layer, between layers that widen: wider, deeper, in inference and in training, in float64."""

import inspect
import warnings

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops
from keras.src.applications import convnext, inception_resnet_v2
from models_for_tests import EXACT, dtype, eagerly, float64, quietly, randomize, relative_gap

from helpers import Net2NetError, ParametricActivation, channel_groups, net2deeper_net, net2wider_net
from helpers import layers as rules
from helpers.models import example_inputs

pytestmark = pytest.mark.usefixtures("float64")
__all__ = ["eagerly", "float64"]

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


def shared(x):
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
    "time_distributed_bidirectional": (IMAGE, kl.TimeDistributed(kl.Bidirectional(kl.LSTM(3)))),
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
    "shared": (VECTOR, shared),
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


@pytest.mark.parametrize("name", KINDS)
def test_wider(name, exact):
    teacher = make(*KINDS[name])
    x = example_inputs(teacher)
    for split in ("equal", "random"):
        student = net2wider_net(teacher, 2, split=split, seed=1)
        assert relative_gap(teacher, student, x) <= exact
    assert student.count_params() > teacher.count_params()
    # All layers that can be widened are, and names stay.
    assert [layer.name for layer in student.layers[1:]] == [layer.name for layer in teacher.layers[1:]]
    before, after = channel_groups(teacher), channel_groups(student)
    assert [g.layers for g in after] == [g.layers for g in before]
    assert all(
        new.width == old.width * (1 if old.fixed or old.structural else 2)
        for old, new in zip(before, after, strict=True)
    )
    if not any(word in name for word in RANDOM):
        # In training the batch's own statistics are used, and moved ones kept: the function must stay after that too.
        assert relative_gap(teacher, student, x, training=True) <= exact
        assert relative_gap(teacher, student, x) <= exact


@pytest.mark.parametrize("name", KINDS)
def test_wider_unevenly(name, exact):
    """Widths that are no multiples: counts of copies then differ, within a layer and between layers."""
    teacher = make(*KINDS[name], seed=1)
    groups = [g for g in channel_groups(teacher) if not g.fixed]
    tried = 0
    for group in groups:
        now = group.width if group.structural else teacher_width(teacher, group.layers[0])
        widths = {group.layers[0]: 3 * now // 2 + 1}
        try:
            student = net2wider_net(teacher, widths, seed=tried)
        except Net2NetError as error:
            assert any(word in str(error) for word in ("equally many copies", "runs that share")), error
            continue
        tried += 1
        assert relative_gap(teacher, student) <= exact, widths
    assert tried or any(word in name for word in ("norm", "transformer")), "nothing was widened"


def teacher_width(model, name):
    layer = next(layer for layer in model._flatten_layers() if layer.name == name)
    return layer._inbound_nodes[0].outputs[0].shape[-1]


@pytest.mark.parametrize("name", KINDS)
def test_deeper(name, exact):
    teacher = make(*KINDS[name])
    x = example_inputs(teacher)
    student = net2deeper_net(teacher)
    assert relative_gap(teacher, student, x) <= exact
    assert student.count_params() > teacher.count_params()
    if not any(word in name for word in RANDOM):
        assert relative_gap(teacher, student, x, training=True) <= exact
    wide = net2wider_net(student, 2, seed=0)
    assert relative_gap(teacher, wide, x) <= exact


@pytest.mark.parametrize("name", ["conv2d", "batch_norm_image", "lstm", "transformer_block", "separable2d"])
def test_float32(name):
    with dtype("float32"):
        teacher = make(*KINDS[name])
        student = net2wider_net(teacher, 2, seed=0)
        assert {v.dtype for v in student.weights} == {"float32"}
        assert relative_gap(teacher, student) <= EXACT["float32"]
        assert relative_gap(teacher, net2deeper_net(teacher)) <= EXACT["float32"]


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


@pytest.mark.parametrize("name", LEARN)
def test_students_learn_from_where_the_teacher_was(request, name):
    if name != "conv2d_grouped":  # whose gradient TensorFlow has on CPUs in graphs only
        request.getfixturevalue("eagerly")
    teacher = make(*KINDS[name])
    x = example_inputs(teacher, 32)
    y = teacher.predict(x, verbose=0) + np.random.default_rng(0).normal(size=(32, 3))
    teacher.compile(keras.optimizers.SGD(1e-4), "mse")
    start = teacher.evaluate(x, y, verbose=0)
    for student in (net2wider_net(teacher, 2, split="random", seed=0), net2deeper_net(teacher)):
        np.testing.assert_allclose(student.evaluate(x, y, verbose=0), start, rtol=1e-9)
        student.fit(x, y, batch_size=32, epochs=5, verbose=0)
        assert student.evaluate(x, y, verbose=0) < start


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
        with pytest.raises(Net2NetError, match="'norm' .* other statistics than stand in its weights.*finalize_state"):
            make()
    teacher.get_layer("norm").finalize_state()
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 6}), data) <= EXACT["float64"]


@pytest.mark.parametrize("wrap", [lambda layer: layer, kl.TimeDistributed, lambda layer: kl.Pipeline([layer])])
def test_tables_are_refused(wrap):
    layer = kl.IntegerLookup()
    layer.adapt(np.array([3, 5, 7]))
    x = keras.Input((2, 1), dtype="int64")
    teacher = keras.Model(x, kl.Dense(3)(kl.Dense(6)(kl.Flatten()(kl.Embedding(5, 4)(wrap(layer)(x))))))
    for make in (lambda: net2wider_net(teacher, 2), lambda: net2deeper_net(teacher)):
        with pytest.raises(
            Net2NetError, match="integer_lookup.*outside its weights, which .*; apply it before the model$"
        ):
            make()


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
            quietly(net2wider_net, teacher, {"words": 7}, seed=0),
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


# What cannot be exact is refused, and says why


def refused(between, shape=VECTOR, widths=2, **how):
    """The message with which widening is refused; what lies behind the layer must widen all the same."""
    teacher = make(shape, between, **how)
    with pytest.raises(Net2NetError) as caught:
        net2wider_net(teacher, widths)
    hidden = teacher.layers[-2].name
    student = net2wider_net(teacher, {hidden: 9}, seed=0)
    assert relative_gap(teacher, student) <= EXACT["float64"]
    assert relative_gap(teacher, net2deeper_net(teacher, hidden) if how else student) <= EXACT["float64"]
    return str(caught.value)


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


REFUSED = {
    "nested_by_name": (
        nested_by_name,
        VECTOR,
        "model '.*' has a list of inputs but is called with a dict; call it with a list",
    ),
    "noise_shape": (
        kl.Dropout(0.5, noise_shape=(None, 1, 4)),
        SEQUENCE,
        "names the number of channels in its noise_shape",
    ),
    "softmax_layer": (kl.Softmax(), VECTOR, "layer 'softmax.*': softmax over channels mixes them"),
    "softmax_activation": (
        kl.Activation("softmax"),
        VECTOR,
        "layer 'activation.*': its activation 'softmax' mixes channels",
    ),
    "softmax_dense": (dense(activation="softmax"), VECTOR, "layer 'dense.*': its activation 'softmax' mixes channels"),
    "softmax_conv": (conv(activation="softmax"), IMAGE, "layer 'conv2d.*': its activation 'softmax' mixes channels"),
    **{
        f"softmax_{kind.__name__}": (
            kind(4, 3, activation="softmax"),
            IMAGE,
            "layer '.*': its activation 'softmax' mixes",
        )
        for kind in (kl.Conv2DTranspose, kl.SeparableConv2D)
    },
    "softmax_depthwise": (
        kl.DepthwiseConv2D(3, activation="softmax"),
        IMAGE,
        "layer 'depthwise.*': its activation 'softmax' mixes",
    ),
    "log_softmax": (dense(activation="log_softmax"), VECTOR, "its activation 'log_softmax' mixes channels"),
    "softmax_gate": (kl.LSTM(3, recurrent_activation="softmax"), SEQUENCE, "its recurrent_activation 'softmax' mixes"),
    "unit_norm": (kl.UnitNormalization(), VECTOR, "layer 'unit_normalization.*' divides by a norm over the channels"),
    "normalization_by_channel": (
        lambda x: kl.Normalization(mean=[1.0, 2.0], variance=[1.0, 3.0])(dense(2)(x)),
        VECTOR,
        "layer 'normalization.*' has a mean and variance for each channel among its settings",
    ),
    "layer_norm_positions": (kl.LayerNormalization(axis=1), SEQUENCE, r"normalizes axis \[?1\]? without the channels"),
    "batch_norm_positions": (
        kl.BatchNormalization(axis=1),
        SEQUENCE,
        "normalizes axis 1, not the channels, which come last",
    ),
    "layer_norm_counting_down": (
        kl.LayerNormalization(axis=(1, -1)),
        SEQUENCE,
        "an order that puts the channels first",
    ),
    "group_norm_positions": (kl.GroupNormalization(2, axis=1), SEQUENCE, "normalizes axis 1, not the channels"),
    "permute": (kl.Permute((2, 1)), SEQUENCE, "layer 'permute.*' moves the channels from the last axis"),
    "reshape_across": (kl.Reshape((8, 3)), SEQUENCE, r"'reshape.*' reshapes \(None, 6, 4\) to \(None, 8, 3\) across"),
    "rescaling": (
        lambda x: kl.Rescaling([1.0, 2.0])(dense(2)(x)),
        VECTOR,
        "layer 'rescaling.*' has a scale or offset for each channel",
    ),
    "offset": (
        lambda x: kl.Rescaling(1.0, offset=[1.0, 2.0])(dense(2)(x)),
        VECTOR,
        "layer 'rescaling.*' has a scale or offset for each channel",
    ),
    "array_in_a_merge": (
        lambda x: kl.Multiply()([x, np.arange(4.0)[None]]),
        VECTOR,
        "layer 'multiply.*' merges channels with an array, which cannot grow with them",
    ),
    "constant_beside": (
        lambda x: ops.concatenate([x, np.ones((16, 2))], axis=-1),
        VECTOR,
        "'concatenate.*' puts a constant beside the channels",
    ),
    "no_rule": (Scale(), VECTOR, r"layer 'scale.*' \(Scale\) has no rule; see helpers.layers.register_rule"),
    "derived": (Reversed(4), VECTOR, r"layer 'reversed.*' \(Reversed\) has no rule"),
    "convlstm": (kl.ConvLSTM2D(3, 2), CLIP, r"\(ConvLSTM2D\) has no rule"),
    "dot": (lambda x: kl.Dot(1)([x, dense()(x)]), VECTOR, r"\(Dot\) has no rule"),
    "states_of_bidirectional": (
        lambda x: kl.Bidirectional(kl.GRU(3))(x, initial_state=[dense(3)(kl.GlobalMaxPooling1D()(x)) for _ in "ab"]),
        SEQUENCE,
        "only a Bidirectional SimpleRNN, LSTM or GRU, equal both ways and without states, has a rule",
    ),
    "output_shape": (
        lambda x: kl.MultiHeadAttention(2, 3, output_shape=4)(x, x) + dense()(x),
        SEQUENCE,
        "fixes its output_shape; build it without one",
    ),
    "channel_constant": (
        lambda x: x * np.arange(1.0, 5),
        VECTOR,
        r"operation Multiply \('multiply.*'\) mixes its chan",
    ),
    "channel_mean": (lambda x: ops.mean(x, axis=-1, keepdims=True), VECTOR, r"the operation Mean \('mean.*'\) mixes"),
    "channel_sum": (lambda x: x / ops.sum(x, axis=(1, 2), keepdims=True), SEQUENCE, "the operation Sum .* mixes"),
    "mean_of_one": (
        lambda x: ops.mean(dense(1)(x), axis=-1, keepdims=True),
        VECTOR,
        r"the operation Mean \('mean.*'\) mixes its channels",
    ),
    "channel_softmax": (lambda x: ops.softmax(x), VECTOR, r"the operation Softmax \('softmax.*'\) mixes its channels"),
    "turned_channels": (lambda x: ops.flip(x, axis=-1), VECTOR, r"the operation Flip \('flip.*'\) mixes its channels"),
    "one_turned_channel": (lambda x: ops.flip(dense(1)(x), axis=-1), VECTOR, "the operation Flip .* mixes"),
    "sorted_channels": (lambda x: ops.sort(x, axis=-1), VECTOR, "the operation Sort .* mixes its channels"),
    "some_channels": (lambda x: x[..., 1:], VECTOR, "the operation GetItem .* mixes its channels"),
    "every_other_channel": (lambda x: x[..., ::2], VECTOR, "the operation GetItem .* mixes its channels"),
    "other_channels_of_other_examples": (lambda x: ops.triu(x), VECTOR, "the operation Triu .* mixes its channels"),
    "turned_channels_of_later_examples": (lambda x: x[1:, :, ::-1], SEQUENCE, "the operation GetItem .* mixes"),
    "moved_channels": (lambda x: ops.swapaxes(x, 1, 2), SEQUENCE, "the operation Swapaxes .* mixes its channels"),
    "matrix_product": (lambda x: ops.matmul(x, np.eye(4)), VECTOR, "the operation Matmul .* mixes its channels"),
    "broadcast_to_many": (lambda x: dense(1)(x) * np.arange(1.0, 5), VECTOR, "multiply"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    between, shape, message = REFUSED[name]
    import re

    said = refused(between, shape)
    assert re.search(message, said), said
    assert "name the ones to widen instead" in said


def test_flatten_of_an_unknown_length_is_refused():
    x = keras.Input((None, 3))
    teacher = keras.Model(x, kl.Flatten(name="flatten")(kl.Dense(4, name="first")(x)))
    with pytest.raises(
        Net2NetError, match="layer 'first' cannot be widened: layer 'flatten' flattens an axis of unknown"
    ):
        net2wider_net(teacher, {"first": 6})


@pytest.mark.parametrize("begin", [2, 10, 30])
def test_what_is_done_to_later_positions_is_seen_or_refused(begin):
    x = keras.Input((None, 3))
    teacher = keras.Model(x, kl.Dense(4)(kl.Dense(4, name="first")(x)[:, begin:, ::-1]))
    with pytest.raises(Net2NetError, match="the operation GetItem .* mixes its channels"):
        net2wider_net(teacher, {"first": 6})


def test_lambda_is_refused():
    teacher = make(VECTOR, lambda x: kl.Lambda(lambda t: t[..., ::-1], name="flip")(x))
    with pytest.raises(Net2NetError, match=r"layer 'flip' \(Lambda\)"):
        net2wider_net(teacher, 2)


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


def test_a_factor_leaves_what_is_inside_attention():
    teacher = make(SEQUENCE, lambda x: kl.MultiHeadAttention(2, 3, name="attention")(x, x))
    layer = net2wider_net(teacher, 2).get_layer("attention")
    assert (layer.num_heads, layer.key_dim, layer.value_dim) == (2, 3, 3)
    assert "attention.num_heads" in repr(channel_groups(teacher))


def test_what_is_refused_inside_attention():
    teacher = make(SEQUENCE, lambda x: kl.MultiHeadAttention(2, 3, name="attention")(x, x))
    with pytest.raises(
        Net2NetError,
        match="'attention.key_dim' cannot be widened: attention divides by the root of key_dim, which Keras rounds to "
        "float32$",
    ):
        net2wider_net(teacher, {"attention.key_dim": 6})
    with pytest.raises(Net2NetError, match="'attention.num_heads' has 2 channels; expected more than that, got 2"):
        net2wider_net(teacher, {"attention.num_heads": 2})
    with pytest.raises(Net2NetError, match="has no layer 'attention.heads'; near names: 'attention'"):
        net2wider_net(teacher, {"attention.heads": 4})
    scores = make(
        SEQUENCE,
        lambda x: kl.MultiHeadAttention(2, 3, name="attention")(x, x, return_attention_scores=True)[1],
    )
    with pytest.raises(Net2NetError, match="also gives its attention scores, one for each head"):
        net2wider_net(scores, {"attention.num_heads": 4})


@pytest.mark.parametrize("width", [4 + 2, 4 * 2 + 1])
@pytest.mark.parametrize(
    ("norm", "shape"),
    [(kl.LayerNormalization(), VECTOR), (kl.GroupNormalization(2), IMAGE), (kl.GroupNormalization(1), IMAGE)],
)
def test_unequal_copies_are_refused_where_statistics_need_equal_ones(norm, shape, width):
    teacher = make(shape, norm)
    first = teacher.layers[1].name
    with pytest.raises(
        Net2NetError, match="gets equally many copies; got 4 channels widened to .*; use a whole factor, such as 2$"
    ):
        net2wider_net(teacher, {first: width})
    with pytest.raises(Net2NetError, match="equally many copies"):
        net2wider_net(teacher, 1.5)
    assert relative_gap(teacher, net2wider_net(teacher, {first: 12}, seed=0)) <= EXACT["float64"]


def test_channels_first_is_refused():
    x = keras.Input((2, 6, 6))
    h = kl.Flatten(data_format="channels_first")(kl.Conv2D(4, 3, data_format="channels_first", name="first")(x))
    teacher = keras.Model(x, kl.Dense(3)(kl.Dense(5, name="hidden")(h)))
    with pytest.raises(
        Net2NetError, match="layer 'first' has its channels first; build it with data_format='channels_last'"
    ):
        net2wider_net(teacher, {"first": 8})
    with pytest.raises(Net2NetError, match="it has its channels first; build it with data_format='channels_last'$"):
        net2deeper_net(teacher, "first")
    assert net2wider_net(teacher, {"hidden": 8}).get_layer("hidden").units == 8


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
    with pytest.raises(Net2NetError, match="'both' cannot have 3 channels, because they come in runs .* width is 2"):
        net2wider_net(teacher, {"both": 3})
    student = net2wider_net(teacher, {"both": 4}, split="random", seed=0)
    assert student.get_layer("both").forward_layer.units == student.get_layer("both").backward_layer.units == 2
    assert relative_gap(teacher, student) <= EXACT["float64"]


def test_biases_that_keras_adds_along_the_wrong_axis():
    """Biases of shape (heads, 1) are added along the positions if there are as many of them as heads: here, with 6."""
    for how in ({"key_dim": 1}, {"key_dim": 2, "value_dim": 1}):
        teacher = make(SEQUENCE, lambda x, how=how: kl.MultiHeadAttention(2, name="attention", **how)(x, x))
        for inside in ("num_heads", "value_dim"):
            with pytest.raises(
                Net2NetError, match="'attention' has a key_dim or value_dim of 1, and then Keras may add"
            ):
                net2wider_net(teacher, {f"attention.{inside}": 6})
        assert relative_gap(teacher, net2wider_net(teacher, 2, seed=0)) <= EXACT["float64"]
    bare = {"key_dim": 1, "use_bias": False, "name": "attention"}
    teacher = make(SEQUENCE, lambda x: kl.MultiHeadAttention(2, **bare)(x, x))
    for widths in ({"attention.num_heads": 6}, {"attention.value_dim": 6}):
        assert relative_gap(teacher, net2wider_net(teacher, widths, seed=0)) <= EXACT["float64"]


@pytest.mark.parametrize("plus", [lambda *xs: xs[0] + xs[1], lambda *xs: kl.Add()(xs)], ids=["operation", "layer"])
def test_sums_in_batches_of_one(plus):
    x = keras.Input(batch_shape=(1, 6, 3))
    h = plus(kl.Dense(4, name="first")(x), kl.Dense(1)(x))
    teacher = randomize(keras.Model(x, kl.Dense(3)(kl.Dense(5, name="hidden")(h))))
    with pytest.raises(Net2NetError, match="adds tensors of unlike shapes, where Keras may add"):
        net2wider_net(teacher, {"first": 6})
    x = np.random.default_rng(0).normal(size=(1, 6, 3))
    student = net2wider_net(teacher, {"hidden": 9}, seed=0)
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


# Rules of the user's own


@pytest.fixture
def rule_for_scale():
    @rules.register_rule(Scale)
    def scale(layer, call):
        return rules.Plan(call.x, weights=[(layer.scale, (rules.Outputs(call.x),))])

    yield scale
    del rules.RULES[Scale]


def test_register_rule(rule_for_scale):
    teacher = make(VECTOR, Scale())
    assert callable(rule_for_scale)
    for widths in (2, 1.5):
        student = net2wider_net(teacher, widths, split="random", seed=0)
        assert relative_gap(teacher, student) <= EXACT["float64"]
    assert relative_gap(teacher, net2deeper_net(teacher)) <= EXACT["float64"]


def test_only_classes_of_layers_have_rules():
    for other in (5, Scale(), dict):
        with pytest.raises(Net2NetError, match="layer_class: expected a subclass of keras.layers.Layer, got"):
            rules.register_rule(other)


def test_a_rule_holds_for_its_own_class_only(rule_for_scale):
    class Half(Scale):
        def call(self, x):
            return super().call(x)[..., ::2]

    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(3)(kl.Dense(5)(Half()(kl.Dense(4)(x)))))
    with pytest.raises(Net2NetError, match=r"\(Half\) has no rule"):
        net2wider_net(teacher, 2)


def test_a_wrong_rule_is_found_out():
    @rules.register_rule(Scale)
    def too_wide(layer, call):
        return rules.Plan(call.x + call.x)

    try:
        teacher = make(VECTOR, Scale())
        with pytest.raises(
            Net2NetError, match=r"the rule of layer 'scale.*' gives rows of \[8\] channels, the layer \[4\]"
        ):
            net2wider_net(teacher, 2)

        @rules.register_rule(Scale)
        def forgets_the_weight(layer, call):
            return rules.Plan(call.x)

        with pytest.raises(
            Net2NetError, match=r"layer 'scale.*': its rule gives weight 'scale' the shape \(4,\), .* \(8,\)"
        ):
            net2wider_net(teacher, 2)
    finally:
        del rules.RULES[Scale]


def test_a_rule_may_open_tie_and_pin():
    class Halves(kl.Layer):
        """Two dense layers side by side, the second one pinned by its rule."""

        def build(self, shape):
            self.kernel = self.add_weight(shape=(shape[-1], 3))
            self.other = self.add_weight(shape=(shape[-1], 2))
            self.units = 3

        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units

        def get_config(self):
            return super().get_config() | {"units": self.units}

        def build(self, shape):  # noqa: F811
            self.kernel = self.add_weight(shape=(shape[-1], self.units))
            self.other = self.add_weight(shape=(shape[-1], 2))

        def call(self, x):
            return ops.concatenate([x @ self.kernel, x @ self.other], axis=-1)

    @rules.register_rule(Halves)
    def halves(layer, call):
        first, second = call.open(layer.units), call.open(2)
        call.pin(second, "it stays")
        inputs = rules.Inputs(call.x)
        return rules.Plan(
            first + second,
            [(layer.kernel, (inputs, rules.Outputs(first))), (layer.other, (inputs, rules.Outputs(second)))],
            {("units",): first},
        )

    try:
        x = keras.Input((5,))
        teacher = randomize(keras.Model(x, kl.Dense(3)(Halves(name="halves")(kl.Dense(4, name="first")(x)))))
        student = net2wider_net(teacher, {"first": 7}, seed=0)
        assert relative_gap(teacher, student) <= EXACT["float64"]
        with pytest.raises(Net2NetError, match="layer 'halves' cannot be widened: it stays"):
            net2wider_net(teacher, 2)
    finally:
        del rules.RULES[Halves]


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
    with pytest.raises(Net2NetError, match="softmax over channels mixes them"):
        net2wider_net(mixing, 2)


def test_activations_are_asked_on_numbers():
    from keras import activations

    row = (None, 8)
    unitwise = ["relu", "relu6", "tanh", "sigmoid", "elu", "selu", "gelu", "silu", "softplus", "linear", "hard_tanh"]
    for name in unitwise:
        assert rules.is_unitwise(activations.get(name), row), name
    for name in ("softmax", "log_softmax", "sparsemax", "glu"):
        assert not rules.is_unitwise(activations.get(name), row), name
    assert rules.is_unitwise(lambda x: ops.sin(x) * 3, row)
    assert not rules.is_unitwise(lambda x: x - ops.mean(x, axis=-1, keepdims=True), row)
    assert not rules.is_unitwise(lambda x: x - ops.sum(ops.relu(x - 4), axis=-1, keepdims=True), row)  # only of large
    assert not rules.is_unitwise(lambda x: ops.where(x >= ops.max(x, axis=-1, keepdims=True), x, 0.0), row)
    assert not rules.is_unitwise(lambda x: 1 / 0, row)
    assert rules.is_defined_everywhere(activations.get("gelu"), row, "float16")
    assert not rules.is_defined_everywhere(ops.log, row, "float32")
    assert rules.is_defined_everywhere(ops.square, row, "float32")
    assert rules.is_defined_everywhere(ops.square, row, "float16")
    assert not rules.is_defined_everywhere(lambda v: v**3, row, "float16")
    for name in ("tanh", "relu6", "softsign"):
        assert rules.is_bounded(activations.get(name), row), name
    for name in ("relu", "linear", "softplus"):
        assert not rules.is_bounded(activations.get(name), row), name
    assert not rules.is_bounded(lambda x: 1 / 0, row)


def halves(v):
    return ops.concatenate([ops.relu(v[..., :16]), ops.tanh(v[..., 16:])], -1)


def centered(v):
    return v - ops.mean(v, axis=tuple(range(2, len(v.shape))), keepdims=True) if len(v.shape) > 2 else v


def test_activations_are_asked_at_the_layers_own_width_and_rank():
    for wrap in (lambda f: {"activation": f}, None):
        for shape, layer, width, function in (
            ((5,), kl.Dense, 32, halves),
            ((6, 6, 2), lambda *args, **how: kl.Conv2D(*args, 3, **how), 4, centered),
        ):
            x = keras.Input(shape)
            h = layer(width, name="h", **(wrap(function) if wrap else {}))(x)
            h = h if wrap else kl.Activation(function)(h)
            teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Flatten()(h))))
            with pytest.raises(Net2NetError, match="mixes channels, so copies would change its values"):
                net2wider_net(teacher, {"h": 2 * width})


def test_an_activation_layer_is_asked_with_the_weights_it_has():
    phi = ParametricActivation(kl.Softmax())
    x = keras.Input((5,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(4, activation=phi, name="h")(x))))
    phi.build((None, 4))
    phi.a.assign(0.1)
    with pytest.raises(Net2NetError, match="its activation 'ParametricActivation' mixes channels"):
        net2wider_net(teacher, {"h": 7})


class Counting(kl.Layer):
    """A ReLU that counts its calls, and has something to say of them."""

    def build(self, shape):
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, v):
        self.calls.assign_add(1.0)
        self.add_loss(ops.mean(v))
        return ops.relu(v)


def test_asking_a_layer_leaves_no_trace_in_it():
    counting = Counting()
    counting.build((None, 4))
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation=counting, name="h")(x)))
    before, losses = float(counting.calls.numpy()), len(counting.losses)
    assert rules.is_unitwise(counting, (None, 4))
    channel_groups(teacher)
    with pytest.raises(Net2NetError, match="is not idempotent"):  # what has weights may change
        net2deeper_net(teacher, "h")
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
@pytest.mark.parametrize("add", [kl.Add(), kl.Average(), lambda pair: pair[0] + pair[1]])
def test_what_keras_may_take_for_a_bias_is_not_widened(name, add):
    inputs = [keras.Input(batch_shape=shape) for shape in SUMS[name]]
    terms = [kl.Dense(shape[-1], name=f"h{i}")(x) for i, (x, shape) in enumerate(zip(inputs, SUMS[name], strict=True))]
    teacher = randomize(keras.Model(inputs, kl.Dense(2)(add(terms))))
    wide = max(range(2), key=lambda i: SUMS[name][i][-1])
    with pytest.raises(Net2NetError, match="adds tensors of unlike shapes, .* give them equal shapes"):
        net2wider_net(teacher, {f"h{wide}": 6})


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


def test_zeropad_keeps_the_function_of_a_normalization_over_several_axes(float64):
    norm = kl.Normalization(axis=(1, 2))
    norm.adapt(np.random.default_rng(0).normal(3, 2, (50, 6, 4)))
    x = keras.Input((6, 3))
    teacher = keras.Model(x, kl.Dense(2)(kl.Flatten()(norm(kl.Dense(4, name="h")(x)))))
    for init in ("zeropad", "net2wider"):
        student = net2wider_net(teacher, {"h": 9}, init=init, seed=0)
        assert relative_gap(teacher, student) <= EXACT["float64"]


@pytest.mark.parametrize(
    "step", [ops.sqrt, lambda h: 1 / h, kl.Activation(ops.log), ops.exp, kl.Activation("exponential"), ops.sinh]
)
def test_zeropad_is_refused_where_not_all_values_are_defined(float64, step):
    x = keras.Input((5,))
    positive = kl.Dense(4, name="h", activation="sigmoid")(x)
    teacher = randomize(keras.Model(x, kl.Dense(2)(step(positive))))
    assert relative_gap(teacher, net2wider_net(teacher, {"h": 7}, seed=0)) <= EXACT["float64"]
    with pytest.raises(Net2NetError, match="new channels with any values, but .* is not finite for all; use"):
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
    with pytest.raises(Net2NetError, match="but layer 'masking' asks whether all of a position's are 6; use"):
        net2wider_net(teacher, {"h": 5}, init="zeropad")


def test_zeropad_is_refused_where_masking_looks_for_zeros(float64):
    x = keras.Input((6, 3))
    hidden = kl.Dense(4, activation="relu", name="h")
    inner = keras.Sequential([keras.Input((6, 4)), kl.Masking(name="masking")])
    teacher = randomize(keras.Model(x, kl.Dense(2)(inner(hidden(x)))))
    with pytest.raises(Net2NetError, match="but layer 'masking' asks whether all of a position's are 0; use"):
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
    with pytest.raises(Net2NetError, match="layer 'on'"):
        net2wider_net(teacher, {"on": 8})


@pytest.mark.parametrize("kind", [kl.SimpleRNN, kl.LSTM, kl.GRU])
def test_zeropad_is_refused_where_new_units_could_feed_themselves_without_bound(float64, kind):
    for activation in ("relu", "tanh"):
        teacher = make(SEQUENCE, kind(4, activation=activation, name="h"))
        widths = {teacher.layers[2].name: 7}
        assert relative_gap(teacher, net2wider_net(teacher, widths, seed=0)) <= EXACT["float64"]
        if activation == "tanh":
            assert relative_gap(teacher, net2wider_net(teacher, widths, init="zeropad")) <= EXACT["float64"]
            continue
        with pytest.raises(Net2NetError, match="feeds them back to themselves, and its activation has no bound; use"):
            net2wider_net(teacher, widths, init="zeropad")


def test_no_warnings_of_our_own():
    teacher = make(VECTOR, kl.BatchNormalization())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net2wider_net(teacher, 2)
        net2deeper_net(teacher)

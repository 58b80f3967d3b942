"""Residual blocks: where they are found, that a new one begins as the identity, and what is refused."""

import os
import re

import keras
import keras_hub
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as s
from keras import layers as kl
from models_for_tests import EXACT, float64, randomize, relative_gap

from helpers import Net2NetError, ResidualBlock, growth, net2deeper_net, net2wider_net
from helpers.blocks import Blocks
from helpers.networks import small_gpt
from helpers.proof import drawn, outputs
from helpers.reading import specs_of

__all__ = ["float64"]

hub, applications = keras_hub.models, keras.applications


def gap(teacher, student):
    """As `relative_gap`, also for models that are no graphs of Keras'."""
    x = drawn(next(iter(specs_of(teacher, 4))), teacher)
    pairs = list(zip(outputs(teacher, x), outputs(student, x), strict=True))
    return max(np.abs(a - b).max() for a, b in pairs) / max(np.abs(a).max() for a, _ in pairs)


def names(model):
    return [block.names[0] for block in Blocks(model).found.values()]


# Found by what runs


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("ResNet50", 12),
        ("ConvNeXtTiny", 18),
        ("VGG16", 0),
    ],
)
def test_the_blocks_of_known_networks(name, count):
    model = getattr(applications, name)(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert len(names(model)) == count


def test_a_known_network_is_deepened(float64):
    keras.utils.set_random_seed(0)
    network = applications.MobileNetV2(alpha=0.35, weights=None, include_top=False, input_shape=(32, 32, 3))
    teacher = randomize(network)
    student, count = net2deeper_net(teacher), len(names(teacher))
    assert len(growth(student)) == count
    assert 2 * count == len(names(student))
    assert gap(teacher, student) == 0


SMALL = {"vocabulary_size": 7, "num_layers": 2, "hidden_dim": 8, "intermediate_dim": 6}
PICTURES = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [3],
    "stackwise_num_filters": [64, 8],
    "stackwise_num_blocks": [1, 2],
    "stackwise_num_strides": [1, 2],
    "image_shape": (8, 8, 3),
}
HUB = {
    "gpt2": (lambda: hub.GPT2Backbone(num_heads=2, max_sequence_length=4, **SMALL), "num_layers", 4),
    "causal_lm": (
        lambda: hub.GPT2CausalLM(
            hub.GPT2Backbone(num_heads=2, max_sequence_length=4, **SMALL), preprocessor=None
        ),
        None,
        4,
    ),
    "llama": (lambda: hub.LlamaBackbone(num_query_heads=4, num_key_value_heads=2, **SMALL), "num_layers", 4),
    "vit": (
        lambda: hub.ViTBackbone((8, 8, 3), 4, num_layers=2, num_heads=2, hidden_dim=4, mlp_dim=8),
        "num_layers",
        4,
    ),
    "resnet": (lambda: hub.ResNetBackbone(block_type="basic_block", **PICTURES), "stackwise_num_blocks", [2, 3]),
    "resnet_v2": (
        lambda: hub.ResNetBackbone(block_type="bottleneck_block", use_pre_activation=True, **PICTURES),
        "stackwise_num_blocks",
        [1, 3],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HUB)
def test_backbones_are_made_again_with_more_layers(float64, name, tmp_path):
    make, setting, count = HUB[name]
    teacher = randomize(make())
    student = net2deeper_net(teacher, "blocks")
    assert type(student) is type(teacher)
    if setting:
        assert getattr(student, setting) == count
        student.save(tmp_path / "student.keras")
        assert gap(student, keras.models.load_model(tmp_path / "student.keras")) == 0
    assert gap(teacher, student) <= (EXACT["float64"] if name not in ("causal_lm", "llama") else 1e-6)


def test_blocks_that_are_called_with_names(float64):
    teacher = randomize(hub.FalconBackbone(num_attention_heads=2, **SMALL))  # its mask comes before its `inputs`
    for each in (teacher, keras.Model(teacher.input, teacher.output)):
        student = net2deeper_net(each, "blocks")
        assert [told.after for told in growth(student)] == ["transformer_layer_0", "transformer_layer_1"]
        assert gap(each, student) <= EXACT["float64"]


def test_one_block_of_a_backbone(float64):
    teacher = randomize(HUB["gpt2"][0]())
    student = net2deeper_net(teacher, "transformer_layer_0")
    assert student.num_layers == 3
    for old, new in ((0, 0), (0, 1), (1, 2)):
        a, b = (
            model.get_layer(f"transformer_layer_{i}")._feedforward_intermediate_dense.kernel.numpy()
            for model, i in ((teacher, old), (student, new))
        )
        np.testing.assert_array_equal(a, b)
    assert not student.get_layer("transformer_layer_1")._feedforward_output_dense.kernel.numpy().any()
    assert student.get_layer("transformer_layer_2")._feedforward_output_dense.kernel.numpy().any()


class Own(keras.Model):
    """A user's class, with blocks that its call method runs."""

    def __init__(self, depth, **kwargs):
        super().__init__(**kwargs)
        self.depth = depth
        self.first, self.last = kl.Dense(4), kl.Dense(2)
        self.blocks = [OwnBlock(6) for _ in range(depth)]

    def call(self, x):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)

    def get_config(self):
        return super().get_config() | {"depth": self.depth}


class OwnBlock(kl.Layer):
    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner
        self.norm, self.hidden = kl.LayerNormalization(), kl.Dense(inner, activation="gelu")

    def build(self, shape):
        self.norm.build(shape)
        self.hidden.build(shape)
        self.out = self.add_weight(shape=(self.inner, shape[-1]), name="out")

    def call(self, x):
        return x + self.hidden(self.norm(x)) @ self.out

    def get_config(self):
        return super().get_config() | {"inner": self.inner}


def test_a_users_class_and_a_users_block(float64):
    teacher = Own(2)
    teacher.build((None, 3))
    student = net2deeper_net(randomize(teacher), "blocks")
    assert (type(student), student.depth) == (Own, 4)
    assert gap(teacher, student) == 0
    x = keras.Input((4,))
    plain = randomize(keras.Model(x, kl.Dense(2)(OwnBlock(5, name="block")(x))))
    student = net2deeper_net(plain, "block")
    assert relative_gap(plain, student) == 0
    assert not student.get_layer("block_deeper").out.numpy().any()


class Twice(kl.Layer):
    """A block of two blocks, or layers around such blocks."""

    def __init__(self, kind=OwnBlock, **kwargs):
        super().__init__(**kwargs)
        self.inner = [kind(5, name="one") if kind is OwnBlock else kind(name="deep") for _ in range(2)]
        self.kind, self.end = kind, kl.Dense(4, name="end")

    def build(self, shape):
        for layer in (*self.inner, self.end):
            layer.build(shape)

    def call(self, x):
        x = self.inner[1](self.inner[0](x))
        return x if self.kind is OwnBlock else self.end(x)

    def get_config(self):
        return super().get_config() | {"kind": self.kind}


def test_blocks_inside_a_block_are_repeated_with_it(float64):
    x = keras.Input((4,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(Twice(name="outer")(x))))
    student = net2deeper_net(teacher, "blocks")
    assert [each.after for each in growth(student)] == ["outer"]
    assert growth(student).left == []
    assert relative_gap(teacher, student) == 0
    assert [block.out.numpy().any() for block in student.get_layer("outer_deeper").inner] == [False, False]


def test_blocks_inside_what_has_no_place_for_others_are_told():
    x = keras.Input((4,))
    teacher = keras.Model(x, kl.Dense(2)(ResidualBlock(name="free")(Twice(Twice, name="shut")(x))))
    with pytest.warns(UserWarning, match="2 layers or blocks have nothing new behind"):
        report = growth(net2deeper_net(teacher, "blocks"))
    assert [each.after for each in report] == ["free"]
    assert [tuple(each) for each in report.left] == 2 * [
        ("deep", "it runs inside 'shut', which has no place for others", False)
    ]
    backbone = HUB["gpt2"][0]()
    inputs = {name: keras.Input((4,), dtype="int32", name=name) for name in backbone.input}
    with pytest.raises(
        Net2NetError, match="'transformer_layer_0' is none, because it runs inside 'gpt2.*let that grow"
    ):
        net2deeper_net(keras.Model(inputs, kl.Dense(2)(backbone(inputs))), "blocks")


def test_a_backbone_inside_a_task_is_made_again(float64):
    task = hub.ResNetImageClassifier(hub.ResNetBackbone(block_type="basic_block", **PICTURES), 3, preprocessor=None)
    student = net2deeper_net(randomize(task), "blocks")
    assert student.backbone.stackwise_num_blocks == [2, 3]
    assert gap(task, student) <= EXACT["float64"]


def conditioned(t, x):
    return kl.Multiply()([kl.Dense(6, name="other")(t), kl.Dense(6, name="last")(x)])


def hidden(t, x):
    return kl.Dense(6, name="last")(x) * keras.ops.cast(kl.Dense(1)(x) > 0, x.dtype)


def gated(t, x):
    return x * kl.Dense(6, "tanh", name="last")(x)


def swish(t, x):
    return kl.Activation("silu")(kl.Dense(6, name="last")(x))


def in_groups(t, x):
    return kl.GroupNormalization(2, name="last")(kl.Dense(6)(x))


def coarser(t, x):
    return kl.Dense(6, name="last", dtype="mixed_bfloat16")(x)


def adapted(t, x):
    layer = kl.Dense(6, name="last")
    y = layer(x)
    layer.enable_lora(2)
    return y


def in_batches(t, x):
    return kl.BatchNormalization(name="last")(kl.Dense(6, use_bias=False)(x))


def at_each_time(t, x):
    return kl.TimeDistributed(kl.Dense(6), name="last")(x)


def taken_off(t, x):
    return kl.Dense(6, name="last")(x)


BRANCHES = [conditioned, hidden, gated, swish, in_groups, coarser, adapted, in_batches, at_each_time, taken_off]


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_last_weights_of_a_branch_are_zero_and_learn(branch):
    inputs, t = keras.Input((4, 6), name="x"), keras.Input((1, 3), name="t")
    x = kl.Dense(6, name="first")(inputs)
    ends = kl.Subtract if branch is taken_off else kl.Add
    sum_ = ends(name="sum", dtype="mixed_bfloat16" if branch is coarser else None)([x, branch(t, x)])
    teacher = keras.Model([inputs, t], kl.Dense(2, name="end", dtype="float32")(sum_))
    if branch not in (adapted, in_batches):  # what is not trained yet holds zeros elsewhere
        randomize(teacher)
    student = net2deeper_net(teacher, "blocks")
    assert relative_gap(teacher, student) == 0
    (told,) = growth(student)
    zeros = [v for layer in told.layers for v in layer.trainable_variables if not v.numpy().any()]
    assert len(zeros) == 2
    assert all("last_deeper" in v.path for v in zeros)
    student.compile(keras.optimizers.SGD(0.1), "mse")
    rng = np.random.default_rng(0)
    student.train_on_batch([rng.normal(size=(8, 4, 6)), rng.normal(size=(8, 1, 3))], rng.normal(size=(8, 4, 2)))
    assert all(v.numpy().any() for v in zeros)


class Near(kl.Layer):
    """A layer whose settings do not tell how far it sees."""

    def __init__(self, far=99, **kwargs):
        super().__init__(**kwargs)
        self.far = far

    def call(self, x):
        return x * keras.ops.cast(keras.ops.arange(keras.ops.shape(x)[1]) < self.far, x.dtype)[:, None]

    def get_config(self):
        return super().get_config()  # Keras' own would tell


def test_what_would_show_in_long_sequences_alone_is_refused(float64):
    gemma = hub.GemmaBackbone(
        num_query_heads=2, num_key_value_heads=1, head_dim=4, use_sliding_window_attention=True, sliding_window_size=16,
        **SMALL,
    )  # fmt: skip
    randomize(gemma)
    with pytest.raises(
        Net2NetError, match="layer 'decoder_block_1' would compute something else .* as where GemmaBackbone"
    ):
        net2deeper_net(gemma, "blocks")
    student = net2deeper_net(gemma, "decoder_block_1")
    x = drawn(next(iter(specs_of(gemma, 32))), gemma)
    np.testing.assert_array_equal(*(outputs(model, x)[0] for model in (gemma, student)))
    source = keras.Input((None, 4))
    teacher = keras.Model(source, kl.Dense(2)(ResidualBlock(name="block")(Near(40, name="near")(source))))
    with pytest.raises(Net2NetError, match="'near' .*a new one with its settings has far=99, not 40"):
        net2deeper_net(teacher, "block")


# Random residual graphs

STEPS = s.sampled_from(["dense", "gelu", "norm", "dropout", "gate", "scale", "conv"])
BLOCK = s.lists(STEPS, min_size=1, max_size=5)


def step(kind, x, number, shared):
    if kind == "dense":
        return kl.Dense(4, name=f"dense{number}")(x)
    if kind == "conv":
        return kl.Conv1D(4, 3, padding="same", activation="tanh")(x)
    if kind == "gate":
        return kl.Multiply()([x, kl.Dense(4, activation="sigmoid")(x)])
    if kind == "scale":
        return kl.EinsumDense("abc,c->abc", (None, 4))(x)
    if kind == "dropout":
        return kl.Dropout(0.1)(x)
    return {"gelu": kl.Activation("gelu"), "norm": shared}[kind](x)


@s.composite
def residual(draw):
    """A model of blocks of one to five operations, some inside others, some with a layer that is called elsewhere."""
    source = keras.Input((3, 4))
    x, number, shared = kl.Dense(4)(source), 0, kl.LayerNormalization(name="shared")
    for ends in draw(s.lists(BLOCK, min_size=1, max_size=3)):
        y, inside = x, draw(s.booleans())
        for kind in ends:
            number += 1
            y = step(kind, y, number, shared)
            if inside and kind == "dense":
                y = kl.Add(name=f"inner{number}")([y, step("dense", kl.Activation("tanh")(y), f"{number}i", shared)])
        x = kl.Add()([x, y]) if draw(s.booleans()) else y + x
        if draw(s.booleans()):
            x = kl.ReLU()(x)
    return randomize(keras.Model(source, kl.Dense(2)(x)))


@settings(max_examples=int(os.environ.get("NET2NET_GRAPHS", 12)))
@given(teacher=residual(), init=s.sampled_from(["net2deeper", "fresh"]))
def test_random_residual_graphs(teacher, init):
    keras.config.set_dtype_policy("float64")
    try:
        teacher = keras.models.clone_model(teacher)
        randomize(teacher)
        try:
            student = net2deeper_net(teacher, "blocks", init=init, seed=0)
        except Net2NetError as error:
            assert "no residual block" in str(error)
            assert not Blocks(teacher).found
            return
        assert relative_gap(teacher, student) <= EXACT["float64"]
        assert student.count_params() > teacher.count_params()
    finally:
        keras.config.set_dtype_policy("float32")


# How a new block begins


def encoder(first=True, **how):
    source = keras.Input((5, 8))
    x = source
    for k in range(2):
        x = keras_hub.layers.TransformerEncoder(16, 2, normalize_first=first, name=f"encoder{k}", **how)(x)
    return randomize(keras.Model(source, kl.Dense(2)(x)))


def test_a_block_is_copied_or_fresh(float64):
    teacher = encoder()
    old = teacher.get_layer("encoder0")._feedforward_intermediate_dense.kernel.numpy()
    found = {}
    for init in ("net2deeper", "fresh", "randominit"):
        student = net2deeper_net(teacher, "encoder0", init=init, seed=0)
        new = student.get_layer("encoder0_deeper")
        found[init] = new._feedforward_intermediate_dense.kernel.numpy()
        assert new._feedforward_output_dense.kernel.numpy().any() == (init == "randominit")
        assert (relative_gap(teacher, student) == 0) == (init != "randominit")
    np.testing.assert_array_equal(found["net2deeper"], old)
    assert not np.isclose(found["fresh"], old).any()
    again = net2deeper_net(teacher, "encoder0", init="fresh", seed=0).get_layer("encoder0_deeper")
    np.testing.assert_array_equal(found["fresh"], again._feedforward_intermediate_dense.kernel.numpy())
    other = net2deeper_net(teacher, "encoder0", init="fresh", seed=1).get_layer("encoder0_deeper")
    assert not np.isclose(found["fresh"], other._feedforward_intermediate_dense.kernel.numpy()).any()


@pytest.mark.parametrize("make", [encoder, HUB["gpt2"][0]])
def test_stacking_repeats_the_sequence(float64, make):
    teacher = randomize(make())
    student = net2deeper_net(teacher, "blocks", init="stacking")

    def kernels(model):
        blocks = [b for b in model.layers if hasattr(b, "_feedforward_output_dense")]
        return [b._feedforward_output_dense.kernel.numpy() for b in blocks]

    one, two = kernels(teacher)
    for got, wanted in zip(kernels(student), [one, two, one, two], strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert gap(teacher, student) > 1e-3


def test_the_activation_behind_a_sum_belongs_to_the_block(float64):
    source = keras.Input((4,))
    x = kl.Dense(4, "relu")(source)
    x = kl.ReLU(name="out")(kl.Add(name="sum")([x, kl.Dense(4, name="last")(kl.Dense(4, "relu")(x))]))
    teacher = randomize(keras.Model(source, kl.Dense(2)(x)))
    for after in ("sum", "out"):
        student = net2deeper_net(teacher, after)
        order = [layer.name for layer in student.layers]
        assert order.index("out") < order.index("last_deeper") < order.index("sum_deeper") < order.index("out_deeper")
        assert relative_gap(teacher, student) == 0


def test_blocks_are_not_joined_over_an_activation_that_the_last_has_not(float64):
    """The last gives numbers below zero, which the activation inside a copy of both would cut off."""
    source = keras.Input((3, 4))
    one = kl.ReLU(name="one")(kl.Add()([source, kl.Dense(4)(source)]))
    two = kl.Add(name="two")([one, kl.Conv1D(4, 1, name="conv")(one)])
    teacher = randomize(keras.Model(source, kl.Dense(2)(two)))
    student = net2deeper_net(teacher, "blocks")
    assert [each.after for each in growth(student)] == ["one", "two"]
    assert relative_gap(teacher, student) == 0


def test_masks_and_other_arguments_go_to_the_copy(float64):
    words = keras.Input((6,), dtype="int32")
    x = kl.Embedding(9, 8, mask_zero=True)(words)
    side = kl.Embedding(9, 8)(words)
    x = keras_hub.layers.TransformerDecoder(16, 2, normalize_first=True, name="decoder")(x, side)
    teacher = randomize(keras.Model(words, kl.Dense(2)(kl.GlobalAveragePooling1D()(x))))
    student = net2deeper_net(teacher, "decoder")
    x = np.random.default_rng(0).integers(9, size=(8, 6))
    assert relative_gap(teacher, student, x) == 0
    assert student.get_layer("decoder_deeper").input[1] is student.get_layer("decoder").input[1]


@pytest.mark.parametrize(
    ("after", "kind"), [("pool", "Conv2D"), ("lstm", "Dense"), ("words", "Dense"), ("both", "Dense")]
)
def test_a_residual_block_goes_behind_anything(float64, after, kind):
    if after == "pool":
        layers = [keras.Input((8, 8, 2)), kl.Conv2D(3, 3), kl.MaxPooling2D(name="pool"), kl.Flatten(), kl.Dense(2)]
        teacher = keras.Sequential(layers)
    else:
        words = keras.Input((5,), dtype="int32")
        x = kl.Embedding(7, 4, name="words", mask_zero=True)(words)
        x = kl.Concatenate(name="both")([kl.LSTM(3, return_sequences=True, name="lstm")(x), x])
        teacher = keras.Model(words, kl.Dense(2)(kl.GlobalMaxPooling1D()(x)))
    student = net2deeper_net(randomize(teacher), after, seed=0)
    new = student.get_layer(f"{after}_deeper")
    assert isinstance(new, ResidualBlock)
    assert type(new.hidden).__name__ == kind
    assert type(student) is type(teacher)
    assert relative_gap(teacher, student) == 0
    assert names(student) == [f"{after}_deeper"]  # it is a block itself
    assert relative_gap(student, net2deeper_net(student)) == 0


def test_a_residual_block_is_trained_saved_and_widened(float64, tmp_path):
    teacher = randomize(
        keras.Sequential([keras.Input((4,)), kl.Dense(6, "tanh"), kl.UnitNormalization(name="unit"), kl.Dense(1)])
    )
    student = net2deeper_net(teacher, "unit", seed=0)
    student.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(0).normal(size=(64, 4))
    history = student.fit(x, np.sin(x[:, :1]), epochs=5, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert student.get_layer("unit_deeper").last.kernel.numpy().any()
    student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert relative_gap(student, loaded) == 0
    wider = net2wider_net(loaded, {"unit_deeper.units": 9}, seed=0)
    assert relative_gap(loaded, wider) <= EXACT["float64"]


# Training


def test_the_last_weights_learn_first_and_the_rest_an_update_later(float64):
    teacher = encoder()
    teacher.compile(keras.optimizers.SGD(0.1), "mse")
    student = net2deeper_net(teacher, "encoder0", init="fresh", seed=0)
    block = student.get_layer("encoder0_deeper")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(16, 5, 8)), rng.normal(size=(16, 5, 2))
    ends = [block._feedforward_output_dense.kernel, block._self_attention_layer._output_dense.kernel]
    inner = [block._feedforward_intermediate_dense.kernel, block._self_attention_layer._value_dense.kernel]
    moved = []
    for _ in range(2):
        before = [weight.numpy() for weight in ends + inner]
        student.train_on_batch(x, y)
        moved.append([bool((weight.numpy() != old).any()) for weight, old in zip(ends + inner, before, strict=True)])
    assert moved == [[True, True, False, False], [True] * 4]


@pytest.mark.parametrize("make", [encoder, HUB["gpt2"][0]])
def test_the_optimizer_goes_on_and_new_blocks_begin_without_moments(make):
    keras.utils.set_random_seed(0)  # of what fit draws: the order of examples, and dropout
    teacher = randomize(make())
    teacher.compile(keras.optimizers.Adam(0.002), "mse", run_eagerly=True)  # a few updates are not worth tracing
    x = drawn(next(iter(specs_of(teacher, 4, batch=8))), teacher)
    y = np.zeros(teacher(x).shape)
    teacher.fit(x, y, epochs=2, verbose=0)
    student = net2deeper_net(teacher, "blocks")
    assert growth(student).optimizer == "goes on"
    assert int(student.optimizer.iterations) == 2
    old, new = (model.optimizer._momentums for model in (teacher, student))
    carried = [m for m in new if m.numpy().any()]
    assert len(carried) == sum(m.numpy().any() for m in old) < len(new)
    loss = teacher.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(student.evaluate(x, y, verbose=0), loss, rtol=1e-5)
    student.fit(x, y, epochs=6, verbose=0)
    assert student.evaluate(x, y, verbose=0) < loss


def test_wider_behind_deeper_and_the_other_way_round(float64):
    teacher = encoder()
    deeper = net2deeper_net(teacher)
    wider = net2wider_net(deeper, {"encoder0_deeper.intermediate_dim": 24}, seed=0)
    assert relative_gap(teacher, wider) <= EXACT["float64"]
    other = net2deeper_net(net2wider_net(teacher, {"encoder1.intermediate_dim": 24}, seed=0), "encoder1")
    assert relative_gap(teacher, other) <= EXACT["float64"]


def test_a_frozen_block_gets_a_trainable_copy_whose_statistics_stay(float64):
    source = keras.Input((6, 6, 4))
    y = kl.BatchNormalization(name="norm")(kl.Conv2D(4, 3, padding="same", name="conv")(source))
    teacher = randomize(keras.Model(source, kl.Dense(2)(kl.Add(name="sum")([source, y]))))
    teacher.trainable = False
    student = net2deeper_net(teacher, "sum")
    new = student.get_layer("norm_deeper")
    assert new.trainable
    assert not new.gamma.numpy().any()
    np.testing.assert_array_equal(new.moving_mean, teacher.get_layer("norm").moving_mean)
    assert not student.get_layer("conv").trainable
    assert relative_gap(teacher, student) == 0


@pytest.mark.parametrize("inner", ["wrapped", "nested"])
def test_a_frozen_layer_inside_a_block_is_trainable_in_its_copy(inner):
    source = keras.Input((3, 4))
    dense = kl.Dense(4, name="dense")
    layer = kl.TimeDistributed(dense) if inner == "wrapped" else keras.Sequential([keras.Input((3, 4)), dense])
    y = layer(source)
    layer.trainable = False
    teacher = keras.Model(source, kl.Dense(2)(kl.Add(name="sum")([source, y])))
    student = net2deeper_net(teacher, "sum")
    new, _ = growth(student)[0].layers
    assert len(new.trainable_weights) == len(new.weights) == 2
    assert not layer.trainable_weights
    assert len(student.trainable_weights) == 4


def test_blocks_that_share_a_layer_are_repeated_one_by_one(float64):
    a, b = (kl.Dense(4, use_bias=False, name=name) for name in "ab")
    source = keras.Input((4,))
    x = kl.Add(name="first")([source, a(b(source))])
    x = kl.Add(name="second")([x, b(kl.Activation("tanh")(a(x)))])
    teacher = keras.Model(source, kl.Dense(2)(x))
    student = net2deeper_net(teacher)  # zeros in both would keep each other from learning
    assert [told.after for told in growth(student)] == ["first", "second"]
    assert relative_gap(teacher, student) == 0
    for told in growth(student):
        assert sum(weight.numpy().any() for layer in told.layers for weight in layer.weights) == 1


def test_an_einsum_of_one_operand_may_end_a_branch(float64):
    class Across(kl.Layer):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.dense = kl.Dense(3)

        def build(self, shape):
            self.dense.build((shape[0], shape[2], shape[1]))

        def call(self, x):
            y = self.dense(keras.ops.transpose(x, (0, 2, 1)))
            return x + keras.ops.einsum("bij->bji", y)

    source = keras.Input((3, 4))
    teacher = keras.Model(source, kl.Dense(2)(Across(name="across")(source)))
    student = net2deeper_net(teacher, "across")
    assert isinstance(student.get_layer("across_deeper"), Across)
    assert relative_gap(teacher, student) == 0


class Scale(kl.Layer):
    """A weight for each channel, which begins as a number."""

    def __init__(self, begin=1e-6, **kwargs):
        super().__init__(**kwargs)
        self.begin = begin

    def build(self, shape):
        self.gamma = self.add_weight(
            shape=shape[-1:], initializer=keras.initializers.Constant(self.begin), name="gamma"
        )

    def call(self, x):
        return x * self.gamma

    def get_config(self):
        return super().get_config() | {"begin": self.begin}


def scaled(begin, last="glorot_uniform"):
    """A block whose branch is scaled at its end, as in ConvNeXt."""
    source = keras.Input((6,))
    y = kl.Dense(6, name="down", kernel_initializer=last)(kl.Dense(8, "gelu", name="up")(source))
    return keras.Model(source, kl.Dense(2)(kl.Add(name="sum")([source, Scale(begin, name="scale")(y)])))


def moved(student):
    """Which weights of new layers a few updates change."""
    news = [v for layer in growth(student)[0].layers for v in layer.weights]
    before, rng = [v.numpy() for v in news], np.random.default_rng(0)
    student.compile(keras.optimizers.SGD(0.1), "mse")
    student.fit(rng.normal(size=(8, 6)), rng.normal(size=(8, 2)), epochs=3, verbose=0)
    return {v.path: bool((v.numpy() != old).any()) for v, old in zip(news, before, strict=True)}


@pytest.mark.parametrize("init", ["net2deeper", "fresh"])
@pytest.mark.parametrize("begin", [1e-6, 0.0])
def test_under_a_layer_scale_all_weights_learn(float64, begin, init):
    student = net2deeper_net(scaled(begin), init=init, seed=0)
    assert not student.get_layer("scale_deeper").gamma.numpy().any()
    assert all(moved(student).values())


def test_of_two_factors_one_begins_as_zeros(float64):
    """Where fresh weights before a scale are zeros by themselves, it is the scale that does not begin as zeros."""
    teacher = scaled(0.5, last="zeros")
    student = net2deeper_net(teacher, init="net2deeper", seed=0)  # not trained yet
    assert student.get_layer("scale_deeper").gamma.numpy().all()
    assert all(moved(student).values())
    student = net2deeper_net(randomize(teacher), init="fresh", seed=0)
    assert student.get_layer("scale_deeper").gamma.numpy().all()
    assert relative_gap(teacher, student) == 0
    assert "down/kernel" in str(growth(student))
    assert "scale/gamma" not in str(growth(student))
    assert all(moved(student).values())
    teacher = randomize(scaled(0.0, last="zeros"))
    with pytest.raises(Net2NetError, match="init: 'fresh' cannot be used for block 'sum'.*use init='net2deeper'"):
        net2deeper_net(teacher, init="fresh", seed=0)
    assert all(moved(net2deeper_net(teacher, seed=0)).values())


@pytest.mark.parametrize("init", ["net2deeper", "fresh", "stacking", "randominit"])
def test_the_copy_of_a_layer_with_lora_learns_its_kernel(float64, init):
    source = keras.Input((6,))
    y = kl.Dense(6, name="down")(kl.Dense(8, "relu", name="up")(source))
    teacher = keras.Model(source, kl.Dense(2)(kl.Add(name="sum")([source, y])))
    for name in ("up", "down"):
        teacher.get_layer(name).enable_lora(2, lora_alpha=2)
    randomize(teacher)
    student = net2deeper_net(teacher, "sum", init=init, seed=0)
    up, new = teacher.get_layer("up"), student.get_layer("up_deeper")
    assert len(new.trainable_variables) == len(new.weights) == 2
    if init in ("net2deeper", "stacking"):
        np.testing.assert_allclose(new.kernel, up.kernel, rtol=1e-12)  # with what LoRA adds
    if init in ("net2deeper", "fresh"):
        assert relative_gap(teacher, student) == 0
    assert student.get_layer("up").lora_enabled
    assert all(moved(student).values())


def test_lora_that_no_settings_tell_is_refused_and_a_file_is_the_way_out(float64, tmp_path):
    gpt2 = HUB["gpt2"][0]()
    gpt2.enable_lora(2)
    message = "layer .* has LoRA, which no setting of the model tells; save the model and load it"
    teacher = encoder()
    teacher.get_layer("encoder0")._feedforward_output_dense.enable_lora(2)
    for model, match in ((gpt2, message), (teacher, "cannot be carried over; save the model and load it")):
        randomize(model)
        with pytest.raises(Net2NetError, match=match):
            net2deeper_net(model, "blocks")
        model.save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        assert gap(model, loaded) < EXACT["float64"]
        assert gap(model, net2deeper_net(loaded, "blocks")) < EXACT["float64"]


class Modulated(kl.Layer):
    """x * (1 + g(x)) + f(x), or their mean."""

    def __init__(self, mean=False, **kwargs):
        super().__init__(**kwargs)
        self.mean, self.f, self.g = mean, kl.Dense(6, name="f"), kl.Dense(6, name="g")

    def build(self, shape):
        self.f.build(shape)
        self.g.build(shape)

    def call(self, x):
        return (x + self.f(self.g(x))) / 2 if self.mean else x * (1 + self.g(x)) + self.f(x)

    def get_config(self):
        return super().get_config() | {"mean": self.mean}


def test_a_shortcut_that_is_multiplied_by_one_and_zeros(float64):
    source = keras.Input((6,))
    teacher = randomize(keras.Model(source, kl.Dense(2)(Modulated(name="block")(kl.Dense(6)(source)))))
    student = net2deeper_net(teacher, "block")
    new = student.get_layer("block_deeper")
    assert isinstance(new, Modulated)
    assert not any(v.numpy().any() for v in new.weights)
    assert relative_gap(teacher, student) == 0
    assert all(moved(student).values())


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (lambda x: kl.Average(name="end")([x, kl.Dense(6)(x)]), r"multiplied by a number, as in a mean, .*\(.*end"),
        (lambda x: Modulated(True, name="end")(x), r"multiplied by a number, as in a mean, .*\(.*end"),
        (lambda x: kl.Add(name="end")([x, x, kl.Dense(6)(x)]), "at the end of its branch, but what enters it"),
    ],
)
def test_what_no_zeros_can_undo_is_told_and_a_residual_block_follows(float64, end, message):
    teacher = with_end(end)
    with pytest.raises(Net2NetError, match=message):
        net2deeper_net(teacher, "blocks")
    student = net2deeper_net(teacher, "end")
    assert isinstance(student.get_layer("end_deeper"), ResidualBlock)
    assert relative_gap(teacher, student) == 0


def test_behind_a_normalized_sum_a_residual_block_is_the_way_out(float64):
    teacher = encoder(first=False)
    with pytest.raises(
        Net2NetError, match="'encoder0' cannot be followed by a copy.*With init='fresh' a ResidualBlock"
    ):
        net2deeper_net(teacher, "encoder0")
    student = net2deeper_net(teacher, "encoder0", init="fresh", seed=0)
    assert isinstance(student.get_layer("encoder0_deeper"), ResidualBlock)
    assert relative_gap(teacher, student) == 0
    bert = hub.BertBackbone(num_heads=2, max_sequence_length=4, **SMALL)
    with pytest.raises(Net2NetError, match="with init='fresh' it can follow 'transformer_layer_0'"):
        net2deeper_net(bert, "transformer_layer_0")
    graph = keras.Model(bert.inputs, bert.outputs)
    student = net2deeper_net(graph, "transformer_layer_0", init="fresh", seed=0)
    assert gap(graph, student) == 0


def test_layers_of_t5_are_refused_with_what_can_be_followed(float64):
    t5 = hub.T5Backbone(num_heads=2, key_value_dim=2, **SMALL)
    for name, why in (("transformer_encoder_layer_0", "it gives 2 tensors"), ("token_embedding", "is called several")):
        match = (
            f"'{name}' is no residual block .*{why}.*can follow 'encoder_embedding_dropout', .*'encoder_output_layer"
        )
        with pytest.raises(Net2NetError, match=match):
            net2deeper_net(t5, name)
    graph = keras.Model(t5.inputs, t5.outputs)
    assert relative_gap(graph, net2deeper_net(graph, "encoder_output_layer_norm")) == 0


# Refusals


def with_end(end):
    """A layer that nearly is a residual block."""
    source = keras.Input((4, 6))
    x = end(kl.Dense(6, name="first")(source))
    return randomize(keras.Model(source, kl.Dense(2)(x)))


class Nearly(kl.Layer):
    """x + f(x), with no weights of its own at the end of f, or something behind the sum."""

    def __init__(self, kind, **kwargs):
        super().__init__(**kwargs)
        self.kind, self.dense, self.norm = kind, kl.Dense(6), kl.LayerNormalization(name="norm")

    def build(self, shape):
        self.dense.build(shape)
        self.norm.build(shape)

    def call(self, x):
        y = self.dense(x)
        if self.kind == "sigmoid":
            return x + keras.ops.sigmoid(y)
        if self.kind == "relu":
            return x + keras.ops.relu(y)
        if self.kind == "tied":
            return x + keras.ops.matmul(keras.ops.relu(y), keras.ops.transpose(self.dense.kernel))
        if self.kind == "tied once":
            kernel = keras.ops.convert_to_tensor(self.dense.kernel)
            return x + keras.ops.relu(x @ kernel + self.dense.bias) @ kernel
        if self.kind == "bent square":
            return x + y * keras.ops.relu(y)
        if self.kind == "leaky":
            return x + keras.ops.leaky_relu(y, negative_slope=0)
        if self.kind == "post":
            return self.norm(x + y)
        if self.kind == "square":
            return x + y * keras.ops.tanh(y)
        if self.kind == "threshold":
            return x + keras.ops.where(y > 0, y, keras.ops.zeros_like(y))
        if self.kind == "step":
            return x + y + keras.ops.cast(y > 0, y.dtype)
        if self.kind == "unit":
            return x + y / keras.ops.sqrt(keras.ops.mean(y * y, axis=-1, keepdims=True) + 1e-6)
        if self.kind == "stop":
            return x + keras.ops.stop_gradient(y)
        if self.kind == "rounded":
            return keras.ops.cast(keras.ops.cast(x, "float16"), x.dtype) + y
        return x + y + 0.5

    def get_config(self):
        return super().get_config() | {"kind": self.kind}


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("sigmoid", "no weight at the end of its branch, but Sigmoid"),
        ("relu", r"but Relu \(.*\), whose slope at 0 is 0: zeros before it would never learn"),
        ("leaky", r"but LeakyRelu \(.*\), whose slope at 0 is 0"),
        ("post", r"a normalization behind the sum would have to be undone, which no weights can \(.*norm"),
        ("tied", r"but MatMul \(.*\) with what the same weight makes: zeros may never learn"),
        ("tied once", r"but BatchMatMulV2 \(.*\) with what the same weight makes: zeros may never learn"),
        ("bent square", r"but Mul \(.*\), whose slope at 0 is 0"),
        ("number", "no weight at the end of its branch, but a number"),
        ("square", r"but Mul \(.*\), whose slope at 0 is 0"),
        ("threshold", r"but SelectV2 \(.*\), whose slope at 0 is 0"),
        ("stop", r"but StopGradient \(.*\), whose slope at 0 is 0"),
        ("step", r"but Cast \("),
        ("unit", r"by what is compared or normalized: zeros before it would not learn as others"),
    ],
)
def test_what_nearly_is_a_block_is_refused(kind, message):
    model = with_end(Nearly(kind, name="nearly"))
    with pytest.raises(Net2NetError, match=f"after: .*'nearly' cannot be followed by a copy: .*{message}"):
        net2deeper_net(model, "nearly")
    with pytest.raises(Net2NetError, match="has no residual block that can be repeated"):
        net2deeper_net(model, "blocks")


def test_refusals_name_the_block_and_the_reason():
    post = encoder(first=False)
    shapes = applications.ResNet50V2(weights=None, include_top=False, input_shape=(32, 32, 3))
    source = keras.Input((4,))
    several = keras.Model(source, kl.LSTM(3, return_state=True, name="lstm")(kl.Reshape((2, 2))(source)))
    sequential = keras.Sequential(
        [keras.Input((4,)), kl.Dense(3, name="hidden"), kl.Dropout(0.1, name="drop"), kl.Dense(2)]
    )
    for model, after, how, message in [
        (post, "encoder0", {}, "a normalization behind the sum would have to be undone"),
        (post, "blocks", {}, "a normalization behind the sum would have to be undone"),
        (several, "lstm", {}, "'lstm' cannot be followed: it makes the model's output"),
        (sequential, "hidden", {"init": "fresh"}, "init: 'fresh' is for residual blocks; behind 'hidden'"),
        (sequential, "drop", {"init": "stacking"}, "init: 'stacking' is for residual blocks, and 'drop' is none"),
        (sequential, "drop", {"batch_norm": True, "x": np.ones((2, 4))}, "batch_norm: expected False"),
        (sequential, "nothing", {}, "no layer 'nothing'; near names"),
        (HUB["gpt2"][0](), "token_embedding", {}, "no residual block .* blocks of the model are 'transformer_layer_0'"),
        (HUB["gpt2"][0](), "nothing", {}, "has no layer 'nothing'; the blocks of the model are 'transformer_layer_0'"),
    ]:
        with pytest.raises(Net2NetError, match=message):
            net2deeper_net(model, after, **how)
    reasons = {layer.name: str(why) for layer, why in Blocks(shapes).reasons.items()}
    assert "its shortcut is computed too, as where the shape changes" in reasons["conv2_block1_out"]
    assert "its shape changes from" in reasons["conv2_block3_2_conv"]


class Projection(kl.Layer):
    """A block whose shortcut is computed, and whose shape changes."""

    def build(self, shape):
        self.one, self.two = kl.Dense(6, name="one"), kl.Dense(6, name="two")
        self.one.build(shape)
        self.two.build(shape)

    def call(self, x):
        return keras.ops.relu(self.one(x) + self.two(x))


def beside_a_block(*others):
    """A residual block, and behind it what is none."""
    source = keras.Input((4,))
    x = ResidualBlock(name="block")(kl.Dense(6, name="first")(source))
    for other in others:
        x = other(x)
    return randomize(keras.Model(source, kl.Dense(2, name="end")(x)))


def test_what_is_no_block_among_blocks_is_told():
    twice = ResidualBlock(name="twice")
    model = beside_a_block(
        Projection(name="same"),
        Nearly("post", name="post"),
        kl.Dense(9, name="dense"),
        Projection(name="wide"),
        twice,
        twice,
    )
    with pytest.warns(UserWarning, match=r"2 layers or blocks have nothing new behind; growth\(student\) says why"):
        student = net2deeper_net(model)
    report = growth(student)
    assert [each.after for each in report] == ["block"]
    told = {each.name: (each.natural, each.reason) for each in report.left}
    assert list(told) == ["same", "post", "wide", "twice", "first", "dense", "end"]
    assert [natural for natural, _ in told.values()] == [True, False, True, False, True, True, True]
    for words, (_, reason) in zip(
        ("its shortcut", "normalization", "its shape", "several", "blocks alone", "blocks alone", "the model's output"),
        told.values(),
        strict=True,
    ):
        assert words in reason
    assert re.search(r"^post +nothing +a normalization behind", str(report), re.MULTILINE)
    assert re.search(r"^first, dense +nothing +blocks alone are repeated", str(report), re.MULTILINE)
    assert report._repr_html_().count("<tr>") == 8


def test_blocks_that_are_all_refused_are_told_beside_layers_that_are_followed():
    source = keras.Input((6,))
    x = Nearly("post", name="second")(Nearly("post", name="first")(source))
    model = randomize(keras.Model(source, kl.Dense(2, name="end")(kl.Dense(3, "relu", name="hidden")(x))))
    with pytest.warns(UserWarning, match="2 layers or blocks have nothing new behind"):
        report = growth(net2deeper_net(model))
    assert [each.after for each in report] == ["hidden"]
    assert {each.name: each.natural for each in report.left} == {"first": False, "second": False, "end": True}


def test_blocks_that_give_several_tensors_are_told():
    model = hub.T5Backbone(
        vocabulary_size=9, num_layers=2, num_heads=2, hidden_dim=4, intermediate_dim=6, key_value_dim=2
    )
    with pytest.raises(Net2NetError, match="'transformer_encoder_layer_0' is none, because it gives 2 tensors"):
        net2deeper_net(model)


def test_what_has_no_place_in_a_class_is_told():
    backbone = hub.ViTBackbone(
        image_shape=(4, 4, 3), patch_size=(2, 2), num_layers=1, num_heads=1, hidden_dim=4, mlp_dim=4
    )
    model = hub.ViTImageClassifier(backbone=backbone, num_classes=3, preprocessor=None)
    left = growth(net2deeper_net(model)).left
    assert [each.name for each in left] == ["patch_embedding", "predictions"]
    assert left[0].reason == "it is in no block, and ViTImageClassifier has no place for other layers"
    assert growth(net2deeper_net(model, "blocks")).left == []


def test_many_names_are_counted():
    model = beside_a_block(*[kl.Dense(6, name=f"dense{i}") for i in range(3)])
    assert re.search(r"^first and 3 others +nothing ", str(growth(net2deeper_net(model))), re.MULTILINE)


def test_layers_that_no_identity_can_follow_are_told():
    source = keras.Input((4,))
    shared = kl.BatchNormalization(name="norm")
    x = shared(kl.Dense(4, name="second")(shared(kl.Dense(4, name="first")(source))))
    model = randomize(keras.Model(source, kl.Dense(2, name="end")(kl.Dense(3, "relu", name="free")(x))))
    with pytest.warns(UserWarning, match="2 layers or blocks have nothing new behind"):
        report = growth(net2deeper_net(model))
    assert [each.after for each in report] == ["free"]
    told = {each.name: (each.natural, each.reason) for each in report.left}
    assert told.keys() == {"first", "second", "end"}
    assert "'norm' behind it is shared" in told["first"][1]
    assert told["end"] == (True, "it makes the model's output; name a hidden layer")


@pytest.mark.parametrize("projections", [True, False])
def test_what_nobody_expects_to_be_repeated_gives_no_warning(projections, recwarn):
    model = beside_a_block(*[Projection(name="same")] * projections)
    report = growth(net2deeper_net(model, "blocks"))
    assert [each.name for each in report.left] == ["same"] * projections  # "blocks": nothing else is asked for
    assert not [str(warning.message) for warning in recwarn if "nothing new" in str(warning.message)]


def test_names_that_are_given_leave_nothing_out():
    model = beside_a_block(Nearly("post", name="post"))
    assert growth(net2deeper_net(model, "block")).left == []


def test_blocks_that_take_turns_are_repeated_together(float64):
    """Attention, then dense layers: a student has them in the order of a network that was made so."""
    teacher = randomize(small_gpt(12, 2, length=8))
    made = [(type(layer), layer.count_params()) for layer in small_gpt(12, 4, length=8).layers]
    for init in ("net2deeper", "stacking"):
        student = net2deeper_net(teacher, "blocks", init=init)
        assert [each.after for each in growth(student)] == ["block1", "block2"]
        assert [(type(layer), layer.count_params()) for layer in student.layers] == made
        assert (gap(teacher, student) == 0) == (init == "net2deeper")
    kernels = [v.numpy() for v in student.weights if v.path.endswith("inner/kernel") or "inner_deeper/kernel" in v.path]
    for first, second in zip(kernels[:2], kernels[2:], strict=True):
        np.testing.assert_array_equal(first, second)  # the sequence twice
    assert not np.array_equal(*kernels[:2])
    alone = net2deeper_net(teacher, "block1_attended")
    assert [layer.name for layer in growth(alone)[0].layers if layer.weights] == [
        "block1_attention_norm_deeper",
        "block1_attention_deeper",
    ]


def test_the_report_is_a_table():
    student = net2deeper_net(encoder(), "encoder1")
    lines = str(growth(student)).split("\n")
    assert lines[0].split() == ["behind", "new", "parameters", "how"]
    assert lines[1].startswith(
        "encoder1  encoder1_deeper         600  a copy of the block, with zeros where the block has "
    )
    assert growth(student)._repr_html_().count("<tr>") == 2


@pytest.mark.parametrize(("order", "found"), [((0, 1), ["less"]), ((1, 0), [])], ids=["taken from it", "it is taken"])
def test_what_takes_the_entering_away_is_no_block(order, found):
    x = keras.Input((4,))
    h = kl.Dense(4)(x)
    terms = h, kl.Dense(4)(h)
    teacher = keras.Model(x, kl.Dense(2)(kl.Subtract(name="less")([terms[i] for i in order])))
    assert [block.names[0] for block in Blocks(teacher).found.values()] == found


def test_a_sum_that_a_number_multiplies_is_told():
    x = keras.Input((4,))
    h = kl.Dense(4)(x)
    half = kl.Lambda(lambda pair: 0.5 * (pair[0] + pair[1]), name="half")([h, kl.Dense(4)(h)])
    with pytest.raises(Net2NetError, match="its sum is multiplied by a number"):
        net2deeper_net(keras.Model(x, kl.Dense(2)(half)), "blocks")


def test_of_two_factors_that_one_is_zero_which_is_zero_already():
    """Else both would be, and neither could learn."""

    class Scaled(kl.Layer):
        def build(self, shape):
            self.inner = kl.Dense(shape[-1], kernel_initializer="zeros", name="inner")
            self.inner.build(shape)
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

        def call(self, x):
            return x + self.scale * self.inner(x)

    teacher = keras.Sequential([keras.Input((4,)), kl.Dense(4), Scaled(name="block"), kl.Dense(2)])
    (block,) = Blocks(teacher).found.values()
    assert {v.name for v in block.zeros} == {"kernel", "bias"}
    teacher.get_layer("block").inner.kernel.assign(np.eye(4))
    (block,) = Blocks(teacher).found.values()
    assert {v.name for v in block.zeros} == {"scale"}

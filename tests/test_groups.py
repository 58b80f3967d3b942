"""A model read as channel groups: which are found, by which names, what widths they take, and how they print."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import ops
from models_for_tests import EXACT, float64, randomize, relative_gap

from helpers import Net2NetError, channel_groups, function_gap, growth, net2wider_net

__all__ = ["float64"]


def groups(model):
    """What `channel_groups` says, as plain values."""
    return [(group.width, group.layers, group.tied_by, bool(group.fixed)) for group in channel_groups(model)]


# Groups


def test_a_chain():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            kl.Conv2D(4, 3, name="conv"),
            kl.BatchNormalization(),
            kl.Flatten(),
            kl.Dense(6, name="hidden"),
            kl.Dense(3, name="end"),
        ]
    )
    assert groups(model) == [(4, ["conv"], [], False), (6, ["hidden"], [], False), (3, ["end"], [], True)]


def test_a_residual_block():
    x = keras.Input((8,))
    h = kl.Dense(6, name="stem")(x)
    h = kl.Add(name="sum")([h, kl.Dense(6, name="out")(kl.Dense(4, name="inside")(h))])
    model = keras.Model(x, kl.Dense(2, name="end")(h))
    assert groups(model) == [
        (6, ["stem", "out"], ["sum"], False),
        (4, ["inside"], [], False),
        (2, ["end"], [], True),
    ]
    for name in ("stem", "out"):
        student = net2wider_net(model, {name: 9}, seed=0)
        assert [student.get_layer(n).units for n in ("stem", "out", "inside", "end")] == [9, 9, 4, 2]


def test_a_layer_tied_to_the_input_or_output_is_fixed():
    x = keras.Input((6,))
    h = kl.Dense(6, name="tied")(x) + x
    h = kl.Dense(3, name="first")(kl.Dense(4, name="free")(h))
    model = keras.Model(x, h + kl.Dense(3, name="second")(h))
    fixed = {group.layers[0]: group.fixed for group in channel_groups(model)}
    assert fixed["free"] is None
    assert fixed["tied"] == "it is the model's input"
    assert fixed["first"] == "it is the model's output"
    with pytest.raises(Net2NetError, match="widths: layer 'tied' cannot be widened: it is the model's input"):
        net2wider_net(model, {"tied": 9})
    with pytest.raises(Net2NetError, match="widths: layer 'second' cannot be widened: it is the model's output"):
        net2wider_net(model, {"second": 9})
    student = net2wider_net(model, 2)
    assert [student.get_layer(n).units for n in ("tied", "free", "first", "second")] == [6, 8, 3, 3]


def test_inception_puts_groups_side_by_side(float64):
    x = keras.Input((6, 6, 2))
    left, right = kl.Conv2D(3, 1, name="left")(x), kl.Conv2D(4, 3, padding="same", name="right")(x)
    both = kl.Concatenate(name="both")([left, right, left])
    model = randomize(keras.Model(x, kl.Dense(2, name="end")(kl.Flatten()(kl.Conv2D(5, 1, name="behind")(both)))))
    assert [group.layers for group in channel_groups(model)] == [["left"], ["right"], ["behind"], ["end"]]
    student = net2wider_net(model, {"left": 5, "right": 6}, seed=0)
    assert student.get_layer("behind").kernel.shape == (1, 1, 16, 5)
    assert relative_gap(model, student) <= EXACT["float64"]


def test_a_sum_of_concatenations_is_cut_where_either_ends():
    x = keras.Input((4,))
    a, b, c, d = (kl.Dense(n, name=name)(x) for n, name in ((2, "a"), (4, "b"), (3, "c"), (3, "d")))
    h = kl.Add(name="sum")([kl.Concatenate()([a, b]), kl.Concatenate()([c, d])])
    model = randomize(keras.Model(x, kl.Dense(2, name="end")(h)))
    found = [(sorted(group.layers), group.widths) for group in channel_groups(model)]
    assert found[0] == (["a", "b", "c", "d"], {"a": 2, "b": 4, "c": 3, "d": 3})
    assert found[1][0] == ["end"]
    student = net2wider_net(model, {"d": 5, "a": 3}, seed=0)
    assert [student.get_layer(name).units for name in "abcd"] == [3, 6, 4, 5]
    assert relative_gap(model, student) <= EXACT["float32"]


def test_resnet_prints_what_a_person_understands():
    model = keras.applications.ResNet50V2(weights=None, input_shape=(32, 32, 3), classes=4)
    found = channel_groups(model)
    text = repr(found)
    assert text.splitlines()[0] == " width  layers"
    assert "tied by conv2_block1_out, conv2_block2_out" in text
    first = next(group for group in found if "conv2_block1_0_conv" in group.layers)
    assert first.width == 256
    assert first.layers == ["conv2_block1_0_conv", "conv2_block1_3_conv", "conv2_block2_3_conv", "conv2_block3_3_conv"]
    assert found[-1].layers == ["predictions"]
    assert "fixed: it is the model's output" in text
    assert str(found) == text


def test_shared_and_nested_layers():
    inside = keras.Input((4,))
    tower = keras.Model(inside, kl.Dense(4, name="top")(kl.Dense(5, name="bottom")(inside)), name="tower")
    left, right = keras.Input((3,)), keras.Input((3,))
    first, second = kl.Dense(4, name="first"), kl.Dense(4, name="second")
    h = kl.Concatenate()([tower(first(left)), tower(second(right))])
    model = keras.Model([left, right], kl.Dense(2, name="end")(h))
    # One tower reads both, so both must carry the same mapping.
    found = {tuple(sorted(layers)): tied for _, layers, tied, _ in groups(model)}
    assert ("first", "second") in found
    assert {("bottom",), ("top",), ("end",)} <= set(found)
    student = net2wider_net(model, {"first": 7, "bottom": 8, "top": 6}, seed=0)
    assert student.get_layer("second").units == 7
    assert function_gap(model, student) < 1e-5


def test_reading_leaves_the_model_alone():
    model = keras.Sequential([keras.Input((4,)), kl.Dense(5), kl.Dense(2)])
    before = [len(layer._inbound_nodes) for layer in model.layers], model.get_config()
    channel_groups(model)
    assert ([len(layer._inbound_nodes) for layer in model.layers], model.get_config()) == before


# Widths of tied groups


def residual():
    x = keras.Input((5,))
    h = kl.Dense(6, name="a")(x)
    h = kl.Add(name="sum")([h, kl.Dense(6, name="b")(h)])
    h = kl.Concatenate(name="both")([h, kl.Dense(4, name="c")(h)])
    return randomize(keras.Model(x, kl.Dense(2, name="end")(h)))


def test_two_names_of_one_group():
    model = residual()
    student = net2wider_net(model, {"a": 9, "b": 9}, seed=0)
    assert student.get_layer("a").units == student.get_layer("b").units == 9
    with pytest.raises(Net2NetError, match="widths: '[ab]' cannot have .* a, b share one width"):
        net2wider_net(model, {"a": 9, "b": 8})


def test_a_merge_can_be_named_too():
    model = residual()
    student = net2wider_net(model, {"sum": 8}, seed=0)
    assert [student.get_layer(name).units for name in "abc"] == [8, 8, 4]
    student = net2wider_net(model, {"both": 20}, seed=0)
    assert [student.get_layer(name).units for name in "abc"] == [12, 12, 8]
    student = net2wider_net(model, {"both": 20, "c": 5}, seed=0)
    assert [student.get_layer(name).units for name in "abc"] == [15, 15, 5]
    with pytest.raises(Net2NetError, match="widths: 'both' cannot have 20 channels .* with them it has 24"):
        net2wider_net(model, {"both": 20, "a": 14, "c": 10})


def test_widths_that_a_run_does_not_allow():
    x = keras.Input((6, 6, 2))
    h = kl.Conv2D(4, 1, name="narrow")(x)
    h = kl.DepthwiseConv2D(3, depth_multiplier=3, name="depthwise")(h)
    model = randomize(keras.Model(x, kl.Dense(2)(kl.Flatten()(h))))
    student = net2wider_net(model, {"depthwise": 18}, seed=0)
    assert student.get_layer("narrow").filters == 6
    with pytest.raises(
        Net2NetError,
        match="layer 'depthwise' cannot have 16 channels, because they come in runs .* nearest width is 15 or ",
    ):
        net2wider_net(model, {"depthwise": 16})


def test_names_that_two_nested_models_share():
    def part(name):
        inside = keras.Input((5,))
        return keras.Model(inside, kl.Dense(5, name="out")(kl.Dense(6, name="same")(inside)), name=name)

    x = keras.Input((5,))
    model = randomize(keras.Model(x, kl.Dense(2)(part("second")(part("first")(x)))))
    with pytest.raises(
        Net2NetError,
        match="widths: 2 layers are called 'same', in different nested models; give them names of their own$",
    ):
        net2wider_net(model, {"same": 9})
    assert relative_gap(model, net2wider_net(model, 2, seed=0)) <= EXACT["float32"]


def test_growth_says_which_layer_stayed():
    x = keras.Input((5,))
    h = kl.Dense(4, activation="softmax", name="mixed")(kl.Dense(6, name="free")(x))
    model = keras.Model(x, kl.Dense(2)(h))
    with pytest.warns(UserWarning, match="1 of 3 groups of channels stayed"):
        student = net2wider_net(model, 2)
    assert [student.get_layer(name).units for name in ("mixed", "free")] == [4, 12]
    (left,) = growth(student).left()
    assert left.names == ["mixed"]
    assert "mixes channels (Softmax in " in left.reason
    assert net2wider_net(model, {"free": 9}).get_layer("free").units == 9
    alone = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation="softmax", name="mixed")(x)))
    with pytest.raises(Net2NetError, match="has no hidden layer to widen; it mixes channels .Softmax in .*mixed"):
        net2wider_net(alone, 2)


def test_one_tensor_reshaped_in_two_ways():
    x = keras.Input((4,))
    h = kl.Dense(6, name="wide")(x)
    pairs = kl.Reshape((3, 2))(h)  # channels are pairs at three positions ...
    triples = kl.Reshape((2, 3))(h)  # ... and triples at two
    both = kl.Concatenate()([kl.Flatten()(kl.Dense(3)(pairs)), kl.Flatten()(kl.Dense(3)(triples))])
    model = randomize(keras.Model(x, kl.Dense(2)(both)))
    with pytest.raises(Net2NetError, match="layer 'wide' cannot be widened: it is cut in pieces by a reshape"):
        net2wider_net(model, {"wide": 12}, seed=0)
    assert relative_gap(model, net2wider_net(model, 2, seed=0)) <= EXACT["float32"]


def test_ties_that_no_mapping_serves_are_refused():
    x = keras.Input((5, 5, 1))
    twos = kl.DepthwiseConv2D(1, depth_multiplier=2)(kl.Conv2D(3, 1, name="three")(x))  # a a b b c c
    threes = kl.DepthwiseConv2D(1, depth_multiplier=3)(kl.Conv2D(2, 1, name="two")(x))  # d d d e e e
    h = kl.Conv2D(4, 1, name="free")(kl.Add(name="sum")([twos, threes]))
    model = randomize(keras.Model(x, kl.Conv2D(2, 1)(h)))
    for name in ("three", "two"):
        with pytest.raises(Net2NetError, match=f"layer '{name}' cannot be widened: .*lie differently.*sum"):
            net2wider_net(model, {name: 6})
    assert relative_gap(model, net2wider_net(model, {"free": 6}, seed=0)) <= EXACT["float32"]


def test_a_layer_called_in_two_ways():
    x = keras.Input((4,))
    reshape = kl.Reshape((3, 2), name="shared")
    flat = kl.Dense(6, name="flat")(x)  # channels become positions, which a mapping can follow ...
    crossed = kl.Dense(3, name="crossed")(kl.Reshape((2, 2))(kl.Dense(4)(x)))  # ... and (2, 3) becomes (3, 2): none can
    both = kl.Concatenate()([kl.Flatten()(reshape(flat)), kl.Flatten()(reshape(crossed))])
    model = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(4, name="free")(both))))
    with pytest.raises(Net2NetError, match="layer 'crossed' cannot be widened: it is cut in pieces by a reshape"):
        net2wider_net(model, {"crossed": 6})
    assert relative_gap(model, net2wider_net(model, {"free": 6}, seed=0)) <= EXACT["float32"]
    try:
        student = net2wider_net(model, {"flat": 12}, seed=0)
    except Net2NetError as error:  # one Reshape cannot have two shapes
        assert "shared" in str(error) or "flat" in str(error)
    else:
        assert relative_gap(model, student) <= EXACT["float32"]


def test_unknown_sides():
    tokens = keras.Input((None,), dtype="int32")
    same = kl.Maximum()([tokens, tokens * 2 - tokens])
    h = kl.LSTM(4, name="lstm")(kl.Embedding(9, 5, name="words")(same))
    model = randomize(keras.Model(tokens, kl.Dense(2)(h)))
    student = net2wider_net(model, 2, seed=0)
    with pytest.raises(Net2NetError, match="widths: layer 'maximum.*' cannot be widened: it is the model's input"):
        net2wider_net(model, {same._keras_history.operation.name: 20})
    assert student.get_layer("words").output_dim == 10
    assert relative_gap(model, student) <= EXACT["float32"]
    image = keras.Input((None, None, 3))
    h = kl.GlobalMaxPooling2D()(kl.Conv2D(4, 3)(image))
    model = randomize(keras.Model(image, kl.Dense(2)(h)))
    assert (
        relative_gap(
            model, net2wider_net(model, 1.5, seed=0), np.ones((2, 9, 8, 3)) * np.arange(2)[:, None, None, None]
        )
        <= 1e-5
    )


class Sum(kl.Layer):
    def call(self, xs, training=None, mask=None):
        return xs[0] + xs[1]


def test_a_sequential_model_that_is_called_on_several_tensors():
    inputs = [keras.Input((4,)), keras.Input((4,))]
    head = keras.Sequential([Sum(), kl.Dense(6, activation="relu")], name="head")
    model = randomize(keras.Model(inputs, kl.Dense(2)(kl.Dense(4, name="h")(head(inputs)))))
    try:
        student = net2wider_net(model, {"h": 8})
    except Net2NetError as error:
        assert "head" in str(error)
    else:
        assert relative_gap(model, student) <= EXACT["float32"]


def test_operations_on_texts_stay():
    words = keras.Input((3,), dtype="string")
    h = kl.Flatten()(kl.Embedding(10, 4)(kl.Hashing(10)(words[:, :2])))
    model = randomize(keras.Model(words, kl.Dense(2)(kl.Dense(6, name="h")(h))))
    text = ops.convert_to_tensor(np.array([["a", "b", "c"], ["d", "e", "f"]]), dtype="string")
    assert relative_gap(model, net2wider_net(model, {"h": 8}, seed=0), text) <= EXACT["float32"]


def test_constants_beside_tensors(float64):
    x = keras.Input(batch_shape=(16, 5, 4))
    h = kl.Dense(6, name="wide")(x)
    h = ops.concatenate([h, ops.ones((16, 2, 6))], axis=1)
    model = randomize(keras.Model(x, kl.Dense(2)(kl.GlobalAveragePooling1D()(kl.Dense(5, name="behind")(h)))))
    try:
        assert relative_gap(model, net2wider_net(model, {"wide": 9}, seed=0)) <= EXACT["float64"]
    except Net2NetError as error:
        assert "concatenate" in str(error)
    assert relative_gap(model, net2wider_net(model, {"behind": 9}, seed=0)) <= EXACT["float64"]


class First(kl.Layer):
    """Gives the first of what enters, and ignores the rest."""

    def call(self, xs):
        return xs[0]


class Deaf(kl.Layer):
    """Reads its weights, and gives what does not depend on its input."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.units), name="kernel")
        self.bias = self.add_weight((self.units,), name="bias")

    def call(self, x):
        return ops.zeros_like(ops.matmul(x, self.kernel)) + self.bias


class Spare(kl.Layer):
    """Has a part that inference does not call."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.used, self.idle = kl.Dense(units, name="used"), kl.Dense(units, name="idle")

    def build(self, shape):
        self.used.build(shape)
        self.idle.build(shape)

    def call(self, x, training=False):
        return self.used(x) + self.idle(x) if training else self.used(x)


UNREAD = "no output depends on it in inference"


def test_what_no_output_depends_on_is_told(float64):
    x = keras.Input((4,))
    h = First()([kl.Dense(6, name="heard")(x), kl.Dense(6, name="ignored")(x)])
    h = Spare(6, name="spare")(h) + Deaf(6, name="deaf")(kl.Dense(5, name="lost")(x))
    model = randomize(keras.Model(x, kl.Dense(2, name="end")(h)))
    found = {name: group.fixed for group in channel_groups(model) for name in group.layers}
    unread = {"ignored", "spare.idle", "deaf.kernel", "lost"}
    assert found == {
        "heard": None, "spare": None, "deaf": None, "end": "it is the model's output", **dict.fromkeys(unread, UNREAD)
    }  # fmt: skip
    with pytest.raises(Net2NetError, match=f"widths: layer 'lost' cannot be widened: {UNREAD}"):
        net2wider_net(model, {"lost": 9})
    with pytest.warns(UserWarning, match="4 of 7 groups of channels stayed"):
        student = net2wider_net(model, 2, seed=0)
    assert relative_gap(model, student) <= EXACT["float64"]
    told = {grown.names[0]: grown for grown in growth(student)}
    assert {name for name, grown in told.items() if grown.reason == UNREAD} == unread
    held = {name: sum(w.numpy().size for w in student.weights if w.path in told[name].weights) for name in told}
    assert {name: grown.parameters_after for name, grown in told.items()} == held  # of `idle`, too, which became larger
    np.testing.assert_array_equal(student.get_layer("lost").kernel, model.get_layer("lost").kernel)


def test_helpers_of_training_are_no_channels():
    """Power iterations and statistics that are adapted are weights which inference does not read."""
    x = keras.Input((4,))
    normalize = kl.Normalization()
    normalize.adapt(np.random.default_rng(0).normal(size=(20, 4)))
    h = kl.SpectralNormalization(kl.Dense(6, name="inner"), name="spectral")(normalize(x))
    assert groups(keras.Model(x, kl.Dense(2, name="end")(h))) == [(6, ["spectral"], [], False), (2, ["end"], [], True)]


def test_a_part_of_a_class_that_no_output_depends_on_is_told():
    class Aided(keras.Model):
        def __init__(self, units, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.a, self.aid, self.b = kl.Dense(units, name="a"), kl.Dense(3, name="aid"), kl.Dense(2, name="b")

        def build(self, shape):
            self.a.build(shape)
            self.aid.build((None, self.units))
            self.b.build((None, self.units))
            self.built = True

        def call(self, x):
            return self.b(self.a(x))

        def get_config(self):
            return {"units": self.units}

    model = Aided(6)
    model.build((None, 4))
    assert {group.layers[0]: group.fixed for group in channel_groups(model)}["aid"] == UNREAD


def test_channels_that_are_picked_are_hidden_ones_and_a_vocabulary_is_not():
    words = keras.Input((3,), dtype="int32")
    h = ops.take(kl.Dense(5, name="picked")(kl.Embedding(7, 4, name="table")(words)), [0, 2, 2], axis=-1)
    model = randomize(keras.Model(words, kl.Dense(2, name="end")(kl.Dense(6, name="free")(h))))
    student = net2wider_net(model, {"free": 8}, seed=0)
    (left,) = [grown for grown in growth(student).left() if "looked up" in grown.reason]
    assert left.names == ["picked"]
    assert not [name for group in channel_groups(model) for name in group.layers if group.widths[name] == 7]


def test_a_constant_beside_channels_names_where_it_meets_them(float64):
    x = keras.Input((3, 4))
    h = kl.Lambda(lambda t: tf.concat([t, t * 0 + np.linspace(1, 2, 6)], -1), name="beside")(kl.Dense(6, name="a")(x))
    h = kl.Lambda(lambda t: t * np.linspace(1, 2, 5), name="scaled")(kl.Dense(5, name="b")(h))
    h = kl.Dense(4, name="c")(h)
    h = ops.concatenate([h, ops.ones_like(h)], axis=-1)
    model = randomize(keras.Model(x, kl.Dense(2, name="end")(kl.Dense(7, name="free")(h))))
    student = net2wider_net(model, 2, seed=0)
    assert relative_gap(model, student) <= EXACT["float64"]
    told = {grown.names[0]: grown.reason for grown in growth(student)}
    assert told["free"] is None
    for name, words in (
        ("a", "a constant.*AddV2 in .*beside"),
        ("b", "a constant.*Mul in .*scaled"),
        ("c", "ones_like"),
    ):
        assert re.search(words, told[name]), told[name]

"""Deeper students: where new layers stand, that they begin as the identity, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers as kl
from keras import ops
from models_for_tests import EXACT, dtype, float64, randomize, relative_gap
from test_models import Subclassed, Thrice, digits, own, settled, small, unbuilt

from helpers import Net2NetError, ParametricActivation, function_gap, growth, net2deeper_net, net2wider_net
from helpers.proof import example_inputs

__all__ = ["float64"]


def masked(branches):
    """Attention over words of which 0 is none; `branches` builds what else reads them."""
    words = keras.Input((6,), dtype="int32")
    x = kl.Embedding(7, 4, mask_zero=True)(words)
    h = branches(x)
    return randomize(keras.Model(words, kl.Dense(2)(kl.Dense(5, "relu", name="hidden")(kl.Flatten()(h)))))


def race(x):
    once = kl.MultiHeadAttention(1, 2, name="first")(x, x)
    y = kl.Dropout(0.1)(x)  # hands on the very tensor, from which the first attention takes the mask, or has taken it
    again = kl.MultiHeadAttention(1, 2, name="second")(y, kl.Dense(4, name="values")(y))
    return kl.Concatenate()([kl.Dense(4, name="once")(once), kl.Dense(4, name="again")(again)])


def race_behind_dropout(x):
    y = kl.Dropout(0.1)(x)
    once = kl.MultiHeadAttention(1, 2, name="first")(y, y)
    again = kl.MultiHeadAttention(1, 2, name="second")(x, kl.Dense(4, name="values")(x))
    return kl.Concatenate()([kl.Dense(4, name="once")(once), kl.Dense(4, name="again")(again)])


def encoder(x):
    x = kl.Add()([x, kl.MultiHeadAttention(1, 2)(x, x)])
    return kl.Add()([x, kl.Dense(4)(kl.Dense(8, "relu")(x))])


def beside_a_layer_that_is_told(x):
    return kl.Concatenate()([kl.MultiHeadAttention(1, 2)(x, x), kl.LSTM(3, return_sequences=True)(x)])


@pytest.mark.parametrize("branches", [race, race_behind_dropout])
def test_attention_that_takes_masks_from_others_is_widened_and_deepened_where_the_order_stays(branches):
    with dtype("float64"):
        for wrapped in (False, True):
            teacher = masked(nested(branches) if wrapped else branches)
            for after in ("hidden", "again", ["once", "again"]):
                assert relative_gap(teacher, net2deeper_net(teacher, after)) < EXACT["float64"]
            with pytest.raises(
                Net2NetError, match="attention .*'first'.* takes the mask off what it reads, and now runs before"
            ):
                net2deeper_net(teacher, "once")
            assert relative_gap(teacher, net2wider_net(teacher, {"hidden": 9}, seed=0)) < EXACT["float64"]


@pytest.mark.parametrize("branches", [encoder, beside_a_layer_that_is_told])
def test_attention_whose_masks_have_one_order_only_is_deepened(branches):
    with dtype("float64"):
        teacher = masked(branches)
        assert relative_gap(teacher, net2deeper_net(teacher)) < EXACT["float64"]


def nested(branches):
    """The same inside a model of its own."""

    def call(x):
        inside = keras.Input(x.shape[1:])
        inside._keras_mask = x._keras_mask
        return keras.Model(inside, branches(inside))(x)

    return call


def test_randominit_follows_the_initializer_and_not_the_function():
    teacher = small()
    student = net2deeper_net(teacher, "hidden", init="randominit", seed=0)
    kernel = student.get_layer("hidden_deeper").kernel.numpy()
    assert len(np.unique(kernel)) == kernel.size
    assert np.abs(kernel).max() <= (6 / 12) ** 0.5  # Glorot's limit for 6 to 6
    assert relative_gap(teacher, student) > 1e-2


def test_a_deeper_student_keeps_the_old_layers():
    teacher = settled()
    student = net2deeper_net(teacher, ["dilated", "biasless", "separable"])
    assert relative_gap(teacher, student) <= EXACT["float32"]
    names = [layer.name for layer in student.layers]
    assert names.index("dilated_deeper") == names.index("relu") + 1  # behind its batch norm and activation
    assert names.index("biasless_deeper") == names.index("biasless") + 1
    for old in teacher.layers:
        new = student.get_layer(old.name)
        assert new.get_config() == old.get_config()
        for left, right in zip(old.weights, new.weights, strict=True):
            np.testing.assert_array_equal(left, right)
    deeper = student.get_layer("dilated_deeper")
    assert (deeper.strides, deeper.dilation_rate, deeper.padding) == ((1, 1), (1, 1), "same")
    assert deeper.kernel_size == (3, 3)
    assert not student.get_layer("biasless_deeper").use_bias


def test_a_new_layer_computes_in_the_type_of_what_enters_it():
    x = keras.Input((8,))
    h = kl.Dense(32, dtype="mixed_float16", name="h")(x)
    h = kl.ReLU(dtype="float32")(kl.BatchNormalization(dtype="float32")(h))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    data = example_inputs(teacher)
    for how in ({}, {"activation": "parametric"}):
        assert relative_gap(teacher, net2deeper_net(teacher, "h", **how), data) <= EXACT["float32"]


def test_a_users_function_grows_again_behind_a_parametric_activation(float64):
    x = keras.Input((5,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(6, activation=own, name="hidden")(x))))
    student = net2deeper_net(teacher, "hidden", activation="parametric")
    student.get_layer("hidden_deeper_activation").a.assign(0.3)
    again = net2deeper_net(net2wider_net(student, 2, seed=0), "hidden", activation="parametric")
    assert relative_gap(student, again) <= EXACT["float64"]


def test_an_activation_is_judged_by_what_it_is_now(float64):
    x, slope = keras.Input((5,)), keras.Variable(0.0)
    teacher = keras.Model(
        x, kl.Dense(2)(kl.Dense(6, activation=lambda v: ops.where(v > 0, v, slope * v), name="hidden")(x))
    )
    layer = kl.LeakyReLU(0.0)
    other = keras.Model(x, kl.Dense(2)(layer(kl.Dense(6, name="hidden")(x))))
    for model in (teacher, other):
        assert relative_gap(model, net2deeper_net(model, "hidden")) <= EXACT["float64"]
    slope.assign(0.3)
    layer.negative_slope = 0.3
    for model in (teacher, other):
        with pytest.raises(Net2NetError, match="is not idempotent"):
            net2deeper_net(model, "hidden", activation="same")


def test_winner_take_all_is_not_idempotent(float64):
    def winner(v):
        return ops.where(v >= ops.max(v, axis=-1, keepdims=True), v, 0.0)

    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation=winner, name="hidden")(x)))
    with pytest.raises(Net2NetError, match="is not idempotent"):
        net2deeper_net(teacher, "hidden", activation="same")


@pytest.mark.parametrize("activation", ["exponential", lambda v: ops.exp(v)])
def test_no_blend_with_what_overflows(activation):
    x = keras.Input((5,))
    for h in (
        kl.Dense(4, activation=activation, name="hidden")(x),
        kl.Activation(activation)(kl.Dense(4, name="hidden")(x)),
    ):
        teacher = keras.Model(x, kl.Dense(2)(h))
        with pytest.raises(Net2NetError, match="applied twice, is soon larger than any number.*activation='linear'"):
            net2deeper_net(teacher, "hidden", activation="parametric")
        assert relative_gap(teacher, net2deeper_net(teacher, "hidden", activation="linear")) <= EXACT["float32"]


def test_new_layers_have_the_names_and_places_that_the_docstring_tells():
    student = net2deeper_net(small())
    names = "conv conv_deeper norm pool flatten hidden hidden_deeper end".split()
    assert [layer.name for layer in student.layers] == names
    again = net2deeper_net(student, "hidden")
    assert [layer.name for layer in again.layers][-4:] == ["hidden", "hidden_deeper_2", "hidden_deeper", "end"]
    assert relative_gap(small(), again) == 0


def test_new_names_are_free_of_all_names_of_the_model():
    x = keras.Input((4,), name="hidden_deeper")
    inside = keras.Input((5,))
    part = keras.Model(inside, kl.Dense(5)(inside), name="hidden_deeper_2")
    teacher = randomize(keras.Model(x, kl.Dense(2)(part(kl.Dense(5, name="hidden")(x)))))
    student = net2deeper_net(teacher, "hidden")
    assert relative_gap(teacher, student) == 0
    assert student.get_layer("hidden_deeper_3").units == 5


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, (1, 3), (3, 1), (2, 5)])
def test_kernel_sizes(size):
    teacher = small()
    student = net2deeper_net(teacher, "conv", kernel_size=size)
    sides = size if isinstance(size, tuple) else (size, size)
    assert student.get_layer("conv_deeper").kernel_size == sides
    assert relative_gap(teacher, student) == 0


@pytest.mark.parametrize("activation", ["relu", "relu6", "linear", "hard_tanh", "hard_shrink", None])
def test_idempotent_activations_can_be_followed(activation):
    teacher = randomize(
        keras.Sequential([keras.Input((4,)), kl.Dense(5, activation=activation, name="hidden"), kl.Dense(2)])
    )
    assert relative_gap(teacher, net2deeper_net(teacher, "hidden")) == 0


@pytest.mark.parametrize(
    "activation", ["tanh", "sigmoid", "elu", "selu", "gelu", "swish", "softmax", "softplus", "leaky_relu"]
)
def test_other_activations_cannot(activation):
    teacher = keras.Sequential(
        [keras.Input((4,)), kl.Dense(5, activation=activation, name="hidden"), kl.Dense(3, name="free"), kl.Dense(2)]
    )
    with pytest.raises(
        Net2NetError,
        match="after: layer 'hidden' cannot be followed: its activation '.*' is not idempotent .* so an "
        "identity layer with it would change the function; relu, relu6 and linear are idempotent. With "
        "activation='first', 'linear' or 'parametric' a new layer can follow$",
    ):
        net2deeper_net(teacher, "hidden", activation="same")
    student = net2deeper_net(teacher, activation="same")
    assert [layer.name for layer in student.layers][:3] == ["hidden", "free", "free_deeper"]
    student = net2deeper_net(teacher)
    assert isinstance(student.get_layer("hidden_deeper_activation"), ParametricActivation)
    assert [how for _, _, how in growth(student)] == [
        "an identity, with a parametric activation",
        "an identity, with the same activation",
    ]
    assert relative_gap(teacher, student) <= EXACT["float32"]


@pytest.mark.parametrize("activation", ["tanh", "gelu", "softmax", "relu", None])
@pytest.mark.parametrize("how", ["linear", "parametric"])
@pytest.mark.parametrize("batch_norm", [False, True])
def test_new_layers_that_can_follow_any_activation(float64, activation, how, batch_norm):
    x = keras.Input((6, 6, 2))
    h = kl.Conv2D(4, 3, activation=activation, name="conv")(x)
    h = kl.Dense(5, activation=activation, name="hidden")(kl.Flatten()(h))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    x = example_inputs(teacher)
    student = net2deeper_net(
        teacher, ["conv", "hidden"], activation=how, batch_norm=batch_norm, x=x if batch_norm else None
    )
    assert relative_gap(teacher, student, x) <= EXACT["float64"]
    phis = [layer for layer in student.layers if isinstance(layer, ParametricActivation)]
    assert len(phis) == (2 if how == "parametric" and activation else 0)
    assert student.get_layer("hidden_deeper").activation is keras.activations.linear
    for phi in phis:
        assert phi.trainable_weights[-1] is phi.a
        phi.a.assign(0.0)  # annealed to the end: what is left is the activation itself
    full = keras.Sequential([keras.Input((5,)), student.get_layer("hidden_deeper")])
    if phis and not batch_norm:
        values = keras.ops.convert_to_tensor(example_inputs(full))
        there = phis[-1](full(values))
        np.testing.assert_allclose(there, keras.activations.get(activation)(values), rtol=1e-12)
    if phis and activation != "relu":
        assert relative_gap(teacher, student, x) > 1e-3


@pytest.mark.parametrize("how", ["linear", "parametric"])
def test_new_layers_pass_masks_on(float64, how):
    tokens = keras.Input((6,), dtype="int32")
    x = kl.Embedding(7, 4, mask_zero=True)(tokens)
    gate = kl.Dense(4, activation="sigmoid", name="gate")(x)  # Multiply leaves out what is masked in all its inputs
    teacher = randomize(keras.Model(tokens, kl.Dense(2)(kl.LSTM(3)(kl.Multiply()([x, gate])))))
    assert relative_gap(teacher, net2deeper_net(teacher, "gate", activation=how)) <= EXACT["float64"]


def test_a_parametric_student_is_learned_saved_and_grown_again(float64, tmp_path):
    source = keras.Input((4,))
    h = kl.PReLU(name="prelu")(kl.Dense(6, name="first")(source))
    teacher = randomize(keras.Model(source, kl.Dense(2)(kl.Dense(5, activation="tanh", name="second")(h))))
    student = net2deeper_net(teacher, ["first", "second"], activation="parametric")
    assert relative_gap(teacher, student) <= EXACT["float64"]
    student.compile("sgd", "mse")
    x = example_inputs(teacher, 64)
    student.fit(x, np.sin(x[:, :2]), epochs=3, verbose=0)
    phi = student.get_layer("second_deeper_activation")
    assert 0 < abs(float(phi.a.numpy()) - 1) < 1
    student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    assert relative_gap(student, loaded, x) == 0
    for grown in (
        net2wider_net(loaded, 1.5, split="random", seed=0),
        net2deeper_net(loaded, "second_deeper", activation="linear"),
    ):
        assert relative_gap(loaded, grown, x) <= EXACT["float64"]
    after = [layer.name for layer in net2deeper_net(loaded, "second_deeper", activation="linear").layers]
    assert after.index("second_deeper_deeper") == after.index("second_deeper_activation") + 1
    with pytest.raises(Net2NetError, match="activation 'second_deeper_activation' is not idempotent"):
        net2deeper_net(loaded, "second_deeper", activation="same")


def test_a_layer_behind_a_causal_convolution_is_causal(float64):
    x = keras.Input((6, 2))
    h = kl.Conv1D(4, 3, padding="causal", activation="relu", name="causal")(x)
    teacher = keras.Model(x, kl.Dense(2)(kl.Conv1D(3, 2, activation="relu", name="valid")(h)))
    student = net2deeper_net(teacher, ["causal", "valid"])
    assert student.get_layer("causal_deeper").padding == "causal"  # or training would let it look ahead
    assert student.get_layer("valid_deeper").padding == "same"


def test_normalizations_that_read_each_other_are_passed_once(float64):
    x = keras.Input((4,))
    one, two = kl.BatchNormalization(name="one"), kl.BatchNormalization(name="two")
    h = kl.Dense(5, name="before")(x)
    teacher = randomize(keras.Model(x, one(one(h))))
    with pytest.raises(Net2NetError, match="layer 'before' cannot be followed: layer 'one' behind it is shared"):
        net2deeper_net(teacher, "before")
    teacher = randomize(keras.Model(x, one(two(one(h)))))
    assert relative_gap(teacher, net2deeper_net(teacher, "before")) < EXACT["float64"]


def test_a_pair_of_rectangular_kernels(float64):
    source = keras.Input((7, 7, 2))
    h = kl.Activation("relu")(kl.BatchNormalization()(kl.Conv2D(4, 3, name="conv")(source)))
    teacher = randomize(keras.Model(source, kl.Dense(2)(kl.Flatten()(h))))
    x = example_inputs(teacher)
    vertical = net2deeper_net(teacher, "conv", kernel_size=(3, 1), batch_norm=True, x=x)
    pair = net2deeper_net(vertical, "conv_deeper", kernel_size=(1, 3), batch_norm=True, x=x)
    shapes = [layer.kernel.shape for layer in pair.layers if isinstance(layer, kl.Conv2D)]
    assert shapes == [(3, 3, 2, 4), (3, 1, 4, 4), (1, 3, 4, 4)]
    assert relative_gap(teacher, pair, x) <= EXACT["float64"]


def test_activation_layers_behind_a_layer():
    x = keras.Input((6, 6, 2))
    h = kl.ReLU(max_value=4.0, name="relu")(kl.BatchNormalization(name="norm")(kl.Conv2D(4, 3, name="conv")(x)))
    h = kl.Activation("tanh", name="tanh")(kl.Conv2D(4, 3, name="other")(h))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Flatten()(h))))
    student = net2deeper_net(teacher, "conv")
    names = [layer.name for layer in student.layers]
    assert names[2:6] == ["norm", "relu", "conv_deeper", "conv_deeper_activation"]
    assert student.get_layer("conv_deeper_activation").max_value == 4.0
    assert relative_gap(teacher, student) == 0
    with pytest.raises(Net2NetError, match="its activation 'tanh' is not idempotent"):
        net2deeper_net(teacher, "other", activation="same")


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_a_prelu_is_asked_for_its_weights_of_now(alpha):
    x = keras.Input((4,))
    prelu = kl.PReLU(shared_axes=[1], name="prelu")
    teacher = randomize(keras.Model(x, kl.Dense(2)(prelu(kl.Dense(5, name="hidden")(x)))))
    for now in (0.0, alpha):
        prelu.set_weights([np.array([now])])
        try:
            student = net2deeper_net(teacher, "hidden")
        except Net2NetError as error:
            assert "'prelu' is not idempotent" in str(error) or "prelu" in str(error)
        else:
            assert relative_gap(teacher, student) <= EXACT["float32"]


@pytest.mark.parametrize("activation", ["relu", None])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_batch_norm_undoes_what_it_does(float64, activation, scale):
    x = scale * np.random.default_rng(0).normal(1, 1, (64, 8, 8, 2))
    source = keras.Input((8, 8, 2))
    h = kl.Conv2D(4, 3, activation=activation, name="conv")(source)
    h = kl.Dense(5, activation=activation, name="affine")(kl.Flatten()(h))
    teacher = randomize(keras.Model(source, kl.Dense(2)(h)))
    student = net2deeper_net(teacher, batch_norm=True, x=x)
    names = [layer.name for layer in student.layers]
    assert {"conv_deeper", "conv_deeper_bn", "affine_deeper", "affine_deeper_bn"} <= set(names)
    assert ("conv_deeper_activation" in names) == (activation == "relu")
    assert relative_gap(teacher, student, x) <= EXACT["float64"]
    other = scale * np.random.default_rng(1).normal(1, 1, (64, 8, 8, 2))
    assert relative_gap(teacher, student, other) <= EXACT["float64"]
    # In training, on the same batch, its statistics are the batch's own.
    assert relative_gap(teacher, student, x, training=True) <= 1e-9
    norm = student.get_layer("affine_deeper_bn")
    values = keras.Model(source, teacher.get_layer("affine").output).predict(x, verbose=0)
    np.testing.assert_allclose(norm.moving_mean, values.mean(0), rtol=1e-9)
    np.testing.assert_allclose(norm.moving_variance, values.var(0), rtol=1e-9)


def step(v):
    return ops.cast(v > 0, v.dtype)


def test_batch_norm_before_what_makes_more_of_rounding_is_refused(float64):
    x, data = keras.Input((5,)), np.random.default_rng(0).normal(size=(64, 5))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(16, activation=step, name="h")(x))))
    assert relative_gap(teacher, net2deeper_net(teacher, "h"), data) == 0
    with pytest.raises(Net2NetError, match="batch_norm: a new normalization undoes itself up to rounding, and what"):
        net2deeper_net(teacher, "h", batch_norm=True, x=data)
    assert net2deeper_net(teacher, "h", init="randominit", batch_norm=True, x=data).built


def test_the_rounding_of_a_new_batch_norm_is_judged_by_the_types_of_the_layers():
    x = keras.Input((5,), dtype="float64")
    hidden = kl.Dense(16, activation=step, dtype="float64", name="h")
    end = kl.Dense(2, kernel_initializer=keras.initializers.Constant(1e-6), bias_initializer="ones", dtype="float64")
    teacher, data = keras.Model(x, end(hidden(x))), np.random.default_rng(0).normal(size=(64, 5))
    with pytest.raises(Net2NetError, match="batch_norm: a new normalization .*-06, beside a largest output of 1, as"):
        net2deeper_net(teacher, "h", batch_norm=True, x=data)


def test_batch_norm_in_models_with_several_inputs(float64):
    named = {"b": keras.Input((4,), name="b"), "a": keras.Input((5,), name="a")}
    tower = kl.Dense(4, activation="relu", name="tower")
    for inputs in (named, list(named.values())):
        left, right = named["b"], kl.Dense(4, name="first")(named["a"])
        teacher = randomize(keras.Model(inputs, kl.Dense(2)(tower(left) + tower(right))))
        x = example_inputs(teacher, 50)
        student = net2deeper_net(teacher, ["first"], batch_norm=True, x=x)
        assert relative_gap(teacher, student, x) <= EXACT["float64"]
        try:
            student = net2deeper_net(teacher, "tower", batch_norm=True, x=x)
        except Net2NetError as error:
            assert "tower" in str(error)
        else:
            assert relative_gap(teacher, student, x) <= EXACT["float64"]


def test_batch_norm_behind_a_layer_that_is_used_elsewhere_too(float64):
    layer = kl.Conv2D(4, 3, activation="relu", name="conv")
    layer(keras.Input((9, 9, 2)))
    source = keras.Input((6, 6, 2))
    teacher = randomize(keras.Model(source, kl.Dense(2)(kl.Flatten()(layer(source)))))
    x = example_inputs(teacher)
    for student in (net2deeper_net(teacher, "conv", batch_norm=True, x=x), net2wider_net(teacher, 2)):
        assert relative_gap(teacher, student, x) <= EXACT["float64"]


def test_a_unit_that_never_changes_has_no_variance(float64):
    teacher = small()
    kernel, bias = teacher.get_layer("hidden").get_weights()
    kernel[:, 0] = 0
    teacher.get_layer("hidden").set_weights([kernel, bias])
    x = example_inputs(teacher)
    student = net2deeper_net(teacher, "hidden", batch_norm=True, x=x)
    assert relative_gap(teacher, student, x) <= EXACT["float64"]


def test_a_layer_with_lora_is_followed_by_a_plain_one(float64):
    teacher = small()
    teacher.get_layer("hidden").enable_lora(2)
    randomize(teacher)
    assert relative_gap(teacher, net2deeper_net(teacher, "hidden")) <= EXACT["float64"]


def test_a_shared_layer_is_followed_by_a_shared_one(float64):
    left, right = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
    tower = kl.Conv2D(4, 3, activation="relu", name="tower")
    teacher = randomize(keras.Model([left, right], kl.Dense(2)(kl.Flatten()(tower(left) - tower(right)))))
    student = net2deeper_net(teacher)
    assert len(student.get_layer("tower_deeper")._inbound_nodes) == 2
    assert relative_gap(teacher, student) == 0


def test_deeper_inside_nested_models_and_branches(float64):
    inside = keras.Input((6,))
    part = keras.Model(inside, kl.Dense(6)(kl.Dense(5, activation="relu", name="inner")(inside)), name="part")
    row = keras.Sequential([kl.Dense(4, activation="relu", name="inner_row"), kl.Dense(6)], name="row")
    x = keras.Input((6,))
    h = x + part(x)
    h = kl.Concatenate()([row(h), kl.Dense(3, activation="relu", name="branch")(h)])
    teacher = randomize(keras.Model(x, kl.Dense(2)(part(kl.Dense(6, name="last")(h)))))
    for after in ("inner", "inner_row", "branch", ["inner", "inner_row", "branch", "last"]):
        student = net2deeper_net(teacher, after)
        assert relative_gap(teacher, student) == 0
    assert "inner_deeper" in [layer.name for layer in student.get_layer("part").layers]
    student = net2deeper_net(teacher)  # x + part(x) is a block
    assert relative_gap(teacher, student) == 0
    assert [layer.name for layer in student.get_layer("part_deeper").layers][1:] == [
        layer.name for layer in teacher.get_layer("part").layers
    ][1:]


def test_layers_of_one_name_get_new_ones_of_different_names(float64):
    def part(name):
        inside = keras.Input((5,))
        return keras.Model(inside, kl.Dense(5, name="same")(inside), name=name)

    x = keras.Input((5,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(4)(part("second")(part("first")(x))))))
    student = net2deeper_net(teacher)
    names = [student.get_layer(name).layers[-1].name for name in ("first", "second")]
    assert names == ["same_deeper", "same_deeper_2"]
    assert relative_gap(teacher, student) == 0


def squared_relu(v):
    return keras.ops.square(keras.ops.relu(v))


def test_a_blend_must_be_finite_in_the_type_that_it_is_computed_in():
    for policy, fits in (("float32", True), ("mixed_float16", False)):
        x = keras.Input((3,))
        h = kl.Dense(4, activation=squared_relu, dtype=policy, name="h")(x)
        teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
        data = 30 * example_inputs(teacher)
        if fits:
            student = net2deeper_net(teacher, "h", activation="parametric")
            assert relative_gap(teacher, student, data) <= EXACT["float32"]
            continue
        with pytest.raises(Net2NetError, match="its activation 'squared_relu', applied twice, is soon larger than any"):
            net2deeper_net(teacher, "h", activation="parametric")


def test_states_of_a_stateful_teacher_stay():
    x = keras.Input(batch_shape=(4, 6, 3))
    lstm = kl.LSTM(4, stateful=True)
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(5, activation="relu", name="h")(lstm(x)))))
    data = example_inputs(teacher)
    teacher(data)
    before = [state.numpy() for state in lstm.states]
    assert np.abs(before).max() > 0.01
    student = net2deeper_net(teacher, "h", batch_norm=True, x=data)
    function_gap(teacher, student, data)
    for state, values in zip(lstm.states, before, strict=True):
        np.testing.assert_array_equal(state.numpy(), values)


def test_new_convolutions_have_their_channels_where_the_old_layer_has_them(float64):
    keras.config.set_image_data_format("channels_first")
    try:
        for kind in (kl.DepthwiseConv2D, kl.SeparableConv2D, kl.Conv2DTranspose, kl.Conv2D):
            sizes = (2,) if kind is kl.DepthwiseConv2D else (3, 2)
            x = keras.Input((3, 3, 3))
            h = kind(*sizes, padding="same", data_format="channels_last", activation="relu", name="h")(x)
            teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Flatten(data_format="channels_last")(h))))
            assert relative_gap(teacher, net2deeper_net(teacher, "h")) <= EXACT["float64"]
    finally:
        keras.config.set_image_data_format("channels_last")


def test_activations_shared_with_other_layers_are_not_followed():
    x = keras.Input((4,))
    relu = kl.ReLU(name="relu")
    h = relu(kl.Dense(5, name="first")(x)) + relu(kl.Dense(5, name="second")(x))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    with pytest.raises(
        Net2NetError, match="layer 'relu' behind it is shared with other layers; give it one of its own"
    ):
        net2deeper_net(teacher, "first")


def of_a_class():
    x = keras.Input((4,))
    return Thrice(x, kl.Dense(2)(kl.Dense(5, "relu", name="hidden")(x)))


def holding_one_of_a_class():
    inside, x = keras.Input((5,)), keras.Input((4,))
    part = Thrice(inside, kl.Dense(5)(inside), name="part")
    return keras.Model(x, kl.Dense(2)(part(kl.Dense(5, name="hidden")(x))))


@pytest.mark.parametrize("make", [of_a_class, holding_one_of_a_class])
def test_a_plain_graph_of_a_class_of_its_own_keeps_its_class(float64, make):
    teacher = randomize(make())
    student = net2deeper_net(teacher, "hidden")
    assert [type(layer) for layer in (student, *student.layers) if isinstance(layer, keras.Model)] == [
        type(layer) for layer in (teacher, *teacher.layers) if isinstance(layer, keras.Model)
    ]
    assert relative_gap(teacher, student) == 0


class Sine(kl.Layer):
    """Of the user's own, with a weight, and channels that it mixes."""

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], shape[-1]))

    def call(self, x):
        return ops.sin(x @ self.kernel)


@pytest.mark.filterwarnings("ignore:.*lambda.*")
@pytest.mark.parametrize("between", [Sine(), kl.Lambda(lambda v: ops.flip(v, -1)), lambda v: ops.cumsum(v, -1)])
def test_what_stands_behind_a_layer_may_be_anything(float64, between):
    x = keras.Input((5,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(between(kl.Dense(4, "relu", name="h")(x)))))
    assert relative_gap(teacher, net2deeper_net(teacher, "h")) == 0


@pytest.mark.parametrize(
    ("layer", "data"),
    [
        (kl.IntegerLookup(), np.array([[3], [5], [7], [5]])),
        (kl.IntegerLookup(output_mode="multi_hot"), np.array([[3], [5], [7], [5]])),
        (kl.TextVectorization(output_sequence_length=3), np.array([["a b"], ["b c c"], ["d"], ["a d"]])),
        (kl.Discretization(num_bins=4), np.array([[0.1], [0.5], [3.0], [7.0]])),
    ],
)
def test_tables_are_carried_over(float64, layer, data):
    layer.adapt(data)
    x = keras.Input((1,), dtype="string" if data.dtype.kind == "U" else data.dtype)
    h = layer(x)
    h = kl.Flatten()(h if "float" in h.dtype else kl.Embedding(9, 4)(h))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(6, "relu")(h))))
    student = net2deeper_net(teacher)
    assert relative_gap(teacher, student, ops.convert_to_tensor(data)) == 0


class Backbone(keras.Model):
    """Makes its layers from settings of its own, as KerasHub's do."""

    def __init__(self, width, **how):
        x = keras.Input((5,))
        super().__init__(x, kl.Dense(3)(kl.Dense(width, "relu", name="h")(x)), **how)
        self.width = width

    def get_config(self):
        return {"width": self.width, "name": self.name}


def test_a_model_with_settings_of_its_own_is_refused_unless_it_is_inside(float64):
    teacher = randomize(Backbone(4, name="backbone"))
    with pytest.raises(
        Net2NetError, match=r"no residual block .* Its class Backbone makes its layers from settings .* in keras.Model"
    ):
        net2deeper_net(teacher)
    plain = keras.Model(teacher.inputs, teacher.outputs)
    assert relative_gap(teacher, net2deeper_net(plain, "h")) == 0
    around = randomize(keras.Sequential([keras.Input((5,)), teacher, kl.Dense(4, "relu", name="top"), kl.Dense(2)]))
    student = net2deeper_net(around)
    assert type(student.get_layer("backbone")) is Backbone
    assert relative_gap(around, student) == 0


class Scaled(keras.Model):
    factor = 1.0

    def call(self, x, training=None):
        return self.factor * super().call(x)


def test_what_only_an_attribute_tells_is_refused():
    x = keras.Input((5,))
    teacher = randomize(Scaled(x, kl.Dense(2)(kl.Dense(4, "relu", name="h")(x)), name="scaled"))
    assert relative_gap(teacher, net2deeper_net(teacher, "h")) == 0
    teacher.factor = 3.0
    with pytest.raises(
        Net2NetError, match="model 'scaled': the student would give other outputs.* not told by the sett"
    ):
        net2deeper_net(teacher, "h")


def test_a_model_that_draws_is_deepened():
    x = keras.Input((5,))
    h = kl.Dropout(0.5)(kl.Dense(4, "relu", name="h")(x), training=True)
    assert net2deeper_net(keras.Model(x, kl.Dense(2)(h))).get_layer("h_deeper")


def test_weights_in_a_sequential_model_have_the_paths_of_the_teachers():
    inside = keras.Sequential([keras.Input((5,)), kl.Dense(5, "relu", name="h"), kl.Dense(4, name="end")], name="row")
    for teacher in (inside, keras.Sequential([keras.Input((5,)), inside, kl.Dense(2)], name="outer")):
        student = net2deeper_net(teacher, "h")
        assert {v.path for v in student.weights} == {v.path for v in teacher.weights} | {
            "row/h_deeper/kernel",
            "row/h_deeper/bias",
        }


class Sum(kl.Layer):
    def call(self, xs, training=None, mask=None):
        return xs[0] + xs[1]


def test_a_sequential_that_is_called_on_several_tensors_is_copied(float64):
    left, right = keras.Input((4,)), keras.Input((4,))
    row = keras.Sequential([Sum(), kl.Dense(4, "relu", name="inside")], name="row")
    teacher = randomize(keras.Model([left, right], kl.Dense(2)(kl.Dense(5, name="h")(row([left, right])))))
    assert relative_gap(teacher, net2deeper_net(teacher)) == 0


def test_a_nested_model_may_be_given_more_than_it_takes(float64):
    left, right, x = keras.Input((4,), name="left"), keras.Input((4,), name="right"), keras.Input((5,))
    inside = {"left": left, "right": right}
    part = keras.Model(inside, kl.Concatenate()([kl.Dense(3, activation="relu")(left), kl.Dense(2)(right)]))
    given = {name: kl.Dense(4, name=f"to_{name}")(x) for name in ("more", "right", "left")}
    teacher = randomize(keras.Model(x, kl.Dense(2)(part(given))))
    assert relative_gap(teacher, net2deeper_net(teacher)) == 0


# Errors: each is read


ERRORS = {
    "unbuilt_deeper": (lambda: net2deeper_net(unbuilt()), "model 'unbuilt' is not built"),
    "subclassed_deeper": (lambda: net2deeper_net(Subclassed()), "model 'subclassed' is not built"),
    "after_unknown": (
        lambda: net2deeper_net(small(), "hiddenn"),
        "after: the model has no layer 'hiddenn'; near names: 'hidden'",
    ),
    "after_output": (
        lambda: net2deeper_net(small(), "end"),
        "after: layer 'end' cannot be followed: it makes the model's output; name a hidden layer$",
    ),
    "after_empty": (
        lambda: net2deeper_net(small(), []),
        "after: expected a layer's name, a list of names, or None, got an empty list$",
    ),
    "after_number": (lambda: net2deeper_net(small(), 3), "after: .*3"),
    "after_none_fits": (
        lambda: net2deeper_net(
            keras.Sequential([keras.Input((2,)), kl.Dense(3, activation="tanh"), kl.Dense(2)]), activation="same"
        ),
        "after: no layer of '.*' can be followed by an identity: it takes a hidden Dense or convolution with an "
        "idempotent activation$",
    ),
    "deeper_init": (
        lambda: net2deeper_net(small(), init="zeros"),
        "init: expected 'net2deeper' or 'fresh' or 'stacking' or 'randominit', got 'zeros'",
    ),
    "kernel_size": (
        lambda: net2deeper_net(small(), "conv", kernel_size=(3, 3, 3)),
        r"kernel_size: expected one integer or 2 behind layer 'conv', got \(3, 3, 3\)",
    ),
    "kernel_zero": (lambda: net2deeper_net(small(), "conv", kernel_size=0), "kernel_size: expected at least 1, got 0"),
    "kernel_size_of_dense": (
        lambda: net2deeper_net(small(), "hidden", kernel_size=3),
        "kernel_size: expected none, since no new layer is a convolution, got 3$",
    ),
    "x_for_nothing": (
        lambda: net2deeper_net(small(), x=digits(16)[0]),
        "x: expected none without batch_norm=True, which alone measures statistics$",
    ),
    "no_x": (
        lambda: net2deeper_net(small(), batch_norm=True),
        "x: batch_norm=True needs inputs of the teacher, to measure the statistics that the new layers will meet$",
    ),
    "nested_batch_norm": (
        lambda: net2deeper_net(keras.Sequential([small(), kl.Dense(2)]), "hidden", batch_norm=True, x=digits(16)[0]),
        "batch_norm: layer 'hidden' is inside a nested model, where .*; leave batch_norm out, or flatten the model$",
    ),
    "seed_text": (lambda: net2deeper_net(small(), seed="a"), "seed: expected an integer, got 'a'"),
    "after_nested": (lambda: net2deeper_net(small(), [["hidden"]]), "after: expected a layer's name, a list of names"),
    "batch_norm_shape": (
        lambda: net2deeper_net(small(), batch_norm=True, x=np.ones((3, 4))),
        r"x: expected inputs of the teacher, arrays of shape \(None, 8, 8, 1\) with at least one example",
    ),
    "batch_norm_empty": (
        lambda: net2deeper_net(small(), batch_norm=True, x=np.ones((0, 8, 8, 1))),
        "x: expected inputs of the teacher, .* with at least one example",
    ),
    "batch_norm_text": (lambda: net2deeper_net(small(), batch_norm=True, x="x"), "x: expected inputs of the teacher"),
    "batch_norm_nan": (
        # Without an activation: on some processors TensorFlow's relu makes 0 of NaN.
        lambda: net2deeper_net(
            keras.Sequential([keras.Input((3,)), kl.Dense(4, name="linear"), kl.Dense(2)]),
            batch_norm=True,
            x=np.full((5, 3), np.nan),
        ),
        "x: what layer 'linear' gives for it is not finite",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_was_expected_and_what_came(name):
    call, message = ERRORS[name]
    with pytest.raises(Net2NetError, match=message):
        call()


@pytest.mark.parametrize("kind", ["abroad", "draws"])
def test_a_teacher_that_cannot_be_asked_is_told(kind):
    class Abroad(kl.Layer):
        def call(self, x):
            if not isinstance(x, keras.KerasTensor) and hasattr(x, "numpy"):
                raise NotImplementedError("not on this machine")
            return x

    class Draws(kl.Layer):
        def call(self, x):
            return x + keras.random.normal(keras.ops.shape(x))

    layer, why = {"abroad": (Abroad(), "not on this machine"), "draws": (Draws(), "the teacher draws")}[kind]
    teacher = keras.Sequential([keras.Input((3,)), kl.Dense(4, activation="relu", name="a"), layer, kl.Dense(2)])
    report = growth(net2deeper_net(teacher, "a"))
    assert why in report.unasked
    assert f"The student was not asked on numbers: {report.unasked}" in str(report)
    assert why in report._repr_html_()
    assert growth(net2deeper_net(keras.Sequential([keras.Input((3,)), kl.Dense(4), kl.Dense(2)]))).unasked is None


def test_what_is_not_finite_is_compared_by_its_places(float64):
    source = keras.Input((4,))
    large = kl.Dense(4, activation="exponential", use_bias=False, name="large")
    end = kl.Dense(4, use_bias=False, name="end")
    y = kl.Add(name="sum")([source, end(large(source))])
    teacher = keras.Model(source, [kl.Dense(2)(source), kl.Dense(2)(y)])
    large.set_weights([np.eye(4)])
    end.set_weights([np.eye(4)])
    assert growth(net2deeper_net(teacher)).unasked is None
    end.set_weights([1000 * np.eye(4)])  # the copy takes the exponential of that
    with pytest.raises(Net2NetError, match=r"a difference of inf.*what is not finite"):
        net2deeper_net(teacher)


def test_a_logarithm_of_zero_is_no_reason_to_let_nan_pass(float64):
    source = keras.Input((4,))
    y = kl.Dense(4, name="log", activation=lambda v: ops.log(ops.relu(v)))(source)
    teacher = keras.Model(source, ops.sum(y, axis=-1))
    teacher.get_layer("log").set_weights([np.eye(4), np.array([-9, 9, 9, 9])])  # the first is always below 0
    assert np.isneginf(teacher(np.zeros((1, 4)))).all()
    with pytest.raises(Net2NetError, match="a difference of inf"):
        net2deeper_net(teacher, "log", activation="linear")


def test_masks_of_infinity_are_compared(float64):
    source = keras.Input((4,))
    y = kl.Dense(3)(kl.Dense(4, activation="relu", name="hidden")(source))
    teacher = keras.Model(source, ops.where(y > 0, y, -np.inf))
    assert growth(net2deeper_net(teacher)).unasked is None
    nothing = keras.Model(source, y * np.nan)
    assert "no finite numbers" in growth(net2deeper_net(nothing)).unasked


def test_outputs_that_are_texts_are_told():
    source = keras.Input((4,))
    y = kl.Dense(3)(kl.Dense(4, activation="relu", name="hidden")(source))
    word = kl.StringLookup(vocabulary=["a", "b"], invert=True)(ops.argmax(y, axis=-1))
    teacher = keras.Model(source, [y, word])
    student = net2deeper_net(teacher)
    assert "gives texts" in growth(student).unasked
    with pytest.raises(Net2NetError, match="gives texts"):
        function_gap(teacher, student)


def test_imaginary_parts_are_compared():
    source = keras.Input((4,))
    teacher, other = (
        keras.Model(source, kl.Lambda(lambda v, sign=sign: ops.view_as_complex(ops.stack([v, sign * v], -1)))(source))
        for sign in (1, -1)
    )
    assert function_gap(teacher, teacher) == 0
    assert function_gap(teacher, other, np.ones((2, 4))) == 2

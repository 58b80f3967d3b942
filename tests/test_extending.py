"""Interfaces that grow: what was there stays what it was, what is new begins as asked, and all else goes on."""

import keras
import keras_hub
import numpy as np
import pytest
from keras import layers as kl

from helpers import Net2NetError, extend, growth, net2wider_net

RNG = np.random.default_rng(0)
PICTURES = RNG.normal(size=(6, 6, 6, 3))
WORDS = RNG.integers(12, size=(6, 5)).astype("int32")


@pytest.fixture(autouse=True)
def _double():
    keras.config.set_dtype_policy("float64")
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


def disturbed(model):
    """A model none of whose weights is zero, as they are after training."""
    for weight in model.trainable_weights:
        weight.assign(weight + RNG.normal(0, 0.1, weight.shape))
    return model


def widened(x, channels):
    """Inputs with further channels of any values."""
    return np.concatenate([x, RNG.normal(size=(*x.shape[:-1], channels))], axis=-1)


def check(old, new, x, larger=None):
    """The old outputs, on the old inputs, are the old ones."""
    larger = x if larger is None else larger
    for before, after in zip(*(keras.tree.flatten(m(v)) for m, v in ((old, x), (new, larger))), strict=True):
        kept = after.numpy()[..., : before.shape[-1]]
        assert np.abs(kept - before.numpy()).max() <= 1e-12 * np.abs(before).max()


def convolutions(last=None):
    image = keras.Input((6, 6, 3), name="image")
    x = kl.BatchNormalization(name="norm")(image)
    x = kl.SeparableConv2D(4, 3, activation="gelu", name="first")(x)
    x = kl.GlobalAveragePooling2D()(kl.Conv2D(5, 3, activation="relu", name="second")(x))
    return disturbed(keras.Model(image, kl.Dense(3, activation=last, name="classes")(x)))


def test_pictures_get_channels_and_outputs_classes():
    old = convolutions()
    new = extend(old, {"image": 5, "classes": 4})
    assert (new.input_shape, new.output_shape) == ((None, 6, 6, 5), (None, 4))
    check(old, new, PICTURES, widened(PICTURES, 2))
    grown = {name: (each.old, each.new) for each in growth(new) for name in each.names}
    assert grown["image"] == (3, 5)
    assert grown["classes"] == (3, 4)
    assert growth(new).new["classes"].tolist() == [False, False, False, True]


def test_new_channels_can_be_learned():
    """No chain of zeros keeps the gradient from them: the depthwise kernel in front is drawn."""
    old = convolutions()
    old.compile("sgd", "mse")
    new = extend(old, {"image": 4}, seed=0)
    before = new.get_layer("first").pointwise_kernel.numpy()
    new.fit(widened(PICTURES, 1), RNG.normal(size=(6, 3)), epochs=1, verbose=0)
    assert np.abs(new.get_layer("first").pointwise_kernel.numpy() - before)[..., 3, :].min() > 0


def test_draws_keep_the_function_where_new_channels_are_zero():
    old = convolutions()
    new = extend(old, {"image": 4}, init="random", seed=1)
    empty = np.concatenate([PICTURES, np.zeros((6, 6, 6, 1))], axis=-1)
    check(old, new, PICTURES, empty)
    assert np.abs(new(widened(PICTURES, 1)) - old(PICTURES)).max() > 1e-6


@pytest.mark.parametrize("last", ["softmax", "log_softmax", "sigmoid"])
def test_new_classes_begin_low(last):
    old = convolutions(last)
    new = extend(old, {"classes": 6}, x=PICTURES)
    before, after = old(PICTURES).numpy(), new(PICTURES).numpy()
    assert 0 <= np.abs(after[:, :3] - before).max() < 1e-6
    fresh = np.exp(after[:, 3:]) if last == "log_softmax" else after[:, 3:]
    assert 1e-9 < fresh.sum(1).max() < 1e-6


@pytest.mark.parametrize("loss", [keras.losses.CategoricalCrossentropy(from_logits=True), "mse"])
def test_the_loss_says_whether_outputs_are_logits(loss):
    old = convolutions()
    old.compile("sgd", loss)
    new = extend(old, {"classes": 5}, x=PICTURES)
    check(old, new, PICTURES)
    low = np.exp(new(PICTURES).numpy())
    assert (low[:, 3:].sum(1) < 1e-6 * low.sum(1)).all() == (loss != "mse")
    assert (new.get_layer("classes").bias.numpy()[3:] == 0).all() == (loss == "mse")


@pytest.mark.parametrize("kind", [list, dict])
def test_each_output_has_its_own_loss(kind):
    """Logits of one output say nothing of another, which may be no probabilities."""
    given = keras.Input((4,))
    ends = [kl.Dense(3, name=name)(given) for name in ("words", "numbers")]
    losses = [keras.losses.CategoricalCrossentropy(from_logits=True), "mse"]
    names = ("b", "a")  # Keras goes by the alphabet
    for outputs, keys in [(ends, ("words", "numbers")), (dict(zip(names, ends, strict=True)), names)]:
        old = keras.Model(given, outputs)
        old.compile("sgd", losses if kind is list else dict(zip(keys, losses, strict=True)))
        if kind is list and outputs is not ends:
            continue
        new = extend(old, {"words": 4, "numbers": 4})
        assert new.get_layer("words").bias.numpy()[3] < -10
        assert new.get_layer("numbers").bias.numpy()[3] == 0


def test_labels_of_their_own_begin_low_by_themselves():
    old = convolutions()
    old.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
    bias = extend(old, {"classes": 5}, x=PICTURES).get_layer("classes").bias.numpy()[3:]
    np.testing.assert_allclose(bias, np.log(1e-7 / 2))


def test_a_softmax_over_positions_is_left_alone():
    source = keras.Input((5, 3))
    old = disturbed(keras.Model(source, kl.Softmax(axis=1)(kl.Dense(2, name="end")(source))))
    x = RNG.normal(size=(4, 5, 3))
    new = extend(old, {"end": 3}, logits=0.0)
    check(old, new, x)
    np.testing.assert_allclose(new(x).numpy().sum(1), 1)


def test_the_caller_chooses_logits():
    old = convolutions("softmax")
    new = extend(old, {"classes": 4}, logits=-1.5)
    assert new.get_layer("classes").bias.numpy()[3] == -1.5
    after = new(PICTURES).numpy()
    assert after[:, 3].min() > 0.001
    np.testing.assert_allclose(after[:, :3] / after[:, :3].sum(1, keepdims=True), old(PICTURES), rtol=1e-12)


def words(tied=False):
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    embedding = keras_hub.layers.ReversibleEmbedding(12, 4, tie_weights=tied, name="words")
    x = kl.Dense(4, activation="tanh", name="hidden")(kl.LSTM(4, return_sequences=True, name="lstm")(embedding(tokens)))
    return disturbed(keras.Model(tokens, embedding(x, reverse=True) if tied else kl.Dense(2, name="end")(x)))


@pytest.mark.parametrize("tied", [False, True])
def test_more_words(tied):
    old = words(tied)
    new = extend(old, {"words": 20})
    check(old, new, WORDS)
    assert new(WORDS + 8).shape[-1] == (20 if tied else 2)
    assert new.get_layer("words").embeddings.shape == (20, 4)


def test_a_class_with_settings_of_its_own():
    old = disturbed(
        keras_hub.models.GPT2CausalLM(
            keras_hub.models.GPT2Backbone(
                vocabulary_size=12, num_layers=1, num_heads=2, hidden_dim=4, intermediate_dim=6, max_sequence_length=5
            ),
            preprocessor=None,
        )
    )
    new = extend(old, {"vocabulary_size": 15})
    assert type(new) is type(old)
    x = {"token_ids": WORDS, "padding_mask": np.ones(WORDS.shape, bool)}
    assert np.abs(new(x).numpy()[..., :12] - old(x).numpy()).max() < 1e-5  # its logits are float32
    assert new(x).shape[-1] == 15


def test_several_inputs_and_outputs_nested_and_again():
    inside = keras.Sequential([keras.Input((6, 6, 3)), kl.Conv2D(4, 3, activation="relu"), kl.Flatten()], name="inside")
    image, numbers = keras.Input((6, 6, 3), name="image"), keras.Input((2,), name="numbers")
    x = kl.Concatenate()([numbers, inside(image)])
    old = disturbed(keras.Model([image, numbers], [kl.Dense(3, name="a")(x), kl.Dense(2, name="b")(x)]))
    given = [PICTURES, RNG.normal(size=(6, 2))]
    new = extend(old, {"image": 4, "numbers": 5, "b": 3})
    check(old, new, given, [widened(PICTURES, 1), widened(given[1], 3)])
    larger = [widened(PICTURES, 1), widened(given[1], 3)]
    check(new, extend(new, {"a": 7}), larger)
    check(new, net2wider_net(new, 2, seed=0), larger)


def test_training_goes_on():
    """A new class begins without moments; all else keeps them, and the count of updates."""
    old = convolutions("softmax")
    old.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    targets = RNG.integers(3, size=6)
    old.fit(PICTURES, targets, epochs=3, verbose=0)
    new = extend(old, {"classes": 5}, x=PICTURES)
    assert growth(new).optimizer == "goes on"
    assert int(new.optimizer.iterations) == int(old.optimizer.iterations) == 3
    ours, theirs = (
        next(v for v in m.optimizer.variables if v.path.endswith("classes_kernel_momentum")).numpy() for m in (old, new)
    )
    np.testing.assert_array_equal(theirs, np.pad(ours, [(0, 0), (0, 2)]))
    before = new.evaluate(PICTURES, targets, verbose=0)
    np.testing.assert_allclose(before, old.evaluate(PICTURES, targets, verbose=0), atol=1e-5)
    new.fit(PICTURES, RNG.integers(5, size=6), epochs=1, verbose=0)


def test_what_cannot_be_extended_is_refused_by_name():
    tokens, old = words(), convolutions("softmax")
    for model, widths, how, message in [
        (old, {"second": 9}, {}, "'second' cannot be extended: it is hidden; net2wider_net widens it. What can: "),
        (old, {"klasses": 9}, {}, "no layer 'klasses'; near names: 'classes'"),
        (old, {"classes": 2}, {}, "expected more than that, got 2"),
        (old, {}, {}, "got an empty dict"),
        (old, 2, {}, "expected {name: new number}, got 2"),
        (old, {"classes": 4}, {"init": "small"}, "init"),
        (tokens, {"tokens": 9}, {}, "'tokens' cannot be extended: it is the model's input"),
        (
            keras.Sequential([keras.Input((3,)), kl.Dense(2, "softmax", use_bias=False, name="end")]),
            {"end": 3},
            {},
            "no bias holds the new classes down; give logits=0.0",
        ),
        (
            keras.Sequential([keras.Input((3,), name="given"), kl.LayerNormalization(name="norm"), kl.Dense(2)]),
            {"given": 4},
            {},
            "would change the old outputs: a new channel would count in it .*norm",
        ),
        (
            keras.Sequential([keras.Input((3,)), kl.Dense(4, name="end"), kl.UnitNormalization()]),
            {"end": 5},
            {},
            "end",
        ),
    ]:
        with pytest.raises(Net2NetError, match=message):
            extend(model, widths, **how)


def test_logits_need_a_bias():
    model = keras.Sequential([keras.Input((3,)), kl.Dense(2, "softmax", use_bias=False, name="end")])
    assert extend(model, {"end": 3}, logits=0.0).output_shape == (None, 3)
    with pytest.raises(Net2NetError, match="has no bias, so that they begin at 0"):
        extend(model, {"end": 3}, logits=-4.0)


def test_the_model_is_only_read(tmp_path):
    old = convolutions("softmax")
    before = [weight.numpy() for weight in old.weights]
    new = extend(old, {"image": 4, "classes": 5})
    new.save(tmp_path / "new.keras")
    again = keras.models.load_model(tmp_path / "new.keras")
    np.testing.assert_array_equal(again(widened(PICTURES, 1)).shape, (6, 5))
    for now, was in zip(old.weights, before, strict=True):
        np.testing.assert_array_equal(now.numpy(), was)


def test_what_is_compiled_for_some_of_the_outputs_goes_on():
    """A dict of losses that leaves outputs out trains a model whose outputs are a dict."""
    source = keras.Input((4,), name="source")
    hidden = keras.layers.Dense(6, "relu", name="hidden")(source)
    ends = {name: keras.layers.Dense(3, name=f"{name}_end")(hidden) for name in ("classes", "scores")}
    model = keras.Model(source, ends)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", {"classes": loss}, loss_weights={"classes": 0.5})
    x, y = np.ones((8, 4), "float32"), {"classes": np.zeros(8, "int32")}
    model.fit(x, y, verbose=0)
    student = extend(model, {"classes_end": 5})
    assert {name: end.shape for name, end in student.output.items()} == {"classes": (None, 5), "scores": (None, 3)}
    assert student.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=1e-5)
    student.fit(x, y, verbose=0)

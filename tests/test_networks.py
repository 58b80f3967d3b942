"""The networks of the studies have the shape that their words say."""

import keras
import numpy as np
import pytest

from helpers import net2wider_net
from helpers.networks import (
    inception_widths,
    small_cnn,
    small_gpt,
    small_inception,
    small_mlp,
    small_residual,
    small_transformer,
)


def test_small_cnn_takes_images_to_ten_probabilities():
    model = small_cnn((3, 5, 7), deeper=("conv2",))
    assert [layer.name for layer in model.layers][:5] == ["conv1", "pool1", "conv2", "conv2_deeper", "pool2"]
    guesses = model.predict(np.zeros((2, 28, 28, 1)), verbose=0)
    assert guesses.shape == (2, 10)
    assert guesses.sum(axis=1) == pytest.approx([1, 1])


def test_a_small_inception_network_has_the_modules_of_its_widths():
    model = small_inception(0.3**0.5)
    for name, width in inception_widths(0.3**0.5).items():
        assert model.get_layer(name).filters == width
    assert model.get_layer("module1").output.shape[-1] == 4 + 7 + 3 + 3
    assert {layer.kernel_size for layer in model.layers if hasattr(layer, "kernel_size")} == {(1, 1), (3, 3)}
    guesses = model.predict(np.zeros((2, 28, 28, 1)), verbose=0)
    assert guesses.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


def test_a_small_residual_network_adds_what_each_block_was_given():
    model = small_residual(3)
    assert [model.get_layer(name).output.shape[1:] for name in ("stem", "block1", "block2")] == [
        *((14, 14, 3), (14, 14, 3), (7, 7, 6))
    ]
    given = {name: [x._keras_history[0].name for x in model.get_layer(name).input] for name in ("block1", "block2")}
    assert given == {"block1": ["stem_relu", "block1_2_norm"], "block2": ["block2_shortcut_norm", "block2_2_norm"]}
    guesses = model.predict(np.zeros((2, 28, 28, 1)), verbose=0)
    assert guesses.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)


@pytest.mark.parametrize("make", [small_transformer, small_gpt])
def test_a_small_transformer_looks_back_and_never_ahead(make):
    model = make()
    codes = np.random.default_rng(0).integers(96, size=(1, 64)).astype("int32")
    other = codes.copy()
    other[0, 40] = (codes[0, 40] + 1) % 96
    one, two = (model.predict(given, verbose=0)[0] for given in (codes, other))
    assert one.shape == (64, 96)
    np.testing.assert_allclose(one[:40], two[:40], atol=1e-7)
    assert (abs(one[40:] - two[40:]).max(axis=1) > 1e-6).all()


def test_a_small_gpt_grows_in_heads_and_inner_layers_and_keeps_its_logits():
    keras.utils.set_random_seed(0)
    teacher, codes = small_gpt(12, 1), np.random.default_rng(0).integers(96, size=(2, 64)).astype("int32")
    for split in ("equal", "noise"):
        student = net2wider_net(teacher, 2, split=split, seed=0)
        assert [w.shape for w in student.weights] == [w.shape for w in small_gpt(24, 1).weights]
        assert student.get_layer("block1_attention").num_heads == 2
        np.testing.assert_allclose(student(codes), teacher(codes), atol=1e-5)


def test_a_network_for_a_table_gives_a_number_or_probabilities():
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(50, 10))
    number = small_mlp(10, 4, 1)
    assert set(number.evaluate(x, np.zeros((50, 1)), verbose=0, return_dict=True)) == {"loss"}
    assert (number.predict(x, verbose=0) < 0).any() or (number.predict(x, verbose=0) > 1).any()
    assert small_mlp(10, 4, 3).predict(x, verbose=0).sum(axis=1) == pytest.approx([1] * 50, abs=1e-5)

"""The networks of the studies have the shape that their words say."""

import numpy as np
import pytest

from helpers.networks import inception_widths, small_cnn, small_inception


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

"""Models of a class with settings of its own, as KerasHub has: what a student keeps, and which settings are listed."""

import keras
import keras_hub
import numpy as np
import pytest
from keras import layers as kl
from models_for_tests import EXACT, dtype

from helpers import Net2NetError, channel_groups, function_gap, net2wider_net

hub = keras_hub.models


def gpt(**settings):
    """A causal language model whose every number is another."""
    given = {"vocabulary_size": 21, "num_layers": 1, "num_heads": 4, "hidden_dim": 48, "intermediate_dim": 20}
    body = hub.GPT2Backbone(**given | {"max_sequence_length": 65, "dropout": 0.0} | settings)
    return hub.GPT2CausalLM(body, preprocessor=None)


def test_masks_that_tensorflow_writes_in_two_ways_are_one():
    """Below 1,000 entries, a mask of ones is a constant in the graph, above it is filled."""
    with dtype("float64"):
        teacher = gpt()
        assert function_gap(teacher, net2wider_net(teacher, 2, seed=0)) < EXACT["float64"]


def test_a_sampler_is_carried_over():
    teacher = gpt()
    teacher.compile("adam", "mse", sampler=keras_hub.samplers.TopKSampler(3, seed=1))
    student = net2wider_net(teacher, 2, seed=0)
    assert type(student.sampler) is type(teacher.sampler)
    assert student.sampler is not teacher.sampler
    assert student.sampler.get_config() == teacher.sampler.get_config()


def test_positions_are_no_channels():
    names = {name for group in channel_groups(gpt()) if not group.fixed for name in group.layers}
    assert names == {"num_heads", "hidden_dim", "intermediate_dim"}


def test_a_factor_that_heads_cannot_have_widens_the_inner_layers():
    config = net2wider_net(gpt(), 1.5, seed=0).backbone.get_config()
    assert (config["num_heads"], config["hidden_dim"], config["intermediate_dim"]) == (4, 48, 30)


def test_what_rounds_to_float32_inside_is_compared_so():
    with dtype("float64"):
        body = hub.LlamaBackbone(21, 1, 4, 16, 20, 2)
        teacher = hub.LlamaCausalLM(body, preprocessor=None)
        assert function_gap(teacher, net2wider_net(teacher, 2, seed=0)) < 1e-6


class Bare(kl.Layer):
    """As in Keras' examples: it takes no `name`; its setting may be what Keras cannot write down."""

    def __init__(self, units):
        super().__init__()
        self.dense = kl.Dense(units() if callable(units) else units)

    def call(self, x):
        return self.dense(x)


def around(layer):
    x = keras.Input((3,))
    model = keras.Model(x, kl.Dense(2)(layer(x)))
    model(np.zeros((1, 3)))
    return model


def test_a_layer_that_takes_no_name_keeps_it():
    teacher = around(Bare(4))
    student = net2wider_net(teacher, 2)
    assert student.layers[1].dense.units == 8
    assert student.layers[1].name == teacher.layers[1].name
    assert function_gap(teacher, student) < 1e-5


def test_a_layer_that_cannot_be_made_again_is_named():
    with pytest.raises(Net2NetError, match="cannot be rebuilt"):
        net2wider_net(around(Bare(lambda: 4)), 2)

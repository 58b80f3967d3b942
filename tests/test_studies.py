"""Studies compare like with like: what their words say, and networks of one size."""

import json

import numpy as np
import pytest

from helpers.studies import STUDIES, small_cnn

ARMS = [(study.name, arm) for study in STUDIES.values() for arm in study.arms]


@pytest.fixture(scope="module")
def teachers():
    """Each study's teacher, untrained."""
    return {name: study.teacher() for name, study in STUDIES.items()}


def shapes(model):
    return [tuple(weight.shape) for weight in model.weights]


@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_a_student_has_the_size_of_its_network_from_scratch(name, arm, teachers):
    study = STUDIES[name]
    student = study.arms[arm].begin(teachers[name], seed=0)
    assert student.compiled
    if scratch := study.arms[arm].scratch:
        assert not study.arms[scratch].scratch
        assert shapes(student) == shapes(study.arms[scratch].begin(teachers[name], seed=0))
        assert shapes(student) != shapes(teachers[name])


@pytest.mark.parametrize(("name", "arm"), [(name, arm) for name, arm in ARMS if " x" in arm])
def test_a_wider_student_is_as_wide_as_its_name_says(name, arm, teachers):
    factor = float(arm.split(" x")[1])
    old, new = teachers[name], STUDIES[name].arms[arm].begin(teachers[name], seed=0)
    for layer in ("conv1", "conv2", "conv3"):
        assert new.get_layer(layer).filters == factor * old.get_layer(layer).filters


def test_arms_differ_by_seed_where_they_draw(teachers):
    arms = STUDIES["mnist_wider"].arms
    for arm in ("net2wider x2", "net2wider_noise x2", "zeropad x2", "randompad x2"):
        one, same, other = (
            np.concatenate([w.ravel() for w in arms[arm].begin(teachers["mnist_wider"], seed).get_weights()])
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


def test_small_cnn_takes_images_to_ten_probabilities():
    model = small_cnn((3, 5, 7), deeper=("conv2",))
    assert [layer.name for layer in model.layers][:5] == ["conv1", "pool1", "conv2", "conv2_deeper", "pool2"]
    guesses = model.predict(np.zeros((2, 28, 28, 1)), verbose=0)
    assert guesses.shape == (2, 10)
    assert guesses.sum(axis=1) == pytest.approx([1, 1])


@pytest.mark.parametrize("name", STUDIES)
def test_a_definition_is_json_and_its_quick_form_keeps_the_arms(name):
    study = STUDIES[name]
    definition = json.loads(json.dumps(study.definition()))
    assert definition["arms"].keys() == study.quick().arms.keys() == study.arms.keys()
    assert set(definition["scratch"].values()) <= set(study.arms)
    assert len(study.quick().settings("teacher")) == 1
    assert study.images + study.held_out <= 60_000

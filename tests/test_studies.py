"""Studies compare like with like: what their words say, and networks of one size."""

import functools
import json

import keras
import numpy as np
import pytest
from models_for_tests import shared, traced_once

from helpers import function_gap, tasks
from helpers.studies import SQUARE, STUDIES, attacked, changed, redundancy

pytestmark = pytest.mark.usefixtures("traced_once")
__all__ = ["traced_once"]

ARMS = [(study.name, arm) for study in STUDIES.values() for arm in study.arms]
EXACT = {"teacher_continued", "net2deeper", "net2wider", "net2wider_random", "net2net", "zeropad", "rate"}
EXACT |= {"equal", "shares", "dropout", "once", "late", "twice", "thrice"}


@pytest.fixture(scope="module")
def teachers():
    """Each study's teacher, untrained."""
    return {name: shared(study.teacher()) for name, study in STUDIES.items()}


@pytest.fixture(scope="module")
def students(teachers):
    """Called with a study's name and an arm: its student before any training, made once."""
    return functools.cache(lambda name, arm: STUDIES[name].arms[arm].begin(teachers[name], seed=0))


@functools.cache
def sizes(task):
    """How many examples a task has to train and to test: of MNIST in the full set, whichever digits are found here."""
    if task in (tasks.mnist, tasks.flat_mnist):
        return 60_000, 10_000
    *_, source = task()
    return source["train"], source["test"]


def shapes(model):
    return [tuple(weight.shape) for weight in model.weights]


@pytest.mark.parametrize(("name", "arm"), ARMS)
def test_a_student_has_the_size_of_its_network_from_scratch_and_if_exact_its_teachers_function(
    name, arm, teachers, students
):
    study, student = STUDIES[name], students(name, arm)
    for grow, _ in study.arms[arm].then:
        student = grow(student, seed=0)
    assert student.compiled
    if scratch := study.arms[arm].scratch:
        assert not study.arms[scratch].scratch
        assert shapes(student) == shapes(students(name, scratch))
        assert shapes(student) != shapes(teachers[name])
    assert (function_gap(teachers[name], student) < 5e-6) == (arm.split()[0] in EXACT)


@pytest.mark.parametrize(
    ("name", "arm"), [(name, arm) for name, arm in ARMS if " x" in arm and name.startswith(("mnist", "capa"))]
)
def test_a_wider_student_is_as_wide_as_its_name_says(name, arm, teachers, students):
    factor = float(arm.split(" x")[1])
    old, new = teachers[name], students(name, arm)
    *hidden, _ = (layer.name for layer in old.layers if layer.weights)
    for layer in hidden:
        assert new.get_layer(layer).kernel.shape[-1] == factor * old.get_layer(layer).kernel.shape[-1]


def test_arms_differ_by_seed_where_they_draw(teachers):
    arms = STUDIES["mnist_wider"].arms
    for arm in ("net2wider x2", "net2wider_noise x2", "zeropad x2", "randompad x2"):
        one, same, other = (
            np.concatenate([w.ravel() for w in arms[arm].begin(teachers["mnist_wider"], seed).get_weights()])
            for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", STUDIES)
def test_a_definition_is_json_and_its_quick_form_keeps_the_arms(name):
    study = STUDIES[name]
    definition = json.loads(json.dumps(study.definition()))
    assert definition["arms"].keys() == study.quick().arms.keys() == study.arms.keys()
    assert set(definition["scratch"].values()) <= set(study.arms)
    assert len(study.quick().settings("teacher")) == 1
    train, test = sizes(study.task)
    assert study.images + study.held_out <= train
    assert study.test_images <= test


@pytest.mark.parametrize("name", STUDIES)
def test_names_tell_who_began_from_scratch(name):
    """`measures.cost` charges all others for their teacher."""
    arms, fresh = STUDIES[name].arms, ("all weights random", "all random", "the same, for as many updates")
    for arm, (words, *_) in arms.items():
        assert arm.startswith("scratch") == any(each in words for each in fresh), arm
    assert all(arms[arm.scratch] and arm.scratch.startswith("scratch") for arm in arms.values() if arm.scratch)


def test_inception_is_deepened_by_a_vertical_kernel_and_then_a_horizontal_one(teachers, students):
    teacher, student = teachers["inception_deeper"], students("inception_deeper", "net2deeper")
    for name in SQUARE:
        assert student.get_layer(f"{name}_deeper").kernel_size == (3, 1)
        assert student.get_layer(f"{name}_deeper_deeper").kernel_size == (1, 3)
    images = np.random.default_rng(0).random((20, 28, 28, 1), dtype="float32")
    assert function_gap(teacher, student, images) < 1e-4


def test_shares_between_equal_and_random_ones_keep_the_function(teachers, students):
    teacher = teachers["symmetry"]
    images = np.random.default_rng(0).random((20, 28, 28, 1), dtype="float32")
    last = {}
    for arm in ("equal", "shares 0.1", "shares 1"):
        student = students("symmetry", arm)
        assert function_gap(teacher, student, images) < 1e-6
        last[arm] = student.get_layer("digits").get_weights()[0]
    between = 0.9 * last["equal"] + 0.1 * last["shares 1"]
    np.testing.assert_allclose(last["shares 0.1"], between, rtol=1e-5)
    assert not np.allclose(last["equal"], last["shares 1"], rtol=0.05)


def test_redundancy_of_copies_and_of_fresh_channels(students):
    images = np.random.default_rng(0).random((200, 28, 28, 1), dtype="float32")
    copies, fresh = (redundancy(students("symmetry", arm), images, None) for arm in ("equal", "scratch"))
    assert copies["twin"] < 1e-3 < fresh["twin"]
    assert copies["rank"] <= 8 < fresh["rank"]


@pytest.mark.parametrize(
    ("lit", "dark", "wanted"),
    [
        (1.0, 0.0, {"shift": 0.5, "occlusion": 0.5, "fgsm": 1.0}),
        (0.55, 0.45, {"shift": 0.5, "occlusion": 0.5, "fgsm": 0.0}),
    ],
)
def test_attacks_on_a_model_that_looks_at_one_pixel(lit, dark, wanted):
    images, labels = np.zeros((1000, 28, 28, 1), dtype="float32"), np.arange(1000) % 2
    images[:, 14, 14, 0] = np.where(labels, lit, dark)
    model = keras.Sequential(
        [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
    )
    kernel, bias = np.zeros((784, 10)), np.full(10, -50.0)
    kernel[28 * 14 + 14, 1], bias[:2] = 20, (0, -10)  # a one if the pixel is over a half, a zero otherwise
    model.set_weights([kernel, bias])
    found = attacked(model, images, keras.utils.to_categorical(labels, 10))
    noise = found.pop("noise")
    assert found == wanted
    assert 0.9 < noise < 1 or lit < 1


def test_changed_images_stay_images_and_leave_the_originals_alone():
    keras.utils.set_random_seed(0)
    model = STUDIES["robustness"].teacher()
    images = np.random.default_rng(0).random((20, 28, 28, 1), dtype="float32")
    classes, before = np.eye(10)[np.arange(20) % 10], images.copy()
    found = changed(model, images, classes)
    assert np.array_equal(images, before)
    assert all(one.shape == images.shape and one.min() >= 0 and one.max() <= 1 for one in found.values())
    assert np.array_equal(found["shift"][:, 2:, 2:], images[:, :-2, :-2])
    assert not found["shift"][:, :2].any()
    losses = [keras.losses.categorical_crossentropy(classes, model(x)) for x in (images, found["fgsm"])]
    assert (losses[1] > losses[0]).numpy().all()

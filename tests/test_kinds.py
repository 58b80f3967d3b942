"""Kinds of models that people build: each grows exactly, in all its hidden parts, or says what stayed and why."""

import functools
import re
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import ops
from kinds import all_kinds, gap, run, shake, varies
from models_for_tests import dtype, shared, traced_once

from helpers import Net2NetError, function_gap, grow_into, growth, net2wider_net, proof
from helpers.filling import Filling

pytestmark = pytest.mark.usefixtures("traced_once")
__all__ = ["traced_once"]

ALL = all_kinds()
WIDENED = {name: one for name, one in ALL.items() if not one.scales}
FILLED = {name: one for name, one in ALL.items() if one.scales}


@pytest.fixture(autouse=True)
def float64():
    """The precision that can tell right from nearly right; models may hold Lambdas."""
    keras.config.enable_unsafe_deserialization()
    with dtype("float64"):
        yield


@functools.cache
def both(name):
    """A teacher, inputs, and what the teacher makes of them with other weights and with those that it has."""
    one = ALL[name]
    teacher = one.model(seed=1)
    x = one.inputs(teacher)
    other = run(teacher, x)
    return shared(teacher), x, other, run(shake(teacher), x)


def case(name):
    """A kind, its teacher, inputs, and what the teacher makes of them."""
    teacher, x, _, before = both(name)
    return ALL[name], teacher, x, before


def values(model):
    """All that a student must leave alone."""
    states = [v for layer in model._flatten_layers() for v in keras.tree.flatten(getattr(layer, "states", None) or [])]
    return [(v.path, v.trainable, np.asarray(v).tobytes()) for v in [*model.variables, *states]]


def layers(model):
    return [(layer.name, type(layer)) for layer in model._flatten_layers(include_self=False)]


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def names_of(group):
    names = getattr(group, "names", None) or group.name
    return [names] if isinstance(names, str) else list(names)


def reasons(student):
    """The names of what stayed, with the reasons, as one text."""
    told = (
        f"{' '.join(map(str, names_of(g)))} ({' '.join(g.weights)}): {g.reason}" for g in growth(student) if g.reason
    )
    return "\n".join(told)


def check_growth(one, teacher, student, whole):
    """What had to grow did, and what did not is named."""
    pairs = list(zip(teacher.weights, student.weights, strict=True))
    stayed = [a.path for a, b in pairs if a.shape == b.shape and "seed_generator" not in a.path]
    for a, b in pairs:
        assert all(old <= new for old, new in zip(a.shape, b.shape, strict=True)), f"{a.path} shrank"
    if whole:
        assert not [path for path in stayed if not one.may_stay(path)], "these weights did not grow"
    missed = [path for path in stayed if any(fragment in path for fragment in one.grown)]
    assert not missed, f"these weights did not grow: {missed}"
    told = reasons(student)
    free = (*one.fixed, *one.statues)
    for path in stayed:
        if not any(fragment in path for fragment in free) and not re.search(r"\bout\d?/bias$", path):
            assert any(part in told for part in path.split("/")), f"nothing tells why {path} stayed:\n{told}"
    for group in growth(student):
        assert (group.reason is None) == (group.new > group.old), names_of(group)


# The kinds themselves


@pytest.mark.parametrize("name", ALL)
def test_a_kind_is_alive(name):
    """Its outputs differ between examples and with its weights, and are the same when it is asked again."""
    teacher, x, other, before = both(name)
    assert varies(before, other)
    assert gap(before, run(teacher, x)) == 0


# Students that are made


@pytest.mark.parametrize(
    ("name", "factor"), [(name, factor) for name, one in WIDENED.items() for factor in one.factors]
)
def test_a_kind_grows_exactly(name, factor):
    one, teacher, x, before = case(name)
    untouched = values(teacher)
    try:
        student = quietly(net2wider_net, teacher, factor, split="noise" if factor == 2 else "random", seed=0)
    except Net2NetError as error:
        assert one.bare, "refused"
        assert one.bare in str(error)
        return
    assert gap(before, run(student, x)) < one.exact
    assert type(student) is type(teacher)
    assert layers(student) == layers(teacher)
    assert values(teacher) == untouched
    check_growth(one, teacher, student, factor in one.whole)


SAVED = (
    "dense, attention, cross attention masked, bidirectional, spectral normalization, string lookup, glu by split, "
    "tied embedding, layers of ones own, blocks of ones own, scan, vision transformer, "
    "text transformer as written, tab transformer, functional class, gpt2 causal lm, vit classifier, resnet classifier"
).split(", ")


@pytest.mark.parametrize("name", SAVED)
def test_a_student_is_saved_and_loaded(name, tmp_path):
    _, teacher, x, before = case(name)
    student = quietly(net2wider_net, teacher, 2, split="weights", seed=0)
    quietly(student.save, tmp_path / "student.keras")
    again = quietly(keras.models.load_model, tmp_path / "student.keras", compile=False)
    assert type(again) is type(teacher)
    assert gap(run(student, x), run(again, x)) == 0
    assert gap(before, run(again, x)) < 1e-12


# Students that are filled


@pytest.mark.parametrize(("name", "scale"), [(name, scale) for name, one in FILLED.items() for scale in one.scales])
def test_a_kind_is_filled_exactly(name, scale):
    one, teacher, x, before = case(name)
    student = one.model(7, scale)
    shapes = [tuple(v.shape) for v in student.weights]
    assert gap(before, run(student, x)) > 1e-3
    untouched = values(teacher)
    assert quietly(grow_into, teacher, student, split="random", seed=0) is student
    assert [tuple(v.shape) for v in student.weights] == shapes
    assert gap(before, run(student, x)) < one.exact
    assert values(teacher) == untouched
    check_growth(one, teacher, student, whole=True)


def table(*layers):
    return keras.Sequential([keras.Input((3,)), *layers, kl.Dense(2, name="out")])


@pytest.mark.parametrize(
    ("student", "words"),
    [
        (lambda: table(kl.Dense(8, activation="tanh", name="a")), r"(?i)relu|tanh"),
        (lambda: table(kl.Dense(8, activation="relu", name="a"), kl.Dense(8, name="b")), "b"),
        (lambda: table(kl.Dense(3, activation="relu", name="a")), r"a\b.*(4|3)"),
        (
            lambda: keras.Sequential(
                [keras.Input((3,)), kl.Dense(8, activation="relu", name="a"), kl.Dense(3, name="out")]
            ),
            "out",
        ),
    ],
    ids=["another activation", "one more layer", "narrower", "another output"],
)
def test_what_is_no_larger_student_is_refused_and_stays(student, words):
    teacher, student = table(kl.Dense(4, activation="relu", name="a")), student()
    before = values(student)
    with pytest.raises(Net2NetError, match=words):
        grow_into(teacher, student)
    assert values(student) == before


# What is told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("softmax over hidden channels", r"(?i)gate.*softmax"),
        ("argmax in the middle", r"(?i)gate.*(argmax|gather|bitcast)"),
        ("recommender dot", r"(?i)embedding.*(dot|sum|matmul|einsum)"),
        ("fnet", r"(?i)a\b.*fft"),
        ("unit normalization", r"(?i)b\b.*(sum|norm)"),
        ("attention", r"(?i)\bq\b"),
        ("siamese", r"(?i)code.*sum"),
    ],
)
def test_a_reason_names_the_layer_and_the_operation(name, words):
    _, teacher, _, _ = case(name)
    student = quietly(net2wider_net, teacher, 2, seed=0)
    assert re.search(words, reasons(student)), reasons(student)
    assert re.search(words, re.sub(r"\s+", " ", str(growth(student)))), str(growth(student))


def test_what_stays_is_warned_of_once_or_refused():
    _, teacher, _, _ = case("softmax over hidden channels")
    with pytest.warns(UserWarning, match=r"\b1\b.*stay") as warned:
        net2wider_net(teacher, 2, seed=0)
    assert len(warned) == 1
    with pytest.raises(Net2NetError, match="gate"):
        net2wider_net(teacher, 2, seed=0, strict=True)


def test_nothing_is_warned_of_where_all_grew():
    _, teacher, _, _ = case("dense")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net2wider_net(teacher, 2, seed=0, strict=True)


def test_parts_of_an_axis_that_grew_are_told_and_not_warned_of():
    """The channels of each head stay where there are more heads; else nothing is said of their number."""
    _, teacher, _, _ = case("vision transformer")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert "summed over" in reasons(net2wider_net(teacher, 2, seed=0, strict=True))
    _, teacher, _, _ = case("bert backbone")
    assert "number grows" not in reasons(quietly(net2wider_net, teacher, 2, seed=0))


def test_a_teacher_that_cannot_be_asked_is_grown_by_proof_alone():
    """Such as one with the channels first, which no CPU runs."""

    class Abroad(kl.Layer):
        def call(self, x):
            if not isinstance(x, keras.KerasTensor) and hasattr(x, "numpy"):
                raise NotImplementedError("not on this machine")
            return x

    teacher = table(kl.Dense(4, name="a"), Abroad())
    student = net2wider_net(teacher, 2)
    assert student.get_layer("a").units == 8
    for report in (growth(student), growth(grow_into(teacher, net2wider_net(teacher, 3, check=False)))):
        assert "not on this machine" in report.unasked
        assert "was not asked on numbers: the teacher cannot be called" in str(report)
        assert "not on this machine" in report._repr_html_()
    assert growth(net2wider_net(teacher, 2, check=False)).unasked is None


@pytest.mark.parametrize("end", [lambda y: y / 0, lambda y: ops.argmax(y, axis=-1)], ids=["nothing finite", "integers"])
def test_what_gives_nothing_to_compare_is_said(end):
    x = keras.Input((3,))
    student = net2wider_net(keras.Model(x, end(kl.Dense(2)(kl.Dense(4, name="a")(x)))), 2)
    assert "no finite numbers" in growth(student).unasked


def test_complex_numbers_are_compared(monkeypatch):
    x = keras.Input((3,))
    teacher = keras.Model(x, kl.Lambda(lambda y: tf.complex(y, y * 0))(kl.Dense(2)(kl.Dense(4, name="a")(x))))
    assert growth(net2wider_net(teacher, 2)).unasked is None
    monkeypatch.setattr(Filling, "places", lambda self, row: wrong(place(self, row)))
    with pytest.raises(Net2NetError, match="it would give other outputs"):
        net2wider_net(teacher, 2, split="equal")


def test_what_is_not_finite_is_compared_by_its_places(monkeypatch):
    with dtype("float64"):
        x = keras.Input((3,))
        y = kl.Dense(9)(kl.Dense(4, name="a")(x))
        teacher = keras.Model(x, ops.where(ops.sin(100 * y) > 0, 0.0, -np.inf))
    student = net2wider_net(teacher, 2)
    assert growth(student).unasked is None
    assert function_gap(teacher, student) == 0
    assert function_gap(teacher, keras.Model(teacher.inputs, ops.zeros_like(teacher.output))) == np.inf
    monkeypatch.setattr(Filling, "places", lambda self, row: wrong(place(self, row)))
    with pytest.raises(Net2NetError, match="not finite at other places"):
        net2wider_net(teacher, 2, split="equal")


place = Filling.places


def wrong(found):
    """Where the channels of a row come from, with shares that are too large."""
    return found and (found[0], found[1] * 1.1, found[2])


class Hidden(kl.Layer):
    """Runs Python code, which TensorFlow does not see into."""

    def __init__(self, eager, **kwargs):
        super().__init__(**kwargs)
        self.eager = eager

    def build(self, shape):
        self.scale = self.add_weight((shape[-1],), name="scale")

    def call(self, x):
        run = tf.py_function if self.eager else tf.numpy_function
        return tf.ensure_shape(
            run(lambda v: np.tanh(v) * self.scale.numpy(), [ops.convert_to_tensor(x)], x.dtype), x.shape
        )

    def compute_output_shape(self, shape):
        return shape


@pytest.mark.parametrize("eager", [True, False])
def test_what_python_code_hides_stays_and_is_asked_on_numbers(eager, monkeypatch):
    x = keras.Input((3,))
    hidden = Hidden(eager, name="hidden")
    y = hidden(kl.Dense(4, name="a")(x))
    teacher = shake(keras.Model(x, kl.Dense(2, name="out")(kl.Dense(5, activation="relu", name="b")(y))))
    given = np.random.default_rng(0).normal(size=(3, 3))
    student = quietly(net2wider_net, teacher, 2, seed=0)
    assert student.get_layer("b").units == 10
    assert gap(run(teacher, given), run(student, given)) < 1e-12
    told = {grown.names[0]: grown.reason for grown in growth(student)}
    assert re.search("no rule .*PyFunc in .*hidden", told["a"])
    assert re.search("Python code hides what it does .*PyFunc in .*hidden", told["hidden.scale"])
    monkeypatch.setattr(proof, "drawn", lambda *_: "nothing that it takes")
    with pytest.raises(Net2NetError, match="nobody can say .*Python code hides what it does .*PyFunc in .*hidden"):
        quietly(net2wider_net, teacher, 2)

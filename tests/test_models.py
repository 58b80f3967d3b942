"""Model in, model out: what a student keeps, that the teacher stays as it was, and what is refused."""

import dataclasses
import functools
import inspect

import keras
import numpy as np
import pytest
import zoo
from keras import layers as kl
from keras import ops
from kinds import gap
from models_for_tests import (
    EXACT,
    SHARED,
    dtype,
    eagerly,
    float64,
    not_trivial,
    outputs,
    randomize,
    relative_gap,
    shared,
    snapshot,
    traced_once,
)

from helpers import (
    Net2NetError,
    ParametricActivation,
    channel_groups,
    copy_weights,
    function_gap,
    grow_into,
    net2deeper_net,
    net2wider_net,
    wider2net_conv2d,
    wider2net_fc,
)
from helpers.proof import example_inputs

__all__ = ["eagerly", "float64", "traced_once"]


def small(**how):
    """Convolution, batch norm, pooling, dense, dense."""
    return randomize(
        keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                kl.Conv2D(4, 3, activation="relu", name="conv"),
                kl.BatchNormalization(name="norm"),
                kl.MaxPooling2D(name="pool"),
                kl.Flatten(name="flatten"),
                kl.Dense(6, activation="relu", name="hidden"),
                kl.Dense(3, name="end"),
            ],
            **how,
        )
    )


def digits(n=400, seed=0):
    """Three shapes under noise: enough to learn from in a second."""
    rng = np.random.default_rng(seed)
    shapes = np.random.default_rng(1).normal(size=(3, 8, 8, 1))
    y = rng.integers(3, size=n)
    return (shapes[y] + rng.normal(0, 2, (n, 8, 8, 1))).astype("float32"), y


@pytest.fixture(scope="module")
def trained():
    """A classifier as a reader has one: compiled, and trained for a little."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            kl.Conv2D(4, 3, activation="relu", name="conv"),
            kl.BatchNormalization(name="norm"),
            kl.MaxPooling2D(),
            kl.Dropout(0.2),
            kl.Flatten(),
            kl.Dense(6, activation="relu", name="hidden"),
            kl.Dense(3, activation="softmax", name="end"),
        ]
    )
    model.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*digits(), epochs=2, verbose=0)
    return model


STUDENTS = {
    "wider": lambda teacher: net2wider_net(teacher, 1.5, seed=0),
    "wider_random_shares": lambda teacher: net2wider_net(teacher, 2, split="random", seed=0),
    "wider_one_layer": lambda teacher: net2wider_net(teacher, {"hidden": 9}, seed=0),
    "deeper": lambda teacher: net2deeper_net(teacher),
    "deeper_with_batch_norm": lambda teacher: net2deeper_net(teacher, batch_norm=True, x=digits()[0]),
    "deeper_linear": lambda teacher: net2deeper_net(teacher, activation="linear"),
    "deeper_parametric": lambda teacher: net2deeper_net(teacher, activation="parametric"),
    "deeper_after_wider": lambda teacher: net2deeper_net(net2wider_net(teacher, 1.5, seed=0)),
    "wider_after_deeper": lambda teacher: net2wider_net(net2deeper_net(teacher), 1.5, seed=0),
    "wider_twice": lambda teacher: net2wider_net(net2wider_net(teacher, 1.5, seed=0), 1.5, seed=1),
    "deeper_twice": lambda teacher: net2deeper_net(net2deeper_net(teacher)),
}


# A trained teacher


@pytest.fixture(scope="module")
def students(trained):
    """The students of that teacher, each made once; tests leave them as they are."""
    return functools.cache(lambda name: STUDENTS[name](trained))


@pytest.mark.parametrize("name", STUDENTS)
def test_a_trained_teachers_accuracy_stays_to_the_digit(eagerly, trained, students, name):
    x, y = digits(seed=7)
    student = students(name)
    before = trained.evaluate(x, y, verbose=0, return_dict=True)
    after = student.evaluate(x, y, verbose=0, return_dict=True)
    assert 0.4 < before["accuracy"] < 0.999  # neither chance nor perfect, or the test says nothing
    assert after["accuracy"] == before["accuracy"]
    assert abs(after["loss"] - before["loss"]) < 1e-5
    assert list(after) == list(before)
    assert relative_gap(trained, student, x) <= EXACT["float32"]


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_learns_from_where_the_teacher_was(eagerly, trained, name):
    x, y = digits()
    student = STUDENTS[name](trained)
    start = trained.evaluate(x, y, batch_size=400, verbose=0)[0]
    history = student.fit(x, y, batch_size=100, epochs=3, verbose=0, shuffle=False).history["loss"]
    assert student.evaluate(x, y, batch_size=400, verbose=0)[0] < start
    assert history[-1] < history[0]
    assert trained.evaluate(x, y, batch_size=400, verbose=0)[0] == start


@pytest.mark.parametrize("name", STUDENTS)
def test_a_student_is_saved_and_loaded(eagerly, trained, students, name, tmp_path):
    student = students(name)
    student.save(tmp_path / "student.keras")
    loaded = keras.models.load_model(tmp_path / "student.keras")
    x, y = digits(50)
    assert function_gap(student, loaded, x) == 0
    assert loaded.evaluate(x, y, verbose=0) == student.evaluate(x, y, verbose=0)
    again = net2wider_net(loaded, {"hidden": 20}, seed=0)
    assert relative_gap(trained, again, x) <= EXACT["float32"]


def test_a_student_is_exported(trained, tmp_path):
    student = net2wider_net(trained, 2, seed=0)
    student.export(tmp_path / "student", verbose=False)
    import tensorflow as tf

    x = digits(10)[0]
    exported = tf.saved_model.load(str(tmp_path / "student"))
    np.testing.assert_allclose(exported.serve(x), student.predict(x, verbose=0), atol=1e-5)


def test_copies_part_by_default():
    """Not only in length: the gradients of a unit and its copy point in different directions."""
    rng = np.random.default_rng(0)
    teacher = randomize(keras.Sequential([keras.Input((20,)), kl.Dense(6, "relu", name="hidden"), kl.Dense(20)]))
    x = rng.normal(size=(64, 20)).astype("float32")
    y = teacher(x) + rng.normal(size=(64, 20)).astype("float32")
    student = net2wider_net(teacher, 2, seed=0)
    hidden = student.get_layer("hidden")
    mapping = (hidden.kernel.numpy().T[:, None] == hidden.kernel.numpy().T[None]).all(-1).argmax(1)
    import tensorflow as tf

    with tf.GradientTape() as tape:
        loss = keras.ops.mean((student(x) - y) ** 2)
    gradient = tape.gradient(loss, hidden.kernel.value).numpy()
    gradient /= np.linalg.norm(gradient, axis=0)
    assert len(copies := np.flatnonzero(mapping != np.arange(12))) == 6
    assert ((gradient[:, copies] * gradient[:, mapping[copies]]).sum(0) < 0.9).all()


def test_all_defaults_agree():
    functions = (net2wider_net, grow_into, wider2net_fc, wider2net_conv2d)
    assert {inspect.signature(function).parameters["split"].default for function in functions} == {"noise"}


def test_copies_stay_equal_under_equal_shares_and_part_under_others(trained):
    x, y = digits()
    for split, part in (("equal", False), ("random", True), ("noise", True)):
        student = net2wider_net(trained, {"hidden": 12}, split=split, seed=0)
        mapping = np.array(
            [
                (column == student.get_layer("hidden").kernel.numpy().T).all(1).argmax()
                for column in student.get_layer("hidden").kernel.numpy().T
            ]
        )
        student.fit(x, y, epochs=1, verbose=0)
        kernel = student.get_layer("hidden").kernel.numpy()
        gap = np.abs(kernel - kernel[:, mapping])[:, mapping != np.arange(12)].max()
        assert (gap > 1e-4) == part, (split, gap)


# Widths


@pytest.mark.parametrize(
    ("factor", "widths"),
    [(2, (8, 12)), (1.5, (6, 9)), (1.1, (5, 7)), (np.float32(1.25), (5, 8)), (np.int64(3), (12, 18)), (1.0001, (5, 7))],
)
def test_a_factor_is_rounded_up(factor, widths):
    student = net2wider_net(small(), factor, seed=0)
    assert (student.get_layer("conv").filters, student.get_layer("hidden").units) == widths
    assert student.get_layer("end").units == 3


def test_rounding_errors_of_a_factor_do_not_add_a_unit():
    teacher = keras.Sequential([keras.Input((2,)), kl.Dense(10, name="hidden"), kl.Dense(1)])
    assert net2wider_net(teacher, 1.1).get_layer("hidden").units == 11


def test_a_seed_fixes_every_draw():
    teacher = small()

    def run(seed, **how):
        return [a.tobytes() for a in net2wider_net(teacher, 2, seed=seed, **how).get_weights()]

    for how in ({}, {"split": "random"}, {"noise": 0.1}, {"init": "randompad"}):
        assert run(3, **how) == run(3, **how)
        assert run(3, **how) != run(4, **how)
        assert run(None, **how) != run(None, **how)

    def deeper(seed):
        return [a.tobytes() for a in net2deeper_net(teacher, init="randominit", seed=seed).get_weights()]

    assert deeper(3) == deeper(3)
    assert deeper(3) != deeper(4)


def test_drawing_leaves_the_global_state_of_numpy_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    net2wider_net(small(), 2, noise=0.1, seed=0)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


# The baselines


def test_randompad_keeps_the_originals_and_not_the_function():
    teacher = small()
    student = net2wider_net(teacher, 5, init="randompad", seed=0)
    old, new = teacher.get_layer("conv"), student.get_layer("conv")
    np.testing.assert_array_equal(new.kernel[..., :4], old.kernel)
    assert abs(new.kernel.numpy()[..., 4:].std() - 0.1) < 0.02
    np.testing.assert_array_equal(new.bias[4:], np.float32(0.1))
    norms = [layer.get_weights() for layer in (teacher.get_layer("norm"), student.get_layer("norm"))]
    for before, after, fresh in zip(*norms, (1, 0, 0, 1), strict=True):
        np.testing.assert_array_equal(after[:4], before)
        np.testing.assert_array_equal(after[4:], fresh)
    # Behind the Flatten, each position's first channels are the originals.
    kernel = student.get_layer("hidden").kernel.numpy().reshape(9, 20, 30)
    np.testing.assert_array_equal(kernel[:, :4, :6], teacher.get_layer("hidden").kernel.numpy().reshape(9, 4, 6))
    assert abs(kernel[:, 4:].std() - 0.1) < 0.01
    assert relative_gap(teacher, student) > 1e-2


def test_zeropad_is_randompad_with_outgoing_weights_of_zero():
    with dtype("float64"):
        teacher = randomize(small())
        student = net2wider_net(teacher, {"conv": 20, "hidden": 30}, init="zeropad", seed=0)
        assert relative_gap(teacher, student) < EXACT["float64"]
    kernel = student.get_layer("hidden").kernel.numpy().reshape(9, 20, 30)
    assert not kernel[:, 4:, :6].any()
    assert abs(kernel[..., 6:].std() - 0.1) < 0.01  # incoming weights of new units, from old and new channels alike
    assert not student.layers[-1].kernel.numpy()[6:].any()


def test_zeropad_beside_statistics_over_channels_is_refused():
    x = keras.Input((4,))
    h = keras.layers.LayerNormalization(name="norm")(keras.layers.Dense(6, name="before")(x))
    teacher = keras.Model(x, keras.layers.Dense(2)(keras.layers.Dense(5, "relu", name="behind")(h)))
    with pytest.raises(Net2NetError, match="init: 'zeropad' makes new channels .*norm.*use 'net2wider'"):
        net2wider_net(teacher, {"before": 12}, init="zeropad")
    assert relative_gap(teacher, net2wider_net(teacher, {"behind": 9}, init="zeropad", seed=0)) < EXACT["float32"]


def test_noise_touches_copies_only():
    teacher = small()
    quiet, noisy = (net2wider_net(teacher, 2, split="equal", noise=noise, seed=0) for noise in (0, 0.01))
    for name, originals in (("conv", np.s_[..., :4]), ("hidden", np.s_[:, :6])):
        before, after = (m.get_layer(name).get_weights() for m in (quiet, noisy))
        np.testing.assert_array_equal(after[0][originals], before[0][originals])
        relative = np.abs(after[0] / before[0] - 1)
        relative[originals] = np.nan
        assert 0.005 < np.nanmean(relative) < 0.015
        np.testing.assert_array_equal(after[1], before[1])
    for name in ("norm", "end"):
        for left, right in zip(quiet.get_layer(name).get_weights(), noisy.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(left, right)
    assert 1e-4 < relative_gap(teacher, noisy) < 0.2


# What a student keeps


@keras.saving.register_keras_serializable("net2net tests")
class Halved(keras.constraints.Constraint):
    def __call__(self, w):
        return w / 2


class Plain(keras.regularizers.Regularizer):
    """Not registered with Keras."""

    def __call__(self, w):
        return ops.sum(w)

    def get_config(self):
        return {}


def twice_relu(x):
    return 2 * ops.relu(x)


@dataclasses.dataclass
class Clipped:
    """An activation that is an object, and cannot be hashed."""

    most: float = 2.0

    def __call__(self, x):
        return ops.clip(x, 0, self.most)


def settled():
    """A model with a setting of every kind."""
    x = keras.Input((9, 9, 2), name="pixels")
    h = kl.Conv2D(
        4, (3, 2), strides=(2, 1), padding="same", name="strided", kernel_regularizer=keras.regularizers.L2(0.01)
    )(x)
    h = kl.Conv2D(
        4, 3, dilation_rate=2, padding="same", name="dilated", kernel_constraint=keras.constraints.MaxNorm(1)
    )(h)
    h = kl.BatchNormalization(momentum=0.7, epsilon=0.02, name="norm", trainable=False)(h)
    h = kl.Activation("relu", name="relu")(h)
    h = kl.ZeroPadding2D(((1, 0), (0, 2)), name="zeros")(h)
    h = kl.AveragePooling2D((2, 3), strides=1, padding="valid", name="pool")(h)
    h = kl.Dropout(0.3, seed=7, name="dropout")(h)
    h = kl.SeparableConv2D(3, 2, depth_multiplier=2, name="separable", depthwise_regularizer="l1")(h)
    h = kl.Flatten(name="flatten")(h)
    h = kl.Dense(6, activation="tanh", name="frozen", trainable=False, bias_constraint=Halved())(h)
    h = kl.Dense(5, use_bias=False, name="biasless", kernel_initializer="he_normal", activity_regularizer="l2")(h)
    return randomize(keras.Model(x, kl.Dense(2, name="end")(h), name="settled"))


def differences(left, right, path=()):
    """Where two configs differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in left.keys() | right.keys():
            yield from differences(left.get(key), right.get(key), (*path, key))
    elif left != right:
        yield path


@pytest.mark.parametrize("build", [settled, small])
def test_all_settings_but_the_widths_stay(build):
    teacher = build()
    student = net2wider_net(teacher, 2, seed=0)
    assert student.name == teacher.name
    assert type(student) is type(teacher)
    assert [layer.name for layer in student.layers] == [layer.name for layer in teacher.layers]
    for old, new in zip(teacher.layers, student.layers, strict=True):
        assert type(new) is type(old)
        changed = set(differences(old.get_config(), new.get_config()))
        assert changed <= {("units",), ("filters",)}, old.name
        assert changed or old.name == "end" or not {"units", "filters"} & old.get_config().keys()
        assert [v.trainable for v in new.variables] == [v.trainable for v in old.variables]
    assert len(student.losses) == len(teacher.losses)


class Counting(keras.initializers.Initializer):
    """Remembers the shapes that it was asked for."""

    def __init__(self):
        self.shapes = []

    def __call__(self, shape, dtype=None):
        self.shapes.append(tuple(shape))
        return ops.ones(shape, dtype)


def test_what_will_be_replaced_is_not_drawn():
    drawer = Counting()
    layer = kl.Dense(3, kernel_initializer=drawer, bias_initializer=drawer, name="hidden")
    student = net2wider_net(keras.Sequential([keras.Input((4,)), layer, kl.Dense(2)]), 2)
    assert drawer.shapes == [(4, 3), (3,), (6,)]  # vectors cost nothing, and 'randompad' asks for them
    hidden = student.get_layer("hidden")
    assert hidden.kernel_initializer is drawer
    hidden.enable_lora(2, a_initializer=drawer)  # what the student's layer makes from now on is its own business
    np.testing.assert_array_equal(hidden.lora_kernel_a, np.ones((4, 2)))


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64"])
def test_dtype_policies_stay(policy):
    with dtype("float32"):
        keras.config.set_dtype_policy(policy)
        teacher = small()
    assert teacher.get_layer("conv").dtype_policy.name == policy
    x = example_inputs(teacher)
    wide, deep = net2wider_net(teacher, 2, split="random", seed=0), net2deeper_net(teacher)
    parametric = net2deeper_net(teacher, activation="parametric")
    for student in (wide, deep, net2deeper_net(teacher, batch_norm=True, x=x), parametric):
        for layer in student.layers:
            like = teacher.get_layer(layer.name.split("_deeper")[0])
            assert layer.dtype_policy.name == like.dtype_policy.name
            assert {v.dtype for v in layer.weights} <= {v.dtype for v in teacher.weights}
        exact = {"float64": 1e-12, "mixed_float16": 1e-2, "float16": 2e-2}.get(policy, 0.1)
        assert relative_gap(teacher, student, x) <= exact
    assert relative_gap(teacher, deep, x) == 0  # an identity adds no rounding of its own


def test_one_layer_in_another_dtype():
    teacher = keras.Sequential(
        [keras.Input((4,)), kl.Dense(5, dtype="float64", name="fine"), kl.Dense(4, name="hidden"), kl.Dense(2)]
    )
    randomize(teacher)
    for student in (net2wider_net(teacher, 2), net2deeper_net(teacher)):
        assert student.get_layer("fine").kernel.dtype == "float64"
        assert student.get_layer("hidden").kernel.dtype == "float32"
        assert relative_gap(teacher, student) <= EXACT["float32"]


def test_what_settings_do_not_tell_of_a_layer_is_kept(float64):
    layer, tokens = ByName("tanh"), np.random.default_rng(0).integers(7, size=(8, 6))
    layer.supports_masking = True  # so it hands on the mask of the words
    layers = [kl.Embedding(7, 4, mask_zero=True), layer, kl.LSTM(5, name="lstm"), kl.Dense(6, "relu", name="h")]
    teacher = randomize(keras.Sequential([keras.Input((6,), dtype="int32"), *layers, kl.Dense(2)]))
    for student in (net2wider_net(teacher, {"lstm": 8}), net2deeper_net(teacher, "h")):
        assert relative_gap(teacher, student, tokens) <= EXACT["float64"]
    convolution = kl.Conv1D(4, 3, padding="same", activation="relu", name="conv")
    convolution.supports_masking = True
    layers = [kl.Embedding(7, 4, mask_zero=True), convolution, kl.LSTM(5), kl.Dense(2)]
    teacher = randomize(keras.Sequential([keras.Input((6,), dtype="int32"), *layers]))
    assert relative_gap(teacher, net2deeper_net(teacher, "conv"), tokens) <= EXACT["float64"]
    x = keras.Input((5,), dtype="float64")
    h = kl.Dense(4, dtype="float32", autocast=False, name="raw")(x)
    student = net2wider_net(keras.Model(x, kl.Dense(2)(kl.Dense(6, name="h")(h))), {"h": 9})
    assert student.get_layer("raw").autocast is False


@pytest.mark.filterwarnings("ignore:.*lambda.*")
@pytest.mark.parametrize(
    "how",
    [
        {"activation": twice_relu},
        {"activation": lambda x: ops.maximum(x, 0)},
        {"kernel_regularizer": Plain()},
        {"kernel_initializer": lambda shape, dtype=None: ops.ones(shape, dtype)},
    ],
    ids=["activation", "lambda", "regularizer", "initializer"],
)
def test_functions_and_objects_that_keras_has_not_registered(how):
    x = keras.Input((4,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(5, name="hidden", **how)(x))))
    students = [net2wider_net(teacher, {"hidden": 8}, seed=0)]
    if how.get("activation") is not twice_relu:
        students.append(net2deeper_net(teacher, "hidden"))
        assert students[-1].get_layer("hidden_deeper").activation is teacher.get_layer("hidden").activation
    for student in students:
        assert relative_gap(teacher, student) <= EXACT["float32"]
        key, value = next(iter(how.items()))
        assert getattr(student.get_layer("hidden"), key) is value


class NoConfig(kl.Layer):
    def __init__(self, factor):
        super().__init__(name="no_config")
        self.factor = factor

    def call(self, x):
        return x * self.factor


class Forgetful(kl.Layer):
    """Its settings do not tell of a weight that it has."""

    def __init__(self, scaled=False, **how):
        super().__init__(**how)
        self.scaled = scaled

    def build(self, shape):
        self.scale = self.add_weight((), "ones") if self.scaled else None

    def call(self, x):
        return x if self.scale is None else x * self.scale

    def get_config(self):
        return {"name": self.name}


def test_a_weight_that_the_settings_do_not_tell_of_is_missed():
    teacher = keras.Sequential([keras.Input((4,)), kl.Dense(3), kl.Dense(3), Forgetful(True, name="odd"), kl.Dense(2)])
    for grow in (lambda: net2wider_net(teacher, {teacher.layers[0].name: 6}), lambda: net2deeper_net(teacher)):
        with pytest.raises(Net2NetError, match="layer 'odd' .*it has 1 weights, a new one with its settings has 0"):
            grow()


def test_a_layer_that_cannot_be_copied_is_named():
    x = keras.Input((4,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(5, name="hidden")(NoConfig(np.full(4, 3.0))(x))))
    for make in (lambda: net2wider_net(teacher, {"hidden": 8}), lambda: net2deeper_net(teacher, "hidden")):
        with pytest.raises(Net2NetError, match="no_config"):
            make()


@pytest.mark.parametrize("activation", [functools.partial(keras.activations.relu, max_value=0.5), Clipped()])
def test_an_activation_that_keras_cannot_write_down_is_named(activation):
    x = keras.Input((4,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(5, activation=activation, name="hidden")(x)))
    for make in (lambda: net2wider_net(teacher, 2), lambda: net2deeper_net(teacher, "hidden")):
        with pytest.raises(
            Net2NetError,
            match=r"layer 'hidden' \(Dense\) cannot be rebuilt: .*\. It needs a get_config and from_config that agree",
        ):
            make()


class Thrice(keras.Model):
    """Made as a functional model, but what it computes is not its graph alone."""

    def call(self, x, training=None, mask=None):
        return 3 * super().call(x, training=training, mask=mask)


def test_a_class_made_on_a_graph_stays(float64):
    x = keras.Input((4,))
    teacher = randomize(Thrice(x, kl.Dense(2)(kl.Dense(5, activation="relu", name="hidden")(x)), name="thrice"))
    for student in (net2wider_net(teacher, 2, seed=0), net2deeper_net(teacher)):
        assert type(student) is Thrice
        assert relative_gap(teacher, student) <= EXACT["float64"]


def test_trainable_flags_of_models():
    inside = keras.Input((5,))
    part = keras.Model(inside, kl.Dense(5, name="in_part")(inside), name="part")
    row = keras.Sequential([keras.Input((5,)), kl.Dense(5, name="in_row")], name="row")
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(5, name="hidden")(row(part(x)))))
    part.trainable = row.trainable = False
    for student in (net2wider_net(teacher, {"hidden": 8}), net2deeper_net(teacher, "hidden")):
        assert not student.get_layer("part").trainable
        assert not student.get_layer("row").trainable
        frozen = {v.path for v in teacher.weights} - {v.path for v in teacher.trainable_weights}
        assert len(frozen) == 4
        assert {v.path for v in student.weights} - {v.path for v in student.trainable_weights} == frozen
    teacher.trainable = False
    student = net2wider_net(teacher, {"hidden": 8})
    assert not student.trainable
    assert student.trainable_weights == []
    teacher.get_layer("hidden").trainable = True
    student = net2wider_net(teacher, {"hidden": 8})
    assert [layer.trainable for layer in student.layers] == [layer.trainable for layer in teacher.layers]
    assert student.get_layer("hidden").trainable
    deeper = net2deeper_net(teacher, "hidden")
    assert deeper.get_layer("hidden_deeper").trainable
    part.trainable = False
    inner = net2deeper_net(teacher, "in_part").get_layer("part").get_layer("in_part_deeper")
    assert inner.trainable
    assert all(v.trainable for v in inner.weights)


def test_trainable_flags_below_a_layer():
    x = keras.Input((6, 4))
    attention = kl.MultiHeadAttention(2, 3, name="attention")
    rows = kl.LSTM(4, return_sequences=True, name="rows")
    each = kl.TimeDistributed(kl.Dense(4), name="each")
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(5, name="hidden")(each(rows(attention(x, x))))))
    attention.query_dense.trainable = rows.cell.trainable = each.layer.trainable = False
    teacher.get_layer("hidden").bias.trainable = False
    for student in (net2wider_net(teacher, {"hidden": 8}), net2deeper_net(teacher, "hidden")):
        assert not student.get_layer("attention").query_dense.trainable
        assert not student.get_layer("rows").cell.trainable
        for old in teacher.layers:
            new = student.get_layer(old.name)
            assert [v.trainable for v in new.weights] == [v.trainable for v in old.weights]


# What two layers share, and what has a name of Keras'


def leaky(v):
    return ops.where(v > 0, v, 0.2 * v)


leaky.__name__ = "relu"  # as a user's own may be called


def own(v):
    return v * ops.sigmoid(1.702 * v)


def shared_by_wrappers():
    x, y, dense = keras.Input((6, 3)), keras.Input((6, 3)), kl.Dense(4, activation="tanh")
    h = kl.Concatenate()([kl.TimeDistributed(dense)(x), kl.TimeDistributed(dense)(y)])
    return keras.Model([x, y], kl.Dense(2)(kl.Flatten()(h)))


def shared_by_a_wrapper_and_a_call():
    x, y, dense = keras.Input((6, 3)), keras.Input((3,)), kl.Dense(4)
    return keras.Model([x, y], [kl.Dense(2)(kl.TimeDistributed(dense)(x)), kl.Dense(2)(dense(y))])


def shared_by_a_wrapper_and_a_model():
    inside, x, y = keras.Input((3,)), keras.Input((6, 3)), keras.Input((3,))
    part = keras.Model(inside, kl.Dense(4)(inside))
    return keras.Model([x, y], [kl.Dense(2)(kl.TimeDistributed(part)(x)), kl.Dense(2)(part(y))])


def shared_as_a_cell():
    x, cell = keras.Input((6, 3)), kl.GRUCell(4)
    return keras.Model(x, kl.Dense(2)(kl.RNN(cell)(x) + kl.RNN(cell)(x)))


def shared_as_an_activation():
    x, slope = keras.Input((4,)), kl.PReLU()
    model = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation=slope)(kl.Dense(4, activation=slope)(x))))
    model(np.zeros((1, 4)))  # or the slope has no weight yet
    return model


@pytest.mark.parametrize(
    "make",
    [
        shared_by_wrappers,
        shared_by_a_wrapper_and_a_call,
        shared_by_a_wrapper_and_a_model,
        shared_as_a_cell,
        shared_as_an_activation,
    ],
)
def test_a_weight_that_two_layers_hold_is_refused(make):
    teacher = make()
    for grow in (lambda: net2wider_net(teacher, 2), lambda: net2deeper_net(teacher)):
        with pytest.raises(
            Net2NetError, match="layers '.*' and '.*' share the weight '.*', which a student's would not"
        ):
            grow()


def test_a_variable_in_an_operation_is_refused():
    x, scale = keras.Input((4,)), keras.Variable(2.0)
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(3, name="hidden")(x) * scale))
    for grow in (lambda: net2wider_net(teacher, 2), lambda: net2deeper_net(teacher)):
        with pytest.raises(Net2NetError, match="is called on a variable, .*; make it the weight of a layer"):
            grow()


def inside_a_wrapper(function):
    x = keras.Input((6, 3))
    return x, kl.TimeDistributed(kl.Dense(4, activation=function))(x)


def inside_a_cell(function):
    x = keras.Input((6, 3))
    return x, kl.RNN(kl.SimpleRNNCell(4, activation=function), return_sequences=True)(x)


def inside_a_model_in_a_wrapper(function):
    x, inside = keras.Input((6, 3)), keras.Input((3,))
    return x, kl.TimeDistributed(keras.Model(inside, kl.Dense(4, activation=function)(inside)))(x)


def inside_a_parametric_activation(function):
    x, phi = keras.Input((5,)), ParametricActivation(kl.Activation(function))
    h = phi(kl.Dense(4, name="before")(x))
    phi.a.assign(0.3)
    return x, h


def hard_sigmoid(v):
    """Not Keras' function of that name."""
    return ops.clip(0.3 * v + 0.4, 0, 1)


class ByName(kl.Layer):
    """Writes down its function by its name alone."""

    def __init__(self, phi, **how):
        super().__init__(**how)
        self.phi = keras.activations.get(phi)

    def call(self, x):
        return self.phi(x)

    def get_config(self):
        return super().get_config() | {"phi": keras.activations.serialize(self.phi)}


@pytest.mark.parametrize("function", [hard_sigmoid, ops.gelu])  # by these names Keras finds other functions
@pytest.mark.parametrize("holder", [kl.Lambda, ByName, lambda f: kl.TimeDistributed(kl.Lambda(f))])
def test_a_function_of_a_name_that_keras_knows_stays_itself(float64, holder, function):
    x = keras.Input((3, 5))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(6, name="hidden")(holder(function)(kl.Dense(4)(x))))))
    assert relative_gap(teacher, net2wider_net(teacher, {"hidden": 9}, seed=0)) <= EXACT["float64"]
    assert relative_gap(teacher, net2deeper_net(teacher, "hidden")) <= EXACT["float64"]


@pytest.mark.parametrize("function", [leaky, own])
@pytest.mark.parametrize(
    "inside", [inside_a_wrapper, inside_a_cell, inside_a_model_in_a_wrapper, inside_a_parametric_activation]
)
def test_a_users_function_stays_itself_wherever_it_stands(float64, inside, function):
    x, h = inside(function)
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(5, name="hidden")(h))))
    student = net2wider_net(teacher, {"hidden": 9}, split="random", seed=0)
    assert relative_gap(teacher, student) <= EXACT["float64"]
    assert relative_gap(teacher, net2deeper_net(student, "hidden")) <= EXACT["float64"]


def test_a_constraint_on_norms_changes_divided_weights_at_the_first_update(float64):
    unit = keras.constraints.UnitNorm()
    hidden = kl.Dense(6, "relu", kernel_constraint=unit, name="hidden")
    teacher = keras.Sequential([keras.Input((5,)), hidden, kl.Dense(2, kernel_constraint=unit)])
    for layer in teacher.layers:
        layer.kernel.assign(unit(layer.kernel))
    teacher.compile(keras.optimizers.SGD(0.0), "mse")
    student, x = net2wider_net(teacher, 2, split="equal", seed=0), example_inputs(teacher)
    assert relative_gap(teacher, student, x) <= EXACT["float64"]
    for model in (teacher, student):
        model.train_on_batch(x, np.zeros((16, 2)))
    assert relative_gap(teacher, student, x) > 0.1


# Activations that change


# Inputs and optimizers


class Maybe(kl.Layer):
    def call(self, x, more=None):
        return x if more is None else x + more

    def compute_output_shape(self, x_shape, more_shape=None):
        return x_shape


def test_an_optional_input_stays_optional(float64):
    x, more = keras.Input((5,)), keras.Input((5,), optional=True)
    teacher = randomize(keras.Model([x, more], kl.Dense(2)(kl.Dense(4, name="hidden")(Maybe()(x, more)))))
    for student in (net2wider_net(teacher, {"hidden": 6}), net2deeper_net(teacher, "hidden")):
        for inputs in ([np.ones((1, 5)), None], [np.ones((1, 5)), np.ones((1, 5))]):
            assert np.abs(np.asarray(teacher(inputs)) - np.asarray(student(inputs))).max() < 1e-12


def test_a_sparse_input_stays_sparse():
    x = keras.Input((5,), sparse=True)
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(4, name="hidden")(x)))
    assert net2wider_net(teacher, 2).inputs[0].sparse


@pytest.mark.parametrize("wrap", [lambda it: it, keras.optimizers.LossScaleOptimizer])
def test_what_does_not_decay_stays_so(wrap):
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2, name="end")(kl.Dense(4, activation="relu", name="hidden")(x)))
    inner = keras.optimizers.AdamW(weight_decay=0.1)
    inner.exclude_from_weight_decay(var_list=[teacher.get_layer("end").kernel], var_names=["bias"])
    teacher.compile(wrap(inner), "mse")
    for student in (net2wider_net(teacher, 2), net2deeper_net(teacher)):
        new = getattr(student.optimizer, "inner_optimizer", student.optimizer)
        decaying = {v.path for v in student.trainable_variables if new._use_weight_decay(v)}
        assert decaying == {v.path for v in student.trainable_variables if v.name == "kernel"} - {"end/kernel"}


def test_a_nested_model_that_is_given_more_than_it_takes_is_not_widened():
    left, right, x = keras.Input((4,), name="left"), keras.Input((4,), name="right"), keras.Input((5,))
    inside = {"left": left, "right": right}
    part = keras.Model(inside, kl.Concatenate()([kl.Dense(3, activation="relu")(left), kl.Dense(2)(right)]))
    given = {name: kl.Dense(4, name=f"to_{name}")(x) for name in ("more", "right", "left")}
    teacher = keras.Model(x, kl.Dense(2)(part(given)))
    with pytest.raises(Net2NetError, match="has 2 inputs but is called with 3; call it with its own alone"):
        net2wider_net(teacher, {"to_left": 6})


# Compiled alike


def custom_loss(y, p):
    return ops.mean((y - p) ** 2, axis=-1)


def custom_metric(y, p):
    return ops.max(ops.abs(y - p))


class Scaled(keras.losses.Loss):
    """A loss of the user's own, not registered with Keras."""

    def __init__(self, factor=2.0, name="scaled", **how):
        super().__init__(name=name, **how)
        self.factor = factor

    def call(self, y, p):
        return self.factor * ops.mean((y - p) ** 2, axis=-1)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


class Counter(keras.metrics.Metric):
    """A metric of the user's own, with an argument and a state."""

    def __init__(self, step, name="counter", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.step, self.total = step, self.add_variable((), "zeros")

    def update_state(self, y, p, sample_weight=None):
        self.total.assign_add(self.step)

    def result(self):
        return ops.convert_to_tensor(self.total)

    def get_config(self):
        return super().get_config() | {"step": self.step}


class Secretive(Counter):
    """The same without telling its settings: it cannot be copied."""

    def __init__(self, step):
        super().__init__(step)

    def get_config(self):
        return {}


COMPILED = {
    "names": lambda: {"optimizer": "adam", "loss": "mse", "metrics": ["mae", "mse"]},
    "custom_functions": lambda: {"optimizer": "sgd", "loss": custom_loss, "metrics": [custom_metric, "mae"]},
    "lambda": lambda: {"optimizer": "sgd", "loss": lambda y, p: ops.mean(ops.abs(y - p))},
    "objects": lambda: {
        "optimizer": keras.optimizers.AdamW(
            keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5), weight_decay=0.01
        ),
        "loss": keras.losses.Huber(delta=0.5),
        "metrics": [keras.metrics.MeanSquaredError(name="squared"), keras.metrics.R2Score()],
        "weighted_metrics": [keras.metrics.MeanAbsoluteError(name="absolute")],
    },
    "custom_objects": lambda: {"optimizer": "sgd", "loss": Scaled(3.0), "metrics": [Counter(2)]},
    "wrapped_function": lambda: {
        "optimizer": "sgd",
        "loss": keras.losses.MeanSquaredError(),
        "metrics": [keras.metrics.MeanMetricWrapper(custom_loss, name="wrapped")],
    },
    "switches": lambda: {"optimizer": "sgd", "loss": "mse", "run_eagerly": True, "jit_compile": False},
    "no_loss": lambda: {"optimizer": "sgd"},
}


@pytest.mark.parametrize("name", COMPILED)
def test_students_are_compiled_alike(eagerly, name):
    teacher = small()
    teacher.compile(**COMPILED[name]())
    x, y = digits(32)[0], np.random.default_rng(0).normal(size=(32, 3)).astype("float32")
    weight = np.linspace(0, 1, 32)
    for student in (net2wider_net(teacher, 2, seed=0), net2deeper_net(teacher)):
        assert student.compiled
        assert type(student.optimizer) is type(teacher.optimizer)
        assert student.optimizer is not teacher.optimizer
        assert student.optimizer.get_config() == teacher.optimizer.get_config()
        assert student.run_eagerly == teacher.run_eagerly
        assert student.jit_compile == teacher.jit_compile
        if name == "no_loss":
            continue
        before, after = (
            m.evaluate(x, y, sample_weight=weight, verbose=0, return_dict=True) for m in (teacher, student)
        )
        assert list(after) == list(before)
        np.testing.assert_allclose(list(after.values()), list(before.values()), rtol=1e-4)
        assert not {id(m) for m in student.metrics} & {id(m) for m in teacher.metrics}
        student.fit(x, y, verbose=0)


def test_a_metric_that_cannot_be_copied_leaves_the_student_uncompiled():
    teacher = small()
    teacher.compile("sgd", "mse", metrics=[Secretive(2)])
    for make in (lambda: net2wider_net(teacher, 2, seed=0), lambda: net2deeper_net(teacher)):
        with pytest.warns(
            UserWarning, match="the student is not compiled, because the teacher's settings cannot be copied"
        ):
            student = make()
        assert not student.compiled
        assert relative_gap(teacher, student) <= EXACT["float32"]


def test_loss_weights_by_output():
    x = keras.Input((4,))
    h = kl.Dense(5, activation="relu", name="hidden")(x)
    teacher = randomize(keras.Model(x, {"a": kl.Dense(1, name="a")(h), "b": kl.Dense(2, name="b")(h)}))
    teacher.compile("sgd", {"a": "mse", "b": custom_loss}, loss_weights={"a": 0.25, "b": 3.0}, metrics={"b": ["mae"]})
    data = np.ones((8, 4)), {"a": np.ones((8, 1)), "b": np.zeros((8, 2))}
    before = teacher.evaluate(*data, verbose=0, return_dict=True)
    for student in (net2wider_net(teacher, 2), net2deeper_net(teacher)):
        after = student.evaluate(*data, verbose=0, return_dict=True)
        assert after == pytest.approx(before, rel=1e-5)
        student.fit(*data, verbose=0)


def test_the_learning_rate_of_now():
    teacher = small()
    teacher.compile(keras.optimizers.SGD(0.5, momentum=0.9, nesterov=True), "mse")
    teacher.optimizer.learning_rate = 0.125
    student = net2wider_net(teacher, 2)
    assert float(student.optimizer.learning_rate) == 0.125
    assert (student.optimizer.momentum, student.optimizer.nesterov) == (0.9, True)
    assert int(student.optimizer.iterations) == 0
    student.optimizer.learning_rate = 0.5
    assert float(teacher.optimizer.learning_rate) == 0.125


def test_a_teacher_that_is_not_compiled():
    assert not net2wider_net(small(), 2).compiled
    assert not net2deeper_net(small()).compiled


def test_mixed_precision_keeps_its_loss_scale():
    with dtype("float32"):
        keras.config.set_dtype_policy("mixed_float16")
        teacher = small()
        teacher.compile("sgd", "mse")
    student = net2wider_net(teacher, 2, seed=0)
    assert type(student.optimizer) is type(teacher.optimizer)
    x, y = digits(32)[0], np.zeros((32, 3))
    assert np.isfinite(student.fit(x, y, verbose=0).history["loss"]).all()


# The teacher stays as it was


@pytest.mark.parametrize("build", [small, settled])
def test_the_teacher_is_untouched(eagerly, build):
    teacher = build()
    teacher.compile(keras.optimizers.Adam(0.01), "mse", metrics=["mae"])
    x = example_inputs(teacher)
    teacher.train_on_batch(x, np.zeros(ops.shape(teacher(x))))
    metrics = teacher.metrics
    before = snapshot(teacher), [v.numpy().tobytes() for v in teacher.optimizer.variables]
    students = [
        net2wider_net(teacher, 2, noise=0.1, seed=0),
        net2wider_net(teacher, 2, init="randompad", seed=0),
        net2deeper_net(teacher),
        net2deeper_net(teacher, batch_norm=True, x=x),
    ]
    for student in students:
        function_gap(teacher, student)
        student.compile("sgd", "mse")
        student.fit(x, np.zeros(ops.shape(teacher(x))), verbose=0)
    assert (snapshot(teacher), [v.numpy().tobytes() for v in teacher.optimizer.variables]) == before
    assert teacher.metrics == metrics
    shared = {id(v) for v in teacher.variables}
    for student in students:
        assert not shared & {id(v) for v in student.variables}
        assert not {id(layer) for layer in teacher.layers} & {id(layer) for layer in student.layers}


def test_a_refusal_leaves_the_teacher_untouched():
    teacher = small()
    before = snapshot(teacher)
    for make in (
        lambda: net2wider_net(teacher, {"hidden": 2}),
        lambda: net2wider_net(teacher, {"end": 20}),
        lambda: net2deeper_net(teacher, ["conv", "end"]),
    ):
        with pytest.raises(Net2NetError):
            make()
    assert snapshot(teacher) == before


def test_an_activation_that_is_a_layer_is_not_shared_with_the_student():
    x = keras.Input((4,))
    h = kl.Dense(5, name="other")(kl.Dense(6, activation=kl.PReLU(), name="with_prelu")(x))
    teacher = randomize(keras.Model(x, kl.Dense(2)(h)))
    for student in (net2wider_net(teacher, {"other": 8}, seed=0), net2deeper_net(teacher, "other")):
        assert not {id(v) for v in teacher.variables} & {id(v) for v in student.variables}
        assert relative_gap(teacher, student) <= EXACT["float32"]


# Deeper


def test_lora_weights_widen_too(float64):
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation="relu", name="hidden")(x)))
    teacher.get_layer("hidden").enable_lora(2)
    randomize(teacher)
    student = net2wider_net(teacher, {"hidden": 8}, split="random", seed=0)
    assert student.get_layer("hidden").lora_kernel_b.shape == (2, 8)
    assert relative_gap(teacher, student) <= EXACT["float64"]


@pytest.mark.parametrize("mode", ["int4", "float8"])
def test_quantized_weights_do_not_widen(mode):
    x = keras.Input((5,))
    teacher = keras.Model(x, kl.Dense(2)(kl.Dense(4, activation="relu", name="hidden")(x)))
    teacher.get_layer("hidden").quantize(mode)
    with pytest.raises(Net2NetError, match="layer 'hidden'.*(holds int8|is quantized)"):
        net2wider_net(teacher, {"hidden": 8})


def test_a_quantized_model_is_refused():
    teacher = keras.Sequential([keras.Input((8,)), kl.Dense(6, name="hidden"), kl.Dense(2)])
    teacher.quantize("int8")
    with pytest.raises(
        Net2NetError, match="layer 'hidden' cannot be followed: it is quantized; let the model grow first"
    ):
        net2deeper_net(teacher, "hidden")
    with pytest.raises(Net2NetError, match="hidden"):
        net2wider_net(teacher, 2)


def test_what_nested_models_share_stays_shared(float64):
    shared = kl.Dense(5, activation="relu", name="shared")

    def part(name):
        inside = keras.Input((5,))
        return keras.Model(inside, kl.Dense(5)(shared(inside)), name=name)

    x = keras.Input((5,))
    teacher = randomize(keras.Model(x, kl.Dense(2)(shared(part("second")(part("first")(x))))))
    for student in (net2wider_net(teacher, {"shared": 8}, seed=0), net2deeper_net(teacher, "shared")):
        assert relative_gap(teacher, student) <= EXACT["float64"]
        parts = student.get_layer("first"), student.get_layer("second"), student
        assert len({id(part.get_layer("shared")) for part in parts}) == 1


# copy_weights


def test_copy_weights_reports_what_it_did():
    teacher, student = small(), net2wider_net(small(), {"hidden": 9})
    student.set_weights([np.zeros(w.shape) for w in student.weights])
    report = copy_weights(teacher, student, ["conv", "norm", "pool", "hidden", "end", "nowhere"])
    assert report.copied == ["conv", "norm"]
    assert report.left_out == {
        "pool": "it has no weights",
        "hidden": "shapes differ, teacher (36, 6) (6,), student (36, 9) (9,)",
        "end": "shapes differ, teacher (6, 3) (3,), student (9, 3) (3,)",
        "nowhere": "the teacher and the student has no layer of this name",
    }
    for name in ("conv", "norm"):
        for left, right in zip(teacher.get_layer(name).weights, student.get_layer(name).weights, strict=True):
            np.testing.assert_array_equal(left, right)
    assert not student.get_layer("hidden").kernel.numpy().any()
    lines = str(report).splitlines()
    assert lines[:3] == ["copied    conv", "copied    norm", "left out  pool: it has no weights"]


def test_copied_statistics_are_computed_with():
    """Normalization computes with a copy of its statistics, which must be made anew when these are copied."""
    x = np.random.default_rng(0).normal(5, 3, size=(50, 4)).astype("float32")

    def model():
        return keras.Sequential([keras.Input((4,)), kl.Normalization(name="norm"), kl.Dense(3, name="end")])

    teacher, student = model(), model()
    teacher.get_layer("norm").adapt(x)
    copy_weights(teacher, student, ["norm", "end"])
    assert function_gap(teacher, student, x) == 0


def test_copy_weights_says_which_model_lacks_the_layer():
    teacher = small()
    other = keras.Sequential([keras.Input((4,)), kl.Dense(3, name="only_here")])
    other.add(kl.Activation("relu", name="hidden"))
    report = copy_weights(teacher, other, ["only_here", "conv", "hidden"])
    assert report.copied == []
    assert report.left_out["only_here"] == "the teacher has no layer of this name"
    assert report.left_out["conv"] == "the student has no layer of this name"
    assert report.left_out["hidden"].startswith("shapes differ, teacher (36, 6) (6,), student")


def test_copy_weights_wants_a_list():
    with pytest.raises(
        Net2NetError, match=r"layer_names: expected a list of names, got the string 'conv'; write \['conv'\]"
    ):
        copy_weights(small(), small(), "conv")


# function_gap


def test_function_gap_is_the_largest_absolute_difference():
    x = keras.Input((2,))
    models = []
    for bias in ([0.0, 0.0], [-3.0, 2.0]):
        out = kl.Dense(2, use_bias=True, name=f"out{len(models)}")
        model = keras.Model(x, out(x))
        out.set_weights([np.eye(2), np.array(bias)])
        models.append(model)
    assert function_gap(*models, np.zeros((3, 2))) == 3  # neither the signed sum nor the mean
    assert function_gap(*models) == pytest.approx(3, abs=1e-5)
    assert isinstance(function_gap(*models), float)


def test_function_gap_does_not_lose_precision():
    with dtype("float64"):
        x = keras.Input((1,))
        left, right = (keras.Model(x, kl.Dense(1, name=name)(x)) for name in "ab")
    left.set_weights([np.ones((1, 1)), np.zeros(1)])
    right.set_weights([np.ones((1, 1)), np.full(1, 1e-13)])
    assert 0.9e-13 < function_gap(left, right, np.zeros((4, 1))) < 1.1e-13


def test_function_gap_over_several_outputs():
    x = keras.Input((3,))
    a, b = kl.Dense(2, name="a"), kl.Dense(4, name="b")
    h = kl.Dense(3)(x)
    teacher = keras.Model(x, [a(h), b(h)])
    student = keras.models.clone_model(teacher)
    student.set_weights(teacher.get_weights())
    assert function_gap(teacher, student) == 0
    student.get_layer("b").bias.assign([0, 0, 0, 5.0])
    assert function_gap(teacher, student) == pytest.approx(5)


def test_function_gap_says_nan():
    teacher, student = small(), small()
    student.get_layer("end").bias.assign([0, np.nan, 0])
    assert np.isnan(function_gap(teacher, student))
    assert np.isnan(function_gap(student, teacher))


def test_function_gap_uses_inference_mode():
    x = keras.Input((4,))
    model = keras.Model(x, kl.Dropout(0.5)(kl.BatchNormalization()(x)))
    assert function_gap(model, model) == 0


@pytest.mark.parametrize(("least", "most"), [(1, 6), (64, 200)])
def test_function_gap_draws_what_the_teacher_takes(least, most):
    class Window(kl.Layer):
        def call(self, x):
            if x.shape[1] is not None and not least <= x.shape[1] <= most:
                raise ValueError("it takes no such length")
            return x

    source = keras.Input((None, 3))
    model = keras.Model(source, kl.Dense(2)(Window()(source)))
    assert function_gap(model, model) == 0
    with pytest.raises(Net2NetError, match="it takes no such length"):
        function_gap(model, model, np.zeros((2, most + 1, 3)))


def test_function_gap_refuses_other_shapes():
    x = keras.Input((4,))
    h = kl.Dense(3)(x)
    left, right, two = keras.Model(x, h), keras.Model(x, kl.Dense(1)(h)), keras.Model(x, [h, h])
    with pytest.raises(
        Net2NetError, match=r"student: expected outputs of shape \(16, 3\), as the teacher's, got \(16, 1\)"
    ):
        function_gap(left, right)
    with pytest.raises(Net2NetError, match=r"expected outputs of shape \(16, 3\), .* got \(16, 3\), \(16, 3\)"):
        function_gap(left, two)


def test_example_inputs_fit_the_model():
    image, tokens = keras.Input((None, 8, 3), name="image"), keras.Input((None,), dtype="int32", name="tokens")
    flag, half = keras.Input((2,), dtype="bool", name="flag"), keras.Input((4,), dtype="float16", name="half")
    words = kl.GlobalAveragePooling1D()(kl.Embedding(5, 3)(tokens))
    parts = [kl.GlobalMaxPooling2D()(image), words, ops.cast(flag, "float32"), ops.cast(half, "float32")]
    head = kl.Dense(2)(kl.Concatenate()(parts))
    x = example_inputs(keras.Model([image, tokens, flag, half], head))
    assert [a.shape for a in x] == [(16, 32, 8, 3), (16, 32), (16, 2), (16, 4)]
    assert [a.dtype for a in x] == ["float32", "int32", "bool", "float16"]
    assert x[1].min() >= 0
    assert x[1].max() == 4
    assert abs(x[0].std() - 1) < 0.1
    named = {"image": image, "tokens": tokens, "flag": flag, "half": half}
    teacher = keras.Model(named, head)
    x = example_inputs(teacher)
    assert sorted(x) == ["flag", "half", "image", "tokens"]
    assert function_gap(teacher, teacher) == function_gap(teacher, teacher, x) == 0


def test_example_inputs_without_an_embedding_are_0_and_1_or_true_and_false():
    count, flag = keras.Input((3,), dtype="int32"), keras.Input((3,), dtype="bool")
    both = kl.Concatenate()([ops.cast(count, "float32"), ops.cast(flag, "float32")])
    for x in example_inputs(keras.Model([count, flag], kl.Dense(2)(both))):
        assert set(x.ravel().tolist()) == {0, 1}


def test_example_inputs_for_an_embedding_with_float_tokens():
    teacher = keras.Sequential([keras.Input((6,)), kl.Embedding(5, 3), kl.Flatten(), kl.Dense(2)])
    x = example_inputs(teacher)
    np.testing.assert_array_equal(x, x.round())
    assert (x.min(), x.max()) == (0, 4)
    assert function_gap(teacher, net2wider_net(teacher, 2)) < 1e-5


# NaN and infinity


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_bad_weights_pass_with_a_warning(bad):
    teacher = small()
    teacher.get_layer("hidden").bias.assign(np.full(6, bad))
    told = "hidden/bias.*: has NaN or infinite weights; they are copied as they are"
    with pytest.warns(RuntimeWarning, match=told) as caught:
        student = net2wider_net(teacher, 2)
    assert caught[0].filename == __file__  # it points to the caller's line
    assert not np.isfinite(student.get_layer("hidden").bias.numpy()).any()


# Errors: each is read


def unbuilt():
    return keras.Sequential([kl.Dense(4, name="first"), kl.Dense(2)], name="unbuilt")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="subclassed")
        self.first, self.second = kl.Dense(4), kl.Dense(2)

    def call(self, x):
        return self.second(self.first(x))


ERRORS = {
    "smaller": (
        lambda: net2wider_net(small(), {"hidden": 5}),
        "widths: layer 'hidden' has 6 channels; expected more than that, got 5",
    ),
    "equal": (lambda: net2wider_net(small(), {"hidden": 6}), "widths: layer 'hidden' has 6 channels; .* got 6"),
    "zero": (lambda: net2wider_net(small(), {"hidden": 0}), r"widths\['hidden'\]: expected at least 1, got 0"),
    "float": (
        lambda: net2wider_net(small(), {"hidden": 8.0}),
        r"widths\['hidden'\]: expected an integer, got 8.0; round it first",
    ),
    "bool_factor": (lambda: net2wider_net(small(), True), "widths: expected a factor over 1 or a dict .*, got True"),
    "factor_one": (lambda: net2wider_net(small(), 1), "widths: expected a factor over 1 or a dict .*, got 1"),
    "factor_low": (lambda: net2wider_net(small(), 0.5), "widths: expected a factor over 1 .*, got 0.5"),
    "factor_nan": (lambda: net2wider_net(small(), float("nan")), "widths: expected a factor over 1 .*, got nan"),
    "factor_inf": (lambda: net2wider_net(small(), float("inf")), "widths: expected a factor over 1 .*, got inf"),
    "factor_text": (lambda: net2wider_net(small(), "2"), "widths: expected a factor over 1 .*, got '2'"),
    "factor_none": (lambda: net2wider_net(small(), None), "widths: expected a factor over 1 .*, got None"),
    "empty": (
        lambda: net2wider_net(small(), {}),
        "widths: expected {layer name: new width} or a factor over 1, got an empty dict$",
    ),
    "unknown": (
        lambda: net2wider_net(small(), {"hiddenn": 9}),
        "widths: the model has no layer 'hiddenn'; near names: 'hidden'",
    ),
    "unknown_far": (
        lambda: net2wider_net(small(), {"qqqq": 9}),
        "widths: the model has no layer 'qqqq'; near names: 'conv'",
    ),
    "output": (
        lambda: net2wider_net(small(), {"end": 9}),
        "widths: layer 'end' cannot be widened: it is the model's output",
    ),
    "init": (
        lambda: net2wider_net(small(), 2, init="zeros"),
        "init: expected 'net2wider' or 'zeropad' or 'randompad', got 'zeros'",
    ),
    "split": (
        lambda: net2wider_net(small(), 2, split="half"),
        "split: expected 'equal' or 'random' or 'weights' or 'noise', got 'half'",
    ),
    "noise": (lambda: net2wider_net(small(), 2, noise=-1), "noise: expected a standard deviation of 0 or more, got -1"),
    "unbuilt": (
        lambda: net2wider_net(unbuilt(), 2),
        r"model 'unbuilt' is not built, so its layers have no weights yet; add .* model.build\(input_shape\)$",
    ),
    "subclassed": (
        lambda: net2wider_net(Subclassed(), 2),
        r"model 'subclassed' is not built",
    ),
    "no_model": (lambda: net2wider_net([1], 2), "model: expected a keras.Model, got list"),
    "no_hidden": (
        lambda: net2wider_net(keras.Sequential([keras.Input((2,)), kl.Dense(2)], name="flat"), 2),
        "widths: model 'flat' has no hidden layer to widen",
    ),
    "noise_none": (lambda: net2wider_net(small(), 2, noise=None), "noise: expected a standard deviation .*, got None"),
    "noise_text": (lambda: net2wider_net(small(), 2, noise="x"), "noise: expected a standard deviation .*, got 'x'"),
    "seed_negative": (lambda: net2wider_net(small(), 2, seed=-1), "seed: expected at least 0, got -1"),
    "factor_complex": (lambda: net2wider_net(small(), np.complex64(2)), "widths: expected a factor over 1"),
    "factor_huge": (lambda: net2wider_net(small(), 1e300), r"widths: expected at most 2147483647 units, got \d"),
    "init_array": (lambda: net2wider_net(small(), 2, init=np.array(["a", "b"])), "init: expected 'net2wider' or"),
    "gap_of_texts": (
        lambda: function_gap(
            keras.Sequential([keras.Input((2,), dtype="string", name="text"), kl.Hashing(3)]), small()
        ),
        "x: input 'text' takes texts, which cannot be drawn; give inputs of your own$",
    ),
    "gap_none": (lambda: function_gap(small(), None), "student: expected a keras.Model, got None"),
    "gap_unbuilt": (lambda: function_gap(unbuilt(), unbuilt()), "x: model 'unbuilt' is not built, so no inputs"),
    "gap_subclassed": (lambda: function_gap(Subclassed(), small()), "x: model 'subclassed' is not built, so no inputs"),
    "gap_shape": (lambda: function_gap(small(), small(), np.zeros((3, 7))), "x: model .* cannot be called on it: "),
    "gap_empty": (
        lambda: function_gap(small(), small(), np.zeros((0, 8, 8, 1))),
        r"x: expected at least one example, got an array of shape \(0, 8, 8, 1\)",
    ),
    "copy_none": (lambda: copy_weights(small(), small(), None), "layer_names: expected a list of names, got None"),
    "copy_text": (lambda: copy_weights("small", small(), []), "teacher: expected a keras.Model, got 'small'"),
    "gap_no_model": (
        lambda: function_gap(small(), keras.Sequential([keras.Input((8, 8, 1)), kl.Flatten()])),
        "student: expected",
    ),
}


@pytest.mark.parametrize("name", ERRORS)
def test_errors_say_what_was_expected_and_what_came(name):
    call, message = ERRORS[name]
    with pytest.raises(Net2NetError, match=message):
        call()


@pytest.mark.parametrize("call", [lambda: net2wider_net(small(), 2), lambda: net2deeper_net(small())])
def test_another_backend_is_named(monkeypatch, call):
    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(Net2NetError, match="Keras runs on torch, and .* KERAS_BACKEND=tensorflow .* with torch too"):
        call()


def ones(shape, dtype=None):
    return keras.ops.ones(shape, dtype)


def test_initializers_that_hold_an_array_serve_their_own_shape_only(float64, tmp_path):
    constant = keras.initializers.Constant
    table, kernel, bias = (np.random.default_rng(0).normal(size=size) for size in ((10, 4), (4, 6), (6,)))
    layers = [
        keras.Input((6,), dtype="int32"),
        kl.Embedding(10, 4, embeddings_initializer=constant(table), name="words"),
        kl.GlobalAveragePooling1D(),
        kl.Dense(6, "relu", kernel_initializer=constant(kernel), bias_initializer=constant(bias), name="h"),
        kl.Dense(2, kernel_initializer=ones, name="out"),
    ]
    teacher = keras.Sequential(layers)
    x = example_inputs(teacher)
    deeper = net2deeper_net(teacher, "h", seed=0)
    assert deeper.get_layer("h").kernel_initializer is teacher.get_layer("h").kernel_initializer
    for student in (net2wider_net(teacher, {"words": 7, "h": 9}, seed=0), net2wider_net(teacher, {"h": 9}), deeper):
        assert relative_gap(teacher, student, x) <= EXACT["float64"]
        student.save(tmp_path / "student.keras")
        again = keras.models.load_model(tmp_path / "student.keras", custom_objects={"ones": ones})
        np.testing.assert_array_equal(again(x), student(x))
        assert relative_gap(teacher, net2wider_net(again, 2, seed=0), x) <= EXACT["float64"]
    randominit = net2deeper_net(teacher, "h", init="randominit", seed=0)
    assert np.std(randominit.get_layer("h_deeper").kernel) > 0
    plain = keras.Sequential([keras.Input((3,)), kl.Dense(4, kernel_initializer=ones, name="h"), kl.Dense(2)])
    drawn = net2deeper_net(plain, "h", init="randominit").get_layer("h_deeper").kernel
    np.testing.assert_array_equal(drawn, np.ones((4, 4)))


class Doubled(kl.Layer):
    """Not registered with Keras."""

    def call(self, x):
        return 2 * x

    def compute_output_shape(self, shape):
        return shape


def test_a_layer_that_keras_does_not_know_may_stand_in_a_wrapper(float64):
    x = keras.Input((6, 3))
    h = kl.TimeDistributed(Doubled())(kl.Dense(4, name="first")(x))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(4, activation="relu", name="h")(h))))
    for student in (net2wider_net(teacher, {"h": 7}), net2deeper_net(teacher, "h")):
        assert relative_gap(teacher, student) <= EXACT["float64"]
    assert relative_gap(teacher, net2wider_net(teacher, {"first": 7}, seed=0)) <= EXACT["float64"]


def test_settings_that_are_a_table_are_carried_over(float64):
    x = keras.Input((5,))
    h = kl.Embedding(3, 4)(kl.Discretization([-0.5, 0.5])(x))
    teacher = randomize(keras.Model(x, kl.Dense(2)(kl.Dense(4, activation="relu", name="h")(h))))
    for student in (net2wider_net(teacher, 2, seed=0), net2deeper_net(teacher, "h")):
        assert relative_gap(teacher, student) <= EXACT["float64"]


def test_attention_may_give_outputs_of_two_axes(float64):
    x = keras.Input((4, 3))
    attention = kl.MultiHeadAttention(2, 3, output_shape=(2, 5), name="attention")
    teacher = randomize(keras.Model(x, kl.Dense(2)(attention(x, x))))
    for widths in ({"attention.num_heads": 3}, {"attention.value_dim": 5}):
        assert relative_gap(teacher, net2wider_net(teacher, widths, seed=0)) <= EXACT["float64"]


def test_a_hidden_layer_that_is_also_an_output():
    x = keras.Input((4,))
    h = kl.Dense(5, name="hidden", activation="relu")(x)
    teacher = keras.Model(x, [h, kl.Dense(2)(h)])
    with pytest.raises(Net2NetError, match="layer 'hidden' cannot be widened: it is the model's output"):
        net2wider_net(teacher, {"hidden": 9})
    with pytest.raises(Net2NetError, match="layer 'hidden' cannot be followed: it makes the model's output"):
        net2deeper_net(teacher, "hidden")


# Real architectures


APPLICATIONS = "VGG16 ResNet50 ResNet50V2 DenseNet121 MobileNet MobileNetV2 EfficientNetB0 Xception".split()


@pytest.mark.parametrize("name", APPLICATIONS)
def test_applications(float64, traced_once, name):
    teacher, x = zoo.build(name, side=64 if name == "EfficientNetB0" else 32)
    shared(teacher)
    before = outputs(teacher, x)
    assert not_trivial(before)
    student = net2wider_net(teacher, 1.25, split="random", seed=0)
    assert student.count_params() > 1.3 * teacher.count_params()
    assert gap(before, outputs(student, x)) <= EXACT["float64"]
    del student
    convolutions = [layer for layer in teacher.layers if type(layer) is kl.Conv2D]
    widths = {layer.name: layer.filters + 3 for layer in (convolutions[0], convolutions[len(convolutions) // 2])}
    student = net2wider_net(teacher, widths, seed=0)
    assert {name: student.get_layer(name).filters for name in widths} == widths
    assert gap(before, outputs(student, x)) <= EXACT["float64"]
    del student
    student = net2deeper_net(teacher, list(widths), activation="linear")
    assert len(student.layers) == len(teacher.layers) + 2
    assert gap(before, outputs(student, x)) <= EXACT["float64"]
    del SHARED[teacher]  # these are large


# ------------------------------------------------------------------ how groups are told


def test_a_concatenation_ties_nothing_and_a_sum_does():
    x = keras.Input((4,))
    h = kl.Add(name="sum")([kl.Dense(4, name="a")(x), kl.Dense(4, name="b")(x)])
    h = kl.Concatenate(name="both")([h, kl.Dense(3, name="c")(x)])
    groups = channel_groups(keras.Model(x, kl.Dense(2, name="out")(h)))
    assert {tuple(group.layers): group.tied_by for group in groups} == {("a", "b"): ["sum"], ("c",): [], ("out",): []}


@pytest.mark.parametrize("end", ["softmax", "linear"])
def test_a_softmax_over_classes_is_the_models_output(end, recwarn):
    layers = [kl.Dense(8, "relu", name="hidden"), kl.Dense(3, end, name="classes")]
    teacher = keras.Sequential([keras.Input((4,)), *layers])
    (group,) = [group for group in channel_groups(teacher) if "classes" in group.layers]
    assert group.fixed.startswith("it is the model's output")
    net2wider_net(teacher, 2)
    assert not [told for told in recwarn if "stayed as they are" in str(told.message)]


def test_a_depth_multiplier_is_a_width_that_can_be_named():
    x = keras.Input((4, 4, 2))
    h = kl.DepthwiseConv2D(3, depth_multiplier=2, name="apart")(kl.Conv2D(4, 1, name="makes")(x))
    teacher = keras.Model(x, kl.Dense(2, name="out")(kl.GlobalAveragePooling2D()(h)))
    student = net2wider_net(teacher, {"apart.depth_multiplier": 3}, seed=0)
    assert student.get_layer("apart").depth_multiplier == 3
    assert function_gap(teacher, student) < 1e-5


def test_what_stays_is_named_where_nothing_can_widen():
    teacher = keras.Sequential([keras.Input((4,)), kl.Dense(8, name="hidden"), kl.Softmax(name="mixes"), kl.Dense(2)])
    with pytest.raises(Net2NetError, match=r"no hidden layer to widen; it mixes channels \(Softmax in \w+/mixes\)"):
        net2wider_net(teacher, 2)

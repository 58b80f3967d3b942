"""Training does not notice the growth: what an optimizer has gathered goes on, and so do its rates."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers as kl
from keras import optimizers as ko
from models_for_tests import float64, quietly, relative_gap

from helpers import Net2NetError, grow_into, growth, net2deeper_net, net2wider_net, use_rates
from helpers.training import NoLaw, law_of

__all__ = ["float64"]
BATCH = 16


def dense(normal=False):
    normal = [kl.BatchNormalization(name="norm")] if normal else []
    hidden = [kl.Dense(6, "relu", name="a"), *normal, kl.Dense(4, "tanh", name="b"), kl.Dense(3, name="end")]
    return keras.Sequential([keras.Input((5,)), *hidden])


def convolutional():
    layers = [kl.Conv2D(4, 3, use_bias=False), kl.BatchNormalization(), kl.ReLU(), kl.MaxPooling2D()]
    return keras.Sequential(
        [keras.Input((8, 8, 2)), *layers, kl.Conv2D(4, 3, activation="elu"), kl.Flatten(), kl.Dense(3)]
    )


def attentive():
    x = keras.Input((5, 4))
    h = kl.Dense(8)(x)
    h = h + kl.MultiHeadAttention(2, 4)(h, h)
    h = h + kl.Dense(8)(kl.Dense(12, "gelu")(h))
    return keras.Model(x, kl.Dense(3)(kl.GlobalAveragePooling1D()(h)))


def recurrent():
    layers = [kl.LSTM(4, return_sequences=True), kl.GRU(4), kl.Dense(3)]
    return keras.Sequential([keras.Input((5, 4)), *layers])


def normalized():
    x = keras.Input((5,))
    h = kl.Dense(8)(x)
    h = h + kl.Dense(8)(kl.Dense(6, "relu")(kl.LayerNormalization()(h)))
    return keras.Model(x, kl.Dense(3)(kl.LayerNormalization()(h)))


def batches(model, count, seed=0):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(BATCH, *model.input_shape[1:])), rng.normal(size=(BATCH, 3))) for _ in range(count)]


def trained(build, optimizer, updates=5):
    """A compiled teacher after some updates."""
    keras.utils.set_random_seed(0)
    teacher = build()
    teacher.compile(optimizer, "mse")
    for x, y in batches(teacher, updates, seed=1):
        teacher.train_on_batch(x, y)
    return teacher


def parting(teacher, student, updates):
    """The largest gap between two models that are trained on, beside the largest output, at any update."""
    worst, data = 0.0, batches(teacher, updates)
    runs = [tf.function(model) for model in (teacher, student)]  # traced once, and called after every update
    for x, y in data:
        for model in (teacher, student):
            model.train_on_batch(x, y)
        worst = max(worst, relative_gap(*runs, data[0][0]))
    return worst


TINY = {"epsilon": 1e-16}  # epsilon is a part of the rule that shares do not go through
OPTIMIZERS = {
    "sgd": lambda: ko.SGD(0.01),
    "momentum": lambda: ko.SGD(0.01, momentum=0.9),
    "nesterov": lambda: ko.SGD(0.01, momentum=0.9, nesterov=True),
    "adam": lambda: ko.Adam(0.01, **TINY),
    "adamw": lambda: ko.AdamW(0.01, weight_decay=0.1, **TINY),
    "amsgrad": lambda: ko.Adam(0.01, amsgrad=True, **TINY),
    "nadam": lambda: ko.Nadam(0.01, **TINY),
    "adamax": lambda: ko.Adamax(0.01, **TINY),
    "rmsprop": lambda: ko.RMSprop(0.01, momentum=0.5, centered=True, **TINY),
    "adagrad": lambda: ko.Adagrad(0.01, **TINY),
    "adadelta": lambda: ko.Adadelta(0.1),
    "lion": lambda: ko.Lion(0.001),
    "averages": lambda: ko.SGD(0.01, momentum=0.9, use_ema=True, ema_overwrite_frequency=7),
    "accumulation": lambda: ko.SGD(0.01, momentum=0.9, gradient_accumulation_steps=3),
    "schedule": lambda: ko.SGD(ko.schedules.CosineDecay(0.05, 100, warmup_target=0.1, warmup_steps=10), momentum=0.9),
}


LONG = ("sgd", "momentum", "nesterov", "adam", "adamw", "amsgrad")  # 200 updates, for equal and unequal shares


@pytest.mark.parametrize(
    ("name", "split"), [(name, "random") for name in OPTIMIZERS] + [(name, "equal") for name in LONG]
)
@pytest.mark.usefixtures("float64")
def test_student_and_continued_teacher_stay_equal(name, split):
    teacher = trained(dense, OPTIMIZERS[name](), 7)
    student = net2wider_net(teacher, {"a": 9, "b": 8}, split=split, seed=0)
    assert growth(student).optimizer == "goes on"
    use_rates(student, growth(student).rates)
    # What Adadelta divides by begins as epsilon alone.
    limit = 1e-4 if name == "adadelta" else 1e-9
    assert parting(teacher, student, 200 if name in LONG else 40) < limit


@pytest.mark.parametrize("build", [convolutional, attentive, recurrent])
@pytest.mark.parametrize(("name", "split"), [("momentum", "equal"), ("adam", "random")])
@pytest.mark.usefixtures("float64")
def test_models_of_all_kinds_stay_equal(build, name, split):
    teacher = trained(build, OPTIMIZERS[name]())
    student = quietly(net2wider_net, teacher, 2, split=split, seed=0)
    use_rates(student, growth(student).rates)
    assert parting(teacher, student, 40) < 1e-9


@pytest.mark.usefixtures("float64")
def test_layer_normalization_stays_equal_with_equal_shares():
    teacher = trained(normalized, OPTIMIZERS["adam"]())
    student = quietly(net2wider_net, teacher, 2, split="equal", seed=0)
    use_rates(student, growth(student).rates)
    assert parting(teacher, student, 40) < 1e-9


def test_what_training_alone_reads_is_not_left_at_zero():
    """A spectral normalization divides by what its vector finds."""
    layers = [kl.SpectralNormalization(kl.Dense(6)), kl.Dense(3)]
    teacher = trained(lambda: keras.Sequential([keras.Input((5,)), *layers]), ko.SGD(0.01))
    student = net2wider_net(teacher, 2, seed=0)
    assert np.isfinite(student.train_on_batch(*batches(teacher, 1)[0]))


@pytest.mark.usefixtures("float64")
def test_without_the_state_or_the_rates_they_part():
    """What the tests above would find."""
    teacher = trained(dense, OPTIMIZERS["adam"](), 50)
    fresh = net2wider_net(teacher, {"a": 9}, split="random", seed=0, optimizer="fresh")
    use_rates(fresh, growth(fresh).rates)
    assert growth(fresh).optimizer is None
    assert parting(teacher, fresh, 3) > 1e-3
    unrated = net2wider_net(teacher, {"a": 9}, split="random", seed=0)
    assert parting(teacher, unrated, 20) > 1e-6


@pytest.mark.usefixtures("float64")
def test_rates_by_hand():
    """SGD: a copy's incoming weights learn too slowly by its share, its outgoing ones too fast."""
    student = net2wider_net(trained(dense, ko.SGD(0.01)), {"a": 12}, split="equal", seed=0)
    kernel = student.get_layer("a").kernel.numpy()
    copies = np.array([(unit == kernel.T).all(axis=1).sum() for unit in kernel.T])
    rates = growth(student).rates
    np.testing.assert_allclose(rates[student.get_layer("a").kernel.path].ravel(), copies)
    np.testing.assert_allclose(rates[student.get_layer("a").bias.path], copies)
    np.testing.assert_allclose(rates[student.get_layer("b").kernel.path].ravel(), 1 / copies)
    assert set(rates) == {v.path for v in (*student.get_layer("a").weights, student.get_layer("b").kernel)}


# The laws


@pytest.mark.parametrize(
    ("optimizer", "powers", "update"),
    [
        (ko.SGD(), {}, 1),
        (ko.SGD(momentum=0.9, nesterov=True), {"momentums": 1}, 1),
        (ko.Adam(clipnorm=1.0, use_ema=True, weight_decay=0.1), {"_momentums": 1, "_velocities": 2}, 0),
        (ko.RMSprop(momentum=0.9, centered=True), {"_velocities": 2, "_momentums": 0, "_average_gradients": 1}, 0),
        (ko.Adagrad(), {"_accumulators": 2}, 0),
        (ko.Adadelta(), {"_accumulated_grads": 2, "_accumulated_delta_vars": 0}, 0),
        (ko.Lamb(), {"_momentums": 1, "_velocities": 2}, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, ko.Optimizer) else "",
)
def test_laws(optimizer, powers, update):
    assert law_of(optimizer) == (powers, update)


@pytest.mark.parametrize("optimizer", [ko.Ftrl(), ko.Adafactor()])
def test_what_cannot_be_carried_begins_fresh_and_is_reported(optimizer):
    with pytest.raises(NoLaw, match=type(optimizer).__name__):
        law_of(optimizer)
    student = net2wider_net(trained(dense, optimizer), {"a": 9}, seed=0)
    assert int(student.optimizer.iterations) == 0
    assert type(optimizer).__name__ in repr(growth(student))
    with pytest.raises(Net2NetError, match=f"rates: .*{type(optimizer).__name__}"):
        _ = growth(student).rates


class Own(ko.Optimizer):
    """A momentum of the user's own, under a name of its own."""

    def build(self, variables):
        super().build(variables)
        self.speeds = [self.add_variable_from_reference(v, name="speed") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        speed = self.speeds[self._get_variable_index(variable)]
        self.assign(speed, 0.8 * speed + gradient)
        self.assign_sub(variable, learning_rate * speed)


@pytest.mark.usefixtures("float64")
def test_an_optimizer_of_ones_own_goes_on():
    teacher = trained(dense, Own(0.01))
    student = net2wider_net(teacher, 2, split="random", seed=0)
    use_rates(student, growth(student).rates)
    assert parting(teacher, student, 20) < 1e-9


class Norms(ko.SGD):
    """Keeps a number for each weight, of which nobody knows how it changes."""

    def build(self, variables):
        super().build(variables)
        self.norms = [self.add_variable(()) for _ in variables]


class Rare(ko.SGD):
    """Keeps what only every tenth update changes."""

    def build(self, variables):
        super().build(variables)
        self.sums = [self.add_variable_from_reference(v, name="sum") for v in variables]

    def update_step(self, gradient, variable, learning_rate):
        kept = self.sums[self._get_variable_index(variable)]
        kept.assign(keras.ops.where(self._iterations % 10 == 9, kept + gradient, kept))
        super().update_step(gradient, variable, learning_rate)


@pytest.mark.parametrize("kind", [Norms, Rare])
def test_unknown_laws_never_stop_growth(kind):
    teacher = trained(dense, kind(0.01))
    assert growth(net2wider_net(teacher, 2, seed=0)).optimizer.startswith(f"begins fresh: {kind.__name__} keeps")
    with pytest.warns(UserWarning, match=f"begins fresh: {kind.__name__} keeps"):
        assert int(net2deeper_net(teacher, "a").optimizer.iterations) == 0


ONE = "begins fresh: only one of the two optimizers keeps "


@pytest.mark.parametrize(
    ("teachers", "students", "told"),
    [
        (ko.Adam(0.01), ko.Adam(ko.schedules.CosineDecay(0.1, 10)), "goes on"),
        (ko.Adam(0.01), ko.LossScaleOptimizer(ko.Adam(0.01)), "goes on"),
        (ko.SGD(0.01), ko.SGD(0.01, use_ema=True, gradient_accumulation_steps=2), "goes on"),
        (Own(0.01), Own(0.02), "goes on"),
        (ko.Adam(0.01), ko.Adam(0.01, amsgrad=True), ONE + "velocity_hats"),
        (ko.SGD(0.01), ko.SGD(0.01, momentum=0.9), ONE + "momentums"),
        (ko.Muon(0.01, exclude_layers=["a"]), ko.Muon(0.01, exclude_layers=["b"]), "goes on"),
    ],
)
def test_optimizers_of_one_kind_and_other_settings(teachers, students, told):
    teacher, student = trained(dense, teachers), trained(dense, students)  # its optimizer is built
    rate, count = float(student.optimizer.learning_rate), len(student.optimizer.variables)
    scheduled = isinstance(student.optimizer._learning_rate, ko.schedules.LearningRateSchedule)
    assert growth(grow_into(teacher, student, seed=0)).optimizer == told
    assert len(student.optimizer.variables) == count
    assert scheduled or float(student.optimizer.learning_rate) == rate  # is the student's own
    average = getattr(student.optimizer, "_model_variables_moving_average", [])
    for weight, kept in zip(student.trainable_variables, average, strict=False):
        np.testing.assert_array_equal(weight, kept)
    student.train_on_batch(*batches(teacher, 1)[0])


def test_an_optimizer_of_another_model_begins_fresh():
    optimizer = ko.Adam(0.01)
    trained(dense, optimizer)
    student = net2wider_net(trained(dense, optimizer, 0), 2, seed=0)
    assert growth(student).optimizer == "begins fresh: the teacher's optimizer was not built for its weights"


def test_loops_of_ones_own_go_on():
    """What a tape has watched are no variables of Keras."""
    teacher = trained(dense, ko.Adam(0.01), 0)
    for x, y in batches(teacher, 3):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((teacher(x, training=True) - y) ** 2)
        watched = tape.watched_variables()
        teacher.optimizer.apply(tape.gradient(loss, watched), watched)
    student = net2wider_net(teacher, {"a": 9}, seed=0)
    assert min(np.abs(kept.numpy()).max() for kept in student.optimizer._momentums) > 0


def test_averages_of_new_units_begin_as_the_units():
    student = net2wider_net(trained(dense, ko.SGD(0.01, use_ema=True)), {"a": 9}, init="zeropad", seed=0)
    kernel = student.get_layer("a").kernel
    kept = student.optimizer._model_variables_moving_average[student.optimizer._get_variable_index(kernel)]
    np.testing.assert_array_equal(kept.numpy()[:, 6:], kernel.numpy()[:, 6:])


def test_new_weights_of_which_nothing_is_known():
    """Muon keeps squares of vectors alone, and the teacher has none."""
    layers = [kl.Dense(6, "relu", use_bias=False, name="a"), kl.Dense(3, use_bias=False)]
    teacher = trained(lambda: keras.Sequential([keras.Input((5,)), *layers]), ko.Muon(0.01))
    student = net2deeper_net(teacher, "a", activation="parametric")
    student.train_on_batch(*batches(teacher, 1)[0])
    assert all(np.isfinite(weight).all() for weight in student.get_weights())


def test_reports_do_not_keep_teachers():
    model, met = trained(dense, ko.Adam(0.01)), []
    for width in (7, 8, 9):
        met.append(weakref.ref(model))
        model = net2wider_net(model, {"a": width}, split="equal", seed=0)
    gc.collect()
    assert not any(each() for each in met)
    assert growth(model).rates


@pytest.mark.usefixtures("float64")
def test_rates_of_a_rated_teacher():
    teacher = net2wider_net(trained(dense, ko.SGD(0.01, momentum=0.9)), {"a": 9}, split="equal", seed=0)
    rates = growth(teacher).rates
    for path in rates:
        use_rates(teacher, {path: rates[path]})  # one after the other
    student = net2wider_net(teacher, {"a": 14, "b": 7}, split="equal", seed=1)
    use_rates(student, growth(student).rates)
    assert parting(teacher, student, 20) < 1e-9
    new = net2wider_net(teacher, {"b": 7}, init="zeropad", seed=1)
    assert growth(new).rates.keys() == rates.keys()


# Counts, schedules, scales, files, new weights


def test_counts_and_rates_go_on():
    teacher = trained(dense, ko.Adam(0.1))
    teacher.optimizer.learning_rate = 0.025  # as a callback does
    student = net2wider_net(teacher, 2, seed=0)
    assert int(student.optimizer.iterations) == 5
    assert float(student.optimizer.learning_rate) == pytest.approx(0.025)


def test_the_scale_of_losses_goes_on():
    teacher = trained(dense, ko.LossScaleOptimizer(ko.Adam(0.01), initial_scale=1024.0))
    teacher.optimizer.dynamic_scale.assign(512.0)
    student = net2wider_net(teacher, 2, seed=0)
    assert float(student.optimizer.dynamic_scale) == 512
    assert int(student.optimizer.inner_optimizer.iterations) == 5


@pytest.mark.usefixtures("float64")
def test_saved_and_loaded_state_goes_on(tmp_path):
    trained(dense, ko.Adam(0.01, **TINY)).save(tmp_path / "teacher.keras")
    teacher = keras.saving.load_model(tmp_path / "teacher.keras")
    student = net2wider_net(teacher, 2, seed=0)
    student.save(tmp_path / "student.keras")
    student = keras.saving.load_model(tmp_path / "student.keras")
    assert int(student.optimizer.iterations) == 5
    kept = [np.abs(v.numpy()).max() for v in student.optimizer.variables[2:]]
    assert min(kept) > 0


def test_the_loss_goes_on():
    """With fit, as users have it: a schedule does not begin again at its top."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(512, 5)).astype("float32")
    y = np.stack([np.sin(x).sum(1), np.cos(x).sum(1), x.prod(1)], 1)
    teacher = trained(dense, ko.Adam(ko.schedules.CosineDecay(0.05, 200)), 0)
    before = teacher.fit(x, y, epochs=10, verbose=0).history["loss"]
    after = {}
    for optimizer in ("carry", "fresh"):
        student = net2wider_net(teacher, 4, seed=0, optimizer=optimizer)
        after[optimizer] = student.fit(x, y, epochs=2, verbose=0).history["loss"][0]
    assert after["carry"] < 1.05 * before[-1]
    assert after["carry"] < after["fresh"]


def test_new_units_begin_gently():
    """Of zeropad: no momentum, and squares like the others', so that the first updates are not too large."""
    teacher = trained(dense, ko.Adam(0.01))
    student = net2wider_net(teacher, {"a": 9}, init="zeropad", seed=0)
    optimizer, kernel = student.optimizer, student.get_layer("a").kernel
    i = optimizer._get_variable_index(kernel.value)
    assert not optimizer._momentums[i].numpy()[:, 6:].any()
    squares = [each.numpy() for each in teacher.optimizer._velocities]
    np.testing.assert_allclose(optimizer._velocities[i].numpy()[:, 6:], np.mean([each.mean() for each in squares]))
    np.testing.assert_array_equal(optimizer._velocities[i].numpy()[:, :6], squares[0])
    before = kernel.numpy()
    student.train_on_batch(*batches(teacher, 1)[0])
    assert np.abs(kernel.numpy() - before)[:, 6:].max() < 0.01 * 3.16


@pytest.mark.usefixtures("float64")
def test_deeper_students_go_on():
    teacher = trained(dense, ko.Adam(0.01, **TINY))
    student = net2deeper_net(teacher, "a")
    assert int(student.optimizer.iterations) == 5
    i = student.optimizer._get_variable_index(student.get_layer("b").kernel.value)
    j = teacher.optimizer._get_variable_index(teacher.get_layer("b").kernel.value)
    np.testing.assert_array_equal(student.optimizer._momentums[i], teacher.optimizer._momentums[j])
    new = student.optimizer._get_variable_index(student.get_layer("a_deeper").kernel.value)
    assert not student.optimizer._momentums[new].numpy().any()
    assert student.optimizer._velocities[new].numpy().min() > 0


@pytest.mark.usefixtures("float64")
def test_a_student_of_the_callers_own_goes_on():
    teacher = trained(dense, OPTIMIZERS["adam"]())
    layers = [kl.Dense(12, "relu", name="a"), kl.Dense(5, "tanh", name="b"), kl.Dense(3, name="end")]
    student = keras.Sequential([keras.Input((5,)), *layers])
    student.compile(OPTIMIZERS["adam"](), "mse")
    use_rates(grow_into(teacher, student, split="random", seed=0), growth(student).rates)
    assert parting(teacher, student, 20) < 1e-9
    other = keras.models.clone_model(student)
    other.compile(ko.SGD(), "mse")
    assert growth(grow_into(teacher, other, seed=0)).optimizer == (
        "begins fresh: the student's optimizer is SGD, the teacher's Adam"
    )


def test_frozen_layers_and_layers_frozen_later():
    teacher = dense()
    teacher.get_layer("a").trainable = False
    teacher.compile(ko.Adam(0.01), "mse")
    for x, y in batches(teacher, 2):
        teacher.train_on_batch(x, y)
    student = net2wider_net(teacher, 2, seed=0)
    student.train_on_batch(*batches(teacher, 1)[0])
    teacher.get_layer("b").trainable = False  # without compiling again: the optimizer still keeps its state
    student = net2wider_net(teacher, 2, seed=0)
    assert int(student.optimizer.iterations) == 2


def test_nothing_of_the_teacher_changes():
    teacher = trained(dense, ko.Adam(0.01))
    before = [v.numpy() for v in (*teacher.variables, *teacher.optimizer.variables)]
    student = net2wider_net(teacher, 2, split="equal", seed=0)
    use_rates(student, growth(student).rates)
    student.train_on_batch(*batches(teacher, 1)[0])
    after = [v.numpy() for v in (*teacher.variables, *teacher.optimizer.variables)]
    for a, b in zip(before, after, strict=True):
        np.testing.assert_array_equal(a, b)


# After growth


def alike(student, teacher, optimizer, count=20):
    """By how much student and teacher differ after some updates, both compiled anew."""
    for model in (student, teacher):
        model.compile(type(optimizer).from_config(optimizer.get_config()), "mse")
    use_rates(student, growth(student).rates)
    for x, y in batches(teacher, count):
        student.train_on_batch(x, y)
        teacher.train_on_batch(x, y)
    return relative_gap(teacher, student)


def test_rates_of_layers_that_are_trained_later(float64):
    teacher = dense()
    teacher.get_layer("a").trainable = False
    teacher.compile(ko.SGD(0.01), "mse")
    student = net2wider_net(teacher, 2, split="random", seed=0)
    use_rates(student, growth(student).rates)  # what is frozen waits
    for model in (teacher, student):
        model.get_layer("a").trainable = True
    assert {v.path for v in student.get_layer("a").weights} <= growth(student).rates.keys()
    with pytest.raises(Net2NetError, match="does not know .*kernel.*compile the model again"):
        use_rates(student, growth(student).rates)
    assert alike(student, teacher, ko.SGD(0.01)) < 1e-12
    for model in (teacher, student):
        model.get_layer("b").trainable = False
    assert alike(student, teacher, ko.SGD(0.01)) < 1e-12


def test_rates_are_those_of_the_optimizer_that_a_student_has(float64):
    teacher = dense()
    student = net2wider_net(teacher, 2, split="random", seed=0)
    for optimizer in (ko.SGD(0.01), ko.Adam(0.001, epsilon=1e-20), ko.SGD(0.01, momentum=0.9)):
        assert alike(student, teacher, optimizer) < 1e-9
    student.compile(ko.Lamb(0.01), "mse")
    with pytest.raises(Net2NetError, match="rates: there are none"):
        _ = growth(student).rates


def test_rates_of_a_student_from_a_file(tmp_path):
    student = net2wider_net(trained(dense, ko.SGD(0.01)), 2, split="random", seed=0)
    rates = growth(student).rates
    student.save(tmp_path / "student.keras")
    loaded = keras.saving.load_model(tmp_path / "student.keras")
    with pytest.raises(Net2NetError, match="was not grown in this session"):
        growth(loaded)
    paths = {old.path: new.path for old, new in zip(student.weights, loaded.weights, strict=True)}
    use_rates(loaded, {paths[path]: rate for path, rate in rates.items()})


# Errors, and which units are new


def test_rates_of_an_uncompiled_model():
    student = net2wider_net(dense(), 2, seed=0)
    with pytest.raises(Net2NetError, match="rates: .* it is not compiled"):
        _ = growth(student).rates
    with pytest.raises(Net2NetError, match="student: .* is not compiled"):
        use_rates(student, {})


def test_rates_of_what_a_model_has_not():
    teacher = trained(dense, ko.SGD(0.01))
    with pytest.raises(Net2NetError, match="no weight 'c/kernel'"):
        use_rates(teacher, {"c/kernel": 2.0})
    teacher.trainable_variables[2]._path = teacher.trainable_variables[0].path  # as sublayers of one name have it
    with pytest.raises(Net2NetError, match="has two weights"):
        use_rates(teacher, {teacher.trainable_variables[0].path: 2.0})


@pytest.mark.parametrize(
    "function", [lambda **how: net2wider_net(dense(), 2, **how), lambda **how: net2deeper_net(dense(), "a", **how)]
)
def test_unknown_wish(function):
    with pytest.raises(Net2NetError, match="optimizer: expected 'carry' or 'fresh', got 'keep'"):
        function(optimizer="keep")


def test_new_units_are_told():
    student = net2wider_net(dense(), {"a": 9, "b": 5}, seed=0)
    new = growth(student).new
    np.testing.assert_array_equal(new["a"], [False] * 6 + [True] * 3)
    np.testing.assert_array_equal(new["b"], [False] * 4 + [True])
    assert not new["end"].any()


def test_only_new_units_can_be_trained():
    teacher = trained(dense, ko.SGD(0.05))
    student = net2wider_net(teacher, {"a": 9}, seed=0)
    new = growth(student).new["a"]
    kernels = [student.get_layer(name).kernel for name in ("a", "b")]
    still = {v.path: 0.0 for v in student.trainable_variables}
    use_rates(student, still | {kernels[0].path: new.astype(float), kernels[1].path: new.astype(float)[:, None]})
    before = [v.numpy() for v in student.trainable_variables]
    student.train_on_batch(*batches(teacher, 1)[0])
    for weight, old in zip(student.trainable_variables, before, strict=True):
        changed = weight.numpy() != old
        if weight is kernels[0]:
            assert changed[:, new].any()
            assert not changed[:, ~new].any()
        elif weight is kernels[1]:
            assert changed[new].any()
            assert not changed[~new].any()
        else:
            assert not changed.any()


@pytest.mark.parametrize("split", ["weights", "noise"])
def test_splits_that_part_the_copies_have_no_rates(split):
    student = net2wider_net(trained(dense, ko.Adam(0.01)), 2, split=split, seed=0)
    assert int(student.optimizer.iterations) == 5
    with pytest.raises(
        Net2NetError, match=f"rates: .*its split '{split}' parts the copies; widen with split='random' or"
    ):
        _ = growth(student).rates

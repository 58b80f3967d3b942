"""Studies: which teachers and students are compared, on what, and by which measure that was chosen beforehand."""

import dataclasses
from collections.abc import Callable
from inspect import cleandoc
from typing import NamedTuple

import numpy as np

from helpers import tasks
from helpers.networks import (
    inception_widths,
    make_deeper_student,
    make_wider_student,
    mnist_cnn,
    small_cnn,
    small_inception,
    small_mlp,
    small_residual,
    small_transformer,
)

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = ["STUDIES", "Arm", "Study", "attacked", "changed", "redundancy"]


# ---------------------------------------------------------------- what a study is


class Arm(NamedTuple):
    """How a student begins."""

    words: str
    begin: Callable  # (trained teacher, seed) -> compiled model
    scratch: str = ""  # the arm of the same size that starts from random weights, if that is another one
    rate: float | None = None  # a learning rate that is not chosen
    epochs: int | None = None  # if others than the study's
    then: tuple = ()  # further growths, each (begin, epochs); a schedule begins anew with each


@dataclasses.dataclass(frozen=True)
class Study:
    """A few lines that say what is compared: teacher, arms, budget, data."""

    name: str
    question: str
    measure: str
    validation: str
    teacher: Callable  # () -> compiled model
    arms: dict  # name -> Arm
    seeds: int
    rates: tuple  # learning rates and schedules that the teacher and every arm choose from by themselves
    schedules: tuple
    teacher_epochs: int
    epochs: int
    batch_size: int
    images: int
    held_out: int  # training images behind those, for validation; 0: the test images are used for that
    test_images: int
    measured: int
    marks: tuple
    inspect: Callable | None = None  # (model, validation images, labels) -> further columns; its docstring says which
    task: Callable = tasks.mnist
    goal: str = "val_accuracy"  # what the choice goes by; "val_loss" where there is no accuracy

    def settings(self, arm):
        """The learning rates and schedules that an arm chooses from."""
        given = self.arms[arm].rate if arm != "teacher" else None
        return [(rate, schedule) for schedule in self.schedules for rate in ([given] if given else self.rates)]

    def numbers(self):
        """What a finished run depends on, arm and seed aside."""
        words = ("name", "question", "measure", "validation", "teacher", "arms", "seeds", "inspect", "task", "goal")
        given = {name: arm.rate for name, arm in self.arms.items() if arm.rate}
        budgets = {
            name: [arm.epochs or self.epochs, *(epochs for _, epochs in arm.then)]
            for name, arm in self.arms.items()
            if arm.epochs or arm.then
        }
        return {
            **{key: list(v) if isinstance(v, tuple) else v for key, v in vars(self).items() if key not in words},
            **({"given": given} if given else {}),
            **({"budgets": budgets} if budgets else {}),
        }

    def definition(self):
        """All of it, in words and numbers."""
        return {
            **{key: getattr(self, key) for key in ("name", "question", "measure", "validation")},
            "arms": {name: arm.words for name, arm in self.arms.items()},
            "scratch": {name: arm.scratch for name, arm in self.arms.items() if arm.scratch},
            # Not as it is indented, which Python 3.13 takes away and others keep.
            **({"inspect": cleandoc(self.inspect.__doc__)} if self.inspect else {}),
            **({"task": self.task.__doc__.split("\n")[0]} if self.task is not tasks.mnist else {}),
            **({"goal": self.goal} if self.goal != "val_accuracy" else {}),
            **self.numbers(),
        }

    def quick(self):
        """A tiny form that shows that everything runs, and nothing else."""
        small = {"images": 64, "held_out": min(self.held_out, 64), "test_images": 64, "measured": 64, "marks": (0,)}
        return dataclasses.replace(
            self, seeds=1, rates=self.rates[:1], schedules=self.schedules[-1:], epochs=1, **small
        )


# ---------------------------------------------------------------- the studies

CONTINUED = Arm("the teacher itself, trained on", lambda teacher, seed: teacher)

MNIST_ARTICLE = Study(
    name="mnist_article",
    question="The article's experiment: do a deeper and a wider student, grown from a teacher of one epoch, "
    "go on better than a student with random new weights, one from scratch, and the teacher itself?",
    measure="val_accuracy before training and after each student epoch, median and range over the seeds",
    validation="val_* is measured on the 10,000 test images of MNIST, as in the article; it chooses nothing. "
    "train_* is measured on the first 5,000 training images. "
    "test_accuracy stands in a run's last row and is the val_accuracy there. seconds are processor time on one "
    "thread, spent in training.",
    teacher=mnist_cnn,
    arms={
        "teacher_continued": CONTINUED,
        "scratch_deeper": Arm(
            "fc1_deeper added, all weights random",
            lambda teacher, seed: mnist_cnn(deeper=True),
        ),
        "randominit": Arm(
            "fc1_deeper added with random weights, the teacher's weights elsewhere",
            lambda teacher, seed: make_deeper_student(teacher, "randominit", seed),
            "scratch_deeper",
        ),
        "net2deeper": Arm(
            "fc1_deeper added as the identity",
            lambda teacher, seed: make_deeper_student(teacher, "net2deeper", seed),
            "scratch_deeper",
        ),
        "scratch_wider": Arm(
            "conv1 64 to 128 and fc1 128 to 256, all weights random",
            lambda teacher, seed: mnist_cnn(conv1=128, fc1=256),
        ),
        "randompad": Arm(
            "the same widths, the teacher's weights padded with random ones",
            lambda teacher, seed: make_wider_student(teacher, "randompad", seed=seed),
            "scratch_wider",
        ),
        "net2wider": Arm(
            "the same widths, by copies with equal shares",
            lambda teacher, seed: make_wider_student(teacher, split="equal", seed=seed),
            "scratch_wider",
        ),
        "net2wider_random": Arm(
            "the same widths, by copies with random shares",
            lambda teacher, seed: make_wider_student(teacher, split="random", seed=seed),
            "scratch_wider",
        ),
    },
    seeds=10,
    rates=(0.01,),
    schedules=("constant",),
    teacher_epochs=1,
    epochs=3,
    batch_size=32,
    images=60_000,
    held_out=0,
    test_images=10_000,
    measured=5000,
    marks=(0, 10, 30, 100, 300, 1000),
)


def _wider(widths, split="equal", **how):
    """An arm's beginning: the teacher, wider by a factor or to given widths, with the paper's shares or others."""

    def begin(teacher, seed):
        from helpers.models import net2wider_net

        return net2wider_net(teacher, widths, split=split, seed=seed, optimizer="fresh", **how)

    return begin


def _wider_arms(factor):
    """All ways to begin with a network `factor` times as wide."""
    channels = tuple(int(factor * width) for width in (2, 4, 8))
    scratch = f"scratch x{factor:g}"
    ways = {
        "net2wider": ("copies with equal shares", {}),
        "net2wider_random": ("copies with random shares", {"split": "random"}),
        "net2wider_noise": ("copies with equal shares and 1 % of noise", {"noise": 0.01}),
        "zeropad": ("new channels with random incoming weights and outgoing weights of zero", {"init": "zeropad"}),
        "randompad": ("new channels with random weights", {"init": "randompad"}),
    }
    return {
        scratch: Arm(f"channels {channels}, all weights random", lambda teacher, seed: small_cnn(channels)),
        **{
            f"{way} x{factor:g}": Arm(f"channels {channels}: {words}", _wider(factor, **how), scratch)
            for way, (words, how) in ways.items()
        },
    }


def _deeper(after, init):
    """An arm's beginning: the small network with another convolution behind each of those named."""

    def begin(teacher, seed):
        from helpers.deeper import net2deeper_net

        return net2deeper_net(teacher, after=list(after), init=init, seed=seed, optimizer="fresh")

    return begin


def _deeper_arms(after):
    """All ways to begin with the network deeper by the convolutions named."""
    layers, scratch = f"+{len(after)}", f"scratch +{len(after)}"
    words = f"another convolution behind {' and '.join(after)}"
    return {
        scratch: Arm(f"{words}, all weights random", lambda teacher, seed: small_cnn((4, 8, 16), deeper=after)),
        f"net2deeper {layers}": Arm(f"{words}, as the identity", _deeper(after, "net2deeper"), scratch),
        f"randominit {layers}": Arm(
            f"{words}, with random weights, the teacher's elsewhere", _deeper(after, "randominit"), scratch
        ),
    }


# What the studies of small networks share: a budget that two cores afford, chosen before any was run.
SMALL = {
    "measure": "test_accuracy at the end of the equal budget; updates, seconds and seconds with the teacher's until "
    "val_accuracy first reaches what the network from scratch of the same size and seed ends with",
    "validation": "val_* is measured on the last 10,000 training images, which are not trained on; they choose each "
    "arm's learning rate and schedule, by the mean of three seeds that are not recorded. train_* is measured on the "
    "first 2,000 training images. The 10,000 test images are used once, after the last update. seconds are processor "
    "time on one thread, spent in training.",
    "seeds": 10,
    "rates": (0.01, 0.03, 0.1),
    "schedules": ("constant", "cosine"),
    "teacher_epochs": 1,
    "epochs": 2,
    "batch_size": 100,
    "images": 50_000,
    "held_out": 10_000,
    "test_images": 10_000,
    "measured": 2000,
    "marks": (0, 10, 30, 60, 100, 150, 200, 300, 400, 600, 800),
}

MNIST_WIDER = Study(
    name="mnist_wider",
    question="A convolutional network too small for MNIST is made 1.5, 2 and 4 times as wide: which way of widening "
    "goes on best, and does any go on better than the network from scratch, or than the teacher itself?",
    teacher=small_cnn,
    arms={"teacher_continued": CONTINUED} | _wider_arms(1.5) | _wider_arms(2) | _wider_arms(4),
    **SMALL,
)

MNIST_DEEPER = Study(
    name="mnist_deeper",
    question="A small convolutional network for MNIST is made one and two layers deeper: do identity layers go on "
    "better than random ones, than the network from scratch, and than the teacher itself?",
    teacher=lambda: small_cnn((4, 8, 16)),
    arms={"teacher_continued": CONTINUED} | _deeper_arms(("conv2",)) | _deeper_arms(("conv2", "conv3")),
    **SMALL,
)

LEARNING_RATE = Study(
    name="learning_rate",
    question="The paper trains students at a tenth of the teacher's learning rate. Over three decades of rates, at "
    "which does a student of twice the width go on best?",
    teacher=small_cnn,
    arms={
        f"rate {rate:g}": Arm(
            f"channels (4, 8, 16): copies with random shares, trained at {rate:g}", _wider(2, split="random"), rate=rate
        )
        for rate in (0.1, 0.03, 0.01, 0.003, 0.001, 0.0003, 0.0001)
    },
    **SMALL
    | {
        "measure": "test_accuracy at the end of the equal budget, against the learning rate",
        "validation": "val_* is measured on the last 10,000 training images, which are not trained on; they choose "
        "nothing: rates are given and stay constant, the teacher's is 0.03. train_* is measured on the first 2,000 "
        "training images. The 10,000 test images are used once, after the last update. seconds are processor time on "
        "one thread, spent in training.",
        "rates": (0.03,),
        "schedules": ("constant",),
    },
)


# For the studies of `small_cnn` that came later: 11 of 180 students of `mnist_wider` diverged, all of them at 0.1.
STEADY = SMALL | {"rates": (0.01, 0.03, 0.06)}

# The 3x3 convolutions of the modules; deepened by a vertical kernel and then a horizontal one.
SQUARE = ("module1_3x3", "module1_double_2", "module2_3x3", "module2_double_2")


def _pairs(init):
    """An arm's beginning: the Inception network with a pair of rectangular kernels behind each square one."""

    def begin(teacher, seed):
        from helpers.deeper import net2deeper_net

        images = tasks.mnist()[0][0][:1000]
        for size, ending in (((3, 1), ""), ((1, 3), "_deeper")):
            after = [f"{name}{ending}" for name in SQUARE]
            how = {"init": init, "kernel_size": size, "batch_norm": True, "x": images, "optimizer": "fresh"}
            teacher = net2deeper_net(teacher, after, seed=seed, **how)
        return teacher

    return begin


def _afresh(begin):
    """An arm's beginning: the same network, all weights random."""

    def fresh(teacher, seed):
        import keras

        student = begin(teacher, seed)
        model = keras.models.clone_model(student)
        model.compile_from_config(student.get_compile_config())
        return model

    return fresh


def _in_turn(*begins):
    """An arm's beginning: one after the other."""

    def begin(teacher, seed):
        for each in begins:
            teacher = each(teacher, seed)
        return teacher

    return begin


_WIDER = _wider(inception_widths(), split="random")
_BOTH = _in_turn(_WIDER, _pairs("net2deeper"))

# A run of these takes longer than one of a network without branches and normalizations, so they see fewer images.
BRANCHED = SMALL | {"rates": (0.1, 0.3), "batch_size": 50, "images": 16_000, "held_out": 5000}
BRANCHED |= {"marks": (0, 10, 30, 60, 100, 160, 240, 480)}
BRANCHED["validation"] = SMALL["validation"].replace("the last 10,000 training images", "5,000 other training images")

INCEPTION_WIDER = Study(
    name="inception_wider",
    question="The paper's figure in small: an Inception network whose modules have the square root of 0.3 of the whole "
    "one's channels is made whole, by copies or by random padding, and deeper as well.",
    teacher=lambda: small_inception(0.3**0.5),
    arms={
        "teacher_continued": CONTINUED,
        "scratch": Arm("modules at their whole width, all weights random", _afresh(_WIDER)),
        "net2wider": Arm("that width, by copies with equal shares", _wider(inception_widths()), "scratch"),
        "net2wider_random": Arm("that width, by copies with random shares", _WIDER, "scratch"),
        "randompad": Arm(
            "that width, padded with random weights", _wider(inception_widths(), init="randompad"), "scratch"
        ),
        "scratch both": Arm("that width, and pairs of kernels behind the square ones, all random", _afresh(_BOTH)),
        "net2net both": Arm("the same by copies with random shares, and identities", _BOTH, "scratch both"),
    },
    **BRANCHED,
)

INCEPTION_DEEPER = Study(
    name="inception_deeper",
    question="The paper's figure in small: an Inception network gets a vertical and a horizontal kernel behind each "
    "square one of its modules, as identities or random.",
    teacher=small_inception,
    arms={
        "teacher_continued": CONTINUED,
        "scratch": Arm("eight more convolutions, all weights random", _afresh(_pairs("net2deeper"))),
        "net2deeper": Arm("the same as identities", _pairs("net2deeper"), "scratch"),
        "randominit": Arm("the same random, the teacher's weights elsewhere", _pairs("randominit"), "scratch"),
    },
    **BRANCHED,
)


def _capacity(units):
    """A study of one teacher's size; together they are a map of sizes and factors."""
    arms = {"teacher_continued": CONTINUED}
    for factor in (1.5, 2, 4):
        wide, ending = int(factor * units), f"x{factor:g}"

        def scratch(teacher, seed, wide=wide):
            return small_mlp(784, wide)

        arms |= {
            f"scratch {ending}": Arm(f"{wide} units in each hidden layer, all weights random", scratch),
            f"scratch long {ending}": Arm(
                f"{wide} units, all weights random, for as many updates as teacher and student together",
                scratch,
                epochs=4,
            ),
            f"net2wider_random {ending}": Arm(
                f"{wide} units: copies with random shares", _wider(factor, split="random"), f"scratch {ending}"
            ),
        }
    return Study(
        name=f"capacity_{units}",
        question=f"For a dense teacher with {units} units in each of two hidden layers: where does widening beat "
        "training the teacher on, and where does it beat the wider network from scratch, at equal updates of the "
        "student and with the teacher's counted?",
        teacher=lambda: small_mlp(784, units),
        arms=arms,
        task=tasks.flat_mnist,
        **SMALL
        | {"teacher_epochs": 2, "images": 30_000, "rates": (0.03, 0.1), "marks": (0, 10, 30, 60, 100, 150, 200, 450)}
        | {
            "validation": SMALL["validation"].replace("the last 10,000 training images", "10,000 other training images")
        },
    )


CAPACITIES = [_capacity(4), _capacity(16), _capacity(64)]


def _to(*channels):
    """A growth to given channels, by copies with random shares."""
    widths = {f"conv{number}": width for number, width in enumerate(channels, start=1)}
    return _wider(widths, split="random")


GROWING = Study(
    name="growing",
    question="From channels (2, 4, 8) to (8, 16, 32): in one growth or in several small ones, early or late, and does "
    "either beat the large network from scratch?",
    teacher=small_cnn,
    arms={
        "teacher_continued": CONTINUED,
        "scratch": Arm("channels (8, 16, 32), all weights random", lambda teacher, seed: small_cnn((8, 16, 32))),
        "scratch long": Arm(
            "the same, for as many updates as teacher and student together",
            lambda teacher, seed: small_cnn((8, 16, 32)),
            epochs=4,
        ),
        "once": Arm("x4 at once, then three epochs", _to(8, 16, 32), "scratch"),
        "late": Arm(
            "two epochs as it is, x4, one epoch", CONTINUED.begin, "scratch", epochs=2, then=((_to(8, 16, 32), 1),)
        ),
        "twice": Arm("x2, one epoch, x2, two epochs", _to(4, 8, 16), "scratch", epochs=1, then=((_to(8, 16, 32), 2),)),
        "thrice": Arm(
            "to (3, 6, 12), (4, 8, 16) and (8, 16, 32), an epoch each",
            _to(3, 6, 12),
            "scratch",
            epochs=1,
            then=((_to(4, 8, 16), 1), (_to(8, 16, 32), 1)),
        ),
    },
    **STEADY | {"epochs": 3},
)


def _part_random(amount):
    """An arm's beginning: four times as wide, with shares between equal ones (0) and random ones (1)."""

    def begin(teacher, seed):
        from helpers.models import net2wider_net

        for name in ("conv1", "conv2", "conv3"):
            widths = {name: 4 * teacher.get_layer(name).filters}
            equal, teacher = (
                net2wider_net(teacher, widths, split=split, seed=seed, optimizer="fresh")
                for split in ("equal", "random")
            )
            pairs = zip(equal.get_weights(), teacher.get_weights(), strict=True)
            teacher.set_weights([(1 - amount) * one + amount * other for one, other in pairs])
        return teacher

    return begin


def _with_dropout(begin):
    """An arm's beginning: dropout of 0.1 behind every pooling."""

    def dropped(teacher, seed):
        import keras

        def call(layer):
            return (lambda x: keras.layers.Dropout(0.1)(layer(x))) if "pool" in layer.name else layer

        student = begin(teacher, seed)
        x = student.inputs[0]
        for layer in student.layers:
            x = call(layer)(x)
        model = keras.Model(student.inputs, x)
        model.compile_from_config(student.get_compile_config())
        return model

    return dropped


def redundancy(model, x, y):
    """twin: distance from a channel of conv3 to the one most like it, relative to their sizes, median over channels.
    rank: of the values of conv3 on 200 images, the number of singular values above a hundredth of the largest."""
    import keras

    layer = model.get_layer("conv3")
    kernel = layer.get_weights()[0].reshape(-1, layer.filters)
    kernel = kernel / np.linalg.norm(kernel, axis=0)
    distances = np.linalg.norm(kernel[:, :, np.newaxis] - kernel[:, np.newaxis], axis=0)
    np.fill_diagonal(distances, np.inf)
    values = keras.Model(model.inputs, layer.output).predict(x[:200], verbose=0).reshape(-1, layer.filters)
    singular = np.linalg.svd(values, compute_uv=False)
    return {
        "twin": round(float(np.median(distances.min(axis=0))), 6),
        "rank": int((singular > 0.01 * singular[0]).sum()),
    }


_WIDE = "channels (8, 16, 32): "
SYMMETRY = Study(
    name="symmetry",
    question="A convolutional network too small for MNIST is made four times as wide. Copies with equal shares cannot "
    "part: which way of parting them goes on best, and does it keep the function?",
    teacher=small_cnn,
    arms={
        "scratch": Arm(f"{_WIDE}all weights random", lambda teacher, seed: small_cnn((8, 16, 32))),
        "equal": Arm(f"{_WIDE}copies with equal shares", _part_random(0), "scratch"),
        **{
            f"shares {amount:g}": Arm(
                f"{_WIDE}copies with shares that go {amount:g} of the way from equal to random ones",
                _part_random(amount),
                "scratch",
            )
            for amount in (0.01, 0.1, 1)
        },
        **{
            f"noise {noise:g}": Arm(
                f"{_WIDE}copies with equal shares and noise of {noise:g}", _wider(4, noise=noise), "scratch"
            )
            for noise in (0.001, 0.01, 0.1)
        },
        "zeropad": Arm(f"{_WIDE}new channels, outgoing weights of zero", _wider(4, init="zeropad"), "scratch"),
        "dropout": Arm(
            f"{_WIDE}copies with equal shares, trained with dropout of 0.1", _with_dropout(_part_random(0)), "scratch"
        ),
    },
    inspect=redundancy,
    **STEADY,
)


def changed(model, x, y):
    """Images that are harder to read: with Gaussian noise, shifted, occluded, and one step against the network (FGSM).

    Parameters
    ----------
    model : keras.Model
        Whose loss the adversarial step raises.
    x : ndarray, shape (n, 28, 28, 1)
        Images from 0 to 1; not changed.
    y : ndarray, shape (n, 10)
        Their classes, as probabilities.

    Returns
    -------
    dict of ndarray, shape (n, 28, 28, 1)
        "noise", of standard deviation 0.3; "shift", by two pixels to the right and down; "occlusion", 8 x 8 pixels in
        the middle black; "fgsm", 0.1 along the sign of the loss's gradient. All stay within 0 and 1.

    References
    ----------
    Goodfellow et al. 2015, section 4, for the fast gradient sign method.
    """
    import keras
    import tensorflow as tf

    images = tf.convert_to_tensor(x)
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = keras.losses.categorical_crossentropy(y, model(images, training=False))
    step = 0.1 * np.sign(tape.gradient(loss, images))
    hidden = x.copy()
    hidden[:, 10:18, 10:18] = 0
    return {
        "noise": np.clip(x + np.random.default_rng(0).normal(scale=0.3, size=x.shape), 0, 1),
        "shift": np.pad(x, ((0, 0), (2, 0), (2, 0), (0, 0)))[:, :28, :28],
        "occlusion": hidden,
        "fgsm": np.clip(x + step, 0, 1),
    }


def attacked(model, x, y):
    """noise, shift, occlusion, fgsm: accuracy on the first 1,000 validation images with Gaussian noise of 0.3; moved by
    two pixels to the right and down; with 8 x 8 pixels in the middle blackened; after one step of 0.1 along the sign of
    the loss's gradient."""
    x, y = x[:1000], y[:1000]
    right = y.argmax(axis=1)
    return {
        name: float((model.predict(images, batch_size=500, verbose=0).argmax(axis=1) == right).mean())
        for name, images in changed(model, x, y).items()
    }


ROBUSTNESS = Study(
    name="robustness",
    question="Noise, shifts, occlusion and an adversarial step: does a widened or deepened student inherit what its "
    "teacher is weak against, and does it lose that while it trains on?",
    teacher=lambda: small_cnn((4, 8, 16)),
    arms={
        "teacher_continued": CONTINUED,
        "scratch x2": Arm("channels (8, 16, 32), all weights random", lambda teacher, seed: small_cnn((8, 16, 32))),
        "net2wider_random x2": Arm(
            "channels (8, 16, 32): copies with random shares", _wider(2, split="random"), "scratch x2"
        ),
        "scratch +1": Arm(
            "another convolution behind conv2, all weights random",
            lambda teacher, seed: small_cnn((4, 8, 16), deeper=("conv2",)),
        ),
        "net2deeper +1": Arm(
            "another convolution behind conv2, as the identity", _deeper(("conv2",), "net2deeper"), "scratch +1"
        ),
    },
    inspect=attacked,
    **STEADY,
)

# What the studies of other tasks share; their words say what differs from those above.
_CHOICE = (
    "it chooses each arm's learning rate and schedule, by the mean of three seeds that are not recorded. The test part "
    "is used once, after the last update. seconds are processor time on one thread, spent in training."
)


def _task(name, question, teacher, student, widths, **how):
    """A study of one task: one set of arms, all ways to begin with a wider network."""
    return Study(
        name=name,
        question=f"{question} Which way of widening goes on best, and does any go on better than the network from "
        "scratch, or than the teacher itself?",
        teacher=teacher,
        arms={
            "teacher_continued": CONTINUED,
            "scratch": Arm("the wider network, all weights random", lambda teacher, seed: student()),
            "net2wider": Arm("copies with equal shares", _wider(widths), "scratch"),
            "net2wider_random": Arm("copies with random shares", _wider(widths, split="random"), "scratch"),
            "randompad": Arm("new units with random weights", _wider(widths, init="randompad"), "scratch"),
        },
        **SMALL | how,
    )


TASKS = [
    _task(
        "digits",
        "A dense network for the digits of 8 x 8 pixels that scikit-learn carries is made four times as wide.",
        teacher=lambda: small_mlp(units=8),
        student=lambda: small_mlp(units=32),
        widths=4,
        task=tasks.digits,
        validation="val_* is measured on 300 of the training part's 1,437 digits, which are not trained on; " + _CHOICE,
        teacher_epochs=10,
        epochs=20,
        batch_size=32,
        images=1137,
        held_out=300,
        test_images=360,
        measured=1137,
        marks=(0, 10, 20, 50),
    ),
    _task(
        "diabetes",
        "A dense network for a regression, the progression of diabetes, is made four times as wide.",
        teacher=lambda: small_mlp(10, 4, 1),
        student=lambda: small_mlp(10, 16, 1),
        widths=4,
        task=tasks.diabetes,
        goal="val_loss",
        measure="test_loss at the end of the equal budget; updates, seconds and seconds with the teacher's until "
        "val_loss first falls to what the network from scratch of the same seed ends with",
        validation="val_loss is measured on 71 of the training part's 371 patients, who are not trained on; " + _CHOICE,
        teacher_epochs=10,
        epochs=20,
        batch_size=10,
        images=300,
        held_out=71,
        test_images=71,
        measured=300,
        marks=(0, 10, 20, 50),
        rates=(0.001, 0.003, 0.01),
    ),
    _task(
        "text",
        "A Transformer block that guesses the next character of English text is made twice as wide in all parts.",
        teacher=small_transformer,
        student=lambda: small_transformer(width=32, heads=4, inner=64),
        widths={"embedding": 32, "near": 32, "attention.num_heads": 4, "inner": 64},
        task=tasks.text,
        validation="val_* is measured on 600 of the training part's examples of 64 characters, which are not trained "
        "on; " + _CHOICE,
        teacher_epochs=2,
        epochs=4,
        batch_size=32,
        images=5000,
        held_out=600,
        test_images=600,
        measured=600,
        rates=(0.001, 0.003, 0.01),
    ),
    _task(
        "residual",
        "A residual network for MNIST, with batch normalization, is made twice as wide.",
        teacher=small_residual,
        student=lambda: small_residual(8),
        widths=2,
        rates=(0.03, 0.1, 0.3),
    ),
]

STUDIES = {
    study.name: study
    for study in (
        *(MNIST_ARTICLE, MNIST_WIDER, MNIST_DEEPER, LEARNING_RATE),
        *(INCEPTION_WIDER, INCEPTION_DEEPER, *CAPACITIES, GROWING, SYMMETRY, ROBUSTNESS, *TASKS),
    )
}

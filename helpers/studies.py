"""Studies: which teachers and students are compared, on what, and by which measure that was chosen beforehand."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = ["STUDIES", "Arm", "Study", "make_deeper_student", "make_wider_student", "mnist_cnn", "small_cnn"]


# ---------------------------------------------------------------- teachers and students


def mnist_cnn(conv1=64, fc1=128, deeper=False, learning_rate=0.01):
    """The article's convolutional network for MNIST, compiled, with fresh random weights.

    Parameters
    ----------
    conv1, fc1 : int
        Channels of the first convolution and units of the first dense layer.
    deeper : bool
        Whether a second dense layer, ``fc1_deeper``, as wide as ``fc1``, stands behind it.
    learning_rate : float
        Of plain stochastic gradient descent.

    Returns
    -------
    keras.Sequential
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10).
    """
    import keras
    from keras import layers

    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(conv1, 3, padding="same", name="conv1"),
            layers.MaxPooling2D(name="pool1"),
            layers.Conv2D(128, 3, padding="same", name="conv2"),
            layers.MaxPooling2D(name="pool2"),
            layers.Flatten(name="flatten"),
            layers.Dense(fc1, activation="relu", name="fc1"),
            *([layers.Dense(fc1, activation="relu", name="fc1_deeper")] if deeper else []),
            layers.Dense(10, activation="softmax", name="fc2"),
        ]
    )
    model.compile(keras.optimizers.SGD(learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def make_deeper_student(teacher, init="net2deeper", seed=None):
    """The teacher with a dense layer ``fc1_deeper`` behind ``fc1``.

    Parameters
    ----------
    teacher : keras.Model
        Made by `mnist_cnn`.
    init : {"net2deeper", "randominit"}
        The new layer is the identity, so that the student computes what the teacher does, or it is random,
        with the teacher's weights in all other layers.
    seed : int, optional

    Returns
    -------
    keras.Model
        Compiled as the teacher is.
    """
    from helpers.models import net2deeper_net

    return net2deeper_net(teacher, after="fc1", init=init, seed=seed)


def make_wider_student(teacher, init="net2wider", split="equal", seed=None):
    """The teacher with twice the channels in ``conv1`` and twice the units in ``fc1``.

    Parameters
    ----------
    teacher : keras.Model
        Made by `mnist_cnn`.
    init : {"net2wider", "randompad"}
        The new channels and units are copies, so that the student computes what the teacher does, or random.
    split : {"equal", "random"}
        How the copies of a unit share its outgoing weights.
    seed : int, optional

    Returns
    -------
    keras.Model
        Compiled as the teacher is.
    """
    from helpers.models import net2wider_net

    widths = {"conv1": 2 * teacher.get_layer("conv1").filters, "fc1": 2 * teacher.get_layer("fc1").units}
    return net2wider_net(teacher, widths, init=init, split=split, seed=seed)


def small_cnn(channels=(2, 4, 8), deeper=()):
    """A convolutional network for MNIST, small enough that its size limits what it learns; compiled, random weights.

    Parameters
    ----------
    channels : (int, int, int)
        Of its three convolutions, ``conv1`` to ``conv3``.
    deeper : tuple of str
        Names of convolutions that are followed by another one as wide, named ``..._deeper``.

    Returns
    -------
    keras.Sequential
        From images (n, 28, 28, 1) to the probabilities of ten digits (n, 10); trained by gradient descent with
        momentum 0.9.
    """
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((28, 28, 1))])
    for number, width in enumerate(channels, start=1):
        name = f"conv{number}"
        for each in (name, f"{name}_deeper")[: 1 + (name in deeper)]:
            model.add(layers.Conv2D(width, 3, padding="same", activation="relu", name=each))
        model.add(layers.MaxPooling2D(name=f"pool{number}"))
    model.add(layers.Flatten(name="flatten"))
    model.add(layers.Dense(10, activation="softmax", name="digits"))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"])
    return model


# ---------------------------------------------------------------- what a study is


class Arm(NamedTuple):
    """How a student begins."""

    words: str
    begin: Callable  # (trained teacher, seed) -> compiled model
    scratch: str = ""  # the arm of the same size that starts from random weights, if that is another one
    rate: float | None = None  # a learning rate that is not chosen


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

    def settings(self, arm):
        """The learning rates and schedules that an arm chooses from."""
        given = self.arms[arm].rate if arm != "teacher" else None
        return [(rate, schedule) for schedule in self.schedules for rate in ([given] if given else self.rates)]

    def numbers(self):
        """What a finished run depends on, arm and seed aside."""
        words = ("name", "question", "measure", "validation", "teacher", "arms", "seeds")
        return {key: list(v) if isinstance(v, tuple) else v for key, v in vars(self).items() if key not in words}

    def definition(self):
        """All of it, in words and numbers."""
        given = {name: arm.rate for name, arm in self.arms.items() if arm.rate}
        return {
            **{key: getattr(self, key) for key in ("name", "question", "measure", "validation")},
            "arms": {name: arm.words for name, arm in self.arms.items()},
            "scratch": {name: arm.scratch for name, arm in self.arms.items() if arm.scratch},
            **({"given": given} if given else {}),
            **self.numbers(),
        }

    def quick(self):
        """A tiny form that shows that everything runs, and nothing else."""
        small = {"images": 128, "held_out": min(self.held_out, 64), "test_images": 64, "measured": 64, "marks": (0, 2)}
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
            lambda teacher, seed: make_wider_student(teacher, seed=seed),
            "scratch_wider",
        ),
        "net2wider_random": Arm(
            "the same widths, by copies with random shares",
            lambda teacher, seed: make_wider_student(teacher, split="random", seed=seed),
            "scratch_wider",
        ),
    },
    seeds=3,
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


def _wider(factor, **how):
    """An arm's beginning: the small network, every convolution wider by a factor."""

    def begin(teacher, seed):
        from helpers.models import net2wider_net

        return net2wider_net(teacher, factor, seed=seed, **how)

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
        from helpers.models import net2deeper_net

        return net2deeper_net(teacher, after=list(after), init=init, seed=seed)

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

STUDIES = {study.name: study for study in (MNIST_ARTICLE, MNIST_WIDER, MNIST_DEEPER, LEARNING_RATE)}

"""The study of the first updates after growth: does training notice that the network grew?"""

import dataclasses
import functools

import numpy as np

from helpers.study.trajectories import TUNING, Start, Trajectories, full_rates, starts
from helpers.study.updates import Trainer

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = ["OPTIMIZER_STATE", "Dense", "above", "rise", "run_dense"]

SPLITS = ("random", "weights", "noise")
# How a student goes on: its optimizer, and whether its rate rises anew and its weights have rates of their own.
WAYS = {
    "fresh": {"optimizer": "fresh"},
    "warm-up": {"optimizer": "fresh"},
    "carry": {"optimizer": "carry"},
    "rates": {"optimizer": "carry"},
}


def run_dense(study, line, texts):
    """Train a teacher, and then itself and each of its students for a few hundred updates on the same examples.

    Returns
    -------
    rows : list of dict
        For tuning seeds the teacher before training and at its end. Else val_loss of each arm at each of the study's
        marks, which count updates since growth.
    """
    import keras

    from helpers.models import net2wider_net
    from helpers.report import growth
    from helpers.training import use_rates

    train, validation, _ = texts
    size = study.arms[line.arm].size
    teacher = _trainer(line.arm, size, study.batch)
    keras.utils.set_random_seed(line.seed)
    model = _model(line.arm, size)
    teacher.load([*model.trainable_variables, *model.optimizer.variables])
    (budget,) = line.budgets
    count = int(study.cost(budget) / study.per_update(size))
    last = count + max(study.marks)
    places = starts(line.seed, 0, last, study.batch, len(train) - teacher.length)

    def row(trainer, update, seconds, **more):
        loss = round(trainer.loss(validation, study.examples), 6)
        return {"update": update, "seconds": round(seconds, 3), "val_loss": loss, **more}

    before = row(teacher, 0, 0.0)
    seconds = teacher.advance(train, places[:count], full_rates(line.rate, count, study.warmup, 0))
    if line.seed in TUNING:
        return [before, row(teacher, count, seconds, budget=budget)]
    left = teacher.state()
    rows = []

    def go_on(arm, trainer, warmup=0):
        rates = full_rates(line.rate, max(study.marks), warmup, 0)
        done, seconds = 0, 0.0
        for mark in study.marks:
            seconds += trainer.advance(train, places[count + done : count + mark], rates[done:mark])
            done = mark
            rows.append(row(trainer, mark, seconds, arm=f"{line.arm}: {arm}"))

    go_on("continued teacher", teacher)
    for split in SPLITS:
        for way, how in WAYS.items():
            if way == "rates" and split != "random":
                continue  # where the copies part, no rates keep student and teacher equal
            teacher.load(left)
            student = net2wider_net(teacher.model, 2, split=split, seed=line.seed, **how)
            if way == "rates":
                use_rates(student, growth(student).rates)
                go_on(f"{split} {way}", Trainer(student, study.batch))
                continue
            student.optimizer.build(student.trainable_variables)
            trainer = _trainer(line.arm, (2 * size[0], size[1]), study.batch)
            trainer.load([*student.trainable_variables, *student.optimizer.variables])
            go_on(f"{split} {way}", trainer, study.warmup if way == "warm-up" else 0)
    return rows


@dataclasses.dataclass(frozen=True)
class Dense(Trajectories):
    """A study whose lines are teachers, each followed by all that goes on from it."""

    marks: tuple = ()  # updates after growth at which it is measured

    def run(self, line, teacher, texts):
        """As `Trajectories.run`."""
        return run_dense(self, line, texts), None

    def quick(self):
        """As `Trajectories.quick`."""
        return dataclasses.replace(super().quick(), marks=self.marks[:2])


def _model(optimizer, size):
    import keras

    from helpers.networks import small_gpt

    model = small_gpt(*size)
    if optimizer == "momentum":
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), model.loss)
    model.optimizer.build(model.trainable_variables)
    return model


@functools.cache
def _trainer(optimizer, size, batch):
    return Trainer(_model(optimizer, size), batch)


def above(frame):
    """How far the validation loss is above where it was at growth.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of the study `optimizer_state`.

    Returns
    -------
    pandas.DataFrame
        A row for each arm and seed, a column for each update that was measured.
    """
    table = frame.pivot(index=["arm", "seed"], columns="update", values="val_loss")
    return table.sub(table[0], axis=0)


def rise(frame):
    """How far the validation loss rises above where it was at growth, over all that was measured after it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of the study `optimizer_state`.

    Returns
    -------
    pandas.DataFrame
        A row for each seed and a column for each arm; 0 where it never rises.
    """
    largest = above(frame).max(axis=1).unstack("arm")
    return largest[frame["arm"].unique()].astype(np.float64)


OPTIMIZER_STATE = Dense(
    name="optimizer_state",
    question="A GPT of width 24 is made twice as wide and goes on at its rate: is its loss worse in the first 300 "
    "updates than if it had not grown, when its optimizer is fresh, fresh with a new warm-up, carried over, or carried "
    "over with rates that keep student and teacher equal?",
    measure="the largest rise of val_loss above where it was at growth, over all marks, beside that of the continued "
    "teacher; and val_loss itself, seed by seed. 0.000 and less is no rise.",
    validation="val_loss is measured on files that are not trained on; it chooses the teacher's rate, by the mean of "
    "two seeds that are not recorded, in a sweep that goes on by factors of two until the best lies inside. The "
    "teacher's rate rises over its first 30 updates and then stays; students and continued teacher have the same rate "
    "and the same examples in the same order. seconds are processor time on one thread, spent in updates since growth.",
    arms={
        "adam": Start("a teacher of width 24, 2 blocks, trained by Adam", (24, 2)),
        "momentum": Start("the same, trained by gradient descent with momentum 0.9", (24, 2)),
    },
    unit=(48, 2),
    budgets=(6,),
    rates=(0.024, 0.048, 0.096),
    examples=512,
    marks=(*range(9), 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 130, 160, 200, 250, 300),
)

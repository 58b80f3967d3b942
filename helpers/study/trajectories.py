"""Trajectories: trainings that are read at many budgets, because short decays branch off a run at a constant rate.

A study of trajectories compares networks at equal total cost. Its unit is the line: one network, from one seed, at one
rate, from its beginning to the largest of its budgets. It warms up, stays at its rate, and before each budget a copy of
it branches off whose rate falls to zero there. So one line serves many budgets, and each branch ends as the full run
for that budget alone would, since its updates are the same (warm-up, stable, decay: Hu et al. 2024, arXiv:2404.06395;
Haegele et al. 2024, arXiv:2405.18392). Students branch off the line of their teacher in the same way.
"""

import dataclasses
import functools
import io
from typing import NamedTuple

import numpy as np

from helpers import tasks
from helpers.study.costs import multiply_adds
from helpers.study.updates import trainer

# Keras is imported inside functions: naming the studies does without it, and a run sets its threads first.

__all__ = ["TUNING", "Line", "Start", "Trajectories", "full_rates", "run_line", "starts"]

#: Seeds that only choose rates.
TUNING = (1_000_000, 1_000_001)


class Start(NamedTuple):
    """How a line begins: a size, from scratch or grown from the study's teacher."""

    words: str
    size: tuple  # (width, blocks)
    # Arguments of `net2deeper_net`, or else of `net2wider_net`; None from scratch. "via" has widths on the way: each is
    # trained until as much is spent again as the teacher had cost.
    how: dict | None = None


class Line(NamedTuple):
    """One network, from one seed, at one rate, read at its budgets."""

    arm: str
    seed: int
    rate: float
    grown: float  # the budget at which it grew; 0 from scratch
    budgets: tuple

    def __str__(self):
        trying = f"trying {self.rate:g}, " if self.seed in TUNING else f"at {self.rate:g}, "
        grown = f"grown at {self.grown:g}, " if self.grown else ""
        return f"{self.arm}, {trying}{grown}seed {self.seed}"

    def file(self):
        """The name of its state, without a suffix."""
        budgets = "_".join(f"{budget:g}" for budget in self.budgets)
        return f"seed{self.seed}-{self.rate:g}-{self.grown:g}-{budgets}-{self.arm.replace(' ', '_')}"


@dataclasses.dataclass(frozen=True)
class Trajectories:
    """What is compared, at which budgets, and by which measure that was chosen beforehand.

    Budgets are told in characters for each weight of the network whose size is `unit`: 8 is what this network costs
    when it is trained from scratch on eight characters for each of its weights.
    """

    name: str
    question: str
    measure: str
    validation: str
    arms: dict  # name -> Start
    unit: tuple  # a size
    budgets: tuple
    rates: tuple  # where each sweep begins; it goes on by factors of two until the best lies inside
    teacher: tuple | None = None  # the size of what grows
    teacher_rate: float | None = None
    fractions: tuple = ()  # of the budget, after which leaders grow
    middle: tuple = ()  # the budget at which, and the fraction after which, all grown arms are compared to find leaders
    seeds: int = 10
    warmup: int = 30  # updates of a network whose optimizer is fresh
    decay: float = 0.2  # of the budget
    batch: int = 16
    examples: int = 1024  # of the validation text; of the test text twice as many

    def numbers(self):
        """What a finished line depends on, its own settings aside."""
        words = ("name", "question", "measure", "validation", "arms", "seeds", "rates", "fractions", "middle")
        return {key: value for key, value in vars(self).items() if key not in (*words, "budgets")}

    def definition(self):
        """All of it, in words and numbers."""
        arms = {
            name: {"words": start.words, "size": start.size, **({"how": start.how} if start.how else {})}
            for name, start in self.arms.items()
        }
        return vars(self) | {"arms": arms, "tuning": TUNING}

    def quick(self):
        """A tiny form that shows that everything runs, and nothing else."""
        small = {self.teacher or next(iter(self.arms.values())).size: (12, 1), self.unit: (24, 1)}
        grown = [start for start in self.arms.values() if start.how]
        small |= {start.size: (12 * start.size[0] // self.teacher[0], 1) for start in grown}
        small |= {start.size: (12, 2) for start in grown if "after" in start.how}
        arms = {
            name: start._replace(size=small[start.size]) for name, start in self.arms.items() if start.size in small
        }
        return dataclasses.replace(
            self,
            arms=arms,
            unit=small[self.unit],
            teacher=small.get(self.teacher),
            budgets=(0.5,),
            rates=self.rates[:1],
            fractions=self.fractions[1:3],
            middle=(0.5, self.middle[1]) if self.middle else (),
            seeds=1,
            warmup=2,
            examples=128,
        )

    def run(self, line, teacher, texts):
        """What a line leaves, as `run_line` returns it."""
        return run_line(self, line, teacher, texts)

    def cost(self, budget):
        """Multiply-adds of a budget."""
        model = trainer(*self.unit, self.batch).model
        return budget * model.count_params() / model.input_shape[1] * 3 * multiply_adds(model)

    def per_update(self, size):
        """Multiply-adds of an update of a network of this size."""
        return 3 * self.batch * multiply_adds(trainer(*size, self.batch).model)


def full_rates(peak, updates, warmup, decay):
    """The rates of all updates of a run: up over `warmup` of them, constant, and to zero over the last `decay`.

    Examples
    --------
    >>> full_rates(1.0, 8, 2, 4).tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    number = np.arange(updates)
    return peak * np.minimum(1, (number + 1) / max(warmup, 1)) * np.minimum(1, (updates - number) / max(decay, 1))


def starts(seed, first, last, batch, characters):
    """Where the examples of updates first to last begin in a text; those of a seed are the same for all networks."""
    return np.random.default_rng(seed).integers(characters, size=(last, batch))[first:]


class _Run:
    """A trainer on its way along a seed's text."""

    def __init__(self, study, seed, size, codes):
        self.study, self.seed, self.codes = study, seed, codes
        self.trainer = trainer(*size, study.batch)
        self.each = study.per_update(size)
        self.update, self.spent, self.seconds = 0, 0, 0.0  # of teachers too
        self.own, self.warmup = 0, study.warmup  # updates since it began, and how many its rate rises for

    def go(self, count, rate, decay=0):
        """Do so many updates."""
        places = starts(
            self.seed, self.update, self.update + count, self.study.batch, len(self.codes) - self.trainer.length
        )
        rates = full_rates(rate, self.own + count, self.warmup, decay)[self.own :]
        self.seconds += self.trainer.advance(self.codes, places, rates)
        self.update += count
        self.own += count
        self.spent += count * self.each

    def take(self, model, size):
        """Go on with a network of this size, which begins as the model does."""
        self.trainer, self.each, self.own = trainer(*size, self.study.batch), self.study.per_update(size), 0
        self.trainer.load([*model.trainable_variables, *model.optimizer.variables])

    def row(self, **more):
        return {
            "update": self.update,
            "characters": self.update * self.study.batch * self.trainer.length,
            "multiply_adds": self.spent,
            "seconds": round(self.seconds, 3),
            **more,
        }


def run_line(study, line, teacher=None, texts=None):
    """Train a line and read it at its budgets.

    Parameters
    ----------
    study : Trajectories
    line : Line
        Of the arm "teacher", or one of the study's.
    teacher : bytes, optional
        What the teacher's line left: for an arm that is grown.
    texts : (train, validation, test), optional
        Those of `helpers.tasks.code` by default.

    Returns
    -------
    rows : list of dict
        One for the beginning, and one for each budget: multiply-adds, updates, characters and the processor's seconds
        up to there, those of the teacher among them, and val_loss; test_loss too but for tuning seeds.
    left : bytes or None
        Of the teacher, its states at each of its budgets.
    """
    import keras

    train, validation, test = texts or tasks.code()[:3]
    own = study.arms.get(line.arm)
    run = _Run(study, line.seed, own.size if own else study.teacher, train)
    if own and own.how:
        _grow(study, line, own.how, teacher, run)
    else:
        from helpers.networks import small_gpt

        keras.utils.set_random_seed(line.seed)
        model = small_gpt(*(own.size if own else study.teacher))
        model.optimizer.build(model.trainable_variables)
        run.trainer.load([*model.trainable_variables, *model.optimizer.variables])

    def measured(budget=None):
        row = run.row(budget=budget, val_loss=round(run.trainer.loss(validation, study.examples), 6), test_loss=None)
        if budget and line.seed not in TUNING:
            row["test_loss"] = round(run.trainer.loss(test, 2 * study.examples), 6)
        return row

    rows, left = [measured()], {}
    for budget in sorted(line.budgets):
        count = int((study.cost(budget) - run.spent) / run.each)
        decay = 0 if line.arm == "teacher" else round(study.decay * study.cost(budget) / run.each)
        run.go(max(count - decay, 0), line.rate)
        if line.arm == "teacher":
            rows.append(measured(budget))
            arrays = {f"{budget:g}/{i}": array for i, array in enumerate(run.trainer.state())}
            left |= arrays | {f"{budget:g}/run": np.array([run.update, run.spent, run.seconds])}
            continue
        kept = run.trainer.state(), vars(run).copy()
        run.go(min(count, decay), line.rate, decay)
        rows.append(measured(budget))
        run.trainer.load(kept[0])
        vars(run).update(kept[1])
    if not left:
        return rows, None
    raw = io.BytesIO()
    np.savez(raw, **left)
    return rows, raw.getvalue()


def _grow(study, line, how, teacher, run):
    """Let a run begin with what the teacher is at its budget, grown."""
    with np.load(io.BytesIO(teacher)) as left:
        mark = f"{line.grown:g}"
        run.trainer = trainer(*study.teacher, study.batch)
        run.trainer.load([left[f"{mark}/{i}"] for i in range(len(run.trainer.variables))])
        update, spent, seconds = left[f"{mark}/run"]
    run.update, run.spent, run.seconds = int(update), int(spent), float(seconds)
    width, (last, blocks) = study.teacher[0], study.arms[line.arm].size
    for step, wider in enumerate((*how.get("via", ()), last), start=1):
        run.take(_student(run.trainer.model, wider // width, line.seed, how), (wider, blocks))
        # An optimizer that goes on needs no new warm-up.
        run.warmup, width = 0 if how["optimizer"] == "carry" else study.warmup, wider
        if wider != last:
            run.go(int((study.cost((step + 1) * line.grown) - run.spent) / run.each), line.rate)


def _student(model, factor, seed, how):
    """A wider or a deeper network, with its optimizer."""
    from helpers.deeper import net2deeper_net
    from helpers.models import net2wider_net

    how = {key: value for key, value in how.items() if key != "via"}
    grow = net2deeper_net if "after" in how else functools.partial(net2wider_net, widths=factor)
    student = grow(model, seed=seed, **how)
    if not student.optimizer.built:
        student.optimizer.build(student.trainable_variables)
    return student

"""The studies of language: where growing pays, on a small GPT that reads Keras' source."""

import dataclasses

from helpers.study.optimizer_state import OPTIMIZER_STATE
from helpers.study.trajectories import Start, Trajectories

__all__ = ["LANGUAGE"]

UNIT, SMALL = (48, 2), (24, 2)

# What both studies share. Chosen on tuning seeds before anything was recorded.
SHARED = {
    "measure": "test_loss at the end of each budget: mean cross-entropy of a character, in nats, on files that are not "
    "trained on; differences between arms are taken seed by seed, with 95 % intervals over the seeds. Budgets are "
    "total multiply-adds, those of the teacher's training among them. The frontier at a budget is the constant size "
    "whose val_loss there is lowest on the tuning seeds, so that no recorded seed has chosen it.",
    "validation": "val_loss is measured on other files that are not trained on; it chooses each arm's rate at each "
    "budget, by the mean of two seeds that are not recorded. A sweep begins with two rates, one twice the "
    "other, and goes on until the best lies inside. test_loss is measured once for each budget, after the last "
    "update. Every network has the same schedule: its rate rises over the first 30 updates, is constant, and falls to "
    "zero over the last fifth of the budget; a student whose optimizer is fresh has the rise again. All arms of a "
    "seed see the same examples in the same order, a student those that come after its teacher's. seconds are "
    "processor time on one thread, spent in updates.",
    "unit": UNIT,
    "budgets": (4, 8, 16, 32),
    "rates": (0.006, 0.012),
}


def _name(size):
    return f"{size[0]} x {size[1]}"


FRONTIER = Trajectories(
    name="frontier",
    question="Which constant size is best for each budget, when every size has the rate that is best for it there? The "
    "lower envelope is the frontier: the best that anyone gets who knows the budget beforehand.",
    arms={
        _name(size): Start(f"width {size[0]}, {size[1]} blocks, from scratch", size)
        for size in ((16, 2), SMALL, (36, 2), UNIT, (72, 2), (36, 4))
    },
    **SHARED,
)

SPLITS = {
    "equal": ("copies with equal shares", {"split": "equal"}),
    "random": ("copies with one share a unit", {"split": "random"}),
    "weights": ("copies with one share a weight", {"split": "weights"}),
    "noise": ("copies with equal shares and noise that cancels", {"split": "noise"}),
    "randompad": ("new channels with random weights", {"init": "randompad"}),
}
STATES = {"fresh": "a fresh optimizer", "carry": "the optimizer's state carried over"}

LANGUAGE_WIDER = Trajectories(
    name="language_wider",
    question="A GPT of width 24 is made twice as wide, with its heads and inner layers, after a part of the budget: "
    "does it end below the same network from scratch at equal total cost, below the teacher trained on, and below the "
    "frontier? By which shares, with which optimizer, and when?",
    arms={
        f"{split} {state}": Start(f"{words}, {told}", UNIT, how | {"optimizer": state})
        for split, (words, how) in SPLITS.items()
        for state, told in STATES.items()
    },
    teacher=SMALL,
    teacher_rate=0.012,
    fractions=(0.125, 0.25, 0.5, 0.7),
    middle=(16, 0.25),
    **SHARED
    | {
        "validation": SHARED["validation"] + " Rivals are recorded in `frontier`, on the same seeds. All arms are "
        "compared on the tuning seeds at a budget of 16 and growth after a quarter of it. The best exact arm with a "
        "fresh optimizer and the best whose optimizer goes on lead: their rates are swept at every budget, with "
        "growth after a quarter, and they are recorded with growth after an eighth, a quarter, a half and seven "
        "tenths of every budget. The others are recorded where all are compared.",
    },
)

BLOCKS = {
    "copy": ("copies of its blocks that end in zeros", "net2deeper"),
    "new": ("fresh blocks that end in zeros", "fresh"),
    "stacking": ("its blocks twice, one sequence behind the other", "stacking"),
}

LANGUAGE_DEEPER = dataclasses.replace(
    LANGUAGE_WIDER,
    name="language_deeper",
    question="A GPT of width 36 gets twice as many blocks after a part of the budget: does it end below the same "
    "network from scratch at equal total cost, below the teacher trained on, and below the frontier? By which blocks, "
    "with which optimizer, and when?",
    arms={
        f"{blocks} {state}": Start(f"{words}, {told}", (36, 4), {"after": "blocks", "init": init, "optimizer": state})
        for blocks, (words, init) in BLOCKS.items()
        for state, told in STATES.items()
    },
    teacher=(36, 2),
)

NOISE = {"split": "noise", "optimizer": "fresh"}  # the exact way that ended lowest in `language_wider`

FACTOR = Trajectories(
    name="factor",
    question="A GPT of width 12 becomes two, three, four or six times as wide after a part of the budget: up to which "
    "factor does it end below the network of that size from scratch at equal total cost? Are two steps of two better "
    "than one of four?",
    arms={
        "12 x 2": Start("width 12, 2 blocks, from scratch", (12, 2)),
        **{f"x{factor}": Start(f"{factor} times as wide", (12 * factor, 2), NOISE) for factor in (2, 3, 4, 6)},
        "x2 x2": Start("twice as wide, and twice again", (48, 2), NOISE | {"via": (24,)}),
    },
    teacher=(12, 2),
    teacher_rate=0.024,
    fractions=(0.25,),
    middle=(16, 0.25),
    **SHARED
    | {
        "budgets": (16,),
        "validation": SHARED["validation"] + " Rivals are recorded in `frontier`, on the same seeds: the network of "
        "the student's size, from scratch, and the best constant size. All grow after a quarter of the budget; the "
        "one in two steps grows again at half of it. The teacher's rate is chosen like the others', on the tuning "
        "seeds, for a network of its size at a quarter of the budget.",
    },
)

LANGUAGE = {study.name: study for study in (FRONTIER, LANGUAGE_WIDER, LANGUAGE_DEEPER, FACTOR, OPTIMIZER_STATE)}

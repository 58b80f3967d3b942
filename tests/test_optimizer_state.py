"""The first updates after growth: what goes on, what begins anew, and what training does not notice."""

import dataclasses

import pandas as pd
import pytest
import tensorflow as tf

from helpers import tasks
from helpers.study.optimizer_state import OPTIMIZER_STATE, WAYS, rise
from helpers.study.trajectories import TUNING, Line

# So few updates that they take less time than compiling them would, and one more than the rate rises for.
TINY = dataclasses.replace(OPTIMIZER_STATE.quick(), marks=(0, 1, 3), examples=128)


@pytest.fixture(scope="module", params=["adam", "momentum"])
def rows(request):
    """What a teacher of some updates, itself and all its students leave."""
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        line = Line(request.param, 0, {"adam": 0.012, "momentum": 0.1}[request.param], 0, TINY.budgets)
        yield pd.DataFrame(TINY.run(line, None, tasks.code()[:3])[0]).assign(seed=0)
    finally:
        tf.config.run_functions_eagerly(before)


def test_all_begin_where_the_teacher_is_and_are_measured_at_the_marks(rows):
    arms = rows["arm"].str.split(": ").str[1].unique().tolist()
    students = [f"{split} {way}" for split in ("random", "weights", "noise") for way in WAYS]
    assert arms == ["continued teacher", *(arm for arm in students if arm not in ("weights rates", "noise rates"))]
    for _, own in rows.groupby("arm"):
        assert own["update"].tolist() == [0, 1, 3]
    start = rows[rows["update"] == 0]["val_loss"]
    assert start.tolist() == pytest.approx([start.iloc[0]] * len(start), abs=3e-6)


def test_a_tuning_seed_trains_the_teacher_alone(rows):
    line = Line("adam", TUNING[0], 0.012, 0, TINY.budgets)
    found, left = TINY.run(line, None, tasks.code()[:3])
    assert left is None
    assert [row.get("budget") for row in found] == [None, *TINY.budgets]
    assert found[1]["val_loss"] < found[0]["val_loss"]


def test_a_rise_is_the_largest_above_where_growth_was():
    curves = {"calm": (2.0, 1.9, 1.8), "bump": (2.0, 2.5, 1.7), "late": (2.0, 1.9, 2.25)}
    frame = pd.DataFrame(
        [
            {"arm": arm, "seed": seed, "update": update, "val_loss": loss + seed}
            for arm, losses in curves.items()
            for seed in (0, 1)
            for update, loss in zip((0, 1, 9), losses, strict=True)
        ]
    )
    table = rise(frame)
    assert table.columns.tolist() == list(curves)
    for seed in (0, 1):
        assert table.loc[seed].tolist() == pytest.approx([0, 0.5, 0.25])

"""Measures on curves whose answers are known."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import Net2NetError, measures


@pytest.fixture
def frame():
    """Two seeds of a teacher, a network from scratch and two students, one of which never gets there."""
    curves = {
        ("teacher", 0): ([0.1, 0.5, 0.8], [0.0, 2.0, 4.0]),
        ("teacher", 1): ([0.1, 0.6, 0.7], [0.0, 3.0, 6.0]),
        ("scratch", 0): ([0.1, 0.7, 0.9], [0.0, 5.0, 10.0]),
        ("scratch", 1): ([0.1, 0.8, 0.85], [0.0, 6.0, 12.0]),
        ("good", 0): ([0.8, 0.9, 0.95], [0.0, 5.5, 11.0]),
        ("good", 1): ([0.7, 0.8, 0.86], [0.0, 5.0, 10.0]),
        ("bad", 0): ([0.2, 0.7, 0.79], [0.0, 1.0, 2.0]),
        ("bad", 1): ([0.2, 0.71, 0.7], [0.0, 1.0, 2.0]),
    }
    rows = [
        {"arm": arm, "seed": seed, "update": u, "examples": 32 * u, "seconds": s, "val_accuracy": a, "test_accuracy": a}
        for (arm, seed), (accuracies, seconds) in curves.items()
        for u, a, s in zip((0, 10, 20), accuracies, seconds, strict=True)
    ]
    frame = pd.DataFrame(rows)
    frame["test_accuracy"] = frame["test_accuracy"].where(frame["update"] == 20) - 0.01
    frame.attrs = {"definition": {"scratch": {"good": "scratch", "bad": "scratch"}}}
    return frame


def test_ends(frame):
    table = measures.ends(frame)
    assert table.columns.tolist() == ["teacher", "scratch", "good", "bad"]  # as recorded, not by the alphabet
    assert table.index.tolist() == [0, 1]
    assert table["good"].tolist() == pytest.approx([0.94, 0.85])
    assert measures.ends(frame.sample(frac=1, random_state=0), "seconds")["scratch"].tolist() == [10.0, 12.0]


def test_cost_counts_the_teacher_once_and_none_from_scratch(frame):
    cost = measures.timed(frame).set_index(["arm", "seed", "update"])["cost"]
    assert cost["teacher", 1, 20] == 6.0
    assert cost["scratch", 0, 20] == 10.0
    assert cost["good", 0, 0] == 4.0
    assert cost["good", 1, 20] == 16.0
    longer = frame.replace({"arm": {"scratch": "scratch long"}})  # no student names it as its measure
    pd.testing.assert_series_equal(measures.timed(longer)["cost"], measures.timed(frame)["cost"])
    assert measures.timed(frame[frame["arm"] != "teacher"])["cost"].isna().sum() == 12  # those of students


def test_building_graphs_is_no_training():
    """Two stages of three epochs of 20 updates, each update a tenth of a second, and a graph built in each stage."""
    updates = [0, 10, 20, 40, 60, 70, 80, 100, 120]
    seconds = [0.0, 6.0, 7.0, 9.0, 11.0, 15.0, 16.0, 18.0, 20.0]  # 5 s in the first stretch, 3 s from 60 to 70
    frame = pd.DataFrame({"arm": "late", "seed": 0, "update": updates, "seconds": seconds})
    taught = pd.DataFrame({"arm": "teacher", "seed": 0, "update": [0, 10, 20], "seconds": [0.0, 2.0, 2.5]})
    both = pd.concat([taught, frame], ignore_index=True)
    both.attrs = {"definition": {"budgets": {"late": [3, 3]}, "images": 2000, "batch_size": 100}}
    timed = measures.timed(both.sample(frac=1, random_state=0)).sort_index()  # whatever the order of the rows
    assert timed["seconds"].tolist() == pytest.approx([0, 0.5, 1, *(0.1 * update for update in updates)])
    assert timed["cost"].tolist() == pytest.approx([0, 0.5, 1, *(0.1 * update + 1 for update in updates)])
    assert measures.ends(both, "seconds").iloc[0].tolist() == pytest.approx([1, 12])
    pd.testing.assert_frame_equal(measures.timed(timed), timed)
    assert both["seconds"].max() == 20, "what was given stays"
    short = frame[frame["update"].isin([0, 60, 120])]  # nothing else to go by
    short.attrs = both.attrs
    assert measures.timed(short)["seconds"].tolist() == [0, 11, 20]


@pytest.mark.parametrize(
    ("by", "good"), [("update", [10, 20]), ("examples", [320, 640]), ("seconds", [5.5, 10.0]), ("cost", [9.5, 16.0])]
)
def test_reach_of_the_network_from_scratch(frame, by, good):
    table = measures.reach(frame, by=by)
    assert table.columns.tolist() == ["good", "bad"]
    assert table["good"].tolist() == good
    assert table["bad"].tolist() == [np.inf, np.inf]


def test_reach_of_one_arm_is_asked_of_all_others(frame):
    table = measures.reach(frame, "scratch", "cost")
    assert table.columns.tolist() == ["teacher", "good", "bad"]
    pd.testing.assert_frame_equal(table[["good", "bad"]], measures.reach(frame, by="cost"))
    assert table["teacher"].tolist() == [np.inf, np.inf]


def test_reach_of_the_teacher_needs_no_more_than_its_accuracy(frame):
    table = measures.reach(frame, "teacher")
    assert table.columns.tolist() == ["scratch", "good", "bad"]
    assert table["good"].tolist() == [0, 0]  # begins there
    assert table["scratch"].tolist() == [20, 10]
    assert table["bad"].tolist() == [np.inf, 10]  # the first time counts, though it falls back


def test_a_loss_reaches_its_goal_from_above(frame):
    turned = frame.assign(val_loss=1 - frame["val_accuracy"])
    pd.testing.assert_frame_equal(measures.reach(turned, value="val_loss"), measures.reach(frame))
    later = measures.reach(frame.assign(val_loss=frame["val_accuracy"]), value="val_loss")
    assert not later.equals(measures.reach(frame))


def test_unknown_words_are_refused(frame):
    with pytest.raises(Net2NetError, match="goal: expected 'teacher' or 'scratch' or .*, got 'student'"):
        measures.reach(frame, "student")
    with pytest.raises(Net2NetError, match="by: expected 'update' or .*, got 'epoch'"):
        measures.reach(frame, by="epoch")


def test_interval_covers_the_median_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [low <= 0 <= high for _, low, high in (measures.interval(rng.normal(size=10)) for _ in range(200))]
    assert 0.88 <= np.mean(hits) <= 0.995  # percentile intervals of ten values are a little narrow


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=12), st.integers(0, 3))
def test_interval_holds_its_median_and_stays_within_the_values(values, never):
    median, low, high = measures.interval([*values, *[np.inf] * never])
    rounding = 1e-9 * (1 + np.abs(values).max())
    assert min(values) - rounding <= low <= median <= high
    assert high <= max(values) + rounding or never
    assert np.isinf(median) == (never >= len(values))  # of two in the middle, one infinite


def test_interval_of_one_value_has_no_limits():
    assert measures.interval([0.5])[0] == 0.5
    assert np.isnan(measures.interval([0.5])[1:]).all()


def test_paired_sees_what_holds_in_every_seed_though_the_seeds_differ_more():
    rng = np.random.default_rng(0)
    seeds = rng.normal(size=10)
    result = measures.paired(seeds + 0.01 + 0.001 * rng.normal(size=10), seeds)
    assert result.low > 0.008
    assert result.high < 0.012
    assert result.p == pytest.approx(2 / 2**10)  # the least that ten pairs can give
    assert result.pairs == 10


def test_paired_turns_its_sign_with_its_order():
    one, two = np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.5, 2.0, 2.0, 2.5])
    forth, back = measures.paired(one, two), measures.paired(two, one)
    assert forth.median == -back.median
    assert (forth.low, forth.high) == (-back.high, -back.low)
    assert forth.p == back.p


@pytest.mark.parametrize(
    ("low", "high", "place"), [(0.1, 2, "ahead"), (-2, -0.1, "behind"), (-1, 1, "level"), (0, 1, "level")]
)
def test_paired_lies_where_its_interval_lies(low, high, place):
    assert measures.Paired((low + high) / 2, low, high, 0.01, 10).place == place


def test_paired_of_equal_arms_has_no_p_value():
    result = measures.paired([1.0, 2.0], [1.0, 2.0])
    assert result.median == 0
    assert np.isnan(result.p)


@given(st.floats(0, 1e3), st.floats(1e-12, 1e3))
def test_a_line_is_found(fixed, each):
    sizes = np.array([1e2, 1e4, 1e6, 1e8])
    found = measures.line(sizes, fixed + each * sizes)
    np.testing.assert_allclose(found.fixed + found.each * sizes, fixed + each * sizes, rtol=1e-6)
    assert found.factor == pytest.approx(1, abs=1e-6)


def test_a_line_says_how_far_off_it_is_and_has_no_negative_part():
    sizes = np.array([1.0, 2, 4, 8])
    found = measures.line(sizes, sizes**2)
    assert found.fixed == 0
    assert found.factor == pytest.approx(max(found.each, 8 / found.each))


def test_a_median_is_put_in_words_with_its_interval_and_true_minus_signs():
    assert f"{measures.Paired(-0.456, -1.2, 0.05, 0.01, 10):+.2f}" == "−0.46 (−1.20 to +0.05)"
    assert f"{measures.Interval(1.0, 0.5, np.inf):.1f}" == "1.0 (0.5 to inf)"
    assert f"{measures.Interval(1.0, 0.5, 2.0)}" == "Interval(median=1.0, low=0.5, high=2.0)"

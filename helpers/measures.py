"""Measures of recorded studies: where arms end, when they get there, at what cost, and how sure that is.

All take the frame that `helpers.experiments.load_results` gives; its ``attrs`` hold the study's definition, which says
which arm is the network from scratch that another is measured against. Tables have a row for each seed and a column
for each arm.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import optimize, stats

from helpers.checks import check_choice

__all__ = ["Interval", "Line", "Paired", "ends", "interval", "line", "paired", "reach", "timed"]

RESAMPLES = 9999
NEVER = 1e150  # stands for infinity where arithmetic is done


def _in_words(found, each):
    """A median with its interval, every number in the format ``each``; as Python shows the tuple without one."""
    if not each:
        return str(found)
    return f"{found.median:{each}} ({found.low:{each}} to {found.high:{each}})".replace("-", "−")


class Interval(NamedTuple):
    """A median, and the limits of its 95 % bootstrap interval; NaN for one value alone.

    Examples
    --------
    >>> f"{Interval(2.0, 1.5, 3.25):.2f}"
    '2.00 (1.50 to 3.25)'
    """

    median: float
    low: float
    high: float

    __format__ = _in_words


class Paired(NamedTuple):
    """What pairs of values differ by: median with interval, the p-value of Wilcoxon's test, and how many pairs.

    Examples
    --------
    >>> f"{Paired(0.5, -0.25, 1.0, p=0.02, pairs=10):+.2f}"
    '+0.50 (−0.25 to +1.00)'
    """

    median: float
    low: float
    high: float
    p: float
    pairs: int

    __format__ = _in_words

    @property
    def place(self):
        """Where the interval lies: "ahead" of 0, "behind" it, or "level" with it, where it holds 0."""
        return "ahead" if self.low > 0 else "behind" if self.high < 0 else "level"


class Line(NamedTuple):
    """What something costs at size 0, what each unit of size adds, and by which factor no value is off at most."""

    fixed: float
    each: float
    factor: float


def ends(frame, value="test_accuracy"):
    """Where each run ends.

    Parameters
    ----------
    frame : pandas.DataFrame
    value : str
        A measured column; "seconds" and "cost" are those of `timed`.

    Returns
    -------
    pandas.DataFrame
        The column's value after the last update.

    Examples
    --------
    >>> frame = pd.DataFrame({"arm": "a", "seed": [0, 0, 1, 1], "update": [0, 9, 0, 9], "val_loss": [2, 1, 3, 2]})
    >>> ends(frame, "val_loss")["a"].tolist()
    [1, 2]
    """
    counted = timed(frame) if value in ("seconds", "cost") else frame
    last = counted.loc[counted.groupby(["arm", "seed"])["update"].idxmax()]
    table = last.pivot(index="seed", columns="arm", values=value)
    return table[frame["arm"].unique()]


def timed(frame):
    """The frame with seconds of training alone, and with those of the teacher's training added to them.

    A run's recorded seconds hold what TensorFlow takes to build the graph of an update, at the start and in every
    further stage of a schedule: as much as hundreds of updates of a small network. It falls into the first stretch
    between two measurements, so each stage's first stretch is counted at the pace of the others of that stage.

    Parameters
    ----------
    frame : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame
        ``seconds`` without the graphs, and ``cost`` with the teacher's: NaN for a student whose teacher is not in the
        frame. Networks from scratch, which are all those whose name begins with "scratch", have no teacher, and the
        teacher is its own. A stage that was measured only at its ends keeps its seconds.

    Examples
    --------
    >>> frame = pd.DataFrame({"arm": "scratch", "seed": 0, "update": [0, 10, 30], "seconds": [0.0, 5.0, 7.0]})
    >>> timed(frame)["seconds"].tolist()
    [0.0, 1.0, 3.0]
    """
    definition = frame.attrs.get("definition", {})
    seconds = frame["seconds"].copy()
    for (arm, _), run in frame.sort_values("update").groupby(["arm", "seed"]):
        stages = definition.get("budgets", {}).get(arm, [])[:-1]
        starts = [0, *(-(-definition["images"] // definition["batch_size"]) * epochs for epochs in np.cumsum(stages))]
        updates, took = np.diff(run["update"]), np.diff(run["seconds"])
        stage = np.searchsorted(starts, run["update"].to_numpy()[:-1], side="right")
        for each in np.unique(stage):
            first, *others = np.flatnonzero(stage == each)
            if others:
                took[first] = updates[first] * took[others].sum() / updates[others].sum()
        seconds[run.index] = np.concatenate([run["seconds"].to_numpy()[:1], took]).cumsum()
    taught = seconds[frame["arm"] == "teacher"].groupby(frame["seed"]).max()
    alone = frame["arm"].str.match("scratch|teacher$")
    return frame.assign(seconds=seconds, cost=seconds + frame["seed"].map(taught).where(~alone, 0.0))


def reach(frame, goal=None, by="update", value="val_accuracy"):
    """When each run first reaches what another one ends with, at the measurements that were made.

    Parameters
    ----------
    frame : pandas.DataFrame
    goal : str, optional
        The arm whose end of the same seed is to be reached by all others; by default, for each arm that has one, its
        own network from scratch.
    by : {"update", "examples", "seconds", "cost"}
        What is counted; "seconds" and "cost" are those of `timed`.
    value : str
        The column in which the goal is to be reached: from below, or from above if it is a loss.

    Returns
    -------
    pandas.DataFrame
        Infinity for a run that does not reach it. Arms without such a goal are left out.

    Raises
    ------
    Net2NetError
        If the goal is no arm, or `by` is not counted.

    Examples
    --------
    >>> frame = pd.DataFrame({"arm": ["teacher"] * 2 + ["student"] * 2, "seed": 0, "update": [0, 9, 0, 9],
    ...                       "val_accuracy": [0.1, 0.5, 0.4, 0.6]})
    >>> reach(frame, "teacher")["student"].tolist()
    [9.0]
    """
    check_choice("by", by, ("update", "examples", "seconds", "cost"))
    last = ends(frame, value)
    if goal is None:
        goals = frame.attrs["definition"]["scratch"]
    else:
        check_choice("goal", goal, list(last))
        goals = {arm: goal for arm in last if arm != goal}
    counted = timed(frame) if by in ("seconds", "cost") else frame
    table = {}
    for arm, other in goals.items():
        rows = counted[counted["arm"] == arm]
        level = rows["seed"].map(last[other])
        there = rows[rows[value] <= level if value.endswith("loss") else rows[value] >= level]
        table[arm] = there.groupby("seed")[by].min().astype("float64").reindex(last.index, fill_value=np.inf)
    return pd.DataFrame(table)


def interval(values, seed=0):
    """Median and 95 % bootstrap interval (percentiles of 9,999 resamples).

    Parameters
    ----------
    values : array_like, shape (n,)
        One for each seed; infinity is greater than any.
    seed : int
        Of the resamples.

    Returns
    -------
    Interval

    Examples
    --------
    >>> interval([1.0, 2.0, 3.0, 4.0, np.inf])
    Interval(median=3.0, low=1.0, high=inf)

    References
    ----------
    Efron and Tibshirani 1993, chapter 13.
    """
    values = np.asarray(values, dtype="float64")
    if len(values) < 2:
        return Interval(float(np.median(values)), np.nan, np.nan)
    finite = np.where(np.isinf(values), NEVER, values)
    found = stats.bootstrap(
        (finite,), np.median, n_resamples=RESAMPLES, method="percentile", rng=np.random.default_rng(seed)
    )
    median, (low, high) = np.median(finite), found.confidence_interval
    numbers = (median, min(low, median), max(high, median))  # interpolated, a limit may miss by a rounding
    return Interval(*(float("inf") if number > NEVER / 1e9 else float(number) for number in numbers))


def paired(values, others, seed=0):
    """Compare two arms seed by seed.

    Parameters
    ----------
    values, others : array_like, shape (n,)
        Of the same seeds in the same order; finite.
    seed : int
        Of the resamples.

    Returns
    -------
    Paired
        Of ``values - others``; Wilcoxon's signed-rank test has two sides. NaN for its p-value if all pairs are equal.

    Examples
    --------
    >>> paired([3.0, 4.0, 5.5, 6.0, 7.0], [2.0, 2.0, 2.5, 2.0, 2.0])[::3]
    (3.0, 0.0625)

    References
    ----------
    Wilcoxon 1945.
    """
    differences = np.asarray(values, dtype="float64") - np.asarray(others, dtype="float64")
    p = stats.wilcoxon(differences).pvalue if differences.any() else np.nan
    return Paired(*interval(differences, seed), float(p), len(differences))


def line(sizes, costs):
    """The line ``fixed + each * size`` that is nearest to costs, neither part negative, every relative error alike.

    Parameters
    ----------
    sizes, costs : array_like, shape (n,)
        Positive.

    Returns
    -------
    Line

    Examples
    --------
    >>> [round(part, 6) for part in line([1, 10, 100], [3.0, 21.0, 201.0])]
    [1.0, 2.0, 1.0]

    References
    ----------
    Lawson and Hanson 1974, chapter 23, for least squares without negative parts.
    """
    sizes, costs = np.asarray(sizes, dtype="float64"), np.asarray(costs, dtype="float64")
    # Both columns at most 1, or the solver takes the smaller for nothing.
    columns = np.stack([1 / costs, sizes / costs], axis=1)
    scales = columns.max(axis=0)
    parts, _ = optimize.nnls(columns / scales, np.ones(len(sizes)))
    fixed, each = parts / scales
    ratios = costs / (fixed + each * sizes)
    return Line(float(fixed), float(each), float(np.maximum(ratios, 1 / ratios).max()))

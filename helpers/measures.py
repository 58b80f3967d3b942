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

__all__ = [
    "Interval",
    "Line",
    "Mean",
    "Paired",
    "anytime",
    "border",
    "collapsed",
    "ends",
    "frontier_sizes",
    "interval",
    "leaders",
    "line",
    "mean",
    "paired",
    "reach",
    "timed",
]

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


class Mean(NamedTuple):
    """A mean, and the limits of its 95 % interval by Student's t; NaN for one value alone.

    Examples
    --------
    >>> f"{Mean(-0.5, -0.75, 0.25):+.2f}"
    '−0.50 (−0.75 to +0.25)'
    """

    mean: float
    low: float
    high: float

    def __format__(self, each):
        return _in_words(Interval(*self), each)


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


def collapsed(frame):
    """Which runs ended at guessing: no more accurate than some network from scratch was before its first update.

    Parameters
    ----------
    frame : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame
        True or false; false for all where no network from scratch was measured.

    Examples
    --------
    >>> rows = {"arm": "scratch", "seed": [0, 0, 1, 1], "update": [0, 9, 0, 9], "val_accuracy": [0.1, 0.9, 0.12, 0.11]}
    >>> collapsed(pd.DataFrame(rows))["scratch"].tolist()
    [False, True]
    """
    untrained = frame[frame["arm"].str.startswith("scratch") & (frame["update"] == 0)]
    return ends(frame, "val_accuracy") <= untrained["val_accuracy"].max()


def leaders(frame, value="val_accuracy"):
    """The arm that ends best in the median, and those that the seeds cannot tell from it.

    Parameters
    ----------
    frame : pandas.DataFrame
    value : str
        A measured column; of a loss the lowest is best.

    Returns
    -------
    (str or None, list of str)
        The best arm, None if nothing was measured, and those whose differences from it, seed by seed, have an interval
        that holds 0. An arm that shares fewer than two seeds with the best cannot be told from it either.

    Examples
    --------
    >>> rows = [{"arm": arm, "seed": seed, "update": 9, "val_accuracy": start + seed / 100}
    ...         for arm, start in {"a": 0.5, "b": 0.6}.items() for seed in range(3)]
    >>> leaders(pd.DataFrame(rows))
    ('b', [])
    """
    table = ends(frame, value) * (-1 if value.endswith("loss") else 1)
    medians = table.median().dropna()
    if medians.empty:
        return None, []
    best = medians.idxmax()
    level = []
    for arm in medians.index.drop(best):
        pairs = table[[best, arm]].dropna()
        if len(pairs) < 2 or paired(pairs[best], pairs[arm]).place == "level":
            level.append(arm)
    return best, level


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


def mean(values):
    """Mean and 95 % interval by Student's t, for differences of the losses of seeds, which have no far-off ones.

    Parameters
    ----------
    values : array_like, shape (n,)
        One for each seed.

    Returns
    -------
    Mean

    Examples
    --------
    >>> f"{mean([1.0, 2.0, 3.0]):.2f}"
    '2.00 (−0.48 to 4.48)'

    References
    ----------
    Student 1908.
    """
    values = np.asarray(values, dtype="float64")
    if len(values) < 2:
        return Mean(float(values.mean()), np.nan, np.nan)
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return Mean(float(values.mean()), float(values.mean() - half), float(values.mean() + half))


def frontier_sizes(frame):
    """The constant size that is best at each budget, by the tuning seeds, so that no recorded seed has chosen it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Of the study `frontier`.

    Returns
    -------
    dict
        From budgets to arms.
    """
    found = {}
    for budget in frame.attrs["definition"]["budgets"]:
        losses = {
            arm: min(np.mean(each) for each in tried[f"{budget:g}"].values())
            for arm, tried in frame.attrs["tried"].items()
        }
        found[budget] = min(losses, key=losses.get)
    return found


def _rivals(frontier, definition):
    """What grown networks are compared with at each budget: {name: table of seeds and budgets}."""
    (grown,) = {tuple(arm["size"]) for arm in definition["arms"].values()}
    read = frontier.dropna(subset="budget").pivot(index=["arm", "seed"], columns="budget", values="test_loss")
    named = {"scratch": grown, "continued teacher": definition["teacher"]}
    rivals = {name: read.loc[" x ".join(map(str, size))] for name, size in named.items()}
    best = {budget: read.loc[arm][budget] for budget, arm in frontier_sizes(frontier).items()}
    return rivals | {"frontier": pd.DataFrame(best)}


def border(frontier, grown):
    """Where growing pays: each way to grow beside its rivals, at each budget.

    Parameters
    ----------
    frontier : pandas.DataFrame
        Of the study `frontier`, in which the rivals are.
    grown : pandas.DataFrame
        Of a study of students, such as `language_wider`, on the same seeds.

    Returns
    -------
    pandas.DataFrame
        A row for each budget, arm and `fraction` of the budget after which it grew (0 for the rivals, which are
        "scratch", the same network for all of the budget, "continued teacher" and "frontier"): `lr`, the number of
        `seeds` that both studies have, `loss`, the mean of the test loss, and its mean difference from each rival seed
        by seed; each a `Mean`, below 0 where growing is better.
    """
    rivals = _rivals(frontier, grown.attrs["definition"])
    ways = {}
    students = grown[(grown["arm"] != "teacher") & grown["budget"].notna()]
    for (budget, arm, at, rate), rows in students.groupby(["budget", "arm", "grown", "lr"], sort=False):
        ways[budget, arm, round(at / budget, 6), rate] = rows.set_index("seed")["test_loss"]
    for name, table in rivals.items():
        for budget in table:
            ways[budget, name, 0.0, np.nan] = table[budget]
    found = []
    for (budget, arm, fraction, rate), losses in ways.items():
        differences = {name: (losses - table[budget]).dropna() for name, table in rivals.items() if name != arm}
        seeds = losses.index.intersection(rivals["scratch"].index)
        row = {"budget": budget, "arm": arm, "fraction": fraction, "lr": rate, "seeds": len(seeds)}
        row |= {"loss": mean(losses[seeds])} | {name: mean(each) for name, each in differences.items()}
        found.append(row)
    return pd.DataFrame(found).sort_values(["budget", "fraction"], kind="stable", ignore_index=True)


def anytime(frontier, grown, arm, start):
    """How far from the frontier those are who do not know their budget, and so take one way for all budgets.

    Parameters
    ----------
    frontier, grown : pandas.DataFrame
        As for `border`.
    arm : str
        A way to grow.
    start : float
        The budget at which it grows; before, it is the continued teacher.

    Returns
    -------
    pandas.DataFrame
        A row for each constant size and for the arm: `mean` and `largest` distance over all budgets, of test losses
        that are means over the seeds which both studies have; NaN if a budget after `start` was not recorded.
    """
    read = frontier.dropna(subset="budget").pivot(index=["arm", "seed"], columns="budget", values="test_loss")
    definition = grown.attrs["definition"]
    teacher = read.loc[" x ".join(map(str, definition["teacher"]))]
    rows = grown[(grown["arm"] == arm) & (grown["grown"] == start) & grown["budget"].notna()]
    after = rows.pivot(index="seed", columns="budget", values="test_loss")
    growing = after.reindex(columns=teacher.columns).fillna(teacher.loc[:, teacher.columns <= start])
    seeds = after.index.intersection(teacher.index)
    best = _rivals(frontier, definition)["frontier"].loc[seeds].mean()
    ways = {name: read.loc[name] for name in frontier["arm"].unique()} | {f"{arm}, grown at {start:g}": growing}
    distances = pd.DataFrame({name: table.loc[seeds].mean() - best for name, table in ways.items()})
    return pd.DataFrame({"mean": distances.mean(skipna=False), "largest": distances.max(skipna=False)})


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

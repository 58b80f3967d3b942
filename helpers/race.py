"""The race of the book: the recorded runs of a study, played over updates, seconds, or seconds with the teacher's.

``book/web/net2net-race.js`` draws and plays what this module reads from ``results/STUDY.csv``: for every arm the
median over the seeds, and their range. What the page says of a moment, `Race.words` says.
"""

import math

import numpy as np
import traitlets as t

from helpers import experiments, explore, measures, plots
from helpers.checks import Net2NetError

__all__ = ["AXES", "MEASURES", "Race", "race"]

TAG = "net2net-race"
AXES = {"updates": "update", "seconds": "seconds", "total": "cost"}  # and the column that holds it
MEASURES = {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}
NAMED = 3  # leaders that are named, and places that are told

# How a line looks, by how its arm's name begins: the dash tells how the weights began, the color which arm of these it
# is. Colors are places in `plots.CYCLE`, and of --n2n-u0 to --n2n-u6 in the page.
LOOKS = (
    ("teacher", "2 3", (5, 6, 4, 1, 2, 0, 3)),
    ("scratch", "6 3", (5, 6, 0, 2, 3, 4, 1)),
    ("random", "9 3 2 3", (1, 3, 4, 0, 2, 5, 6)),
    ("", "", (0, 2, 4, 6, 1, 3, 5)),
)


def race(study="mnist_article", *, arms=None, axis="updates", measure="val_accuracy", without=(), at=1.0):
    """Play the recorded runs of a study.

    Parameters
    ----------
    study : str or pandas.DataFrame
        A name that `helpers.experiments.load_results` knows, or rows as it gives them, with the columns arm, seed,
        update, examples, seconds, val_accuracy and val_loss. What not all seeds of an arm have measured is left out.
    arms : list of str, optional
        Which arms, in this order; by default all.
    axis, measure, without, at
        To begin with; see `Race`.

    Returns
    -------
    Race
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If the study or an arm is unknown, or `at` or `axis` does not fit it.
    traitlets.TraitError
        If `axis` or `measure` is none of its choices.

    Examples
    --------
    >>> panel = race("mnist_article", arms=["net2deeper", "randominit"], at=0.0)
    >>> [arm for arm, accuracy in panel.standing]
    ['net2deeper', 'randominit']
    """
    frame = experiments.load_results(study) if isinstance(study, str) else study
    return Race(study=_summary(frame, arms), axis=axis, measure=measure, without=list(without), at=at)


def _summary(frame, arms):
    """What the page needs of a study: medians and ranges, rounded to what is shown, and the looks of the lines."""
    known = list(frame["arm"].unique())
    unknown = [arm for arm in arms or () if arm not in known]
    if unknown:
        raise Net2NetError(f"arms: expected some of {', '.join(known) or 'none'}, got {', '.join(unknown)}")
    frame = measures.timed(frame)
    axes = [axis for axis, column in AXES.items() if not frame[column].isna().any()]
    tables = {column: experiments.summarize(frame, column) for column in (*(AXES[axis] for axis in axes), *MEASURES)}
    used = [0] * len(LOOKS)
    summaries = []
    for arm in arms or known:
        rows = tables["update"][tables["update"]["arm"] == arm]
        seeds = int(rows["seeds"].max())
        marks = rows.index[rows["seeds"] == seeds]
        place, (_, dash, colors) = next((i, look) for i, look in enumerate(LOOKS) if arm.startswith(look[0]))
        summary = {"arm": arm, "seeds": seeds, "color": colors[used[place] % len(colors)], "dash": dash}
        used[place] += 1
        summary |= {axis: tables[AXES[axis]].loc[marks, "median"].round(1).tolist() for axis in axes}
        shown = ["median", "low", "high"] if seeds > 1 else ["median"]
        for measure in MEASURES:
            # A run that diverged has no number there, and JSON no word for that but null.
            columns = tables[measure].loc[marks, shown].round(4).to_numpy().T
            summary[measure] = [[None if math.isnan(v) else v for v in column] for column in columns.tolist()]
        summaries.append(summary)
    return {"axes": axes, "arms": summaries}


class Race(explore.Explorable):
    """What `race` returns. Its traits can be set, observed and linked.

    Attributes
    ----------
    study : dict
        ``axes``, and for each of ``arms`` its name, number of seeds, look, places on each axis and, for each measure,
        medians, least and greatest values (medians alone where there is one seed).
    axis : {"updates", "seconds", "total"}
        Updates; processor seconds of training; the same with those of the seed's teacher added, for students that have
        one: all arms but ``scratch...``.
    measure : {"val_accuracy", "val_loss"}
    without : list of str
        Arms that are not shown.
    at : float
        The moment, from 0 at the start to 1 at the end. Time runs with the square of it, as the axis is stretched.
    """

    tag, state = TAG, ("study", "axis", "measure", "without", "at")
    _esm, _css = explore.faces(TAG)

    study = t.Dict().tag(sync=True)
    axis = t.Enum(list(AXES), "updates").tag(sync=True)
    measure = t.Enum(list(MEASURES), "val_accuracy").tag(sync=True)
    without = t.List(t.Unicode()).tag(sync=True)
    at = t.Float(1.0).tag(sync=True)

    @t.validate("axis")
    def _check_axis(self, proposal):
        if proposal["value"] not in self.study["axes"]:
            raise Net2NetError(f"axis: {proposal['value']!r} needs a teacher for every seed, and the study has none")
        return proposal["value"]

    @t.validate("without")
    def _check_without(self, proposal):
        known = [summary["arm"] for summary in self.study["arms"]]
        unknown = [arm for arm in proposal["value"] if arm not in known]
        if unknown:
            raise Net2NetError(f"without: expected some of {', '.join(known)}, got {', '.join(unknown)}")
        return proposal["value"]

    @t.validate("at")
    def _check_at(self, proposal):
        if not 0 <= proposal["value"] <= 1:
            raise Net2NetError(f"at: expected a number from 0 to 1, got {proposal['value']}")
        return proposal["value"]

    @property
    def style(self):
        return f"--n2n-arms: {len(self.study['arms'])}"

    # The same as in net2net-race.js

    def _still(self, summary):
        # A teacher has stopped before its students begin: a level for them, but where its seconds count too.
        return summary["arm"] == "teacher" and self.axis != "total"

    def _points(self, summary):
        """Rows of place, median, and, where there are several seeds, least and greatest value."""
        points = np.array([summary[self.axis], *summary[self.measure]], float).T
        points = points[~np.isnan(points[:, 1])]
        if self._still(summary) and len(points):
            points = points[-1:]
            points[:, 0] = 0
        return points

    @property
    def _running(self):
        return [summary for summary in self.study["arms"] if not self._still(summary)]

    @property
    def most(self):
        """Where the axis ends, in updates or seconds."""
        return max([place for summary in self._running for place in summary[self.axis]], default=0)

    @property
    def time(self):
        """The moment in updates or seconds."""
        return self.most * self.at**2

    @property
    def standing(self):
        """Pairs (arm, median last measured) of the arms that are shown and have begun, best first."""
        standing = []
        for summary in self._running:
            values = [middle for place, middle, *_ in self._points(summary).tolist() if place <= self.time]
            if values and summary["arm"] not in self.without:
                standing.append((summary["arm"], values[-1]))
        return sorted(standing, key=lambda pair: pair[1], reverse=self.measure.endswith("accuracy"))

    @property
    def words(self):
        """Who leads at this moment, as the page says it."""
        arms, standing = self.study["arms"], self.standing
        if not arms:
            return "No results are recorded for this study."
        if len(set(self.without)) == len(arms):
            return "No arm is shown."
        if not standing:
            return "None of the arms shown has been measured yet."

        def written(value):
            return f"{100 * value:.2f} %" if self.measure.endswith("accuracy") else f"{value:.4f}"

        best = standing[0][1]
        leaders = [arm for arm, value in standing if value == best]
        rest = [f"{arm} {written(value)}" for arm, value in standing[len(leaders) :]]
        many = len(leaders)
        if many > NAMED:
            leaders = [*leaders[: NAMED - 1], f"{many - NAMED + 1} others"]
        names = " and ".join(filter(None, [", ".join(leaders[:-1]), leaders[-1]]))
        # Halves go up, as in the page.
        tenths, whole = math.floor(10 * self.time + 0.5) / 10, math.floor(self.time + 0.5)
        unit = f"{whole:,} updates" if self.axis == "updates" else f"{tenths:,.1f} s"
        begin = "At the start" if self.at == 0 else f"After {unit}"
        then = f", then {', '.join(rest[: NAMED - 1])}" if rest else ""
        end = f"; last is {rest[-1]}" if len(rest) > NAMED - 1 else ""
        counts = sorted({summary["seeds"] for summary in arms})
        seeds = f"Medians of {' to '.join(map(str, counts[:: max(1, len(counts) - 1)]))} seeds."
        seeds = "1 seed: a small lead may be luck." if counts == [1] else seeds
        return f"{begin} {names} {'lead' if many > 1 else 'leads'} with {written(best)}{then}{end}. {seeds}"

    def picture(self):
        """Draw the arms that are shown, up to the moment."""
        curves = {}
        for number, summary in enumerate(self.study["arms"]):
            points = self._points(summary)
            points = points[points[:, 0] <= self.time]
            if summary["arm"] not in self.without and len(points):
                if self._still(summary):
                    points = np.array([points[0], [self.time, *points[0, 1:]]])
                name = f"{chr(65 + number % 26)} {summary['arm']}"
                curves[name] = points.T, summary["color"], summary["dash"]
        over = {"updates": "updates", "seconds": "seconds of training", "total": "total seconds"}[self.axis]
        figure = plots.race_curves(curves, over, MEASURES[self.measure])
        alt = f"{MEASURES[self.measure].capitalize()} over {over}, a line for each arm. {self.words}"
        return figure, alt, self.words

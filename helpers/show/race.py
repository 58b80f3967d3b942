"""The race of the book: a reader guesses which arm of a study ends highest, then its recorded runs are played.

``book/web/net2net-race.js`` draws and plays what this module reads from ``results/STUDY.csv``: for every arm the
median over the seeds, and their range. What the page says of a moment, `Race.words` says.
"""

import math
from collections import Counter

import numpy as np
import traitlets as t

from helpers import experiments, measures
from helpers.checks import Net2NetError
from helpers.show import arms as book
from helpers.show import explore, plots
from helpers.show.explore import element

__all__ = ["AXES", "MEASURES", "Race", "race"]

TAG = "net2net-race"
AXES = {"updates": "update", "seconds": "seconds", "total": "cost"}  # and the column that holds it
MEASURES = {"val_accuracy": "validation accuracy", "val_loss": "validation loss"}
NAMED = 3  # leaders that are named, and places that are told


def race(study="mnist_article", *, arms=None, axis="updates", measure="val_accuracy", guess="", at=0.0):
    """Guess which arm of a study ends highest, then see its recorded runs.

    Parameters
    ----------
    study : str or pandas.DataFrame
        A name that `helpers.experiments.load_results` knows, or rows as it gives them, with the columns arm, seed,
        update, examples, seconds, val_accuracy and val_loss. What not all seeds of an arm have measured is left out.
    arms : list of str, optional
        Which arms, in this order; by default all.
    axis, measure, guess, at
        To begin with; see `Race`.

    Returns
    -------
    Race
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If the study or an arm is unknown, or `guess`, `at` or `axis` does not fit it.
    traitlets.TraitError
        If `axis` or `measure` is none of its choices.

    Examples
    --------
    >>> panel = race("mnist_article", arms=["net2deeper", "randominit"], at=0.01)
    >>> [arm for arm, accuracy in panel.standing]
    ['net2deeper', 'randominit']
    """
    frame = experiments.load_results(study) if isinstance(study, str) else study
    return Race(study=_summary(frame, arms), axis=axis, measure=measure, guess=guess, at=at)


def _summary(frame, arms):
    """What the page needs of a study: names and looks, medians and ranges as they are shown, and how it ends."""
    known = list(frame["arm"].unique())
    unknown = [arm for arm in arms or () if arm not in known]
    if unknown:
        raise Net2NetError(f"arms: expected some of {', '.join(known) or 'none'}, got {', '.join(unknown)}")
    arms = arms or known
    frame = measures.timed(frame)
    axes = [axis for axis, column in AXES.items() if not frame[column].isna().any()]
    lost = measures.collapsed(frame)
    fell = np.array([lost.at[run] for run in zip(frame["seed"], frame["arm"], strict=True)], bool)
    tables = {column: experiments.summarize(frame, column) for column in (*(AXES[axis] for axis in axes), *MEASURES)}
    for measure in MEASURES:
        # A run that collapsed counts in the median, but its band would cover the picture.
        upright = experiments.summarize(frame[~fell], measure).set_index(["arm", "update"])[["low", "high"]]
        tables[measure] = tables[measure].drop(columns=["low", "high"]).join(upright, on=["arm", "update"])
    looks = _looks(arms)
    summaries = []
    for arm in arms:
        rows = tables["update"][tables["update"]["arm"] == arm]
        seeds = int(rows["seeds"].max())
        marks = rows.index[rows["seeds"] == seeds]
        look = looks[arm]
        summary = {"arm": arm, "label": look.label, "color": book.PALETTE.index(look.color), "dash": look.svg_dash}
        summary |= {"seeds": seeds, "collapsed": int(lost[arm].sum())}
        summary |= {axis: tables[AXES[axis]].loc[marks, "median"].round(1).tolist() for axis in axes}
        shown = ["median", "low", "high"] if seeds > 1 else ["median"]
        for measure in MEASURES:
            # A run that diverged has no number there, and JSON no word for that but null.
            columns = tables[measure].loc[marks, shown].round(4).to_numpy().T
            summary[measure] = [[None if math.isnan(v) else v for v in column] for column in columns.tolist()]
        summaries.append(summary)
    rivals = frame[frame["arm"].isin(arms) & (frame["arm"] != "teacher")]
    ends = {}
    for measure in MEASURES:
        best, level = measures.leaders(rivals, measure)
        # One seed cannot tell any from the best, which is said by itself.
        ends[measure] = {"best": best or "", "level": level if frame["seed"].nunique() > 1 else []}
    return {"axes": axes, "arms": summaries, "ends": ends}


def _looks(arms):
    """Looks of the arms; those that differ in size alone have it in their name, and differ in dash."""
    looks, seen = book.looks(arms), Counter()
    counts = Counter(look.name for look in looks.values())
    for arm, look in looks.items():
        if counts[look.name] > 1:
            dash = book.DASHES[(book.DASHES.index(look.dash) + seen[look.name]) % 7]
            looks[arm] = look._replace(name=f"{look.name}{book.SIZE.search(arm)[0]}", dash=dash)
            seen[look.name] += 1
    return looks


def _quoted(label):
    return f"“{label.replace(chr(10), ' ')}”"


def _listed(words):
    """Up to three, the rest as a number."""
    words = words if len(words) <= NAMED else [*words[: NAMED - 1], f"{len(words) - NAMED + 1} others"]
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


class Race(explore.Explorable):
    """What `race` returns. Its traits can be set, observed and linked.

    Attributes
    ----------
    study : dict
        ``axes``; for each of ``arms`` its look, numbers of seeds and of runs that collapsed, places on each axis and,
        for each measure, medians, least and greatest values (medians alone where there is one seed), these without the
        runs that collapsed; and ``ends``, for each measure the best arm and those level with it.
    axis : {"updates", "seconds", "total"}
        Updates; processor seconds of training; the same with those of the seed's teacher added, for students that have
        one: all arms but ``scratch...``.
    measure : {"val_accuracy", "val_loss"}
    guess : str
        The arm that the reader expects to end best; empty before the guess.
    at : float
        The moment, from 0, when nothing has run, to 1 at the end. Time runs with the square of it, as the axis is
        stretched.
    """

    tag, state = TAG, ("study", "axis", "measure", "guess", "at")
    _esm, _css = element.faces(TAG)

    study = t.Dict().tag(sync=True)
    axis = t.Enum(list(AXES), "updates").tag(sync=True)
    measure = t.Enum(list(MEASURES), "val_accuracy").tag(sync=True)
    guess = t.Unicode("").tag(sync=True)
    at = t.Float(0.0).tag(sync=True)

    @t.validate("axis")
    def _check_axis(self, proposal):
        if proposal["value"] not in self.study["axes"]:
            raise Net2NetError(f"axis: {proposal['value']!r} needs a teacher for every seed, and the study has none")
        return proposal["value"]

    @t.validate("guess")
    def _check_guess(self, proposal):
        rivals = [summary["arm"] for summary in self.rivals]
        if proposal["value"] not in ("", *rivals):
            raise Net2NetError(f"guess: expected one of {', '.join(rivals)}, got {proposal['value']}")
        return proposal["value"]

    @t.validate("at")
    def _check_at(self, proposal):
        if not 0 <= proposal["value"] <= 1:
            raise Net2NetError(f"at: expected a number from 0 to 1, got {proposal['value']}")
        return proposal["value"]

    @property
    def style(self):
        lost = any(summary["collapsed"] for summary in self.study["arms"])
        return f"--n2n-arms: {len(self.rivals)}; --n2n-lost: {lost:d}"

    @property
    def rivals(self):
        """The arms that a reader can guess: all but the teacher, which stops where the others begin."""
        return [summary for summary in self.study["arms"] if summary["arm"] != "teacher"]

    # The same as in net2net-race.js

    @property
    def _accuracy(self):
        return self.measure.endswith("accuracy")

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
    def most(self):
        """Where the axis ends, in updates or seconds."""
        running = [summary for summary in self.study["arms"] if not self._still(summary)]
        return max([place for summary in running for place in summary[self.axis]], default=0)

    @property
    def time(self):
        """The moment in updates or seconds."""
        return self.most * self.at**2

    @property
    def standing(self):
        """Pairs (arm, median last measured) of the arms that have begun, best first."""
        return self._standing(self.at)

    def _standing(self, at):
        standing = []
        for summary in self.study["arms"]:
            values = [middle for place, middle, *_ in self._points(summary).tolist() if place <= self.most * at**2]
            if at and values and not self._still(summary):
                standing.append((summary["arm"], values[-1]))
        return sorted(standing, key=lambda pair: pair[1], reverse=self._accuracy)

    @property
    def words(self):
        """Who leads at this moment, or how it ended, as the page says it."""
        return self._words(self.at)

    def _words(self, at):
        if not self.study["arms"]:
            return "No results are recorded for this study."
        if at == 0:
            return "Nothing has run yet."
        standing = self._standing(at)
        if not standing or not self.study["ends"][self.measure]["best"]:
            return "None of these networks has been measured yet."
        return f"{self._verdict() if at == 1 else self._moment(at, standing)} {self._notes(at)}"

    def _written(self, value):
        return f"{100 * value:.2f} %" if self._accuracy else f"{value:.4f}"

    def _called(self, arm):
        return _quoted(next(summary["label"] for summary in self.study["arms"] if summary["arm"] == arm))

    def _moment(self, at, standing):
        best = standing[0][1]
        leaders = [self._called(arm) for arm, value in standing if value == best]
        rest = [f"{self._called(arm)} {self._written(value)}" for arm, value in standing[len(leaders) :]]
        # Halves go up, as in the page.
        time = self.most * at**2
        tenths, whole = math.floor(10 * time + 0.5) / 10, math.floor(time + 0.5)
        unit = f"{whole:,} updates" if self.axis == "updates" else f"{tenths:,.1f} s"
        then = f", then {', '.join(rest[: NAMED - 1])}" if rest else ""
        end = f"; last is {rest[-1]}" if len(rest) > NAMED - 1 else ""
        lead = "lead" if len(leaders) > 1 else "leads"
        return f"After {unit} {_listed(leaders)} {lead} with {self._written(best)}{then}{end}."

    def _verdict(self):
        """What was guessed, and what ended best."""
        best, level = self.study["ends"][self.measure].values()
        most = "highest" if self._accuracy else "lowest"
        ends = {arm: self._written(value) for arm, value in self._standing(1)}
        name, end = self._called(best), ends[best]
        equal = f"level with {_listed([self._called(arm) for arm in level])}" if level else ""
        if self.guess in level:
            guessed = self._called(self.guess)
            return f"You guessed {guessed}: it ended level with {name}, which has the {most} median, {end}."
        if self.guess == best:
            return f"You guessed {name}, and it ended {most}, with {end}{equal and f', but {equal}'}."
        guessed = f"You guessed {self._called(self.guess)}, which ended with {ends[self.guess]}; " if self.guess else ""
        return f"{guessed}{name} ended {most}, with {end}{equal and f', {equal}'}."

    def _notes(self, at):
        counts = sorted({summary["seeds"] for summary in self.study["arms"]})
        if counts == [1]:
            return "1 seed: a small lead may be luck."
        level = at == 1 and self.study["ends"][self.measure]["level"]
        level = "; level means that these seeds cannot tell them apart" if level else ""
        seeds = f"Medians of {' to '.join(map(str, counts[:: max(1, len(counts) - 1)]))} seeds{level}."
        lost = [summary for summary in self.study["arms"] if summary["collapsed"]]
        runs = [f"{one['collapsed']} of {one['seeds']} runs of {_quoted(one['label'])}" for one in lost]
        if len(lost) > NAMED:
            fallen, all_runs = (sum(one[count] for one in self.study["arms"]) for count in ("collapsed", "seeds"))
            runs = [f"{fallen} of {all_runs} runs"]
        return f"{seeds} {_listed(runs)} collapsed to guessing; the bands leave them out." if runs else seeds

    def picture(self):
        """Draw the arms up to the moment; all of it where nothing has run, for a page that cannot play."""
        at, curves = self.at or 1, {}
        looks = _looks([summary["arm"] for summary in self.study["arms"]])
        for summary in self.study["arms"]:
            points = self._points(summary)
            points = points[points[:, 0] <= self.most * at**2]
            if len(points):
                if self._still(summary):
                    points = np.array([points[0], [self.most * at**2, *points[0, 1:]]])
                curves[summary["label"]] = points.T, looks[summary["arm"]]
        over = {"updates": "updates", "seconds": "seconds of training", "total": "total seconds"}[self.axis]
        figure = plots.race_curves(curves, over, MEASURES[self.measure])
        words = self._words(at)
        return figure, f"{MEASURES[self.measure].capitalize()} over {over}, a line for each arm. {words}", words

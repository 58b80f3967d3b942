"""The map of the book: where growing pays, and beside which rival; each cell has an interval and curves.

``book/web/net2net-map.js`` draws what this module reads from two recorded studies, one of networks of constant size and
one of networks that grew, by `helpers.measures.border`. What the page says of a cell, `GrowthMap.words` says.
"""

import math

import traitlets as t

from helpers import experiments, measures
from helpers.checks import Net2NetError, check_choice
from helpers.show import explore, plots
from helpers.show.explore import element

__all__ = ["FRACTIONS", "RIVALS", "GrowthMap", "growth_map"]

TAG = "net2net-map"
RIVALS = {
    "scratch": "the same network from scratch",
    "continued teacher": "the continued teacher",
    "frontier": "the best size for the budget",
}
FRACTIONS = {0.125: "an eighth", 0.25: "a quarter", 0.5: "half", 0.7: "seven tenths"}
VERDICTS = {
    "wins": "Growing wins.",
    "level": "The two are level: the interval holds 0.",
    "loses": "Growing loses.",
    "open": "One seed decides nothing.",
}


def growth_map(
    frontier="frontier",
    grown="language_wider",
    *,
    arm="noise fresh",
    rival="scratch",
    budget=None,
    fraction=None,
):
    """Show a way to grow beside its rivals, at each budget and for each moment at which it grew.

    Parameters
    ----------
    frontier, grown : str or pandas.DataFrame
        Names that `helpers.experiments.load_results` knows, or frames as it gives them: a study of networks of constant
        size, in which the rivals are, and one of networks that grew.
    arm : str
        The way to grow, of `grown`.
    rival, budget, fraction
        To begin with; see `GrowthMap`. By default the cell at which the study compared all ways to grow.

    Returns
    -------
    GrowthMap
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If a study or the arm is unknown or holds no such networks, if a cell is not recorded, or if `budget` or
        `fraction` is none of the map's.
    traitlets.TraitError
        If `rival` is none of its choices.

    Examples
    --------
    >>> panel = growth_map(budget=8, fraction=0.5)
    >>> panel.words.startswith("8 characters a weight, grown after half of that: the test loss ends 0.")
    True
    >>> panel.rival = "continued teacher"
    >>> panel.words.count("the continued teacher")
    1
    """
    frontier, grown = (experiments.load_results(one) if isinstance(one, str) else one for one in (frontier, grown))
    for name, frame in {"frontier": frontier, "grown": grown}.items():
        if "budget" not in frame:
            got = frame.attrs.get("definition", {}).get("name", "another frame")
            raise Net2NetError(f"{name}: expected a study that is read at budgets, got {got}")
    study = _summary(frontier, grown, arm)
    middle = grown.attrs["definition"].get("middle") or (study["budgets"][0], study["fractions"][0])
    chosen = [first if one is None else one for one, first in zip((budget, fraction), middle, strict=True)]
    return GrowthMap(study=study, rival=rival, budget=chosen[0], fraction=chosen[1])


def _summary(frontier, grown, arm):
    """What the page needs: the cells, and the curves of the rivals and of the teacher, over the arm's seeds."""
    check_choice("arm", arm, list(grown.attrs["definition"].get("arms", ())))
    seeds = grown.loc[grown["arm"] == arm, "seed"].unique()
    if not len(seeds):
        raise Net2NetError(f"{arm}: expected growth at some budget, got none")
    table = measures.border(frontier[frontier["seed"].isin(seeds)], grown)
    own = table[table["arm"] == arm].set_index(["fraction", "budget"])
    fractions, budgets = (sorted(map(float, level)) for level in own.index.levels)
    wanted = [(fraction, budget) for fraction in fractions for budget in budgets]
    missing = [f"{fraction:g} of {budget:g}" for fraction, budget in wanted if (fraction, budget) not in own.index]
    if missing:
        raise Net2NetError(f"{arm}: expected growth after each fraction of each budget, missing {', '.join(missing)}")
    cells = []
    for fraction, budget in wanted:
        row = own.loc[fraction, budget]
        cell = {"budget": budget, "fraction": fraction, "seeds": int(row["seeds"]), "loss": round(row["loss"].mean, 4)}
        cells.append(cell | {rival: _told(row[rival]) for rival in RIVALS})
    rivals = table.set_index(["arm", "budget"])["loss"]
    teacher = grown[(grown["arm"] == "teacher") & grown["seed"].isin(seeds)].dropna(subset=["budget", "test_loss"])
    path = teacher.groupby("budget")["test_loss"].mean().round(4)
    return {
        "budgets": budgets,
        "fractions": fractions,
        "cells": cells,
        "rivals": {rival: [round(rivals[rival, budget].mean, 4) for budget in budgets] for rival in RIVALS},
        "teacher": [[float(budget), loss] for budget, loss in path.items()],  # at its constant rate
    }


def _told(found):
    """A `helpers.measures.Mean` to three decimals, None where there is no interval, and what it says about growing."""
    _, low, high = found
    verdict = "open" if math.isnan(low) else "wins" if high < 0 else "loses" if low > 0 else "level"
    names = ("mean", "low", "high")
    numbers = (None if math.isnan(each) else round(float(each), 3) + 0.0 for each in found)  # no -0.0
    return dict(zip(names, numbers, strict=True)) | {"verdict": verdict}


class GrowthMap(explore.Explorable):
    """What `growth_map` returns. Its traits can be set, observed and linked.

    Attributes
    ----------
    study : dict
        ``budgets`` and ``fractions``, the map's columns and rows; ``cells`` with the mean test loss and, for each
        rival, the mean difference from it with the limits of its 95 % interval; mean test losses of the ``rivals`` at
        the budgets, and of the ``teacher``, which is trained at a constant rate.
    rival : {"scratch", "continued teacher", "frontier"}
        What the grown network is compared with: the network of its own size for all of the budget, the small network
        for all of it, or the constant size that is best for it.
    budget : float
        Of the chosen cell: the cost in characters for each weight of the large network.
    fraction : float
        Of the chosen cell: the part of the budget after which the network grew.
    """

    tag, state = TAG, ("study", "rival", "budget", "fraction")
    _esm, _css = element.faces(TAG)

    study = t.Dict().tag(sync=True)
    rival = t.Enum(list(RIVALS), "scratch").tag(sync=True)
    budget = t.Float().tag(sync=True)
    fraction = t.Float().tag(sync=True)

    @t.validate("budget", "fraction")
    def _check_place(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        known = self.study[f"{name}s"]
        if value not in known:
            raise Net2NetError(f"{name}: expected one of {', '.join(f'{one:g}' for one in known)}, got {value:g}")
        return value

    @property
    def cell(self):
        """The chosen cell, as `study` holds it."""
        wanted = self.budget, self.fraction
        return next(cell for cell in self.study["cells"] if (cell["budget"], cell["fraction"]) == wanted)

    # The same as in net2net-map.js

    @property
    def words(self):
        """What the chosen cell says, as the page says it."""
        cell = self.cell
        mean, low, high, verdict = cell[self.rival].values()
        after = FRACTIONS.get(self.fraction, f"{self.fraction:g}")
        seeds = (
            "1 seed, so no interval" if verdict == "open" else f"{_reach(low, high, verdict)}, {cell['seeds']} seeds"
        )
        place = f"{abs(mean):.3f} {'below' if mean < 0 else 'above'}" if mean else "level with"
        begin = f"{self.budget:g} characters a weight, grown after {after} of that"
        return f"{begin}: the test loss ends {place} {RIVALS[self.rival]} ({seeds}). {VERDICTS[verdict]}"

    @property
    def count(self):
        """In how many cells growing wins and loses beside the rival, as the page says it."""
        verdicts = [cell[self.rival]["verdict"] for cell in self.study["cells"]]
        if "open" in verdicts:
            return "Cells of one seed decide nothing."
        return f"Growing wins in {verdicts.count('wins')} of {len(verdicts)} cells, loses in {verdicts.count('loses')}."

    def picture(self):
        """Draw the map beside the rival, with the chosen cell framed."""
        rows = [FRACTIONS.get(fraction, f"{fraction:g}") for fraction in self.study["fractions"]]
        cells = [(cell[self.rival]["mean"], cell[self.rival]["verdict"]) for cell in self.study["cells"]]
        columns = [f"{budget:g}" for budget in self.study["budgets"]]
        title = f"Test loss, less that of {RIVALS[self.rival]}"
        figure = plots.growth_map(rows, columns, cells, self.study["cells"].index(self.cell), title)
        alt = f"{title}: a row for each moment of growth, a column for each budget. {self.count}"
        return figure, alt, f"{self.count} {self.words}"


def _reach(low, high, verdict):
    """The two ends of an interval."""
    if verdict == "level":
        return f"{abs(low):.3f} below to {abs(high):.3f} above"
    near, far = sorted((abs(low), abs(high)))
    return f"{near:.3f} to {far:.3f} {'below' if verdict == 'wins' else 'above'}"

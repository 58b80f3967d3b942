"""A reader's own network on a page: which layers widen together, what it costs, and where growing paid in our records.

``book/web/net2net-network.js`` reads the network in the page: typed, from a ``.keras`` file, or from a summary. Python
gives it what the records say, and has `channel_groups` and `growth` for models that the page cannot read.
"""

import traitlets as t

from helpers.show import explore, growth_map, plots
from helpers.show.explore import element

__all__ = ["Network", "network", "records"]

TAG = "net2net-network"


def records(study=None):
    """Say for each budget whether growing beat its rivals, over all moments of growth.

    Parameters
    ----------
    study : dict, optional
        As `helpers.show.growth_map.GrowthMap` has it; that of the book's map by default.

    Returns
    -------
    dict
        ``budgets``, in examples for each weight of the large network; the number of ``seeds``; and for each of the
        ``rivals`` one dict a budget: the ``mean`` difference over the moments, and the ``verdict``. Growing "wins"
        where it does at some moment and loses at none, "loses" the other way round, and is "level" otherwise.

    Examples
    --------
    >>> found = records()
    >>> len(found["rivals"]["scratch"]) == len(found["budgets"])
    True
    """
    study = growth_map.growth_map().study if study is None else study

    def told(rival, budget):
        cells = [cell[rival] for cell in study["cells"] if cell["budget"] == budget]
        said = {cell["verdict"] for cell in cells} & {"wins", "loses"}
        mean = round(sum(cell["mean"] for cell in cells) / len(cells), 3)
        return {"mean": mean, "verdict": said.pop() if len(said) == 1 else "level"}

    rivals = {rival: [told(rival, budget) for budget in study["budgets"]] for rival in growth_map.RIVALS}
    seeds = min(cell["seeds"] for cell in study["cells"])
    return {"budgets": study["budgets"], "seeds": seeds, "rivals": rivals}


def network(**state):
    """The page's panel, with a small dense network typed in.

    Examples
    --------
    >>> panel = network(factor=1.5)
    >>> panel.factor
    1.5
    """
    return Network(records=records(), **state)


class Network(explore.Explorable):
    """What `network` returns. Its traits are what a reader sets; the network itself lives in the page.

    Attributes
    ----------
    way : {"text", "file", "summary"}
        How the network comes into the page.
    text, summary : str
        What is typed, and what is pasted.
    factor : float
        How many times as wide the student is, 1.25 to 4.
    left : list of str
        The widths that are left out, each by the name of its first layer.
    examples : str
        How many examples are seen in all, as a number or a product.
    records : dict
        What `records` returns.
    """

    tag, state = TAG, ("way", "text", "summary", "factor", "left", "examples", "records")
    _esm, _css = element.faces(TAG)

    way = t.Enum(["text", "file", "summary"], "text").tag(sync=True)
    text = t.Unicode("784 → 256 relu → 128 relu → 10").tag(sync=True)
    summary = t.Unicode("").tag(sync=True)
    factor = t.Float(2.0, min=1.25, max=4).tag(sync=True)
    left = t.List(t.Unicode()).tag(sync=True)
    examples = t.Unicode("60,000 × 60").tag(sync=True)
    records = t.Dict().tag(sync=True)

    def picture(self):
        """Draw what the records say, which needs no model."""
        rivals, budgets = self.records["rivals"], self.records["budgets"]
        rows = [growth_map.RIVALS[rival] for rival in rivals]
        cells = [(cell["mean"], cell["verdict"]) for row in rivals.values() for cell in row]
        title = "Test loss of the grown network, less that of its rival"
        figure = plots.growth_map(rows, [f"{budget:g}" for budget in budgets], cells, None, title, "beside")
        alt = f"{title}: a row for each rival, a column for each budget, averaged over the moments of growth."
        says = "Where scripts run, you bring your own network here. In Python, print(channel_groups(model)) reads it."
        return figure, alt, says

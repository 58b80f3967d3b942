"""Where the runs of a study ended: intervals, differences and costs."""

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle

from helpers.show.arms import BLUE, CYCLE, DASHES, MARKERS, VERMILION, looks
from helpers.show.plots import canvas


@canvas.in_style
def intervals(panels, xlabel, xscale="linear", low=-np.inf):
    """Medians with their 95 % bootstrap intervals, over a dot for each seed.

    Parameters
    ----------
    panels : dict
        ``{title: {arm: values, one for each seed}}``, one panel below the other. Infinity stands for a goal that was
        not reached, which is written at the right edge.
    xlabel : str
    xscale : {"linear", "log"}
    low : float
        Values below it would leave no room for the others; they are written at the left edge.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from helpers.measures import interval  # not at the top: SciPy takes a second, and no other figure needs it

    rows = [len(arms) for arms in panels.values()]
    figure, grid = canvas.figure(
        0.9 + 0.46 * sum(rows), nrows=len(panels), sharex=True, squeeze=False, height_ratios=rows
    )
    look_of = looks(arm for arms in panels.values() for arm in arms)
    for axes, (title, arms) in zip(grid.flat, panels.items(), strict=True):
        labels = []
        for y, (arm, values) in enumerate(arms.items()):
            name, color, _, marker = look_of[arm]
            values = np.asarray(values, dtype="float64")
            there = np.sort(values[np.isfinite(values) & (values >= low)])
            spread = y + 0.13 * (np.arange(len(there)) % 3 - 1)  # so that equal values do not hide each other
            axes.plot(there, spread, ".", color=color, alpha=0.6, ms=5, mew=0)
            middle = interval(values)
            if np.isfinite(middle.median):
                ends = [max(middle.low, low), min(middle.high, there[-1])]
                axes.plot(ends, [y, y], color=color, lw=2.4, solid_capstyle="butt")
                axes.plot(middle.median, y, marker, color=color, ms=7)
            never, below = np.isinf(values).sum(), values[values < low]
            notes = {1: f"{never} of {len(values)} never"} if never else {}
            if len(below):
                notes[0] = f"{len(below)} of {len(values)}: " + ", ".join(f"{value:.0f}" for value in below)
            for x, words in notes.items():
                place = {"xy": (x, y + 0.32), "xycoords": ("axes fraction", "data"), "va": "center", "fontsize": 8.5}
                axes.annotate(words, ha="right" if x else "left", **place)
            labels.append(name)
        axes.set_yticks(range(len(arms)), labels)
        axes.set_ylim(len(arms) - 0.5, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x", color="#dddddd", lw=0.8)
        axes.set_xscale(xscale)
        if xscale == "linear":
            axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
        axes.set_title(title, loc="left", fontweight="bold")
    grid.flat[-1].set_xlabel(xlabel)
    return figure


@canvas.in_style
def difference_map(panels, xlabel, ylabel):
    """What two arms differ by over two settings: a cell for each, in color only where the interval leaves out 0.

    Parameters
    ----------
    panels : dict
        ``{title: {(row, column): difference}}``, each difference a `helpers.measures.Paired`; one panel below the
        other. Orange is negative, purple positive, as the number's sign says too.
    xlabel, ylabel : str
        What columns and rows are.

    Returns
    -------
    matplotlib.figure.Figure
    """
    rows, columns = (list(dict.fromkeys(settings)) for settings in zip(*next(iter(panels.values())), strict=True))
    shape = (len(rows), len(columns))
    figure, grid = canvas.figure(
        (0.5 + 0.44 * len(rows)) * len(panels) + 0.3, nrows=len(panels), sharex=True, squeeze=False
    )
    shades = mpl.colors.SymLogNorm(0.1, vmin=-3e4, vmax=3e4)  # so pale that black can be read on them
    for axes, (title, cells) in zip(grid.flat, panels.items(), strict=True):
        sure = [0 if one.place == "level" else one.median for one in cells.values()]
        axes.pcolormesh(np.reshape(sure, shape), cmap="PuOr", norm=shades, edgecolors="#bbbbbb", lw=1)
        for number, one in enumerate(cells.values()):
            y, x = divmod(number, len(columns))
            words = f"{one:+.2f}".split(" ", 1)
            axes.text(x + 0.5, y + 0.3, words[0], ha="center", va="center", fontweight="bold")
            axes.text(x + 0.5, y + 0.7, words[1], ha="center", va="center", fontsize=8.5)
        axes.set_xticks(np.arange(len(columns)) + 0.5, columns)
        axes.set_yticks(np.arange(len(rows)) + 0.5, rows)
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_ylabel(ylabel)
        axes.set_title(title, loc="left", fontweight="bold")
    grid.flat[-1].set_xlabel(xlabel)
    return figure


@canvas.in_style
def growth_map(rows, columns, cells, chosen, title, ylabel="grown after"):
    """Where growing pays: blue cells win, orange ones lose, gray ones are not certain, each with its number and word.

    Parameters
    ----------
    rows, columns : list of str
        Parts of the budget after which it grew, and budgets.
    cells : list of (float, str)
        Row by row: the difference from the rival, and "wins", "level", "loses", or "open" for one seed.
    chosen : int or None
        The cell that is framed.
    title, ylabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    shape = (len(rows), len(columns))
    figure, axes = canvas.figure(1.1 + 0.52 * len(rows))
    most = max(abs(mean) for mean, _ in cells) or 1
    paints = []
    for mean, verdict in cells:
        depth = 0.2 + 0.4 * abs(mean) / most  # so pale that black can be read on them
        paints.append(mpl.colors.to_rgba({"wins": BLUE, "loses": VERMILION}.get(verdict, "#888888")))
        paints[-1] = (*paints[-1][:3], depth if verdict in ("wins", "loses") else 0.12)
    axes.pcolormesh(np.reshape(paints, (*shape, 4)), edgecolors="white", lw=3)
    for number, (mean, verdict) in enumerate(cells):
        y, x = divmod(number, len(columns))
        signed = f"{mean:+.3f}".replace("-", "−") if mean else "0.000"
        axes.text(x + 0.5, y + 0.36, signed, ha="center", va="center", fontweight="bold")
        word = "1 seed" if verdict == "open" else verdict
        axes.text(x + 0.5, y + 0.72, word, ha="center", va="center", fontsize=8.5)
    if chosen is not None:
        y, x = divmod(chosen, len(columns))
        axes.add_patch(Rectangle((x, y), 1, 1, fill=False, ec=canvas.INK, lw=2.4, clip_on=False))
    axes.set_xticks(np.arange(shape[1]) + 0.5, columns)
    axes.set_yticks(np.arange(shape[0]) + 0.5, rows)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="budget, in characters a weight", ylabel=ylabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return figure


@canvas.in_style
def costs(panels, xlabel, ylabel):
    """What things cost over a size, both on logarithmic axes: a dot for each measurement, a line for what was fitted.

    Parameters
    ----------
    panels : dict
        ``{title: {label: (sizes, values, fitted)}}``, arrays of one shape (n,), in order of size; one panel below the
        other.
    xlabel, ylabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, grid = canvas.figure(2.1 * len(panels) + 0.3, nrows=len(panels), sharex=True, sharey=True, squeeze=False)
    for axes, (title, curves) in zip(grid.flat, panels.items(), strict=True):
        axes.set(xscale="log", yscale="log", ylabel=ylabel)
        axes.set_title(title, loc="left")
        for number, (sizes, values, fitted) in enumerate(curves.values()):
            axes.plot(sizes, values, MARKERS[number], color=CYCLE[number], ms=3.2, alpha=0.7)
            axes.plot(sizes, fitted, color=CYCLE[number], ls=DASHES[number], lw=1.3)
    for axes, curves in zip(grid.flat, panels.values(), strict=True):  # when all panels have their limits
        drawn = zip(curves.items(), CYCLE, MARKERS, strict=False)
        canvas.label_ends(
            axes,
            [(np.asarray(fitted)[-1], label, color, marker) for (label, (*_, fitted)), color, marker in drawn],
            0.1,
        )
    grid[-1, 0].set_xlabel(xlabel)
    return figure

"""Every figure of the book: one style, one palette that color-blind readers can tell apart.

Each function takes arrays or frames and returns a matplotlib Figure; none of them shows it. In a notebook the
Figure is the last value of the cell. Nothing is said by color alone: lines also differ in dash and marker,
units in their letter, signs in dash or number. Figures are 4.6 inches wide, so that labels stay readable on
a phone.
"""

import functools

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch, Rectangle

from helpers.arms import BLACK, BLUE, CYCLE, DASHES, GRAY, GREEN, MARKERS, ORANGE, PURPLE, SKY, VERMILION, looks

__all__ = [
    "activation_gallery",
    "channel_rows",
    "copy_distances",
    "costs",
    "difference_map",
    "digits",
    "flatten_rows",
    "flowchart",
    "function_curves",
    "gap_chart",
    "growth_curves",
    "growth_map",
    "intervals",
    "kernels_on_image",
    "lab_curves",
    "learning_curves",
    "lines",
    "mapping_arrows",
    "networks",
    "operations",
    "output_scatter",
    "race_curves",
    "training_panels",
    "transformer_block",
    "use_style",
    "weight_change",
    "weight_matrices",
    "widened_function",
]

PALE = "#56b4e9"  # under a line of its own
INK, WIDTH = "#222222", 4.6
STYLE = {
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "font.family": "DejaVu Sans",
    "font.size": 10.5,
    "axes.titlesize": 10.5,
    "axes.labelsize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.prop_cycle": mpl.cycler(color=CYCLE),
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "svg.fonttype": "path",  # the same picture whatever fonts the reader has; glyphs are stored once a figure
    "svg.hashsalt": "net2net",
}
# ---------------------------------------------------------------- the look


def use_style():
    """Set the book's style, and SVG for the figures of a notebook. Called once, at a chapter's head."""
    mpl.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})
    except (ImportError, AttributeError):
        pass  # not in a notebook


def _figure(height, **grid):
    """A Figure of the book's width and its axes, in the book's style whether `use_style` was called."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        return figure, figure.subplots(**grid)


def _in_style(function):
    """Draw in the book's style: some settings are read while drawing, not when the axes are made."""

    @functools.wraps(function)
    def styled(*args, **kwargs):
        with mpl.rc_context(STYLE):
            return function(*args, **kwargs)

    return styled


def _label_ends(axes, ends, gap=0.085):
    """Write each label behind the end of its line, moved apart where they would overlap.

    `ends`: (y, label, color, marker) of each line. The marker beside the label ties it to its line.
    """
    low, high = axes.get_ylim()
    scale = axes.yaxis.get_transform().transform
    low, high = scale(np.array([low, high]))
    places = sorted(((float(scale(np.array([y]))[0]) - low) / (high - low), *rest) for y, *rest in ends)
    heights = [gap * (1 + label.count("\n") * 0.8) for _, label, *_ in places]
    at = [min(max(place[0], 0), 1) for place in places]
    for i in range(1, len(at)):  # push up, then back down from the top
        at[i] = max(at[i], at[i - 1] + (heights[i] + heights[i - 1]) / 2)
    if at and at[-1] > 1:
        at[-1] = 1.0
        for i in range(len(at) - 2, -1, -1):
            at[i] = min(at[i], at[i + 1] - (heights[i] + heights[i + 1]) / 2)
    for y, (_, label, color, marker) in zip(at, places, strict=True):
        axes.plot(1.04, y, marker=marker or "_", color=color, transform=axes.transAxes, clip_on=False, ms=6)
        axes.text(1.075, y, label, transform=axes.transAxes, va="center", fontsize=9.5, linespacing=0.95)


# ---------------------------------------------------------------- studies and training


@_in_style
def learning_curves(frame, panels, value="val_accuracy", ylabel=None, ylim=None, x="update", xscale="linear"):
    """Learning curves of the arms of a study: median over the seeds, and their range as a band.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``arm``, ``seed`` (or one run for each arm), ``update`` or ``examples``, and `value`; as
        `helpers.experiments.load_results` gives it, or made from what `helpers.experiments.train` returns.
        If it has an arm "teacher", its last median is drawn as a level line.
    panels : dict or list
        ``{title: [arm, ...]}``, one panel below the other, or a list of arms for one panel.
    value : str
        The column to draw.
    ylabel : str, optional
        By default `value` in words.
    ylim : (float, float), optional
    x : {"update", "examples"}
    xscale : {"linear", "symlog"}
        "symlog" stretches the beginning and shows update 0 as well.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = panels if isinstance(panels, dict) else {"": panels}
    words = {"val": "validation", "train": "training", "test": "test"}
    if ylabel is None:
        ylabel = " ".join(words.get(word, word) for word in value.split("_"))
    figure, grid = _figure(2.6 * len(panels) + 0.2, nrows=len(panels), sharex=True, squeeze=False)
    look_of = looks(arm for arms in panels.values() for arm in arms)
    for axes, (title, arms) in zip(grid.flat, panels.items(), strict=True):
        ends = []
        for arm in arms:
            look = look_of[arm]
            rows = frame[frame["arm"] == arm]
            if rows.empty:
                raise ValueError(f"arm {arm!r} has no rows; the frame holds {', '.join(frame['arm'].unique())}")
            curve = rows.groupby(x)[value].agg(["median", "min", "max"]).dropna()
            axes.fill_between(curve.index, curve["min"], curve["max"], color=look.color, alpha=0.22, lw=0)
            axes.plot(curve.index, curve["median"], color=look.color, ls=look.dash, marker=look.marker)
            ends.append((curve["median"].iloc[-1], look.label, look.color, look.marker))
        teacher = frame[frame["arm"] == "teacher"]
        if len(teacher) and "teacher" not in arms:
            level = teacher[teacher[x] == teacher[x].max()][value].median()
            axes.axhline(level, color=GRAY, lw=1, ls=DASHES[1], zorder=0)
            ends.append((level, "its teacher", GRAY, "_"))
        if ylim:
            axes.set_ylim(ylim)
        if xscale == "symlog":
            axes.set_xscale("symlog", linthresh=10, linscale=0.5)
            axes.set_xlim(left=0)
        axes.set_title(title, loc="left", fontweight="bold")
        axes.set_ylabel(ylabel)
        _label_ends(axes, ends, gap=0.11)
    grid.flat[-1].set_xlabel({"update": "updates", "examples": "training images seen"}.get(x, x))
    if xscale == "linear":
        grid.flat[-1].xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        grid.flat[-1].xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:,.0f}"))
    return figure


@_in_style
def training_panels(frame, columns, ylim=None, x="epoch"):
    """Accuracy and loss of all arms, training and validation: four rows of panels, a column for each group.

    Parameters
    ----------
    frame : pandas.DataFrame
        Columns ``arm``, `x`, ``train_accuracy``, ``val_accuracy``, ``train_loss`` and ``val_loss``; lines are
        medians over the runs of an arm, bands their range.
    columns : dict
        ``{title: [arm, ...]}``.
    ylim : dict, optional
        ``{value: (low, high)}``, for example ``{"val_accuracy": (0.9, 1)}``.
    x : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    values = {
        "train_accuracy": "training\naccuracy",
        "val_accuracy": "validation\naccuracy",
        "train_loss": "training\nloss",
        "val_loss": "validation\nloss",
    }
    figure, grid = _figure(6.6, nrows=4, ncols=len(columns), sharex=True, sharey="row", squeeze=False)
    look_of = looks(arm for arms in columns.values() for arm in arms)
    entries = {}  # an arm of several columns has one entry of the legend
    for axes_of_column, (title, arms) in zip(grid.T, columns.items(), strict=True):
        axes_of_column[0].set_title(title, loc="left", fontweight="bold")
        axes_of_column[-1].set_xlabel({"epoch": "epochs", "update": "updates"}.get(x, x))
        for arm in arms:
            look = look_of[arm]
            rows = frame[frame["arm"] == arm]
            if rows.empty:
                raise ValueError(f"arm {arm!r} has no rows; the frame holds {', '.join(frame['arm'].unique())}")
            for axes, value in zip(axes_of_column, values, strict=True):
                curve = rows.groupby(x)[value].agg(["median", "min", "max"]).dropna()
                axes.fill_between(curve.index, curve["min"], curve["max"], color=look.color, alpha=0.22, lw=0)
                (line,) = axes.plot(curve.index, curve["median"], color=look.color, ls=look.dash, marker=look.marker)
            entries.setdefault(look.name, line)
    for axes, (value, words) in zip(grid[:, 0], values.items(), strict=True):
        axes.set_ylabel(words)
        axes.locator_params(axis="y", nbins=4)
        if ylim and value in ylim:
            axes.set_ylim(ylim[value])
    figure.align_ylabels(grid[:, 0])
    where = {"loc": "outside upper center", "ncols": 2}
    figure.legend(entries.values(), entries, **where, frameon=False, fontsize=9.5, handlelength=3)
    return figure


@_in_style
def race_curves(curves, xlabel, ylabel):
    """Runs of a study over an axis that is stretched near zero, with equal factors of the errors, or losses, apart.

    Parameters
    ----------
    curves : dict
        ``{label: (rows, look)}``: rows of places, medians and, for several seeds, least and greatest values; a
        `helpers.arms.Look`.
    xlabel, ylabel : str
        `ylabel` says whether the values are accuracies.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(max(3.6, 0.24 * len(curves)))
    axes.set_xscale("function", functions=(lambda x: np.sqrt(np.maximum(x, 0)), np.square))
    if "accuracy" in ylabel:
        axes.set_yscale(
            "function", functions=(lambda y: -np.log(1.001 - np.minimum(y, 1)), lambda v: 1.001 - np.exp(-v))
        )
        levels = (0.1, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999)
        axes.set_yticks(levels, [f"{100 * level:g} %" for level in levels])
    else:
        axes.set_yscale("log")
    ends = []
    for label, ((x, middle, *band), look) in curves.items():
        if band:
            axes.fill_between(x, *band, color=look.color, alpha=0.16, lw=0)
        axes.plot(x, middle, color=look.color, ls=look.dash, lw=1.5, marker=look.marker, ms=3)
        ends.append((float(middle[-1]), label, look.color, look.marker))
    if curves:
        values = np.concatenate([rows[1:].ravel() for rows, *_ in curves.values()])
        low, high = np.nanmin(values), np.nanmax(values)
        axes.set_ylim(low * 0.9, 1 - (1 - high) * 0.9 if "accuracy" in ylabel else high * 1.1)
        axes.set_xlim(0, max(rows[0].max() for rows, *_ in curves.values()) or 1)
    axes.set(xlabel=f"{xlabel} (stretched near 0)", ylabel=ylabel)
    axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
    axes.xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:,.0f}"))
    _label_ends(axes, ends, gap=min(0.065, 0.95 / max(len(curves), 1)))
    return figure


# As the lab in the page draws them.
LAB = {
    "teacher": (GRAY, DASHES[0], "P"),
    "goes-on": (ORANGE, DASHES[2], "D"),
    "equal": (BLUE, DASHES[0], "o"),
    "unequal": (GREEN, DASHES[0], "^"),
    "noise": (SKY, DASHES[0], "h"),
    "padded": (VERMILION, DASHES[3], "s"),
    "fresh-wider": (BLACK, DASHES[1], "v"),
    "deeper": (PURPLE, DASHES[0], "*"),
    "fresh-deeper": (BLACK, DASHES[2], "d"),
}


@_in_style
def lab_curves(curves):
    """Accuracy over updates for networks that begin at different times, on a scale that stretches its top.

    Parameters
    ----------
    curves : dict
        ``{kind: (label, updates, accuracies)}``, kinds as in ``helpers.lab``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(3.3)
    axes.set_yscale("function", functions=(lambda y: -np.log(1.001 - y), lambda v: 1.001 - np.exp(-v)))
    ends = []
    for kind, (label, updates, accuracies) in curves.items():
        color, dash, marker = LAB[kind]
        axes.plot(updates, accuracies, color=color, ls=dash, lw=1.5)
        axes.plot(updates[0], accuracies[0], color=color, marker=marker)
        if kind != "teacher":
            ends.append((float(accuracies[-1]), label, color, marker))
    _, updates, accuracies = curves["teacher"]
    axes.annotate("teacher", (updates[-1], accuracies[-1]), (-8, 12), textcoords="offset points", ha="right")
    axes.set(xlabel="updates", ylabel="validation accuracy", ylim=(0.05, 0.97))
    axes.set_yticks([0.1, 0.5, 0.8, 0.9, 0.95], ["10 %", "50 %", "80 %", "90 %", "95 %"])
    _label_ends(axes, ends, gap=0.075)
    return figure


@_in_style
def growth_curves(before, after, value="val_accuracy", ylabel="validation accuracy", ylim=None):
    """One measure over training, before a network grows and after; a vertical line marks the moment of growth.

    Parameters
    ----------
    before : dict
        ``{label: rows}`` of the teacher, with the rows that `helpers.experiments.train` returns.
    after : dict
        ``{label: rows}`` of what is trained from there on; their updates are counted from the moment of growth.
    value : str
        The entry of each row to draw.
    ylabel : str
    ylim : (float, float), optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(3.1)
    ((name, rows),) = before.items()
    grown = rows[-1]["update"]
    axes.plot([r["update"] for r in rows], [r[value] for r in rows], color=GRAY, ls=DASHES[2], marker="P")
    ends = []
    for (label, later), look in zip(after.items(), looks(after).values(), strict=True):
        style = {"color": look.color, "ls": look.dash, "marker": look.marker}
        axes.plot([grown + r["update"] for r in later], [r[value] for r in later], **style)
        ends.append((later[-1][value], label, look.color, look.marker))
    axes.set(xlabel="updates", ylabel=ylabel)
    if ylim:
        axes.set_ylim(ylim)
    axes.axvline(grown, color="#777777", lw=1, zorder=0)
    place = axes.get_xaxis_transform()
    axes.text(grown, 1.02, "growth", transform=place, ha="center", va="bottom", fontsize=9.5)
    axes.text(grown / 2, 1.02, name, transform=place, ha="center", va="bottom", fontsize=9.5)
    _label_ends(axes, ends, gap=0.11)
    return figure


@_in_style
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
    figure, grid = _figure(0.9 + 0.46 * sum(rows), nrows=len(panels), sharex=True, squeeze=False, height_ratios=rows)
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


@_in_style
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
    figure, grid = _figure((0.5 + 0.44 * len(rows)) * len(panels) + 0.3, nrows=len(panels), sharex=True, squeeze=False)
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


@_in_style
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
    figure, axes = _figure(1.1 + 0.52 * len(rows))
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
        axes.add_patch(Rectangle((x, y), 1, 1, fill=False, ec=INK, lw=2.4, clip_on=False))
    axes.set_xticks(np.arange(shape[1]) + 0.5, columns)
    axes.set_yticks(np.arange(shape[0]) + 0.5, rows)
    axes.invert_yaxis()
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel="budget, in characters a weight", ylabel=ylabel)
    figure.suptitle(title, x=0.01, ha="left", fontsize=10.5, fontweight="bold")
    return figure


@_in_style
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
    figure, grid = _figure(2.1 * len(panels) + 0.3, nrows=len(panels), sharex=True, sharey=True, squeeze=False)
    for axes, (title, curves) in zip(grid.flat, panels.items(), strict=True):
        axes.set(xscale="log", yscale="log", ylabel=ylabel)
        axes.set_title(title, loc="left")
        for number, (sizes, values, fitted) in enumerate(curves.values()):
            axes.plot(sizes, values, MARKERS[number], color=CYCLE[number], ms=3.2, alpha=0.7)
            axes.plot(sizes, fitted, color=CYCLE[number], ls=DASHES[number], lw=1.3)
    for axes, curves in zip(grid.flat, panels.values(), strict=True):  # when all panels have their limits
        drawn = zip(curves.items(), CYCLE, MARKERS, strict=False)
        _label_ends(
            axes,
            [(np.asarray(fitted)[-1], label, color, marker) for (label, (*_, fitted)), color, marker in drawn],
            0.1,
        )
    grid[-1, 0].set_xlabel(xlabel)
    return figure


# ---------------------------------------------------------------- functions of one input, and outputs


@_in_style
def lines(x, curves, xlabel="", ylabel="", logx=False, logy=False, ylim=None, markers=False):
    """Lines, each with its name at its end.

    Parameters
    ----------
    x : array_like, shape (n,)
    curves : dict
        ``{label: array of shape (n,)}``.
    xlabel, ylabel : str
    logx, logy : bool
    ylim : (float, float), optional
    markers : bool
        Mark the points.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(2.8)
    ends = []
    for (label, y), (_, color, dash, marker) in zip(curves.items(), looks(curves).values(), strict=True):
        every = 1 if markers else [len(np.asarray(x)) - 1]  # the last point ties the line to its label
        axes.plot(x, y, color=color, ls=dash, marker=marker, markevery=every)
        ends.append((float(np.asarray(y)[-1]), label, color, marker))
    axes.set(xlabel=xlabel, ylabel=ylabel)
    if logx:
        axes.set_xscale("log")
        if len(x) < 7:  # then each has room
            axes.set_xticks(x, [f"{each:g}" for each in x])
            axes.minorticks_off()
    if logy:
        axes.set_yscale("log")
    if ylim:
        axes.set_ylim(ylim)
    _label_ends(axes, ends, gap=0.1)
    return figure


@_in_style
def function_curves(x, curves, xlabel="x", ylabel="output"):
    """Functions of one variable on top of each other: the first broad and pale, the others dashed over it.

    Parameters
    ----------
    x : array_like, shape (n,)
    curves : dict
        ``{label: array of shape (n,)}``, the teacher first.
    xlabel, ylabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(2.8)
    for number, (label, y) in enumerate(curves.items()):
        if number == 0:
            axes.plot(x, y, color=PALE, lw=7, alpha=0.6, label=label, solid_capstyle="round")
        else:
            axes.plot(x, y, color=(INK, *CYCLE[1:])[number - 1], ls=DASHES[number], lw=1.8, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    columns = 2 if sum(map(len, curves)) > 24 else len(curves)
    figure.legend(loc="outside upper center", ncols=columns, frameon=False, handlelength=2.2, columnspacing=1.2)
    return figure


@_in_style
def activation_gallery(activations):
    """Of each activation phi(v), and phi(phi(v)) over it: an identity layer is silent where the two agree.

    Parameters
    ----------
    activations : dict
        ``{name: function of a float array}``; what it returns may be a Keras tensor.

    Returns
    -------
    matplotlib.figure.Figure
    """
    v = np.linspace(-3, 3, 121, dtype="float32")
    rows = -(-len(activations) // 3)
    figure, grid = _figure(1.55 * rows + 0.45, nrows=rows, ncols=3, squeeze=False)
    for axes in grid.flat[len(activations) :]:
        axes.axis("off")
    for axes, (name, phi) in zip(grid.flat, activations.items(), strict=False):
        once = np.asarray(phi(v))
        twice = np.asarray(phi(once))
        same = np.allclose(once, twice, rtol=1e-5, atol=1e-6)
        (first,) = axes.plot(v, once, color=PALE, lw=5, alpha=0.7)
        (second,) = axes.plot(v, twice, color=INK if same else VERMILION, ls=DASHES[1], lw=1.8)
        axes.set_title(f"{name}\n{'same' if same else 'changed'}", color=INK if same else "#A34700", fontsize=10)
        axes.locator_params(nbins=3)
        axes.tick_params(labelsize=9)
        axes.set(xlim=(1.05 * v.min(), 1.05 * v.max()))
    words = [r"$\varphi(v)$", r"$\varphi(\varphi(v))$"]
    figure.legend([first, second], words, loc="outside lower center", ncols=2, frameon=False, handlelength=3)
    return figure


@_in_style
def widened_function(x, teacher, student, mapping, teacher_w2, w2, most):
    """A function before and after its hidden layer was widened, and below what each unit passes on.

    Parameters
    ----------
    x : ndarray, shape (m,)
        Where the two functions are drawn.
    teacher, student : ndarray, shape (m, outputs)
        Their values.
    mapping : array_like of int, shape (q,)
        Which teacher unit each student unit copies; -1 for a unit that copies none.
    teacher_w2, w2 : ndarray, shapes (n, outputs), (q, outputs)
        Outgoing weights of the teacher's units, drawn as pale bars, and of the student's: for each output a bar.
    most : int
        Units to leave room for, so that nothing jumps when the width moves.

    Returns
    -------
    matplotlib.figure.Figure
    """
    mapping, teacher_w2, w2 = np.asarray(mapping), np.asarray(teacher_w2), np.asarray(w2)
    n, outputs = teacher_w2.shape
    figure, (above, below) = _figure(4.3, nrows=2, gridspec_kw={"height_ratios": [3, 2]})
    names = ["teacher", *["_"] * (outputs - 1)], ["student", *["_"] * (outputs - 1)]  # one line each in the legend
    above.plot(x, teacher, color=PALE, lw=7, alpha=0.6, label=names[0], solid_capstyle="round")
    above.plot(x, student, color=INK, ls=DASHES[1], lw=1.8, label=names[1])
    low, high = float(np.min(teacher)), float(np.max(teacher))
    room = 0.6 * (high - low)
    above.set(xlabel="x", ylabel="output", ylim=(low - room, high + room))
    above.legend(loc="lower left", frameon=False, ncols=2)
    wide = 0.72 / outputs
    places = wide * (np.arange(outputs) - (outputs - 1) / 2)
    for place, weights in enumerate(teacher_w2):
        below.bar(place + places, weights, width=wide, fc="#DDDDDD")
    top = 1.25 * max(np.abs(teacher_w2).max(), np.abs(w2).max())
    for place, (unit, weights) in enumerate(zip(mapping, w2, strict=True)):
        color = CYCLE[unit % 7] if unit >= 0 else "#999999"
        edge = {"ec": color, "lw": 1.6, "ls": "-" if place < n else (0, (2, 1))}
        below.bar(place + places, weights, width=wide, fc="white" if place >= n else color, **edge)
        name = chr(ord("a") + int(unit) % 26) if unit >= 0 else f"new\n{place - n + 1}"
        below.text(
            place,
            -top,
            name,
            ha="center",
            va="top",
            fontsize=8.5,
            fontweight="bold",
        )
    below.axhline(0, color=INK, lw=0.8)
    below.set(xlim=(-0.7, most - 0.3), ylim=(-top, top), xticks=[], ylabel="outgoing\nweights")
    below.set_xlabel("hidden units" if outputs == 1 else "hidden units, a bar for each output", labelpad=22)
    below.spines["bottom"].set_visible(False)
    return figure


@_in_style
def output_scatter(teacher, students):
    """Each student's outputs against the teacher's: on the diagonal where they agree.

    Parameters
    ----------
    teacher : ndarray
        Outputs of the teacher, of any shape; about 200 numbers make a readable picture.
    students : dict
        ``{title: ndarray}`` of the teacher's shape; up to three. Titles may have two lines.

    Returns
    -------
    matplotlib.figure.Figure
    """
    teacher = np.ravel(np.asarray(teacher, float))
    figure, grid = _figure(WIDTH / len(students) + 0.9 if len(students) > 1 else 2.9, ncols=len(students), sharey=True)
    low, high = teacher.min(), teacher.max()
    room = 0.35 * (high - low)
    for axes, (title, student) in zip(np.atleast_1d(grid), students.items(), strict=True):
        student = np.ravel(np.asarray(student, float))
        same = np.abs(student - teacher).max() < 1e-5 * np.abs(teacher).max()
        color, marker = (BLUE, "o") if same else (VERMILION, "s")
        axes.axline((0, 0), slope=1, color="#888888", lw=1, zorder=0)
        inside = np.clip(student, low - room, high + room)  # what lies farther off is drawn at the edge
        axes.plot(teacher, inside, marker, color=color, ms=2.6, mew=0, alpha=0.7)
        axes.set_title(f"{title}\n{'same' if same else 'changed'}", color=INK if same else "#A34700", fontsize=10)
        axes.set(xlim=(low - room, high + room), ylim=(low - room, high + room), aspect="equal")
        axes.locator_params(nbins=4)
        axes.tick_params(labelsize=9)
        axes.set_xlabel("teacher")
    np.atleast_1d(grid)[0].set_ylabel("student")
    return figure


@_in_style
def gap_chart(gaps, limits=None, floor=1e-17):
    """The gaps of many students on one logarithmic axis, from the smallest to the largest.

    Parameters
    ----------
    gaps : dict
        ``{name: gap}``, each a part of the largest output. A gap of 0 is drawn at `floor`, on a tick that says 0.
    limits : dict, optional
        ``{word: value}``: vertical lines, such as ``{"float64": 1e-12}``. Students under the smallest are drawn as
        blue circles, all others as red squares.
    floor : float

    Returns
    -------
    matplotlib.figure.Figure
    """
    limits = limits or {}
    ordered = sorted(gaps, key=gaps.get)
    figure, axes = _figure(0.27 * len(gaps) + 1.1)
    exact = min(limits.values(), default=0)
    for line, name in enumerate(ordered):
        at, same = max(gaps[name], floor), gaps[name] <= exact
        axes.plot([floor / 10, at], [line, line], color="#BBBBBB", lw=1, zorder=1)
        axes.plot(at, line, marker="o" if same else "s", color=BLUE if same else VERMILION, ms=6, zorder=2)
    axes.set_xscale("log")
    top = 10.0 ** np.ceil(np.log10(max(max(gaps.values()) * 3, *limits.values(), floor * 10)))
    powers = 10.0 ** np.arange(-15, np.log10(top) + 0.5, 5)
    axes.set_xticks([floor, *powers], ["0", *(f"$10^{{{round(np.log10(p))}}}$" for p in powers)])
    axes.minorticks_off()
    axes.set(xlim=(floor / 3, top), ylim=(-0.7, len(gaps) - 0.3), xlabel="gap, as a part of the largest output")
    axes.set_yticks(range(len(ordered)), ordered, fontsize=9.5)
    axes.tick_params(axis="y", length=0)
    for word, value in limits.items():
        axes.axvline(value, color=INK, lw=1, ls=DASHES[1], zorder=0)
        place = axes.get_xaxis_transform()
        axes.text(value, 1.01, word, transform=place, ha="center", va="bottom", fontsize=9.5)
    return figure


# ---------------------------------------------------------------- weights


def _letters(mapping):
    """Names of the units: a, b, c for the teacher's, and b', b'' for copies of b."""
    seen, names = {}, []
    for unit in mapping:
        copy = seen[unit] = seen.get(unit, -1) + 1
        names.append((chr(ord("a") + int(unit) % 26)) + "′" * copy)
    return names


@_in_style
def weight_matrices(w1, w2, student_w1, student_w2, mapping):
    """The weights into and out of a layer, before and after widening; copies carry their origin's color.

    Parameters
    ----------
    w1, w2 : ndarray, shapes (n_in, n), (n, n_out)
        Teacher's kernels into and out of the widened layer; small, so that every number can be read.
    student_w1, student_w2 : ndarray, shapes (n_in, q), (q, n_out)
    mapping : array_like of int, shape (q,)
        Which teacher unit each student unit copies.

    Returns
    -------
    matplotlib.figure.Figure
    """
    w1, w2, student_w1, student_w2 = (np.asarray(w, float) for w in (w1, w2, student_w1, student_w2))
    mapping, n = np.asarray(mapping), w1.shape[1]
    q = len(mapping)
    top = max(np.abs(w).max() for w in (w1, w2, student_w1, student_w2)) or 1.0
    # All four share one cell size: the same limits in a row and in a column of the grid.
    columns, rows = (q, w2.shape[1]), (max(w1.shape[0], n), max(w1.shape[0], q))
    figure, grid = _figure(
        WIDTH * (sum(rows) + 3.6) / (sum(columns) + 2.6),
        nrows=2,
        ncols=2,
        squeeze=False,
        gridspec_kw={"width_ratios": [c + 1 for c in columns], "height_ratios": [r + 1 for r in rows]},
    )
    cases = (("teacher", w1, w2, np.arange(n)), ("student", student_w1, student_w2, mapping))
    for line, (who, into, out, units) in enumerate(cases):
        for axes, weights, along, words in (
            (grid[line, 0], into, 1, f"{who}: into the layer"),
            (grid[line, 1], out, 0, "out of it"),
        ):
            axes.imshow(weights, cmap="PuOr", vmin=-2 * top, vmax=2 * top)  # pale enough for the numbers
            for i, j in np.ndindex(weights.shape):
                axes.text(j, i, f"{weights[i, j]:.2g}", ha="center", va="center", fontsize=9)
            for place, (unit, name) in enumerate(zip(units, _letters(units), strict=True)):
                x, y = (place, -0.85) if along else (-0.85, place)
                color = CYCLE[unit % 7]
                box = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": color, "lw": 1.8}
                axes.text(x, y, name, ha="center", va="center", fontsize=10, fontweight="bold", bbox=box)
                corner, size = ((place - 0.46, -0.46), (0.92, len(weights) - 0.08))
                if not along:
                    corner, size = (-0.46, place - 0.46), (weights.shape[1] - 0.08, 0.92)
                dash = "-" if place < n else (0, (3, 1.5))
                axes.add_patch(Rectangle(corner, *size, fill=False, ec=color, lw=2.2, ls=dash))
            axes.set_title(words, loc="left", fontsize=10)
            axes.set(xlim=(-1.4, columns[1 - along] - 0.45), ylim=(rows[line] - 0.45, -1.3))
            axes.set_anchor("NW")
            axes.axis("off")
    return figure


@_in_style
def mapping_arrows(mapping, shares=None):
    """A mapping as arrows, from each student unit to the teacher unit it copies.

    Parameters
    ----------
    mapping : array_like of int, shape (q,)
        Counted from 0, as `helpers.random_mapping` draws it; up to about nine units.
    shares : array_like, shape (q,), optional
        Written under the student's units, as fractions where they are simple.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from fractions import Fraction

    mapping = np.asarray(mapping)
    n, q = mapping.max() + 1, len(mapping)
    figure, axes = _figure(2.6 if shares is None else 2.9)
    top = (np.arange(n) - (n - 1) / 2) * (q - 1) / max(n - 1, 1) * 0.75
    bottom = np.arange(q) - (q - 1) / 2
    for units, places, y, first_copy in ((np.arange(n), top, 2, n), (mapping, bottom, 0, n)):
        for j, (unit, x, name) in enumerate(zip(units, places, _letters(units), strict=True)):
            color, dash = CYCLE[unit % 7], "-" if j < first_copy else (0, (2, 1))
            axes.scatter(x, y, s=420, fc="white", ec=color, lw=2.4, ls=dash, zorder=3)
            axes.text(x, y, name, ha="center", va="center_baseline", fontsize=11, zorder=4)
            axes.text(x, 2.52 if y else -0.52, j, ha="center", va="center", fontsize=9.5, color="#555555")
    for j, unit in enumerate(mapping):
        arrow = {"arrowstyle": "-|>", "color": CYCLE[unit % 7], "lw": 1.6, "shrinkA": 12, "shrinkB": 12}
        axes.annotate("", (top[unit], 2), (bottom[j], 0), arrowprops=arrow | {"ls": "-" if j < n else (0, (4, 2))})
    left = bottom[0] - 0.75
    for y, word in ((2, "teacher"), (0, "student")):
        axes.text(left, y, word, ha="right", va="center", fontsize=10)
    if shares is not None:
        axes.text(left, -1.05, "share", ha="right", va="center", fontsize=10)
        for x, share in zip(bottom, np.asarray(shares, float), strict=True):
            simple = Fraction(share).limit_denominator(9)
            word = str(simple) if abs(float(simple) - share) < 1e-9 else f"{share:.2f}"
            axes.text(x, -1.05, word, ha="center", va="center", fontsize=9.5)
    axes.set(xlim=(left - 1.5, bottom[-1] + 0.5), ylim=(-0.75 if shares is None else -1.3, 2.75))
    axes.axis("off")
    return figure


@_in_style
def copy_distances(curves, floor=1e-6):
    """How far copies have moved from the units they copy, update by update, on logarithmic axes.

    Parameters
    ----------
    curves : dict
        ``{label: array}``; entry t is the distance after t updates. Entry 0 is not drawn.
    floor : float
        What is smaller is drawn here, on a tick that says 0.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(2.9)
    ends = []
    for (label, distances), (_, color, dash, marker) in zip(curves.items(), looks(curves).values(), strict=True):
        drawn = np.maximum(np.asarray(distances)[1:], floor)
        axes.plot(
            np.arange(1, len(drawn) + 1),
            drawn,
            color=color,
            ls=dash,
            marker=marker,
            markevery=[len(drawn) - 1],
        )
        ends.append((drawn[-1], label, color, marker))
    axes.set(xscale="log", yscale="log", xlabel="updates", ylabel="distance of copies", ylim=(floor * 0.5, None))
    powers = 10.0 ** np.arange(np.ceil(np.log10(floor)) + 1, np.ceil(np.log10(axes.get_ylim()[1])))
    axes.set_yticks([floor, *powers], ["0", *(f"$10^{{{round(np.log10(p))}}}$" for p in powers)])
    axes.minorticks_off()
    _label_ends(axes, ends, gap=0.11)
    return figure


@_in_style
def weight_change(change, xlabel="from unit", ylabel="to unit"):
    """A kernel's change, entry by entry: orange where a weight has fallen, purple where it has grown.

    Parameters
    ----------
    change : ndarray, shape (n_in, n_out)
        Drawn with inputs from left to right and outputs from top to bottom.
    xlabel, ylabel : str

    Returns
    -------
    matplotlib.figure.Figure
    """
    change = np.asarray(change, float)
    figure, axes = _figure(4.0)
    # The few largest changes may saturate, so that the many small ones can be seen.
    top = float(np.quantile(np.abs(change), 0.98)) or 1.0
    image = axes.imshow(change.T, cmap="PuOr", norm=mpl.colors.Normalize(-top, top), interpolation="nearest")
    figure.colorbar(image, ax=axes, label="change of the weight", shrink=0.85, extend="both")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return figure


@_in_style
def flatten_rows(mapping, positions=3):
    """The rows of a dense kernel behind a Flatten: teacher's, wider student's, and a way to get them wrong.

    Parameters
    ----------
    mapping : array_like of int, shape (q,)
        Which teacher channel each student channel copies; up to about five channels.
    positions : int
        Pixels that are left when the image is flattened.

    Returns
    -------
    matplotlib.figure.Figure
    """
    mapping = np.asarray(mapping)
    n, q = mapping.max() + 1, len(mapping)
    names = _letters(mapping)
    cases = (
        ("teacher: position by position", [(c, p) for p in range(positions) for c in range(n)]),
        ("student: the copies join each position", [(c, p) for p in range(positions) for c in range(q)]),
        ("wrong: as if rows went channel by channel", [(c, p) for c in range(q) for p in range(positions)]),
    )
    figure, grid = _figure(3.0, nrows=3)
    for axes, (title, rows) in zip(grid, cases, strict=True):
        for place, (channel, position) in enumerate(rows):
            style = {
                "ec": CYCLE[mapping[channel] % 7],
                "lw": 1.8,
                "ls": "-" if channel < n else (0, (2.5, 1.2)),
            }
            shade = ("white", "#EAEAEA")[position % 2]
            axes.add_patch(Rectangle((place + 0.07, 0.0), 0.86, 1, fc=shade, **style))
            words = f"{names[channel]}\n{position + 1}"
            axes.text(place + 0.5, 0.47, words, ha="center", va="center", fontsize=9, linespacing=1.05)
        axes.set(xlim=(-0.05, q * positions + 0.05), ylim=(-0.1, 1.1))
        axes.set_title(title, loc="left", fontsize=10)
        axes.axis("off")
    return figure


# ---------------------------------------------------------------- networks


@_in_style
def flowchart():
    """From teacher to student: the two ways to grow, the check, and the way back to the next round.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(4.5)
    axes.set(xlim=(0, 10), ylim=(0, 10))
    axes.axis("off")

    def box(x, y, width, text, color, height=1.25):
        shape = FancyBboxPatch(
            (x - width / 2, y - height / 2), width, height,
            boxstyle="round,pad=0.06,rounding_size=0.25", fc="white", ec=color, lw=2,
        )  # fmt: skip
        axes.add_patch(shape)
        axes.text(x, y, text, ha="center", va="center", fontsize=9.5, linespacing=1.15)

    def arrow(start, end, bend=0.0):
        style = {"arrowstyle": "-|>", "color": INK, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style | {"connectionstyle": f"arc3,rad={bend}"})

    box(5, 9.2, 5.4, "train the teacher\n(small network)", BLUE)
    box(2.3, 6.5, 4.2, "wider: copy units,\ndivide what goes out", GREEN)
    box(7.7, 6.5, 4.2, "deeper: insert a layer\nthat passes all on", PURPLE)
    box(5, 3.8, 5.4, "student: larger network,\nthe same function", ORANGE)
    box(5, 1.1, 5.4, "train the student on,\nfrom the teacher's accuracy", VERMILION)
    arrow((4, 8.5), (2.5, 7.25))
    arrow((6, 8.5), (7.5, 7.25))
    arrow((2.5, 5.8), (4, 4.5))
    arrow((7.5, 5.8), (6, 4.5))
    arrow((5, 3.1), (5, 1.82))
    # The way back runs along the right edge.
    axes.plot([7.8, 9.95, 9.95], [1.1, 1.1, 9.2], color=INK, lw=1.5, clip_on=False)
    arrow((9.95, 9.2), (7.8, 9.2))
    axes.text(9.7, 3.3, "next\nround", ha="right", va="center", fontsize=9.5)
    return figure


@_in_style
def transformer_block():
    """A Transformer with one block, bottom up: which of its widths are tied, and by which factors each may grow.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = _figure(6.2)
    axes.set(xlim=(0, 10), ylim=(-2.95, 11.7))
    axes.axis("off")
    residual, heads, inner, still = BLUE, VERMILION, GREEN, "#777777"

    def box(x, y, width, text, color, height=0.78):
        shape = (x - width / 2, y - height / 2), width, height
        face = mpl.colors.to_rgba(color, 0.16)
        axes.add_patch(Rectangle(*shape, fc="white", ec="none", zorder=3))
        axes.add_patch(Rectangle(*shape, fc=face, ec=color, lw=1.6, zorder=4))
        axes.text(x, y, text, ha="center", va="center", fontsize=9, zorder=5)

    def arrow(start, end, color=INK):
        style = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style, zorder=2)

    def branch(bottom, top):
        axes.plot([2, 6.9], [bottom - 0.85] * 2, color=INK, lw=1.4, zorder=1)
        arrow((6.9, bottom - 0.85), (6.9, bottom - 0.39))
        axes.plot([6.9, 6.9], [bottom, top], color=INK, lw=1.4, zorder=1)
        arrow((6.9, top), (2.32, top))
        axes.plot(2, top, marker="o", ms=15, mfc="white", mec=residual, mew=2, zorder=4)
        axes.text(2, top, "+", ha="center", va="center", fontsize=12, zorder=5)

    axes.plot([2, 2], [0.6, 10.9], color=residual, lw=5, solid_capstyle="butt", zorder=1)
    box(2, 0.3, 3.7, "A  embeddings", residual)
    branch(1.6, 4.7)
    box(6.9, 1.6, 3.9, "A  normalization", residual)
    box(5.55, 2.75, 2.3, "B  heads", heads)
    axes.text(6.9, 2.75, "×", ha="center", va="center", fontsize=10, zorder=5, bbox=_PAPER)
    box(8.3, 2.75, 2.4, "head size", still)
    box(6.9, 3.8, 3.9, "A  output of attention", residual)
    branch(6.1, 9.2)
    box(6.9, 6.1, 3.9, "A  normalization", residual)
    box(6.9, 7.2, 3.9, "C  inner layer", inner)
    box(6.9, 8.3, 3.9, "A  second layer", residual)
    box(2, 10.2, 3.7, "A  last normalization", residual)
    box(2, 11.25, 3.7, "scores of characters", still)
    axes.plot([0.07, 0.07], [0.3, 10.75], color=residual, lw=1.4, ls=DASHES[2], zorder=1)
    axes.plot([0.07, 0.2], [0.3, 0.3], color=residual, lw=1.4, zorder=1)
    arrow((0.07, 10.75), (1.95, 10.75), residual)
    axes.text(0.35, 7.0, "the same\nweights", ha="left", va="center", fontsize=8.8, bbox=_PAPER, zorder=2)
    axes.text(2.3, 5.45, "residual stream", ha="left", va="center", fontsize=9)
    legend = [
        ("A", residual, "all that is added up: whole factors"),
        ("B", heads, "the number of heads: with A, in KerasHub's models"),
        ("C", inner, "inner layer: any factor"),
        ("", still, "stays: head size, characters, positions"),
    ]
    for number, (letter, color, words) in enumerate(legend):
        y = -0.65 - 0.62 * number
        axes.add_patch(Rectangle((0.1, y - 0.22), 0.5, 0.44, fc=mpl.colors.to_rgba(color, 0.16), ec=color, lw=1.6))
        axes.text(0.35, y, letter, ha="center", va="center", fontsize=8.8)
        axes.text(0.85, y, words, ha="left", va="center", fontsize=9)
    return figure


def _clear_fraction(starts, ends):
    """How far along the lines from all starts to all ends their points lie furthest apart, so that no two meet."""

    def least(fraction):
        points = starts[:, np.newaxis] * (1 - fraction) + ends * fraction
        return np.diff(np.sort(points, axis=None)).min(initial=np.inf)

    return max(np.linspace(0.2, 0.8, 61), key=least)


@_in_style
def networks(teacher, student, mapping=None, values=False):
    """Two networks side by side: units as circles, weights as lines, inputs below.

    A line is as thick as its weight is large; a negative one is dashed. With `mapping`, units of the first
    hidden layer carry the letter and the color of the teacher unit they copy, and copies have a dashed rim.

    Parameters
    ----------
    teacher, student : list of ndarray
        Kernels from the inputs up, each of shape (n_in, n_out); up to about eight units in a layer.
    mapping : array_like of int, shape (q,), optional
        Of the first hidden layer, where that was widened.
    values : bool
        Write the weights beside the lines; for very small networks.

    Returns
    -------
    matplotlib.figure.Figure
    """
    levels = max(len(teacher), len(student)) + 1
    widths = [max(max(np.shape(w)) for w in kernels) + 0.3 for kernels in (teacher, student)]
    figure, (left, right) = _figure(0.85 * levels + 0.2, ncols=2, gridspec_kw={"width_ratios": widths})
    top = max(np.abs(w).max() for w in (*teacher, *student)) or 1.0
    cases = ((left, teacher, "teacher", False), (right, student, "student", True))
    for (axes, kernels, title, is_student), width in zip(cases, widths, strict=True):
        sizes = [np.shape(kernels[0])[0]] + [np.shape(w)[1] for w in kernels]
        spots = [[((i - (n - 1) / 2), level * 1.5) for i in range(n)] for level, n in enumerate(sizes)]
        for level, kernel in enumerate(kernels):
            along = _clear_fraction(*(np.array(spots[at])[:, 0] for at in (level, level + 1)))
            for i, j in np.ndindex(np.shape(kernel)):
                weight = float(kernel[i][j])
                if weight == 0:
                    continue
                (x0, y0), (x1, y1) = spots[level][i], spots[level + 1][j]
                dash = "-" if weight > 0 else (0, (2.5, 1.2))
                thick = 0.5 + 3 * abs(weight) / top
                axes.plot([x0, x1], [y0, y1], color="#888888", lw=thick, ls=dash, zorder=1)
                if values:
                    at = (x0 + (x1 - x0) * along, y0 + (y1 - y0) * along)
                    box = {"fc": "white", "ec": "none", "pad": 0.6}
                    axes.text(*at, f"{weight:.2g}", ha="center", va="center", fontsize=8.5, bbox=box, zorder=2)
        for level, row in enumerate(spots):
            here = mapping is not None and level == 1
            units = (np.asarray(mapping) if is_student else np.arange(len(row))) if here else None
            labels = _letters(units) if here else [""] * len(row)
            if level == 0:
                labels = [f"$x_{{{i + 1}}}$" for i in range(len(row))]
            if level == len(spots) - 1:
                labels = [f"$y_{{{i + 1}}}$" for i in range(len(row))] if len(row) > 1 else ["$y$"]
            for i, ((x, y), label) in enumerate(zip(row, labels, strict=True)):
                color = CYCLE[units[i] % 7] if here else INK
                is_copy = here and is_student and i >= len(set(units.tolist()))
                axes.scatter(
                    x, y, s=330, fc="white", ec=color, lw=2.4 if here else 1.4, zorder=3,
                    ls=(0, (2, 1)) if is_copy else "-",
                )  # fmt: skip
                axes.text(x, y, label, ha="center", va="center_baseline", fontsize=10, zorder=4)
        axes.set(xlim=(-width / 2, width / 2), ylim=(-0.5, 1.5 * (levels - 1) + 0.5))
        axes.set_title(title)
        axes.axis("off")
    return figure


_PAPER = {"fc": "white", "ec": "none", "pad": 1.2}


@_in_style
def channel_rows(model):
    """A model from top to bottom, and under each layer the row of its channels: which group each of them belongs to.

    Channels that widen together have one letter and one color. What cannot be widened is gray.

    Parameters
    ----------
    model : keras.Model
        Small: up to about nine layers behind each other, up to four side by side.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import keras  # here alone: no other figure needs Keras

    from helpers import reading as rd
    from helpers import rows as r

    model = keras.Model(model.inputs, model.outputs)  # a Sequential as a graph, too
    reading = rd.read(model)
    levels, above = _levels(model)
    across = max(map(len, levels))
    figure, axes = _figure(0.66 * len(levels) + 0.1)
    given = {id(x): reading.values[id(tensor)] for x, tensor in zip(model.inputs, reading.graph.inputs, strict=False)}
    rows, letters = {}, _Letters()
    for op in (op for level in levels for op in level if hasattr(op, "output")):
        value = given.get(id(op.output)) or reading.calls[op][0][0]
        row = r.normal(value.rows[1 if getattr(op, "data_format", None) == "channels_first" else -1])
        rows[op] = [(r.units((segment,)), r.size(segment)) for segment in row]
        letters.meet(row)
    room = {op: across - 0.1 if len(level) == 1 else 0.86 for level in levels for op in level}
    scale = min(room[op] / sum(size for _, size in row) for op, row in rows.items())
    places = {}
    for depth, level in enumerate(levels):
        level.sort(key=lambda op: np.mean([places[other][0] for other in above[op]] or [0]))
        for number, op in enumerate(level):
            x, y = number - (len(level) - 1) / 2, -depth
            places[op] = (x, y)
            for other in above[op]:
                bottom = (places[other][0], places[other][1] - 0.38)
                axes.plot(*zip(bottom, (x, y + 0.36), strict=True), color="#888888", lw=1.2, zorder=1)
            if op not in rows:  # a line that only passes by
                axes.plot([x, x], [y + 0.36, y - 0.38], color="#888888", lw=1.2, zorder=1)
                continue
            width = sum(size for _, size in rows[op])
            axes.text(x, y + 0.13, f"{op.name}  {width}", ha="center", va="center", fontsize=9, bbox=_PAPER, zorder=3)
            left = x - scale * width / 2
            for units, channels in rows[op]:
                size = scale * channels
                color, face = letters.colors(units)
                axes.add_patch(Rectangle((left, y - 0.38), size, 0.3, fc="white", ec="none", zorder=2))
                axes.add_patch(Rectangle((left, y - 0.38), size, 0.3, fc=face, ec=color, lw=1.4, zorder=3))
                letter = "".join(map(letters.of, units))
                axes.text(left + size / 2, y - 0.24, letter, ha="center", va="center", fontsize=9, zorder=4)
                left += size
    axes.set(xlim=(-across / 2, across / 2), ylim=(-len(levels) + 0.55, 0.45))
    axes.axis("off")
    return figure


class _Letters:
    """A letter and a color for each of the units that may widen, in the order in which they are met."""

    def __init__(self):
        self.numbers = {}

    def meet(self, row):
        from helpers import rows as r

        for units in r.units(row):
            self.numbers.setdefault(units, len(self.numbers))

    def of(self, units):
        return chr(ord("A") + self.numbers[units] % 26)

    def colors(self, units):
        """Line and face: gray for what cannot widen, dark gray for what several make together."""
        color = CYCLE[self.numbers[units[0]] % 7] if len(units) == 1 else "#555555" if units else "#999999"
        return color, mpl.colors.to_rgba(color, 0.28 if len(units) == 1 else 0.15)


# Operations that a reader need not see: they read, name, or convert what another one works on.
_UNSEEN = ("Identity", "Cast", "ReadVariableOp", "Const", "StopGradient", "NoOp")


@_in_style
def operations(model, hide=_UNSEEN):
    """A model as TensorFlow runs it: one line for each operation, with a row on every axis of what it gives.

    Each axis is a box, its channels colored by the group that they belong to; gray is what cannot widen. A product of
    rows has a dot between its factors. At the right is the weight that an operation reads. An axis whose entries are
    divided among copies is hatched and marked with a division sign, any other is copied. Lines at the left lead from
    where something is made to where it is read.

    Parameters
    ----------
    model : keras.Model
        Small: up to about eighteen operations.
    hide : tuple of str
        Kinds of operations to leave out.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from helpers import operations as o
    from helpers import reading as rd

    reading, letters, lines, made = rd.read(model), _Letters(), [], {}
    for tensor in reading.graph.inputs[: len(reading.graph.inputs) - len(reading.graph.captures)]:
        made[id(tensor)] = len(lines)
        name = next((x.name for x in list(getattr(model, "inputs", None) or ())[len(lines) :]), "input")
        lines.append((name, "", tensor, None, []))
    for op in rd.operations_of(reading.graph):
        entering = [reading.values[id(t)] for t in o.entering(op)]
        value = reading.values.get(id(op.outputs[0])) if op.outputs else None
        if value is None or value.level != o.ACTIVATION:
            continue
        sources = [made[id(t)] for t in o.entering(op) if id(t) in made]
        if op.type in hide:
            made.update((id(t), sources[0]) for t in op.outputs[: len(sources)])
            continue
        weight = next((x for x in entering if x.level == o.WEIGHT), None)
        made.update((id(t), len(lines)) for t in op.outputs)
        name = o.place(op).split("/")
        names = {layer.name for layer in model._flatten_layers(include_self=False)}
        layer = next((part for part in reversed(name) if part in names), "")
        lines.append((layer, op.type, op.outputs[0], weight, sources))
    for _, _, tensor, weight, _ in lines:
        for row in (*reading.values[id(tensor)].rows, *(weight.rows if weight else ())):
            letters.meet(row)
    step, low = 0.31, 0.1
    figure, axes = _figure(step * len(lines) + 0.45)
    spots = [-step * i for i in range(len(lines))]
    _arcs(axes, spots, [line[4] for line in lines])
    for x, head in ((0.6, "operation"), (2.0, "gives"), (3.32, "reads a weight")):
        axes.text(x, step * 0.95, head, fontsize=8.5, va="center", color="#555555")
    for y, (layer, kind, tensor, weight, _) in zip(spots, lines, strict=True):
        axes.plot([0.5], [y], "o", ms=4, color="#555555", zorder=3)
        text = "  ".join(filter(None, (layer, kind)))
        axes.text(0.6, y, text if len(text) < 22 else f"{text[:20]}…", fontsize=8.5, va="center")
        _axes_of(axes, 2.0, y, reading.values[id(tensor)], letters)
        if weight is not None:
            _axes_of(axes, 3.32, y, weight, letters)
    axes.set(xlim=(0, WIDTH), ylim=(spots[-1] - step / 2 - low / 2, step * 1.25))
    axes.axis("off")
    return figure


def _arcs(axes, spots, sources):
    """Lines from where something is made to where it is read; those that pass others by have a lane of their own."""
    taken = []  # for each lane, where its last line ends
    for here, before in enumerate(sources):
        for there in sorted(set(before)):
            style = {"color": "#888888", "lw": 1.2, "zorder": 1}
            if there == here - 1:
                axes.plot([0.5, 0.5], [spots[there], spots[here]], **style)
                continue
            lane = next((i for i, end in enumerate(taken) if end <= there), len(taken))
            taken[lane : lane + 1] = [here]
            x = max(0.38 - 0.1 * lane, 0.03)
            axes.plot([0.5, x, x, 0.5], [spots[there], spots[there] - 0.08, spots[here] + 0.08, spots[here]], **style)


def _axes_of(axes, left, y, value, letters):
    """Draw the axes of a tensor, one behind the other."""
    from helpers import rows as r

    for row, role in zip(value.rows, value.roles, strict=True):
        divided = role.now().value == 1 and r.units(row)
        start, parts = left, _parts(row, letters)
        if divided:
            parts = [("÷", None), *parts]
        for text, units in parts:
            if units is None:
                axes.text(left + 0.05, y, text, ha="center", va="center", fontsize=8.5, zorder=4)
                left += 0.12 if text == "÷" else 0.09
                continue
            wide = 0.07 + 0.072 * len(text)
            color, face = letters.colors(units)
            box = {"fc": face, "ec": color, "lw": 1.3, "zorder": 3}
            axes.add_patch(Rectangle((left, y - 0.1), wide, 0.2, **box, hatch="////" if divided and units else None))
            paper = {"fc": "white", "ec": "none", "pad": 0.4} if divided and units else None
            axes.text(left + wide / 2, y, text, ha="center", va="center", fontsize=8.5, zorder=4, bbox=paper)
            left += wide
        if len(parts) > 1:
            frame = {"fill": False, "ec": "#888888", "lw": 0.8, "zorder": 2}
            axes.add_patch(Rectangle((start - 0.03, y - 0.13), left - start + 0.06, 0.26, **frame))
        left += 0.07


def _parts(row, letters):
    """A row as boxes, (text, units), and signs between them, (text, None)."""
    from helpers import rows as r

    found = []
    for segment in r.normal(row):
        for number, atom in enumerate(segment):
            if number:
                found.append(("·", None))
            if isinstance(atom, tuple):
                found += _parts(atom, letters)
            elif isinstance(atom, r.Units):
                found.append((f"{letters.of(atom)}{atom.width}", [atom]))
            else:
                found.append((str(int(atom)), []))
    return found


def _levels(model):
    """The operations of a model by their distance from the inputs; what passes a level by stands there as a tuple."""
    maker = {id(op.output): op for op in model.operations}
    parents, depth = {}, {}

    def visit(op):
        inputs = op.input if isinstance(op.input, list) else [op.input]
        parents[op] = [maker[id(x)] for x in inputs if maker[id(x)] is not op]  # an input layer gives what it takes
        for other in parents[op]:
            if other not in depth:
                visit(other)
        depth[op] = 1 + max((depth[other] for other in parents[op]), default=-1)

    for output in model.outputs:
        visit(maker[id(output)])
    levels, above = [[] for _ in range(1 + max(depth.values()))], {}
    for op in depth:  # in the order in which merges take their inputs
        levels[depth[op]].append(op)
    for op in depth:
        above[op] = []
        for other in parents[op]:
            last = other
            for level in range(depth[other] + 1, depth[op]):
                passing = (other, op, level)
                levels[level].append(passing)
                above[passing] = [last]
                last = passing
            above[op].append(last)
    return levels, above


# ---------------------------------------------------------------- images


@_in_style
def digits(images, titles=None):
    """A row of images, up to about eight, with an optional title above each.

    Parameters
    ----------
    images : ndarray, shape (n, height, width) or (n, height, width, 1)
    titles : list, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    n = len(images)
    figure, grid = _figure(WIDTH / n + (0.3 if titles is not None else 0.05), ncols=n, squeeze=False)
    for i, axes in enumerate(grid.flat):
        axes.imshow(np.asarray(images[i]).reshape(np.shape(images[i])[:2]), cmap="gray_r")
        axes.axis("off")
        if titles is not None:
            axes.set_title(str(titles[i]), fontsize=10)
    return figure


def convolved(image, kernel, times):
    """An image (height, width) after as many convolutions with a kernel (h, w), padding "same"."""
    h, w = np.shape(kernel)
    for _ in range(times):
        # As in Keras, the odd pixel of an even kernel goes behind.
        padded = np.pad(image, (((h - 1) // 2, h // 2), ((w - 1) // 2, w // 2)))
        image = np.einsum("ijhw,hw->ij", np.lib.stride_tricks.sliding_window_view(padded, (h, w)), kernel)
    return image


@_in_style
def kernels_on_image(kernels, image, times=1):
    """Convolution kernels, and below each what it makes of an image.

    Parameters
    ----------
    kernels : dict
        ``{title: ndarray}`` of shape (h, w), or (h, w, in, out), of which the kernel from the first channel
        to the first is shown. Up to five.
    image : ndarray, shape (height, width) or (height, width, 1)
    times : int
        How often each is applied, one after the other.

    Returns
    -------
    matplotlib.figure.Figure
    """
    image = np.asarray(image, float).reshape(np.shape(image)[:2])
    figure, grid = _figure(2 * WIDTH / len(kernels) + 0.5, nrows=2, ncols=len(kernels), squeeze=False)
    size = max(max(np.shape(kernel)[:2]) for kernel in kernels.values())
    for (above, below), (title, kernel) in zip(grid.T, kernels.items(), strict=True):
        kernel = np.asarray(kernel, float)
        kernel = kernel[:, :, 0, 0] if kernel.ndim == 4 else kernel
        h, w = kernel.shape
        result = convolved(image, kernel, times)
        above.imshow(kernel, cmap="PuOr", vmin=-1.6, vmax=1.6)
        for i, j in np.ndindex(kernel.shape):
            above.text(j, i, f"{kernel[i, j]:.2g}", ha="center", va="center", fontsize=9)
            above.add_patch(Rectangle((j - 0.5, i - 0.5), 1, 1, fill=False, ec=INK, lw=0.8))
        middle = ((w - 1) / 2, (h - 1) / 2)
        above.set(xlim=(middle[0] - size / 2 - 0.1, middle[0] + size / 2 + 0.1))
        above.set(ylim=(middle[1] + size / 2 + 0.1, middle[1] - size / 2 - 0.1))
        above.set_title(title, fontsize=10)
        above.axis("off")
        below.imshow(result, cmap="gray_r", vmin=0, vmax=image.max())
        same = np.allclose(result, image)
        below.set_title("same" if same else "changed", fontsize=10, color=INK if same else "#A34700")
        below.set(xticks=[], yticks=[])
        for spine in below.spines.values():
            spine.set(visible=True, color="#AAAAAA")
    return figure

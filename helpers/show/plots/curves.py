"""What was measured while training: a line for each arm."""

import matplotlib as mpl
import numpy as np

from helpers.show.arms import BLACK, BLUE, DASHES, GRAY, GREEN, ORANGE, PURPLE, SKY, VERMILION, looks
from helpers.show.plots import canvas


@canvas.in_style
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
    figure, grid = canvas.figure(2.6 * len(panels) + 0.2, nrows=len(panels), sharex=True, squeeze=False)
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
        canvas.label_ends(axes, ends, gap=0.11)
    grid.flat[-1].set_xlabel({"update": "updates", "examples": "training images seen"}.get(x, x))
    if xscale == "linear":
        grid.flat[-1].xaxis.set_major_locator(mpl.ticker.MaxNLocator(4))
        grid.flat[-1].xaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:,.0f}"))
    return figure


@canvas.in_style
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
    figure, grid = canvas.figure(6.6, nrows=4, ncols=len(columns), sharex=True, sharey="row", squeeze=False)
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


@canvas.in_style
def race_curves(curves, xlabel, ylabel):
    """Runs of a study over an axis that is stretched near zero, with equal factors of the errors, or losses, apart.

    Parameters
    ----------
    curves : dict
        ``{label: (rows, look)}``: rows of places, medians and, for several seeds, least and greatest values; a
        `helpers.show.arms.Look`.
    xlabel, ylabel : str
        `ylabel` says whether the values are accuracies.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas.figure(max(3.6, 0.24 * len(curves)))
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
    canvas.label_ends(axes, ends, gap=min(0.065, 0.95 / max(len(curves), 1)))
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


@canvas.in_style
def lab_curves(curves):
    """Accuracy over updates for networks that begin at different times, on a scale that stretches its top.

    Parameters
    ----------
    curves : dict
        ``{kind: (label, updates, accuracies)}``, kinds as in ``helpers.show.lab``.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas.figure(3.3)
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
    canvas.label_ends(axes, ends, gap=0.075)
    return figure


@canvas.in_style
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
    figure, axes = canvas.figure(3.1)
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
    canvas.label_ends(axes, ends, gap=0.11)
    return figure

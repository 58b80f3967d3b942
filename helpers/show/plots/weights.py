"""Weights, and how units are copied."""

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle

from helpers.show.arms import CYCLE, looks
from helpers.show.plots import canvas


@canvas.in_style
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
    figure, grid = canvas.figure(
        canvas.WIDTH * (sum(rows) + 3.6) / (sum(columns) + 2.6),
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
            for place, (unit, name) in enumerate(zip(units, canvas.letters(units), strict=True)):
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


@canvas.in_style
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
    figure, axes = canvas.figure(2.6 if shares is None else 2.9)
    top = (np.arange(n) - (n - 1) / 2) * (q - 1) / max(n - 1, 1) * 0.75
    bottom = np.arange(q) - (q - 1) / 2
    for units, places, y, first_copy in ((np.arange(n), top, 2, n), (mapping, bottom, 0, n)):
        for j, (unit, x, name) in enumerate(zip(units, places, canvas.letters(units), strict=True)):
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


@canvas.in_style
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
    figure, axes = canvas.figure(2.9)
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
    canvas.label_ends(axes, ends, gap=0.11)
    return figure


@canvas.in_style
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
    figure, axes = canvas.figure(4.0)
    # The few largest changes may saturate, so that the many small ones can be seen.
    top = float(np.quantile(np.abs(change), 0.98)) or 1.0
    image = axes.imshow(change.T, cmap="PuOr", norm=mpl.colors.Normalize(-top, top), interpolation="nearest")
    figure.colorbar(image, ax=axes, label="change of the weight", shrink=0.85, extend="both")
    axes.set(xlabel=xlabel, ylabel=ylabel)
    return figure


@canvas.in_style
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
    names = canvas.letters(mapping)
    cases = (
        ("teacher: position by position", [(c, p) for p in range(positions) for c in range(n)]),
        ("student: the copies join each position", [(c, p) for p in range(positions) for c in range(q)]),
        ("wrong: as if rows went channel by channel", [(c, p) for c in range(q) for p in range(positions)]),
    )
    figure, grid = canvas.figure(3.0, nrows=3)
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

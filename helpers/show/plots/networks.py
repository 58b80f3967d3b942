"""Networks, and the ways through them."""

import matplotlib as mpl
import numpy as np
from matplotlib.patches import FancyBboxPatch, Rectangle

from helpers.show.arms import BLUE, CYCLE, DASHES, GREEN, ORANGE, PURPLE, VERMILION
from helpers.show.plots import canvas


@canvas.in_style
def flowchart():
    """From teacher to student: the two ways to grow, the check, and the way back to the next round.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas.figure(4.5)
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
        style = {"arrowstyle": "-|>", "color": canvas.INK, "lw": 1.5, "shrinkA": 0, "shrinkB": 0}
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
    axes.plot([7.8, 9.95, 9.95], [1.1, 1.1, 9.2], color=canvas.INK, lw=1.5, clip_on=False)
    arrow((9.95, 9.2), (7.8, 9.2))
    axes.text(9.7, 3.3, "next\nround", ha="right", va="center", fontsize=9.5)
    return figure


@canvas.in_style
def transformer_block():
    """A Transformer with one block, bottom up: which of its widths are tied, and by which factors each may grow.

    Returns
    -------
    matplotlib.figure.Figure
    """
    figure, axes = canvas.figure(6.2)
    axes.set(xlim=(0, 10), ylim=(-2.95, 11.7))
    axes.axis("off")
    residual, heads, inner, still = BLUE, VERMILION, GREEN, "#777777"

    def box(x, y, width, text, color, height=0.78):
        shape = (x - width / 2, y - height / 2), width, height
        face = mpl.colors.to_rgba(color, 0.16)
        axes.add_patch(Rectangle(*shape, fc="white", ec="none", zorder=3))
        axes.add_patch(Rectangle(*shape, fc=face, ec=color, lw=1.6, zorder=4))
        axes.text(x, y, text, ha="center", va="center", fontsize=9, zorder=5)

    def arrow(start, end, color=canvas.INK):
        style = {"arrowstyle": "-|>", "color": color, "lw": 1.4, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", end, start, arrowprops=style, zorder=2)

    def branch(bottom, top):
        axes.plot([2, 6.9], [bottom - 0.85] * 2, color=canvas.INK, lw=1.4, zorder=1)
        arrow((6.9, bottom - 0.85), (6.9, bottom - 0.39))
        axes.plot([6.9, 6.9], [bottom, top], color=canvas.INK, lw=1.4, zorder=1)
        arrow((6.9, top), (2.32, top))
        axes.plot(2, top, marker="o", ms=15, mfc="white", mec=residual, mew=2, zorder=4)
        axes.text(2, top, "+", ha="center", va="center", fontsize=12, zorder=5)

    axes.plot([2, 2], [0.6, 10.9], color=residual, lw=5, solid_capstyle="butt", zorder=1)
    box(2, 0.3, 3.7, "A  embeddings", residual)
    branch(1.6, 4.7)
    box(6.9, 1.6, 3.9, "A  normalization", residual)
    box(5.55, 2.75, 2.3, "B  heads", heads)
    axes.text(6.9, 2.75, "×", ha="center", va="center", fontsize=10, zorder=5, bbox=canvas.PAPER)
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
    axes.text(0.35, 7.0, "the same\nweights", ha="left", va="center", fontsize=8.8, bbox=canvas.PAPER, zorder=2)
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


@canvas.in_style
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
    figure, (left, right) = canvas.figure(0.85 * levels + 0.2, ncols=2, gridspec_kw={"width_ratios": widths})
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
            labels = canvas.letters(units) if here else [""] * len(row)
            if level == 0:
                labels = [f"$x_{{{i + 1}}}$" for i in range(len(row))]
            if level == len(spots) - 1:
                labels = [f"$y_{{{i + 1}}}$" for i in range(len(row))] if len(row) > 1 else ["$y$"]
            for i, ((x, y), label) in enumerate(zip(row, labels, strict=True)):
                color = CYCLE[units[i] % 7] if here else canvas.INK
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

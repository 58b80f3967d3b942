"""The look of every figure: one style, one width, and labels where lines end.

Nothing is said by color alone: lines also differ in dash and marker, units in their letter, signs in dash or number.
Figures are 4.6 inches wide, so that labels stay readable on a phone.
"""

import functools

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from helpers.show.arms import CYCLE

PALE = "#56b4e9"  # under a line of its own
PAPER = {"fc": "white", "ec": "none", "pad": 1.2}  # behind words that cross a line
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


def use_style():
    """Set the book's style, and SVG for the figures of a notebook. Called once, at a chapter's head."""
    mpl.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})
    except (ImportError, AttributeError):
        pass  # not in a notebook


def figure(height, **grid):
    """A Figure of the book's width and its axes, in the book's style whether `use_style` was called."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        return figure, figure.subplots(**grid)


def in_style(function):
    """Draw in the book's style: some settings are read while drawing, not when the axes are made."""

    @functools.wraps(function)
    def styled(*args, **kwargs):
        with mpl.rc_context(STYLE):
            return function(*args, **kwargs)

    return styled


def label_ends(axes, ends, gap=0.085):
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


def letters(mapping):
    """Names of the units: a, b, c for the teacher's, and b', b'' for copies of b."""
    seen, names = {}, []
    for unit in mapping:
        copy = seen[unit] = seen.get(unit, -1) + 1
        names.append((chr(ord("a") + int(unit) % 26)) + "′" * copy)
    return names

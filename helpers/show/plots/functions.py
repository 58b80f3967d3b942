"""Functions of one number, and outputs beside one another."""

import numpy as np

from helpers.show.arms import BLUE, CYCLE, DASHES, VERMILION, looks
from helpers.show.plots import canvas


@canvas.in_style
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
    figure, axes = canvas.figure(2.8)
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
    canvas.label_ends(axes, ends, gap=0.1)
    return figure


@canvas.in_style
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
    figure, axes = canvas.figure(2.8)
    for number, (label, y) in enumerate(curves.items()):
        if number == 0:
            axes.plot(x, y, color=canvas.PALE, lw=7, alpha=0.6, label=label, solid_capstyle="round")
        else:
            axes.plot(x, y, color=(canvas.INK, *CYCLE[1:])[number - 1], ls=DASHES[number], lw=1.8, label=label)
    axes.set(xlabel=xlabel, ylabel=ylabel)
    columns = 2 if sum(map(len, curves)) > 24 else len(curves)
    figure.legend(loc="outside upper center", ncols=columns, frameon=False, handlelength=2.2, columnspacing=1.2)
    return figure


@canvas.in_style
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
    figure, grid = canvas.figure(1.55 * rows + 0.45, nrows=rows, ncols=3, squeeze=False)
    for axes in grid.flat[len(activations) :]:
        axes.axis("off")
    for axes, (name, phi) in zip(grid.flat, activations.items(), strict=False):
        once = np.asarray(phi(v))
        twice = np.asarray(phi(once))
        same = np.allclose(once, twice, rtol=1e-5, atol=1e-6)
        (first,) = axes.plot(v, once, color=canvas.PALE, lw=5, alpha=0.7)
        (second,) = axes.plot(v, twice, color=canvas.INK if same else VERMILION, ls=DASHES[1], lw=1.8)
        axes.set_title(f"{name}\n{'same' if same else 'changed'}", color=canvas.INK if same else "#A34700", fontsize=10)
        axes.locator_params(nbins=3)
        axes.tick_params(labelsize=9)
        axes.set(xlim=(1.05 * v.min(), 1.05 * v.max()))
    words = [r"$\varphi(v)$", r"$\varphi(\varphi(v))$"]
    figure.legend([first, second], words, loc="outside lower center", ncols=2, frameon=False, handlelength=3)
    return figure


@canvas.in_style
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
    figure, (above, below) = canvas.figure(4.3, nrows=2, gridspec_kw={"height_ratios": [3, 2]})
    names = ["teacher", *["_"] * (outputs - 1)], ["student", *["_"] * (outputs - 1)]  # one line each in the legend
    above.plot(x, teacher, color=canvas.PALE, lw=7, alpha=0.6, label=names[0], solid_capstyle="round")
    above.plot(x, student, color=canvas.INK, ls=DASHES[1], lw=1.8, label=names[1])
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
    below.axhline(0, color=canvas.INK, lw=0.8)
    below.set(xlim=(-0.7, most - 0.3), ylim=(-top, top), xticks=[], ylabel="outgoing\nweights")
    below.set_xlabel("hidden units" if outputs == 1 else "hidden units, a bar for each output", labelpad=22)
    below.spines["bottom"].set_visible(False)
    return figure


@canvas.in_style
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
    figure, grid = canvas.figure(
        canvas.WIDTH / len(students) + 0.9 if len(students) > 1 else 2.9, ncols=len(students), sharey=True
    )
    low, high = teacher.min(), teacher.max()
    room = 0.35 * (high - low)
    for axes, (title, student) in zip(np.atleast_1d(grid), students.items(), strict=True):
        student = np.ravel(np.asarray(student, float))
        same = np.abs(student - teacher).max() < 1e-5 * np.abs(teacher).max()
        color, marker = (BLUE, "o") if same else (VERMILION, "s")
        axes.axline((0, 0), slope=1, color="#888888", lw=1, zorder=0)
        inside = np.clip(student, low - room, high + room)  # what lies farther off is drawn at the edge
        axes.plot(teacher, inside, marker, color=color, ms=2.6, mew=0, alpha=0.7)
        axes.set_title(
            f"{title}\n{'same' if same else 'changed'}", color=canvas.INK if same else "#A34700", fontsize=10
        )
        axes.set(xlim=(low - room, high + room), ylim=(low - room, high + room), aspect="equal")
        axes.locator_params(nbins=4)
        axes.tick_params(labelsize=9)
        axes.set_xlabel("teacher")
    np.atleast_1d(grid)[0].set_ylabel("student")
    return figure


@canvas.in_style
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
    figure, axes = canvas.figure(0.27 * len(gaps) + 1.1)
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
        axes.axvline(value, color=canvas.INK, lw=1, ls=DASHES[1], zorder=0)
        place = axes.get_xaxis_transform()
        axes.text(value, 1.01, word, transform=place, ha="center", va="bottom", fontsize=9.5)
    return figure

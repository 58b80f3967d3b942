"""A model as it is read: its operations, and the rows of channels."""

import matplotlib as mpl
import numpy as np
from matplotlib.patches import Rectangle

from helpers.show.arms import CYCLE
from helpers.show.plots import canvas


@canvas.in_style
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
    figure, axes = canvas.figure(0.66 * len(levels) + 0.1)
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
            axes.text(
                x, y + 0.13, f"{op.name}  {width}", ha="center", va="center", fontsize=9, bbox=canvas.PAPER, zorder=3
            )
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


@canvas.in_style
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
    figure, axes = canvas.figure(step * len(lines) + 0.45)
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
    axes.set(xlim=(0, canvas.WIDTH), ylim=(spots[-1] - step / 2 - low / 2, step * 1.25))
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

"""A Keras model read as channel groups: which layers must widen together, and by which mapping.

The model is called once, on rows instead of numbers (`layers` says what a row is). A layer that makes channels opens a
group; a sum ties the groups of its terms; a concatenation puts rows side by side; a Flatten repeats a row for each
position. What is left at the end is a set of independent groups. Each gets one width, one mapping and one set of
shares, and every weight in the model follows from these.

The paper placed its mappings by hand and left a 'remapping inference algorithm' to later work (Chen et al. 2016,
section 2.3); this is one.
"""

import copy
import difflib
import functools
import inspect
import math
import numbers
import operator
from collections import Counter
from dataclasses import dataclass, field

import keras
import numpy as np

from helpers import layers as rules
from helpers import weights as w
from helpers.weights import Net2NetError


class Units:
    """Units that have one mapping between them, until they turn out to be part of others, or made of them."""

    def __init__(self, width):
        self.width = width
        self.parts = None  # the row that these units are, once they have been tied or split


def resolve(row):
    """Write a row in the units that stand for themselves."""
    if all(units.parts is None for units, _ in row):
        return row
    pending, resolved = list(reversed(row)), []
    while pending:
        units, run = pending.pop()
        if units.parts is None:
            resolved.append((units, run))
        else:
            pending.extend((part, inner * run) for part, inner in reversed(units.parts))
    return tuple(resolved)


class Mismatch(Exception):
    """Two rows cannot carry one mapping, because their units lie differently."""


def tie(left, right):
    """Make two rows carry the same mapping, by merging their units and splitting them where they end apart."""
    if left == right:
        return
    left, right = list(reversed(left)), list(reversed(right))
    while left and right:
        left.extend(reversed(resolve([left.pop()])))
        right.extend(reversed(resolve([right.pop()])))
        (a, a_run), (b, b_run) = left.pop(), right.pop()
        if a_run < b_run:  # a is the one whose units stand for more channels each
            left, right, a, a_run, b, b_run = right, left, b, b_run, a, a_run
        a_end, b_end = a.width * a_run, b.width * b_run
        if a_run % b_run or min(a_end, b_end) % a_run:
            raise Mismatch
        if a_end == b_end:
            if a is not b:
                b.parts = ((a, a_run // b_run),)
            continue
        longer, run = (a, a_run) if a_end > b_end else (b, b_run)
        first = min(a_end, b_end) // run
        longer.parts = ((Units(first), 1), (Units(longer.width - first), 1))
        left.append((a, a_run))
        right.append((b, b_run))
    if left or right:
        raise Mismatch


class Call:
    """One call of a layer, as its rule sees it."""

    def __init__(self, graph, layer, node):
        self.graph, self.layer, self.node = graph, layer, node
        args, kwargs = node.arguments.args, node.arguments.kwargs
        signature = inspect.signature(layer.call)
        if not {"training", "kwargs"} & set(signature.parameters):  # Keras takes it from every caller
            kwargs = {key: value for key, value in kwargs.items() if key != "training"}
        named = signature.bind(*args, **kwargs).arguments
        leaves = [(name, leaf) for name, value in named.items() for leaf in keras.tree.flatten(value)]
        if any(hasattr(leaf, "assign") for _, leaf in leaves):
            raise Net2NetError(
                f"{layer.name!r} is called on a variable, which teacher and student would share; make it the weight of "
                "a layer"
            )
        given = [(name, leaf) for name, leaf in leaves if isinstance(leaf, keras.KerasTensor)]
        self.tensors = [x for _, x in given]
        self.given = [(name, graph.rows[id(x)]) for name, x in given]  # one for each tensor that enters
        self.shapes = [x.shape for x in self.tensors]
        self.out_shapes = [x.shape for x in node.outputs]
        self.has_array = any(np.size(leaf) > 1 for _, leaf in leaves if not isinstance(leaf, keras.KerasTensor))
        # The arguments that hold something else than tensors: numbers, arrays.
        self.constants = {name for name, leaf in leaves if not isinstance(leaf, keras.KerasTensor | None)}
        self.unread = set(range(len(given)))

    def on_numbers(self, *values):
        """What the layer gives for other values of the tensors that enter."""
        args, kwargs = self.node.arguments.fill_in({id(x): v for x, v in zip(self.tensors, values, strict=True)})
        return self.layer(*args, **kwargs)

    @property
    def x(self):
        """The row of the first input."""
        self.unread.discard(0)
        return self.given[0][1]

    @property
    def xs(self):
        """The rows of all inputs."""
        self.unread.clear()
        return [row for _, row in self.given]

    def named(self, name):
        """The rows of the tensors that enter under this name in the layer's `call`."""
        found = [i for i, (argument, _) in enumerate(self.given) if argument == name]
        self.unread.difference_update(found)
        return [self.given[i][1] for i in found]

    def over_time(self):
        """This call as the layer inside a TimeDistributed sees it: without the axis of time."""
        self.unread.discard(0)
        inner = copy.copy(self)
        inner.given, inner.unread = self.given[:1], {0}
        inner.shapes, inner.out_shapes = ([s[:1] + s[2:] for s in shapes] for shapes in (self.shapes, self.out_shapes))
        return inner

    def open(self, width):
        """A row of `width` new units; an empty one where the width is unknown."""
        return () if width is None else ((Units(width), 1),)

    def tie(self, a, b):
        """Say that two rows must widen alike."""
        self.graph.tie(a, b, self.layer)

    def pin(self, row, reason, structural=False):
        """Say that a row must not widen. `structural`: as is only natural, so that a factor passes it over."""
        self.graph.pins.append((row, reason, structural))

    def balance(self, row, name):
        """Say that the units of a row need equally many copies each."""
        self.graph.balanced.append((row, name))

    def limit(self, row, reason):
        """Say why a row cannot take channels of any values, as random new ones have."""
        self.graph.limited.append((row, reason))


@dataclass(eq=False)
class ChannelGroup:
    """Layers that share one width.

    Attributes
    ----------
    width : int
        Units of the group.
    layers : list of str
        The layers that make these channels; naming any of them in `widths` widens all of them. A width inside a
        layer has a name such as "attention.num_heads".
    tied_by : list of str
        The merges that hold them together.
    fixed : str or None
        Why the group cannot be widened, if it cannot.
    structural : bool
        Whether a factor for the whole model passes it over: inputs, outputs, and widths inside a layer.
    """

    width: int
    layers: list = field(default_factory=list)
    tied_by: list = field(default_factory=list)
    fixed: str | None = None
    structural: bool = False

    def __str__(self):
        text = f"{self.width:>6}  {', '.join(self.layers)}"
        if self.tied_by:
            text += f"\n        tied by {', '.join(self.tied_by)}"
        return text + (f"\n        fixed: {self.fixed}" if self.fixed else "")


class ChannelGroups(list):
    """A list of `ChannelGroup` that prints as a table."""

    def __repr__(self):
        return "\n".join([" width  layers", *map(str, self)])


class Graph:
    """A model's layers, the rows that its weights follow, and what must hold between them."""

    def __init__(self, model):
        self.model = model
        self.plans = {}  # layer or operation -> the plan of its first call
        self.outs = {}  # the same -> its first row out
        self.tensors = {}  # the same -> the tensor of that row
        self.rows = {}  # id of a tensor -> its row
        self.ties, self.pins, self.balanced, self.limited = [], [], [], []
        self.readers = {}  # layer -> the layers that read what it gives
        self.calls = Counter()
        self.names = set()
        self.makers = {}  # id of a tensor -> the layer that makes it
        self.past = {}  # id of a tensor -> what it may be the same tensor as, and the calls before it, a bit for each
        self.masked = set()  # what carries a mask
        self.seen = []  # of each call: layer, calls before it, what its inputs may be, whether it is told the mask
        inputs = []
        for x in model.inputs:
            self.past[id(x)] = id(x), 0
            row = Call.open(self, x.shape[-1] if len(x.shape) > 1 else None)
            self.pins.append((row, f"it is the model's input {x.name!r}", True))
            inputs.append(row)
        for row in self._walk(model, inputs):
            self.pins.append((row, "it is the model's output", True))
        self._check_sharing()
        self.ends = {self.makers.get(id(x)) for x in model.outputs}
        self.groups = self._groups()

    def _check_sharing(self):
        """Refuse a weight that two layers hold, as where one layer is wrapped twice: each would get its own."""
        owners = {}
        for layer in self.plans:
            for weight in () if is_graph(layer) else getattr(layer, "weights", ()):
                if (owner := owners.setdefault(id(weight), layer)) is not layer:
                    raise Net2NetError(
                        f"layers {owner.name!r} and {layer.name!r} share the weight {weight.path!r}, which a student's "
                        "would not; call one and the same layer twice, or give each weights of its own"
                    )

    def tie(self, a, b, layer):
        try:
            tie(a, b)
            self.ties.append((a, layer))
        except Mismatch:
            reason = f"layer {layer.name!r} ties channels that lie differently in its inputs"
            self.pins += [(a, reason, False), (b, reason, False)]

    def _walk(self, model, inputs):
        """Call `model` on rows; return the rows of its outputs."""
        function = model if hasattr(model, "_nodes_by_depth") else model._functional
        rows = self.rows
        self.names.update(layer.name for layer in function.layers)
        for x, row in zip(function.inputs, inputs, strict=True):
            if (first := rows.setdefault(id(x), row)) is not row:
                self.tie(first, row, model)  # a model that is called twice must be given the same widths
        # Keras has no public way to run a graph on anything but tensors; clone_model goes through the same nodes.
        for depth in sorted(function._nodes_by_depth, reverse=True):
            for node in function._nodes_by_depth[depth]:
                if not node.is_input:
                    outs = self._call(node)
                    rows.update((id(x), out) for x, out in zip(node.outputs, outs, strict=True))
        return [rows[id(x)] for x in function.outputs]

    def _call(self, node):
        layer, rows = node.operation, self.rows
        self.calls[layer] += 1
        if is_graph(layer):
            _check_class(layer)
            if not has_inputs(layer):
                raise Net2NetError(
                    f"model {layer.name!r} is a Sequential that is called on several tensors, which hides its graph; "
                    "build it as keras.Model(inputs, outputs)"
                )
            given = node.arguments.args[0] if node.arguments.args else node.arguments.kwargs["inputs"]
            inputs = keras.tree.flatten(given)
            if len(inputs) != len(layer.inputs):  # which of them Keras then takes goes by their order, not their names
                raise Net2NetError(
                    f"model {layer.name!r} has {len(layer.inputs)} inputs but is called with {len(inputs)}; call it "
                    "with its own alone"
                )
            if isinstance(given, dict) and not isinstance(layer.input, dict):
                # Keras pairs them by name in a call, but by order when it works out shapes: they must not come apart.
                inputs = [given[x.name] for x in layer.inputs]
                reason = f"model {layer.name!r} has a list of inputs but is called with a dict; call it with a list"
                self.pins += [(rows[id(x)], reason, False) for x in inputs]
            entered = {id(x) for x in inputs}
            masks = [x for x in node.input_tensors if id(x) not in entered]
            self.pins += [(rows[id(x)], f"it enters model {layer.name!r} as a mask", False) for x in masks]
            self.past |= {id(x): self.past[id(outer)] for x, outer in zip(layer.inputs, inputs, strict=True)}
            outs = self._walk(layer, [rows[id(x)] for x in inputs])
            self.past |= {id(x): self.past[id(inner)] for x, inner in zip(node.outputs, layer.outputs, strict=True)}
            plan = rules.Plan(outs)
            makers = [self.makers.get(id(x)) for x in layer.outputs]
        else:
            call = Call(self, layer, node)
            plan = rules.plan_call(layer, call)
            outs = rules.check_plan(layer, call, plan)
            for i in call.unread:  # a mask, say: the rule takes no account of it, so it must stay as it is
                name, row = call.given[i]
                call.pin(row, f"it enters layer {layer.name!r} as {name!r}, which its rule does not follow")
            makers = [layer] * len(node.outputs)
            self._remember(layer, node)
            for x in call.tensors:
                self.readers.setdefault(self.makers.get(id(x)), []).append(layer)
        self.makers.update((id(x), maker) for x, maker in zip(node.outputs, makers, strict=True))
        if (first := self.plans.setdefault(layer, plan)) is not plan:
            self._tie_calls(layer, first, plan)
        self.outs.setdefault(layer, outs[0])
        self.tensors.setdefault(layer, node.outputs[0])
        return outs

    def _remember(self, layer, node):
        """Note which calls come before this one, and which tensors it may read or hand on."""
        pasts = [self.past[id(x)] for x in node.input_tensors]
        self.masked |= {self.past[id(x)][0] for x in node.input_tensors if getattr(x, "_keras_mask", None) is not None}
        before = functools.reduce(operator.or_, (calls for _, calls in pasts), 0)
        told = "mask" in node.arguments.kwargs
        self.seen.append((layer, before, {same for same, _ in pasts}, told))
        hands_on = len(pasts) == 1 and not getattr(layer, "weights", None)  # Dropout returns the very tensor it gets
        for x in node.outputs:
            self.past[id(x)] = pasts[0][0] if hands_on else id(x), before | 1 << len(self.seen) - 1

    def loose_mask(self):
        """An attention layer and another whose mask depends on which of the two runs first; None if there is none.

        MultiHeadAttention takes the mask off the tensors that it reads, so what reads them later finds none. Where
        neither of two calls needs the other, Keras orders them by their distance from the output.
        """
        for i, (attention, before, read, _) in enumerate(self.seen):
            if not isinstance(attention, keras.layers.MultiHeadAttention):
                continue
            for j, (layer, others, also, told) in enumerate(self.seen):
                ordered = i == j or before >> j & 1 or others >> i & 1
                if read & also & self.masked and not ordered and not told:
                    return attention, layer
        return None

    def _tie_calls(self, layer, first, again):
        # Shared weights and settings: both calls must want the same of them.
        before, after = _rows_of(first), _rows_of(again)
        if before.keys() == after.keys():
            for place, row in before.items():
                self.tie(row, after[place], layer)
        else:
            reason = f"layer {layer.name!r} is called in two ways that have no rule in common"
            self.pins += [(row, reason, False) for row in (*before.values(), *after.values())]

    def _groups(self):
        groups = {}
        for layer, plan in self.plans.items():
            made = {layer.name: self.outs[layer]} if plan.settings and plan.weights else {}
            for name, row in (made | self._inner(layer)).items():
                for units, _ in resolve(row):
                    group = groups.setdefault(units, ChannelGroup(units.width, structural=name not in made))
                    if name not in group.layers:
                        group.layers.append(name)
        for row, layer in self.ties:
            for units, _ in resolve(row):
                if units in groups and layer.name not in groups[units].tied_by + groups[units].layers:
                    groups[units].tied_by.append(layer.name)
        for row, reason, structural in sorted(self.pins, key=lambda pin: not pin[2]):
            for units, _ in resolve(row):
                group = groups.setdefault(units, ChannelGroup(units.width))
                if group.fixed is None:
                    group.fixed, group.structural = reason, structural
        return groups

    def _inner(self, layer):
        """The widths inside a layer that its output does not show, such as an attention's heads: {name: row}."""
        out = {units for units, _ in resolve(self.outs[layer])}
        rows = {f"{layer.name}.{path[-1]}": row for path, row in self.plans[layer].settings.items()}
        return {name: row for name, row in rows.items() if out.isdisjoint(units for units, _ in resolve(row))}

    def find(self, argument, name):
        """The layer of this name, or the error that there is none, or more than one."""
        return self._only(argument, name, [(layer.name, layer) for layer in self.plans])

    def _only(self, argument, name, named):
        found = [what for its, what in named if its == name]
        if not found:
            names = [layer.name for layer, plan in self.plans.items() if plan.weights]
            near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.5) or names[:5]
            raise Net2NetError(f"{argument}: the model has no layer {name!r}; near names: {', '.join(map(repr, near))}")
        if len(found) > 1:
            raise Net2NetError(
                f"{argument}: {len(found)} layers are called {name!r}, in different nested models; give them names of "
                "their own"
            )
        return found[0]

    # Widths

    def sizes(self, widths):
        """Turn what the caller asks for into {units: new width}."""
        sizes = self._sizes_by_name(widths) if isinstance(widths, dict) else self._sizes_by_factor(widths)
        if (most := max(sizes.values())) > 2**31 - 1:
            raise Net2NetError(f"widths: expected at most {2**31 - 1} units, got {most}")
        for row, name in self.balanced:
            factors = {sizes.get(units, units.width) / units.width for units, _ in resolve(row)}
            if len(factors) > 1 or any(factor % 1 for factor in factors):
                raise Net2NetError(
                    f"widths: layer {name!r} averages over its channels, and keeps its statistics only if each of them "
                    f"gets equally many copies; got {_width(row)} channels widened to {self.width(row, sizes)}; "
                    "use a whole factor, such as 2"
                )
        return sizes

    def _sizes_by_factor(self, factor):
        if isinstance(factor, bool) or not isinstance(factor, numbers.Real) or not 1 < factor < math.inf:
            raise Net2NetError(f"widths: expected a factor over 1 or a dict {{layer name: new width}}, got {factor!r}")
        sizes = {}
        for units, group in self.groups.items():
            if not group.layers or group.structural:
                continue
            if group.fixed:
                free = dict.fromkeys([g.layers[0] for g in self.groups.values() if g.layers and not g.fixed][:2], "...")
                raise Net2NetError(
                    f"widths: layer {group.layers[0]!r} cannot be widened: {group.fixed}. A factor widens every hidden "
                    f"layer; {f'name the ones to widen instead, for example {free}' if free else 'none of them can be'}"
                )
            # The least integer not below n * factor, but for a factor's rounding error: 10 * 1.1 is 11.
            sizes[units] = math.ceil(units.width * factor - 1e-9)
        if not sizes:
            raise Net2NetError(
                f"widths: model {self.model.name!r} has no hidden layer to widen; its layers are tied to its inputs "
                "and outputs"
            )
        return sizes

    def _sizes_by_name(self, widths):
        if not widths:
            raise Net2NetError("widths: expected {layer name: new width} or a factor over 1, got an empty dict")
        asked = {}
        named = [pair for layer, out in self.outs.items() for pair in ((layer.name, out), *self._inner(layer).items())]
        for name, width in widths.items():
            row = resolve(self._only("widths", name, named))
            if not row:
                raise Net2NetError(
                    f"widths: layer {name!r} gives channels of no known number; name a layer that makes them"
                )
            width = w.check_width(f"widths[{name!r}]", width, 1)
            for units, _ in row:
                if self.groups.setdefault(units, ChannelGroup(units.width)).fixed:
                    raise Net2NetError(f"widths: layer {name!r} cannot be widened: {self.groups[units].fixed}")
            if width <= _width(row):
                raise Net2NetError(
                    f"widths: layer {name!r} has {_width(row)} channels; expected more than that, got {width}"
                )
            asked[name] = row, width
        sizes = {}
        for name, (row, width) in sorted(asked.items(), key=lambda item: len(set(item[1][0]))):
            self._share_out(name, row, width, sizes)
        for name, (row, width) in asked.items():
            if (got := self.width(row, sizes)) != width:
                group = self.groups[row[0][0]]
                raise Net2NetError(
                    f"widths: {name!r} cannot have {width} channels and the others named here theirs; with them it has "
                    f"{got}. {', '.join(group.layers)} share one width"
                )
        return sizes

    def _share_out(self, name, row, width, sizes):
        """Widen the units of a row that are still free, in proportion, until the row has `width` channels."""
        channels = {}  # how many channels of the row one unit stands for
        for units, run in row:
            channels[units] = channels.get(units, 0) + run
        free = [units for units in channels if units not in sizes]
        rest = width - sum(sizes[units] * channels[units] for units in channels if units in sizes)
        now = sum(units.width * channels[units] for units in free)
        for units in free:
            sizes[units] = max(units.width, units.width * rest // now)
            rest -= sizes[units] * channels[units]
            now -= units.width * channels[units]
        if free and rest:
            raise Net2NetError(
                f"widths: layer {name!r} cannot have {width} channels, because they come in runs that share one "
                f"mapping; the nearest width is {width - rest}"
            )

    def width(self, row, sizes):
        """The width of a row in the student."""
        return sum(sizes.get(units, units.width) * run for units, run in resolve(row))


class Draws:
    """One mapping and one set of shares for each group that widens, and where they put the entries of a row."""

    def __init__(self, graph, sizes, split, rng):
        balanced = {units for row, _ in graph.balanced for units, _ in resolve(row)}
        self.sizes, self.mapping, self.shares = sizes, {}, {}
        for units, q in sizes.items():
            draw = w.balanced_mapping if units in balanced else w.random_mapping
            self.mapping[units] = draw(units.width, q, rng)
            self.shares[units] = w.copy_shares(self.mapping[units], split, rng)
        self._placed = {}

    def place(self, row):
        """Say where a row's student channels come from: teacher's channel, share, and whether it is a copy.

        Returns None for a row that does not widen.
        """
        row = resolve(row)
        if row not in self._placed:
            self._placed[row] = self._place(row)
        return self._placed[row]

    def _place(self, row):
        if not any(units in self.sizes for units, _ in row):
            return None
        index, shares, new, start = [], [], [], 0
        for units, run in row:
            mapping = self.mapping.get(units, np.arange(units.width))
            index.append((start + mapping[:, None] * run + np.arange(run)).ravel())
            shares.append(np.repeat(self.shares.get(units, np.ones(units.width)), run))
            new.append(np.repeat(np.arange(len(mapping)) >= units.width, run))
            start += units.width * run
        return np.concatenate(index), np.concatenate(shares), np.concatenate(new)


def is_graph(layer):
    """Whether a layer is a model whose calls of layers are known: functional or Sequential."""
    return isinstance(layer, keras.Sequential) or hasattr(layer, "_nodes_by_depth")


def has_inputs(model):
    """Whether a model's inputs are known: a Sequential model has them once it is built, a subclassed one has none."""
    return is_graph(model) and getattr(model, "_functional", model) is not None


def _rows_of(plan):
    """The rows that a plan's weights and settings follow, by where they stand."""
    rows = {("setting", *path): row for path, row in plan.settings.items()}
    for i, (_, axes) in enumerate(plan.weights):
        rows |= {(i, axis): follows.row for axis, follows in enumerate(axes) if follows is not None}
    return rows


def _width(row):
    return sum(units.width * run for units, run in row)


def channel_groups(model):
    """List the groups of layers of `model` that share one width, and so must be widened together.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional, and built.

    Returns
    -------
    ChannelGroups
        A list of `ChannelGroup`, in the order of the model; prints as a table.

    Raises
    ------
    Net2NetError
        If the model is not built, or is a subclassed model without a graph.

    Examples
    --------
    >>> x = keras.Input((4,))
    >>> h = keras.layers.Dense(8, activation="relu", name="first")(x)
    >>> h = keras.layers.Add(name="sum")([h, keras.layers.Dense(8, name="second")(h)])
    >>> model = keras.Model(x, keras.layers.Dense(2, name="last")(h))
    >>> channel_groups(model)
     width  layers
         8  first, second
            tied by sum
         2  last
            fixed: it is the model's output

    References
    ----------
    Chen et al. 2016, section 2.3, on models whose layers have more than one input or output.
    """
    return ChannelGroups(group for group in read(model).groups.values() if group.layers)


def read(model):
    """Read a model as a `Graph`, or say why that cannot be done."""
    if not isinstance(model, keras.Model):
        raise Net2NetError(f"model: expected a keras.Model, got {type(model).__name__}")
    if not is_graph(model):
        raise Net2NetError(
            f"model {model.name!r} ({type(model).__name__}): expected a Sequential or functional model; a subclassed "
            "model hides its graph in its call method. Build it as keras.Model(inputs, outputs)"
        )
    _check_class(model)
    if not has_inputs(model):
        raise Net2NetError(
            f"model {model.name!r} is not built, so its layers have no weights yet; add a keras.Input or call "
            "model.build(input_shape)"
        )
    return Graph(model)


def _check_class(model):
    if not type(model).__module__.startswith("keras."):
        raise Net2NetError(
            f"model {model.name!r} ({type(model).__name__}): expected a Sequential or functional model itself; what a "
            "class derived from it adds would be lost. Use keras.Model(model.inputs, model.outputs) in its place"
        )

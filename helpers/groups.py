"""Groups of channels: which layers share one width, by which name it is called, and what a wish makes of it."""

import difflib
import html
import math
import numbers
import re
from dataclasses import dataclass, field

import keras

from helpers import building as bd
from helpers import rows as r
from helpers import settings as st
from helpers.checks import Net2NetError, check_width

INNER = "the channels of each head or group stay as they are; their number grows"


@dataclass(eq=False)
class ChannelGroup:
    """Layers that share one width.

    Attributes
    ----------
    width : int
        Of the first name, as `widths` takes it.
    layers : list of str
        Names for this width; naming any of them in `widths` widens all of them. A width inside a layer has a name such
        as "attention.num_heads".
    tied_by : list of str
        The merges that hold them together.
    fixed : str or None
        Why the group cannot be widened, if it cannot.
    structural : bool
        Whether that is only natural, as of inputs and outputs.
    widths : dict
        The width that each name counts.
    """

    width: int = 0
    layers: list = field(default_factory=list)
    tied_by: list = field(default_factory=list)
    fixed: str | None = None
    structural: bool = False
    widths: dict = field(default_factory=dict)
    units: list = field(default_factory=list)  # which have one mapping each
    weights: dict = field(default_factory=dict)  # id of a weight -> the weight

    def __str__(self):
        names = [n if self.widths[n] == self.width else f"{n} ({self.widths[n]})" for n in self.layers]
        text = f"{self.width:>6}  {', '.join(names)}"
        if self.tied_by:
            text += f"\n        tied by {', '.join(self.tied_by)}"
        return text + (f"\n        fixed: {self.fixed}" if self.fixed else "")


class ChannelGroups(list):
    """A list of `ChannelGroup` that prints as a table."""

    def __repr__(self):
        return "\n".join([" width  layers", *map(str, self)])

    def _repr_html_(self):
        cells = [(g.width, ", ".join(g.layers), ", ".join(g.tied_by), g.fixed or "") for g in self]
        return table(("width", "layers", "tied by", "fixed"), cells)


def table(head, rows):
    """A table in HTML, whose long names may be broken over lines."""

    def line(kind, cells):
        texts = (re.sub(r"(?<=[/._])(?=\w)", "<wbr>", html.escape(str(cell))) for cell in cells)
        return "<tr>" + "".join(f"<{kind}>{text}</{kind}>" for text in texts) + "</tr>"

    return f"<table>{line('th', head)}{''.join(line('td', row) for row in rows)}</table>"


def leaves(model, own=False):
    """The layers whose names count for a model: those of its graph, and of plain graphs inside.

    In a model of a class of its own, also those of models inside that are no plain graphs.
    """
    own = own or not bd.is_plain(model)
    for layer in model.layers:
        if bd.is_plain(layer) or (own and isinstance(layer, keras.Model) and layer.layers):
            yield from leaves(layer, own)
        else:
            yield layer


class Groups:
    """The channel groups of a model that was read, and what a wish for widths makes of them."""

    def __init__(self, reading):
        self.reading = reading
        self.of = {}  # units -> their group
        self.rows = {}  # name -> [the row that it names, for each layer of this name]
        self.inner = self._inner()
        self.made = set()  # units along the channels that a layer gives
        for layer in dict.fromkeys(leaves(reading.model)):
            self._name(layer)
        for tensor, value in zip(getattr(reading.model, "inputs", None) or [], reading.given, strict=False):
            name = tensor._keras_history.operation.name
            if reading.open and name not in self.rows:
                self.rows[name] = [value.rows[-1]]
                self._join(name, value.rows[-1])
        self.layer_of = {id(v): layer for layer in leaves(reading.model) for v in getattr(layer, "weights", ())}
        for variable in reading.variables:
            if id(variable) in reading.read:
                self._name_rest(variable)
        self._name_unread()
        for group in self.of.values():
            group.fixed, group.structural = self._state(group)

    def __iter__(self):
        return iter(dict.fromkeys(self.of.values()))

    def _state(self, group):
        """Why a group cannot widen, or None, and whether that is only natural."""
        reasons = [each.fixed for each in group.units if each.fixed]
        if len(reasons) < len(group.units) or not reasons:
            return None, False
        natural = r.Natural if any(each in self.made for each in group.units) else r.Place
        odd = [reason for reason in reasons if not isinstance(reason, natural)]
        return (odd or reasons)[0], not odd

    def _inner(self):
        """Units that always stand beside certain others, as the channels of a head beside heads: {units: those others}.

        Of two that always stand together, the first met leads, but not if it is one channel: so axes of one, which may
        go with what is before or behind them, stay. Widening by a factor leaves those that are led.
        """
        met = {}  # units -> for each side of each weight that has them, what it has beside them
        for key in self.reading.read:
            value = self.reading.weights[key]
            for way in (0, 1):
                axes = [row for row, role in value.axes() if (role.now().value or 0) == way]
                for axis, row in enumerate(axes):
                    others = {each for k, other in enumerate(axes) if k != axis for each in r.units(other)}
                    for segment in r.normal(row):
                        for each in (here := r.units((segment,))):
                            met.setdefault(each, []).append(others | set(here))
                    for each in r.members(row):
                        if each.fixed:  # leads nothing, but may be a part of an axis that widens
                            met.setdefault(each, []).append(others | set(r.units(row)))
        inner, order = {}, {each: (each.width == 1, i) for i, each in enumerate(met)}
        for each, found in met.items():
            always = set.intersection(*found) - {each}
            for other in always:
                both = all(each in beside for beside in met[other])
                if not both or order[other] < order[each]:
                    inner.setdefault(each, []).append(other)
        return inner

    def _join(self, name, row, units=()):
        """Let a name call all units of a row, which make one group; `units` are those of a row that cannot widen."""
        units = r.members(row) or units
        if not units:
            return None
        groups = list(dict.fromkeys(self.of[each] for each in units if each in self.of)) or [ChannelGroup()]
        group = groups[0]
        for other in groups[1:]:
            group.layers += other.layers
            group.widths |= other.widths
            group.units += other.units
            group.weights |= other.weights
        group.units += [each for each in units if each not in group.units]
        self.of.update(dict.fromkeys(group.units, group))
        if name not in group.widths:
            group.layers.append(name)
            group.widths[name] = r.width(row)
            group.width = group.width or r.width(row)
        return group

    def _name(self, layer):
        """Name the channels that a layer makes, and those inside it."""
        reading = self.reading
        calls = reading.calls.get(layer)
        first = calls[0][0] if calls and calls[0] else None
        row = None
        if first is not None and first.rows is not None and len(first.rows) > 1:
            row = first.rows[1 if getattr(layer, "data_format", None) == "channels_first" else -1]
            self.rows.setdefault(layer.name, []).append(row)
        weights = [v for v in getattr(layer, "weights", ()) if id(v) in reading.read]
        out = set(r.members(row)) if row is not None else set()  # along the channels that it gives
        why = r.reason(r.normal(row)) if row is not None and not r.units(row) else None  # they cannot widen
        entered = {units for row in reading.rows_in(layer) for units in r.members(row)}
        # Units along axes of its weights: that it makes its channels of; the same of any axis, where nothing better
        # is found; and others, with the first weight that has them. And weights where the channels are a mere number.
        made, shared, inner, number, counts = [], [], {}, {}, False
        for v in weights:
            value = reading.weights[id(v)]
            roles = [role.now().value for role in value.roles]
            kernel = 1 in roles
            for each, role in zip(value.rows, roles, strict=True):
                shared += [units for units in r.members(each) if units in out - entered]
                if why and not r.members(each) and r.reason(r.normal(each)) == why and not isinstance(why, r.Natural):
                    number[id(v)] = v
                    counts |= kernel and role != 1
                if role == 1 or not kernel:
                    continue
                for units in r.members(each):
                    if units in out or (why and units.fixed == why):
                        made.append(units)
                    elif not isinstance(units.fixed, r.Natural):
                        inner.setdefault(units, v)
        if counts and not shared:
            shared = [r.Units(r.width(row), layer.name)]  # to stand for it
            shared[0].fixed = why
        made = made or ([] if out & entered else shared)  # where not what enters is divided, but what leaves
        self.made.update(made)
        if made:
            self._join(layer.name, row, made).weights |= number
        elif out and not weights and len(entering := reading.enters.get(layer, ())) > 1:
            entered = [
                units
                for value in entering
                if value  # what the layer ignores has none
                for units in dict.fromkeys(u for each in value.rows or () for u in r.units(each))
            ]
            for units in r.units(row):  # a concatenation ties nothing: each of its channels enters once
                if entered.count(units) > 1 and units in self.of and layer.name not in self.of[units].tied_by:
                    self.of[units].tied_by.append(layer.name)
        named = self._settings(layer) if inner else {}
        for units, v in inner.items():
            if units not in self.of:
                key = next((key for key, value in named.items() if value == units.width), None)
                named.pop(key, None)
                self._name_inner(layer.name, key, units, v)

    def _name_inner(self, owner, key, units, v):
        """Name units of a weight by the setting that counts them, or by the layer within, or by the weight."""
        parts = v.path.split("/")
        names = [f"{owner}.{key}"] if key else []
        names += [f"{owner}.{parts[-2]}"] if len(parts) > 1 and parts[-2] != owner else []
        names += [f"{owner}.{v.name}", v.path, *(f"{v.path}[{i}]" for i in range(len(v.shape)))]
        name = next(name for name in names if name not in self.rows)
        self.rows[name] = [((units,),)]
        self._join(name, ((units,),))

    def _settings(self, layer):
        """The integers among a layer's settings by name, the usual ones first."""
        try:
            found = list(st.integers(layer.get_config()))
        except Exception:  # it may be the user's, without any
            return {}
        found = [(next((k for k in reversed(path) if isinstance(k, str)), ""), value) for path, value in found]
        return dict(sorted(found, key=lambda pair: pair[0] not in st.USUAL))

    def _name_rest(self, v):
        """Name what no layer's output shows, such as a weight of the user's own."""
        value, layer = self.reading.weights[id(v)], self.layer_of.get(id(v))
        for row, role in value.axes():
            for units in r.members(row):
                if units not in self.of:
                    if units.fixed and (role.now().value == 1 or isinstance(units.fixed, r.Natural)):
                        continue  # what enters a kernel is named where it is made
                    settings = self._settings(layer) if layer is not None else {}
                    key = next((key for key, number in settings.items() if number == units.width), None)
                    self._name_inner(v.path.split("/")[0], key, units, v)
                self.of[units].weights[id(v)] = v

    def _name_unread(self):
        """Name layers, or parts of layers, by the weights that no output depends on."""
        reading, unread = self.reading, {}
        for part in bd.parts(reading.model):
            for v in part._trainable_variables:
                if id(v) not in reading.read:
                    layer = self.layer_of.get(id(v), part)
                    whole = not any(id(each) in reading.read for each in layer.weights)
                    unread.setdefault((layer, layer if whole else part), []).append(v)
        for (layer, part), held in unread.items():
            names = [layer.name if part is layer else f"{layer.name}.{part.name}", f"{layer.name}.{held[0].name}"]
            names += [held[0].path, *(f"{held[0].path}[{i}]" for i in range(len(unread)))]
            name = next(name for name in names if name not in self.rows)
            units = r.Units((1, *held[0].shape)[-1], name)
            units.fixed = reading.hidden or "no output depends on it in inference"
            self.rows[name] = [((units,),)]
            self._join(name, ((units,),)).weights = {id(v): v for v in held}

    # Widths

    def sizes(self, widths, round_to=1):
        """Turn what the caller asks for into {units: new width}, and {units: why they stay}."""
        return (self._by_name(widths), {}) if isinstance(widths, dict) else self._by_factor(widths, round_to)

    def _by_factor(self, factor, round_to):
        if isinstance(factor, bool) or not isinstance(factor, numbers.Real) or not 1 < factor < math.inf:
            raise Net2NetError(f"widths: expected a factor over 1 or a dict {{name: new width}}, got {factor!r}")
        sizes = {}
        for each in self.of:
            led = any(leader in self.of and not leader.fixed for leader in self.inner.get(each, ()))
            if each.fixed or led:
                continue
            # The least integer not below n * factor, but for a factor's rounding error: 10 * 1.1 is 11.
            width = math.ceil(each.width * factor - 1e-9)
            sizes[each] = -(-width // round_to) * round_to
            _check_most(sizes[each])
        return self.settled(sizes, {})

    def settled(self, sizes, stay):
        """Take out of `sizes` what statistics, or parts of one size, do not allow, and tell `stay` why; return both."""
        while out := self.unfit(sizes):
            for each in out:
                del sizes[each]
            stay |= out
        return sizes, stay

    def unfit(self, sizes):
        """The units that cannot have their new widths, and why."""
        for row, why in self.reading.balanced:
            found = [each for each in r.units(row) if each in sizes]
            if found and not self._balanced(row, sizes):
                return dict.fromkeys(found, f"{why}; a whole factor, such as 2, gives them")
        for rows, why in self.reading.alike:
            if len({r.width(row, sizes) for row in rows}) > 1:
                return dict.fromkeys([each for row in rows for each in r.units(row) if each in sizes], why)
        return {}

    @staticmethod
    def _balanced(row, sizes):
        """Whether all channels of a row are copied equally often."""
        factors = {
            math.prod(sizes.get(each, each.width) / each.width for each in r.units((segment,)))
            for segment in r.normal(row)
        }
        whole = all(sizes.get(each, each.width) % each.width == 0 for each in r.units(row))
        return len(factors) == 1 and whole

    def _by_name(self, widths):
        if not widths:
            raise Net2NetError("widths: expected {layer name: new width} or a factor over 1, got an empty dict")
        asked = {}
        for name, width in widths.items():
            row = r.normal(self._row(name))
            width = check_width(f"widths[{name!r}]", width, 1)
            if not r.units(row):
                why = r.reason(row) or "its channels are a number in the model's code"
                raise Net2NetError(f"widths: layer {name!r} cannot be widened: {why}")
            if width <= (now := r.width(row)):
                raise Net2NetError(f"widths: layer {name!r} has {now} channels; expected more than that, got {width}")
            _check_most(width)
            asked[name] = row, width
        sizes = {}
        for name, (row, width) in sorted(asked.items(), key=lambda item: len(r.units(item[1][0]))):
            self._share_out(name, row, width, sizes)
        for name, (row, width) in asked.items():
            if (got := r.width(row, sizes)) != width:
                group = self.of.get(r.units(row)[0], ChannelGroup())
                raise Net2NetError(
                    f"widths: {name!r} cannot have {width} channels and the others named here theirs; with them it has "
                    f"{got}. {', '.join(group.layers)} share one width"
                )
        for row, why in self.reading.balanced:
            if r.widens(row, sizes) and not self._balanced(row, sizes):
                raise Net2NetError(
                    f"widths: {why}; got {r.width(row)} channels widened to {r.width(row, sizes)}. Use a whole factor: "
                    f"{', '.join(str(k * r.width(row)) for k in (2, 3, 4))}"
                )
        if unfit := self.unfit(sizes):
            raise Net2NetError(f"widths: {next(iter(unfit.values()))}; ask for widths of which all parts get the same")
        return sizes

    def _row(self, name):
        found = self.rows.get(name, [])
        if not found:
            near = difflib.get_close_matches(str(name), list(self.rows), n=3, cutoff=0.5) or list(self.rows)[:5]
            raise Net2NetError(f"widths: the model has no layer {name!r}; near names: {', '.join(map(repr, near))}")
        if len(found) > 1:
            raise Net2NetError(
                f"widths: {len(found)} layers are called {name!r}, in different nested models; give them names of "
                "their own"
            )
        return found[0]

    def _share_out(self, name, row, width, sizes):
        """Widen the units of a row that are still free, in proportion, until the row has `width` channels."""
        channels = r.leaders(row)
        free = [each for each in channels if each not in sizes]
        rest = width - (r.width(row, sizes) - sum(each.width * channels[each] for each in free))
        now = sum(each.width * channels[each] for each in free)
        for each in free:
            sizes[each] = max(each.width, each.width * rest // now)
            rest -= sizes[each] * channels[each]
            now -= each.width * channels[each]
        if free and rest:
            near = [w for w in (width - rest, width - rest + min(channels[each] for each in free)) if w > r.width(row)]
            raise Net2NetError(
                f"widths: layer {name!r} cannot have {width} channels, because they come in runs that share one "
                f"mapping; the nearest width is {' or '.join(map(str, near))}"
            )


def _check_most(width):
    if width > (most := 2**31 - 1):
        raise Net2NetError(f"widths: expected at most {most} units, got {width}")


def sizes_from_shapes(groups, pairs):
    """The new width of each of the units, from pairs of a teacher's weight and a larger student's."""
    sizes, reading = {}, groups.reading
    sides = [
        (r.normal(row), side, old)
        for old, new in pairs
        if id(old) in reading.read
        for row, side in zip(reading.weights[id(old)].rows, _same_rank(old, new), strict=True)
    ]
    # A row of which one width alone is not known tells it, which may leave one alone in another row.
    while sides:
        rest = []
        for row, side, old in sides:
            free = [each for each in r.units(row) if each not in sizes]
            if len(free) > 1:
                rest.append((row, side, old))
            elif free:
                _solve(row, side, old, free, sizes)
            elif (width := r.width(row, sizes)) != side:
                why = f"; it cannot widen: {r.reason(row)}" if not r.units(row) else ""
                raise Net2NetError(
                    f"student: weight {old.path!r} has a side of {side}, but {width} follows from the others{why}"
                )
        if len(rest) == len(sides):  # nothing was found: give the free units of one row their parts, in proportion
            row, side, old = rest.pop(0)
            channels = r.leaders(row)
            free = [each for each in channels if each not in sizes]
            for each in [each for each in r.units(row) if each not in sizes and each not in channels]:
                sizes[each] = each.width
            factor = (side - r.width(row, sizes | dict.fromkeys(free, 0))) / sum(e.width * channels[e] for e in free)
            for each in free[:-1]:
                sizes[each] = max(each.width, round(each.width * factor))
            rest.append((row, side, old))
        sides = rest
    if unfit := groups.unfit(sizes):
        raise Net2NetError(f"student: its widths cannot be made by copies: {next(iter(unfit.values()))}")
    return {each: width for each, width in sizes.items() if width != each.width}


def _same_rank(old, new):
    if len(old.shape) != len(new.shape):
        raise Net2NetError(
            f"student: weight {new.path!r} has shape {tuple(new.shape)}, the teacher's {old.path!r} "
            f"{tuple(old.shape)}; they are not of one architecture"
        )
    return new.shape


def _solve(row, side, old, free, sizes):
    """The width of the only units that are free in a row."""
    (each,) = free
    at = [r.width(row, sizes | {each: n}) for n in (0, 1)]
    width, rest = divmod(side - at[0], at[1] - at[0])
    if rest or width < each.width:
        raise Net2NetError(
            f"student: weight {old.path!r} has a side of {side}, which copies of {r.width(row, sizes)} cannot make"
        )
    sizes[each] = width

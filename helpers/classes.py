"""Models of a class with settings of its own, such as KerasHub's: one setting ties many layers.

Such a model is made again from its `get_config`, so it can have only those widths that its settings give. Which those
are is found by trying: other numbers go into the settings, and the shapes of the weights say what widened.
"""

import contextlib
import itertools
import math
from typing import NamedTuple
from unittest import mock

import keras

from helpers import building as bd
from helpers import groups as g
from helpers import rows as r
from helpers import settings as st
from helpers.checks import Net2NetError, check_width

TRIES = 64


class _Shape(NamedTuple):
    """What is kept of a weight of a model that was built only to see its shapes."""

    path: str
    shape: tuple


def shapes_with(model, settings):
    """The weights that a model would have with other settings; None if its class refuses them."""
    # Shapes alone, if they can be had so: nothing is allocated. A class may need real variables, as its optimizer does
    # where it compiles itself, which KerasHub's tasks do.
    for scope in (keras.StatelessScope(initialize_variables=False), contextlib.nullcontext()):
        try:
            with scope, mock.patch.object(type(model), "compile", return_value=None):
                new = bd.rebuilt(model, settings)
                bd.build_like(model, new)
                return [_Shape(v.path, tuple(v.shape)) for v in bd.variables_of(new)]
        except Exception as error:  # a class may refuse numbers in any way
            if "stateless scope" not in str(error):
                return None
    return None


class Class:
    """A model's own settings, and what they can widen.

    Attributes
    ----------
    numbers : dict
        From the name of each setting that may count channels to its path and value.
    """

    def __init__(self, groups):
        self.groups, self.reading, self.model = groups, groups.reading, groups.reading.model
        self.settings = bd.settings_of(self.model)
        rows = [row for key in self.reading.read for row in self.reading.weights[key].rows if r.units(row)]
        found = {width for row in rows for width in (r.width(row), *(each.width for each in r.units(row))) if width > 1}
        paths = [(path, value) for path, value in st.integers(self.settings) if value in found]
        paths.sort(key=lambda pair: not any(key in st.USUAL for key in pair[0]))
        self.numbers = {}
        for path, value in paths:
            name = next(key for key in reversed(path) if isinstance(key, str))
            name = name if name not in self.numbers else ".".join(map(str, path))
            self.numbers[name] = path, value
        self.pairs_of = {}  # changes that were tried -> what `_pairs` found
        self.numbers = {name: number for name, number in self.numbers.items() if self._counts_channels(name)}

    def _pairs(self, changes):
        """The model's weights and those that it has under other settings; None if the class refuses them."""
        if (key := tuple(sorted(changes.items()))) not in self.pairs_of:
            self.pairs_of[key] = self._tried({self.numbers[name][0]: value for name, value in changes.items()})
        return self.pairs_of[key]

    def _tried(self, paths):
        """The pairs for changes by path, as `_pairs` returns them."""
        found, old = shapes_with(self.model, st.replaced(self.settings, paths)), bd.variables_of(self.model)
        return list(zip(old, found, strict=True)) if found is not None and len(found) == len(old) else None

    def _counts_channels(self, name):
        """Whether a setting counts no layers, words or positions: what cannot widen by its nature keeps its shape."""
        try:
            pairs = self._pairs({name: 2 * self.numbers[name][1]})
        except st.Unbuildable:
            return False
        if pairs is None:
            return True  # it may want others to change with it
        own = [  # what is natural to the model
            (row, side)
            for old, new in pairs
            if id(old) in self.reading.read
            for row, side in zip(self.reading.weights[id(old)].rows, new.shape, strict=False)
            if not r.units(row) and isinstance(r.reason(r.normal(row)), r.Natural)
        ]
        same = all(old.shape == new.shape for old, new in pairs)
        return not same and all(r.width(row) == side for row, side in own)

    def sizes(self, changes):
        """What widens when settings change, as {units: new width}; None if that cannot be made by copies."""
        pairs = self._pairs(changes)
        try:
            return None if pairs is None else g.sizes_from_shapes(self.groups, pairs) or None
        except Net2NetError:
            return None

    def tied(self):
        """Settings that widen something together, each with what widens when they double: [(names, units)]."""
        ties, seen = [], set()
        for count in (1, 2, 3):
            for names in itertools.combinations(self.numbers, count):
                if seen & set(names):
                    continue
                if sizes := self.sizes({name: 2 * self.numbers[name][1] for name in names}):
                    ties.append((names, list(sizes)))
                    seen |= set(names)
        return ties

    def listed(self):
        """The groups that the settings tie, by the settings' names, then what none of them widens."""
        found, done = [], set()
        for names, units in self.tied():
            widths = {name: self.numbers[name][1] for name in names}
            layers = [name for each in units if each in self.groups.of for name in self.groups.of[each].layers]
            tied_by = list(dict.fromkeys(layers))
            found.append(g.ChannelGroup(widths[names[0]], list(names), tied_by, widths=widths, units=units))
            done.update(units)
        for group in self.groups:
            if group.layers and not done & set(group.units):
                inner = all(self.groups.inner.get(each) for each in group.units)
                group.fixed = group.fixed or (
                    g.INNER if inner else f"no setting of {type(self.model).__name__} widens it"
                )
                found.append(group)
        return found

    def by_factor(self, factor, wish, round_to):
        """The settings that give most of a wish: changes, what widens, and why the rest stays."""
        new = {}
        for name, (_, value) in self.numbers.items():
            width = math.ceil(value * factor - 1e-9)
            new[name] = -(-width // round_to) * round_to if value > round_to else width
        for names in itertools.islice(self._chosen(new, fit := self._fitting(new, wish)), TRIES):
            if sizes := fit(names):
                why = f"no settings of {type(self.model).__name__} give it this width, and the others theirs"
                return {name: new[name] for name in names}, sizes, {each: why for each in wish if each not in sizes}
        tried = ", alone or together" if len(self.numbers) > 1 else ""
        raise Net2NetError(
            f"widths: {type(self.model).__name__} {self.model.name!r} is made from its settings, and none of them "
            f"({', '.join(self.numbers) or 'no number among them is a width'}{tried}) widens it by {factor} in a way "
            "that copies can follow; build a wider one yourself and give it to grow_into(teacher, student)"
        )

    def _fitting(self, new, wish):
        """What widens if some settings get their new numbers; None if that cannot be, or is not all that is wished."""

        def fit(names):
            sizes = self.sizes({name: new[name] for name in names})
            return (
                sizes if sizes and all(wish.get(each, each.width) >= width for each, width in sizes.items()) else None
            )

        return fit

    def _chosen(self, new, fit):
        """Which settings to change, the likeliest first: all, those whose ties fit by themselves, every choice."""
        yield tuple(new)
        yield tuple(name for names, _ in self.tied() if fit(names) for name in names)
        yield from (names for count in range(len(new) - 1, 0, -1) for names in itertools.combinations(new, count))

    def by_name(self, widths):
        """The settings that are asked for, and those tied to them in proportion: changes, and what widens."""
        ties = self.tied()
        changes = {}
        for name, width in widths.items():
            names = next((names for names, _ in ties if name in names), None)
            if names is None:
                raise Net2NetError(
                    f"widths: {type(self.model).__name__} {self.model.name!r} is made from its settings; expected "
                    f"one of {', '.join(repr(each) for names, _ in ties for each in names)}, got {name!r}"
                )
            width, (_, value) = check_width(f"widths[{name!r}]", width, 1), self.numbers[name]
            if width <= value:
                raise Net2NetError(f"widths: {name!r} is {value}; expected more than that, got {width}")
            for other in names:
                wanted, rest = divmod(self.numbers[other][1] * width, value)
                if changes.setdefault(other, wanted) != wanted or rest:
                    raise Net2NetError(
                        f"widths: {name!r} cannot be {width}: it widens together with {', '.join(names)}, in proportion"
                    )
        if (sizes := self.sizes(changes)) is None:
            raise Net2NetError(
                f"widths: {changes} cannot be made by copies, because statistics or heads ask for whole factors; use "
                f"{ {name: 2 * self.numbers[name][1] for name in changes} }"
            )
        return changes, sizes

    def build(self, changes):
        """The model with changed settings."""
        new = bd.rebuilt(self.model, st.replaced(self.settings, {self.numbers[n][0]: v for n, v in changes.items()}))
        bd.build_like(self.model, new)
        return new

"""Which settings give a layer, or a model, the widths that are wanted: what to try.

Nothing here knows what a setting means. Integers among a layer's settings are replaced, the usual names first, until
its weights, and the tensors that it gives, have the shapes that are wanted.
"""

import itertools

import numpy as np

from helpers import rows as r
from helpers.checks import Net2NetError

# Settings that count channels; where they do not suffice, every other integer is tried.
USUAL = (
    "units filters num_heads key_dim value_dim output_shape target_shape output_dim groups hidden_dim intermediate_dim "
    "mlp_dim num_query_heads num_key_value_heads newshape shape head_dim dim width channels embedding_dim embed_dim "
    "depth_multiplier"
).split()
TRIES = 64


class Unbuildable(Net2NetError):
    """No settings give a layer the widths that are wanted."""

    def __init__(self, layer, why):
        super().__init__(f"layer {layer.name!r} ({type(layer).__name__}) cannot be rebuilt: {why}")
        self.layer = layer


class Widths:
    """The shapes that a student must have: those of the teacher, with some units widened."""

    def __init__(self, reading, sizes):
        self.reading, self.sizes = reading, sizes

    def of_weight(self, variable):
        """The shape of a weight in the student; None for one that inference does not read."""
        value = self.reading.known(variable)
        return None if value is None else tuple(r.width(row, self.sizes) for row in value.rows)

    def of_outputs(self, layer):
        """For each tensor that a layer gives in its first call, its sides in teacher and student; None if open."""
        calls = self.reading.calls.get(layer, [[]])
        return [[(r.width(row), self.side(row)) for row in value.rows or ()] for value in calls[0]]

    def side(self, row):
        """The number of channels of a row in the student, if they are any of a known number."""
        return r.width(row, self.sizes) or None

    def pairs(self, layer):
        """How the widths that meet in a layer change: {old: {new, ...}}."""
        rows = [
            row
            for v in getattr(layer, "weights", ())
            if id(v) in self.reading.weights
            for row in self.reading.weights[id(v)].rows
        ]
        found = {}
        for row in rows + self.reading.rows_out(layer) + self.reading.rows_in(layer):
            if not r.widens(row, self.sizes):
                continue
            old = new = 0
            for segment in r.normal(row):  # a slice may begin or end where a segment does
                old, new = old + r.size(segment), new + r.size(segment, self.sizes)
                found.setdefault(old, set()).add(new)
                found.setdefault(r.size(segment), set()).add(r.size(segment, self.sizes))
            for each in r.units(row):
                found.setdefault(each.width, set()).add(self.sizes.get(each, each.width))
        return found

    def bounds(self, layer):
        """Where the segments of what enters a layer begin and end, likewise, along axes that widen."""
        found = {}
        for row in self.reading.rows_in(layer):
            old = new = 0
            for segment in r.normal(row) if r.widens(row, self.sizes) else ():
                old, new = old + r.size(segment), new + r.size(segment, self.sizes)
                found.setdefault(old, set()).add(new)
        return found


# Replacing integers


def integers(value, path=()):
    """The integers in nested settings, each with its path."""
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        yield path, int(value)
    elif isinstance(value, slice):
        for key in ("start", "stop"):
            yield from integers(getattr(value, key), (*path, key))
    elif isinstance(value, dict):
        for key, each in value.items():
            if not str(key).endswith(("axis", "axes")) and key not in ("dims", "batch_dims"):  # which count axes
                yield from integers(each, (*path, key))
    elif isinstance(value, list | tuple):
        for i, each in enumerate(value):
            yield from integers(each, (*path, i))


def replaced(settings, changes):
    """Nested settings with other integers at some paths."""
    for path, value in changes.items():
        settings = _replaced(settings, path, value)
    return settings


def _replaced(settings, path, value):
    if not path:
        return value
    key, *rest = path
    if isinstance(settings, slice):
        parts = {k: getattr(settings, k) for k in ("start", "stop", "step")}
        return slice(*(parts | {key: value}).values())
    if isinstance(settings, tuple):
        return (*settings[:key], _replaced(settings[key], rest, value), *settings[key + 1 :])
    settings = dict(settings) if isinstance(settings, dict) else list(settings)
    settings[key] = _replaced(settings[key], rest, value)
    return settings


def candidates(settings, pairs):
    """Changes of integers to try, the likeliest first: {path: value}."""
    options = []
    for path, value in integers(settings):
        new = {n for n in pairs.get(value, ()) if n != value}
        for old, news in pairs.items():  # a multiple or a part of a width: both scale alike
            if min(value, old) > 1 and (value % old == 0 or old % value == 0):
                new |= {value * n // old for n in news if n != old and value * n % old == 0}
        if new:
            usual = any(key in USUAL for key in path)
            options.append((path, usual, [None, *sorted(new, key=lambda n: (n not in pairs.get(value, ()), n))]))
    options = sorted(options, key=lambda option: not option[1])[:12]

    def cost(choice):
        """Usual names should change, others should not, and each to the first of its values."""
        return sum(
            (2 * usual if value is None else 3 * (not usual)) + 0.1 * values.index(value)
            for value, (_, usual, values) in zip(choice, options, strict=True)
        )

    # Of many choices only the first are looked at: there the first options, which are the usual ones, must vary.
    choices = itertools.islice(itertools.product(*(values for _, _, values in reversed(options))), 20000)
    choices = (choice[::-1] for choice in choices)
    for choice in sorted(choices, key=cost)[:TRIES]:
        yield {path: value for value, (path, _, _) in zip(choice, options, strict=True) if value is not None}

"""From rows and mappings to arrays: the weights of a student, and what an optimizer keeps of them."""

import numpy as np

from helpers import building as bd
from helpers import placing, training
from helpers import rows as r
from helpers import weights as w


class Filling:
    """The weights of a student: the teacher's, with every axis where its row puts it."""

    def __init__(self, reading, sizes, init, split, noise, rng):
        self.reading, self.init, self.noise, self.rng = reading, init, noise, rng
        self.split = split if init == "net2wider" else "equal"  # padding has no copies to part
        self.draws = draws(reading, sizes, split, rng)
        self.placed = {}
        self.origin, self.paths = {}, {}  # id of a student's weight, and its path -> the teacher's
        self.shapes = {}  # id of the teacher's -> the student's shape

    def places(self, row):
        """What `place` says of a row: indices, shares, and which are new; None if it does not widen."""
        if not r.widens(row := r.normal(row), self.draws):
            return None
        if row not in self.placed:
            self.placed[row] = place(row, self.draws)
        return self.placed[row]

    def __call__(self, old, new):
        """The array for a student's weight, from the teacher's; None where there is none to put there."""
        array = old.numpy()
        self.origin[id(new)] = self.paths[new.path] = old
        self.shapes[id(old)] = new.shape
        if (value := self.reading.known(old)) is None:  # inference does not read it: where it fits, it stays
            return array if array.shape == tuple(new.shape) else None
        kernel = any(role.now().value == 1 for role in value.roles)
        for axis, divides, (index, shares, copies) in self._axes(old):
            if divides:
                if self.init == "randompad":
                    array = placing.pad_random(placing.place_outputs(array, index, axis), copies, self.rng, axis)
                elif self.split not in w.SHARED:
                    array = placing.place_parted(array, index, self.split, self.rng, axis)
                else:
                    array = placing.place_inputs(array, index, shares if self.init == "net2wider" else ~copies, axis)
                continue
            array = placing.place_outputs(array, index, axis)
            if self.init == "net2wider":
                if self.noise and kernel:
                    array = placing.add_noise(array, copies, self.noise, self.rng, axis)
            elif kernel or array.ndim > 1:
                array = placing.pad_random(array, copies, self.rng, axis)
            else:  # biases begin at 0.1, as in `wider2net_fc`; scales and statistics as in a new layer
                array[copies] = w.PAD_BIAS if new.name == "bias" else new.numpy()[copies]
        return array

    def kept(self, old, array, copied, divided, fill=0.0):
        """Place what an optimizer keeps of a weight, multiplied by shares to these powers where axes copy and divide.

        What is nobody's copy gets `fill`.
        """
        for axis, divides, (index, shares, copies) in self._axes(old):
            if self.init == "net2wider":
                array = placing.place_inputs(array, index, shares ** (divided if divides else copied), axis)
            else:
                array = placing.place_outputs(array, index, axis)
                np.moveaxis(array, axis, 0)[copies] = fill
        return array

    def new(self, row):
        """Which channels of a row are new in the student."""
        places = self.places(row)
        return np.zeros(r.width(row), bool) if places is None else places[2]

    def sides(self):
        """By which rates weights are trained already, and where they widen by copies.

        {path in the student: (factors that `use_rates` gave the teacher, [(axis, whether it divides, shares)])}
        """
        rated, found = training.rates_of(self.reading.model), {}
        learnt = {id(v) for part in bd.parts(self.reading.model) for v in part._trainable_variables}
        for path, old in self.paths.items():
            if id(old) not in learnt:  # statistics; frozen weights may be trained later
                continue
            axes = self._axes(old) if self.init == "net2wider" else ()
            axes = [(axis, divides, shares) for axis, divides, (_, shares, _) in axes]
            before = np.ones([1] * len(old.shape))
            if id(old) in rated:
                before = self.kept(old, np.broadcast_to(rated[id(old)], old.shape), 0, 0, fill=1.0)
            if axes or id(old) in rated:
                found[path] = before, axes
        return found

    def _axes(self, old):
        """The axes of a weight that widen: which, whether they divide it by shares, and how they are placed."""
        value = self.reading.known(old)
        for axis, (row, role) in enumerate(value.axes() if value is not None else ()):
            if (places := self.places(row)) is not None:
                yield axis, role.now().value == 1, places


def draws(reading, sizes, split, rng):
    """One mapping and one set of shares for each of the units that widen."""
    balanced = {each for row, _ in reading.balanced for each in r.units(row)}
    found = {}
    for each, width in sizes.items():
        draw = w.balanced_mapping if each in balanced else w.random_mapping
        mapping = draw(each.width, width, rng)
        found[each] = mapping, w.copy_shares(mapping, split if split in w.SHARED else "equal", rng)
    return found


def place(row, draws):
    """Where a row's student channels come from: teacher's channel, share, and whether it is a copy.

    `draws` has a mapping and shares for each of the units that widen.
    """
    indices, shares, news, start = [], [], [], 0
    for segment in r.normal(row):
        index, share, new = np.zeros(1, np.intp), np.ones(1), np.zeros(1, bool)
        for atom in segment:
            if isinstance(atom, tuple):
                here = place(atom, draws)
            elif atom in draws and isinstance(atom, r.Units):
                mapping, its = draws[atom]
                here = mapping, its, np.arange(len(mapping)) >= atom.width
            else:
                n = r.size((atom,))
                here = np.arange(n), np.ones(n), np.zeros(n, bool)
            index = (index[:, None] * r.size((atom,)) + here[0]).ravel()
            share, new = (share[:, None] * here[1]).ravel(), (new[:, None] | here[2]).ravel()
        indices.append(start + index)
        shares.append(share)
        news.append(new)
        start += r.size(segment)
    return np.concatenate(indices), np.concatenate(shares), np.concatenate(news)

"""The weights of a student, and what an optimizer keeps of them: each axis of the teacher's where its row puts it."""

import numpy as np

from helpers import groups as g
from helpers import placing, training
from helpers import reading as rd
from helpers import rows as r
from helpers import weights as w


class Filling:
    """The weights of a student: the teacher's, with every axis where its row puts it."""

    def __init__(self, reading, sizes, init, split, noise, rng):
        self.reading, self.init, self.split, self.noise, self.rng = reading, init, split, noise, rng
        self.draws = g.draws(reading, sizes, split, rng)
        self.placed = {}
        self.origin, self.paths = {}, {}  # id of a student's weight, and its path -> the teacher's

    def _place(self, row):
        row = r.normal(row)
        if not any(each in self.draws for each in r.units(row)):
            return None
        if row not in self.placed:
            self.placed[row] = rd.place(row, self.draws)
        return self.placed[row]

    def __call__(self, old, new):
        array = old.numpy()
        self.origin[id(new)] = self.paths[new.path] = old
        value = self.reading.weights.get(id(old))
        if value is None or id(old) not in self.reading.read:  # inference does not read it: where it fits, it stays
            return array if array.shape == tuple(new.shape) else None
        roles = [role.now().value for role in value.roles]
        for axis, (row, role) in enumerate(zip(value.rows, roles, strict=True)):
            if (places := self._place(row)) is None:
                continue
            index, shares, copies = places
            if role == 1:
                if self.init == "randompad":
                    array = placing.pad_random(placing.place_outputs(array, index, axis), copies, self.rng, axis)
                elif self.init == "net2wider" and self.split not in w.SHARED:
                    array = placing.place_parted(array, index, self.split, self.rng, axis)
                else:
                    array = placing.place_inputs(array, index, shares if self.init == "net2wider" else ~copies, axis)
                continue
            array = placing.place_outputs(array, index, axis)
            if self.init == "net2wider":
                if self.noise and 1 in roles:
                    array = placing.add_noise(array, copies, self.noise, self.rng, axis)
            elif 1 in roles or array.ndim > 1:
                array = placing.pad_random(array, copies, self.rng, axis)
            else:  # biases begin at 0.1, as in `wider2net_fc`; scales and statistics as in a new layer
                array[copies] = w.PAD_BIAS if new.name == "bias" else new.numpy()[copies]
        return array

    def kept(self, old, array, copied, divided, fill=0.0):
        """Place what an optimizer keeps of a weight, by the powers of shares that axes of each kind ask for."""
        for axis, power, (index, shares, copies) in self._axes(old, copied, divided):
            if self.init == "net2wider":
                array = placing.place_inputs(array, index, shares**power, axis)
            else:
                array = placing.place_outputs(array, index, axis)
                np.moveaxis(array, axis, 0)[copies] = fill
        return array

    def new(self, row):
        """Which channels of a row are new in the student."""
        places = self._place(row)
        return np.zeros(r.width(row), bool) if places is None else places[2]

    def sides(self):
        """How weights are rated already, and where they widen by copies.

        {path in the student: (factors that `use_rates` gave the teacher, [(axis, whether it divides, shares)])}
        """
        rated, found = training.rates_of(self.reading.model), {}
        for path, old in ((path, old) for path, old in self.paths.items() if old.trainable):
            axes = self._axes(old, False, True) if self.init == "net2wider" else ()
            axes = [(axis, divides, shares) for axis, divides, (_, shares, _) in axes]
            before = np.ones([1] * len(old.shape))
            if id(old) in rated:
                before = self.kept(old, np.broadcast_to(rated[id(old)], old.shape), 0, 0, fill=1.0)
            if axes or id(old) in rated:
                found[path] = before, axes
        return found

    def _axes(self, old, copied, divided):
        """The axes of a weight that widen: where, a power by the role, and how they are placed."""
        value = self.reading.weights.get(id(old))
        if value is not None and id(old) in self.reading.read:
            for axis, (row, role) in enumerate(zip(value.rows, value.roles, strict=True)):
                if (places := self._place(row)) is not None:
                    yield axis, divided if role.now().value == 1 else copied, places

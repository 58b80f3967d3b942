"""The interface of a model grows: more classes, more words, more channels of its inputs.

What is new is nobody's copy. It begins with weights of zero where it enters what was there, so that the old outputs, on
the old inputs, stay what they were.
"""

from typing import Any

import keras
import numpy as np
from scipy.special import logsumexp

from helpers import building as bd
from helpers import classes, proof, training
from helpers import groups as g
from helpers import reading as rd
from helpers import rows as r
from helpers import settings as st
from helpers.checks import Net2NetError, check_choice, generator
from helpers.filling import Filling
from helpers.report import GROWN, Growth

__all__ = ["extend"]

LOST = 1e-7  # the probability that all new classes have together, where it is chosen here
KEPT = 1e-6  # by which the old probabilities may differ then
BINARY = (keras.losses.BinaryCrossentropy, keras.losses.BinaryFocalCrossentropy)
SMALL = 0.05  # the standard deviation of small draws, that of the noise in Keras' own embeddings


def extend(
    model: keras.Model,
    widths: dict[str, int],
    *,
    init: str = "zeros",
    logits: float | None = None,
    x: Any = None,
    seed: int | None = None,
    optimizer: str = "carry",
) -> keras.Model:
    """Build a model with more classes, words or input channels, whose old outputs on old inputs are the old ones.

    Parameters
    ----------
    model : keras.Model
        A built model, as `net2wider_net` takes it. It is not changed.
    widths : dict
        {name: new number}. The name is that of an input, whose channels (its last axis) become more; of a layer that
        looks up words by number, such as an Embedding; or of a layer that makes the model's outputs. In a class with
        settings of its own, the name of a setting, such as "vocabulary_size". What is new stands behind the old, so
        that a word's number below 0, which counts from the end, then means a new one.
    init : {"zeros", "random"}
        What begins between the new and the old: weights of zero, or draws with a standard deviation of 0.05. With draws
        the old outputs stay what they were where the new channels are 0.
    logits : float, optional
        The bias that new classes begin with. By default so low that, on `x`, the old probabilities stay to 1e-6; 0 for
        outputs that are no probabilities and whose loss takes no logits.
    x : array, or list or dict of arrays, optional
        Inputs of the old model by which `logits` is chosen and the result is checked; some are drawn if left out.
    seed : int, optional
        Fixes every draw.
    optimizer : {"carry", "fresh"}
        As in `net2wider_net`.

    Returns
    -------
    keras.Model
        The larger model, compiled as the old one is. `growth` tells what is new.

    Raises
    ------
    Net2NetError
        If a name is of nothing that meets the outside, a number is not larger than it was, or what is new would change
        the old outputs, as where a normalization takes the mean over the channels of an input, or where new classes
        have no bias that could hold them down and no `logits` are given.

    Examples
    --------
    >>> old = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"),
    ...                         keras.layers.Dense(3, "softmax", name="classes")])
    >>> new = extend(old, {"classes": 5})
    >>> x = np.ones((1, 4), "float32")
    >>> new.output_shape, bool(np.abs(new(x)[:, :3] - old(x)).max() < 1e-6)
    ((None, 5), True)

    References
    ----------
    Weights of zero for what is new are those of Net2Net's successors, as in `net2wider_net`'s "zeropad".
    """
    check_choice("init", init, ("zeros", "random"))
    check_choice("optimizer", optimizer, ("carry", "fresh"))
    if not isinstance(widths, dict):
        raise Net2NetError(f"widths: expected {{name: new number}}, got {widths!r}")
    reading = rd.read(model, open=True)
    groups = _Outside(reading)
    student, sizes, filling = _built(groups, widths, init, generator(seed))
    report = GROWN[student] = Growth(groups, sizes, {}, filling)
    proof.check(reading, student, sizes, numbers=False)
    _Check(reading, student, filling, init, x).begin(logits)
    training.compiled_alike(model, student)
    report.carried(student, *training.goes_on(model, student, filling, optimizer))
    return student


def _built(groups, widths, init, rng):
    """The larger model with its weights, what grows in it, and what gave it its weights."""
    model, reading = groups.reading.model, groups.reading
    if bd.is_plain(model):
        groups.refuse(each for name in widths for each in r.units(groups.outside.get(name, ())))
        sizes, _ = groups.sizes(widths)
    else:
        own = classes.Class(groups)
        changes, sizes = own.by_name(widths)
        groups.refuse(sizes)
    filling = _Beginning(groups, sizes, init, rng)
    if bd.is_plain(model):
        builder = bd.Builder(model, st.Widths(reading, sizes))
        student = builder.build()
        builder.fill(student, filling)
    else:
        student = own.build(changes)
        bd.fill(model, student, filling)
    return student, sizes, filling


class _Outside(g.Groups):
    """The groups of a model whose interface may grow.

    Attributes
    ----------
    ends, looked : set
        The units along outputs, and those that are looked up by number.
    outside : dict
        From each name that `extend` takes to its row.
    """

    def __init__(self, reading):
        super().__init__(reading)
        entering, leaving = (
            [row for value in values for row in value.rows or ()] for values in (reading.given, reading.gives)
        )
        entered, self.ends, self.looked = (
            {each for row in rows for each in r.units(row)} for rows in (entering, leaving, reading.lookups)
        )
        self.outside = {}
        for variable in reading.variables:
            for row in reading.weights[id(variable)].rows if id(variable) in reading.read else ():
                if self.looked & set(r.units(row)) and id(variable) in self.layer_of:
                    self.outside.setdefault(self.layer_of[id(variable)].name, row)
        for name, (row, *others) in self.rows.items():
            if not others and (entered | self.ends | self.looked) & set(r.units(row)):
                self.outside.setdefault(name, row)

    def refuse(self, units):
        """Refuse new entries of units that count in a statistic, or enter what is not finite for all values."""
        units = set(units)
        for row, why in self.reading.limited:
            if r.widens(row, units):
                raise Net2NetError(f"widths: what is new would change the old outputs: {why}")

    def _row(self, name):
        if name in self.outside:
            return self.outside[name]
        row = super()._row(name)  # or the error that there is no such name
        why = r.reason(r.normal(row)) or "it is hidden; net2wider_net widens it"
        raise Net2NetError(
            f"widths: {name!r} cannot be extended: {why}. What can: {', '.join(map(repr, self.outside)) or 'nothing'}"
        )


class _Beginning(Filling):
    """The weights of a larger model: as with "zeropad", but new outputs and words begin with zeros too, or with draws.

    Attributes
    ----------
    biases : list
        The biases of new outputs: the weight, which of its entries are new, and its units.
    """

    def __init__(self, groups, sizes, init, rng):
        super().__init__(groups.reading, sizes, "zeropad", "equal", 0.0, rng)
        self.groups, self.small, self.biases = groups, init == "random", []

    def __call__(self, old, new):
        array = super().__call__(old, new)
        for axis, divides, (_, _, fresh) in self._axes(old):
            its = set(r.units(self.reading.weights[id(old)].rows[axis]))
            if not (divides or its & (self.groups.ends | self.groups.looked)):
                continue
            if array.ndim > 1:
                view = np.moveaxis(array, axis, 0)
                view[fresh] = self.rng.normal(0.0, SMALL, view[fresh].shape) if self.small else 0
            else:
                array[fresh] = new.numpy()[fresh]
                if new.name == "bias" and its & self.groups.ends:
                    self.biases.append((new, fresh, its))
        return array


def _sums_to_one(probabilities):
    """Whether a softmax was taken over the last axis."""
    return np.allclose(probabilities.sum(-1), 1, atol=1e-2)


class _Check:
    """An extended model beside the old one, asked on numbers."""

    def __init__(self, reading, student, filling, init, x):
        self.reading, self.student, self.filling = reading, student, filling
        self.x = proof.drawn(reading.spec, reading.model) if x is None else x
        rng, given = np.random.default_rng(0), []
        for value, tensor in zip(reading.given, keras.tree.flatten(self.x), strict=True):
            array = np.array(tensor)
            for axis, row in enumerate(value.rows):
                if (places := filling.places(row)) is not None:
                    array = np.take(array, places[0], axis)
                    view = np.moveaxis(array, axis, 0)
                    view[places[2]] = rng.normal(size=view[places[2]].shape) if init == "zeros" else 0
            given.append(array)
        self.larger = keras.tree.pack_sequence_as(self.x, given)
        with proof.states_kept(reading.model):
            self.before = proof.outputs(reading.model, self.x)

    def begin(self, logits):
        """Give new classes their logits, and refuse a model whose old outputs would not be the old ones."""
        for (old, new, fresh, kinds, units), loss in zip(self._each(), self._losses(), strict=True):
            biases = [(bias, where) for bias, where, its in self.filling.biases if its & units]
            if logits and fresh.any() and not biases:
                raise Net2NetError("logits: the layer that makes the new classes has no bias, so that they begin at 0")
            for bias, where in biases:
                array = bias.numpy()
                array[where] = self._low(old, new, fresh, kinds, loss) if logits is None else logits
                bias.assign(array)
        for old, new, fresh, kinds, _ in self._each():
            kept = new[..., ~fresh]
            if "Softmax" in kinds and logits is not None and _sums_to_one(old):
                # New classes take their part, the others keep their proportions.
                kept = kept / kept.sum(-1, keepdims=True)
            gap = np.abs(kept - old).max(initial=0)
            if not gap <= max(KEPT, proof.rounding(self.reading) * np.abs(old).max(initial=0)):
                why = "what is new enters what was there"
                if kinds & {"Softmax", "LogSoftmax"} and logits is None:
                    why = "no bias holds the new classes down; give logits=0.0 to let them begin at 0"
                raise Net2NetError(f"widths: the old outputs would change by {gap:.2g}: {why}")

    def _each(self):
        """For each output: what both models give, which entries are new, what is computed last, and its units."""
        with proof.states_kept(self.student):
            after = proof.outputs(self.student, self.larger)
        ends = zip(self.before, after, self.reading.gives, self.reading.graph.outputs, strict=True)
        for old, new, value, tensor in ends:
            fresh = np.zeros(new.shape[-1:], bool)
            if value.rows and (places := self.filling.places(value.rows[-1])) is not None:
                fresh = places[2]
            pending, kinds = [tensor.op], set()
            while pending:
                op = pending.pop()
                if op in self.reading.last:
                    kinds.add(op.type)
                    pending.extend(t.op for t in op.inputs)
            yield old, new, fresh, kinds, {each for row in value.rows or () for each in r.units(row)}

    def _low(self, old, new, fresh, kinds, loss):
        """The logit with which new classes, which have 0 now, have the probability `LOST` together, or less."""
        logits = getattr(loss, "from_logits", False)
        each = "Sigmoid" in kinds or (logits and isinstance(loss, BINARY))  # a probability of its own
        if kinds & {"Softmax", "LogSoftmax"}:
            p = np.exp(new) if "LogSoftmax" in kinds else new
            level = np.log(p[..., ~fresh].sum(-1) / p[..., fresh].mean(-1)).min()
        elif each:
            level = 0.0
        elif logits:
            level = logsumexp(old, axis=-1).min()
        else:
            return 0.0
        return level + np.log(LOST / fresh.sum())

    def _losses(self):
        """The loss of each output, by the ways in which Keras takes them."""
        model, count = self.reading.model, len(self.reading.gives)
        loss = getattr(model, "loss", None)
        if isinstance(loss, dict):
            gives = getattr(model, "_outputs_struct", loss)
            names = sorted(gives) if isinstance(gives, dict) else model.output_names  # as Keras flattens them
            loss = [loss.get(name) for name in names]
        return loss if isinstance(loss, (list, tuple)) else [loss] * count

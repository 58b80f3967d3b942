"""A network that a reader widens: which units are copied, what is divided, and what its copies learn."""

import math

import numpy as np
import traitlets as t

from helpers import placing
from helpers import weights as w
from helpers.checks import Net2NetError, check_mapping, check_noise
from helpers.show import plots
from helpers.show.explore.element import Explorable, check_range, faces
from helpers.show.explore.functions import ACTIVATIONS, X, arrays, curve_teacher, curves_teacher, weights_of


def widen(teacher=None, *, outputs=2, width=None, seed=0, way="noise", noise=0.0, mapping=None, parts=(), unit=None):
    """Move the width of a small network's hidden layer, and see what its function and its gradients do.

    Parameters
    ----------
    teacher : keras.Model, optional
        From one number to one or two, over one hidden layer of at most 16 units: two Dense layers with biases, the
        second linear. `curves_teacher` if left out.
    outputs : {2, 1}
        Of the teacher that is taken if none is given: `curves_teacher`, or `curve_teacher`, with which the panel is
        simpler. With one output the gradients of copies are parallel whatever the way, and not shown.
    width, seed, way, noise, mapping, parts, unit
        To begin with; see `Widen`. By default twice the teacher's width, and the newest unit is looked at.

    Returns
    -------
    Widen
        Show it as the last value of a cell.

    Raises
    ------
    Net2NetError
        If the teacher is another kind of network, or a number or a list of the state does not fit it.
    traitlets.TraitError
        If `way` is none of its choices, or a value of another type.

    Examples
    --------
    >>> panel = widen(seed=1)
    >>> panel.width = 14
    >>> panel.gap < 1e-12
    True
    >>> panel.cosine < 0.99  # the copies part at once, in direction too
    True
    >>> panel.way = "random"
    >>> round(panel.cosine, 9)
    1.0
    >>> panel.way = "undivided"
    >>> panel.gap > 0.1
    True
    """
    if teacher is None:
        teacher = (curve_teacher, curves_teacher)[check_range("outputs", outputs, 1, 2) - 1]()
    else:
        teacher = weights_of(teacher, 2)
    n = len(teacher["b1"])
    if mapping is None:
        width = check_range("width", 2 * n if width is None else width, n, 4 * n)
        mapping = _drawn(n, check_range("seed", seed, 0))[:width]
    elif width not in (None, len(mapping)):
        raise Net2NetError(f"width: the mapping given has {len(mapping)} units, not {width}; leave one of them out")
    width, mapping = len(mapping), list(mapping)
    unit = width - 1 if unit is None else unit
    return Widen(
        teacher=teacher, width=width, seed=seed, way=way, noise=noise, mapping=mapping, parts=list(parts), unit=unit
    )


class Widen(Explorable):
    """What `widen` returns. Its traits can be set, observed and linked.

    Attributes
    ----------
    teacher : dict
        The weights "w1", "b1", "w2", "b2" as lists, and the name of the "activation".
    width : int
        Units of the student's hidden layer, from the teacher's n to 4 n; 2 n to begin with.
    seed : int
        Of the mapping, and of the shares, weights and noise that are drawn.
    way : {"noise", "equal", "random", "weights", "undivided", "randompad"}
        How the new weights are made. The first four are the values of `split` in `wider2net_fc`: copies with equal
        shares plus noise that cancels, with equal shares, with unequal shares, with shares of its own for each weight.
        The others are copies that are not divided, and random weights.
    noise : float
        Standard deviation of the relative noise on the copies' incoming weights.
    mapping : list of int
        Which teacher unit each student unit copies, `width` of them. Setting it sets the width.
    parts : list of float
        4 n positive numbers, or none: with `way` "random", the copies of a unit share in proportion to theirs. Drawn
        from the seed if there are none.
    unit : int
        The student unit that is looked at.
    """

    WAYS = {
        "noise": "copies with equal shares and noise that cancels",
        "equal": "copies with equal shares",
        "random": "copies with unequal shares",
        "weights": "copies with one share for each weight",
        "undivided": "copies that are not divided",
        "randompad": "random weights",
    }
    tag, moving = "net2net-widen", ("width", "seed", "mapping")
    state = ("teacher", "width", "seed", "way", "noise", "mapping", "parts", "unit")
    _esm, _css = faces(tag)

    teacher = t.Dict().tag(sync=True)
    width = t.Int().tag(sync=True)
    seed = t.Int(0).tag(sync=True)
    way = t.Enum(list(WAYS), "noise").tag(sync=True)
    noise = t.Float(0.0).tag(sync=True)
    mapping = t.List(t.Int()).tag(sync=True)
    parts = t.List(t.Float()).tag(sync=True)
    unit = t.Int().tag(sync=True)

    # What fits

    @t.validate("width")
    def _check_width(self, proposal):
        return check_range("width", proposal["value"], self.n, 4 * self.n)

    @t.validate("seed")
    def _check_seed(self, proposal):
        return check_range("seed", proposal["value"], 0)

    @t.validate("noise")
    def _check_noise(self, proposal):
        check_noise(proposal["value"])
        return proposal["value"]

    @t.validate("mapping")
    def _check_mapping(self, proposal):
        mapping = proposal["value"]
        check_range("mapping: its length", len(mapping), self.n, 4 * self.n)
        return check_mapping(mapping, self.n, len(mapping)).tolist()

    @t.validate("unit")
    def _check_unit(self, proposal):
        return check_range("unit", proposal["value"], 0, 4 * self.n - 1)

    @t.validate("parts")
    def _check_parts(self, proposal):
        parts = proposal["value"]
        if parts and (len(parts) != 4 * self.n or min(parts) <= 0):
            raise Net2NetError(f"parts: expected {4 * self.n} positive numbers, or none, got {parts}")
        return parts

    # What follows from what: the same rules as `settle` in net2net-widen.js

    def _settle(self, change):
        drawn = _drawn(self.n, self.seed)
        if change["name"] == "seed":
            self.mapping, self.parts = drawn[: self.width], []
        elif change["name"] == "mapping":
            self.width = len(self.mapping)
        else:
            self.mapping = self.mapping[: self.width] + drawn[len(self.mapping) : self.width]
            self.unit = self.width - 1

    # What Python reads

    @property
    def n(self):
        """Width of the teacher's hidden layer."""
        return len(self.teacher["b1"])

    @property
    def shares(self):
        """Which part of its teacher unit's outgoing weights each unit carries, shape (width,).

        None where it is not the same part of all of them: with noise that cancels, with one share for each weight, and
        with random weights.
        """
        if self.way in ("noise", "weights", "randompad"):
            return None
        if self.way == "undivided":
            return np.ones(self.width)
        if self.way == "random" and self.parts:
            parts = np.array(self.parts[: self.width])
            return parts / np.bincount(self.mapping, weights=parts)[self.mapping]
        return w.copy_shares(self.mapping, self.way, self.seed)

    @property
    def weights(self):
        """The student's w1, b1, w2, b2 in float64."""
        w1, b1, w2, b2 = arrays(self.teacher)
        n, q = self.n, self.width
        if self.way == "randompad":
            # Drawn for all places and cut, so that a unit keeps its weights while the width moves.
            whole = self.mapping + [0] * (4 * n - q)
            u1, c1, u2 = w.wider2net_fc(w1, b1, w2, 4 * n, "randompad", mapping=whole, rng=self.seed)
            # The standard deviation of Keras' initializer (Glorot) for the teacher's layers, from their inputs and
            # outputs: with PAD_STDDEV, so few new units would hardly be seen.
            u1[:, n:] *= math.sqrt(2 / (1 + n)) / placing.PAD_STDDEV
            u2[n:] *= math.sqrt(2 / (n + len(b2))) / placing.PAD_STDDEV
            return u1[:, :q], c1[:q], u2[:q], b2
        u1, c1 = placing.place_outputs(w1, self.mapping), placing.place_outputs(b1, self.mapping)
        if self.shares is None:
            u2 = placing.place_parted(w2, self.mapping, self.way, np.random.default_rng(self.seed))
        else:
            u2 = placing.place_inputs(w2, self.mapping, self.shares)
        if self.noise:
            u1 = placing.add_noise(u1, np.arange(q) >= n, self.noise, np.random.default_rng(self.seed))
        return u1, c1, u2, b2

    @property
    def student(self):
        """The network as it is now: a Keras model in float64."""
        import keras

        model = keras.Sequential(
            [
                keras.Input((1,), dtype="float64"),
                keras.layers.Dense(self.width, activation=self.teacher["activation"], dtype="float64", name="hidden"),
                keras.layers.Dense(len(self.teacher["b2"]), dtype="float64", name="out"),
            ]
        )
        model.set_weights(list(self.weights))
        return model

    @property
    def gap(self):
        """The largest difference between the student's output and the teacher's, from -1 to 1."""
        return float(np.abs(self._values(self.weights) - self._values(arrays(self.teacher))).max())

    @property
    def gradients(self):
        """What comes back to the units in training: the gradients of their values from -1 to 1, shape (201, width).

        The loss is half the mean of the squared outputs, as if all of them were to become 0.
        """
        weights = self.weights
        return self._values(weights) @ weights[2].T / len(X)

    @property
    def cosine(self):
        """The smallest cosine between `gradients` of two copies of the unit looked at.

        None if the unit has no copy, or if nothing comes back to one of them.
        """
        group = np.equal(self.mapping, self.mapping[self.unit])
        gradients = self.gradients[:, group]
        lengths = np.linalg.norm(gradients, axis=0)
        if self.way == "randompad" or group.sum() == 1 or not lengths.all():
            return None
        directions = gradients / lengths
        return float((directions.T @ directions).min())

    def _values(self, weights):
        w1, b1, w2, b2 = weights
        return ACTIVATIONS[self.teacher["activation"]](X @ w1 + b1) @ w2 + b2

    def picture(self):
        """Draw the two functions, and below what each unit passes on."""
        old, new = self._values(arrays(self.teacher)), self._values(self.weights)
        gap = np.abs(new - old).max()
        copies_none = (np.arange(self.width) >= self.n) & (self.way == "randompad")
        origins = np.where(copies_none, -1, self.mapping)
        outgoing = self.weights[2]
        figure = plots.widened_function(X.ravel(), old, new, origins, self.teacher["w2"], outgoing, 4 * self.n)
        kept = gap <= 1e3 * np.finfo(float).eps * np.abs(old).max()
        says = f"width {self.width}: max |f_new − f_old| = {gap:.1e}, " + (
            "zero up to rounding: the function is kept." if kept else "the function has changed."
        )
        lies = "The student's curve lies on the teacher's" if kept else "The student's curve leaves the teacher's"
        if len(self.teacher["b2"]) > 1 and (cosine := self.cosine) is not None:
            says += f" Smallest cosine between the gradients of two copies of a unit: {cosine:.3f}."
        how = f"outgoing weights of {self.width} hidden units grown from {self.n}: {self.WAYS[self.way]}"
        return figure, f"{lies}. Below, the {how}.", says


def _drawn(n, seed):
    # The first units of one mapping: as the width moves, units come and go at the end, and the others stay.
    return w.random_mapping(n, 4 * n, seed).tolist()

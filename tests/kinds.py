"""Kinds of models that people build, small: what each is called, how it is made, what must grow and what may stay.

`kind` registers a function that returns a model; its name is the kind's, its docstring says what is meant. The rooms
are kinds_*.py: Keras' layers (layers, recurrent, preprocessing), operations (operations, positions), layers of one's
own (own), what a reader could get wrong (corners), architectures, subclassed models (classes), KerasHub (hub).
Models are made in float64 (`models_for_tests.dtype`), then `shake` gives them random weights.
"""

import importlib.util
import re
import warnings
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from keras import layers as kl
from keras import ops

ROOMS = "layers recurrent preprocessing operations positions own corners architectures classes hub".split()
KINDS = {}


@dataclass
class Kind:
    """A model's builder, and what is expected of its students.

    Attributes:
        build: returns the model, of random weights; with `scales`, takes how many times as wide it is to be
        whole: the factors by which every weight must grow, but those of `kept` and `fixed`
        partly: factors that must be exact, whatever grows
        grown: fragments of paths of weights that must grow by any factor
        kept: fragments of paths of hidden weights that may stay as they are, and are then reported with the reason
        fixed: those whose axes are all the shape of an input or an output, or positions; they stay, reported or not
        data: inputs: a function of a random generator and the batch's size; or below which number integers are drawn
        exact: the largest gap, as a part of the largest output
        scales: how much wider the students of `grow_into` are; empty where `net2wider_net` makes the student
        bare: the model holds something that nobody can rebuild: `net2wider_net` may refuse, naming this fragment
        statues: fragments of weights that no output depends on (a bias of keys, a softmax takes it away)
    """

    name: str
    build: object
    about: str
    whole: tuple = (1.5, 2)
    partly: tuple = ()
    grown: tuple = ()
    kept: tuple = ()
    fixed: tuple = ()
    data: object = 5
    exact: float = 1e-12
    scales: tuple = ()
    bare: str = ""
    statues: tuple = ()
    room: str = ""

    @property
    def factors(self):
        return tuple(sorted({*self.whole, *self.partly}))

    def model(self, seed=0, scale=None):
        """A model of this kind with random weights."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = self.build() if not self.scales else self.build(scale or 1)
            return shake(model, seed)

    def inputs(self, model, batch=3, seed=1):
        rng = np.random.default_rng(seed)
        return self.data(rng, batch) if callable(self.data) else inputs(model, batch, seed, self.data)

    def may_stay(self, path):
        ends = re.search(r"\bout\d?/bias$|seed_generator", path)
        return bool(ends) or any(fragment in path for fragment in (*self.kept, *self.fixed))


def kind(*whole, **about):
    """Register a builder; `whole` are the factors by which all must grow: 1.5 and 2 unless given, or 2 alone.

    By 1.5, a model that must grow whole by 2 only (for its statistics or heads) must still be exact.
    """

    def register(build):
        name = build.__name__.replace("_", " ").strip()
        assert name not in KINDS, name
        factors = {"whole": whole or (1.5, 2)} if "whole" not in about else {}
        if 1.5 not in about.get("whole", whole or (1.5,)) and "partly" not in about and "scales" not in about:
            factors["partly"] = (1.5, 2)
        room = build.__module__.removeprefix("kinds_")
        KINDS[name] = Kind(name, build, build.__doc__, room=room, **factors, **about)
        return build

    return register


def all_kinds(*rooms):
    """The kinds of these rooms, or all, by name."""
    rooms = [room for room in rooms or ROOMS if room != "hub" or importlib.util.find_spec("keras_hub")]
    for room in rooms:
        importlib.import_module(f"kinds_{room}")
    return {name: one for name, one in KINDS.items() if one.room in rooms}


def shake(model, seed=0):
    """Give a model random weights, none of them at a value that could hide a mistake; return it."""
    rng = np.random.default_rng(seed)
    done = set()
    for variable in model.variables:
        if id(variable) in done or "float" not in variable.dtype or "seed" in variable.name:
            continue
        done.add(id(variable))
        shape, path = tuple(variable.shape), variable.path
        if "variance" in variable.name:
            value = rng.uniform(0.5, 2, shape)
        elif variable.name in ("gamma", "scale", "alpha"):
            value = rng.uniform(0.5, 1.5, shape) * rng.choice([-1, 1], shape)
        elif len(shape) < 2:
            value = rng.normal(0, 0.5, shape)
        elif "embed" in path:
            value = rng.normal(0, 1, shape)
        else:
            own = "depthwise" in path  # each channel sees its own alone
            value = rng.normal(0, (2 / np.prod(shape[:2] if own else shape[:-1])) ** 0.5, shape)
        variable.assign(value)
    for layer in model._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
        for state in keras.tree.flatten(getattr(layer, "states", None) or []):
            state.assign(rng.normal(0, 0.5, state.shape))  # no variable of the model, says Keras
    return model


def inputs(model, batch=3, seed=1, words=5, length=4):
    """Random inputs of a model that knows its inputs; integers below `words`."""
    rng = np.random.default_rng(seed)

    def draw(x):
        shape = [(batch if i == 0 else length) if side is None else side for i, side in enumerate(x.shape)]
        if "int" in x.dtype:
            return rng.integers(0, words, shape).astype(x.dtype)
        return rng.integers(0, 2, shape).astype(bool) if x.dtype == "bool" else rng.normal(size=shape).astype(x.dtype)

    structure = model.inputs if isinstance(model, keras.Sequential) else model.input
    structure = structure[0] if isinstance(structure, list) and len(structure) == 1 else structure
    return keras.tree.map_structure(draw, structure)


def tensors(x):
    """Arrays as tensors, so that strings may be among them."""
    return keras.tree.map_structure(tf.convert_to_tensor, x)


def run(model, x, training=False):
    """The outputs, as a list of arrays. States of stateful layers are put back to what they were."""
    states = [v for layer in model._flatten_layers() for v in keras.tree.flatten(getattr(layer, "states", None) or [])]
    before = [(v, v.numpy()) for v in [*model.non_trainable_variables, *states]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ys = [
            np.asarray(keras.ops.convert_to_numpy(y)) for y in keras.tree.flatten(model(tensors(x), training=training))
        ]
    for variable, value in before:
        variable.assign(value)
    return ys


def gap(before, after):
    """The largest difference of two lists of outputs, each as a part of the largest value of its output."""
    assert [y.shape for y in before] == [y.shape for y in after]
    assert [y.dtype for y in before] == [y.dtype for y in after]
    pairs = [(a.astype("float64"), b.astype("float64")) for a, b in zip(before, after, strict=True)]
    return max(np.abs(a - b).max() / max(np.abs(a).max(), 1e-300) for a, b in pairs)


def varies(before, after=None):
    """Whether each output is finite and differs between examples; and from those of another model, if given."""
    ys = [y.astype("float64") for y in before]
    lively = all(np.isfinite(y).all() and np.ptp(y, axis=0).max() > 1e-3 * np.abs(y).max() for y in ys)
    return lively and (after is None or gap(before, after) > 1e-3)


def out(inputs, x, units=2, **how):
    """A model whose end is a dense layer of the name 'out'."""
    return keras.Model(inputs, kl.Dense(units, name="out", **how)(x))


class Bare(kl.Layer):
    """A layer that cannot be made anew: its setting is a function, and it has no get_config."""

    def __init__(self, units, function):
        super().__init__(name="bare")
        self.units, self.function = units, function

    def build(self, shape):
        self.kernel = self.add_weight((shape[-1], self.units), name="kernel")

    def call(self, x):
        return self.function(ops.matmul(x, self.kernel))


def chain(shape, *steps, data=None):
    """A model of one input that is led through layers and functions."""
    x = start = keras.Input(shape, dtype=data)
    for step in steps:
        x = step(x)
    return out(start, x)

"""Where new layers can go: which layers read what others give, and why nothing can follow some."""

import difflib
import operator
from collections import Counter
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl

from helpers import building as bd
from helpers import proof
from helpers import reading as rd
from helpers.checks import Net2NetError
from helpers.identities import ParametricActivation


class Graph:
    """Which layers read what others give, in a model and in the plain graphs inside it."""

    def __init__(self, model):
        self.model, self.calls, self.tensors, self.readers, self.makers = model, Counter(), {}, {}, {}
        self._walk(model)
        self.ends = {self.makers.get(id(x)) for x in model.outputs}
        bd.check_shared(self.calls)

    def _walk(self, model):
        for node in bd.nodes_of(model):
            layer = node.operation
            if plain := bd.is_plain(layer):
                self._walk(layer)
            else:
                self.calls[layer] += 1
                self.tensors.setdefault(layer, node.outputs[0])
            for x in node.input_tensors:
                self.readers.setdefault(self.makers.get(id(x)), set()).add(layer)
            for i, x in enumerate(node.outputs):
                self.makers[id(x)] = self.makers.get(id(layer.outputs[i])) if plain else layer


class Place(NamedTuple):
    """A layer to follow, the last layer of its own (batch normalization, activation), its activation and its shape."""

    layer: kl.Layer
    end: kl.Layer
    activation: object
    shape: tuple


ACTIVATIONS = (kl.Activation, kl.ReLU, kl.LeakyReLU, kl.ELU, kl.PReLU, kl.Softmax, ParametricActivation)


def place(graph, layer):
    """The place behind a layer, and behind what is its own."""
    end, activation, passed = layer, layer.activation, set()
    while activation is keras.activations.linear:
        reader, *others = graph.readers.get(end) or [None]
        if others or reader in passed or not isinstance(reader, (kl.BatchNormalization, *ACTIVATIONS)):
            break  # a normalization that is shared can read itself
        end = reader
        passed.add(end)
        if not isinstance(end, kl.BatchNormalization):
            activation = end
    return Place(layer, end, activation, graph.tensors[end].shape)


def reason(graph, block, new_activation):
    """Why no identity can follow a block."""
    layer, end, activation, _ = block
    name = getattr(activation, "__name__", getattr(activation, "name", activation))
    if graph.calls[end] > graph.calls[layer]:
        return f"layer {end.name!r} behind it is shared with other layers; give it one of its own"
    if end in graph.ends:
        return "it makes the model's output; name a hidden layer"
    if getattr(layer, "quantization_mode", None):
        return "it is quantized; let the model grow first, and quantize the student"
    if getattr(layer, "data_format", None) == "channels_first":
        return "it has its channels first; build it with data_format='channels_last'"
    if new_activation == "linear":
        return None
    once, twice, weights = _applied(block, "float64" if new_activation == "same" else layer.compute_dtype)
    if new_activation == "same" and (weights or not np.array_equal(once, twice)):  # weights change in training
        return (
            f"its activation {name!r} is not idempotent (applied twice, it gives other values than once), so an "
            "identity layer with it would change the function; relu, relu6 and linear are idempotent. With "
            "activation='first', 'linear' or 'parametric' a new layer can follow"
        )
    if new_activation == "parametric" and not np.isfinite(twice).all():
        return (
            f"its activation {name!r}, applied twice, is soon larger than any number, and no blend with that can be "
            "taken; use activation='linear'"
        )
    return None


def _applied(block, dtype):
    """What an activation gives for small and large numbers, applied once and twice, and the weights that it has."""
    steps = np.concatenate([np.linspace(-8, 8, 257), *(sign * np.geomspace(1e-6, 1e3, 64) for sign in (1, -1))])
    steps = np.concatenate([np.sort(steps), np.random.default_rng(0).permutation(steps)])  # among their like, and mixed
    sides = [min(side or 3, 3) for side in block.shape[1:-1]] + [block.shape[-1] or 8]
    steps = np.resize(steps, (-(-len(steps) // np.prod(sides)), *sides))
    function = block.activation
    try:
        if isinstance(function, kl.Layer) and not function.built:
            function = type(function).from_config(function.get_config())
        with keras.StatelessScope():  # leaves no trace in a layer
            once = function(keras.ops.cast(steps, dtype))
            twice = function(once)
        return *(np.asarray(keras.ops.cast(v, "float64")) for v in (once, twice)), getattr(function, "weights", None)
    except Exception:  # a function of the user's may fail in any way; then nothing is known of it
        return np.nan, 0.0, None


def named(graph, name):
    found = [layer for layer in graph.calls if layer.name == name]
    names = [layer.name for layer in graph.calls if isinstance(layer, kl.Layer)]
    if not found:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5) or names[:5]
        raise Net2NetError(f"after: the model has no layer {name!r}; near names: {', '.join(map(repr, near))}")
    if len(found) > 1:
        raise Net2NetError(
            f"after: {len(found)} layers are called {name!r}, in different nested models; give them names of their own"
        )
    return found[0]


def no_room(graph, layer):
    """Why no residual block can follow a layer."""
    if graph.calls[layer] > 1:
        return "it is called several times"
    if layer in graph.ends:
        return "it makes the model's output; name a hidden layer"
    if (count := len(layer.output if isinstance(layer.output, (list, tuple)) else [0])) > 1:
        return f"it gives {count} tensors"
    if len(layer.output.shape) < 2 or layer.output.shape[-1] is None:
        return "how many channels it gives is not known"
    if "float" not in layer.output.dtype:
        return f"it gives {layer.output.dtype}"
    return None


class Names:
    """Names that no layer of a model has: NAME_deeper, NAME_deeper_2, ..."""

    def __init__(self, model):
        self.taken = {layer.name for layer in model._flatten_layers()}

    def __call__(self, name, suffix=""):
        name = f"{name}_deeper{suffix}"
        name = next(n for n in (name, *(f"{name}_{k}" for k in range(2, len(self.taken) + 3))) if n not in self.taken)
        self.taken.add(name)
        return name


def batch(x, start):
    return keras.tree.map_structure(operator.itemgetter(slice(start, start + 32)), x)


def statistics(graph, blocks, x):
    """Mean and variance of the channels behind each block, in one pass over `x` that keeps no layer's outputs."""
    for block in blocks:
        if block.end not in graph.model.layers:
            raise Net2NetError(
                f"batch_norm: layer {block.end.name!r} is inside a nested model, where statistics are not measured; "
                "leave batch_norm out, or flatten the model"
            )
    model = keras.Model(rd.inputs_of(graph.model), [graph.tensors[block.end] for block in blocks])
    moments = [[] for _ in blocks]  # of each example: means and variances
    try:
        with proof.states_kept(graph.model):
            for start in range(0, len(keras.tree.flatten(x)[0]), 32):
                outputs = keras.tree.flatten(model.predict_on_batch(batch(x, start)))
                for values, found in zip(outputs, moments, strict=True):
                    values = values.reshape(len(values), -1, values.shape[-1]).astype("float64")
                    found.append(np.stack([values.mean(axis=1), values.var(axis=1)]))
        moments = [np.concatenate(found, axis=1) for found in moments]
    except Exception as error:
        wanted = ", ".join(str(tensor.shape) for tensor in graph.model.inputs)
        raise Net2NetError(
            f"x: expected inputs of the teacher, arrays of shape {wanted} with at least one example; on what came it "
            f"cannot be called: {error}"
        ) from error
    for block, found in zip(blocks, moments, strict=True):
        if not np.isfinite(found).all():
            raise Net2NetError(
                f"x: what layer {block.end.name!r} gives for it is not finite, so it has no mean; look for NaN in x, "
                "and in the teacher's weights"
            )
    # The variance of all is that within the examples and that between them.
    return [(means.mean(axis=0), variances.mean(axis=0) + means.var(axis=0)) for means, variances in moments]

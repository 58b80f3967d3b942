"""How a student is rebuilt from its teacher: its layers by their settings, their weights, what no setting tells."""

import contextlib
import inspect
import tempfile
import warnings
from types import FunctionType
from typing import NamedTuple

import keras
import numpy as np
from keras import layers as kl

from helpers.checks import Net2NetError
from helpers.settings import Unbuildable, candidates, integers, replaced

# Rebuilding one layer


_FUNCTIONS = ("activation", "initializer", "regularizer", "constraint")


def parts(layer):
    """A layer and the layers inside it; an operation has none."""
    return list(layer._flatten_layers()) if isinstance(layer, kl.Layer) else []


@contextlib.contextmanager
def naming(layer):
    """Let errors say which layer fails: it may be the user's, and fail in any way."""
    try:
        yield
    except Net2NetError:
        raise
    except Exception as error:
        told = "It needs a get_config and from_config that agree; or build the student yourself, and call grow_into"
        raise Unbuildable(layer, f"{error}. {told}") from error


def live(layer, keys):
    """The functions that a layer holds under these names: by its own name alone, a user's could not be found."""
    found = {key: getattr(layer, key, None) for key in keys if key.endswith(_FUNCTIONS)}
    return {key: value for key, value in found.items() if callable(value) and not isinstance(value, kl.Layer)}


def settings_of(layer):
    """The settings of a layer, with its functions themselves in place of their names."""
    with naming(layer):
        config = layer.get_config()
        config |= live(layer, config)
        if isinstance(layer, kl.Lambda):
            config["function"] = layer.function.__name__  # `rebuilt` says whose name it is
        _forget_shapes(config)
        return config


def rebuilt(layer, settings=None, draw=False):
    """A new layer of an old one's class, from these settings, or from the old one's own.

    Its matrices begin as zeros, unless it shall `draw` them.
    """
    settings = settings_of(layer) if settings is None else settings
    known = {getattr(f, "__name__", ""): f for part in parts(layer) for f in live(part, vars(part)).values()}
    known |= {type(part).__name__: type(part) for part in parts(layer) if not hasattr(kl, type(part).__name__)}
    known |= {getattr(p.function, "__name__", ""): p.function for p in parts(layer) if isinstance(p, kl.Lambda)}
    with naming(layer), keras.saving.custom_object_scope(known):
        new = type(layer).from_config(
            keras.tree.map_structure(lambda x: x, _taken(layer, settings))
        )  # a copy, which it may empty
    if isinstance(new, kl.Layer):  # of these, settings may not tell
        _name_alike(layer, new)
        new.name = settings.get("name", layer.name)  # another one where a copy goes beside the old one
        new.supports_masking, new.autocast = layer.supports_masking, layer.autocast
        for part in () if draw else parts(new):
            part.add_weight = _without_drawing(part.add_weight)
        pairs = list(zip(parts(layer), parts(new), strict=False))
        for part, its in pairs:
            if hasattr(part, "idf_weights_const"):  # which Keras expects in the new one before it has been given it
                its.idf_weights_const = part.idf_weights_const
        for part, its in pairs:
            if hasattr(part, "save_assets"):  # a table, such as a vocabulary
                with tempfile.TemporaryDirectory() as folder, naming(layer):
                    part.save_assets(folder)
                    its.load_assets(folder)
    return new


def _taken(layer, settings):
    """Settings without those of all layers, where a class does not take them; name and flags are given afterwards."""
    names = inspect.signature(type(layer).__init__).parameters
    if "from_config" in vars(type(layer)) or any(each.kind is each.VAR_KEYWORD for each in names.values()):
        return settings
    return {key: value for key, value in settings.items() if key in names or key not in ("name", "trainable", "dtype")}


def _name_alike(old, new):
    """Give a new layer, and those inside it, the names of the old ones, also of those that Keras names by itself."""
    pairs = list(zip(parts(old), parts(new), strict=False))
    for part, its in pairs if len(parts(old)) == len(parts(new)) else pairs[:1]:  # a deeper one has others inside
        if type(part) is type(its):
            its.name = part.name


def _without_drawing(add_weight):
    """Let matrices begin as zeros: what they would draw is thrown away, and until then takes time and memory."""

    def add(shape=None, initializer=None, *args, **kwargs):
        zeros = np.size(shape) > 1 or holds_array(initializer)
        return add_weight(shape, "zeros" if zeros else initializer, *args, **kwargs)

    return add


def holds_array(initializer):
    """Whether an initializer has a value for each weight, and so serves one shape alone."""
    return isinstance(initializer, keras.initializers.Constant) and np.size(initializer.value) > 1


def _forget_shapes(config):
    """Take the shapes that layers were built for out of nested settings: they are the teacher's."""
    for inner in config.values() if isinstance(config, dict) else config if isinstance(config, list | tuple) else ():
        if isinstance(inner, dict) and isinstance(inner.get("config"), dict) and "layers" not in inner["config"]:
            inner.pop("build_config", None)
        _forget_shapes(inner)


def part_pairs(old, new):
    """The layers inside a layer and inside its copy, themselves included, which come in the same order."""
    if len(a := parts(old)) != len(b := parts(new)):
        raise Unbuildable(old, f"it has {len(a)} layers inside, a new one with its settings has {len(b)}")
    return zip(a, b, strict=True)


def variables_of(layer):
    """The weights and seeds of a layer or model, and the states that its recurrent layers keep."""
    states = [state for part in parts(layer) for state in keras.tree.flatten(getattr(part, "states", None))]
    return [*getattr(layer, "variables", ()), *(state for state in states if hasattr(state, "assign"))]


MERGE = "; save the model and load it, which adds LoRA to the kernels, and let that grow"


def adapted(layer):
    """The names of the layers inside a layer that have LoRA."""
    return [part.name for part in parts(layer) if getattr(part, "lora_enabled", False)]


def weight_pairs(old, new):
    """The variables of a layer and of its copy, which come in the same order."""
    a, b = variables_of(old), variables_of(new)
    if len(a) != len(b):
        raise Unbuildable(
            old,
            f"it has {len(a)} weights, a new one with its settings has {len(b)}; weights that the settings do not tell "
            f"of (LoRA, quantization) cannot be carried over{MERGE if adapted(old) else ''}",
        )
    return list(zip(a, b, strict=True))


def give_functions(old, new):
    """Give the parts of a layer the old one's functions: by a name alone, Keras may have found one of its own."""
    for part, its in part_pairs(old, new):
        alike = [weight.shape for weight in part.weights] == [weight.shape for weight in its.weights]
        for key, function in live(part, vars(part)).items():
            setattr(its, key, function if alike or not holds_array(function) else keras.initializers.Zeros())
        for key, found in list(vars(its).items()):
            if isinstance(found, FunctionType) and not hasattr(type(its), key):  # else one of Keras' own wrappers
                function = vars(part).get(key)
                if isinstance(function, FunctionType) and (found.__module__ or "").startswith("keras."):
                    setattr(its, key, function)


def check_told(pairs):
    """Refuse copies with other numbers or flags: `get_config` leaves out what may show in long inputs alone."""
    for old, new in pairs:
        for part, its in [] if is_plain(old) else part_pairs(old, new):
            for key, value in _numbers(part).items():
                if key.startswith("lora") and not vars(its).get("lora_enabled"):
                    continue  # a copy without LoRA
                if (got := vars(its).get(key, value)) != value:
                    raise Unbuildable(
                        part, f"a new one with its settings has {key}={got}, not {value}; let get_config tell it"
                    )


def _numbers(layer):
    """The numbers and flags that a layer, not a model, has as public attributes."""
    return {
        key: value
        for key, value in ({} if isinstance(layer, keras.Model) else vars(layer)).items()
        if isinstance(value, (bool, int, float)) and not key.startswith("_") and key not in ("built", "seed")
    }


def settle(layer):
    """Let Normalization, which computes with a copy of its statistics, copy those that it has now."""
    for part in parts(layer):
        if isinstance(part, kl.Normalization):
            part.finalize_state()


# Rebuilding a model


def is_graph(model):
    """Whether a model's calls of layers are known: functional or Sequential."""
    return isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth")


def is_plain(model):
    """Whether a model is nothing but its graph, so that it is rebuilt layer by layer; else it has own settings."""
    if not is_graph(model) or getattr(model, "_functional", model) is None:  # a Sequential may not be built
        return False
    if type(model).__module__.startswith("keras."):
        return True
    with naming(model):
        return "layers" in model.get_config()


def check_shared(layers):
    """Refuse a weight that two layers hold, as where one layer is wrapped twice: each would get its own."""
    owners = {}
    for layer in layers:
        for weight in getattr(layer, "weights", ()):
            if (owner := owners.setdefault(id(weight), layer)) is not layer:
                raise Net2NetError(
                    f"layers {owner.name!r} and {layer.name!r} share the weight {weight.path!r}, which a student's "
                    "would not; call one and the same layer twice, or give each weights of its own"
                )


def nodes_of(model):
    """Keras' calls of layers and operations in a functional or Sequential model, in their order."""
    by_depth = getattr(model, "_functional", model)._nodes_by_depth  # Keras has no public way to them
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth] if not node.is_input]


class Chain(NamedTuple):
    """New layers behind a layer, one after the other."""

    layers: list

    def run(self, tensors, x):
        """What they make of a tensor."""
        for layer in self.layers:
            x = layer(x)
        return x


class Builder:
    """Builds a student: the teacher's layers with other widths, or with new layers behind some of them.

    Attributes
    ----------
    made : dict
        From each layer of the teacher to the student's: the likeliest copy first, another where that does not fit.
    ways : dict
        From each layer of the teacher to a generator of the further copies to try.
    given : dict
        From each to the changes in what its copy is called with, where it is an operation.
    old_of : dict
        From the id of each copy to the teacher's layer.
    fitting : set
        The teacher's layers whose copies were called and found to have the shapes that are wanted.
    """

    def __init__(self, teacher, widths=None, behind=None):
        self.teacher, self.widths, self.behind = teacher, widths, behind or {}
        self.made, self.ways, self.old_of, self.given, self.fitting = {}, {}, {}, {}, set()
        self.errors = {}  # what the likeliest copy of a layer failed with, which says more than the last

    def build(self):
        """The student, its weights still to be filled."""
        student = self._clone(self.teacher)
        check_shared(layer for layer in self.made if not is_plain(layer))
        return student

    def fill(self, student, placed):
        """Give the student its weights; `placed` gives each one's array, from the old weight and the new."""
        # A model hands its flag on to its layers, and a layer to its parts and weights: so the outer ones come first.
        for old, new in [(self.teacher, student), *reversed(self.made.items())]:
            for part, its in [(old, new)] if is_plain(old) else part_pairs(old, new):
                its.trainable = part.trainable
        for more in (each for found in self.behind.values() for each in found):
            for part in (part for new in more.layers for part in parts(new)):
                part.trainable = True  # a layer that is trainable already does not hand it on
        for old, new in self.made.items():
            if not is_plain(old):
                fill(old, new, placed)

    def _copied(self, layer):
        if layer not in self.made:
            self.made[layer] = self._clone(layer) if is_plain(layer) else self._first(layer)
            self.old_of[id(self.made[layer])] = layer
        return self.made[layer]

    def _first(self, layer):
        """The likeliest copy of a layer."""
        self.ways[layer] = self._tries(layer)
        try:
            new, self.given[layer] = next(self.ways[layer])
        except StopIteration:
            raise self.errors.get(layer) or Unbuildable(
                layer, "no settings give it the widths that are wanted"
            ) from None
        return new

    def _tries(self, layer):
        """Copies of a layer to try, the likeliest first, each with the changes that it has."""
        if not isinstance(layer, kl.Layer):  # an operation: what it is called with is a setting, too
            yield from self._operations(layer)
            return
        settings = settings_of(layer)
        inner = getattr(layer, "layer", None)
        if isinstance(settings.get("layer"), dict) and isinstance(inner, keras.Model) and is_plain(inner):
            settings["layer"] = keras.saving.serialize_keras_object(Builder(inner, self.widths)._clone(inner))
        pairs = self._pairs(layer)
        if pairs and getattr(layer, "quantization_mode", None):
            raise Unbuildable(layer, "it is quantized; let the model grow first, and quantize the student")
        for changes in candidates(settings, pairs) if pairs else [{}]:
            try:
                yield rebuilt(layer, replaced(settings, changes)), changes
            except Unbuildable as error:
                if not pairs:
                    raise
                self.errors.setdefault(layer, error)

    def _operations(self, operation):
        pairs = self._pairs(operation)
        given = operation._inbound_nodes[0].arguments
        given = given.args, given.kwargs
        settings, bounds = settings_of(operation), self.widths.bounds(operation) if pairs else {}
        at = {path: min(bounds[value]) for path, value in integers(given) if value in bounds}
        for of in candidates(settings, pairs) if pairs else [{}]:
            yield rebuilt(operation, replaced(settings, of)), at

    def _pairs(self, layer):
        return {} if self.widths is None else self.widths.pairs(layer)

    def _next(self, layer, error):
        """The next copy to try, or the error that there is none."""
        error = self.errors.setdefault(layer, error)
        try:
            return next(self.ways[layer])
        except StopIteration:
            if isinstance(error, Unbuildable):
                raise error from None
            raise Unbuildable(layer, str(error)) from error

    def _check(self, old, new, outputs=None):
        """Say so if a copy has other shapes than are wanted."""
        if is_plain(old):  # its layers are checked where they are called, and there may be new ones behind them
            return
        for part, its in part_pairs(old, new):
            if getattr(part, "built", False) and not its.built:  # Keras builds an activation when numbers come
                shapes, pairs = part.get_build_config(), self._pairs(old)
                changes = {path: min(pairs[side]) for path, side in integers(shapes) if side in pairs}
                its.build_from_config(replaced(shapes, changes))
        if self.widths is None:
            return
        for a, b in weight_pairs(old, new):
            wanted = self.widths.of_weight(a)
            if wanted is not None and tuple(b.shape) != wanted:
                raise Unbuildable(
                    old, f"its weight {a.path!r} would have shape {tuple(b.shape)}, but {wanted} is wanted"
                )
        wanted, nodes = self.widths.of_outputs(old), getattr(old, "_inbound_nodes", None)
        if outputs is None or not wanted or not nodes:
            return
        for was, tensor, sides in zip(nodes[0].outputs, keras.tree.flatten(outputs), wanted, strict=False):
            for now, side, (before, want) in list(zip(was.shape, tensor.shape, sides, strict=False))[1:]:
                # Only where Keras and TensorFlow agree on the teacher's side.
                if now == before and want and side is not None and side != want:
                    raise Unbuildable(
                        old, f"it would give a tensor of shape {tensor.shape}; {want} channels are wanted"
                    )

    def _call(self, new, *args, **kwargs):
        old = self.old_of[id(new)]
        new = self.made[old]
        if any(hasattr(value, "assign") for value in keras.tree.flatten((args, kwargs))):
            raise Net2NetError(
                f"{old.name!r} is called on a variable, which teacher and student would share; make it the weight of a "
                "layer"
            )
        while True:
            given = (args, kwargs) if isinstance(old, kl.Layer) else replaced((args, kwargs), self.given[old])
            try:
                with warnings.catch_warnings():  # about settings that fail in a moment
                    warnings.filterwarnings("ignore", "(?s).*unbuilt state")
                    outputs = new(*given[0], **given[1])
                if old not in self.fitting:
                    self._check(old, new, outputs)
                    self.fitting.add(old)
                break
            except Exception as error:  # a layer may be the user's, and fail in any way
                if old not in self.ways:
                    raise
                if old in self.fitting:  # this copy serves another call already
                    raise Unbuildable(old, str(error)) from error
                new, self.given[old] = self._next(old, error)
                self.made[old] = new
                self.old_of[id(new)] = old
        return outputs

    def _source(self, x, value):
        """An input like `x`, as wide as what enters there in the student."""
        origin = x._keras_history.operation
        flags = ("optional", "sparse", "ragged")
        flags = {flag: True for flag in flags if getattr(origin, flag, False) or getattr(x, flag, False)}
        shape = x.shape
        if value is not None and self.widths is not None:
            sides = [self.widths.side(row) for row in value.rows]
            shape = tuple(side and (wide or side) for side, wide in zip(shape, sides, strict=True))
        return keras.Input(batch_shape=shape, dtype=x.dtype, name=getattr(origin, "name", x.name), **flags)

    def _clone(self, model):
        """A model of copies of a model's layers."""
        enters = None
        if self.widths is not None:
            reading = self.widths.reading
            enters = reading.given if model is reading.model else reading.enters.get(model)
        enters = enters or [None] * len(model.inputs)
        if len(enters) != len(model.inputs):  # which of them Keras then takes is not told
            raise Net2NetError(
                f"model {model.name!r} has {len(model.inputs)} inputs but is called with {len(enters)}; call it with "
                "its own alone"
            )
        sources = [self._source(x, value) for x, value in zip(model.inputs, enters, strict=True)]
        if isinstance(model, keras.Sequential):
            x, layers = sources[0], []
            for layer in model.layers:
                new = self._copied(layer)
                with keras.name_scope(model.name):  # as paths of weights begin in a Sequential
                    x = self._call(new, x)
                    layers.append(self.made[layer])
                    for more in self.behind.get(layer, ()):
                        x = more.run({}, x)
                        layers += more.layers
            return type(model)([sources[0], *layers], name=model.name)
        tensors = dict(zip(map(id, model.inputs), sources, strict=True))  # by those of the teacher
        for node in nodes_of(model):
            args, kwargs = node.arguments.fill_in(tensors)
            outputs = self._call(self._copied(node.operation), *args, **kwargs)
            tensors.update(zip(map(id, node.outputs), keras.tree.flatten(outputs), strict=True))
            for more in self.behind.get(node.operation, ()):
                tensors[id(node.outputs[0])] = more.run(tensors, tensors[id(node.outputs[0])])
        inputs = keras.tree.pack_sequence_as(model.input, sources)
        outputs = keras.tree.map_structure(lambda x: tensors[id(x)], model.output)
        return type(model)(inputs, outputs, name=model.name)


def build_like(old, new):
    """Make the weights of a new model, whose teacher was built."""
    if new.built and len(new.weights) >= len(old.weights):
        return
    if config := old.get_build_config():
        new.build_from_config(config)


def fill(old, new, placed):
    """Give a copy of a layer its weights, its functions and its flags."""
    _name_alike(old, new)
    for old_weight, new_weight in weight_pairs(old, new):
        array = placed(old_weight, new_weight)
        if array is None:  # training alone reads it; what it began with may be zeros that are not its own
            array = np.resize(old_weight.numpy(), new_weight.shape)
        if array.shape != tuple(new_weight.shape):
            raise Unbuildable(
                old,
                f"its weight {old_weight.name!r} would have shape {tuple(new_weight.shape)}, {array.shape} is wanted",
            )
        new_weight.assign(array)
        new_weight.trainable = old_weight.trainable
    for part in parts(new):
        vars(part).pop("add_weight", None)
    give_functions(old, new)
    settle(new)

"""A Keras model read as TensorFlow runs it: the graph of its operations, with a row for every axis of every tensor.

The model is traced once, on fixed shapes. Every axis of every weight begins with units of its own; the operations tie
them (`operations` has a rule for each kind). What is left are independent groups of channels: each gets one width, one
mapping and one set of shares, and every weight of a student follows from these.

The paper placed its mappings by hand and left a 'remapping inference algorithm' to later work (Chen et al. 2016,
section 2.3); this is one.
"""

import contextlib
import inspect
from collections import Counter

import keras
import numpy as np
import tensorflow as tf

from helpers import layout, products  # noqa: F401 (their rules)
from helpers import operations as o
from helpers import rows as r
from helpers.building import variables_of
from helpers.checks import Net2NetError

BATCH = 2
LENGTHS = (8, 32, 96, 320, 4, 1)  # of sides that the model leaves open, tried in this order


class Reading:
    """A model's operations, and the rows of its weights and of what its layers give.

    Attributes
    ----------
    graph : tf.Graph
        The operations, in the order in which TensorFlow runs them.
    weights : dict
        From the id of a variable to its `Value`: a row and a role for each axis.
    read : set
        The ids of those weights that inference reads.
    hidden : str or None
        Where Python code runs, whose operations TensorFlow does not know.
    calls : dict
        From each layer or operation of Keras to its calls; a call is a list of `Value`, one for each tensor it gives.
    enters : dict
        From the same to a list of `Value`, one for each tensor that enters its first call; None where nothing reads it.
    balanced : list
        Rows that need equally many copies of each unit, and why.
    alike : list
        Lists of rows that need one and the same width, and why.
    limited : list
        Rows that cannot take channels of any values, as random new ones have, and why.
    given, gives : list
        The `Value` of each of the model's inputs and outputs.
    open : bool
        Whether channels of inputs and outputs, and what is looked up by number, may get new entries: `extending` asks.
    lookups : list
        Rows of weights whose entries are looked up by number, where `open`; else these cannot widen.
    """

    def __init__(self, model, x=None, length=None, open=False):
        self.model, self.open, self.lookups = model, open, []
        self.balanced, self.alike, self.limited, self.totals = [], [], [], []
        self.read, self.hidden = set(), None
        self.function_graphs, self.values, self.numbers = [], {}, {}
        self.within, self.path = {}, ()  # values by the calls of functions that lead to them
        self.traced, calls, self.spec, self.length = trace(model, x, length)
        self.graph = self.traced.graph
        self.last = last_of(self.graph)
        self.variables = variables_of(model)  # some of which may have been made by the trace
        self.weights = {id(v): self._opened(v) for v in self.variables}
        ins = self._inputs()
        self.given, self.gives = ins[: len(ins) - len(self.graph.captures)], self.walk(self.graph, ins)
        for row in () if open else (row for value in self.gives for row in value.rows or ()):
            r.pin(row, r.OUTPUT)
        self._pin_what_no_weight_has()
        for total in self.totals:
            total.choose()
        self._leave_unread()
        self.calls, self.enters = {}, {}
        self._note(calls)

    def _inputs(self):
        """The values of the graph's inputs; the last are weights and constants, which it captures."""
        of_handle = {id(v.handle): v for v in self.graph.variables} | handles(self.variables)
        ins = [o.still(o.shape_of(t), r.Natural("it is the model's input")) for t in self.graph.inputs]
        for value, t in zip(ins, self.graph.inputs, strict=True):
            if self.open and t.dtype.is_floating and len(value.rows) > 1:
                value.rows[-1] = o.alike(t.shape[-1], t.name)
        for i, (outer, inner) in enumerate(self.graph.captures, start=len(ins) - len(self.graph.captures)):
            if inner.dtype == tf.resource:
                ins[i].variable = of_handle.get(id(outer), outer)
            elif isinstance(outer, tf.Tensor) and inner.dtype not in (tf.variant, tf.string):
                self.numbers[id(inner)] = outer.numpy()
                ins[i] = o.constant(outer.numpy(), "it is a constant of the model")
        return ins

    def _note(self, calls):
        """Keep the values that each layer took and gave, and what it asks of them in training."""
        for layer, given, tensors in calls:
            found, entered = ([self.values.get(id(t)) for t in each] for each in (tensors, given))
            if all(value is not None for value in found):
                self.calls.setdefault(layer, []).append(found)
            self.enters.setdefault(layer, entered)
            if isinstance(layer, keras.layers.BatchNormalization) and entered[0] is not None:
                why = f"in training, {layer.name} takes a mean over channels, which needs equally many copies of each"
                mixed = [row for axis, row in enumerate(entered[0].rows) if axis != layer.axis % len(entered[0].rows)]
                self.balanced += [(row, why) for row in mixed if r.units(row)]

    def _opened(self, variable):
        """A weight whose every axis has units of its own."""
        shape = tuple(variable.shape)
        if not keras.backend.is_float_dtype(variable.dtype):
            return o.still(shape, f"{variable.path} holds {variable.dtype}", o.WEIGHT)
        rows = [((r.Units(side, f"{variable.path}[{axis}]"),),) for axis, side in enumerate(shape)]
        return o.Value(rows, [r.Role() for _ in shape], o.WEIGHT)

    def _pin_what_no_weight_has(self):
        """Pin axes of equal entries that no weight was tied to: there are as many as the model's code says.

        Of known numbers they are left open: there the proof compares the number alone, not how often it stands there.
        """
        held = {each for value in self.weights.values() for row in value.rows for each in r.units(row)}
        for tensor, value in (each for values in self.within.values() for each in values.items()):
            for axis, row in enumerate(value.rows or ()):
                if any(each not in held for each in r.units(row)):
                    if tensor in self.numbers:
                        value.rows[axis] = ()
                    else:
                        for each in set(r.units(row)) - held:
                            each.fixed = "it is a number in the model's code"

    def _leave_unread(self):
        """Pin what is left of an axis of which inference reads a part that cannot widen, as later positions."""
        rows = [row for key in self.read for row in map(r.normal, self.weights[key].rows)]
        count = Counter(each for row in rows for each in r.units(row))
        for row in rows:
            if r.reason(row) and len(row) > 1 and all(count[each] == 1 for each in r.units(row)):
                r.pin(row, r.POSITION)

    def known(self, variable):
        """The value of a weight; None for one that inference does not read."""
        return self.weights[id(variable)] if id(variable) in self.read else None

    def rows_in(self, layer):
        """The rows of what enters a layer in its first call."""
        return [row for value in self.enters.get(layer, ()) if value for row in value.rows or ()]

    def rows_out(self, layer):
        """The rows of what a layer gives in all its calls."""
        return [row for call in self.calls.get(layer, ()) for value in call for row in value.rows or ()]

    def weight(self, handle):
        """The value of a variable, which is read here by its handle; one that is no weight of the model cannot grow."""
        if id(handle.variable) in self.weights:
            self.read.add(id(handle.variable))
            return self.weights[id(handle.variable)]
        return o.still(handle.variable.shape, "it is a variable that is no weight of the model")

    def ask(self, total):
        """Keep what a product asks of roles until they are known."""
        self.totals.append(total)
        for role in total.roles:
            role.now().waiting.append(total)
        total.look()

    def walk(self, graph, ins, at=()):
        """Read the operations of a graph, whose inputs have these values; return those of its outputs.

        `at` is the operation that calls it, and by which name: one function may be called with other values.
        """
        before, self.path = self.path, (*self.path, *at)
        values = self.within[self.path] = dict(zip(map(id, graph.inputs), ins, strict=True))
        self.function_graphs.append(graph)  # ids of its tensors are keys, so that it must stay
        for op in operations_of(graph):
            entering = [values[id(t)] for t in o.entering(op)]
            found = self._known(op, entering)
            if found is None:
                found = o.read(op, entering, self)
            values.update((id(t), _checked(value, t)) for t, value in zip(op.outputs, found, strict=True))
        self.values |= values
        self.path = before
        return [values[id(t)] for t in graph.outputs]

    def _known(self, op, entering):
        """The values of what TensorFlow knows before the model runs."""
        if any(value.level != o.CONSTANT or value.variable is not None for value in entering):
            return None
        numbers = known_numbers(op, self.numbers)
        if numbers is None:
            return None
        self.numbers.update((id(t), number) for t, number in zip(op.outputs, numbers, strict=True))
        user = next(iter(op.outputs[0].consumers()), op)
        why = f"it is a constant of the model ({user.type} in {o.place(user)})"
        return [o.constant(number, why) for number in numbers]


def _checked(value, tensor):
    """A value whose rows have the sides of its tensor, or the error that the model cannot run on such inputs."""
    if value.rows is not None and tensor.shape.rank == len(value.rows):
        for row, side in zip(value.rows, tensor.shape, strict=True):
            if side and r.width(row) not in (0, side):
                raise o.Misread(f"{tensor.name} would have {side} entries where {r.width(row)} are")
    return value


def operations_of(graph):
    """The operations that a graph's outputs, or its variables, depend on, in the order in which they run."""
    kept = [op for op in graph.get_operations() if op.op_def.is_stateful and _may_write(op)]
    pending, needed = [t.op for t in graph.outputs] + kept, set()
    while pending:
        op = pending.pop()
        if op not in needed:
            needed.add(op)
            pending.extend(t.op for t in o.entering(op))
    return [op for op in graph.get_operations() if op in needed and op.type != "Placeholder"]


def _may_write(op):
    """Whether an operation may change a variable."""
    return op.type != "ReadVariableOp" and any(t.dtype == tf.resource for t in op.inputs)


def last_of(graph):
    """The operations behind which no weight is read any more, such as a softmax over classes."""
    weights = {id(inner) for _, inner in graph.captures if inner.dtype == tf.resource}
    computed = {id(t) for t in graph.inputs} - {id(inner) for _, inner in graph.captures}
    weighing = set()
    for op in operations_of(graph):
        ins = {id(t) for t in op.inputs}
        if ins & computed:
            computed.update(id(t) for t in op.outputs)
            weighing |= {op} if ins & weights else set()
        elif ins & weights:
            weights.update(id(t) for t in op.outputs)
    pending, found = [t.op for t in graph.outputs], set()
    while pending:
        op = pending.pop()
        if op not in weighing and op not in found:
            found.add(op)
            pending.extend(t.op for t in op.inputs)
    return found


def handles(variables):
    """Keras' variables by the ids of the handles that TensorFlow reads them by."""
    return {id(v.value.handle): v for v in variables if hasattr(v.value, "handle")}


def check(model):
    """Refuse what is no built model, and what TensorFlow does not run."""
    if (backend := keras.backend.backend()) != "tensorflow":
        raise Net2NetError(
            f"Keras runs on {backend}, and models are read as TensorFlow runs them: set KERAS_BACKEND=tensorflow "
            f"before Keras is imported, load the model and grow it; what is saved there loads with {backend} too"
        )
    if not isinstance(model, keras.Model):
        raise Net2NetError(f"model: expected a keras.Model, got {type(model).__name__}")
    if not model.built:
        raise Net2NetError(
            f"model {model.name!r} is not built, so its layers have no weights yet; add a keras.Input or call "
            "model.build(input_shape)"
        )


def read(model, x=None, open=False):
    """Read a model, or say why that cannot be done."""
    check(model)
    errors = []
    for length in LENGTHS if x is None else (None,):
        try:
            return Reading(model, x, length, open)
        except (Unread, o.Misread) as error:
            errors.append(error)
    raise Net2NetError(
        f"model {model.name!r} cannot be run by TensorFlow as a graph, which is how it is read: {errors[0]}"
    ) from errors[0]


class Unread(Net2NetError):
    """A model cannot be run as a graph on such inputs."""


def trace(model, x=None, length=None, batch=BATCH):
    """Run a model once as a graph: its function, what each layer took and gave, and the specification of its inputs."""
    errors = []
    for spec in specs_of(model, length, batch) if x is None else [keras.tree.map_structure(_spec_of_array, x)]:
        calls = []
        try:
            with _listening(calls):
                function = tf.function(lambda inputs: model(inputs, training=False), autograph=False)
                traced = function.get_concrete_function(spec)
            # Layers that are built on the way may be called to see what they give.
            return traced, [call for call in calls if all(_is_in(t, traced.graph) for t in call[2])], spec, length
        except Exception as error:  # a layer may be the user's, and fail in any way
            errors.append(error)
    raise Unread(str(errors[0])) from errors[0]


def _is_in(tensor, graph):
    """Whether a tensor is in a graph, or in a function that it calls."""
    here = tensor.graph
    while here is not graph and here is not None:
        here = getattr(here, "outer_graph", None)
    return here is graph


def _spec_of_array(x):
    x = np.asarray(x)
    return tf.TensorSpec(x.shape, x.dtype)


def specs_of(model, length, batch=BATCH):
    """What a model may take, with `batch` examples, and `length` for every side that it leaves open."""

    def spec(shape, dtype):
        return tf.TensorSpec(
            [(length if i else batch) if side is None else side for i, side in enumerate(shape)], dtype
        )

    if (inputs := inputs_of(model)) is not None:
        return [keras.tree.map_structure(lambda x: spec(x.shape, x.dtype), inputs)]
    # A subclassed model knows the shapes that it was built with, and not whether they are of words or of numbers.
    shapes = model.get_build_config() or {}
    shapes = shapes.get("input_shape") or next(iter(shapes.get("shapes_dict", {}).values()), None)
    if shapes is None:
        raise Net2NetError(f"model {model.name!r}: the shapes of its inputs are not known; give an example as x")
    words = any(isinstance(layer, keras.layers.Embedding) for layer in model._flatten_layers())
    numbers, codes = (
        keras.tree.map_shape_structure(lambda shape, dtype=dtype: spec((None, *shape[1:]), dtype), shapes)
        for dtype in (model.compute_dtype, "int32")
    )
    return [codes, numbers] if words else [numbers, codes]


def inputs_of(model):
    """The inputs of a model, in the structure that it takes; None for one that does not know them."""
    if isinstance(model, keras.Sequential):
        return model.inputs[0] if model._functional is not None else None
    return getattr(model, "_inputs_struct", None)


@contextlib.contextmanager
def _listening(calls):
    """Note in `calls` what each layer takes and gives while a model runs: (layer, tensors in, tensors out)."""
    original = keras.Operation.__call__

    def call(self, *args, **kwargs):
        outputs = original(self, *args, **kwargs)
        given = args, {name: value for name, value in kwargs.items() if "mask" not in name}
        calls.append(
            (self, *([t for t in keras.tree.flatten(x) if isinstance(t, tf.Tensor)] for x in (given, outputs)))
        )
        return outputs

    keras.Operation.__call__ = call
    try:
        yield
    finally:
        keras.Operation.__call__ = original


def known_numbers(op, known):
    """What an operation gives, as arrays, if that is known before the model runs; else None.

    `known` has the arrays of tensors before it, by id.
    """
    if not op.outputs or any(t.dtype in (tf.resource, tf.variant) for t in op.outputs):
        return None
    found = [tf.get_static_value(t) for t in op.outputs]
    if all(each is not None for each in found):
        return [np.asarray(each) for each in found]
    arrays = [known.get(id(t)) for t in op.inputs]
    signature = getattr(tf.raw_ops, op.type, None)
    if signature is None or op.op_def.is_stateful or not arrays or any(a is None or a.size > 1000 for a in arrays):
        return None
    given, rest = {}, [tf.constant(a, t.dtype) for a, t in zip(arrays, op.inputs, strict=True)]
    names = inspect.signature(signature).parameters
    for name, argument in zip(names, op.op_def.input_arg, strict=False):  # some are called otherwise in the definition
        many = op.get_attr(argument.number_attr) if argument.number_attr else 1
        given[name], rest = rest[:many] if argument.number_attr else rest[0], rest[many:]
    given |= {a.name: op.get_attr(a.name) for a in op.op_def.attr if a.name in names}
    try:
        outputs = signature(**given)
    except (TypeError, ValueError, tf.errors.OpError):  # then it stays unknown
        return None
    return [y.numpy() for y in (outputs if isinstance(outputs, list | tuple) else [outputs])]

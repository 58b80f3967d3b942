"""What training needs of a student: the teacher's optimizer with what it has gathered, loss and metrics.

Where a weight is copied, its gradient is multiplied by the copy's share; where it is divided, its gradient is copied.
So what an optimizer keeps of gradients follows the dual of the rule for weights: along an axis that copies, a momentum
is multiplied by the share, a mean of squares by the square of it, and along an axis that divides both are copied. The
power belongs to the optimizer, and is asked of it: how does what it keeps change when gradients are multiplied?

Staged Training (Shen et al. 2022, arXiv:2203.06211) proves it for equal shares and Adam.
"""

import functools
import inspect
import warnings
from collections import Counter
from typing import NamedTuple

import keras
import numpy as np

from helpers.checks import Net2NetError


def compiled_alike(teacher, student):
    """Compile a student as its teacher is, with a fresh optimizer."""
    if not teacher.compiled:
        return
    # get_compile_config() turns functions into names that a loss of the user's own cannot be found by.
    given = dict(teacher._compile_config.config)
    try:
        for key in ("metrics", "weighted_metrics"):
            given[key] = keras.tree.map_structure(_fresh, given[key])
        for key in inspect.signature(teacher.compile).parameters:  # of a class of its own, such as a sampler
            if key not in given and hasattr(teacher, key):
                given[key] = _fresh(getattr(teacher, key))
        optimizer = _fresh(teacher.optimizer)
        _exclude_alike(teacher, optimizer, student)
        student.compile(**given | {"optimizer": optimizer})
    except Exception as error:  # an optimizer or metric may be the user's, and fail in any way
        warnings.warn(
            f"the student is not compiled, because the teacher's settings cannot be copied: {error}", stacklevel=3
        )


def _inner(optimizer):
    """The optimizer itself, where another one around it scales its losses."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _build(student):
    """Let a student's optimizer make what it keeps of each weight."""
    if not student.optimizer.built:
        student.optimizer.build(student.trainable_variables)


def _exclude_alike(teacher, optimizer, student):
    """Take the same weights out of weight decay, which an optimizer's settings do not tell."""
    old, new = _inner(teacher.optimizer), _inner(optimizer)
    keys, pattern = (getattr(old, f"_exclude_from_weight_decay{kind}", None) for kind in ("", "_pattern"))
    if keys is not None:
        paths = {weight.path for weight in teacher.weights if old._var_key(weight) in keys}
        weights = [weight for weight in student.weights if weight.path in paths]
        new.exclude_from_weight_decay(weights, [pattern.pattern] if pattern else None)


def _fresh(value):
    """A copy without state of an optimizer or metric; a name or function as it is."""
    if not hasattr(value, "get_config"):
        return value
    function = getattr(value, "_fn", None)  # of a metric that wraps one
    with keras.saving.custom_object_scope({function.__name__: function} if function else {}):
        return type(value).from_config(value.get_config())


# The state of the optimizer


class Law(NamedTuple):
    """How an optimizer answers gradients that are multiplied by s."""

    powers: dict  # name of what it keeps of each weight -> p, where that is multiplied by s ** p
    update: int | None  # q, where its update is multiplied by s ** q; None where it is by nothing of the kind


class NoLaw(Exception):
    """What an optimizer keeps does not scale with the gradients."""


AVERAGE = "_model_variables_moving_average"  # of the weights themselves, whose rule it follows
GRADIENTS = "_accumulated_gradients"
COPIES = np.array([0, 1, 2, 0, 1])  # of three units
SHARES = np.array([0.5, 0.25, 1.0, 0.5, 0.75])


def law_of(optimizer: keras.optimizers.Optimizer) -> Law:
    """Ask an optimizer how it answers gradients that are multiplied, by a few updates of small arrays and copies.

    Raises `NoLaw` where what it keeps follows no power of the factor, as factored moments.
    """
    plain = {"gradient_accumulation_steps": None, "use_ema": False, "learning_rate": 0.1, "weight_decay": 0.0}
    plain |= dict.fromkeys(("clipnorm", "clipvalue", "global_clipnorm", "loss_scale_factor"))
    settings = optimizer.get_config()
    settings |= {key: value for key, value in plain.items() if settings.get(key) is not None}
    trial = type(optimizer).from_config(settings)
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((3,), (4, 3))]
    # Six weights: two as they are, both copied, both divided.
    begin = [*arrays, *(_placed(each, 0) for each in arrays), *(_placed(each, 1) for each in arrays)]
    weights = [keras.Variable(each, dtype="float32") for each in begin]
    trial.build(weights)
    kept = slots(trial)
    known = [trial._learning_rate, *scalars(trial).values(), *(each for values in kept.values() for each in values)]
    if {id(each) for each in trial.variables} - set(map(id, known)):
        raise NoLaw(f"{type(optimizer).__name__} keeps other things than one number for each weight, or for all")

    def update():
        """Change all by gradients, beside which epsilon is nothing."""
        g = [np.float32(1e3 * rng.normal(size=each.shape)) for each in arrays]
        trial.apply([*g, *(_placed(each, 1) for each in g), *(_placed(each, 0) for each in g)])

    begun = {name: _numbers(values) for name, values in kept.items()}
    for _ in range(3):  # the first may leave what is kept as it is
        update()
    powers = {}
    for name, values in kept.items():
        now = _numbers(values)
        changes = [a - b for a, b in zip(now, begun[name], strict=True)]
        powers[name] = _power(changes[:2], changes[2:4])
        if any(each is not None for each in values) and not any(each.any() for each in changes):
            raise NoLaw(f"{type(optimizer).__name__} keeps {name.strip('_')}, which few updates change")
        if powers[name] is None or _power(now[:2], now[4:]) != 0:
            raise NoLaw(f"{type(optimizer).__name__} keeps {name.strip('_')}, which do not scale with the gradients")
        for array, copied in zip(now[:2], values[2:4], strict=True):
            if copied is not None:
                copied.assign(_placed(array, powers[name]))
    before = _numbers(weights[:2])
    for array, copied in zip(before, weights[2:4], strict=True):  # whatever the first updates made of them
        copied.assign(_placed(array, 0))
    before = _numbers(weights)
    update()
    changes = [a - b for a, b in zip(_numbers(weights), before, strict=True)]
    return Law(powers, _power(changes[:2], changes[2:4]))


def law_or_why(optimizer):
    """The law of an optimizer, or why it has none."""
    try:
        return law_of(_inner(optimizer))
    except Exception as error:
        return _why(error)


def _why(error):
    """Why an optimizer has no law: it may be the user's, and fail in any way."""
    return str(error) if isinstance(error, NoLaw) else f"it cannot be asked how it answers gradients: {error}"


def _numbers(values):
    return [np.zeros(3) if each is None else each.numpy() for each in values]


def _placed(array, power):
    return np.float32(array[..., COPIES] * SHARES**power)


def _power(arrays, copies):
    """The power of the share by which copies differ from what they copy; None if it is no power."""
    for power in (0, 1, 2):
        pairs = zip(arrays, copies, strict=True)
        if all(b.shape == a.shape or np.allclose(b, _placed(a, power), rtol=1e-3, atol=0) for a, b in pairs):
            return power
    return None


def slots(optimizer):
    """What an optimizer keeps of each weight: {name: variables in the order of its weights}."""
    weights = optimizer._trainable_variables
    return {
        name: list(values)
        for name, values in vars(optimizer).items()
        if isinstance(values, list)
        and name not in ("_variables", "_trainable_variables")
        and len(values) == len(weights)
        and all(
            each is None or getattr(each, "shape", None) == weight.shape
            for each, weight in zip(values, weights, strict=True)
        )
    }


def scalars(optimizer):
    """Counts, scales and the like, which an optimizer keeps for all weights together: {name: variable}."""
    return {
        name: value
        for name, value in vars(optimizer).items()
        if isinstance(value, keras.Variable) and not len(value.shape) and name != "_learning_rate"
    }


class AsBefore(NamedTuple):
    """A filling, as `goes_on` takes it, for a student whose weights are as wide as its teacher's."""

    origin: dict  # id of a student's weight -> the teacher's

    def kept(self, weight, array, copied, divided, fill):
        return array


def goes_on(teacher, student, filling, wish):
    """Let a student's optimizer go on from its teacher's; return its law, or why it has none, and whether it does.

    Where nothing goes on, the law is a function that asks for it: that takes a tenth of a second, and few want it.

    Parameters
    ----------
    teacher, student : keras.Model
        The teacher is only read.
    filling : object
        ``origin`` says which teacher's weight each of the student's comes from, by its id; ``kept(weight, array,
        copied, divided, fill)`` places what is kept of one in the student: along axes that copy, multiplied by the
        share to the power `copied`, along those that divide to the power `divided`; what is new gets `fill`.
    wish : {"carry", "fresh"}
    """
    if not (teacher.compiled and student.compiled):
        return None, False
    old, new = _inner(teacher.optimizer), _inner(student.optimizer)
    gathered = wish == "carry" and getattr(old, "built", False) and int(old._iterations) > 0
    try:
        if type(old) is not type(new):
            raise NoLaw(f"the student's optimizer is {type(new).__name__}, the teacher's {type(old).__name__}")
        if not gathered:
            return functools.partial(law_or_why, _fresh(old)), False  # the optimizer itself would keep the teacher
        law = law_of(old)
        _build(student)
        levels = [(teacher.optimizer, student.optimizer), (old, new)]
        for variable, value in _carried(levels, law, filling):
            variable.assign(value)
    except Exception as error:
        law = _why(error)
    return law, gathered


def _carried(levels, law, filling):
    """What a student's optimizer gets: pairs of its variables and values. Learning rates are settings."""
    found = []
    for old, new in levels:  # what scales losses may stand around an optimizer
        fresh = scalars(new)
        found += [(fresh[name], value) for name, value in scalars(old).items() if name in fresh]
    kept, fresh = slots(old), slots(new)
    if odd := sorted((kept.keys() ^ fresh.keys()) - {AVERAGE, GRADIENTS}):
        raise NoLaw(f"only one of the two optimizers keeps {odd[0].strip('_')}")
    index = {old._var_key(weight): i for i, weight in enumerate(old._trainable_variables)}
    sources = [filling.origin.get(id(weight)) for weight in new._trainable_variables]
    places = [None if source is None else index.get(old._var_key(source)) for source in sources]
    if all(place is None for place in places):
        raise NoLaw("the teacher's optimizer was not built for its weights")
    for name, values in fresh.items():
        copied, divided = {AVERAGE: (0, 1), GRADIENTS: (1, 0)}.get(name) or (law.powers[name], 0)
        arrays = [None if each is None else each.numpy() for each in kept.get(name, [None] * len(index))]
        means = [np.mean(each) for each in arrays if each is not None]
        # With no squares yet, the first updates of a new weight would be too large, since many updates were counted.
        fill = np.nan if name == AVERAGE else np.mean(means) if copied == 2 and means else 0.0
        for weight, slot, source, place in zip(new._trainable_variables, values, sources, places, strict=True):
            if slot is None:
                continue
            array = None if place is None else arrays[place]
            if array is not None:
                array = filling.kept(source, array, copied, divided, fill)
            if array is None or array.shape != tuple(slot.shape):
                array = np.full(slot.shape, fill)
            found.append((slot, np.where(np.isnan(array), weight.numpy(), array) if name == AVERAGE else array))
    return found


def rates_of(model):
    """What `use_rates` multiplies the updates of a model's weights by: {id of a weight: array}."""
    optimizer = _inner(getattr(model, "optimizer", None))
    rated = getattr(getattr(optimizer, "update_step", None), "rated", {})
    return {id(optimizer._trainable_variables[i]): np.array(rate, "float64") for i, rate in rated.items()}


def use_rates(student: keras.Model, rates: dict[str, np.ndarray]) -> None:
    """Multiply every update of a compiled model's weights by rates, such as ``growth(student).rates``.

    Parameters
    ----------
    student : keras.Model
        A compiled model. Its optimizer is changed in place, until it is saved: files do not keep rates. A student of
        it begins without them; those that `growth` tells of a wider one count them in.
    rates : dict
        From the path of a weight to a factor, or an array of factors that fits its shape. Other weights keep theirs,
        also of a call before. Those of frozen weights wait for a call behind the next `compile`.

    Raises
    ------
    Net2NetError
        If the model is not compiled, or has no weight of a name.

    Examples
    --------
    To train the weights into the new units of a layer, and nothing else:

    >>> from helpers import growth, net2wider_net
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="hidden"), keras.layers.Dense(2)])
    >>> teacher.compile("sgd", "mse")
    >>> student = net2wider_net(teacher, {"hidden": 5}, seed=0)
    >>> kernel, new = student.get_layer("hidden").kernel, growth(student).new["hidden"]
    >>> still = {weight.path: 0.0 for weight in student.trainable_variables}
    >>> use_rates(student, still | {kernel.path: new.astype(float)})
    >>> before = kernel.numpy()
    >>> _ = student.train_on_batch(np.ones((1, 4)), np.ones((1, 2)))
    >>> (kernel.numpy() != before).any(axis=0).tolist()
    [False, False, False, True, True]
    """
    if not student.compiled:
        raise Net2NetError(f"student: model {student.name!r} is not compiled, so that it has no optimizer")
    paths = Counter(weight.path for weight in student.weights)
    for path in rates:
        if paths[path] != 1:
            count = "two weights" if paths[path] else "no weight"
            known = "" if paths[path] else f"; its weights are {', '.join(map(repr, list(paths)[:3]))}, ..."
            raise Net2NetError(f"rates: model {student.name!r} has {count} {path!r}{known}")
    _build(student)
    optimizer = _inner(student.optimizer)
    known = {id(weight) for weight in optimizer._trainable_variables}
    for weight in student.trainable_variables:
        if weight.path in rates and id(weight) not in known:
            raise Net2NetError(
                f"rates: the optimizer of model {student.name!r} does not know {weight.path!r}, which is trainable "
                "since it was made; compile the model again"
            )
    known = optimizer.update_step
    update, rated = getattr(known, "plain", known), dict(getattr(known, "rated", {}))
    for i, weight in enumerate(optimizer._trainable_variables):
        if weight.path in rates:
            rated[i] = keras.ops.cast(rates[weight.path], weight.dtype)

    def update_step(gradient, variable, learning_rate):
        rate = rated.get(optimizer._get_variable_index(variable))
        before = None if rate is None else keras.ops.copy(variable)
        update(gradient, variable, learning_rate)
        if rate is not None:
            variable.assign(before + (variable - before) * rate)

    update_step.plain, update_step.rated = update, rated
    optimizer.update_step = update_step
    student.make_train_function(force=True)

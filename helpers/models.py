"""Model in, model out: wider students of a trained Keras model that compute what it computes.

The teacher is only read. A student is built whole or not at all, with the teacher's class, names, regularizers,
constraints, strides, dtypes and trainable flags, and compiled as the teacher is.
"""

import warnings
from typing import Any, NamedTuple

import keras
import numpy as np

from helpers import building as bd
from helpers import classes, proof, training
from helpers import groups as g
from helpers import reading as rd
from helpers import rows as r
from helpers import settings as st
from helpers import weights as w
from helpers.checks import Net2NetError, check_choice, check_noise, check_width, generator, warn_if_not_finite
from helpers.filling import Filling
from helpers.proof import function_gap
from helpers.report import GROWN, Growth, growth

__all__ = ["channel_groups", "copy_weights", "function_gap", "grow_into", "growth", "net2wider_net"]

# Wider


def net2wider_net(
    teacher: keras.Model,
    widths: float | dict[str, int],
    *,
    init: str = "net2wider",
    split: str = "noise",
    noise: float = 0.0,
    seed: int | None = None,
    strict: bool = False,
    round_to: int = 1,
    check: bool = True,
    optimizer: str = "carry",
) -> keras.Model:
    """Build a wider student that computes the same function.

    Parameters
    ----------
    teacher : keras.Model
        A built model: Sequential, functional, or of a class of its own with a `get_config`. It is not changed.
    widths : float or dict
        A factor over 1 for everything hidden, rounded up to whole units; what it cannot widen stays, and `growth` says
        why. Or {name: new width}, with names and widths as `channel_groups` lists them.
    init : {"net2wider", "zeropad", "randompad"}
        "net2wider" copies units, and keeps the function. The others give new units random incoming weights: "zeropad"
        with outgoing weights of zero, which keeps the function too; "randompad", the baseline that does not, with
        random ones.
    split : {"noise", "equal", "random", "weights"}
        How copies share outgoing weights. All are exact. "noise": equal shares, with noise as large as the weights that
        cancels among the copies. It is the default because the copies part at once, and students end best (chapter 10).
        "equal", the paper's: copies stay equal in training. "random": one share for each unit, drawn; the copies'
        gradients are parallel. "weights": one share for each weight, drawn. `growth(student).rates` needs "equal" or
        "random". Where all weights are zero, as at the end of a new block, "noise" alone parts the copies.
    noise : float
        Standard deviation of the relative noise on the incoming weights of copies. 0 keeps the function.
    seed : int, optional
        Fixes every draw.
    strict : bool
        Raise an error where a factor leaves something hidden as it is, instead of a warning.
    round_to : int
        Round widths up to multiples of it, such as 8 for fast kernels.
    check : bool
        Ask teacher and student on a few drawn inputs, too, when the student is proved to run the same operations.
        Where that cannot be done, `growth` says why.
    optimizer : {"carry", "fresh"}
        "carry" gives the student's optimizer what the teacher's has gathered: moments, the count of updates, a
        schedule's place, averages. What is nobody's copy begins with moments of zero, and with the mean of the others'
        squares, so that its first steps are small. "fresh" begins without; then let your rate rise from zero, or
        Adam's first updates are too large. `growth` says what could not be carried.

    Returns
    -------
    keras.Model
        The student, of the teacher's class and dtypes, compiled as the teacher is.

    Raises
    ------
    Net2NetError
        If a width is not larger than it was, a name is unknown or of what cannot widen, or two names of one group ask
        for different widths; if no settings give the widths asked for by name; if nothing can widen; with "zeropad"
        also where new channels would count in statistics, or enter what is not finite for all values.

    Examples
    --------
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, activation="relu", name="hidden"),
    ...                             keras.layers.Dense(2)])
    >>> student = net2wider_net(teacher, {"hidden": 20}, seed=0)
    >>> student.get_layer("hidden").units, function_gap(teacher, student) < 1e-5
    (20, True)

    References
    ----------
    Chen et al. 2016, section 2.3 and algorithm 1, for "equal".
    """
    check_choice("init", init, w.INITS)
    check_choice("split", split, w.SPLITS)
    check_noise(noise)
    check_choice("optimizer", optimizer, ("carry", "fresh"))
    round_to = check_width("round_to", round_to, 1)
    rng = generator(seed)
    reading = rd.read(teacher)
    if not bd.is_plain(teacher) and not _has_settings(teacher):
        raise Net2NetError(
            f"model {teacher.name!r} ({type(teacher).__name__}): its class does not tell its settings, so nobody can "
            "build a larger one; build it yourself and give it to grow_into(teacher, student), or write its get_config"
        )
    groups = g.Groups(reading)
    for weight in teacher.weights:
        warn_if_not_finite(f"weight {weight.path!r}", weight.numpy(), stacklevel=3)
    how = {"init": init, "split": split, "noise": noise, "rng": rng, "check": check}
    widening = _Widening(groups, how)
    student, sizes, stay = widening.student(widths, round_to)
    report = GROWN[student] = Growth(groups, sizes, stay, widening.filling)
    report.unasked = widening.unasked
    if not isinstance(widths, dict) and (left := report.left()):
        text = f"{len(left)} of {len(report)} groups of channels stayed as they are; growth(student) says why"
        if strict:
            raise Net2NetError(f"widths: {text.split(';')[0]}:\n{report}")
        warnings.warn(text, stacklevel=2)
    training.compiled_alike(teacher, student)
    report.carried(student, *training.goes_on(teacher, student, widening.filling, optimizer))
    return student


class _Widening:
    """How a student gets the widths that are wanted, or as many of them as can be had.

    Attributes
    ----------
    how : dict
        `init`, `split`, `noise`, `check` of `net2wider_net`, and the generator `rng`.
    tries : int
        How many more students may be built.
    filling : Filling
        What gave the last student its weights.
    unasked : str or None
        Why that student could not be asked on numbers, if so.
    """

    def __init__(self, groups, how):
        self.groups, self.reading, self.how, self.tries = groups, groups.reading, how, 40

    def student(self, widths, round_to):
        """The student, the widths that it has, and why other units stayed."""
        groups, teacher, by_name = self.groups, self.reading.model, isinstance(widths, dict)
        if not bd.is_plain(teacher):
            own = classes.Class(groups)
            if by_name:
                changes, sizes, stay = *own.by_name(widths), {}
            else:
                wish, stay = groups.sizes(widths, round_to)
                changes, sizes, rest = own.by_factor(widths, wish, round_to)
                stay |= rest
            student = own.build(changes)
            self._fill(student, sizes, lambda placed: bd.fill(teacher, student, placed))
            return student, sizes, stay
        sizes, stay = groups.sizes(widths, round_to)
        student, kept, reasons = self._attempt(sizes, {} if by_name else stay, by_name)
        return student, kept, stay | reasons

    def _attempt(self, sizes, stay, by_name):
        """A student of these sizes, or with less of them where it cannot be built or computes something else."""
        if not sizes:
            odd = (group.fixed for group in self.groups if group.fixed and not group.structural)
            reasons = "; ".join(dict.fromkeys([*stay.values(), *odd]))
            raise Net2NetError(
                f"widths: model {self.reading.model.name!r} has no hidden layer to widen; "
                + (reasons or "its layers are tied to its inputs and outputs")
            )
        builder = bd.Builder(self.reading.model, st.Widths(self.reading, sizes))
        try:
            student = builder.build()
            self._fill(student, sizes, lambda placed: builder.fill(student, placed))
            return student, sizes, stay
        except (st.Unbuildable, proof.Parted) as error:
            here = _units_at(self.reading, sizes, error)
            if by_name or not here:
                raise
            for out in _subsets(self.groups, here):
                self.tries -= 1
                rest = {each: width for each, width in sizes.items() if each not in out}
                rest, more = self.groups.settled(rest, stay | dict.fromkeys(out, str(error)))
                try:
                    return self._attempt(rest, more, by_name)
                except (st.Unbuildable, proof.Parted) as again:
                    if len(out) == len(here) or self.tries < 0:
                        raise
                    if _place(again) != _place(error):
                        raise

    def _fill(self, student, sizes, fill):
        init, noise = self.how["init"], self.how["noise"]
        if init == "zeropad":
            _check_zeropad(self.reading, sizes)
        self.filling = Filling(self.reading, sizes, init, self.how["split"], noise, self.how["rng"])
        fill(self.filling)
        numbers = self.how["check"] and init != "randompad" and not noise
        self.unasked = proof.check(self.reading, student, sizes, numbers)


def _place(error):
    """Where a student failed: the layer, or what tells it."""
    return getattr(error, "layer", str(error))


def _subsets(groups, units):
    """Which of some units to leave out, in the order to try: each group alone, all but one, all."""
    parts = [
        [each for each in units if groups.of.get(each) is group] for group in dict.fromkeys(map(groups.of.get, units))
    ]
    if len(parts) > 1:
        yield from parts
        yield from (
            [each for other in parts if other is not part for each in other] for part in parts if len(parts) > 2
        )
    yield units


def grow_into(
    teacher: keras.Model,
    student: keras.Model,
    *,
    split: str = "noise",
    noise: float = 0.0,
    seed: int | None = None,
    check: bool = True,
    x: Any = None,
    optimizer: str = "carry",
) -> keras.Model:
    """Fill a larger student of the same architecture, however it was made, so that it computes the same function.

    Parameters
    ----------
    teacher, student : keras.Model
        Models of one architecture, both built. Only the student's weights are changed; their shapes say how wide it is.
    split, noise, seed, check
        As in `net2wider_net`.
    x : array, or list or dict of arrays, optional
        Example inputs, for models that do not know the shapes of their inputs.
    optimizer : {"carry", "fresh"}
        As in `net2wider_net`, for students that are compiled with an optimizer of the teacher's kind.

    Returns
    -------
    keras.Model
        The student itself.

    Raises
    ------
    Net2NetError
        If the two are not of one architecture (the message names the first operation that differs), or if the student
        has sizes that cannot be made by copies.

    Examples
    --------
    >>> def model(width):
    ...     return keras.Sequential([keras.Input((4,)), keras.layers.Dense(width, "relu"), keras.layers.Dense(2)])
    >>> teacher = model(8)
    >>> function_gap(teacher, grow_into(teacher, model(12), seed=0)) < 1e-5
    True

    References
    ----------
    Chen et al. 2016, section 2.3.
    """
    check_choice("split", split, w.SPLITS)
    check_noise(noise)
    check_choice("optimizer", optimizer, ("carry", "fresh"))
    proof.check_models(teacher=teacher, student=student)
    rng = generator(seed)
    reading = rd.read(teacher, x)
    pairs = bd.weight_pairs(teacher, student)
    groups = g.Groups(reading)
    sizes = g.sizes_from_shapes(groups, pairs)
    for weight in teacher.weights:
        warn_if_not_finite(f"weight {weight.path!r}", weight.numpy(), stacklevel=3)
    before = [(weight, weight.numpy()) for _, weight in pairs]
    filling = Filling(reading, sizes, "net2wider", split, noise, rng)
    try:
        for old, new in pairs:
            if (array := filling(old, new)) is not None:
                new.assign(array)
        bd.settle(student)
        unasked = proof.check(reading, student, sizes, numbers=check and not noise, x=x)
    except Exception:
        for weight, values in before:
            weight.assign(values)
        raise
    report = GROWN[student] = Growth(groups, sizes, {}, filling)
    report.unasked = unasked
    report.carried(student, *training.goes_on(teacher, student, filling, optimizer))
    return student


def channel_groups(model: keras.Model) -> g.ChannelGroups:
    """List the groups of channels of `model` that share one width, and so must be widened together.

    Parameters
    ----------
    model : keras.Model
        A built model.

    Returns
    -------
    ChannelGroups
        A list of `ChannelGroup`, in the order of the model, with the names and widths that `net2wider_net` takes, and
        for what cannot widen the reason; prints as a table.

    Raises
    ------
    Net2NetError
        If the model is not built, or cannot be run as a graph.

    Examples
    --------
    >>> x = keras.Input((4,))
    >>> h = keras.layers.Dense(8, activation="relu", name="first")(x)
    >>> h = keras.layers.Add(name="sum")([h, keras.layers.Dense(8, name="second")(h)])
    >>> model = keras.Model(x, keras.layers.Dense(2, name="last")(h))
    >>> channel_groups(model)
     width  layers
         8  first, second
            tied by sum
         2  last
            fixed: it is the model's output

    References
    ----------
    Chen et al. 2016, section 2.3, on models whose layers have more than one input or output.
    """
    groups = g.Groups(rd.read(model))
    found = groups if bd.is_plain(model) or not _has_settings(model) else classes.Class(groups).listed()
    return g.ChannelGroups(group for group in found if group.layers)


def _has_settings(model):
    """Whether a model tells its settings; one that does not is filled by `grow_into`."""
    try:
        model.get_config()
    except Exception:  # the class may be the user's
        return False
    return True


def _units_at(reading, sizes, error):
    """The units that widen where a student could not be built or parts from its teacher."""
    if isinstance(error, proof.Parted):
        found = [each for row in error.rows for each in r.units(row) if each in sizes]
        return list(dict.fromkeys(found))
    held = [id(v) for v in getattr(error.layer, "weights", ())]
    rows = [row for key in held if key in reading.read for row in reading.weights[key].rows]
    for found in (rows + reading.rows_out(error.layer), reading.rows_in(error.layer)):
        if here := [each for row in found for each in r.units(row) if each in sizes]:
            return list(dict.fromkeys(here))
    return []


def _check_zeropad(reading, sizes):
    for row, reason in reading.limited:
        if r.widens(row, sizes):
            raise Net2NetError(
                f"init: 'zeropad' makes new channels with any values, but {reason}; use 'net2wider', which copies "
                "what is there"
            )


# Weights by name


class CopyReport(NamedTuple):
    """What `copy_weights` did: names copied, and names left out with the reason."""

    copied: list
    left_out: dict

    def __str__(self):
        lines = [f"copied    {name}" for name in self.copied]
        return "\n".join(lines + [f"left out  {name}: {why}" for name, why in self.left_out.items()])


def copy_weights(teacher: keras.Model, student: keras.Model, layer_names: list[str]) -> CopyReport:
    """Copy the weights of the named layers from teacher to student, where their shapes agree.

    Parameters
    ----------
    teacher, student : keras.Model
        Only the student is changed.
    layer_names : list of str
        Layers that both models have.

    Returns
    -------
    CopyReport
        ``copied``, a list of names, and ``left_out``, {name: reason}. Prints as a list.

    Raises
    ------
    Net2NetError
        If one of the two is no model, or `layer_names` no list of names.

    Examples
    --------
    >>> def model(classes):
    ...     layers = [keras.layers.Dense(8, name="a"), keras.layers.Dense(classes, name="b")]
    ...     return keras.Sequential([keras.Input((4,)), *layers])
    >>> teacher, student = model(2), model(3)
    >>> print(copy_weights(teacher, student, ["a", "b"]))
    copied    a
    left out  b: shapes differ, teacher (8, 2) (2,), student (8, 3) (3,)
    """
    proof.check_models(teacher=teacher, student=student)
    if isinstance(layer_names, str):
        raise Net2NetError(
            f"layer_names: expected a list of names, got the string {layer_names!r}; write [{layer_names!r}]"
        )
    if not np.iterable(layer_names):
        raise Net2NetError(f"layer_names: expected a list of names, got {layer_names!r}")
    report = CopyReport([], {})
    of = {
        who: {layer.name: layer for layer in model.layers}
        for who, model in (("teacher", teacher), ("student", student))
    }
    for name in layer_names:
        missing = [who for who in of if name not in of[who]]
        if missing:
            report.left_out[name] = f"the {' and the '.join(missing)} has no layer of this name"
            continue
        weights, here = of["teacher"][name].get_weights(), of["student"][name].get_weights()
        shapes, wanted = ([a.shape for a in arrays] for arrays in (weights, here))
        if not weights and not here:
            report.left_out[name] = "it has no weights"
        elif shapes != wanted:
            told = ("teacher", *shapes), ("student", *wanted)
            report.left_out[name] = "shapes differ, " + ", ".join(" ".join(map(str, each)) for each in told)
        else:
            of["student"][name].set_weights(weights)
            bd.settle(of["student"][name])
            report.copied.append(name)
    return report

"""What grew in a student, and what stayed and why."""

import html
import itertools
import math
import operator
import weakref
from typing import NamedTuple

import keras
import numpy as np

from helpers import groups as g
from helpers import proof, training
from helpers import rows as r
from helpers import weights as w
from helpers.checks import Net2NetError

__all__ = ["growth"]

GROWN = weakref.WeakKeyDictionary()  # student -> its report


class Grown(NamedTuple):
    """One group of channels before and after: `reason` says why it stayed, and is None if it grew."""

    names: list
    old: int
    new: int
    parameters_before: int
    parameters_after: int
    reason: str | None
    weights: list  # paths of the weights that have these channels along an axis


class _Report(list):
    """What prints as a table, with lines below it on the optimizer and on what was not asked."""

    optimizer = unasked = None
    ASKED = "The student"  # how the last of these lines begins

    def _asked(self):
        return [f"{self.ASKED} was not asked on numbers: {self.unasked}"] if self.unasked else []

    def _below(self):
        return ([f"The optimizer {self.optimizer}."] if self.optimizer else []) + self._asked()

    def _page(self, rows):
        return g.table(self.HEAD, rows) + "".join(f"<p>{html.escape(line)}</p>" for line in self._asked())


class Growth(_Report):
    """What a student's growth did: a list of `Grown`, which prints as a table.

    Attributes
    ----------
    optimizer : str or None
        What became of the state of the teacher's optimizer; None where there was none.
    new : dict
        From each name to an array of bool: which of its channels are new.
    unasked : str or None
        Why teacher and student could not be asked on numbers, if so; then the proof stands alone.
    """

    ASKED = "It runs the teacher's operations, but"
    HEAD = ("layers", "width", "now", "parameters", "now", "stayed because")

    def __init__(self, groups, sizes, stay, filling):
        super().__init__()
        self._law, self._split = None, filling.split
        self._sides = filling.sides()  # the filling itself would keep the teacher
        self.new = {name: filling.new(rows[0]) for name, rows in groups.rows.items()}
        self._natural = set()
        for group in groups:
            if not group.layers:
                continue
            new = r.width(groups.rows[group.layers[0]][0], sizes)
            leaders = [leader for each in group.units for leader in groups.inner.get(each, ())]
            part = any(each in sizes for each in leaders)  # of an axis that grew
            told = (stay.get(each) or each.fixed for each in (*group.units, *leaders))
            reasons = [group.fixed, g.INNER if part else None, *told]
            reason = None if new > group.width else next(filter(None, reasons), "it was not asked for")
            held = list(group.weights.values())
            shapes = [(v.shape, filling.shapes.get(id(v), v.shape)) for v in held]
            before, after = (sum(math.prod(pair[when]) for pair in shapes) for when in (0, 1))
            paths = [v.path for v in held]
            self.append(Grown(list(group.layers), group.width, new, before, after, reason, paths))
            if group.structural or part:
                self._natural.add(id(self[-1]))

    def carried(self, student, law, optimizer):
        """Note how an optimizer goes on, by its law, or by why it has none, or by a function that asks for them."""
        self._law, self.optimizer = law, _went_on(law, optimizer)
        self._student, self._began = weakref.ref(student), _reference(student)

    @property
    def rates(self) -> dict[str, np.ndarray]:
        """A factor for every update of each weight, by its path, that keeps student and continued teacher equal.

        Widen with ``split="random"`` or ``split="equal"`` to have them: the default parts the copies at once. They hold
        for as long as both are trained on the same batches, without draws, regularizers and clipped norms, with an
        epsilon that is small beside the gradients, and with equal shares where a normalization takes the mean of
        channels. Where student and teacher were compiled again, they are those of the student's optimizer now.
        `use_rates` applies them. Arrays that fit the weight's shape.
        """
        law, student = self._law, self._student()
        if _reference(student) not in (None, self._began):  # compiled again
            law = training.law_or_why(student.optimizer)
        law = law() if callable(law) else law
        if law is None:
            why = "it is not compiled"
        elif isinstance(law, str):
            why = law
        elif law.update is None:
            why = "its optimizer answers gradients by no power of the shares, as one that looks at whole weights does"
        elif self._split not in w.SHARED:
            why = f"its split {self._split!r} parts the copies; widen with split='random' or split='equal' to have them"
        else:
            found = {}
            for path, (rate, axes) in self._sides.items():
                for axis, divides, shares in axes:
                    factor = shares if divides else shares**-law.update
                    rate = rate * np.expand_dims(factor, tuple(k for k in range(rate.ndim) if k != axis))
                found[path] = rate
            return {path: rate for path, rate in found.items() if np.any(rate != 1)}
        raise Net2NetError(f"rates: there are none for this student, because {why}")

    def left(self):
        """What stayed though it is hidden, and not part of an axis that grew."""
        return [e for e in self if e.reason and id(e) not in self._natural]

    def __repr__(self):
        rows = [
            self.HEAD,
            *(
                (", ".join(e.names), e.old, e.new, e.parameters_before, e.parameters_after, e.reason or "")
                for e in self
            ),
        ]
        texts = [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
        wide = [max(len(row[i]) for row in texts) for i in range(5)]
        lines = [
            "  ".join([row[0].ljust(wide[0]), *(row[i].rjust(wide[i]) for i in range(1, 5)), row[5]]).rstrip()
            for row in texts
        ]
        return "\n".join(lines + self._below())

    def _repr_html_(self):
        return self._page([(", ".join(e.names), *e[1:5], e.reason or "") for e in self])


def _reference(model):
    """A weak reference to a model's optimizer; None where there is none."""
    return weakref.ref(model.optimizer) if getattr(model, "compiled", False) else None


def _went_on(law, optimizer):
    """What became of an optimizer's state; None where there was none."""
    if not optimizer:
        return None
    return f"begins fresh: {law}" if isinstance(law, str) else "goes on"


def _few(names):
    """Names as a table has room for them."""
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} and {len(names) - 1} others"


class Deepening(NamedTuple):
    """What came behind one layer: its name, the new layers, and how they begin."""

    after: str
    layers: list
    how: str


class Left(NamedTuple):
    """What nothing new follows though no names were given; `natural` if nobody would expect it, as behind outputs."""

    name: str
    reason: str
    natural: bool


class Deepened(_Report):
    """What made a student deeper: a list of `Deepening`, which prints as a table.

    Attributes
    ----------
    left : list of Left
    optimizer, unasked : str or None
        As in `Growth`.
    """

    HEAD = ("behind", "new", "parameters", "how")

    def __init__(self, deepened, left):
        super().__init__(deepened)
        self.left = left

    def carried(self, _, law, optimizer):
        """Note how an optimizer goes on, by its law, or by why it has none."""
        self.optimizer = _went_on(law, optimizer)

    def _rows(self):
        for after, layers, how in self:
            names = _few([layer.name for layer in layers if layer.weights]) or "a block of its class"
            count = sum(layer.count_params() for layer in layers)
            yield after, names, f"{count:,}" if layers else "", how
        for reason, left in itertools.groupby(self.left, key=operator.attrgetter("reason")):
            yield _few([each.name for each in left]), "nothing", "", reason

    def __repr__(self):
        rows = [self.HEAD, *self._rows()]
        wide = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = [
            "  ".join([row[0].ljust(wide[0]), row[1].ljust(wide[1]), row[2].rjust(wide[2]), row[3]]) for row in rows
        ]
        return "\n".join(lines + self._below())

    def _repr_html_(self):
        return self._page(self._rows())


def growth(student: keras.Model) -> Growth | Deepened:
    """Tell what grew in a student, from which width to which, and what stayed and why; or what made it deeper.

    Parameters
    ----------
    student : keras.Model
        As `net2wider_net`, `grow_into`, `extend` or `net2deeper_net` returned it in this session.

    Returns
    -------
    Growth, or Deepened
        Of a deeper student, a list with one `Deepening` for each layer or block that is followed; ``left`` says what is
        not, and why. Else a list with one `Grown` for each group of channels: names, old and new width, parameters of
        its weights before and after, and the reason if it stayed. Prints as a table. Its ``optimizer`` says whether the
        optimizer goes on or begins fresh, ``new`` which channels of each name are new, and ``rates`` by what to
        multiply the updates of each weight, as `use_rates` does, so that student and continued teacher stay equal;
        it needs ``split="random"`` or ``"equal"``.

    Raises
    ------
    Net2NetError
        If the model was not grown in this session; files do not keep the report.

    Examples
    --------
    >>> from helpers import net2wider_net
    >>> teacher = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, name="hidden"),
    ...                             keras.layers.Dense(2, name="end")])
    >>> growth(net2wider_net(teacher, 1.5))
    layers  width  now  parameters  now  stayed because
    hidden      8   12          56   84
    end         2    2          18   26  it is the model's output
    """
    proof.check_models(student=student)
    if student not in GROWN:
        raise Net2NetError(
            f"student: model {student.name!r} was not grown in this session; what a function of "
            "helpers returned is known until it is saved and loaded"
        )
    return GROWN[student]

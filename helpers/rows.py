"""The algebra of channels: what the entries of an axis copy, and which axes must therefore widen together.

`Units` are channels that share one mapping. A *row* describes one axis of a tensor. It is a sum of segments, which
follow one another; a segment is a product of atoms, the first of which changes slowest. An atom is a number, `Units`,
or a row in its turn. So a row is a tuple of tuples:

    ((u,),)        an axis of the channels u
    ((u,), (v,))   the channels u, then the channels v: a concatenation
    ((49, u),)     49 positions with the channels u each: a flattened picture
    ((h, k),)      heads h with k channels each
    ((h, ((2,), (k,))),)   heads h with 2 channels that cannot widen, then k that can, each: a row within a row

A number is a part that cannot widen; an axis without entries is the empty row. Nothing here knows Keras.

What is tied becomes one: of two `Units` that must widen alike, one gets the other as its `parts`; `Units` that turn
out to be two behind each other, or some times others, get those. Rows that were made before need not be made again:
`normal` looks up what has become of their units.

    >>> u, v, w = Units(5, "u"), Units(3, "v"), Units(2, "w")
    >>> tie(((u,),), ((v,), (w,)), "they are added")     # u is v and w now
    ((<3 units of v>,), (<2 units of w>,))
    >>> units(((u,),))
    [<3 units of v>, <2 units of w>]
    >>> width(((4, u),), {v: 6})                         # 4 positions with 6 and 2 channels each
    32
"""

import math
from collections import Counter


class Units:
    """Channels that share one mapping, until they turn out to be made of others."""

    __slots__ = ("fixed", "name", "parts", "width")

    def __init__(self, width, name=""):
        self.width, self.name = width, name
        self.parts = None  # the row that these units have become, once they are tied or split
        self.fixed = None  # why they cannot widen, if they cannot

    def __repr__(self):
        return f"<{self.width} units of {self.name}>"

    def become(self, row):
        """Say that these units are a row of others, which then cannot widen where these cannot."""
        self.parts = row
        if self.fixed:
            pin(row, self.fixed)


class Place(str):
    """Why an axis that holds no channels cannot widen, as one of positions; but a layer may make channels along it."""


class Natural(Place):
    """Why an axis cannot widen that nobody would widen, as one of the model's inputs."""


POSITION, OUTPUT = Place("it is a position"), Natural("it is the model's output")


class Fixed(int):
    """A number of channels that cannot widen, with the reason."""

    def __new__(cls, number, why):
        made = super().__new__(cls, number)
        made.why = why
        return made


ALONE = "it is one channel, and what it is tied to has none in its place"


class Mismatch(Exception):
    """Two rows cannot carry one mapping, because their channels lie differently."""


def fixed(width, why):
    """The row of an axis that cannot widen."""
    return ((Fixed(width, why),),)


def reason(row):
    """Why a row in normal form cannot widen: the first reason that its numbers give."""
    atoms = [atom for segment in row for atom in segment]
    return next((atom.why for atom in atoms if isinstance(atom, Fixed) and atom.why), None)


def normal(row):
    """Write a row in units that may widen and numbers that may not, multiplied out, without parts of no channels."""
    if len(row) == 1 and _is_normal(row[0]):
        return row  # as most are
    segments = []
    for segment in row:
        for product in (segment,) if _is_normal(segment) else _normal(segment):
            if segments and all(isinstance(a, int) for a in product + segments[-1]):
                why = reason((segments[-1], product))
                segments[-1] = (Fixed(segments[-1][0] + product[0], why),)
            else:
                segments.append(product)
    return tuple(segments)


def _is_normal(segment):
    """Whether a segment is in normal form for certain: one number with its reason, or units that may widen."""
    if len(segment) != 1:
        return False
    (atom,) = segment
    return bool(atom) if type(atom) is Fixed else type(atom) is Units and atom.width and not (atom.parts or atom.fixed)


def _lone(row):
    """The atom of a row that has no other, or None."""
    return row[0][0] if row and len(row) == len(row[0]) == 1 else None


def _normal(segment):
    """One segment in normal form: several, where its first atom is a sum, and none, where it has no channels."""
    atoms, pending, why = [], list(reversed(segment)), None
    while pending:
        atom = pending.pop()
        if isinstance(atom, Units):
            if atom.fixed:
                atom = Fixed(atom.width, atom.fixed)
            elif atom.parts is not None:
                row = normal(atom.parts)
                if not all(isinstance(each, int) for product in row for each in product):
                    atom.parts = row  # which shortens the way the next time
                atom = row
        elif isinstance(atom, tuple):
            atom = normal(atom)
        if isinstance(atom, tuple):
            if len(atom) == 1:
                pending.extend(reversed(atom[0]))
            elif atoms:
                atoms.append(atom)
            else:  # (u + v) w = u w + v w
                rest = tuple(reversed(pending))
                return [product for each in atom for product in _normal(each + rest)]
        elif isinstance(atom, int) and atoms and isinstance(atoms[-1], int):
            atoms[-1] = Fixed(atoms[-1] * atom, reason((atoms[-1:], (atom,))))
        elif isinstance(atom, int) and atom == 1:
            why = why or reason(((atom,),))
        else:
            atoms.append(Fixed(atom, None) if type(atom) is int else atom)
    return [tuple(atoms) or (Fixed(1, why),)] if all(_size(atom) for atom in atoms) else []


def units(row):
    """The units of a row that may still widen, each once, in order."""
    found, pending = {}, list(reversed(normal(row)))
    while pending:
        item = pending.pop()
        if isinstance(item, tuple):
            pending.extend(reversed(item))
        elif isinstance(item, Units):
            found[item] = None
    return list(found)


def widens(row, sizes):
    """Whether a row has any of these units, which widen."""
    return any(each in sizes for each in units(row))


def members(row):
    """All units that a row is made of, those that cannot widen too, each once, in order."""
    found, pending = {}, [row]
    while pending:
        item = pending.pop()
        if isinstance(item, tuple):
            pending.extend(reversed(item))
        elif isinstance(item, Units):
            merged = isinstance(_lone(item.parts or ()), Units)  # then the others speak for both
            if merged or (item.parts is not None and units(((item,),))):
                pending.append(item.parts)
            else:
                item.fixed = item.fixed or reason(normal(item.parts or ()))
                found[item] = None
    return list(found)


def leaders(row, times=1):
    """The first units of each product in a row, which widen for the others: {units: channels that each stands for}.

    Of ``((h, k),)`` these are h, with k channels each: heads become more, and stay as large as they are.
    """
    found = Counter()
    for segment in normal(row):
        lead = next((atom for atom in segment if units(((atom,),))), None)
        if lead is not None:
            here = times * size(segment) // size((lead,))
            found.update({lead: here} if isinstance(lead, Units) else leaders(lead, here))
    return found


def size(segment, widths=()):
    """The number of channels of a segment, where `widths` gives some units others than they have."""
    return math.prod(_size(atom, widths) for atom in segment)


def _size(atom, widths=()):
    if isinstance(atom, int):
        return int(atom)
    if isinstance(atom, tuple):
        return width(atom, widths)
    return widths.get(atom, atom.width) if widths else atom.width


def width(row, widths=()):
    """The number of channels of a row, where `widths` gives some units others than they have."""
    return sum(size(segment, widths) for segment in (normal(row) if widths else row))


def pin(row, why):
    """Say that a row cannot widen."""
    for each in units(row):
        each.fixed = why or "what it is tied to is a number"


def tie(a, b, why):
    """Make two rows carry the same mapping, or pin both; return what they are then.

    Units are merged, split where the segments of the other row end (``u`` is ``v`` and ``w``), or factored where the
    other row counts channels in groups (``u`` is ``h`` times ``k``).
    """
    try:
        _tie(a, b)
    except Mismatch:
        pin(a, why)
        pin(b, why)
    return normal(a)


def _tie(a, b):
    """Tie two rows, or raise `Mismatch`."""
    a, b = normal(a), normal(b)
    if a == b:
        return
    left, right = list(reversed(a)), list(reversed(b))  # stacks of segments
    while left and right:
        for stack in (left, right):  # what was tied meanwhile may have become something else
            stack.extend(reversed(normal((stack.pop(),))))
        a, b = left.pop(), right.pop()
        if size(a) == size(b):
            if a != b:
                _tie_products(a, b)
            continue
        (longer, stack), (shorter, other) = ((a, left), (b, right)) if size(a) > size(b) else ((b, right), (a, left))
        first, rest = cut(longer, size(shorter))
        stack.extend(reversed(first + rest))
        other.append(shorter)
    if left or right:
        raise Mismatch


def cut(segment, first):
    """Cut a segment behind its first channels: two lists of segments."""
    if first in (0, size(segment)):
        return ([], [segment]) if first == 0 else ([segment], [])
    lead, rest = segment[0], segment[1:]
    count, remainder = divmod(first, size(rest))
    if isinstance(lead, tuple):
        return cut_row([each + rest for each in lead], first)
    if isinstance(lead, Units):
        if remainder:
            raise Mismatch
        a, b = Units(count, lead.name), Units(lead.width - count, lead.name)
        lead.become(((a,), (b,)))
        return [(a, *rest)], [(b, *rest)]
    before, middle, after = [(Fixed(count, lead.why), *rest)] if count else [], [], lead - count
    if remainder:  # the cut goes through one of the times that `lead` counts
        inner, middle = cut(rest, remainder)
        before, after = before + inner, after - 1
    return before, middle + ([(Fixed(after, lead.why), *rest)] if after else [])


def cut_row(row, first):
    """Cut a row behind its first channels: two lists of segments."""
    before, after, done = [], [], 0
    for segment in row:
        here = min(max(first - done, 0), size(segment))
        inner, outer = cut(segment, here)
        before, after, done = before + inner, after + outer, done + size(segment)
    return before, after


def split(row, widths):
    """Cut a row into rows of these widths, or raise `Mismatch`."""
    rest, rows = normal(row), []
    for each in widths:
        first, rest = cut_row(normal(rest), each)
        rows.append(tuple(first))
    if normal(rest):
        raise Mismatch
    return [normal(each) for each in rows]


def _tie_products(a, b):
    """Tie two segments of one size."""
    for x, y in ((a, b), (b, a)):
        if len(y) == 1 and isinstance(y[0], int):
            return pin((x,), y[0].why)
        if len(x) == 1 and isinstance(x[0], Units):
            if x[0] in units((y,)):  # itself times units of width 1, which it may be too
                rest = [atom for atom in y if atom is not x[0]] + [x[0]] * (y.count(x[0]) - 1)
                return pin((tuple(rest),), ALONE)
            return x[0].become((y,))
    left, right = list(reversed(a)), list(reversed(b))
    while left and right:
        x, y = left.pop(), right.pop()
        if _size(x) == _size(y):
            _tie(((x,),), ((y,),))
            continue
        now = [row[0] if len(row) == 1 else (row,) for row in (normal(((x,),)), normal(((y,),)))]
        if now != [(x,), (y,)]:  # what was tied meanwhile has become something else
            left.extend(reversed(now[0]))
            right.extend(reversed(now[1]))
            continue
        (larger, stack), (smaller, other) = ((x, left), (y, right)) if _size(x) > _size(y) else ((y, right), (x, left))
        stack.extend(reversed(factor(larger, _size(smaller))))
        other.append(smaller)
    if any(_size(x) != 1 for x in left + right):
        raise Mismatch
    pin((tuple(left + right),), ALONE)


def divide(row, first):
    """Write a row as a product of a row of `first` channels and a row of the rest, or raise `Mismatch`."""
    row = normal(row)
    if first == 1:  # units of width 1 that others follow, or else nothing
        lead, *rest = row[0] if len(row) == 1 else [1]
        return (((lead,),), (tuple(rest),)) if rest and isinstance(lead, Units) and _size(lead) == 1 else (((1,),), row)
    if len(row) > 1:  # a sum, whose segments must hold whole groups
        inner, heads, rest = width(row) // first, (), None
        for segment in row:
            count, remainder = divmod(size(segment), inner)
            if remainder:
                raise Mismatch
            head, tail = divide((segment,), count)
            heads, rest = heads + head, tail if rest is None else tie(rest, tail, "its parts are reshaped together")
        return heads, rest
    taken, atoms = (), list(reversed(row[0]))
    while first > 1:
        atom = atoms.pop()
        if first % _size(atom):
            atom, rest = factor(atom, first)
            atoms.append(rest)
        taken, first = (*taken, atom), first // _size(atom)
    return (taken,), (tuple(reversed(atoms)),)


def factor(atom, first):
    """Write an atom as a product whose first factor has this size, or raise `Mismatch`."""
    count, remainder = divmod(_size(atom), first)
    if remainder or isinstance(atom, tuple):
        raise Mismatch
    if isinstance(atom, int):
        return Fixed(first, atom.why), Fixed(count, atom.why)
    pair = Units(first, atom.name), Units(count, atom.name)
    atom.become((pair,))
    return pair


# Which weights carry the shares
#
# A unit that has copies is counted once only if its copies share out what the unit gave: where they enter a product
# and are summed up, the weights that meet them are divided by shares, and all else is copied. Along each axis a tensor
# is therefore copied or divided, which is its role there. In a sum of products role(a) + role(b) = role(result), with
# copied = 0 and divided = 1, and what is summed over must be divided in all: 0 + 1, as activations and a kernel are.


class Conflict(Exception):
    """The copies of a unit would have to carry their share, and not to carry it."""


class Role:
    """Whether the entries along an axis are *copied* (0) or *divided* by shares (1), or not known yet (None).

    Roles that were made equal point to one of them by `same`; `waiting` are the totals to look at once it is known.
    """

    __slots__ = ("same", "value", "waiting")

    def __init__(self, value=None):
        self.value, self.same, self.waiting = value, None, []

    def now(self):
        """The role that this one was made equal to."""
        role = self
        while role.same is not None:
            role = role.same
        if role is not self:
            self.same = role
        return role


COPIED, DIVIDED = Role(0), Role(1)


def equal(a, b):
    """Make two roles one."""
    a, b = a.now(), b.now()
    if a is b:
        return
    if a.value is not None and b.value is not None:
        if a.value != b.value:
            raise Conflict
        return
    if b.value is not None:
        a, b = b, a
    b.same = a
    waiting, b.waiting = b.waiting, []
    if a.value is None:
        a.waiting += waiting
    for total in waiting:
        total.look()


class Total:
    """What a product asks of roles: those of its factors add up to that of the result.

    What this says of one role when others are known is concluded as soon as they are.
    """

    def __init__(self, a, b, result, row, why):
        self.roles, self.row, self.why, self.done = (a, b, result), row, why, False

    def look(self):
        """Conclude what follows from the roles that are known; pin the row if they contradict each other."""
        if self.done:
            return
        a, b, result = (role.now() for role in self.roles)
        try:
            if a.value == 0 or b is result:
                self._conclude((a, COPIED), (b, result))
            elif b.value == 0 or a is result:
                self._conclude((b, COPIED), (a, result))
            elif result.value == 0 or a is b:
                self._conclude((a, COPIED), (b, COPIED), (result, COPIED))
            elif 1 in (a.value, b.value):
                self._conclude((b if a.value == 1 else a, COPIED), (result, DIVIDED))
        except Conflict:
            pin(self.row, self.why)

    def _conclude(self, *pairs):
        self.done = True
        for a, b in pairs:
            equal(a, b)

    def choose(self):
        """Where nothing else decides, let the second factor be divided, a kernel and not what enters it, or neither."""
        if not self.done:
            _, b, result = (role.now() for role in self.roles)
            try:
                equal(*((b, DIVIDED) if result.value == 1 else (result, COPIED)))
                self.look()
            except Conflict:
                pin(self.row, self.why)

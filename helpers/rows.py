"""The algebra of channels: what the entries of an axis copy, and which axes must therefore widen together.

`Units` are channels that share one mapping. A *row* describes one axis of a tensor. It is a sum of segments, which lie
one behind the other; a segment is a product of atoms, the first of which changes slowest. An atom is a number, `Units`,
or a row in its turn:

    ((u,),)        an axis of the channels u
    ((u,), (v,))   the channels u, then the channels v: a concatenation
    ((49, u),)     49 positions with the channels u each: a flattened picture
    ((h, k),)      heads h with k channels each

A number is a part that cannot widen; an axis without entries is the empty row. Nothing here knows Keras.
"""

import math


class Units:
    """Channels that share one mapping, until they turn out to be made of others."""

    __slots__ = ("fixed", "name", "parts", "width")

    def __init__(self, width, name=""):
        self.width, self.name = width, name
        self.parts = None  # the row that these units are, once they were tied or split
        self.fixed = None  # why they cannot widen, if they cannot

    def __repr__(self):
        return f"<{self.width} units of {self.name}>"

    def become(self, row):
        """Say that these units are a row of others, which then cannot widen where these cannot."""
        self.parts = row
        if self.fixed:
            pin(row, self.fixed)


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
    """Why a row cannot widen: the first reason that its parts give."""
    atoms = [atom for segment in row for atom in segment]
    return next((atom.why for atom in atoms if isinstance(atom, Fixed) and atom.why), None)


def normal(row):
    """Write a row in units that stand for themselves, and numbers, without parts that have no channels."""
    lone = row[0][0] if len(row) == 1 and len(row[0]) == 1 else None
    if isinstance(lone, Units) and lone.width and not (lone.parts or lone.fixed):
        return row
    segments = []
    for segment in row:
        for product in _normal(segment):
            if segments and all(isinstance(a, int) for a in product + segments[-1]):
                why = reason((segments[-1], product))
                segments[-1] = (Fixed(segments[-1][0] + product[0], why),)
            else:
                segments.append(product)
    return tuple(segments)


def _normal(segment):
    """One segment in normal form: several, where its first atom is a sum."""
    atoms, pending, why = [], list(reversed(segment)), None
    while pending:
        atom = pending.pop()
        if isinstance(atom, Units):
            if atom.fixed:
                atom = Fixed(atom.width, atom.fixed)
            elif atom.parts is not None:
                row = normal(atom.parts)
                if not all(isinstance(each, int) for product in row for each in product):
                    atom.parts = row  # which shortens the way for the next who asks
                atom = row
        if isinstance(atom, tuple):
            atom = normal(atom)
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


def members(row):
    """All units that a row is made of, those that cannot widen too, each once, in order."""
    found, pending = {}, [row]
    while pending:
        item = pending.pop()
        if isinstance(item, tuple):
            pending.extend(reversed(item))
        elif isinstance(item, Units):
            merged = (
                item.parts is not None
                and len(item.parts) == len(item.parts[0]) == 1
                and isinstance(item.parts[0][0], Units)
            )
            if not merged and (item.parts is None or not units(((item,),))):
                item.fixed = item.fixed or reason(normal(item.parts or ()))
                found[item] = None
            else:
                pending.append(item.parts)
    return list(found)


def leaders(row, times=1):
    """The first units of each product in a row, which widen for the others: {units: channels that each stands for}."""
    found = {}
    for segment in normal(row):
        for atom in segment:
            if not units(((atom,),)):
                continue
            here = times * size(segment) // size((atom,))
            for each, channels in ({atom: here} if isinstance(atom, Units) else leaders(atom, here)).items():
                found[each] = found.get(each, 0) + channels
            break
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

    Units are merged, split where segments end apart (``u`` is ``v`` and ``w``), or factored where one row counts
    channels in groups (``u`` is ``h`` times ``k``).
    """
    a, b = normal(a), normal(b)
    try:
        if a != b:
            _tie(list(reversed(a)), list(reversed(b)))
    except Mismatch:
        pin(a, why)
        pin(b, why)
    return normal(a)


def _tie(left, right):
    """Tie two rows, given as stacks of segments."""
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
    before, after = [(Fixed(count, lead.why), *rest)] if count else [], lead - count
    if remainder:
        inner, outer = cut(rest, remainder)
        before, middle, after = before + inner, outer, after - 1
    else:
        middle = []
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
            if x[0] in units((y,)):  # times units of width 1
                return [pin(((each,),), ALONE) for each in units((y,)) if each is not x[0]]
            return x[0].become((y,))
    left, right = list(reversed(a)), list(reversed(b))
    while left and right:
        x, y = left.pop(), right.pop()
        if _size(x) == _size(y):
            _tie_atoms(x, y)
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
    if first == 1:
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


def _tie_atoms(x, y):
    """Tie two atoms of one size."""
    x, y = normal(((x,),)), normal(((y,),))  # either may have become something else meanwhile
    if x != y:
        _tie(list(reversed(x)), list(reversed(y)))


# How a share enters


class Conflict(Exception):
    """The copies of a unit would have to carry their share, and not to carry it."""


class Role:
    """Whether the entries along an axis are *copied* (0) or *divided* by shares (1), or not known yet (None)."""

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
    """What a product asks of roles: those of its factors add up to that of the result."""

    def __init__(self, a, b, result, row, why):
        self.roles, self.row, self.why, self.done = (a, b, result), row, why, False

    def look(self):
        """Draw what can be drawn from the roles that are known; pin the row if they contradict each other."""
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
            elif result.value == 1 and (a.value == 1 or b.value == 1):
                self._conclude((b, COPIED) if a.value == 1 else (a, COPIED))
            elif a.value == 1 or b.value == 1:
                self._conclude((b, COPIED) if a.value == 1 else (a, COPIED), (result, DIVIDED))
        except Conflict:
            pin(self.row, self.why)

    def _conclude(self, *pairs):
        self.done = True
        for a, b in pairs:
            equal(a, b)

    def choose(self):
        """Where nothing else decides, the second factor is divided: a kernel, not what enters it."""
        if not self.done:
            _, b, result = (role.now() for role in self.roles)
            try:
                equal(*((b, DIVIDED) if result.value == 1 else (result, COPIED)))
                self.look()
            except Conflict:
                pin(self.row, self.why)

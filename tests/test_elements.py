"""The explorables in a browser: every control by mouse, touch and keyboard, and readouts that are Python's numbers.

The pages here hold elements and nothing else, so no book needs to be built; what the book's pages do with them stands
at the end.
"""

import itertools
import json
import re
import shutil

import make_fixture
import numpy as np
import pytest
import toc
from address import ROOT
from test_pages import WIDTHS, Visit, barriers, read, serve

from helpers.show import explore, growth_map, network, race
from helpers.show.explore import element, functions

pytestmark = pytest.mark.browser
WEB = ROOT / "book" / "web"
CASES = json.loads(make_fixture.FIXTURE.read_text(encoding="utf-8"))
PANELS = {
    "widen": explore.widen,
    "deepen": explore.deepen,
    "deepen-conv": lambda: explore.deepen(kind="conv"),
    "deepen-block": lambda: explore.deepen(kind="block"),
    "map": growth_map.growth_map,
    "network": network.network,
    "race": race.race,
}
FILES = sorted(path.name for path in WEB.glob("net2net*"))


# ------------------------------------------------------------------ pages to test on


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """A folder with the elements' files; a function that writes a page of elements there and returns its name."""
    folder = tmp_path_factory.mktemp("stage")
    for path in [*WEB.glob("*.js"), *WEB.glob("*.css")]:
        shutil.copy(path, folder)
    numbers = itertools.count()

    def write(*elements, theme="light"):
        name = f"page{next(numbers)}"
        tags = sorted({element.tag for element in elements})
        files = dict.fromkeys(file for tag in tags for file in element.scripts(tag))
        scripts = "".join(f'<script defer src="{file}"></script>' for file in files)
        (folder / f"{name}.html").write_text(
            f'<!doctype html><html lang="en" data-theme="{theme}"><meta charset="utf-8"><title>Elements</title>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
            f'<link rel="stylesheet" href="{element.STYLE}">{scripts}'
            f'<body style="margin: 16px"><main>{"".join(e.markup() for e in elements)}</main></body></html>',
            encoding="utf-8",
        )
        return name

    write.folder = folder
    return write


@pytest.fixture(scope="module")
def address(stage):
    with serve(stage.folder) as address:
        yield address


@pytest.fixture
def show(browser, stage, address):
    """A function that opens a page of elements; whatever goes wrong there fails the test at its end."""
    visits = []

    def visit(*elements, theme="light", base=None, **options):
        visits.append(Visit(browser, base or address, stage(*elements, theme=theme), **options))
        return visits[-1].page

    yield visit
    for one in visits:
        assert one.errors == []
        assert one.foreign == [], "requests to other hosts"
        one.context.close()


@pytest.fixture(params=PANELS.values(), ids=PANELS)
def make_panel(request):
    return request.param


@pytest.fixture
def panel(make_panel):
    return make_panel()


def state(page, name, tag="net2net-widen"):
    return page.evaluate(f"document.querySelector('{tag}').{name}")


def choose(page, value, number, how):
    """Choose the radio button of this number: by mouse, or by an arrow key from the one before it."""
    radio = page.locator(f"input[type=radio][value={value}]")
    if how == "mouse":
        radio.click()
    elif number:
        page.keyboard.press("ArrowRight")
    else:
        radio.focus()


def settle(page):
    """Wait until the live text has followed."""
    page.wait_for_timeout(250)


# ------------------------------------------------------------------ all elements


@pytest.mark.parametrize("name", FILES)
def test_files_are_small_and_ask_nobody(name):
    text = (WEB / name).read_text(encoding="utf-8")
    assert len(text.encode()) < 50_000
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)\S+", text) == []
    assert re.findall(r"\b(?:fetch|XMLHttpRequest|import)\b\s*\(|@import|url\((?!#)", text) == []


def test_element_works_from_a_file(show, stage, panel):
    page = show(panel, base=f"{stage.folder.as_uri()}/")
    assert page.locator(".n2n-live :is(svg, canvas)").count() >= 1


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_axe_finds_nothing(show, panel, width, theme):
    assert barriers(show(panel, width=width, theme=theme), panel.tag) == []


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_controls_are_large_enough_for_a_finger(show, panel, width):
    page = show(panel, width=width)
    small = page.evaluate(
        """() => [...document.querySelectorAll('.n2n-live :is(input, button, select)')].filter((control) => {
            const { width, height } = control.getBoundingClientRect();
            return Math.min(width, height) < 44;
        }).map((control) => control.outerHTML)"""
    )
    assert small == []


@pytest.mark.parametrize("width", [320, 360, 500, 768, 1280])
def test_nothing_sticks_out_and_nothing_jumps(show, panel, width):
    page = show(panel, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    tall, live = page.evaluate(
        "['.n2n-still', '.n2n-live'].map((name) => document.querySelector(name)).map((e, i) => "
        "(i ? e : e.parentElement).offsetHeight)"
    )
    assert 0 <= tall - live < 60, "the place reserved is the place taken"
    shifts = page.evaluate(
        """() => new Promise((done) => {
            let sum = 0;
            new PerformanceObserver((list) => { for (const entry of list.getEntries()) sum += entry.value; })
                .observe({ type: 'layout-shift', buffered: true });
            setTimeout(() => done(sum), 200);
        })"""
    )
    assert shifts < 0.01


def test_every_control_has_a_name_and_can_be_reached_by_keyboard(show, panel):
    page = show(panel)
    wanted = page.evaluate(
        """[...document.querySelectorAll('.n2n-live :is(input:not([type=radio]), button, select, input:checked)')]
            .filter((control) => !control.disabled && control.tabIndex === 0).length"""
    )
    reached = set()
    for _ in range(wanted):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate("document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent")
        )
        outline = page.evaluate(
            """() => {
                const at = document.activeElement;
                const style = getComputedStyle(at.matches('[type=radio], [type=checkbox]') ? at.nextSibling : at);
                return [style.outlineStyle, parseFloat(style.outlineWidth)];
            }"""
        )
        assert outline[0] == "solid", "the focus is seen"
        assert outline[1] >= 2
    assert len(reached) == wanted
    assert "" not in reached


def test_no_motion_where_none_is_wanted(show, panel):
    page = show(panel, reduced_motion="reduce")
    moving = page.evaluate(
        """[...document.querySelectorAll('.n2n-live *')].filter((e) => getComputedStyle(e).transitionDuration !== '0s'
            || getComputedStyle(e).animationName !== 'none').length"""
    )
    assert moving == 0


def test_without_scripts_the_picture_stands(show, panel):
    page = show(panel, java_script_enabled=False)
    picture = page.locator(f"{panel.tag} img")
    assert picture.is_visible()
    assert picture.get_attribute("alt")
    assert page.locator(f"{panel.tag} p").inner_text()
    assert page.locator(f"{panel.tag} :is(input, button, script)").count() == 0, "no control is dead"


def test_in_print_the_picture_stands(show, panel):
    page = show(panel)
    assert not page.locator(f"{panel.tag} img").is_visible()
    page.emulate_media(media="print")
    assert page.locator(f"{panel.tag} img").is_visible()
    assert not page.locator(f"{panel.tag} .n2n-live").is_visible()


def test_two_on_a_page_are_apart(show, panel, make_panel):
    page = show(panel, make_panel())
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    checked = f"[...document.querySelectorAll('{panel.tag}:nth-of-type(2) input')].findIndex((radio) => radio.checked)"
    before = page.evaluate(checked)
    choice = page.locator(f"{panel.tag}:nth-of-type(1) .n2n-choice").first
    choice.locator("input").nth(1).check()
    assert choice.locator("input:checked").count() == 1
    assert page.evaluate(checked) == before


def test_removed_and_put_back_it_is_as_it_was(show, panel):
    page = show(panel)
    page.locator(f"{panel.tag} input[type=radio]").nth(1).check()
    before = page.evaluate(f"JSON.stringify(document.querySelector('{panel.tag}').state)")
    page.evaluate(
        f"""() => {{
            const element = document.querySelector('{panel.tag}'), place = element.parentElement;
            element.remove();
            element.set({{}});
            document.body.prepend(document.createElement('hr'));
            place.append(element);
        }}"""
    )
    assert page.evaluate(f"JSON.stringify(document.querySelector('{panel.tag}').state)") == before
    assert page.locator(f"{panel.tag} .n2n-live").count() == 1
    page.locator(f"{panel.tag} input[type=radio]").nth(2).check()
    assert page.evaluate(f"JSON.stringify(document.querySelector('{panel.tag}').state)") != before


def test_start_over_goes_back_to_the_first_state(show, panel):
    page = show(panel)
    first = page.evaluate(f"JSON.stringify(document.querySelector('{panel.tag}').state)")
    page.locator(f"{panel.tag} input[type=radio]").nth(2).check()
    page.get_by_role("button", name="Start over").click()
    assert page.evaluate(f"JSON.stringify(document.querySelector('{panel.tag}').state)") == first


# A model as anywidget gives it to `render`, as far as elements use it.
MODEL = """(values) => {
    const heard = {}, tell = (name) => { for (const what of heard['change:' + name] ?? []) what(); };
    return {
        values, saved: [],
        get(name) { return values[name]; },
        set(name, value) { values[name] = value; this.saved.push(name); tell(name); },
        save_changes() { this.saves = (this.saves ?? 0) + 1; },
        on(name, what) { (heard[name] ??= []).push(what); },
        off(name, what) { heard[name] = heard[name].filter((other) => other !== what); },
        fromPython(changes) {
            Object.assign(values, changes);
            for (const name in changes) tell(name);
        },
    };
}"""


@pytest.fixture
def in_notebook(browser):
    """A function that shows a panel as a notebook does: its module is imported and rendered with a model."""
    contexts = []

    def open_notebook(panel):
        contexts.append(browser.new_context(viewport={"width": 900, "height": 900}))
        page = contexts[-1].new_page()
        page.set_content("<!doctype html><meta charset=utf-8><body></body>")
        page.add_style_tag(content=panel._css)
        page.evaluate(
            f"""async ([module, values]) => {{
                const address = URL.createObjectURL(new Blob([module], {{ type: 'text/javascript' }}));
                window.model = ({MODEL})(values);
                const face = (await import(address)).default;
                window.cleanup = face.render({{ model: window.model, el: document.body }});
            }}""",
            [panel._esm, {name: getattr(panel, name) for name in panel.state}],
        )
        return page

    yield open_notebook
    for context in contexts:
        context.close()


def test_notebook_shows_the_same_element(in_notebook, panel):
    page = in_notebook(panel)
    assert page.locator(f"{panel.tag} .n2n-live :is(svg, canvas)").count() >= 1
    shown = state(page, "state", panel.tag)
    assert shown == {name: getattr(panel, name) for name in panel.state}
    page.evaluate("window.keys = 0; document.addEventListener('keydown', () => { window.keys += 1; })")
    page.locator(f"{panel.tag} input").first.press("ArrowRight")
    assert state(page, "state", panel.tag) != shown
    assert page.evaluate("keys") == 0, "the notebook's shortcuts do not hear it"


# ------------------------------------------------------------------ net2net-widen


@pytest.fixture
def widen(show):
    return show(explore.widen())


def labeled(page, name):
    return page.get_by_label(name, exact=True)


def says(page):
    settle(page)
    return page.locator("[aria-live=polite]").inner_text()


def test_first_paint_tells_the_story(widen):
    panel = explore.widen()
    assert "zero up to rounding" in widen.locator(".n2n-verdict").inner_text()
    assert says(widen) == (
        "Unit 2 (b) is copied to unit 8. To y₁, −1.20 becomes −0.01 and −1.19; to y₂, −0.48 becomes 0.25 and −0.73. "
        "Their gradients are not parallel. The function has not changed."
    )
    letters = widen.locator(".n2n-there .n2n-name").all_text_contents()
    assert [letter[0] for letter in letters] == ["abcd"[k] for k in panel.mapping]
    assert len(set(letters)) == 8, "copies are told apart by their primes"
    colors = widen.evaluate(
        "[...document.querySelectorAll('.n2n-there .n2n-unit')].map((e) => getComputedStyle(e).stroke)"
    )
    assert len(set(colors)) == 4
    assert [colors.index(color) for color in colors] == [panel.mapping.index(k) for k in panel.mapping]


def test_readings_are_those_of_python(show):
    for case in CASES["explorables"]:
        given = {name: value for name, value in case["state"].items() if name not in ("teacher", "width")}
        page = show(explore.widen(**given))
        assert state(page, "state") == case["state"]
        student = state(page, "student")
        random = case["state"]["noise"] or case["state"]["way"] in ("randompad", "noise")
        for name, wanted in zip(("w1", "b1", "w2"), case["weights"], strict=False):
            np.testing.assert_allclose(student[name], wanted, rtol=1e-13 if random else 0)
        if case["shares"]:
            assert student["shares"] == case["shares"]
        assert state(page, "gap") == pytest.approx(case["gap"], rel=1e-12, abs=1e-14)
        assert state(page, "kept") == (case["gap"] < 1e-12)
        cosines = page.evaluate(
            "() => { const e = document.querySelector('net2net-widen'); "
            "return e.state.mapping.map((_, j) => e.parting(j).cosine ?? null); }"
        )
        assert cosines == [wanted if wanted is None else pytest.approx(wanted, abs=1e-12) for wanted in case["cosines"]]


@pytest.mark.parametrize("way", explore.Widen.WAYS)
def test_page_says_whether_the_copies_gradients_are_parallel(widen, way):
    widen.locator(f"input[value={way}]").click()
    panel = explore.widen(way=way)
    seen = {
        "noise": "not parallel",
        "equal": "equal",
        "random": "parallel",
        "weights": "not parallel",
        "undivided": "equal",
        "randompad": "no copies",
    }[way]
    assert widen.locator(".n2n-parted").inner_text() == seen
    assert widen.locator(".n2n-cosine").inner_text() == (
        "–" if way == "randompad" else f"{panel.cosine:.3f}".replace("-", "−")
    )
    assert (f"Their gradients are {seen}." in says(widen)) == (way != "randompad")
    if panel.cosine is not None:
        one, other = panel.gradients[:, [1, 7]].T
        assert np.allclose(one, other, rtol=1e-12) == (seen == "equal")
        assert (panel.cosine > 1 - 1e-12) == (seen != "not parallel")
    # The arrows of unit b and of its copy: on one line or not.
    ends = widen.locator(".n2n-fan .n2n-arrow").evaluate_all(
        "(all) => all.map((e) => e.getAttribute('d')).filter((d) => /^M[^L]+L[^L]+$/.test(d))"
    )
    arrows = [np.diff(np.array(re.findall(r"[-\d.]+", d), float).reshape(2, 2), axis=0)[0] for d in ends]
    assert len(arrows) == (1 if way == "randompad" else 2)
    if len(arrows) == 2:
        (x1, y1), (x2, y2) = arrows
        assert (abs(x1 * y2 - x2 * y1) < 1e-9) == (seen != "not parallel")
        np.testing.assert_allclose(y1 / -x1, panel.weights[2][1, 1] / panel.weights[2][1, 0], rtol=1e-9)


def test_one_share_a_unit_divides_both_weights_alike_and_the_others_do_not(widen):
    for way in ("equal", "random", "weights", "noise"):
        widen.locator(f"input[value={way}]").click()
        heights = (
            widen.locator(".n2n-there")
            .nth(7)
            .locator(".n2n-bar")
            .evaluate_all("(bars) => bars.map((bar) => Number(bar.getAttribute('height'))).filter((height) => height)")
        )
        panel = explore.widen(way=way)
        portions = panel.weights[2][7] / np.array(panel.teacher["w2"])[1]
        alike = way in ("equal", "random")
        assert np.isclose(*portions, rtol=1e-12) == alike
        assert len(heights) == (1 if alike else 2)
        np.testing.assert_allclose(heights, 42 * np.minimum(portions[: len(heights)], 1.22), rtol=1e-9)
        output = labeled(widen, "Its share").locator("xpath=../output").inner_text()
        assert output == " and ".join(f"{part:.2f}" for part in portions[: len(heights)])


def test_with_one_output_the_panel_is_simpler(show):
    page = show(explore.widen(outputs=1))
    assert state(page, "kept")
    assert says(page).startswith("Unit 2 (b) is copied to unit 8; −1.20 becomes −0.73 and −0.47.")
    page.locator("input[value=equal]").click()
    assert says(page).startswith("Unit 2 (b) is copied to unit 8; −1.20 becomes −0.60 and −0.60. The function")
    for what in ("input[value=weights]", ".n2n-cosine", ".n2n-fan"):
        assert page.locator(what).count() == 0
    page.locator("input[value=undivided]").click()
    assert says(page).startswith("Unit 2 (b) is copied to unit 8; −1.20 is kept 2 times.")
    assert page.locator(".n2n-equation .n2n-who").all_inner_texts() == ["y"]
    assert page.locator(".n2n-net .n2n-gutter").all_text_contents() == ["to y", "share", "unit", "W₁", "bias"]


def drag(page, control, start, end):
    """Drag a slider's thumb from one fraction of its way to another."""
    box = control.bounding_box()
    at = [(box["x"] + 12 + (box["width"] - 24) * part, box["y"] + box["height"] / 2) for part in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=30)
    page.mouse.up()


def test_curve_stands_still_while_the_width_is_dragged(widen):
    widen.evaluate(
        """() => {
            window.seen = [];
            const element = document.querySelector('net2net-widen');
            element.addEventListener('net2net-moved', () => window.seen.push(
                [element.state.width, element.gap, element.curves[2].getAttribute('d'), element.state.mapping]));
        }"""
    )
    drag(widen, labeled(widen, "Hidden units"), 1 / 3, 1)
    drag(widen, labeled(widen, "Hidden units"), 1, 0)
    seen = widen.evaluate("window.seen")
    assert {width for width, *_ in seen} >= {4, 9, 10, 11, 12, 13, 14, 15, 16}
    assert max(gap for _, gap, *_ in seen) < 1e-14
    assert len({path for _, _, path, _ in seen}) == 1, "not a pixel moves"
    wanted = explore.widen(width=16).mapping
    for width, _, _, mapping in seen:
        assert mapping == wanted[:width]


def test_width_by_keyboard(widen):
    labeled(widen, "Hidden units").focus()
    widen.keyboard.press("ArrowRight")
    assert state(widen, "state.width") == 9
    widen.keyboard.press("End")
    assert state(widen, "state.width") == 16
    assert labeled(widen, "Hidden units").get_attribute("aria-valuetext") == "16, from 4"
    widen.keyboard.press("Home")
    assert state(widen, "state.width") == 4
    assert state(widen, "gap") == 0
    assert "the student is the teacher" in says(widen)


def test_new_mapping_is_the_next_seed(widen):
    button = widen.get_by_role("button", name="New mapping")
    button.click()
    assert state(widen, "state.mapping") == explore.widen(seed=1).mapping
    button.press("Enter")
    assert state(widen, "state.mapping") == explore.widen(seed=2).mapping
    assert says(widen).startswith("New mapping.")
    assert state(widen, "kept")


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_every_way_says_whether_the_function_is_kept(widen, how):
    kept_by = {"noise": 1, "equal": 1, "random": 1, "weights": 1, "undivided": 0, "randompad": 0}
    assert list(kept_by) == list(explore.Widen.WAYS)
    for number, (way, kept) in enumerate(kept_by.items()):
        choose(widen, way, number, how)
        assert state(widen, "state.way") == way
        panel = explore.widen(way=way)
        assert state(widen, "gap") == pytest.approx(panel.gap, rel=1e-12, abs=1e-14)
        verdict = widen.locator(".n2n-verdict").inner_text()
        assert ("the same function" in verdict) == kept
        assert says(widen).endswith("not changed." if kept else "has changed.")
        reading = widen.locator(".n2n-gap").inner_text()
        assert reading == f"{panel.gap:.3f}" if not kept else "10⁻" in reading


def test_noise_by_keyboard_and_mouse(widen):
    labeled(widen, "Noise on weights in").press("ArrowRight")
    assert state(widen, "gap") == pytest.approx(explore.widen(noise=0.05).gap, rel=1e-9)
    assert "Noise has changed the copies." in says(widen)
    drag(widen, labeled(widen, "Noise on weights in"), 0.05, 1)
    assert state(widen, "state.noise") == 1
    assert "another function" in widen.locator(".n2n-verdict").inner_text()
    widen.locator("input[type=radio][value=randompad]").click()
    assert labeled(widen, "Noise on weights in").is_disabled()


def sums(page):
    """The sum of the shares of each teacher unit's copies."""
    mapping, shares = state(page, "state.mapping"), state(page, "student.shares")
    return np.bincount(mapping, weights=shares)


def test_share_by_keyboard(widen):
    share = labeled(widen, "Its share")
    share.press("ArrowRight")
    assert state(widen, "state.way") == "random"
    assert state(widen, "student.shares")[7] == pytest.approx(0.51)
    assert state(widen, "student.shares")[1] == pytest.approx(0.49)
    share.press("End")
    assert state(widen, "student.shares")[7] == pytest.approx(0.98)
    np.testing.assert_allclose(sums(widen), 1, rtol=1e-15)
    assert state(widen, "gap") < 1e-14
    assert "−0.02 · b" not in widen.locator(".n2n-equation").inner_text()
    assert "(−0.02 − 1.18) · b" in widen.locator(".n2n-equation").inner_text()


def test_share_by_dragging_its_bar(widen):
    widen.locator(".n2n-net").scroll_into_view_if_needed()
    box = widen.locator(".n2n-there .n2n-track").nth(7).bounding_box()
    x, bottom = box["x"] + box["width"] / 2, box["y"] + box["height"]
    widen.mouse.move(x, bottom - 42 * 0.5)
    widen.mouse.down()
    widen.mouse.move(x, bottom - 42 * 0.9, steps=8)
    widen.mouse.up()
    shares = state(widen, "student.shares")
    assert shares[7] == pytest.approx(0.9, abs=0.03)
    assert shares[1] == pytest.approx(1 - shares[7])
    np.testing.assert_allclose(sums(widen), 1, rtol=1e-15)
    assert state(widen, "kept")
    widen.mouse.move(x, bottom - 5)
    assert state(widen, "student.shares") == shares, "let go is let go"
    panel = explore.widen(way="random", parts=state(widen, "state.parts"))
    np.testing.assert_array_equal(panel.shares, shares)


def test_share_of_one_that_has_no_copy_cannot_be_moved(widen):
    labeled(widen, "Look at unit").fill("1")
    assert labeled(widen, "Its share").is_disabled()
    widen.evaluate("document.querySelector('net2net-widen').giveShare(0, 0.3)")
    assert state(widen, "state.parts") == []


def lit(page):
    return page.evaluate(
        """[...document.querySelectorAll('.n2n-lit')].map((e, j) => e.getAttribute('visibility') === 'visible' ? j : -1)
            .filter((j) => j >= 0)"""
    )


def test_pointing_at_a_unit_lights_it_in_all_views(widen):
    assert lit(widen) == [1, 7]
    widen.locator(".n2n-there .n2n-unit").nth(5).hover()
    assert lit(widen) == [2, 5, 6]
    assert widen.evaluate("document.querySelectorAll('.n2n-edge.n2n-same').length") == 9
    assert "what c′ adds" in widen.locator(".n2n-plot").inner_html()
    widen.locator("input[value=equal]").click()
    widen.locator(".n2n-there .n2n-unit").nth(5).hover()
    equation = widen.locator(".n2n-equation").inner_text()
    assert "0.36 · c = (0.12 + 0.12 + 0.12) · c" in equation
    assert "1.20 · c = (0.40 + 0.40 + 0.40) · c" in equation
    widen.locator("input[value=undivided]").click()
    assert "−1.20 · b ≠ (−1.20 − 1.20) · b" in widen.locator(".n2n-equation").inner_text()
    widen.mouse.move(5, 5)
    assert lit(widen) == [1, 7]


def test_looking_at_a_unit_by_keyboard(widen):
    look = labeled(widen, "Look at unit")
    look.press("ArrowLeft")
    assert lit(widen) == [2, 5, 6]
    assert look.get_attribute("aria-valuetext") == "7, c copy 2"
    wanted = [[f"{part:.2f}".replace("-", "−") for part in row] for row in explore.widen().weights[2][[2, 5, 6]].T]
    becomes = [f"{one}, {other} and {last}" for one, other, last in wanted]
    assert says(widen).startswith(
        f"Unit 3 (c) is copied to units 6 and 7. To y₁, 0.36 becomes {becomes[0]}; to y₂, 1.20 becomes {becomes[1]}."
    )


def test_touch(show):
    page = show(explore.widen(), width=360, has_touch=True)
    page.get_by_role("button", name="New mapping").tap()
    assert state(page, "state.seed") == 1
    page.get_by_role("button", name="Start over").tap()
    page.locator("input[type=radio][value=undivided]").tap()
    assert not state(page, "kept")
    page.locator("input[type=radio][value=equal]").tap()
    page.locator(".n2n-there .n2n-unit").nth(4).tap()
    assert state(page, "state.unit") == 4
    assert lit(page) == [3, 4]
    for name, target in (("Hidden units", "width"), ("Look at unit", "unit"), ("Noise on weights in", "noise")):
        before = state(page, f"state.{target}")
        box = labeled(page, name).bounding_box()
        labeled(page, name).tap(position={"x": box["width"] * 0.9, "y": box["height"] / 2})
        assert state(page, f"state.{target}") != before
    box = labeled(page, "Its share").bounding_box()
    labeled(page, "Its share").tap(position={"x": box["width"] * 0.8, "y": box["height"] / 2})
    assert state(page, "state.way") == "random"


@pytest.fixture
def phone(show):
    """A function that shows a panel on a screen of 360 x 740 pixels that is touched."""

    def visit(panel):
        page = show(panel, width=360, has_touch=True)
        page.set_viewport_size({"width": 360, "height": 740})
        return page

    return visit


def hidden_from(page, control):
    """Scroll a control to three heights of the screen; the news that do not stand beside it, or that cover it."""
    return control.evaluate(
        """async (control) => {
            const hidden = [], frame = () => new Promise(requestAnimationFrame);
            const middle = () => { const box = control.getBoundingClientRect(); return box.top + box.height / 2; };
            for (const part of [0.45, 0.6, 0.85]) {
                // What comes near is laid out only then, and may move what stands below it.
                for (let turn = 0; turn < 3; turn++) {
                    window.scrollBy(0, middle() - part * window.innerHeight);
                    await frame();
                    await frame();
                }
                const box = control.getBoundingClientRect();
                const front = document.elementFromPoint(box.left + box.width / 2, middle());
                const news = control.closest('.n2n-live').querySelectorAll('.n2n-gap, .n2n-verdict, .n2n-says');
                hidden.push(...[...news].filter((news) => {
                    const { left, top, bottom } = news.getBoundingClientRect();
                    const seen = news.contains(document.elementFromPoint(left + 2, top + 8));
                    return top < 0 || bottom > window.innerHeight || !seen;
                }).map((news) => news.className));
                if (!control.contains(front)) hidden.push('the control');
            }
            return hidden;
        }"""
    )


def test_on_a_phone_news_stand_beside_every_control(phone):
    page = phone(explore.widen())
    for control in page.locator(".n2n-live :is(input, button)").all():
        assert hidden_from(page, control) == [], control.evaluate("(control) => control.outerHTML")
    page.set_viewport_size({"width": 740, "height": 360})
    position = "getComputedStyle(document.querySelector('.n2n-news')).position"
    assert page.evaluate(position) != "sticky", "a low screen has no room for what stays"


def test_on_a_phone_plot_and_main_controls_share_a_screen(phone):
    page = phone(explore.widen())
    boxes = [labeled(page, name).bounding_box() for name in ("Hidden units", "Noise on weights in")]
    boxes += [page.locator(f"input[value={way}]").bounding_box() for way in explore.Widen.WAYS]
    tops = [page.locator(".n2n-plot").bounding_box()["y"], page.locator(".n2n-verdict").bounding_box()["y"]]
    assert max(box["y"] + box["height"] for box in boxes) - min(tops) < 740 - 56, "below the bar of the book's pages"
    assert page.locator(".n2n-choice").bounding_box()["y"] - boxes[0]["y"] < 60, "New units get, below Hidden units"


def test_keyboard_focus_is_not_covered_by_the_news(phone):
    page = phone(explore.widen())
    labeled(page, "Its share").focus()
    seen = set()
    for _ in range(7):
        page.keyboard.press("Shift+Tab")
        # Where the focus rests, the point in its middle is the control's own.
        name, own = page.evaluate(
            """() => {
                const at = document.activeElement, { left, top, width, height } = at.getBoundingClientRect();
                return [at.labels?.[0]?.textContent ?? at.textContent,
                    at.contains(document.elementFromPoint(left + width / 2, top + height / 2))];
            }"""
        )
        seen.add(name)
        assert own or name == "", name
    assert {
        "Look at unit",
        "Start over",
        "New mapping",
        "Noise on weights in",
        "Noise that cancels",
        "Hidden units",
    } <= seen


def slide_finger(page, start, end, steps=12):
    """Touch, move in steps, and let go, as the browser gets it from a screen."""
    session = page.context.new_cdp_session(page)

    def send(kind, *points):
        touches = [{"x": x, "y": y} for x, y in points]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    send("touchStart", start)
    for step in range(1, steps + 1):
        send("touchMove", [a + (b - a) * step / steps for a, b in zip(start, end, strict=True)])
    send("touchEnd")
    page.wait_for_timeout(100)


def center_of(page, locator):
    locator.evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    box = locator.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_share_by_dragging_its_bar_with_a_finger(phone):
    page = phone(explore.widen())
    x, y = center_of(page, page.locator(".n2n-there .n2n-track").nth(7))
    before = page.evaluate("scrollY")
    slide_finger(page, (x, y), (x, y - 80))
    assert state(page, "student.shares")[7] == pytest.approx(0.98)
    slide_finger(page, (x, y), (x + 10, y + 80))
    assert state(page, "student.shares")[7] == pytest.approx(0.02)
    slide_finger(page, (x, y - 20), (x, y + 21 - 42 * 0.7), steps=3)
    assert state(page, "student.shares")[7] == pytest.approx(0.7, abs=0.01), "the share is where the finger was lifted"
    assert page.evaluate("scrollY") == before, "the page stays"
    np.testing.assert_allclose(sums(page), 1, rtol=1e-15)


def test_finger_beside_the_bars_scrolls_the_page(phone):
    page = phone(explore.widen())
    x, y = center_of(page, page.locator(".n2n-there .n2n-track").nth(7))
    before = page.evaluate("scrollY"), state(page, "state.parts")
    slide_finger(page, (x, y + 60), (x, y + 240))
    assert page.evaluate("scrollY") < before[0]
    assert state(page, "state.parts") == before[1]


def test_bar_can_be_grabbed_beside_it_where_no_other_is_nearer(phone):
    page = phone(explore.widen(mapping=[0, 1, 2, 3, *[1] * 12]))
    x, y = center_of(page, page.locator(".n2n-there .n2n-track").nth(1))
    slot = float(page.locator(".n2n-lit[width]").first.get_attribute("width"))
    assert slot < 24
    slide_finger(page, (x - 11, y), (x - 11, y - 60))  # in the column of unit a, which has no copy
    assert state(page, "student.shares")[1] == pytest.approx(0.98)
    slide_finger(page, (x + 3 * slot - 11, y), (x + 3 * slot - 11, y - 60))
    assert state(page, "student.shares")[4] == pytest.approx(0.98), "between two, the nearer"


def test_curves_keep_off_the_legend_and_the_legend_has_their_colors(show):
    page = show(explore.widen(way="undivided", width=16), width=360)
    legend, frame = page.evaluate(
        """() => {
            const plot = document.querySelector('.n2n-plot'), texts = [...plot.querySelectorAll(':scope > text')];
            const clip = plot.querySelector('clipPath rect');
            const bottoms = texts.map((text) => text.getBBox().y + text.getBBox().height);
            return [Math.max(...bottoms), Number(clip.getAttribute('y'))];
        }"""
    )
    assert legend <= frame, "curves are clipped to the axes"
    for way in explore.Widen.WAYS:
        page.locator(f"input[value={way}]").click()
        strokes = page.locator(".n2n-plot path.n2n-new").evaluate_all(
            "(paths) => paths.map((path) => getComputedStyle(path).stroke)"
        )
        assert len(strokes) == 2
        assert strokes[0] == strokes[1], way


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_legend_stays_within_the_plot(show, width):
    page = show(explore.widen(way="randompad", width=16), width=width)
    ends = page.locator(".n2n-plot > :is(text, path)").evaluate_all(
        "(all) => all.map((e) => e.getBoundingClientRect().right)"
    )
    box = page.locator(".n2n-plot").bounding_box()
    assert max(ends) <= box["x"] + box["width"]
    boxes = page.locator(".n2n-plot > :is(text, path)").evaluate_all(
        "(all) => all.map((e) => [e.getBBox().x, e.getBBox().x + e.getBBox().width])"
    )
    assert all(end < start for (_, end), (start, _) in itertools.pairwise(sorted(boxes)))


def test_random_padding_is_seen_and_named(widen):
    widen.locator("input[value=randompad]").click()
    assert state(widen, "gap") > 0.2, "a tenth of the curve's range"
    assert widen.locator(".n2n-there .n2n-name").all_text_contents()[4:] == ["new 1", "new 2", "new 3", "new 4"]
    assert "what new 4 adds" in widen.locator(".n2n-plot").inner_html()
    assert "What the outputs get of new 4" in widen.locator(".n2n-equation").inner_text()
    assert says(widen).startswith("Unit 8 (new 4) has random weights and copies nothing.")
    assert "?" not in widen.locator(".n2n-live").inner_text()
    share = labeled(widen, "Its share")
    assert share.locator("xpath=../output").inner_text() == "–"
    assert share.get_attribute("aria-valuetext") == "none"
    assert (
        widen.locator(".n2n-there .n2n-track").evaluate_all(
            "(tracks) => tracks.map((track) => getComputedStyle(track).visibility)"
        )
        == ["visible"] * 4 + ["hidden"] * 4
    )
    labeled(widen, "Look at unit").fill("2")
    assert share.locator("xpath=../output").inner_text() == "1.00", "the teacher's units keep their whole weights"


def test_start_over_says_so(widen):
    widen.get_by_role("button", name="New mapping").click()
    widen.locator("input[value=undivided]").click()
    widen.get_by_role("button", name="Start over").click()
    assert says(widen).startswith("Back at the start. Unit 2 (b) is copied to unit 8.")


@pytest.mark.parametrize("width", [320, 360, 500, 640, 1280])
def test_nothing_moves_when_the_verdict_changes(show, width):
    page = show(explore.widen(), width=width)

    def places():
        settle(page)
        return page.evaluate(
            "[...document.querySelectorAll('.n2n-live, .n2n-live :is(input, button, svg)')].map((e) => e.offsetTop ?? "
            "e.getBoundingClientRect().top + scrollY).concat(document.querySelector('.n2n-live').offsetHeight)"
        )

    before = places()
    longest = (
        "New mapping. Unit 3 (c) is copied to units 6 and 7. To y₁, −0.36 becomes −0.12, −0.12 and −0.12; to y₂, −1.20 "
        "becomes −0.40, −0.40 and −0.40. Their gradients are not parallel. Noise has changed the copies. The function "
        "has changed."
    )
    for moves in (
        {"noise": 0.3},
        {"way": "undivided"},
        {"width": 4},
        {"width": 16},
        {"way": "randompad"},
        {"way": "weights"},
    ):
        page.evaluate("(moves) => document.querySelector('net2net-widen').set(moves)", moves)
        assert places() == before, moves
    page.evaluate("(text) => { document.querySelector('.n2n-says').textContent = text; }", longest)
    assert places() == before


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("units", [4, 8, 12, 16, 24])
def test_units_take_the_whole_width_and_keep_apart(show, width, units):
    page = show(explore.widen(mapping=[0, 1, 2, 3, *[1, 2] * 6][:units] if units < 24 else None), width=width)
    if units == 24:
        six = {**explore.curves_teacher(), "w1": [[1.0] * 6], "b1": [0.5] * 6, "w2": [[0.5, -0.3]] * 6}
        page = show(
            explore.Widen(teacher=six, width=24, mapping=[*range(6), *range(6), *range(6), *range(6)], unit=23),
            width=width,
        )
    net = page.locator(".n2n-net").bounding_box()
    cells = page.locator(".n2n-there .n2n-cell.n2n-into").evaluate_all(
        "(all) => all.map((e) => e.getBBox().x + e.getBBox().width / 2)"
    )
    slot = float(page.locator(".n2n-lit[width]").first.get_attribute("width"))
    assert len(cells) == units
    assert cells[-1] + slot / 2 == pytest.approx(net["width"], abs=4)
    assert net["height"] == 366
    # Circles with their strokes, and names: no two that stand at one height overlap.
    overlaps = page.evaluate(
        """() => ['circle.n2n-unit', 'text.n2n-name'].flatMap((what) => {
            const boxes = [...document.querySelectorAll(`.n2n-there ${what}`)].map((e) => {
                const { x, y, width, height } = e.getBBox();
                const more = what[0] === 'c' ? parseFloat(getComputedStyle(e).strokeWidth) / 2 : 0;
                return width && { name: e.textContent, y, left: x - more, right: x + width + more };
            }).filter(Boolean);
            const meet = (a, b) => Math.abs(a.y - b.y) < 8 && a.left < b.right && b.left < a.right;
            const met = (a, i) => boxes.slice(0, i).filter((b) => meet(a, b)).map((b) => [what, a.name, b.name]);
            return boxes.flatMap(met);
        })"""
    )
    assert overlaps == []
    names = page.locator(".n2n-there .n2n-name").all_text_contents()
    assert len(set(names)) == units, "copies are told apart"


def test_largest_teacher_and_the_smallest(show):
    import keras

    for units in (16, 1):
        layers = [keras.Input((1,)), keras.layers.Dense(units, activation="gelu"), keras.layers.Dense(1)]
        page = show(explore.widen(keras.Sequential(layers)), width=360)
        labeled(page, "Hidden units").press("End")
        assert page.locator(".n2n-there").count() == 4 * units
        assert state(page, "kept")


def test_copied_until_few_numbers_fit(show):
    page = show(explore.widen(mapping=[0, 1, 2, 3, *[1] * 12]))
    assert "Its weights −1.20 and −0.48 become 13 parts each." in says(page)
    assert "…" in page.locator(".n2n-equation").inner_text()


def test_python_moves_the_notebooks_element(in_notebook):
    page = in_notebook(explore.widen())
    page.evaluate("model.fromPython({ width: 5, mapping: [0, 1, 2, 3, 0] })")
    assert state(page, "state.mapping") == [0, 1, 2, 3, 0]
    page.evaluate("model.fromPython({ way: 'undivided' })")
    assert not state(page, "kept")
    assert page.evaluate("model.saves") is None, "what Python set is not sent back"


def test_hands_move_pythons_traits(in_notebook):
    page, panel = in_notebook(explore.widen()), explore.widen()
    labeled(page, "Hidden units").press("End")
    labeled(page, "Its share").press("End")
    assert page.evaluate("model.saves") == 2
    panel.set_state(
        page.evaluate("Object.fromEntries([...new Set(model.saved)].map((name) => [name, model.values[name]]))")
    )
    assert panel.width == 16
    np.testing.assert_array_equal(panel.shares, state(page, "student.shares"))
    page.evaluate("cleanup()")
    page.evaluate("model.fromPython({ width: 4 })")
    assert state(page, "state.width") == 16, "a view that is gone listens no more"


# ------------------------------------------------------------------ net2net-deepen

DEEPEN = "net2net-deepen"


@pytest.fixture
def deepen(show):
    return show(explore.deepen())


@pytest.fixture
def conv(show):
    return show(explore.deepen(kind="conv"))


def readings(page):
    return page.locator(".n2n-gap:visible").all_inner_texts()


def verdicts(page):
    return page.locator(".n2n-verdict:visible").all_inner_texts()


def test_first_paint_of_a_silent_layer(deepen, conv):
    assert readings(deepen) == ["0", "0"]
    assert verdicts(deepen) == ["✓ idempotent", "✓ the same function"]
    assert says(deepen).endswith("the new layer is silent. The function has not changed.")
    assert readings(conv) == ["0"]
    assert says(conv) == "The 1 stands in the middle: every pixel stays in its place, and the new layer is silent."


def test_deepening_reads_as_in_python(show):
    for case in CASES["deepened"]:
        page = show(explore.deepen(**case["given"]))
        assert state(page, "gap", DEEPEN) == pytest.approx(case["gap"], rel=1e-13, abs=1e-15)
        assert state(page, "again(document.querySelector('net2net-deepen').state.v)", DEEPEN) == pytest.approx(
            case["again"], rel=1e-14, abs=1e-15
        )
        if case["given"].get("kind") == "conv":
            assert page.evaluate(
                "document.querySelector('net2net-deepen').after.flat().reduce((sum, pixel) => sum + pixel)"
            ) == pytest.approx(case["ink"], rel=1e-13)


@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_gallery_says_which_activations_are_silent(deepen, how):
    for number, name in enumerate(explore.ACTIVATIONS):
        choose(deepen, name, number, how)
        assert state(deepen, "state.activation", DEEPEN) == name
        panel = explore.deepen(activation=name)
        once = explore.ACTIVATIONS[name](functions.V)
        change = np.abs(explore.ACTIVATIONS[name](once) - once).max()
        silent = name in ("relu", "relu6", "linear")
        wanted = ["0", "0"] if silent else [f"{change:.3f}", f"{panel.gap:.3f}"]
        assert readings(deepen) == wanted
        assert verdicts(deepen)[0] == ("✓ idempotent" if silent else "✗ not idempotent")
        assert says(deepen).endswith("not changed." if silent else "has changed.")
        curves = deepen.locator(".n2n-plot path.n2n-new").evaluate_all(
            "(paths) => paths.map((p) => p.getAttribute('d'))"
        )
        below = deepen.locator(".n2n-plot path.n2n-old").evaluate_all(
            "(paths) => paths.map((p) => p.getAttribute('d'))"
        )
        assert (curves == below) == silent, "the curves lie on each other, to the pixel"


def test_new_layers_by_mouse_and_keyboard(deepen):
    layers = labeled(deepen, "New layers")
    deepen.locator("input[type=radio][value=tanh]").click()
    gaps = []
    for _ in range(2):
        layers.press("ArrowRight")
        gaps.append(state(deepen, "gap", DEEPEN))
    assert gaps == pytest.approx([explore.deepen(activation="tanh", layers=k).gap for k in (2, 3)])
    assert deepen.locator(".n2n-layers circle").count() == 4 * 4
    assert "φ(φ(φ(φ(v))))" in deepen.locator(".n2n-pane").nth(1).inner_text()
    drag(deepen, layers, 1, 0)
    assert state(deepen, "gap", DEEPEN) == 0
    assert says(deepen) == "No new layer yet: the student is the teacher."


def test_one_number_is_followed(deepen):
    deepen.locator("input[type=radio][value=sigmoid]").click()
    drag(deepen, labeled(deepen, "v"), 0.625, 0.25)
    v = state(deepen, "state.v", DEEPEN)
    assert -4.5 < v < -3.5
    panel = explore.deepen(activation="sigmoid", v=v)
    once = float(explore.ACTIVATIONS["sigmoid"](v))
    assert f"At v = −{-v:.1f}, {once:.2f} becomes {float(panel.again(v)):.2f}." in says(deepen)
    labeled(deepen, "v").press("Home")
    assert state(deepen, "state.v", DEEPEN) == -8


@pytest.mark.parametrize("size", ["1x3", "3x1", "3x3", "5x5"])
def test_kernel_by_mouse(conv, size):
    conv.locator(f"input[type=radio][value='{size}']").click()
    height, width = map(int, size.split("x"))
    assert conv.locator(".n2n-kernel input").count() == height * width
    assert verdicts(conv) == ["✓ the same image"]
    conv.get_by_label(f"row {height}, column {width}", exact=True).click()
    assert state(conv, "state.tap", DEEPEN) == [height - 1, width - 1]
    panel = explore.deepen(kind="conv", size=[height, width], tap=[height - 1, width - 1])
    np.testing.assert_array_equal(state(conv, "after", DEEPEN), panel.output)
    assert verdicts(conv) == ["✗ another image"]
    up, left = (height - 1) // 2, (width - 1) // 2
    words = " and ".join([f"{up} up"] * (up > 0) + [f"{left} to the left"] * (left > 0))
    assert f"the image moves {words}" in says(conv)


def test_kernel_by_keyboard(conv):
    conv.locator("input[type=radio][value='5x5']").focus()
    conv.keyboard.press("Space")
    conv.keyboard.press("Tab")
    assert conv.evaluate("document.activeElement.getAttribute('aria-label')") == "row 3, column 3"
    conv.keyboard.press("ArrowLeft")
    assert state(conv, "state.tap", DEEPEN) == [2, 1]
    assert "1 column left of the middle, so the image moves 1 to the right" in says(conv)


def test_ink_lost_is_counted(conv):
    conv.locator("input[type=radio][value='5x5']").click()
    conv.get_by_label("row 1, column 1", exact=True).click()
    labeled(conv, "New convolutions").press("End")
    panel = explore.deepen(kind="conv", size=[5, 5], tap=[0, 0], layers=3)
    lost = 1 - panel.output.sum() / (np.array(panel.image).sum() / 255)
    assert f"{100 * lost:.1f} % of the ink is lost" in says(conv)
    pixels = conv.locator("canvas").nth(1).evaluate("(c) => [...c.getContext('2d').getImageData(0, 0, 28, 28).data]")
    ink = np.array(pixels).reshape(28, 28, 4)[:, :, 2]  # the trace has no blue
    assert np.abs(ink - (18 + 237 * panel.output)).max() < 20


def test_deepening_by_touch(show):
    page = show(explore.deepen(), explore.deepen(kind="conv"), width=360, has_touch=True)
    page.locator("input[type=radio][value=elu]").first.tap()
    assert state(page, "state.activation", DEEPEN) == "elu"
    page.get_by_label("row 1, column 2", exact=True).tap()
    assert page.evaluate("document.querySelectorAll('net2net-deepen')[1].state.tap") == [0, 1]
    for name in ("New layers", "v"):
        before = state(page, "state", DEEPEN)
        box = labeled(page, name).first.bounding_box()
        labeled(page, name).first.tap(position={"x": box["width"] * 0.95, "y": box["height"] / 2})
        assert state(page, "state", DEEPEN) != before


def test_a_block_wakes_up_with_its_last_weights(show):
    page = show(explore.deepen(kind="block"))
    assert readings(page) == ["0", "0"]
    assert verdicts(page) == ["✓ f is 0", "✓ the same function"]
    assert "so the block adds 0 to every unit" in says(page)
    page.locator("input[type=radio][value=gelu]").click()
    assert verdicts(page) == ["✓ f is 0", "✓ the same function"]
    assert not page.get_by_label("New layers", exact=True).count()
    drag(page, labeled(page, "Last weights"), 0, 0.4)
    last = state(page, "state.last", DEEPEN)
    panel = explore.deepen(kind="block", activation="gelu", last=last)
    assert 0.3 < last < 0.5
    assert state(page, "gap", DEEPEN) == pytest.approx(panel.gap, rel=1e-12)
    assert panel.gap == pytest.approx(np.abs(panel.student(functions.X) - panel._values(0)[:, None]).max(), rel=1e-7)
    assert float(readings(page)[0]) == pytest.approx(np.abs(panel.added).max(), rel=0.01)
    assert verdicts(page) == ["✗ f adds something", "✗ another function"]
    assert says(page).endswith("The function has changed.")
    labeled(page, "Last weights").press("Home")
    assert state(page, "gap", DEEPEN) == 0


def test_python_moves_the_notebooks_deepening(in_notebook):
    page, panel = in_notebook(explore.deepen(kind="conv")), explore.deepen(kind="conv")
    page.evaluate("model.fromPython({ size: [5, 5], tap: [0, 4] })")
    assert state(page, "state.tap", DEEPEN) == [0, 4]
    page.locator("input[type=radio][value='1x3']").click()
    panel.set_state(page.evaluate("Object.fromEntries(model.saved.map((name) => [name, model.values[name]]))"))
    assert (panel.size, panel.tap) == ([1, 3], [0, 1])


# ------------------------------------------------------------------ in the book


class Playing(explore.Widen):
    """An element that plays, as on the first page."""

    def markup(self):
        return super().markup().replace(self.tag, f"{self.tag} play", 1)


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_first_growth_plays_once_unless_motion_is_not_wanted(show, motion):
    page = show(
        Playing(teacher=explore.curve_teacher(), width=8, mapping=explore.widen().mapping), reduced_motion=motion
    )
    start = state(page, "state.width")
    assert (start < 8) == (motion == "no-preference")
    page.wait_for_function("document.querySelector('net2net-widen').state.width === 8")
    assert state(page, "state.mapping") == explore.widen().mapping
    assert state(page, "kept")
    page.wait_for_timeout(1000)
    assert state(page, "state.width") == 8


def test_a_hand_stops_what_plays(show):
    whole = explore.widen(outputs=1, width=16)  # to grow there takes longer than to touch it
    page = show(Playing(teacher=whole.teacher, width=16, mapping=whole.mapping))
    page.locator("input[type=range]").first.focus()
    width = state(page, "state.width")
    assert width < 16
    page.wait_for_timeout(1000)
    assert state(page, "state.width") == width


@pytest.mark.parametrize("name", ["index", "04_mathematics", "02_net2widernet"])
def test_on_the_books_pages_news_stand_below_the_bar(browser, html, name):
    with Visit(browser, f"{html.resolve().as_uri()}/", f"book/{name}", width=360, has_touch=True) as visit:
        visit.page.set_viewport_size({"width": 360, "height": 740})
        visit.page.locator("net2net-widen").scroll_into_view_if_needed()
        for label in ("Hidden units", "Noise on weights in", "Look at unit", "Its share"):
            assert hidden_from(visit.page, labeled(visit.page, label)) == [], label


def test_an_element_far_below_costs_a_phone_nothing_until_it_comes_near(browser, html):
    with Visit(browser, f"{html.resolve().as_uri()}/", "book/04_mathematics", width=360) as visit:
        live = visit.page.locator("net2net-widen .n2n-live")
        assert live.count() == 0
        visit.page.locator("net2net-widen").scroll_into_view_if_needed()
        live.wait_for()
        assert visit.errors == []


@pytest.mark.parametrize("name", toc.documents())
def test_pages_load_the_scripts_of_their_elements_and_no_others(html, name):
    path = html / f"{name}.html"
    text = path.read_text(encoding="utf-8")
    tags = set(re.findall(r"<(net2net-\w+)", text))
    wanted = {name for tag in tags for name in element.scripts(tag)}
    loads = [load.split("?")[0] for load in read(path).loads]
    assert {file for file in (load.rsplit("/", 1)[-1] for load in loads) if file.startswith("net2net")} == wanted
    styles = "".join((path.parent / load).read_text(encoding="utf-8") for load in loads if load.endswith(".css"))
    assert ("--n2n-u0:" in styles) == bool(tags), "a page has the style of the elements if and only if it holds one"
    assert "vnd.jupyter.widget-state" not in text, "state that no script reads"


@pytest.mark.parametrize(
    ("name", "tag"),
    [
        ("index", "net2net-widen"),
        ("index", "net2net-race"),
        ("04_mathematics", "net2net-widen"),
        ("02_net2widernet", "net2net-widen"),
        ("03_net2deepernet", "net2net-deepen"),
        ("08_mnist_experiment", "net2net-race"),
        ("10_is_it_effective", "net2net-map"),
        ("my_network", "net2net-network"),
    ],
)
def test_elements_live_on_their_pages(browser, html, name, tag):
    with Visit(browser, f"{html.resolve().as_uri()}/", f"book/{name}") as visit:
        assert visit.page.locator(f"{tag} .n2n-live").count() == {"net2net-deepen": 3, "net2net-map": 2}.get(tag, 1)
        visit.page.locator(f"{tag} input[type=radio]").nth(2).click()
        assert barriers(visit.page, tag) == []
        assert visit.errors == visit.foreign == []

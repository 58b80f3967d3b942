"""The map: what it reads from two studies, and the element that must say of every cell what Python says.

The pages here hold the element and nothing else.
"""

import importlib.util
import itertools
import re

import numpy as np
import pandas as pd
import pytest
import test_elements
import traitlets
from address import ROOT
from test_pages import barriers

from helpers import Net2NetError, experiments, measures
from helpers.show import explore, growth_map, plots
from helpers.show.explore import element

stage, address, show = test_elements.stage, test_elements.address, test_elements.show
in_notebook = test_elements.in_notebook
TAG = "net2net-map"
BUDGETS, FRACTIONS = (4, 8), (0.25, 0.5, 0.7)
ROOM = 4.302653 * 0.05 / np.sqrt(3)  # Student's t of two degrees of freedom; seeds are 0.05 apart
# Of the seeds' middle one, at each budget.
CONSTANT = {"24 x 2": (2.0, 1.8), "36 x 2": (2.1, 1.6), "48 x 2": (2.5, 1.7)}
GROWN = {0.25: (2.2, 1.4), 0.5: (2.1, 1.6), 0.7: (2.0, 1.8)}


def studies(seeds=3):
    """Made-up frames: constant sizes know no seed, so differences are -0.05, 0 and 0.05 about those of the middle."""
    constant = [
        {"arm": arm, "seed": seed, "budget": budget, "test_loss": loss}
        for arm, losses in CONSTANT.items()
        for seed in range(seeds + 1)  # one seed that has not grown yet
        for budget, loss in [(np.nan, np.nan), *zip(BUDGETS, losses, strict=True)]
    ]
    frontier = pd.DataFrame(constant)
    best = {4: "24 x 2", 8: "36 x 2"}
    frontier.attrs = {
        "tried": {
            arm: {f"{budget}": {"0.1": [1 + (arm != best[budget])] * 2} for budget in BUDGETS} for arm in CONSTANT
        },
        "definition": {"name": "constant", "budgets": list(BUDGETS)},
    }
    students = [
        {"arm": "noise fresh", "seed": seed, "grown": fraction * budget, "lr": 0.1, "budget": budget}
        | {"test_loss": loss + 0.05 * (seed - (seeds - 1) / 2)}
        for fraction, losses in GROWN.items()
        for seed in range(seeds)
        for budget, loss in zip(BUDGETS, losses, strict=True)
    ]
    teacher = [
        {"arm": "teacher", "seed": seed, "grown": 0, "lr": 0.1, "budget": budget, "test_loss": 3 - budget / 4}
        for seed in range(seeds)
        for budget in (1, 2, 2.8, 4, 5.6)
    ]
    grown = pd.DataFrame(students + teacher)
    arms = {"noise fresh": {"size": [48, 2]}, "equal fresh": {"size": [48, 2]}}
    grown.attrs = {"definition": {"name": "grown", "arms": arms, "teacher": [24, 2], "middle": [8, 0.5]}}
    return frontier, grown


def panel_of(seeds=3, **state):
    return growth_map.growth_map(*studies(seeds), **state)


@pytest.fixture
def several():
    return panel_of()


def all_states(panel):
    """Set a map to all of its cells, beside all rivals."""
    for rival, cell in itertools.product(growth_map.RIVALS, panel.study["cells"]):
        panel.rival, panel.budget, panel.fraction = rival, cell["budget"], cell["fraction"]
        yield {"rival": rival, "budget": cell["budget"], "fraction": cell["fraction"]}


# ------------------------------------------------------------------ what is read


def test_differences_and_intervals_are_those_known(several):
    assert several.study["budgets"] == list(BUDGETS)
    assert several.study["fractions"] == list(FRACTIONS)
    for cell in several.study["cells"]:
        at = BUDGETS.index(cell["budget"])
        loss = GROWN[cell["fraction"]][at]
        assert cell["seeds"] == 3
        assert cell["loss"] == pytest.approx(loss)
        rivals = {"scratch": "48 x 2", "continued teacher": "24 x 2", "frontier": ("24 x 2", "36 x 2")[at]}
        for rival, size in rivals.items():
            mean = loss - CONSTANT[size][at]
            assert [cell[rival][name] for name in ("mean", "low", "high")] == [
                pytest.approx(value, abs=5.1e-4) for value in (mean, mean - ROOM, mean + ROOM)
            ]
            verdict = "wins" if mean < -ROOM else "loses" if mean > ROOM else "level"
            assert cell[rival]["verdict"] == verdict
    verdicts = {cell[rival]["verdict"] for cell in several.study["cells"] for rival in growth_map.RIVALS}
    assert verdicts == {"wins", "level", "loses"}


def test_curves_are_means_over_the_seeds_that_grew():
    frontier, grown = studies()
    frontier.loc[frontier["seed"] == 3, "test_loss"] = 99
    found = growth_map.growth_map(frontier, grown).study
    assert found["rivals"] == {"scratch": [2.5, 1.7], "continued teacher": [2.0, 1.8], "frontier": [2.0, 1.6]}
    assert found["teacher"] == [[1, 2.75], [2, 2.5], [2.8, 2.3], [4, 2.0], [5.6, 1.6]]


def test_one_seed_has_no_interval():
    panel = panel_of(seeds=1)
    assert panel.cell["scratch"] == {"mean": -0.1, "low": None, "high": None, "verdict": "open"}
    assert "NaN" not in panel.markup()
    assert panel.words == (
        "8 characters a weight, grown after half of that: the test loss ends 0.100 below the same network from scratch "
        "(1 seed, so no interval). One seed decides nothing."
    )
    assert panel.count == "Cells of one seed decide nothing."


def test_it_begins_where_the_study_compared_all_ways_to_grow(several):
    assert (several.budget, several.fraction) == (8, 0.5)
    frontier, grown = studies()
    del grown.attrs["definition"]["middle"]
    first = growth_map.growth_map(frontier, grown)
    assert (first.budget, first.fraction) == (4, 0.25)
    chosen = panel_of(rival="frontier", budget=4, fraction=0.7)
    assert (chosen.rival, chosen.budget, chosen.fraction) == ("frontier", 4, 0.7)


def test_recorded_map_is_that_of_the_border():
    frontier, grown = (experiments.load_results(name) for name in ("frontier", "language_wider"))
    panel = growth_map.growth_map()
    table = measures.border(frontier, grown)
    table = table[table["arm"] == "noise fresh"].set_index(["budget", "fraction"])
    assert len(panel.study["cells"]) == len(table) == 16
    for state in all_states(panel):
        found, told = table.loc[(state["budget"], state["fraction"]), state["rival"]], panel.cell[state["rival"]]
        assert told["mean"] == pytest.approx(found.mean, abs=5.1e-4)
        if not np.isnan(found.low):
            assert (told["low"], told["high"]) == pytest.approx(found[1:], abs=5.1e-4)
            assert (told["verdict"] == "level") == (found.low <= 0 <= found.high)
    start = {x for x, _ in panel.study["teacher"]}
    assert {fraction * budget for budget, fraction in table.index} <= start, (
        "each cell's growth is on the teacher's way"
    )
    assert len(panel.markup()) < 60_000


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ((-0.106, -0.207, -0.005, "wins"), "0.106 below {} (0.005 to 0.207 below, 3 seeds). Growing wins."),
        ((0.302, 0.218, 0.385, "loses"), "0.302 above {} (0.218 to 0.385 above, 3 seeds). Growing loses."),
        (
            (-0.014, -0.113, 0.086, "level"),
            "0.014 below {} (0.113 below to 0.086 above, 3 seeds). The two are level: the interval holds 0.",
        ),
        (
            (0.0, -0.02, 0.02, "level"),
            "level with {} (0.020 below to 0.020 above, 3 seeds). The two are level: the interval holds 0.",
        ),
        ((-0.001, -0.002, 0.0, "wins"), "0.001 below {} (0.000 to 0.002 below, 3 seeds). Growing wins."),
        ((0.1, None, None, "open"), "0.100 above {} (1 seed, so no interval). One seed decides nothing."),
    ],
)
@pytest.mark.parametrize("rival", growth_map.RIVALS)
def test_words_are_those_known(several, rival, change, wanted):
    several.rival, several.budget, several.fraction = rival, 4, 0.7
    several.cell[rival].update(zip(("mean", "low", "high", "verdict"), change, strict=True))
    begin = "4 characters a weight, grown after seven tenths of that: the test loss ends "
    assert several.words == begin + wanted.format(growth_map.RIVALS[rival])


def test_wins_and_losses_are_counted(several):
    assert several.count == "Growing wins in 4 of 6 cells, loses in 0."
    several.rival = "continued teacher"
    assert several.count == "Growing wins in 2 of 6 cells, loses in 1."


def test_picture_says_each_cell_and_frames_the_chosen_one(several):
    several.budget, several.fraction = 8, 0.7
    figure, alt, says = several.picture()
    (axes,) = figure.axes
    numbers = [text.get_text() for text in axes.texts]
    assert numbers[::2] == ["−0.300", "−0.300", "−0.400", "−0.100", "−0.500", "+0.100"]
    assert numbers[1::2] == ["wins", "wins", "wins", "level", "wins", "level"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a quarter", "half", "seven tenths"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["4", "8"]
    assert axes.patches[0].get_xy() == (1, 2)
    paints = axes.collections[0].get_array().reshape(-1, 4)
    assert paints[0][2] > paints[0][0], "what wins is blue"
    assert np.ptp(paints[3][:3]) < 0.01, "what is level is gray"
    assert several.count in alt
    assert says == f"{several.count} {several.words}"


def test_orange_loses():
    cells = [(-0.2, "wins"), (0.2, "loses"), (0.1, "open")]
    paints = plots.growth_map(["half"], ["4", "8", "16"], cells, 0, "").axes[0].collections[0].get_array()[0]
    assert paints[1][0] > paints[1][2]


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("budget", 5, "budget: expected one of 4, 8, got 5"),
        ("fraction", 0.3, "fraction: expected one of 0.25, 0.5, 0.7, got 0.3"),
    ],
)
def test_state_that_does_not_fit_is_refused(several, name, value, message):
    before = getattr(several, name)
    with pytest.raises(Net2NetError, match=message):
        setattr(several, name, value)
    assert getattr(several, name) == before
    with pytest.raises(Net2NetError, match=message):
        panel_of(**{name: value})


def test_what_is_unknown_is_refused(several):
    with pytest.raises(traitlets.TraitError, match="rival"):
        several.rival = "nobody"
    with pytest.raises(Net2NetError, match="arm: expected 'noise fresh' or 'equal fresh', got 'noise'"):
        panel_of(arm="noise")
    with pytest.raises(Net2NetError, match="grown: expected a study that is read at budgets, got mnist_article"):
        growth_map.growth_map(studies()[0], "mnist_article")
    with pytest.raises(Net2NetError, match="recorded are: .*frontier"):
        growth_map.growth_map("border")


def test_arm_that_is_not_recorded_everywhere_is_refused():
    frontier, grown = studies()
    attrs, grown = grown.attrs, grown[~((grown["grown"] == 2) & (grown["budget"] == 8))]
    grown.attrs = attrs
    with pytest.raises(Net2NetError, match="noise fresh: expected growth after each .* missing 0.25 of 8"):
        growth_map.growth_map(frontier, grown)
    with pytest.raises(Net2NetError, match="equal fresh: expected growth at some budget, got none"):
        growth_map.growth_map(frontier, grown, arm="equal fresh")


def test_directive_finds_what_makes_each_element():
    # By its path: benchmarks/ has a file of the same name.
    spec = importlib.util.spec_from_file_location("book_elements", ROOT / "_ext" / "elements.py")
    elements = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(elements)
    scripts = {path.name for path in (ROOT / "book" / "web").glob("net2net-*.js")}
    assert scripts | {"net2net.js"} == {file for tag in elements.ROOMS for file in element.scripts(tag)}
    for maker in elements.ROOMS.values():
        room, name = maker.split(".")
        assert callable(getattr(importlib.import_module(f"helpers.show.{room}"), name))
    assert {"frontier", "grown", "arm", "rival", "budget", "fraction"} <= set(elements.Element.option_spec)


# ------------------------------------------------------------------ on a page


def find(page, expression, number=0):
    """The value of an expression about the element, which is called `map` in it."""
    return page.evaluate(f"((map) => {expression})(document.querySelectorAll('{TAG}')[{number}])")


def over(page, states, expression):
    """The values of an expression about the element in each of its states."""
    return page.evaluate(
        f"""(states) => {{
            const map = document.querySelector('{TAG}');
            const all = (name) => [...map.live.querySelectorAll(name)];
            const given = (name, ...attributes) => attributes.map((each) => all(name)[0].getAttribute(each));
            const cells = all('.n2n-map-cells button');
            return states.map((state) => {{
                map.set(state, {{ quiet: true }});
                return {expression};
            }});
        }}""",
        list(states),
    )


def said(page):
    page.wait_for_timeout(250)
    return page.locator(".n2n-says").inner_text()


def cell_of(page, budget, fraction):
    words = growth_map.FRACTIONS[fraction]
    return page.get_by_role("button", name=re.compile(f": {budget:g} characters a weight, grown after {words} of"))


def chosen(page):
    """The cell in the state, the one that is marked, and the one that a Tab would reach."""
    state = find(page, "[map.state.budget, map.state.fraction]")
    for mark in ("[aria-pressed=true]", "[tabindex='0']"):
        (label,) = page.locator(f".n2n-map-cells button{mark}").evaluate_all("(all) => all.map((one) => one.ariaLabel)")
        words = growth_map.FRACTIONS[state[1]]
        assert label.endswith(f": {state[0]:g} characters a weight, grown after {words} of that")
    return tuple(state)


@pytest.mark.browser
@pytest.mark.parametrize("seeds", [1, 3, None])
def test_every_cell_beside_every_rival_says_what_python_says(show, seeds):
    panel = panel_of(seeds) if seeds else growth_map.growth_map()
    states = list(all_states(panel))
    found = over(
        show(panel),
        states,
        """{
            words: map.says.textContent, count: map.counted.textContent, number: map.reading.textContent,
            verdict: map.verdict.textContent,
            cells: cells.map((e) => [...e.children].map((part) => part.textContent)),
            labels: cells.map((e) => e.ariaLabel),
            pressed: cells.map((e) => e.ariaPressed === 'true'),
            inTurn: cells.map((e) => e.tabIndex === 0),
        }""",
    )
    for state, seen, _ in zip(states, found, all_states(panel), strict=True):
        assert seen["words"] == panel.words
        assert seen["count"] == panel.count
        cells = []
        for cell in panel.study["cells"]:
            mean, _, _, verdict = cell[state["rival"]].values()
            signed = f"{mean:+.3f}".replace("-", "−") if mean else "0.000"
            cells.append([signed, "1 seed" if verdict == "open" else verdict])
        assert seen["cells"] == cells
        after = [(cell["budget"], growth_map.FRACTIONS[cell["fraction"]]) for cell in panel.study["cells"]]
        assert seen["labels"] == [
            f"{number} {word}: {budget:g} characters a weight, grown after {part} of that"
            for (number, word), (budget, part) in zip(cells, after, strict=True)
        ]
        here = panel.study["cells"].index(panel.cell)
        assert seen["pressed"] == seen["inTurn"] == [number == here for number in range(len(cells))]
        assert seen["number"] == cells[here][0]
        assert seen["verdict"] in (f"growing {cells[here][1]}", cells[here][1], f"{cells[here][1]} only")


@pytest.mark.browser
def test_words_of_rare_numbers_are_the_same_too(show, several):
    for cell, numbers in zip(
        several.study["cells"],
        [(-0.001, -0.002, 0.0, "wins"), (0.0, -0.02, 0.02, "level"), (0.0005, 0.0, 0.001, "level"), (1, 1, 1, "loses")],
        strict=False,
    ):
        cell["scratch"].update(zip(("mean", "low", "high", "verdict"), numbers, strict=True))
    wanted = [several.words for _ in all_states(several)]
    assert over(show(several), all_states(several), "map.says.textContent") == wanted


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "touch"])
def test_each_cell_is_chosen_by_hand(show, several, how):
    page = show(several, width=360, has_touch=True)
    page.evaluate("window.told = []; addEventListener('net2net-moved', ({ detail }) => told.push(detail))")
    for fraction, budget in itertools.product(FRACTIONS, BUDGETS):
        node = cell_of(page, budget, fraction)
        (node.click if how == "mouse" else node.tap)()
        several.budget, several.fraction = budget, fraction
        assert chosen(page) == (budget, fraction)
        assert said(page) == several.words
    assert page.evaluate("told")[:2] == [{"budget": 4, "fraction": 0.25}, {"budget": 8}], "all that changed is told"


@pytest.mark.browser
def test_arrow_keys_move_over_the_map_and_stop_at_its_edges(show, several):
    page = show(several)
    page.locator("input[type=radio]:checked").focus()
    page.keyboard.press("Tab")
    for key, wanted in (
        ("ArrowLeft", (4, 0.5)),
        ("ArrowLeft", (4, 0.5)),
        ("ArrowDown", (4, 0.7)),
        ("ArrowDown", (4, 0.7)),
        ("End", (8, 0.7)),
        ("ArrowRight", (8, 0.7)),
        ("ArrowUp", (8, 0.5)),
        ("ArrowUp", (8, 0.25)),
        ("ArrowUp", (8, 0.25)),
        ("Home", (4, 0.25)),
    ):
        page.keyboard.press(key)
        assert chosen(page) == wanted
        assert page.evaluate("document.activeElement.ariaPressed") == "true", "the focus goes with it"
    several.budget, several.fraction = 4, 0.25
    assert said(page) == several.words
    page.keyboard.press("Control+ArrowRight")
    assert chosen(page) == (4, 0.25), "keys of the browser are left to it"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Start over", "one Tab leaves the map"


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
def test_rivals_are_chosen_and_start_over_goes_back(show, several, how):
    page = show(several, has_touch=True)
    for number, (rival, words) in enumerate(growth_map.RIVALS.items()):
        radio = page.get_by_role("radio", name=words, exact=True)
        if how == "keyboard":
            page.keyboard.press("ArrowRight") if number else radio.focus()
        else:
            (radio.click if how == "mouse" else radio.tap)()
        several.rival = rival
        assert find(page, "map.state.rival") == rival
        assert said(page) == several.words
        assert page.locator(".n2n-map-rival").count() == 1
        assert page.locator(".n2n-map-plot .n2n-curve:not(.n2n-map-way)").count() == (3 if rival == "frontier" else 2)
    cell_of(page, 4, 0.7).click()
    page.get_by_role("button", name="Start over").click()
    assert find(page, "[map.state.rival, map.state.budget, map.state.fraction]") == ["scratch", 8, 0.5]
    assert said(page) == panel_of().words


@pytest.mark.browser
def test_interval_stands_where_it_belongs(show, several):
    page = show(several)
    told = [cell[rival] for cell in several.study["cells"] for rival in growth_map.RIVALS]
    most = max(abs(one[end]) for one in told for end in ("low", "high"))
    wide = find(page, "map.span.clientWidth")
    found = over(page, all_states(several), "[given('.n2n-map-bar', 'd')[0], given('.n2n-map-span circle', 'cx')[0]]")
    for (bar, dot), _ in zip(found, all_states(several), strict=True):
        mean, low, high, _ = several.cell[several.rival].values()
        wanted = [wide / 2 + value / most * (wide / 2 - 8) for value in (low, high, mean)]
        ends = re.match(r"M(\S+) \S+H([\d.]+)M", bar).groups()
        assert [*map(float, ends), float(dot)] == pytest.approx(wanted, abs=0.1)
    page = show(panel_of(seeds=1))
    assert page.locator(".n2n-map-bar").count() == 0


@pytest.mark.browser
def test_curves_stand_where_they_belong(show, several):
    page = show(several)
    wide = find(page, "map.plot.clientWidth")
    losses = [2.75, 1.4]  # the greatest and the least: the teacher's first, and a cell

    def place(budget, loss):
        x = 38 + np.log(budget / 1) / np.log(8) * (wide - 38 - 142)
        return x, 38 + np.log(losses[0] / loss) / np.log(losses[0] / losses[1]) * (310 - 38 - 40 - 8)

    def points(path):
        return [tuple(map(float, pair.split())) for pair in re.split("[ML]", path)[1:]]

    found = over(
        page,
        all_states(several),
        """{
            dot: given('.n2n-map-plot .n2n-map-dot', 'cx', 'cy'), start: given('.n2n-map-start', 'cx', 'cy'),
            ways: all('.n2n-map-way').map((e) => e.getAttribute('d')), gap: given('.n2n-map-gap', 'd')[0],
            rival: given('.n2n-map-rival .n2n-curve', 'd')[0],
        }""",
    )
    for seen, state in zip(found, all_states(several), strict=True):
        at, budget, loss = BUDGETS.index(state["budget"]), state["budget"], several.cell["loss"]
        moment = budget * state["fraction"]
        end, grows = place(budget, loss), place(moment, 3 - moment / 4)
        assert [*map(float, seen["dot"])] == pytest.approx(end, abs=0.1)
        assert [*map(float, seen["start"])] == pytest.approx(grows, abs=0.1)
        teacher, student = map(points, seen["ways"])
        assert len(teacher) == [1, 2, 2.8, 4, 5.6].index(round(moment, 6)) + 1, "the teacher stops where it grows"
        assert np.ravel(student) == pytest.approx(np.ravel([grows, end]), abs=0.1)
        rival = several.study["rivals"][state["rival"]]
        wanted = [place(*each) for each in zip(BUDGETS, rival, strict=True)]
        assert np.ravel(points(seen["rival"])) == pytest.approx(np.ravel(wanted), abs=0.1)
        assert np.ravel(points(seen["gap"])) == pytest.approx(np.ravel([end, wanted[at]]), abs=0.1)
    names = page.locator(".n2n-map-plot .n2n-name").all_text_contents()
    assert {"continued teacher", "from scratch", "best size", "grown", "grows here"} <= set(names)


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 360, 430, 560, 768, 1280])
def test_its_place_is_reserved_and_kept(show, width):
    panel = growth_map.growth_map()
    page = show(panel, width=width)
    tall = find(page, "map.offsetHeight")
    found = over(
        page,
        all_states(panel),
        """[
            map.offsetHeight,
            document.documentElement.scrollWidth,
            Math.max(...all('.n2n-map-plot text').map((e) => e.getBoundingClientRect().right)),
            cells.filter((e) => e.scrollWidth > e.clientWidth).length,
        ]""",
    )
    for height, scrolls, name, overflowing in found:
        assert height == tall
        assert scrolls <= width
        assert name <= width, "no name is cut off"
        assert not overflowing, "no number leaves its cell"
    live = find(page, "map.live.offsetHeight")
    page.add_style_tag(content=".n2n-live { display: none !important; }")
    assert 0 <= find(page, "map.offsetHeight") - live < 40, "before the script has run"


@pytest.mark.browser
def test_axe_finds_nothing_beside_any_rival(show):
    panels = [panel_of(rival=rival) for rival in growth_map.RIVALS]
    assert barriers(show(*panels, panel_of(seeds=1), theme="dark", width=360), TAG) == []


@pytest.mark.browser
def test_numbers_on_the_deepest_colors_can_be_read(show, several):
    """At least 4.5 to 1, which axe does not tell of mixed colors."""
    verdicts = zip((-1, 1, 0.5, -0.5, 0, 0), ("wins", "loses", "loses", "wins", "level", "level"), strict=True)
    for cell, (mean, verdict) in zip(several.study["cells"], verdicts, strict=True):
        cell["scratch"] |= {"mean": mean, "verdict": verdict}
    for theme in ("light", "dark"):
        page = show(several, theme=theme)
        ratios = page.locator(".n2n-map-cells button").evaluate_all(
            """(cells) => {
                const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
                const light = (color) => {
                    pen.fillStyle = color;
                    pen.fillRect(0, 0, 1, 1);
                    const parts = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map((part) => part / 255)
                        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
                    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
                };
                return cells.map((cell) => {
                    const { color, backgroundColor } = getComputedStyle(cell);
                    const [low, high] = [light(color), light(backgroundColor)].sort((a, b) => a - b);
                    return (high + 0.05) / (low + 0.05);
                });
            }"""
        )
        assert min(ratios) >= 4.5, (theme, ratios)


# ------------------------------------------------------------------ beside Python


@pytest.mark.browser
def test_python_moves_the_notebooks_map_and_hears_it(in_notebook, several):
    page = in_notebook(several)
    page.evaluate("model.fromPython({ rival: 'frontier', budget: 4, fraction: 0.25 })")
    several.rival, several.budget, several.fraction = "frontier", 4, 0.25
    assert said(page) == several.words
    cell_of(page, 8, 0.7).click()
    several.set_state(page.evaluate("Object.fromEntries(model.saved.map((name) => [name, model.values[name]]))"))
    assert (several.budget, several.fraction) == (8, 0.7)
    assert said(page) == several.words


def test_python_and_page_name_the_same_things():
    text = (ROOT / "book" / "web" / "net2net-map.js").read_text(encoding="utf-8")

    def constant(name):
        body = re.search(rf"const {name} = {{(.*?)}};", text, re.DOTALL)[1]
        return dict(re.findall(r'(?:^|,)\s*"?([\w. ]+?)"?: "(.*?)"', body))

    assert constant("RIVALS") == growth_map.RIVALS
    assert constant("VERDICTS") == growth_map.VERDICTS
    assert constant("FRACTIONS") == {f"{fraction:g}": words for fraction, words in growth_map.FRACTIONS.items()}


# ------------------------------------------------------------------ bad states


@pytest.mark.browser
def test_settings_that_make_no_sense_are_set_right(show, several):
    page = show(several)
    page.evaluate(
        """() => {
            const wrong = document.createElement('net2net-map'), first = document.querySelector('net2net-map');
            const values = { rival: 'nobody', budget: '5', fraction: 'late' };
            wrong.setAttribute('study', first.getAttribute('study'));
            for (const [name, value] of Object.entries(values)) wrong.setAttribute(name, value);
            const none = document.createElement('net2net-map');
            none.setAttribute('study', '[1, 2');
            document.querySelector('main').prepend(wrong, none);
        }"""
    )
    page.wait_for_function(f"() => [...document.querySelectorAll('{TAG}')].every((map) => map.live)")
    assert find(page, "[map.state.rival, map.state.budget, map.state.fraction]") == ["scratch", 4, 0.25]
    assert find(page, "map.says.textContent", 1) == "No results are recorded for this map."
    live = page.locator(TAG).nth(1).locator(":is(input, button):not(:disabled)")
    assert live.count() == 0, "no control is dead"
    assert barriers(page, TAG) == []


def test_it_is_an_explorable(several):
    assert isinstance(several, explore.Explorable)
    data, _ = several._repr_mimebundle_()
    assert data["text/html"].startswith(f"<{TAG} study=")
    assert data["text/plain"] == f"{several.count} {several.words}"

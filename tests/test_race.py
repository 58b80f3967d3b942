"""The race: what it reads from a study, the guess, and the element that must say of every moment what Python says.

The pages here hold the element and nothing else; that it lives in its chapter is tested with the other elements.
"""

import itertools
import json
import math
import re

import numpy as np
import pandas as pd
import pytest
import test_elements
from address import ROOT
from test_elements import drag, labeled
from test_pages import Visit, barriers

from helpers import Net2NetError, experiments, measures
from helpers.show import arms, race

stage, address, show = test_elements.stage, test_elements.address, test_elements.show
in_notebook = test_elements.in_notebook
TAG = "net2net-race"
MOMENTS = list(itertools.product(race.AXES, race.MEASURES, [0, 0.1, 0.355, 0.5, 0.62, 0.8, 1]))


def study(arms, seeds=3, **more):
    """Made-up rows: `arms` gives (accuracy, seconds) at updates 0, 100, 200 for seed 0; other seeds add to these.

    Seed s has 0.01 s more accuracy, and takes s seconds more for each hundred updates.
    """
    rows = [
        {"arm": arm, "seed": seed, "update": 100 * i, "examples": 3200 * i, "seconds": seconds + seed * i}
        | {"val_accuracy": accuracy + 0.01 * seed, "val_loss": 1 - accuracy - 0.01 * seed}
        for arm, points in arms.items()
        for seed in range(seeds)
        for i, (accuracy, seconds) in enumerate(points)
    ]
    return pd.DataFrame(rows)


KNOWN = {
    "teacher": [(0.1, 0), (0.3, 10), (0.5, 20)],
    "net2wider": [(0.5, 0), (0.6, 30), (0.7, 60)],
    "scratch_wider": [(0.1, 0), (0.6, 30), (0.8, 60)],
    "randompad": [(0.2, 0), (0.55, 29), (0.7, 58)],
}


@pytest.fixture
def several():
    return race.race(study(KNOWN))


# ------------------------------------------------------------------ what is read


def test_medians_ranges_and_total_seconds_are_those_known(several):
    teacher, wider, scratch, padded = several.study["arms"]
    assert wider["seeds"] == 3
    assert wider["updates"] == [0, 100, 200]
    assert wider["seconds"] == [0, 31, 62]
    assert wider["val_accuracy"] == [[0.51, 0.61, 0.71], [0.5, 0.6, 0.7], [0.52, 0.62, 0.72]]
    assert wider["val_loss"][0] == [0.49, 0.39, 0.29]
    assert wider["total"] == [22, 53, 84], "each seed's own teacher is added, before the median is taken"
    assert scratch["total"] == scratch["seconds"], "who began from scratch owes no teacher"
    assert teacher["total"] == teacher["seconds"] == [0, 11, 22]
    assert padded["total"] == [22, 52, 82]


def test_total_is_summed_seed_by_seed():
    frame = study(KNOWN)
    frame.loc[(frame["arm"] == "teacher") & (frame["seed"] == 0), "seconds"] *= 50
    totals = race.race(frame).study["arms"][1]["total"]
    assert totals == [np.median([1000, 22, 24]), np.median([1030, 22 + 31, 24 + 32]), np.median([1060, 84, 88])]


def test_one_seed_has_no_range():
    (summary,) = race.race(study({"net2wider": KNOWN["net2wider"]}, seeds=1)).study["arms"]
    assert summary["val_accuracy"] == [[0.5, 0.6, 0.7]]
    assert summary["seeds"] == 1


def test_recorded_study_is_read_whole():
    frame = experiments.load_results("mnist_article")
    panel = race.race()
    assert [summary["arm"] for summary in panel.study["arms"]] == list(frame["arm"].unique())
    for summary in panel.study["arms"]:
        rows = frame[frame["arm"] == summary["arm"]]
        values = rows.groupby("update")["val_accuracy"].median()
        assert summary["updates"] == values.index.tolist()
        np.testing.assert_allclose(summary["val_accuracy"][0], values, atol=5e-5)
        owed = measures.ends(frame, "seconds")["teacher"].median()
        late = summary["arm"] not in ("teacher", "scratch_deeper", "scratch_wider")
        assert summary["total"][0] == pytest.approx(owed if late else 0, abs=0.06)
    assert len(panel.markup()) < 60_000


def test_arms_are_chosen_and_ordered():
    panel = race.race(study(KNOWN), arms=["scratch_wider", "net2wider"])
    assert [summary["arm"] for summary in panel.study["arms"]] == ["scratch_wider", "net2wider"]
    assert panel.study["arms"][1]["total"] == [22, 53, 84], "a teacher that is not shown is still paid for"


def test_marks_that_not_all_seeds_have_are_left_out():
    frame = study(KNOWN)
    frame = frame[~((frame["arm"] == "net2wider") & (frame["seed"] == 2) & (frame["update"] == 100))]
    assert race.race(frame, arms=["net2wider"]).study["arms"][0]["updates"] == [0, 200]


def test_run_that_diverged_has_no_value_there():
    frame = study({"net2wider": KNOWN["net2wider"], "randompad": KNOWN["randompad"]}, seeds=1)
    frame.loc[(frame["arm"] == "randompad") & (frame["update"] > 0), "val_loss"] = math.nan
    panel = race.race(frame, measure="val_loss", at=1)
    assert panel.study["arms"][1]["val_loss"] == [[0.8, None, None]]
    assert "NaN" not in panel.markup()
    assert panel.standing == [("net2wider", pytest.approx(0.3)), ("randompad", 0.8)]


def test_without_a_teacher_there_is_no_total():
    frame = study({"net2wider": KNOWN["net2wider"]})
    panel = race.race(frame)
    assert panel.study["axes"] == ["updates", "seconds"]
    with pytest.raises(Net2NetError, match="axis: 'total' needs a teacher for every seed"):
        panel.axis = "total"


def test_arms_look_different_up_to_twenty():
    names = [f"{kind}_{i}" for kind in ("net2wider", "random", "scratch", "teacher") for i in range(5)]
    panel = race.race(study({"teacher": KNOWN["teacher"]} | dict.fromkeys(names, KNOWN["net2wider"])))
    looks = [(summary["color"], summary["dash"]) for summary in panel.study["arms"]]
    assert len(set(looks)) == len(looks) == 21
    assert {color for color, _ in looks} <= set(range(len(arms.PALETTE)))


def test_names_and_looks_are_those_of_all_figures(several):
    looks = arms.looks(KNOWN)
    for summary in several.study["arms"]:
        look = looks[summary["arm"]]
        assert summary["label"] == look.label
        assert (summary["color"], summary["dash"]) == (arms.PALETTE.index(look.color), look.svg_dash)


def test_arms_that_differ_in_size_alone_are_told_apart():
    sized = [f"scratch x{n}" for n in (1.5, 2, 4)]
    summaries = race.race(study(dict.fromkeys(sized, KNOWN["scratch_wider"]))).study["arms"]
    assert [one["label"].replace("\n", " ") for one in summaries] == [f"from scratch x{n}" for n in (1.5, 2, 4)]
    assert {one["color"] for one in summaries} == {arms.PALETTE.index(arms.BLACK)}
    assert len({one["dash"] for one in summaries}) == 3


def fallen(arm="net2wider", seeds=(2,)):
    """The rows of `KNOWN` with some runs of an arm at guessing throughout."""
    frame = study(KNOWN)
    low = (frame["arm"] == arm) & frame["seed"].isin(seeds)
    frame.loc[low, ["val_accuracy", "val_loss"]] = [0.11, 2.3]
    return frame


def test_a_run_that_collapsed_counts_in_the_median_and_not_in_the_band():
    wider = race.race(fallen()).study["arms"][1]
    assert (wider["collapsed"], wider["seeds"]) == (1, 3)
    assert wider["val_accuracy"] == [[0.5, 0.6, 0.7], [0.5, 0.6, 0.7], [0.51, 0.61, 0.71]]
    assert wider["val_loss"][2] == [0.5, 0.4, 0.3]
    assert race.race(study(KNOWN)).study["arms"][1]["collapsed"] == 0


def test_an_arm_that_collapsed_whole_has_a_line_and_no_band():
    wider = race.race(fallen(seeds=(0, 1, 2))).study["arms"][1]
    assert wider["collapsed"] == 3
    assert wider["val_accuracy"] == [[0.11] * 3, [None] * 3, [None] * 3]


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        ({"at": 0}, "Nothing has run yet."),
        (
            {"at": 0.01},
            "After 0 updates “equal shares” leads with 51.00 %, then “random padding” 21.00 %, "
            "“from scratch, wider” 11.00 %. Medians of 3 seeds.",
        ),
        (
            {"at": math.sqrt(0.5)},
            "After 100 updates “equal shares” and “from scratch, wider” lead with 61.00 %, then “random padding” "
            "56.00 %. Medians",
        ),
        ({"at": 1}, "“from scratch, wider” ended highest, with 81.00 %. Medians of 3 seeds."),
        (
            {"at": 1, "guess": "scratch_wider"},
            "You guessed “from scratch, wider”, and it ended highest, with 81.00 %. Medians of 3 seeds.",
        ),
        (
            {"at": 1, "guess": "net2wider"},
            "You guessed “equal shares”, which ended with 71.00 %; “from scratch, wider” ended highest, with 81.00 %.",
        ),
        (
            {"at": 1, "guess": "net2wider", "measure": "val_loss"},
            "You guessed “equal shares”, which ended with 0.2900; “from scratch, wider” ended lowest, with 0.1900.",
        ),
        (
            {"measure": "val_loss", "axis": "seconds", "at": math.sqrt(60 / 62)},
            "After 60.0 s “random padding” leads with 0.2900, then “equal shares” 0.3900, “from scratch, wider” "
            "0.3900.",
        ),
        (
            {"axis": "total", "at": 0.5},
            "After 21.0 s “teacher” leads with 31.00 %, then “from scratch, wider” 11.00 %. Medians",
        ),
    ],
)
def test_words_are_those_known(several, state, wanted):
    for name, value in state.items():
        setattr(several, name, value)
    assert several.words.startswith(wanted)


def level():
    """The wider student ends highest in the median, from scratch level with it, random padding behind both."""
    frame = study(KNOWN, seeds=4)
    for arm, ends in {"net2wider": (0.8, 0.7, 0.8, 0.6), "scratch_wider": (0.6, 0.8, 0.6, 0.8)}.items():
        for seed, end in enumerate(ends):
            frame.loc[(frame["arm"] == arm) & (frame["seed"] == seed) & (frame["update"] == 200), "val_accuracy"] = end
    frame.loc[(frame["arm"] == "randompad"), "val_accuracy"] /= 2
    return frame


@pytest.mark.parametrize(
    ("guess", "wanted"),
    [
        ("", "“equal shares” ended highest, with 75.00 %, level with “from scratch, wider”."),
        (
            "net2wider",
            "You guessed “equal shares”, and it ended highest, with 75.00 %, but level with “from scratch, wider”.",
        ),
        (
            "scratch_wider",
            "You guessed “from scratch, wider”: it ended level with “equal shares”, which has the highest median, "
            "75.00 %.",
        ),
        (
            "randompad",
            "You guessed “random padding”, which ended with 35.75 %; “equal shares” ended highest, with 75.00 %, level "
            "with “from scratch, wider”.",
        ),
    ],
)
def test_what_the_seeds_cannot_tell_apart_is_level(guess, wanted):
    panel = race.race(level(), guess=guess, at=1)
    assert panel.words == f"{wanted} Medians of 4 seeds; level means that these seeds cannot tell them apart."
    panel.at = 0.9
    assert "level" not in panel.words, "before the end nobody has ended"


def test_one_seed_alone_calls_nothing_level():
    panel = race.race(study(KNOWN, seeds=1), guess="randompad", at=1)
    assert panel.words == (
        "You guessed “random padding”, which ended with 70.00 %; “from scratch, wider” ended highest, with 80.00 %. "
        "1 seed: a small lead may be luck."
    )


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["net2wider"], "1 of 3 runs of “equal shares” collapsed to guessing; the bands leave them out."),
        (
            ["net2wider", "randompad"],
            "1 of 3 runs of “equal shares” and 1 of 3 runs of “random padding” collapsed to guessing; the bands leave "
            "them out.",
        ),
        ([*KNOWN], "4 of 12 runs collapsed to guessing; the bands leave them out."),
    ],
)
def test_runs_that_collapsed_are_told(names, wanted):
    frame = study(KNOWN)
    frame.loc[frame["arm"].isin(names) & (frame["seed"] == 0), "val_accuracy"] = 0.1
    assert race.race(frame, at=1).words.endswith(f". {wanted}")


def test_many_leaders_and_many_places_are_told_shortly():
    each = {f"arm {i}": KNOWN["net2wider"] for i in range(5)}
    each |= {f"low {i}": [(0.1 - 0.01 * i, 0)] * 3 for i in range(5)}
    assert race.race(study(each, seeds=1), at=0.99).words == (
        "After 196 updates “arm 0”, “arm 1” and 3 others lead with 60.00 %, then “low 0” 10.00 %, "
        "“low 1” 9.00 %; last is “low 4” 6.00 %. 1 seed: a small lead may be luck."
    )


def test_seeds_that_differ_are_said():
    frame = study(KNOWN)
    frame = frame[(frame["arm"] != "randompad") | (frame["seed"] == 0)]
    assert "Medians of 1 to 3 seeds" in race.race(frame, at=1).words


def test_picture_draws_until_the_moment_and_all_where_nothing_has_run(several):
    def drawn():
        axes = several.picture()[0].axes[0]
        names = {text.get_text().replace("\n", " ") for text in axes.texts}
        xs = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) > 1]
        return names, max(np.max(x) for x in xs), len(axes.collections)

    names = {"teacher", "equal shares", "from scratch, wider", "random padding"}
    assert drawn() == (names, 200, 4)
    _, alt, says = several.picture()
    assert says.startswith("“from scratch, wider” ended highest")
    assert alt == f"Validation accuracy over updates, a line for each arm. {says}"
    several.at = 0.8
    assert drawn() == (names, pytest.approx(128), 4), "the teacher's level goes on to the moment"
    assert several.picture()[2].startswith("After 128 updates")
    assert race.race(study(KNOWN, seeds=1)).picture()[0].axes[0].collections[:] == [], "one seed has no band"


def test_picture_paints_arms_as_all_figures_do(several):
    looks = arms.looks(KNOWN).values()
    lines = [line for line in several.picture()[0].axes[0].get_lines() if len(line.get_xdata()) > 1]
    assert [(line.get_color(), line.get_marker()) for line in lines] == [(look.color, look.marker) for look in looks]


def test_study_without_rows_says_so():
    panel = race.race(study(KNOWN).iloc[:0])
    assert panel.picture()[2] == "No results are recorded for this study."
    assert panel.standing == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("at", 1.5, "at: expected a number from 0 to 1, got 1.5"),
        ("guess", "net3", "guess: expected one of net2wider, .*, got net3"),
        ("guess", "teacher", "guess: expected one of net2wider, .*, got teacher"),
    ],
)
def test_state_that_does_not_fit_is_refused(several, name, value, message):
    before = getattr(several, name)
    with pytest.raises(Net2NetError, match=message):
        setattr(several, name, value)
    assert getattr(several, name) == before


def test_what_is_unknown_is_refused():
    with pytest.raises(Net2NetError, match="recorded are: .*mnist_article"):
        race.race("mnist")
    with pytest.raises(Net2NetError, match="arms: expected some of teacher, net2wider.*, got net3"):
        race.race(study(KNOWN), arms=["net2wider", "net3"])


def test_python_and_page_name_the_same_things():
    text = (ROOT / "book" / "web" / "net2net-race.js").read_text(encoding="utf-8")
    for constant, names in (("AXES", race.AXES), ("MEASURES", race.MEASURES)):
        assert re.findall(r"(\w+):", re.search(rf"const {constant} = {{(.*)}}", text)[1]) == list(names)


# ------------------------------------------------------------------ on a page


def find(page, expression, number=0):
    """The value of an expression about the element, which is called `race` in it."""
    return page.evaluate(f"((race) => {expression})(document.querySelectorAll('{TAG}')[{number}])")


def wait(page, expression):
    page.wait_for_function(f"() => ((race) => {expression})(document.querySelector('{TAG}'))")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def said(page):
    page.wait_for_timeout(250)
    return page.locator(".n2n-says").inner_text()


def guess(page, name):
    return page.get_by_role("group", name=re.compile("^Which ends")).get_by_role("button", name=name, exact=True)


def labels(page):
    """The labels in sight, from the top, as (words, top, bottom, right)."""
    found = page.evaluate(
        """[...document.querySelectorAll('.n2n-plot .n2n-name[visibility=visible]')].map((label) => {
            const { top, bottom, right } = label.getBoundingClientRect();
            return [[...label.children].map((line) => line.textContent).join(' '), top, bottom, right];
        })"""
    )
    return sorted(found, key=lambda label: label[1])


@pytest.mark.browser
@pytest.mark.parametrize("frame", [lambda: study(KNOWN, 1), lambda: study(KNOWN), level, fallen, None])
def test_readings_are_those_of_python(show, frame):
    panel = race.race(frame()) if frame else race.race()
    page = show(panel)
    guesses = itertools.cycle(["", *(rival["arm"] for rival in panel.rivals)])
    for (axis, measure, at), guessed in zip(MOMENTS, guesses, strict=False):
        panel.axis, panel.measure, panel.at, panel.guess = axis, measure, at, guessed
        page.evaluate(
            f"(state) => document.querySelector('{TAG}').set(state, {{ quiet: true }})",
            {"axis": axis, "measure": measure, "at": at, "guess": guessed},
        )
        assert find(page, "race.standing.map(({ arm, value }) => [arm, value])") == [list(p) for p in panel.standing]
        assert find(page, "race.says.textContent") == panel.words
        assert find(page, "race.time") == pytest.approx(panel.time)


@pytest.mark.browser
def test_bands_are_drawn_for_several_seeds_and_none_for_one(show, several):
    page = show(several, race.race(study(KNOWN, seeds=1)))
    assert page.locator(TAG).nth(0).locator(".n2n-band[d^=M]").count() == 4
    assert page.locator(TAG).nth(1).locator(".n2n-band[d^=M]").count() == 0


def places(page, number):
    """The points measured of a curve, in pixels."""
    path = page.locator(".n2n-marks").nth(number).get_attribute("d")
    return [tuple(map(float, pair.split())) for pair in re.findall(r"M([\d.]+ [\d.]+)h0", path)]


@pytest.mark.browser
def test_points_stand_where_they_were_measured(show, several):
    several.axis = "total"
    page = show(several)
    xs = [x for x, _ in places(page, 1)]
    left, right = 44, find(page, "race.plot.clientWidth - race.right")
    wanted = [left + math.sqrt(total / 84) * (right - left) for total in (22, 53, 84)]
    assert xs == pytest.approx(wanted, abs=0.1)
    ys = [y for _, y in places(page, 1)]
    heights = [-math.log(1.001 - value) for value in (0.51, 0.61, 0.71)]
    assert (ys[0] - ys[1]) / (ys[1] - ys[2]) == pytest.approx(
        (heights[1] - heights[0]) / (heights[2] - heights[1]), rel=0.02
    )
    page.get_by_label("Validation loss").check()
    ys = [y for _, y in places(page, 1)]
    assert ys[0] < ys[1] < ys[2], "a smaller loss is lower"


@pytest.mark.browser
def test_untouched_it_is_empty_and_asks(show):
    page = show(race.race())
    assert page.locator(".n2n-race-ask").inner_text() == "Which ends highest? Choose one, and the race begins."
    assert said(page) == "Nothing has run yet."
    assert labels(page) == []
    assert find(page, "race.window_.getAttribute('width')") == "0"
    assert page.locator(".n2n-race-guesses [aria-pressed=true]").count() == 0
    assert page.locator(".n2n-race-guesses button").all_inner_texts() == [
        arms.ARMS[rival["arm"]].name for rival in race.race().rivals
    ]
    page.get_by_label("Validation loss").check()
    assert page.locator(".n2n-race-ask").inner_text().startswith("Which ends lowest?")


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
def test_a_guess_starts_the_race_and_its_end_is_told(show, how):
    page = show(race.race(), has_touch=True, width=360)
    act = {"mouse": lambda b: b.click(), "touch": lambda b: b.tap(), "keyboard": lambda b: b.press("Enter")}[how]
    act(guess(page, "equal shares"))
    wait(page, "race.state.at > 0 && race.state.at < 0.5")
    assert guess(page, "equal shares").get_attribute("aria-pressed") == "true"
    assert find(page, "[race.state.guess, race.says.getAttribute('aria-live')]") == ["net2wider", "off"]
    find(page, "race.set({ at: 0.98 })")
    wait(page, "race.state.at === 1 && !race.playing")
    assert said(page) == race.race(guess="net2wider", at=1).words
    assert find(page, "race.says.getAttribute('aria-live')") == "polite"
    act(guess(page, "random padding"))
    wait(page, "race.state.guess === 'randompad' && race.state.at > 0 && race.state.at < 0.5")
    act(button(page, "Start over"))
    assert find(page, "[race.playing, race.state.guess, race.state.at]") == [False, "", 0]
    assert labels(page) == []


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
def test_play_pauses_and_goes_on(show, how):
    page = show(race.race(), has_touch=True)
    act = {"mouse": "click", "touch": "tap"}.get(how)
    press = getattr(button(page, "Play"), act) if act else lambda: button(page, "Play").press("Enter")
    press()
    wait(page, "race.state.at > 0 && race.state.at < 0.5")
    assert find(page, "race.says.getAttribute('aria-live')") == "off", "no chatter while it plays"
    wait(page, "race.says.textContent.startsWith('Now ')")
    wait(page, "race.state.at > 0.05")
    (getattr(button(page, "Pause"), act) if act else lambda: button(page, "Pause").press(" "))()
    at = find(page, "race.state.at")
    assert re.match(r"After [\d,]+ updates ", said(page))
    assert find(page, "race.says.getAttribute('aria-live')") == "polite"
    assert find(page, "race.state.at") == at, "it stands"
    button(page, "Play").click()
    wait(page, f"race.state.at > {at}")
    assert find(page, "race.state.at") < at + 0.5, "it goes on from there"


@pytest.mark.browser
def test_play_ends_at_the_end(show):
    page = show(race.race(at=0.95))
    page.evaluate("window.told = []; addEventListener('net2net-moved', ({ detail }) => told.push(detail))")
    button(page, "Play").click()
    wait(page, "race.state.at === 1 && !race.playing")
    assert said(page) == race.race(at=1).words
    assert button(page, "Play").count() == 1
    assert page.evaluate("told") == [{"at": 1}], "told once, when it stands"


@pytest.mark.browser
def test_curves_appear_as_time_goes_on(show, several):
    page = show(several)
    page.evaluate(f"document.querySelector('{TAG}').set({{ at: Math.sqrt(0.5) }})")
    middle = places(page, 1)[1][0]
    assert find(page, "Number(race.window_.getAttribute('width'))") == pytest.approx(middle + 3, abs=0.2)
    line = page.locator(".n2n-plot .n2n-name").nth(1).locator("tspan").first
    assert float(line.get_attribute("x")) == pytest.approx(middle + 14, abs=0.2)


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_labels_are_at_the_ends_in_their_order_and_apart(show, width):
    panel = race.race()
    page = show(panel, width=width)
    edge, floor = page.evaluate(
        "(({ right, bottom }) => [right, bottom])(document.querySelector('.n2n-plot').getBoundingClientRect())"
    )
    for at, measure in itertools.product([0.02, 0.3, 0.8, 1], race.MEASURES):
        find(page, f"race.set({{ at: {at}, measure: '{measure}' }}, {{ quiet: true }})")
        found = labels(page)
        assert len(found) == 9
        assert all(upper[2] <= lower[1] + 1 for upper, lower in itertools.pairwise(found)), (at, found)
        assert max(right for *_, right in found) <= edge
        assert max(bottom for _, _, bottom, _ in found) <= floor - 30, "no label covers the axis"
    find(page, "race.set({ at: 1, measure: 'val_accuracy' }, { quiet: true })")
    panel.at = 1
    order = [arms.ARMS[arm].name for arm, _ in panel.standing]
    assert [name for name, *_ in labels(page) if name != "teacher"] == order


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 720])
def test_what_can_be_guessed_fits_its_button(show, width):
    page = show(race.race(), width=width)
    high = page.evaluate(
        """[...document.querySelectorAll('.n2n-race-guesses button')].map((button) => {
            const words = document.createRange();
            words.selectNodeContents(button);
            return words.getBoundingClientRect().height - button.clientHeight;
        })"""
    )
    assert len(high) == 8
    assert max(high) <= 0


@pytest.mark.browser
def test_a_run_that_is_over_is_held_until_the_others_are(show):
    frame = study(KNOWN | {"scratch long": [*KNOWN["scratch_wider"], (0.9, 90)]})
    page = show(race.race(frame, at=1))
    held = page.locator(".n2n-hold")
    assert [bool(held.nth(i).get_attribute("d")) for i in range(5)] == [False, True, True, True, False]


@pytest.mark.browser
def test_runs_that_collapsed_do_not_stretch_the_axis(show):
    page = show(
        race.race(fallen(), arms=["teacher", "net2wider"]), race.race(study(KNOWN), arms=["teacher", "net2wider"])
    )
    ticks = [page.locator(TAG).nth(i).locator(".n2n-plot .n2n-tick", has_text="%").all_inner_texts() for i in (0, 1)]
    assert "10 %" not in ticks[0] + ticks[1]
    assert ticks[0]


@pytest.mark.browser
def test_scrubbing_by_mouse_keyboard_and_touch(show):
    page = show(race.race(), has_touch=True)
    time = labeled(page, "Time")
    drag(page, time, 1, 0.5)
    assert find(page, "race.state.at") == pytest.approx(0.5, abs=0.02)
    at = find(page, "race.state.at")
    time.press("ArrowRight")
    assert find(page, "race.state.at") == pytest.approx(at + 0.005)
    time.press("Home")
    assert time.get_attribute("aria-valuetext") == "0 updates"
    assert said(page) == "Nothing has run yet."
    time.press("ArrowRight")
    assert said(page).startswith("After 0 updates “continued teacher”, “deeper student” and 2 others lead with")
    time.press("End")
    assert time.get_attribute("aria-valuetext") == "5,625 updates"
    box = time.bounding_box()
    time.tap(position={"x": box["width"] * 0.25, "y": box["height"] / 2})
    assert find(page, "race.state.at") == pytest.approx(0.25, abs=0.03)


@pytest.mark.browser
def test_scrubbing_stops_the_playing(show):
    page = show(race.race(at=0.2))
    button(page, "Play").click()
    wait(page, "race.state.at > 0.2")
    labeled(page, "Time").press("End")
    assert find(page, "[race.playing, race.state.at]") == [False, 1]


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_axes_are_chosen(show, how):
    page = show(race.race(at=1))
    for number, axis in enumerate(race.AXES):
        test_elements.choose(page, axis, number, how)
        assert find(page, "race.state.axis") == axis
        assert said(page) == race.race(axis=axis, at=1).words
    for number, measure in enumerate(race.MEASURES):
        test_elements.choose(page, measure, number, how)
        assert find(page, "race.state.measure") == measure
        assert said(page) == race.race(axis="total", measure=measure, at=1).words


@pytest.mark.browser
def test_axe_finds_nothing_with_many_arms_and_bands(show):
    names = [f"net2wider_{i}" for i in range(10)] + [f"scratch_{i}" for i in range(9)]
    panel = race.race(study({"teacher": KNOWN["teacher"]} | dict.fromkeys(names, KNOWN["net2wider"])), at=0.6)
    page = show(panel, theme="dark", width=360)
    assert barriers(page, TAG) == []
    found = labels(page)
    assert len(found) == 20
    assert all(upper[2] <= lower[1] + 1 for upper, lower in itertools.pairwise(found))


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 360, 430, 560, 768, 1280])
def test_its_place_is_reserved_and_kept(show, several, width):
    page = show(several, width=width)
    tall = find(page, "race.offsetHeight")
    for axis, measure, at in MOMENTS:
        state = f"axis: '{axis}', measure: '{measure}', at: {at}, guess: 'net2wider'"
        find(page, f"race.set({{ {state} }}, {{ quiet: true }})")
        assert find(page, "race.offsetHeight") == tall
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    live = find(page, "race.live.offsetHeight")
    page.add_style_tag(content=".n2n-live { display: none !important; }")
    assert 0 <= find(page, "race.offsetHeight") - live < 40, "before the script has run"


@pytest.mark.browser
def test_where_no_motion_is_wanted_the_end_is_shown_at_once(show):
    page = show(race.race(), reduced_motion="reduce")
    guess(page, "deeper student").click()
    assert find(page, "[race.state.at, race.playing]") == [1, False]
    assert said(page) == race.race(guess="net2deeper", at=1).words
    button(page, "Start over").click()
    button(page, "Play").click()
    assert find(page, "race.state.at") == 1


# ------------------------------------------------------------------ bad states


@pytest.mark.browser
def test_hidden_page_does_not_run_away(show):
    page = show(race.race(at=0.1))
    button(page, "Play").click()
    wait(page, "race.state.at > 0.1")
    # As a hidden tab does: no frames for some seconds, then one with a late time.
    page.evaluate(
        """() => {
            window.ask = requestAnimationFrame;
            window.requestAnimationFrame = (call) => { window.waiting = call; return 0; };
        }"""
    )
    page.wait_for_timeout(200)
    before = find(page, "race.state.at")
    page.evaluate("window.requestAnimationFrame = ask; window.waiting(performance.now() + 60000)")
    assert find(page, "race.state.at") <= before + 0.02
    wait(page, f"race.playing && race.state.at > {before}")


@pytest.mark.browser
def test_removed_while_it_plays_and_put_back(show):
    page = show(race.race(at=0.1))
    button(page, "Play").click()
    wait(page, "race.state.at > 0.1")
    page.evaluate("window.gone = document.querySelector('net2net-race'); gone.remove()")
    at = page.evaluate("gone.state.at")
    page.wait_for_timeout(150)
    assert page.evaluate("[gone.playing, gone.state.at]") == [False, at]
    page.evaluate("document.querySelector('main').append(gone)")
    assert re.match(r"After [\d,]+ updates ", said(page))
    assert page.locator(".n2n-race-guesses button").count() == 8
    button(page, "Play").click()
    wait(page, f"race.state.at > {at}")


@pytest.mark.browser
def test_two_play_apart(show, several):
    page = show(race.race(at=0.1), several)
    button(page, "Play").nth(0).click()
    wait(page, "race.state.at > 0.12")
    assert find(page, "[race.playing, race.state.at]", 1) == [False, 0]
    assert find(page, "race.plot.querySelector('clipPath').id", 0) != find(
        page, "race.plot.querySelector('clipPath').id", 1
    )


@pytest.mark.browser
def test_study_without_rows_has_no_live_control(show):
    page = show(race.race(study(KNOWN).iloc[:0]))
    assert said(page) == "No results are recorded for this study."
    assert page.locator(f"{TAG} :is(input, button):not(:disabled)").count() == 0
    assert barriers(page, TAG) == []


@pytest.mark.browser
def test_settings_that_make_no_sense_are_set_right(show, several):
    page = show(several)
    page.evaluate(
        """() => {
            const wrong = document.createElement('net2net-race'), first = document.querySelector('net2net-race');
            const values = { axis: 'miles', measure: 'x', guess: 'teacher', at: 'late' };
            wrong.setAttribute('study', first.getAttribute('study'));
            for (const [name, value] of Object.entries(values)) wrong.setAttribute(name, value);
            const none = document.createElement('net2net-race');
            none.setAttribute('study', '[1, 2');
            document.querySelector('main').prepend(wrong, none);
        }"""
    )
    page.wait_for_function(f"() => [...document.querySelectorAll('{TAG}')].every((race) => race.live)")
    state = find(page, "race.state")
    assert {name: value for name, value in state.items() if name != "study"} == {
        "axis": "updates",
        "measure": "val_accuracy",
        "guess": "",
        "at": 0,
    }
    assert find(page, "race.says.textContent", 1) == "No results are recorded for this study."


@pytest.mark.browser
def test_python_and_hands_move_the_notebooks_race(in_notebook, several):
    page = in_notebook(several)
    page.evaluate("model.fromPython({ axis: 'total', at: 0.5, guess: 'net2wider' })")
    assert find(page, "[race.state.axis, race.state.at, race.state.guess]") == ["total", 0.5, "net2wider"]
    guess(page, "random padding").click()
    wait(page, "race.state.at > 0.1")
    button(page, "Pause").click()
    assert page.evaluate("model.saved") == ["guess", "at", "at"]
    several.set_state(page.evaluate("Object.fromEntries(model.saved.map((name) => [name, model.values[name]]))"))
    assert several.guess == "randompad"
    assert several.at == find(page, "race.state.at")


# ------------------------------------------------------------------ on the first page

FIRST = (ROOT / "book" / "index.md").read_text(encoding="utf-8")


def first_race(**state):
    """The race that the first page asks for."""
    study, arms_ = re.search(r"```{net2net-race}\n:study: (\w+)\n:arms: (.*)\n```", FIRST).groups()
    return race.race(study, arms=json.loads(arms_), **state)


def test_first_page_says_what_was_recorded():
    """Its words say all this; if a new recording says otherwise, they must change."""
    panel = first_race(at=1)
    assert [one["arm"] for one in panel.rivals] == ["net2wider_random", "scratch", "teacher_continued"]
    assert len({one["updates"][-1] for one in panel.rivals}) == 1, "each gets the same number of updates"
    assert {one["seeds"] for one in panel.rivals} == {10}
    best = {"best": "net2wider_random"}
    assert panel.study["ends"] == {
        "val_accuracy": best | {"level": []},
        "val_loss": best | {"level": ["scratch"]},
    }

    ends = {name: measures.ends(experiments.load_results(name)) for name in ("text", "digits", "residual")}
    for rival in ("scratch", "teacher_continued"):
        assert measures.paired(ends["text"]["net2wider_random"], ends["text"][rival]).place == "ahead"
    assert measures.paired(ends["text"]["randompad"], ends["text"]["net2wider_random"]).place == "ahead"
    for name in ("digits", "residual"):
        for student in ("net2wider", "net2wider_random", "randompad"):
            assert measures.paired(ends[name][student], ends[name]["scratch"]).place == "behind"

    frame = experiments.load_results("text")
    late = measures.reach(frame, by="cost")["net2wider_random"] / measures.ends(frame, "cost")["scratch"]
    assert measures.interval(late).low > 1, "with the teacher's seconds the network from scratch is done first"
    panel.axis = "total"
    panel.at = math.sqrt(panel.study["arms"][1]["total"][-1] / panel.most)
    assert panel.standing[0][0] == "scratch", "and the race shows it"


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
def test_first_pages_race_begins_with_a_guess_and_leads_to_the_map(browser, html, width):
    with Visit(browser, f"{html.resolve().as_uri()}/", "book/index", width=width) as visit:
        page = visit.page
        page.locator(TAG).scroll_into_view_if_needed()
        says = page.locator(f"{TAG} .n2n-live .n2n-says")
        says.filter(has_text=re.compile(r"^Nothing has run yet\.$")).wait_for()
        assert labels(page) == []
        guess(page, "from scratch").click()
        page.locator(TAG).get_by_role("button", name="Pause", exact=True).wait_for()
        labeled(page, "Time").press("End")
        page.wait_for_timeout(250)
        assert says.inner_text() == first_race(guess="scratch", at=1).words
        assert len(labels(page)) == 3
        assert page.get_by_text("The rule: growing can win").is_visible()
        assert barriers(page, TAG) == []
        page.get_by_role("link", name="A map that you can touch").click()
        page.locator("#the-map net2net-map .n2n-live").wait_for()
        assert page.url.endswith("10_is_it_effective.html#the-map")
        assert visit.errors == visit.foreign == []

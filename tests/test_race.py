"""The race: what it reads from a study, and the element that must say of every moment what Python says.

The pages here hold the element and nothing else; that it lives in its chapter is tested with the other elements.
"""

import itertools
import math
import re

import numpy as np
import pandas as pd
import pytest
import test_elements
from address import ROOT
from test_elements import drag, labeled
from test_pages import barriers

from helpers import Net2NetError, experiments, measures, plots, race

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
    panel = race.race(frame, measure="val_loss")
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
    assert {color for color, _ in looks} <= set(range(len(plots.CYCLE)))


# ------------------------------------------------------------------ what is said


@pytest.mark.parametrize(
    ("state", "wanted"),
    [
        (
            {"at": 0},
            "At the start net2wider leads with 51.00 %, then randompad 21.00 %, scratch_wider 11.00 %. Medians",
        ),
        (
            {"at": math.sqrt(0.5)},
            "After 100 updates net2wider and scratch_wider lead with 61.00 %, then randompad 56.00 %. Medians",
        ),
        (
            {"at": 1},
            "After 200 updates scratch_wider leads with 81.00 %, then net2wider 71.00 %, randompad 71.00 %. Medians",
        ),
        (
            {"measure": "val_loss", "axis": "seconds", "at": math.sqrt(60 / 62)},
            "After 60.0 s randompad leads with 0.2900, then net2wider 0.3900, scratch_wider 0.3900. Medians",
        ),
        ({"axis": "total", "at": 0.5}, "After 21.0 s teacher leads with 31.00 %, then scratch_wider 11.00 %. Medians"),
        ({"axis": "total", "at": 1}, "After 84.0 s scratch_wider leads with 81.00 %"),
        ({"without": ["scratch_wider", "randompad"]}, "After 200 updates net2wider leads with 71.00 %. Medians"),
        ({"without": list(KNOWN)}, "No arm is shown."),
        ({"axis": "total", "at": 0.1, "without": ["teacher", "scratch_wider"]}, "None of the arms shown has been"),
    ],
)
def test_words_are_those_known(several, state, wanted):
    for name, value in state.items():
        setattr(several, name, value)
    assert several.words.startswith(wanted)


def test_many_leaders_and_many_places_are_told_shortly():
    arms = {f"net2wider_{i}": KNOWN["net2wider"] for i in range(5)}
    arms |= {f"random{i}": [(0.1 - 0.01 * i, 0)] * 3 for i in range(5)}
    words = race.race(study(arms, seeds=1)).words
    assert words == (
        "After 200 updates net2wider_0, net2wider_1 and 3 others lead with 70.00 %, then random0 10.00 %, "
        "random1 9.00 %; last is random4 6.00 %. 1 seed: a small lead may be luck."
    )


def test_seeds_that_differ_are_said():
    frame = study(KNOWN)
    frame = frame[(frame["arm"] != "randompad") | (frame["seed"] == 0)]
    assert race.race(frame).words.endswith("Medians of 1 to 3 seeds.")


def test_picture_draws_what_is_shown_until_the_moment(several):
    def drawn():
        axes = several.picture()[0].axes[0]
        ends = {text.get_text() for text in axes.texts}
        xs = [line.get_xdata() for line in axes.get_lines() if len(line.get_xdata()) > 1]
        return ends, max(np.max(x) for x in xs), len(axes.collections)

    assert drawn() == ({"A teacher", "B net2wider", "C scratch_wider", "D randompad"}, 200, 4)
    several.at, several.without = 0.8, ["teacher"]
    assert drawn() == ({"B net2wider", "C scratch_wider", "D randompad"}, 100, 3)
    assert race.race(study(KNOWN, seeds=1)).picture()[0].axes[0].collections[:] == [], "one seed has no band"
    several.without = list(KNOWN)
    assert several.picture()[2] == "No arm is shown."


def test_study_without_rows_says_so():
    panel = race.race(study(KNOWN).iloc[:0])
    assert panel.picture()[2] == "No results are recorded for this study."
    assert panel.standing == []


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("at", 1.5, "at: expected a number from 0 to 1, got 1.5"),
        ("without", ["net3"], "without: expected some of teacher, .*, got net3"),
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


def arm(page, name):
    return page.get_by_role("checkbox", name=re.compile(rf"^[A-Z] {name}\b"))


@pytest.mark.browser
@pytest.mark.parametrize("seeds", [1, 3])
def test_readings_are_those_of_python(show, seeds):
    panel = race.race(study(KNOWN, seeds)) if seeds > 1 else race.race()
    page = show(panel)
    for axis, measure, at in MOMENTS:
        panel.axis, panel.measure, panel.at = axis, measure, at
        page.evaluate(
            f"([axis, measure, at]) => document.querySelector('{TAG}').set({{ axis, measure, at }}, {{ quiet: true }})",
            [axis, measure, at],
        )
        assert find(page, "race.standing.map(({ arm, value }) => [arm, value])") == [list(p) for p in panel.standing]
        assert find(page, "race.says.textContent") == panel.words
        assert find(page, "race.time") == pytest.approx(panel.time)
        scores = page.locator(".n2n-score").all_text_contents()
        values = dict(panel.standing)
        for summary, score in zip(panel.study["arms"], scores, strict=True):
            if summary["arm"] in values:
                value = values[summary["arm"]]
                assert score == (f"{100 * value:.2f} %" if measure == "val_accuracy" else f"{value:.4f}")


@pytest.mark.browser
def test_places_and_ranges_of_several_seeds(show, several):
    page = show(several)
    assert page.locator(".n2n-rows legend").inner_text() == "Arms: median and range of 3 seeds"
    assert page.locator(".n2n-row small").all_text_contents() == [
        "stopped here · 50.00 to 52.00 %",
        "place 2 · 70.00 to 72.00 %",
        "place 1 · 80.00 to 82.00 %",
        "place 2 · 70.00 to 72.00 %",
    ]
    assert page.locator(".n2n-band[d^=M]").count() == 4


@pytest.mark.browser
def test_one_seed_has_no_band_and_says_so(show):
    page = show(race.race(study(KNOWN, seeds=1)))
    assert page.locator(".n2n-band[d^=M]").count() == 0
    assert page.locator(".n2n-rows legend").inner_text() == "Arms, 1 seed each"


def places(page, number):
    """The points measured of a curve, in pixels."""
    path = page.locator(".n2n-marks").nth(number).get_attribute("d")
    return [tuple(map(float, pair.split())) for pair in re.findall(r"M([\d.]+ [\d.]+)h0", path)]


@pytest.mark.browser
def test_points_stand_where_they_were_measured(show, several):
    several.axis = "total"
    page = show(several)
    xs = [x for x, _ in places(page, 1)]
    wide = find(page, "race.plot.clientWidth")
    left, right = 46, wide - 30
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
def test_untouched_it_shows_the_whole_and_asks_for_a_prediction(show):
    page = show(race.race())
    assert page.locator(".n2n-race-ask").inner_text().startswith("Predict, then press Play")
    assert find(page, "Number(race.window_.getAttribute('width'))") > find(page, "race.plot.clientWidth") - 40
    letters = page.locator(".n2n-plot .n2n-name")
    assert all(letters.nth(i).get_attribute("visibility") == "visible" for i in range(9))


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
def test_play_begins_again_and_pauses(show, how):
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
    assert said(page) == race.race().words
    assert button(page, "Play").count() == 1
    assert page.evaluate("told") == [{"at": 1}], "told once, when it stands"


@pytest.mark.browser
def test_curves_appear_as_time_goes_on(show, several):
    page = show(several)
    page.evaluate(f"document.querySelector('{TAG}').set({{ at: Math.sqrt(0.5) }})")
    middle = places(page, 1)[1][0]
    assert find(page, "Number(race.window_.getAttribute('width'))") == pytest.approx(middle + 3, abs=0.2)
    letter = page.locator(".n2n-plot .n2n-name").nth(1)
    assert float(letter.get_attribute("x")) == pytest.approx(middle + 6, abs=0.2)


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
    assert said(page).startswith("At the start teacher_continued, net2deeper and 2 others lead with")
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
@pytest.mark.parametrize("how", ["mouse", "keyboard", "touch"])
def test_arms_are_hidden_and_shown(show, how):
    page = show(race.race(), has_touch=True)
    act = {"mouse": lambda box: box.click(), "touch": lambda box: box.tap(), "keyboard": lambda box: box.press(" ")}[
        how
    ]
    low = page.locator(".n2n-curve[d]").first
    act(arm(page, "randominit"))
    assert find(page, "race.state.without") == ["randominit"]
    assert said(page) == race.race(without=["randominit"]).words
    assert page.locator(".n2n-marks").nth(3).get_attribute("d") == ""
    assert page.locator(".n2n-plot .n2n-name").nth(3).get_attribute("visibility") == "hidden"
    for name in ("scratch_deeper", "scratch_wider", "randompad"):
        act(arm(page, name))
    assert page.locator(".n2n-plot .n2n-tick", has_text="50 %").count() == 0, "what is left fills the picture"
    act(arm(page, "randominit"))
    assert find(page, "race.state.without") == ["scratch_deeper", "scratch_wider", "randompad"]
    assert low.count() == 1
    for name in ("teacher", "teacher_continued", "net2deeper", "net2wider", "net2wider_random", "randominit"):
        act(arm(page, name))
    assert said(page) == "No arm is shown."


@pytest.mark.browser
@pytest.mark.parametrize("how", ["mouse", "keyboard"])
def test_axes_are_chosen(show, how):
    page = show(race.race())
    for number, axis in enumerate(race.AXES):
        test_elements.choose(page, axis, number, how)
        assert find(page, "race.state.axis") == axis
        assert said(page) == race.race(axis=axis).words
    for number, measure in enumerate(race.MEASURES):
        test_elements.choose(page, measure, number, how)
        assert find(page, "race.state.measure") == measure
        assert said(page) == race.race(axis="total", measure=measure).words


@pytest.mark.browser
def test_axe_finds_nothing_with_many_arms_and_bands(show):
    names = [f"net2wider_{i}" for i in range(10)] + [f"scratch_{i}" for i in range(9)]
    panel = race.race(study({"teacher": KNOWN["teacher"]} | dict.fromkeys(names, KNOWN["net2wider"])), at=0.6)
    page = show(panel, theme="dark", width=360)
    arm(page, "net2wider_3").click()
    assert barriers(page, TAG) == []
    letters = page.evaluate(
        """[...document.querySelectorAll('.n2n-plot .n2n-name[visibility=visible]')]
            .map((letter) => Number(letter.getAttribute('y')))"""
    )
    assert len(letters) == 19
    assert max(letters) <= 282, "no letter falls off the picture"


@pytest.mark.browser
@pytest.mark.parametrize("width", [320, 360, 430, 560, 768, 1280])
def test_its_place_is_reserved_and_kept(show, several, width):
    page = show(several, width=width)
    tall = find(page, "race.offsetHeight")
    for axis, measure, at in MOMENTS:
        find(page, f"race.set({{ axis: '{axis}', measure: '{measure}', at: {at} }}, {{ quiet: true }})")
        assert find(page, "race.offsetHeight") == tall
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    live = find(page, "race.live.offsetHeight")
    page.add_style_tag(content=".n2n-live { display: none !important; }")
    assert 0 <= find(page, "race.offsetHeight") - live < 40, "before the script has run"


@pytest.mark.browser
def test_where_no_motion_is_wanted_it_goes_in_steps(show):
    page = show(race.race(), reduced_motion="reduce")
    page.evaluate(
        """() => {
            const race = document.querySelector('net2net-race'), set = race.set;
            window.steps = [];
            race.set = function (changes, how) { steps.push(changes.at); return set.call(this, changes, how); };
        }"""
    )
    button(page, "Play").click()
    wait(page, "window.steps.length > 2")
    steps = page.evaluate("steps")
    assert steps[0] == 0
    assert all(0.07 < gap < 0.2 for gap in np.diff(steps[:3])), steps


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
    assert page.locator(".n2n-row").count() == 9
    button(page, "Play").click()
    wait(page, f"race.state.at > {at}")


@pytest.mark.browser
def test_two_play_apart(show, several):
    page = show(race.race(at=0.1), several)
    button(page, "Play").nth(0).click()
    wait(page, "race.state.at > 0.12")
    assert find(page, "[race.playing, race.state.at]", 1) == [False, 1]
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
            const values = { axis: 'miles', measure: 'x', without: '["nobody", 3]', at: 'late' };
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
        "without": [],
        "at": 1,
    }
    assert find(page, "race.says.textContent", 1) == "No results are recorded for this study."


@pytest.mark.browser
def test_python_and_hands_move_the_notebooks_race(in_notebook, several):
    page = in_notebook(several)
    page.evaluate("model.fromPython({ axis: 'total', at: 0.5, without: ['teacher'] })")
    assert find(page, "[race.state.axis, race.state.at, race.state.without]") == ["total", 0.5, ["teacher"]]
    arm(page, "randompad").click()
    button(page, "Play").click()
    wait(page, "race.state.at > 0.5")
    button(page, "Pause").click()
    assert page.evaluate("model.saved") == ["without", "at"]
    several.set_state(page.evaluate("Object.fromEntries(model.saved.map((name) => [name, model.values[name]]))"))
    assert several.without == ["teacher", "randompad"]
    assert several.at == find(page, "race.state.at")

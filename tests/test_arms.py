"""The arms' names and colors: one list for all figures, and one palette for Python, pages and dark drawings."""

import re

import dark
from address import ROOT

from helpers.show import arms
from helpers.studies import STUDIES

STYLE = (ROOT / "book" / "web" / "net2net.css").read_text(encoding="utf-8")
PAIRS = re.findall(r"--n2n-u(\d): light-dark\((#\w{6}), (#\w{6})\)", STYLE)


def test_the_palette_is_that_of_the_pages():
    assert [(str(i), light, dark.PAINTS[light]) for i, light in enumerate(arms.PALETTE)] == PAIRS
    assert len({light for _, light, _ in PAIRS}) == len(PAIRS)


def test_the_lab_and_the_map_paint_arms_as_all_figures_do():
    places = {name: f"u{arms.PALETTE.index(look.color)}" for name, look in arms.ARMS.items()}
    lab = (ROOT / "book" / "web" / "net2net-lab-network.js").read_text(encoding="utf-8")
    kinds = dict(re.findall(r'^ +"?([\w-]+)"?: \{ name: .*?color: "(u\d)"', lab, re.MULTILINE))
    same = {
        "teacher": "teacher",
        "goes-on": "teacher_continued",
        "equal": "net2wider",
        "unequal": "net2wider_random",
        "padded": "randompad",
        "fresh-wider": "scratch_wider",
        "deeper": "net2deeper",
        "fresh-deeper": "scratch_deeper",
    }
    noise = {"noise": f"u{arms.PALETTE.index(arms.SKY)}"}  # an arm of no study but that of language
    assert kinds == {kind: places[arm] for kind, arm in same.items()} | noise
    growth_map = (ROOT / "book" / "web" / "net2net-map.js").read_text(encoding="utf-8")
    rivals = dict(re.findall(r'name: "([\w ]+)", color: "var\(--n2n-(u\d)\)"', growth_map))
    assert rivals["continued teacher"] == places["teacher_continued"]
    assert rivals["from scratch"] == places["scratch"]
    assert f'grown = "var(--n2n-{places["student"]})"' in growth_map


def test_the_static_lab_is_painted_as_the_live_one():
    from helpers.show.plots import curves

    lab = (ROOT / "book" / "web" / "net2net-lab-network.js").read_text(encoding="utf-8")
    kinds = dict(re.findall(r'^ +"?([\w-]+)"?: \{ name: .*?color: "u(\d)"', lab, re.MULTILINE))
    assert {kind: color for kind, (color, *_) in curves.LAB.items()} == {
        kind: arms.PALETTE[int(place)] for kind, place in kinds.items()
    }


def test_names_are_those_of_readers_and_differ():
    names = [look.name for look in arms.ARMS.values()]
    assert len(set(names)) == len(names)
    assert {"teacher", "student", "from scratch", "continued teacher", "equal shares", "unequal shares"} <= set(names)
    assert [name for name in names if re.search(r"net2|_|random(pad|init)", name)] == []


def test_arms_of_one_study_differ_in_color_or_in_dash_and_marker():
    for study in STUDIES.values():
        found = arms.looks(arms.SIZE.sub("", arm) for arm in ("teacher", *study.arms))
        assert len({(look.color, look.dash, look.marker) for look in found.values()}) == len(found), study.name
        assert len({look.name for look in found.values()}) == len(found), study.name


def test_an_arm_looks_the_same_with_any_size_and_by_its_name():
    wanted = arms.ARMS["net2deeper"]
    found = arms.looks(["net2deeper", "net2deeper +2", "deeper student", "deeper\nstudent"])
    assert set(found.values()) == {wanted}


def test_others_take_the_first_colors_that_are_free_and_all_differ():
    found = arms.looks(["mine", "student", "from\nscratch", "yours"])
    assert [look.color for look in found.values()] == [arms.VERMILION, arms.BLUE, arms.BLACK, arms.GREEN]
    assert found["mine"].name == "mine"
    many = arms.looks(f"arm {i}" for i in range(21))
    assert len({look[1:] for look in many.values()}) == 21
    assert [look.color for look in many.values()][:7] == list(arms.CYCLE)


def test_what_only_begins_like_an_arm_is_none():
    (look,) = arms.looks(["teacher trained for 4"]).values()
    assert (look.name, look.color) == ("teacher trained for 4", arms.BLUE)

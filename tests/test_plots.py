"""Every figure draws, stays within its frame, is small, and does not depend on color alone."""

import inspect
import io
import itertools
import re
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from helpers import weights
from helpers.measures import Paired
from helpers.show import plots
from helpers.show.plots import canvas, curves

RNG = np.random.default_rng(0)
W1, W2 = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]]), np.array([[1.0], [4.0], [-2.0]])
MAPPING = [0, 1, 2, 1, 2]
V1, _, V2 = weights.wider2net_fc(W1, np.zeros(3), W2, 5, mapping=MAPPING)
X = np.linspace(-2, 2, 50)


def frame():
    values = ("train_accuracy", "val_accuracy", "train_loss", "val_loss")
    rows = [
        {"arm": arm, "seed": seed, "update": u, "examples": 32 * u, "epoch": u / 4}
        | dict.fromkeys(values, 0.9 + u / 100 + seed / 200)
        for arm in ("teacher", "net2deeper", "randominit", "my arm")
        for seed in (0, 1)
        for u in (0, 2, 4)
    ]
    return pd.DataFrame(rows)


CALLS = {
    "learning_curves": lambda: plots.learning_curves(frame(), {"One": ["net2deeper", "randominit"], "Two": ["my arm"]}),
    "intervals": lambda: plots.intervals(
        {"One": {"net2wider x2": [1.0, 2, 4], "scratch x2": [3, np.inf, np.inf]}, "Two": {"my arm": [2.0, 2, 2]}}, "x"
    ),
    "lines": lambda: plots.lines(X, {"a": X, "b": X**2}, xlabel="x", markers=True),
    "function_curves": lambda: plots.function_curves(X, {"teacher": X, "student": X, "a long name": X + 1}),
    "weight_matrices": lambda: plots.weight_matrices(W1, W2, V1, V2, MAPPING),
    "networks": lambda: plots.networks([W1, W2], [V1, V2], MAPPING),
    "activation_gallery": lambda: plots.activation_gallery({"relu": lambda v: np.maximum(v, 0), "tanh": np.tanh}),
    "kernels_on_image": lambda: plots.kernels_on_image(
        {"3×3": weights.deeper2net_conv2d(np.zeros((3, 3, 2, 2)))[0], "1×3": [[0, 1, 0]]},
        RNG.random((28, 28, 1)),
    ),
    "digits": lambda: plots.digits(RNG.random((4, 28, 28, 1)), titles=[5, 0, 4, 1]),
    "flowchart": plots.flowchart,
    "transformer_block": plots.transformer_block,
    "costs": lambda: plots.costs(
        {
            title: {label: (np.logspace(2, 9, 8), scale * np.logspace(-3, 2, 8), scale * np.logspace(-3, 2, 8))}
            for title, label, scale in (("dense", "widening", 1), ("other", "an update\nof the student", 30))
        },
        "parameters",
        "seconds",
    ),
    "difference_map": lambda: plots.difference_map(
        {
            title: {(n, f"x{factor}"): Paired(-12.34, -56.78, sign, 0.5, 10) for n in (4, 16, 64) for factor in (2, 4)}
            for title, sign in (("Against one", -9.87), ("Against another", 65.43))
        },
        "growth factor",
        "units",
    ),
    "growth_map": lambda: plots.growth_map(
        ["an eighth", "seven tenths"],
        ["4", "8", "16", "32"],
        [(-0.123, "wins"), (0.0, "level"), (0.3, "loses"), (0.1, "open")] * 2,
        7,
        "Test loss, less that of the same network from scratch",
    ),
    "lab_curves": lambda: plots.lab_curves(
        {kind: (kind, np.arange(3), np.array([0.1, 0.8, 0.9])) for kind in list(curves.LAB)[:6]}
    ),
}


def texts(figure):
    found = [text for axes in figure.axes for text in axes.texts + [axes.title, axes._left_title]]
    for legend in figure.legends + [axes.get_legend() for axes in figure.axes if axes.get_legend()]:
        found += legend.get_texts()
    return [text for text in found if text.get_text() and text.get_visible()]


@pytest.mark.parametrize("name", CALLS)
def test_figure_draws_small_and_within_its_frame(name):
    figure = CALLS[name]()
    assert isinstance(figure, Figure)
    assert figure.get_size_inches()[0] == canvas.WIDTH
    assert figure.get_size_inches()[1] <= 7
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    assert len(buffer.getvalue()) < 120_000
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else figure._get_renderer()
    width, height = figure.bbox.size
    for text in texts(figure):
        box = text.get_window_extent(renderer)
        assert box.x0 >= -2, text
        assert box.x1 <= width + 2, text
        assert box.y0 >= -2, text
        assert box.y1 <= height + 2, text
        # At 328 of its 442 pixels (a phone), the smallest letters are still about nine pixels high.
        assert text.get_fontsize() >= 8.5, text


def test_every_public_figure_is_documented():
    for name in plots.__all__:
        function = getattr(plots, name)
        words = inspect.getdoc(function)
        assert words, name
        if name != "use_style":
            assert "matplotlib.figure.Figure" in words, name
            entry = r"^(\w+, )*{}(, \w+)*( : .*)?$"
            parameters = inspect.signature(function).parameters
            missing = [p for p in parameters if not re.search(entry.format(p), words, re.MULTILINE)]
            assert not missing, (name, missing)


def test_copies_carry_their_origins_letter():
    figure = CALLS["weight_matrices"]()
    names = [text.get_text() for text in figure.axes[2].texts if text.get_fontweight() == "bold"]
    assert names == ["a", "b", "c", "b′", "c′"]


def test_intervals_show_every_seed_and_say_who_never_arrived():
    values = np.array([3.0, 1.0, 2.0, 5.0, np.inf])
    figure = plots.intervals({"": {"net2wider x2": values, "zeropad x2": np.full(5, np.inf)}}, "updates")
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["1 of 5 never", "5 of 5 never"]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["equal shares", "zeropad"]
    dots, bar, middle = axes.lines[:3]
    assert sorted(dots.get_xdata()) == [1, 2, 3, 5]
    assert list(middle.get_xdata()) == [3]
    assert list(bar.get_xdata()) == [1, 5]  # its upper limit is infinite, so it goes to the last that arrived
    assert len(axes.lines) == 4  # nothing but an empty row of dots for the arm that never does
    (axes,) = plots.intervals({"": {"net2wider x2": np.array([10.0, 96, 97, 98])}}, "x", low=90).axes
    assert [text.get_text() for text in axes.texts] == ["1 of 4: 10"]
    assert sorted(axes.lines[0].get_xdata()) == [96, 97, 98]
    assert axes.lines[1].get_xdata()[0] == 90  # the interval goes on to the left, out of the picture


def test_an_arm_has_one_color_in_all_panels_and_all_kinds_of_figures():
    def colors(axes):
        return [line.get_color() for line in axes.lines if len(line.get_xdata()) > 1]

    one, two = plots.learning_curves(frame(), {"One": ["my arm", "net2deeper"], "Two": ["randominit", "my arm"]}).axes
    mine, deeper, *_ = colors(one)
    assert colors(two)[1] == mine
    (axes,) = plots.lines(X, {"mine": X, "deeper student": X, "random new\nlayers": X}).axes
    assert colors(axes)[1:] == [deeper, colors(two)[0]]
    rows = [{"update": u, "val_accuracy": 0.5} for u in (0, 1)]
    (axes,) = plots.growth_curves({"teacher": rows}, {"student": rows, "deeper student": rows}).axes
    assert colors(axes)[2] == deeper
    ends = plots.intervals({"": {"net2deeper +1": [1.0, 2, 3]}}, "x").axes[0]
    assert ends.lines[0].get_color() == deeper


def test_unknown_arm_is_named():
    with pytest.raises(ValueError, match="arm 'nobody' has no rows; the frame holds teacher, net2deeper"):
        plots.learning_curves(frame(), ["nobody"])


def test_gallery_tells_same_from_changed():
    titles = [axes.get_title() for axes in CALLS["activation_gallery"]().axes]
    assert titles[:2] == ["relu\nsame", "tanh\nchanged"]


def test_kernels_follow_keras_padding():
    """A kernel of even size: the identity of `deeper2net_conv2d` must show as one."""
    kernel = weights.deeper2net_conv2d(np.zeros((2, 4, 1, 1)), kernel_size=(2, 4))[0]
    figure = plots.kernels_on_image({"even": kernel, "off": [[0, 0, 1]]}, RNG.random((9, 9)))
    assert [axes.get_title() for axes in figure.axes[2:]] == ["same", "changed"]


def test_labels_move_apart():
    curves = {name: X + height for name, height in (("a", 0), ("b", 0.001), ("c", 0.002))}
    figure = plots.lines(X, curves)
    renderer = figure.canvas.get_renderer() if hasattr(figure.canvas, "get_renderer") else figure._get_renderer()
    figure.draw(renderer)
    boxes = sorted((text.get_window_extent(renderer) for text in figure.axes[0].texts), key=lambda box: box.y0)
    assert all(low.y1 <= high.y0 + 1 for low, high in itertools.pairwise(boxes))


def test_style_works_outside_a_notebook():
    import matplotlib as mpl

    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["svg.fonttype"] == "path"


def test_style_does_without_the_package_that_notebooks_bring(monkeypatch):
    import matplotlib as mpl

    monkeypatch.setitem(sys.modules, "matplotlib_inline.backend_inline", None)  # importing it fails
    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["svg.fonttype"] == "path"


def test_learning_curves_over_examples_with_a_stretched_beginning():
    figure = plots.learning_curves(
        frame(), ["net2deeper", "teacher"], value="train_loss", x="examples", xscale="symlog", ylim=(0, 2)
    )
    (axes,) = figure.axes
    assert axes.get_ylim() == (0, 2)
    assert axes.get_xscale() == "symlog"
    assert axes.get_xlim()[0] == 0
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training images seen", "training loss")
    curves = [line for line in axes.lines if len(line.get_xdata()) == 3]
    assert len(curves) == 2, "the teacher's own curve, and no level line for it"
    np.testing.assert_array_equal(curves[0].get_xdata(), [0, 64, 128])
    np.testing.assert_allclose(curves[0].get_ydata(), [0.9025, 0.9225, 0.9425])  # the median of two seeds


def test_lines_take_logarithms_and_limits():
    (axes,) = plots.lines(np.array([1, 10, 100]), {"a": [1e-3, 1e-2, 1]}, logx=True, logy=True, ylim=(1e-4, 10)).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    np.testing.assert_allclose(axes.get_ylim(), (1e-4, 10))
    (axes,) = plots.lines(np.array([1, 10, 100]), {"a": [1e-3, 1e-2, 1]}).axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "linear")


def test_costs_show_every_measurement_and_label_a_line_where_it_ends():
    x, y = np.array([1e3, 1e6]), np.array([0.01, 1.0])
    figure = plots.costs({"a": {"low": (x, y, y)}, "b": {"high": (x, 100 * y, 100 * y)}}, "parameters", "seconds")
    low, high = figure.axes
    assert low.get_ylim() == high.get_ylim()  # or the panels could not be compared
    np.testing.assert_array_equal(low.lines[0].get_xydata(), np.stack([x, y], axis=1))
    heights = [text.get_position()[1] for axes in (low, high) for text in axes.texts if text.get_text()]
    assert 0 <= heights[0] < heights[1] <= 1


def test_a_map_of_differences_says_each_in_words_and_colors_only_those_that_are_certain():
    sure, open_, other = (Paired(*numbers, 0.01, 10) for numbers in ((1, 0.5, 2), (3, -1, 4), (-2, -3, -1)))
    cells = {("few", "x2"): sure, ("few", "x4"): open_, ("many", "x2"): other, ("many", "x4"): sure}
    axes = plots.difference_map({"against scratch": cells}, "factor", "units").axes[0]
    found = {text.get_text(): text.get_position() for text in axes.texts}
    assert found["\u22122.00"] == (0.5, 1.3)
    assert found["(\u22121.00 to +4.00)"] == (1.5, 0.7)
    assert [label.get_text() for label in (*axes.get_xticklabels(), *axes.get_yticklabels())] == [
        *("x2", "x4", "few", "many")
    ]
    assert axes.yaxis_inverted()
    mesh = axes.collections[0]
    (red, _, blue, _), white, (red_other, _, blue_other, _), again = mesh.to_rgba(mesh.get_array().ravel())
    assert blue > red
    assert red_other > blue_other
    assert min(white) > 0.95
    assert list(again) == [red, mesh.to_rgba([1.0])[0][1], blue, 1]


def test_no_weight_of_a_network_hides_another():
    w1, w2 = np.array([[1.0, -1, -1], [2, 1, 1]]), np.array([[3.0], [2], [2]])
    for axes in plots.networks([w1[:, :2], w2[:2]], [w1, w2], mapping=[0, 1, 1], values=True).axes:
        written = {f"{weight:.2g}" for weight in (*w1.flat, *w2.flat)}
        places = np.array([text.get_position() for text in axes.texts if text.get_text() in written])
        distances = np.linalg.norm(places[:, np.newaxis] - places, axis=-1)[~np.eye(len(places), dtype=bool)]
        assert distances.min() > 0.3


def test_networks_name_their_weights_if_asked():
    named = {text.get_text() for axes in plots.networks([W1, W2], [V1, V2], values=True).axes for text in axes.texts}
    assert {f"{weight:.2g}" for kernel in (W1, W2, V1, V2) for weight in kernel.flat if weight} <= named
    bare = {text.get_text() for axes in plots.networks([W1, W2], [V1, V2]).axes for text in axes.texts}
    assert not {"-2", "0.5"} & bare


# Chapter 4


def test_mapping_arrows_name_units_and_shares():
    figure = plots.mapping_arrows([0, 1, 2, 1, 2, 2], shares=[1, 0.5, 1 / 3, 0.5, 1 / 3, 0.333])
    words = [text.get_text() for text in figure.axes[0].texts]
    units = [word for word in words if word[:1] in ("a", "b", "c")]
    assert units == ["a", "b", "c", "a", "b", "c", "b′", "c′", "c′′"]
    assert [word for word in words if "/" in word] == ["1/2", "1/3", "1/2", "1/3"]
    assert words[-1] == "0.33"
    assert len(plots.mapping_arrows([0, 0]).axes[0].texts) < len(words)


def test_copy_distances_shows_zero():
    figure = plots.copy_distances({"equal": np.zeros(50), "unequal": np.linspace(0, 1, 50)}, floor=1e-5)
    (axes,) = figure.axes
    assert axes.get_yticks()[0] == 1e-5
    assert axes.get_yticklabels()[0].get_text() == "0"
    assert axes.lines[0].get_ydata().tolist() == [1e-5] * 49


# ------------------------------------------------------------------ chapter 02: wider

CURVES, TWO = np.stack([X, X**2], axis=1), np.hstack([V2, -V2])
OF_02 = {
    "flatten_rows": lambda: plots.flatten_rows([0, 1, 2, 1], positions=3),
    "widened_function": lambda: plots.widened_function(X, CURVES, CURVES, [0, 1, 0, -1], TWO[:2], TWO[:4], most=24),
}


@pytest.mark.parametrize("name", OF_02)
def test_figure_of_chapter_02_draws_small_and_within_its_frame(name, monkeypatch):
    monkeypatch.setitem(CALLS, name, OF_02[name])
    test_figure_draws_small_and_within_its_frame(name)


def test_flatten_rows_name_every_row_of_the_kernels():
    teacher, student, wrong = ([text.get_text() for text in axes.texts] for axes in OF_02["flatten_rows"]().axes)
    assert teacher[:4] == ["a\n1", "b\n1", "c\n1", "a\n2"]
    assert student[:5] == ["a\n1", "b\n1", "c\n1", "b′\n1", "a\n2"]
    assert (len(teacher), len(student)) == (9, 12)
    assert sorted(wrong) == sorted(student) != wrong


def test_widened_function_names_each_units_origin_and_leaves_room():
    below = OF_02["widened_function"]().axes[1]
    assert [text.get_text() for text in below.texts] == ["a", "b", "a", "new\n2"]
    assert below.get_xlim()[1] > 23


# ------------------------------------------------------------------ chapter 8


def test_training_panels_share_looks_and_scales():
    figure = plots.training_panels(
        frame(), {"left": ["net2deeper", "randominit"], "right": ["net2deeper"]}, ylim={"val_accuracy": (0.5, 1)}
    )
    assert len(figure.axes) == 8
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["deeper student", "random new layers"]
    assert [axes.get_ylim() for axes in figure.axes[2:4]] == [(0.5, 1)] * 2
    left, right = (figure.axes[row].get_ylim() for row in (0, 1))
    assert left == right, "panels of one row share their scale"
    assert figure.get_size_inches()[0] == canvas.WIDTH


def test_training_panels_name_the_arm_without_rows():
    with pytest.raises(ValueError, match=r"'absent'.*net2deeper"):
        plots.training_panels(frame(), {"": ["absent"]})


# ------------------------------------------------------------------ chapter 03: deeper


@pytest.mark.parametrize("change", [RNG.normal(size=(32, 32)), np.zeros((3, 4))], ids=["learned", "none"])
def test_weight_change_draws_inputs_across_and_outputs_down(change, monkeypatch):
    monkeypatch.setitem(CALLS, "weight_change", lambda: plots.weight_change(change))
    test_figure_draws_small_and_within_its_frame("weight_change")
    image = plots.weight_change(change, "here", "there").axes[0].images[0]
    assert np.array_equal(image.get_array(), change.T)
    low, high = image.get_clim()
    assert low == -high < 0, "white is no change"


# ------------------------------------------------------------------ chapters 01 and 11: before growth and after


def measured(*accuracies):
    return [{"update": 10 * i, "val_accuracy": accuracy} for i, accuracy in enumerate(accuracies)]


GROWTH = (
    {"teacher": measured(0.1, 0.7, 0.8)},
    {"student": measured(0.8, 0.9), "from\nscratch": measured(0.1, 0.6, 0.7)},
)


def test_growth_curves_draw_small_and_within_their_frame(monkeypatch):
    monkeypatch.setitem(CALLS, "growth_curves", lambda: plots.growth_curves(*GROWTH))
    test_figure_draws_small_and_within_its_frame("growth_curves")


def test_growth_curves_go_on_where_the_teacher_ends():
    (axes,) = plots.growth_curves(*GROWTH, ylim=(0, 1)).axes
    teacher, student, scratch, growth, *_ = axes.lines
    assert list(teacher.get_xdata()) == [0, 10, 20]
    assert list(student.get_xdata()) == [20, 30]
    assert list(scratch.get_ydata()) == [0.1, 0.6, 0.7]
    assert set(growth.get_xdata()) == {20}
    assert {"teacher", "growth", "student", "from\nscratch"} <= {text.get_text() for text in axes.texts}
    assert axes.get_ylim() == (0, 1)


# ------------------------------------------------------------------ chapter 06: what goes wrong

OUTPUTS = RNG.normal(size=(20, 10))
OF_06 = {
    "output_scatter": lambda: plots.output_scatter(
        OUTPUTS, {"as it is": OUTPUTS, "divided by\ncopies only": 1.5 * OUTPUTS, "rounded": OUTPUTS + 1e-9}
    ),
    "output_scatter of one": lambda: plots.output_scatter(OUTPUTS, {"far off": OUTPUTS + 100}),
    "gap_chart": lambda: plots.gap_chart(
        {"a fault with a long name": 4.2, "zero": 0.0, "rounding": 3e-16, "small fault": 2e-7},
        {"float64": 1e-12, "float32": 1e-5},
    ),
    "gap_chart without limits": lambda: plots.gap_chart({"one": 0.5}),
}


@pytest.mark.parametrize("name", OF_06)
def test_figure_of_chapter_06_draws_small_and_within_its_frame(name, monkeypatch):
    monkeypatch.setitem(CALLS, name, OF_06[name])
    test_figure_draws_small_and_within_its_frame(name)


def test_output_scatter_tells_same_from_changed_and_keeps_all_dots_inside():
    titles = [axes.get_title().splitlines()[-1] for axes in OF_06["output_scatter"]().axes]
    assert titles == ["same", "changed", "same"]
    (axes,) = OF_06["output_scatter of one"]().axes
    dots = axes.lines[1].get_ydata()
    assert len(dots) == OUTPUTS.size
    assert dots.max() == dots.min() == axes.get_ylim()[1], "what lies farther off is drawn at the edge"


def test_gap_chart_orders_gaps_and_marks_what_is_exact():
    (axes,) = OF_06["gap_chart"]().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "zero",
        "rounding",
        "small fault",
        "a fault with a long name",
    ]
    drawn = {line.get_marker(): line for line in axes.lines if line.get_marker() not in ("None", None)}
    assert set(drawn) == {"o", "s"}
    at = [float(line.get_xdata()[0]) for line in axes.lines if line.get_marker() in ("o", "s")]
    assert at == [1e-17, 3e-16, 2e-7, 4.2]
    assert axes.get_xticklabels()[0].get_text() == "0"


# ------------------------------------------------------------------ chapter 05: whole models


def residual():
    import keras
    from keras import layers

    x = keras.Input((4, 4, 3), name="image")
    h = layers.Conv2D(8, 3, padding="same", name="stem")(x)
    inner = layers.Conv2D(8, 3, padding="same", name="second")(layers.Conv2D(12, 3, padding="same", name="first")(h))
    h = layers.Add(name="sum")([inner, h])
    h = layers.Concatenate(name="both")([h, layers.Conv2D(4, 1, name="third")(h)])
    return keras.Model(x, layers.Dense(2, name="classes")(layers.GlobalAveragePooling2D(name="pool")(h)))


def chain():
    import keras

    dense = keras.layers.Dense
    return keras.Sequential([keras.Input((3,), name="x"), dense(4, name="hidden"), dense(2, name="out")])


OF_05 = {
    "a chain": lambda: plots.channel_rows(chain()),
    "a branch": lambda: plots.channel_rows(residual()),
    "operations of a chain": lambda: plots.operations(chain()),
    "operations of a branch": lambda: plots.operations(residual()),
}


@pytest.mark.parametrize("name", OF_05)
def test_figure_of_chapter_05_draws_small_and_within_its_frame(name, monkeypatch):
    monkeypatch.setitem(CALLS, name, OF_05[name])
    test_figure_draws_small_and_within_its_frame(name)


def test_channel_rows_give_tied_layers_one_letter_and_fixed_ones_none():
    (axes,) = OF_05["a branch"]().axes
    words = [text.get_text() for text in axes.texts]
    rows, name = {}, None
    for word in words:
        if " " in word:
            name = word.split()[0]
            rows[name] = ""
        else:
            rows[name] += word
    assert rows == {
        "image": "",
        "stem": "A",
        "first": "B",
        "second": "A",
        "sum": "A",
        "third": "C",
        "both": "AC",
        "pool": "AC",
        "classes": "",
    }
    assert "both  12" in words
    boxes = [(box.get_x(), box.get_x() + box.get_width()) for box in axes.patches]
    low, high = axes.get_xlim()
    assert all(low <= left < right <= high for left, right in boxes)


def test_channel_rows_of_a_chain_stand_below_each_other():
    (axes,) = OF_05["a chain"]().axes
    named = [text for text in axes.texts if text.get_text()]
    assert [text.get_text() for text in named] == ["x  3", "hidden  4", "A", "out  2"]
    assert {text.get_position()[0] for text in named} == {0.0}
    heights = [text.get_position()[1] for text in named]
    assert heights == sorted(heights, reverse=True)


def test_operations_mark_the_axes_that_are_divided():
    (axes,) = OF_05["operations of a chain"]().axes
    lines = {}
    for text in axes.texts:
        lines.setdefault(round(text.get_position()[1], 3), []).append(text.get_text())
    assert list(lines.values()) == [
        ["operation", "gives", "reads a weight"],
        ["x", "2", "3"],
        ["hidden  MatMul", "2", "A4", "3", "A4"],
        ["hidden  BiasAdd", "2", "A4", "A4"],
        ["out  MatMul", "2", "2", "÷", "A4", "2"],
        ["out  BiasAdd", "2", "2", "2"],
    ]
    assert sum(bool(box.get_hatch()) for box in axes.patches) == 1


def test_operations_lead_from_where_something_is_made():
    """The sum reads what is made far above it, the concatenation two things; nothing is drawn twice."""
    (axes,) = OF_05["operations of a branch"]().axes
    texts = [(text.get_text(), round(text.get_position()[1], 3)) for text in axes.texts]
    at = {name: y for name, y in texts if "  " in name}
    ends = [
        (round(line.get_ydata()[0], 3), round(line.get_ydata()[-1], 3))
        for line in axes.lines
        if len(line.get_ydata()) > 1
    ]
    assert len(ends) == len(set(ends))
    into_sum = {start for start, end in ends if end == at["sum  AddV2"]}
    assert len(into_sum) == 2
    assert at["stem  Relu" if "stem  Relu" in at else "stem  BiasAdd"] in into_sum
    assert "AC" in "".join(t[0] for t, y in texts if y == at["both  ConcatV2"] and t[0] in "AC")

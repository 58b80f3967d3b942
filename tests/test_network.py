"""My network: what the page reads of a model, by three ways, is what Keras has; its lines of Python do what they say.

The pages here hold the element and nothing else.
"""

import contextlib
import io
import json
import re
import warnings
import zipfile

import keras
import numpy as np
import pytest
import test_elements
from address import ROOT
from keras import layers
from test_pages import barriers

from helpers import Net2NetError, channel_groups, net2wider_net
from helpers.show import growth_map, network

stage, address, show = test_elements.stage, test_elements.address, test_elements.show
TAG = "net2net-network"


# ------------------------------------------------------------------ models, as a reader may have them


def dense():
    return keras.Sequential(
        [
            keras.Input((20,), name="pixels"),
            layers.Dense(12, activation="relu", name="first"),
            layers.Dropout(0.2, name="dropped"),
            layers.Dense(7, activation="tanh", name="second", use_bias=False),
            layers.Dense(3, name="classes"),
        ]
    )


def convolutional():
    x = image = keras.Input((9, 8, 3), name="image")
    x = layers.Rescaling(1 / 255, name="scaled")(x)
    x = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU(name="ramp")(layers.BatchNormalization(name="norm")(x))
    y = layers.DepthwiseConv2D(3, padding="same", name="depth")(x)
    y = layers.Conv2D(6, 1, activation="relu", name="point")(y)
    x = layers.Add(name="sum")([x, y])
    x = x + layers.Conv2D(6, 1, name="more")(x)
    x = layers.ZeroPadding2D(((1, 0), (2, 1)), name="frame")(x)
    x = layers.SeparableConv2D(5, 3, activation="gelu", name="apart")(x)
    x = layers.Concatenate(name="both")([x, layers.Conv2D(4, 1, name="side")(x)])
    x = layers.Flatten(name="flat")(layers.AveragePooling2D(2, name="pool")(x))
    return keras.Model(image, layers.Dense(4, activation="softmax", name="classes")(x))


def textual():
    return keras.Sequential(
        [
            keras.Input((10,), name="words"),
            layers.Embedding(30, 6, name="meaning"),
            layers.LSTM(5, return_sequences=True, name="long"),
            layers.GRU(4, name="gated"),
            layers.LayerNormalization(name="norm"),
            layers.Dense(8, activation="relu", name="hidden"),
            layers.Dense(1, activation="sigmoid", name="liked"),
        ]
    )


def gated():
    x = signal = keras.Input((12, 3), name="signal")
    x = layers.Conv1D(6, 3, padding="causal", dilation_rate=2, name="conv")(x)
    x = layers.MaxPooling1D(name="pool")(x)
    gate = layers.GlobalAveragePooling1D(keepdims=True, name="mean")(x)
    gate = layers.Dense(2, activation="relu", name="squeeze")(gate)
    gate = layers.Dense(6, activation="sigmoid", name="excite")(gate)
    x = layers.Multiply(name="gated")([x, gate])
    x = layers.Multiply(name="weighed")([x, layers.Dense(1, name="weight")(x)])
    x = layers.Activation("silu", name="curve")(layers.Cropping1D((1, 2), name="cut")(x))
    x = layers.GlobalMaxPooling1D(name="most")(x)
    x = layers.Dense(5, activation="softmax", name="mixed")(x)
    return keras.Model(signal, layers.Dense(2, name="out")(x))


MODELS = {make.__name__: make for make in (dense, convolutional, textual, gated)}
# By hand: positions times kernel, inputs and outputs. A gate sees its input and its own state at each step.
OPERATIONS = {
    "dense": 20 * 12 + 12 * 7 + 7 * 3,
    "convolutional": 20 * (9 * 3 * 6 + 9 * 6 + 6 * 6 + 6 * 6) + 4 * 5 * (9 * 6 + 6 * 5 + 5 * 4) + 2 * 2 * 9 * 4,
    "textual": 10 * 4 * 5 * (6 + 5) + 10 * 3 * 4 * (5 + 4) + 4 * 8 + 8,
    "gated": 12 * 3 * 3 * 6 + 6 * 2 + 2 * 6 + 6 * 6 + 6 * 5 + 5 * 2,
}


def widened(model, widths):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return net2wider_net(model, widths, seed=0)


def summary_of(model, monkeypatch, wide=100):
    monkeypatch.setenv("COLUMNS", str(wide))
    said = io.StringIO()
    model.summary(line_length=wide, print_fn=lambda line, **_: said.write(f"{line}\n"))
    return said.getvalue()


def memory(model):
    """Bytes in float32: weights, and gradients and two moments of those that are trained."""
    return 4 * model.count_params() + 12 * sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def open_file(page, path):
    page.get_by_role("radio", name="Open a .keras file").check()
    page.locator("input[type=file]").set_input_files(path)
    page.locator(".n2n-net-drop b", has_text=path.name).wait_for()


def paste(page, text):
    page.get_by_role("radio", name="Paste its summary").check()
    page.get_by_label("All that model.summary() prints").fill(text)


def type_in(page, text):
    page.get_by_label("Layers from input to output").fill(text)


def plan(page):
    return page.evaluate(
        f"""() => {{
            const found = document.querySelector('{TAG}').plan;
            const parts = ({{ makers, width, now, why }}) => ({{ makers, width, now, why }});
            return found && {{ ...found, groups: found.groups.map(parts) }};
        }}"""
    )


def said(page):
    page.wait_for_timeout(250)
    return page.locator(".n2n-says").inner_text()


def is_clear(page):
    """No numbers of an older model are left to be taken for this one's."""
    return page.locator(".n2n-net-body > *").count() == 0


def run(page, **names):
    """Run the lines to copy, as a reader would; return what they print and what they say they print."""
    lines, out = page.locator(".n2n-net-code pre").inner_text(), io.StringIO()
    with warnings.catch_warnings(), contextlib.redirect_stdout(out):
        warnings.simplefilter("ignore")
        exec(lines, names)  # the lines are this book's own
    return out.getvalue().split(), re.search(r"^# (\d+) (\d+)$", lines, re.M).groups()


# ------------------------------------------------------------------ a file


@pytest.mark.browser
@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
@pytest.mark.parametrize("name", MODELS)
def test_a_file_is_read_as_keras_reads_it(show, tmp_path, monkeypatch, name, compression):
    model, path = MODELS[name](), tmp_path / "mine.keras"
    model.save(tmp_path / "saved.keras")
    with zipfile.ZipFile(tmp_path / "saved.keras") as old, zipfile.ZipFile(path, "w", compression) as new:
        for each in reversed(old.namelist()):
            new.writestr(each, old.read(each))
    page = show(network.network())
    open_file(page, path)
    page.route("**/*", lambda route: route.abort())  # from here on, nobody is there
    monkeypatch.chdir(tmp_path)
    for factor in (2, 1.5):
        page.evaluate(f"document.querySelector('{TAG}').set({{ factor: {factor} }})")
        student, found = widened(model, factor), plan(page)
        assert found["parameters"] == [model.count_params(), student.count_params()]
        assert found["memory"] == [memory(model), memory(student)]
        assert found["operations"][0] == OPERATIONS[name]
        groups = {tuple(sorted(group.layers)): group.width for group in channel_groups(student)}
        seen = {tuple(sorted(group["makers"])): group["now"] for group in found["groups"]}
        assert {key: seen.get(key) for key in groups if "." not in key[0]} == {
            key: width for key, width in groups.items() if "." not in key[0]
        }
        shown = page.locator("[data-cost=parameters] .n2n-net-after").inner_text()
        assert shown == f"{student.count_params():,}"
        printed, promised = run(page)
        assert tuple(printed) == promised == (str(model.count_params()), str(student.count_params()))
    assert said(page).startswith("mine.keras: ")


@pytest.mark.browser
def test_a_width_left_out_stays_and_the_lines_name_the_others(show, tmp_path, monkeypatch):
    model = convolutional()
    model.save(tmp_path / "mine.keras")
    monkeypatch.chdir(tmp_path)
    page = show(network.network())
    open_file(page, tmp_path / "mine.keras")
    page.get_by_role("checkbox", name=re.compile("^stem")).uncheck()
    student = widened(model, {"apart": 10, "side": 8})
    assert plan(page)["parameters"] == [model.count_params(), student.count_params()]
    assert '"apart": 10' in page.locator(".n2n-net-code pre").inner_text()
    assert tuple(run(page)[0]) == run(page)[1]
    assert "Stays here: you left it out." in page.locator(".n2n-net-groups").inner_text()
    for name in ("apart", "side"):
        page.get_by_role("checkbox", name=re.compile(f"^{name}")).focus()
        page.keyboard.press("Space")
    assert said(page).endswith("Nothing grows this way. Below is why each width stays.")
    assert page.locator(".n2n-net-code").count() == 0


@pytest.mark.browser
def test_what_is_frozen_needs_no_moments(show, tmp_path):
    model = dense()
    model.get_layer("first").trainable = False
    model.save(tmp_path / "mine.keras")
    page = show(network.network())
    open_file(page, tmp_path / "mine.keras")
    assert plan(page)["memory"] == [memory(model), memory(dense_frozen(widened(model, 2)))]


def dense_frozen(student):
    student.get_layer("first").trainable = False
    return student


@pytest.mark.browser
def test_statistics_of_the_input_stay(show, tmp_path):
    x = image = keras.Input((4, 4, 3), name="image")
    x = layers.Rescaling([0.1, 0.2, 0.3], name="scaled")(layers.Normalization(name="centered")(x))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1, name="conv")(x))
    model = keras.Model(image, layers.Dense(2, name="out")(x))
    model.save(tmp_path / "mine.keras")
    page = show(network.network())
    open_file(page, tmp_path / "mine.keras")
    student = widened(model, 2)
    assert plan(page)["parameters"] == [model.count_params(), student.count_params()]
    assert plan(page)["memory"] == [memory(model), memory(student)]


@pytest.mark.browser
def test_a_mean_over_two_widths_keeps_both_or_neither(show, tmp_path):
    x = keras.Input((5,))
    y = layers.Concatenate()([layers.Dense(4, name="a")(x), layers.Dense(6, name="b")(x)])
    y = layers.Dense(3, name="c")(layers.LayerNormalization()(y))
    model = keras.Model(x, layers.Dense(2, name="d")(y))
    model.save(tmp_path / "mine.keras")
    page = show(network.network())
    open_file(page, tmp_path / "mine.keras")
    assert plan(page)["parameters"][1] == widened(model, 2).count_params()
    page.get_by_role("checkbox", name=re.compile("^a")).uncheck()
    assert [group["now"] for group in plan(page)["groups"]][1:4] == [4, 6, 6]
    with pytest.raises(Net2NetError, match="equally many copies"):
        widened(model, {"b": 12})


# ------------------------------------------------------------------ typed words


TYPED = [
    "784 → 256 relu → 128 relu → 10",
    "5,000 -> 64 gelu => 8 > 3",
    "28x28x1 → conv 8 relu → batchnorm → conv 8 5x5 /2 → pool 3 → depthwise → flatten → 16 relu → 10 softmax",
    "16x16x3\nconv 4\nseparable 6 relu\npool\nconv 5\naverage\nlayernorm\n4",
    "100 words of 5,000 → embedding 8 → conv 6 relu → lstm 5 → dropout → 1 sigmoid",
    "30×4 → conv 4 → depthwise 5 → gru 6 tanh → dense 2",
]


@pytest.mark.browser
@pytest.mark.parametrize("text", TYPED)
def test_typed_words_become_a_model_and_its_lines_build_it(show, text):
    page = show(network.network(factor=1.75))
    type_in(page, text)
    printed, promised = run(page)
    assert tuple(printed) == promised
    assert plan(page)["parameters"] == [int(number) for number in promised]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Write at least an input and a layer"),
        ("784", "Write at least an input and a layer"),
        ("images → 10", "“images” is no input"),
        ("784 → attention 8 → 10", "I cannot read “attention 8”. Known are:"),
        ("784 → relu → 10", "I cannot read “relu”"),
        ("784 → conv 8 → 10", "“conv 8” needs an image or a sequence"),
        ("28x28x1 → lstm 8 → 10", "“lstm 8” needs a sequence"),
        ("28x28x1 → conv → 10", "“conv” needs its width"),
        ("28 → embedding 4 → 10", "An embedding comes right after words"),
        ("784 → 0 → 10", "“0” needs its width"),
        ("784 → 10", "Nothing in this network can be widened"),
    ],
)
def test_words_that_make_no_network_get_a_sentence(show, text, words):
    page = show(network.network())
    type_in(page, text)
    assert said(page).startswith(words)
    assert page.locator(".n2n-net-code").count() == 0
    assert is_clear(page) or text == "784 → 10"


@pytest.mark.browser
def test_examples_and_the_factor_are_set_by_hand(show):
    page = show(network.network())
    for name in ("A ConvNet", "A text model", "A dense network"):
        page.get_by_role("button", name=name).click()
        assert tuple(run(page)[0]) == run(page)[1]
    page.get_by_label("Make it wider by").focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    assert page.locator(f"{TAG} output").inner_text() == "4 times"
    assert plan(page)["groups"][1]["now"] == 1024
    assert "1024 units" not in said(page)
    page.get_by_role("button", name="Start over").click()
    assert page.locator(f"{TAG} output").inner_text() == "2 times"


# ------------------------------------------------------------------ a summary


def wrapped(text, width):
    """As a reader's window, mail or editor breaks it."""
    return "\n".join(
        line[start : start + width] for line in text.splitlines() for start in range(0, max(len(line), 1), width)
    )


@pytest.mark.browser
@pytest.mark.parametrize("wrap", [None, 61, 23])
@pytest.mark.parametrize("name", MODELS)
def test_a_summary_is_read_whatever_its_line_wraps(show, monkeypatch, name, wrap):
    model = MODELS[name]()
    text = summary_of(model, monkeypatch)
    page = show(network.network())
    paste(page, wrapped(text, wrap) if wrap else text)
    found = plan(page)
    assert found["parameters"][0] == model.count_params()
    assert found["operations"][0] == OPERATIONS[name]
    if name == "gated":  # a summary does not tell of its softmax
        assert found["parameters"][1] > widened(model, 2).count_params()
        return
    assert found["parameters"][1] == widened(model, 2).count_params()
    printed, promised = run(page, model=model)
    assert tuple(printed) == promised


@pytest.mark.browser
def test_a_compiled_model_and_cut_off_names_are_read_where_they_can_be(show, monkeypatch):
    model = convolutional()
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    page = show(network.network())
    text = summary_of(model, monkeypatch, wide=70)
    assert "…" in text
    assert "Optimizer params" in text
    paste(page, text)
    assert plan(page)["parameters"] == [model.count_params(), widened(model, 2).count_params()]


@pytest.mark.browser
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "some words", "I find no table in this text"),
        (lambda text: text.replace("┃", "|"), "I find no table in this text"),
        (lambda text: "\n".join(line[:40] for line in text.splitlines()), "I find no table in this text"),
        (lambda text: text.replace("first (Dense)", "first (Magic)"), "This page cannot read first (Magic)."),
        (lambda text: re.sub(r"│ second.*\n", "", text), "The parameters of classes (Dense) do not fit its shape."),
        (
            lambda text: re.sub(r"│ classes.*\n", "", text),
            "These layers have 336 parameters, but the last lines say 360.",
        ),
        (lambda text: re.sub(r"│ +252 ", "│ 0 (unbuilt) ", text), "This model is not built yet."),
    ],
)
def test_a_summary_that_is_not_whole_gets_a_sentence(show, monkeypatch, change, words):
    page = show(network.network())
    text = summary_of(dense(), monkeypatch)
    assert change(text) != text
    paste(page, change(text))
    assert said(page).startswith(words)
    assert is_clear(page)


@pytest.mark.browser
def test_a_layer_that_a_summary_has_called_twice_is_not_counted_once(show, monkeypatch):
    x, y = keras.Input((4,), name="x"), keras.Input((4,), name="y")
    layer = layers.Dense(3, name="twice")
    model = keras.Model([x, y], layers.Dense(2, name="out")(layers.Add(name="sum")([layer(x), layer(y)])))
    page = show(network.network())
    paste(page, summary_of(model, monkeypatch))
    assert said(page).startswith("This page cannot read twice (Dense), which is called more than once.")


@pytest.mark.browser
def test_names_that_are_cut_off_alike_are_not_guessed(show, monkeypatch):
    x = image = keras.Input((4, 4, 2), name="image")
    for number in range(2):
        y = layers.Conv2D(2, 1, name=f"a_convolution_with_a_very_long_name_{number}")(x)
        x = layers.Add(name=f"sum{number}")([x, y])
    page = show(network.network())
    paste(page, summary_of(keras.Model(image, x), monkeypatch, wide=70))
    assert said(page).startswith("Names are cut off in this summary")


# ------------------------------------------------------------------ what cannot be read


def unread():
    x = keras.Input((4, 8), name="x")
    y = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    y = layers.Conv1D(8, 1, groups=2, name="halves")(x) + y
    return keras.Model(x, layers.Dense(1, name="out")(y))


def shared():
    x = keras.Input((4,), name="x")
    layer = layers.Dense(4, name="twice")
    return keras.Model(x, layers.Dense(2, name="out")(layer(layer(x))))


def curved():
    return keras.Sequential([keras.Input((4,)), layers.Dense(4, activation="glu", name="gated"), layers.Dense(2)])


def led():
    """Python widens it by its multiplier."""
    x = keras.Input((4, 4, 2), name="x")
    return keras.Model(x, layers.Dense(2)(layers.Flatten()(layers.DepthwiseConv2D(2, name="depth")(x))))


def unlike():
    x = keras.Input((4,), name="x")
    y = layers.Concatenate()([layers.Dense(2)(x), layers.Dense(2)(x)])
    return keras.Model(x, layers.Dense(2)(layers.Add(name="sum")([y, layers.Dense(4)(x)])))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (unread, "halves (Conv1D), which has groups of its own; attention (MultiHeadAttention)."),
        (shared, "twice (Dense), which is called more than once. Python"),
        (curved, "gated (Dense), which has the activation glu."),
        (led, "depth (DepthwiseConv2D), which works on channels that stay."),
        (unlike, "sum (Add), which joins parts of different widths."),
    ],
)
def test_layers_that_are_not_known_are_named_and_python_is(show, tmp_path, make, words):
    make().save(tmp_path / "mine.keras")
    page = show(network.network())
    open_file(page, tmp_path / "mine.keras")
    assert said(page).startswith(f"This page cannot read {words}")
    assert "helpers.channel_groups(model)" in said(page)
    assert "helpers.growth(student)" in said(page)
    assert is_clear(page)


class Own(keras.Model):
    def __init__(self):
        super().__init__()
        self.out = layers.Dense(2)

    def call(self, x):
        return self.out(x)

    def get_config(self):
        return {}


def broken_files(folder):
    """{name: sentence} of files that are no model, which are written into a folder."""
    dense().save(folder / "sound.keras")
    sound = (folder / "sound.keras").read_bytes()
    (folder / "half.keras").write_bytes(sound[: len(sound) // 2])
    (folder / "empty.keras").write_bytes(b"")
    (folder / "noise.keras").write_bytes(np.random.default_rng(0).bytes(5000))
    (folder / "old.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    own = Own()
    own(np.zeros((1, 3)))
    own.save(folder / "own.keras")
    for name, file, text in (
        ("other.keras", "readme.txt", "hello"),
        ("letters.keras", "config.json", "{"),
        ("list.keras", "config.json", "[]"),
    ):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as packed:
            packed.writestr(file, text)
    spoiled = bytearray((folder / "letters.keras").read_bytes())
    spoiled[41:43] = b"\xff\xff"  # inside the deflated data
    (folder / "spoiled.keras").write_bytes(spoiled)
    damaged = "This file is damaged, or it is no .keras file."
    return {
        **dict.fromkeys(["half.keras", "empty.keras", "noise.keras", "letters.keras", "spoiled.keras"], damaged),
        "other.keras": "This zip has no config.json",
        "old.h5": "This is an .h5 file",
        "own.keras": "The model is of the class Own.",
        "list.keras": "The model is of the class ?.",
    }


@pytest.mark.browser
def test_files_that_are_no_model_get_a_calm_sentence_and_the_next_one_is_read(show, tmp_path):
    page = show(network.network())
    for name, words in broken_files(tmp_path).items():
        open_file(page, tmp_path / name)
        assert said(page).startswith(words), name
        assert is_clear(page)
        assert barriers(page, TAG) == []
    open_file(page, tmp_path / "sound.keras")
    assert plan(page)["parameters"][0] == dense().count_params()


@pytest.mark.browser
def test_a_file_is_dropped_anywhere_on_the_panel(show, tmp_path):
    dense().save(tmp_path / "mine.keras")
    page = show(network.network())
    held = page.evaluate_handle(
        """(bytes) => {
            const held = new DataTransfer();
            held.items.add(new File([new Uint8Array(bytes)], 'mine.keras'));
            return held;
        }""",
        list((tmp_path / "mine.keras").read_bytes()),
    )
    page.dispatch_event(".n2n-live", "dragover", {"dataTransfer": held})
    page.dispatch_event(".n2n-live", "drop", {"dataTransfer": held})
    page.locator(".n2n-net-drop", has_text="mine.keras").wait_for()
    assert plan(page)["parameters"][0] == dense().count_params()


# ------------------------------------------------------------------ where growing pays


def test_records_are_those_of_the_map():
    study = growth_map.growth_map().study
    found = network.records(study)
    assert found["budgets"] == study["budgets"]
    assert found["seeds"] == {cell["seeds"] for cell in study["cells"]}.pop()
    for rival, cells in found["rivals"].items():
        for budget, cell in zip(found["budgets"], cells, strict=True):
            verdicts = [each[rival]["verdict"] for each in study["cells"] if each["budget"] == budget]
            wins, loses = "wins" in verdicts, "loses" in verdicts
            assert cell["verdict"] == ("wins" if wins and not loses else "loses" if loses and not wins else "level")


def test_the_words_of_the_page_are_what_the_records_say():
    """If a new recording says otherwise, book/my_network.md must change."""
    verdicts = {rival: [cell["verdict"] for cell in row] for rival, row in network.records()["rivals"].items()}
    assert verdicts["scratch"][0] == "wins" != verdicts["scratch"][-1]
    assert verdicts["continued teacher"][-1] == "wins" != verdicts["continued teacher"][0]
    assert "wins" not in verdicts["frontier"]


@pytest.mark.browser
def test_the_table_counts_the_readers_own_examples(show):
    panel = network.network()
    page = show(panel)
    after, budgets = plan(page)["parameters"][1], panel.records["budgets"]
    heads = page.locator(f"{TAG} thead th").all_inner_texts()
    assert [int(head.split()[0]) for head in heads] == budgets
    for head, budget in zip(heads, budgets, strict=True):
        assert float(head.split()[1]) == pytest.approx(budget * after / 1e6, rel=0.006)
    rows = [page.locator(f"{TAG} tbody tr").nth(row).locator("td").all_inner_texts() for row in range(3)]
    assert rows == [[cell["verdict"] for cell in row] for row in panel.records["rivals"].values()]
    words = {"wins": "beat", "level": "was level with", "loses": "lost to"}
    for at, budget in enumerate(budgets):
        page.get_by_label("Training examples in all").fill(f"{budget * after / 100:.0f} x 100")
        text = page.locator(".n2n-net-border > [role=status]").inner_text()
        assert f"The nearest budget of our records is {budget:g}:" in text
        for rival, row in panel.records["rivals"].items():
            assert f"{words[row[at]['verdict']]} {growth_map.RIVALS[rival]}" in text
        assert page.locator(f"{TAG} tbody tr").first.locator(".n2n-net-near").evaluate("e => e.cellIndex") == at + 1
    for planned, said_of_it in (("1,000", "fewer than in any"), ("2b × 10", "more than in any"), ("many", "Write how")):
        page.get_by_label("Training examples in all").fill(planned)
        assert said_of_it in page.locator(".n2n-net-border > [role=status]").inner_text()
        assert page.locator(".n2n-net-near").count() == 0


def test_python_and_page_name_the_same_rivals_and_begin_alike():
    text = (ROOT / "book" / "web" / f"{TAG}.js").read_text(encoding="utf-8")
    body = re.search(r"const RIVALS = {(.*?)};", text, re.DOTALL)[1]
    assert dict(re.findall(r'(?:^|,)\s*"?([\w ]+?)"?: "(.*?)"', body)) == growth_map.RIVALS
    assert json.dumps(network.network().examples, ensure_ascii=False) in text
    assert network.network().text in text


# ------------------------------------------------------------------ the panel


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_in_any_state(show, tmp_path, theme):
    page = show(network.network(), theme=theme, width=360)
    convolutional().save(tmp_path / "mine.keras")
    open_file(page, tmp_path / "mine.keras")
    assert barriers(page, TAG) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    paste(page, "no table")
    assert barriers(page, TAG) == []


@pytest.mark.browser
def test_the_lines_are_copied(show):
    page = show(network.network())
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy", exact=True).click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.locator(".n2n-net-code pre").inner_text()
    page.get_by_role("button", name="Copy", exact=True).wait_for()


@pytest.mark.browser
def test_the_picture_has_each_layer_as_high_as_it_is_wide(show, tmp_path):
    convolutional().save(tmp_path / "mine.keras")
    page = show(network.network())
    open_file(page, tmp_path / "mine.keras")
    page.emulate_media(reduced_motion="reduce")
    bars = page.locator(".n2n-net-sight g:has(> title)").evaluate_all(
        """(all) => Object.fromEntries(all.map((one) => [one.querySelector('title').textContent.split(' ')[0],
            ['old', 'new'].map((kind) => [...one.querySelectorAll(`.n2n-net-${kind}`)]
                .reduce((sum, bar) => sum + Number(bar.getAttribute('height')), 0))]))"""
    )
    unit = bars["image"][0] ** 2 / 3
    for name, (old, new) in {"stem": (6, 12), "depth": (6, 12), "both": (9, 18), "classes": (4, 4)}.items():
        assert [high**2 / unit for high in bars[name]] == pytest.approx([old, new], rel=1e-3)
    skips = page.locator(".n2n-net-skip").count()
    assert skips == 3, "two sums and a concatenation reach past their neighbors"
    assert page.locator(".n2n-net-sight").get_attribute("aria-label").count("stem 6 to 12") == 1

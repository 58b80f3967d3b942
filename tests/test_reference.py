"""The reference on the built pages: whole, linked from the chapters, found by the search; and the cheat sheet."""

import ast
import importlib
import inspect
import re
from urllib.parse import quote

import keras
import numpy as np
import pytest
import trust
from address import ROOT
from docutils.nodes import make_id
from models_for_tests import EXACT, dtype, outputs, randomize
from sphinx.util.inventory import InventoryFile
from test_pages import Visit, read, serve

import helpers

PARTS = ("data", "experiments", "measures", "networks", "studies", "tasks")
SHOW = ("explore", "lab", "network", "plots")
STUDY = ("costs", "language", "optimizer_state", "recorder", "states", "trajectories", "updates")
ROOMS = (
    "helpers",
    *(f"helpers.{part}" for part in PARTS),
    *(f"helpers.{room}.{part}" for room, parts in {"study": STUDY, "show": SHOW}.items() for part in parts),
)


@pytest.fixture(scope="module")
def entries(html):
    """{full name: address} of all that the reference describes."""
    with open(html / "objects.inv", "rb") as file:
        found = InventoryFile.load(file, "", lambda base, uri: uri)
    return {name: entry[2] for kind, names in found.items() if kind.startswith("py:") for name, entry in names.items()}


@pytest.mark.parametrize("room", ROOMS)
def test_every_public_name_is_described(room, entries):
    public = importlib.import_module(room).__all__
    # A name may be public in two rooms; it is described in one of them.
    described = {name.rpartition(".")[2] for name in entries if name.startswith("helpers.")}
    assert set(public) - described == set()


def test_a_chapter_links_a_name_once_at_its_first_mention(html, entries):
    links = read(html / "book" / "02_net2widernet.html").links
    for name in ("helpers.net2wider_net", "helpers.wider2net_fc", "helpers.function_gap"):
        assert links.count(entries[name].removeprefix("book/")) == 1, name


def test_index_is_reached_and_leads_to_every_word_and_name(html, entries):
    for page in ("index", "glossary"):
        assert "../genindex.html" in read(html / "book" / f"{page}.html").links
    words = trust.terms((ROOT / "book" / "glossary.md").read_text(encoding="utf-8"))
    expected = {f"book/glossary.html#term-{make_id(word)}" for word in words} | set(entries.values())
    assert expected - set(read(html / "genindex.html").links) == set()


@pytest.mark.browser
@pytest.mark.parametrize("name", ["net2wider_net", "learning_curves"])
def test_search_finds_a_function(browser, html, entries, name):
    (full,) = (entry for entry in entries if entry.rpartition(".")[2] == name)
    with serve(html) as address, Visit(browser, address, "search") as visit:
        visit.page.goto(f"{address}search.html?q={quote(name)}")
        first = visit.page.locator("#search-results li a").first
        assert first.get_attribute("href").endswith(entries[full])


def test_a_name_that_nobody_describes_is_noticed(entries, monkeypatch):
    monkeypatch.setattr(helpers, "__all__", [*helpers.__all__, "no_such_name"])
    with pytest.raises(AssertionError, match="no_such_name"):
        test_every_public_name_is_described("helpers", entries)


# ------------------------------------------------------------------ the cheat sheet

SHEET = (ROOT / "book" / "cheat_sheet.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^## ([^\n]+)\n\n```\{code-block\} python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = [pytest.param(code, id=title) for title, code in BLOCK.findall(SHEET)]


def residual(width=32):
    """A compiled model of the kind that the sheet speaks of: it has all that its calls name."""
    image = keras.Input((6,))
    h = keras.layers.Dense(width, "relu", name="fc1")(image)
    for name in ("first", "second"):
        inner = keras.layers.Dense(width, "relu", name=f"{name}_inner")(h)
        h = keras.layers.Add(name=name)([h, keras.layers.Dense(width, name=f"{name}_outer")(inner)])
    model = keras.Model(image, keras.layers.Dense(3, "softmax", name="classes")(h))
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def desk():
    """What a reader has on the desk, in float64: model, data and the public names; and a list of students."""
    with dtype("float64"):
        rng, teacher = np.random.default_rng(0), randomize(residual())
        given = {name: getattr(helpers, name) for name in helpers.__all__}
        x, y = rng.normal(size=(32, 6)), rng.integers(0, 3, 32)
        yield given | {"keras": keras, "teacher": teacher, "my_model": residual, "x": x, "y": y}


def wrong_students(code, desk):
    """Run a block of the sheet line by line, and return the steps behind which a student is another function."""
    teacher, x, wrong = desk["teacher"], desk["x"], []
    for step in ast.parse(code).body:
        exec(compile(ast.Module([step], []), "the cheat sheet", "exec"), desk)
        filled = isinstance(step, ast.Expr) or "my_model" not in ast.unparse(step)
        if "student" in ast.unparse(step) and filled and "grow_and_fit" not in code:
            before, after = outputs(teacher, x)[0], outputs(desk["student"], x)[0]
            same = 1e-6 if after.shape != before.shape else EXACT["float64"] * before.max()  # new classes take a little
            if not np.abs(after[:, : before.shape[1]] - before).max() < same:
                wrong.append(ast.unparse(step))
    return wrong


@pytest.mark.parametrize("code", BLOCKS)
def test_every_call_of_the_cheat_sheet_runs_and_keeps_the_function(code, desk):
    teacher = desk["teacher"].count_params()
    assert wrong_students(code, desk) == []
    if "student" in code:
        assert desk["student"].count_params() > teacher
    assert max(map(len, code.splitlines())) <= 34, "or it wraps on a phone"


def test_the_cheat_sheet_has_every_way_to_grow():
    shown = "\n".join(code for _, code in BLOCK.findall(SHEET))
    assert SHEET.count("```{code-block}") == len(BLOCKS)
    ways = "net2wider_net net2deeper_net grow_into grow_and_fit extend channel_groups growth function_gap use_rates"
    assert [name for name in ways.split() if f"{name}(" not in shown] == []


def test_the_cheat_sheet_names_arguments_and_defaults_that_there_are():
    said = re.findall(r"`(\w+)=([^`]+)`", SHEET)
    takes = inspect.signature(helpers.net2wider_net).parameters | inspect.signature(helpers.grow_and_fit).parameters
    assert {name for name, _ in said} - set(takes) == set()
    for name, value in (("split", "noise"), ("optimizer", "carry"), ("strict", False), ("round_to", 1)):
        assert takes[name].default == value
    assert {("split", '"noise"'), ("optimizer", '"carry"')} <= set(said)


@pytest.mark.parametrize("code", ["student = net2wide_net(teacher, 2)", "student = net2wider_net(teacher, 2, sede=0)"])
def test_a_misspelt_call_is_noticed(code, desk):
    with pytest.raises((NameError, TypeError)):
        wrong_students(code, desk)


def test_a_student_that_is_another_function_is_noticed(desk):
    padded = 'student = net2wider_net(teacher, 2, init="randompad")'
    assert wrong_students(f"student = net2wider_net(teacher, 2)\n{padded}", desk) == [padded.replace('"', "'")]


@pytest.mark.browser
@pytest.mark.parametrize("paper", ["A4", "Letter"])
def test_the_cheat_sheet_is_printed_on_one_sheet(browser, html, paper):
    with serve(html) as address, Visit(browser, address, "book/cheat_sheet") as visit:

        def sheets():
            margins = dict.fromkeys(("top", "right", "bottom", "left"), "10mm")
            return len(re.findall(rb"/Type\s*/Page\b", visit.page.pdf(format=paper, margin=margins)))

        assert sheets() == 1
        visit.page.emulate_media(media="print")
        for place in ("h1", "section:last-child"):
            assert visit.page.locator(f".sheet > {place}").is_visible()
        assert not visit.page.locator("#jb-print-docs-body").is_visible()
        visit.page.emulate_media(media=None)
        visit.page.add_style_tag(content=".bd-article .sheet { columns: 1 !important; }")
        assert sheets() > 1, "pages are counted"


WRAPPED = """() => [...document.querySelectorAll('.sheet pre')].filter(pre => {
    const { lineHeight, paddingTop, paddingBottom } = getComputedStyle(pre);
    const height = pre.clientHeight - parseFloat(paddingTop) - parseFloat(paddingBottom);
    return height > (pre.textContent.trimEnd().split('\\n').length + 0.5) * parseFloat(lineHeight);
}).map(pre => pre.textContent)"""


@pytest.mark.browser
@pytest.mark.parametrize(("width", "columns"), [(1280, 2), (360, 1)])
def test_the_cheat_sheet_has_two_columns_at_a_desk_and_whole_lines_of_code(browser, html, width, columns):
    with serve(html) as address, Visit(browser, address, "book/cheat_sheet", width) as visit:
        visit.show_all()
        lefts = visit.page.locator(".sheet > section").evaluate_all("all => all.map(e => e.getBoundingClientRect().x)")
        assert len(set(lefts)) == columns
        assert visit.page.evaluate(WRAPPED) == []
        visit.page.add_style_tag(content=".sheet pre { font-size: 20px !important; }")
        assert visit.page.evaluate(WRAPPED) != []

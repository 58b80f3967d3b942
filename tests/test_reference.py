"""The reference on the built pages: whole, linked from the chapters, found by the search."""

import importlib
from urllib.parse import quote

import pytest
import trust
from address import ROOT
from docutils.nodes import make_id
from sphinx.util.inventory import InventoryFile
from test_pages import Visit, read, serve

import helpers

PARTS = ("data", "experiments", "explore", "lab", "measures", "networks", "plots", "studies", "tasks")
STUDY = ("costs", "language", "optimizer_state", "recorder", "states", "trajectories", "updates")
ROOMS = ("helpers", *(f"helpers.{part}" for part in PARTS), *(f"helpers.study.{part}" for part in STUDY))


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

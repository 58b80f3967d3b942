"""What leads readers to a page, and what a page says of itself at its foot."""

import datetime
import importlib.metadata
import platform
import re
from urllib.parse import urljoin, urlsplit

import address
import pytest
import toc
import yaml
from test_pages import Visit, read

BASE = address.pages(address.repository())


def text_of(path):
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", toc.documents())
def test_a_page_names_its_address_and_has_a_preview(html, name):
    page = text_of(html / f"{name}.html")
    assert re.findall(r'<link rel="canonical" href="(.*?)"', page) == [f"{BASE}{name}.html"]
    preview = dict(re.findall(r'<meta property="(og:[\w:]+)" content="(.*?)"', page))
    assert preview["og:url"] == f"{BASE}{name}.html"
    assert preview["og:title"]
    assert (html / preview["og:image"].removeprefix(BASE)).is_file()


def test_sitemap_names_every_page_of_the_contents(html):
    named = re.findall("<loc>(.*?)</loc>", text_of(html / "sitemap.xml"))
    assert sorted(named) == sorted(f"{BASE}{name}.html" for name in toc.documents())


def test_page_for_lost_readers_stands_alone_and_leads_back(html):
    page = read(html / "404.html")
    assert page.loads == []
    targets = [*page.links, *re.findall(r'<form action="(.*?)"', text_of(html / "404.html"))]
    root = urlsplit(BASE).path
    assert all(target.startswith(root) and (html / target.removeprefix(root)).is_file() for target in targets)
    assert urljoin(root, "book/index.html") in targets


@pytest.mark.browser
@pytest.mark.parametrize("old", toc.moved())
def test_an_old_address_leads_to_the_same_place_of_the_page(html, browser, old):
    assert old not in toc.documents()
    page = browser.new_page()
    page.goto((html / f"{old}.html").as_uri() + "#summary")
    page.wait_for_url((html / "book" / toc.moved()[old]).as_uri() + "#summary")
    assert page.locator("#summary").count() == 1
    page.close()


@pytest.mark.parametrize("name", [path.stem for path in toc.chapters()])
def test_foot_of_a_chapter_says_when_and_on_what_it_ran(html, name):
    (foot,) = re.findall(r'<aside class="chapter-foot".*?</aside>', text_of(html / "book" / f"{name}.html"), re.DOTALL)
    day, seconds = re.search(r"Executed on (\d+ \w+ \d{4}) in (\d+) seconds", foot).groups()
    today = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    assert datetime.timedelta(0) <= today - datetime.datetime.strptime(day, "%d %B %Y") < datetime.timedelta(days=60)
    assert int(seconds) > 0
    versions = [("Python", platform.python_version())]
    versions += [(package, importlib.metadata.version(package.lower())) for package in ("Keras", "TensorFlow", "NumPy")]
    assert [f"{one} {version}" for one, version in versions if f"{one} {version}" not in foot] == []
    assert f"{BASE}book/{name}.html" in foot


def test_every_page_says_the_version(html):
    version = yaml.safe_load(text_of(address.ROOT / "CITATION.cff"))["version"]
    silent = [name for name in toc.documents() if f"Version {version}." not in text_of(html / f"{name}.html")]
    assert silent == []


def test_execution_table_holds_every_chapter(html):
    table = text_of(html / "book" / "execution.html")
    assert [path.stem for path in toc.chapters() if f'href="{path.stem}.html"' not in table.split("<article")[1]] == []


@pytest.mark.browser
def test_print_shows_the_solutions_and_no_buttons(browser, html):
    with Visit(browser, html.resolve().as_uri() + "/", "book/01_why_net2net") as visit:
        visit.page.emulate_media(media="print")
        hidden = visit.page.locator("article .solution p:not(.admonition-title)")
        assert hidden.count()
        assert all(hidden.nth(n).is_visible() for n in range(hidden.count()))
        assert not visit.page.locator("article .copybtn:visible, article .headerlink:visible").count()

"""The whole book as one page, before Chromium prints it: complete, and with links that lead somewhere."""

import printed
import pytest
import toc
from bs4 import BeautifulSoup


@pytest.fixture(scope="module")
def together(html):
    return BeautifulSoup(printed.one_page(html), "html.parser")


def test_every_page_is_there_in_order(together):
    assert [article["id"] for article in together.select("article")] == [f"{name}.html" for name in toc.documents()]
    assert not together.select("script, a.headerlink")


def test_links_lead_to_a_place_in_the_book_or_out_of_it(together):
    places = [tag["id"] for tag in together.select("article, article [id]") if not tag.find_parent("svg")]
    inside = [link["href"] for link in together.select("a[href]") if link["href"].startswith("#")]
    assert len(inside) > 500
    assert [link for link in inside if link.removeprefix("#") not in set(places)] == []
    out = {link["href"] for link in together.select("a[href]")} - set(inside)
    assert [link for link in out if not link.startswith(("https://", "http://"))] == []


def test_pictures_and_styles_stand_where_they_are_named(together, html):
    named = [tag.get("src") or tag["href"] for tag in together.select("article [src], link")]
    files = [one.partition("?")[0] for one in named if not one.startswith("data:")]
    assert len(files) > 20
    assert [one for one in files if not (html.parent / one).is_file()] == []
    elements = together.find_all(lambda tag: tag.name.startswith("net2net-"))
    assert elements
    assert all(element.select("img[src]") for element in elements)


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ("#here", "#book/a.html:here"),
        ("b.html", "#book/b.html"),
        ("api/c.html#there", "#book/api/c.html:there"),
        ("../genindex.html", "https://o.github.io/n/genindex.html"),
        ("https://keras.io/x#y", "https://keras.io/x#y"),
    ],
)
def test_a_link_leads_within_the_one_page(link, leads):
    pages = ["book/a.html", "book/b.html", "book/api/c.html"]
    assert printed.within(link, "book/a.html", pages, "https://o.github.io/n/") == leads

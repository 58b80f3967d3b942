"""The cards of links: what `_ext/cards.py` writes into the pages, and when cards.js shows it."""

import re

import cards
import pytest
import toc
from test_pages import WIDTHS, Visit, barriers

GLOSSARY = """<dl class="glossary"><dt id="term-unit">unit<a class="headerlink" href="#term-unit">#</a></dt>
<dd><p>An output, see <a class="reference internal" href="02.html#x" id="id1"><em>there</em></a>.</p>
<p>More.</p></dd></dl>"""
WORKS = """<div class="citation" id="id7"><span class="label">[A]</span><p>Anna Author. A work. 2016.</p></div>"""
NAMES = """<dl><dt class="sig" id="helpers.f"><span>f(x)</span></dt><dd><p>Grow &lt;it&gt;.</p></dd>
<dt class="sig" id="helpers.g">g</dt><dd></dd></dl>"""
UNIT = "<b>unit</b><p>An output, see <em>there</em>.</p>"


@pytest.fixture
def known(tmp_path):
    (tmp_path / "book" / "api").mkdir(parents=True)
    for name, text in {"glossary": GLOSSARY, "bibliography": WORKS, "api/a": NAMES}.items():
        (tmp_path / "book" / f"{name}.html").write_text(text, encoding="utf-8")
    return cards.collect(tmp_path)


def test_cards_hold_the_first_paragraph_without_links(known):
    assert known == {
        "book/glossary.html": {"term-unit": UNIT},
        "book/bibliography.html": {"id7": "<p>Anna Author. A work. 2016.</p>"},
        "book/api/a.html": {"helpers.f": "<b>helpers.f</b><p>Grow &lt;it&gt;.</p>"},
    }


@pytest.mark.parametrize(
    ("page", "link", "card"),
    [
        ("book/a.html", "glossary.html#term-unit", UNIT),
        ("book/api/b.html", "../glossary.html#term-unit", UNIT),
        ("book/a.html", "glossary.html#term-gone", None),
        ("book/a.html", "02.html#term-unit", None),
        ("book/glossary.html", "#term-unit", None),  # it stands on the page itself
    ],
)
def test_a_page_holds_the_cards_of_its_own_links_once(known, page, link, card):
    text = 2 * f'<a class="reference internal" href="{link}">unit</a>'
    assert cards.of_page(text, page, known) == (f'<div data-of="{link}">{card}</div>' if card else "")


@pytest.mark.parametrize("name", toc.documents())
def test_every_term_work_and_name_that_a_page_links_has_a_card(html, name):
    page = (html / f"{name}.html").read_text(encoding="utf-8")
    links = re.findall(
        r'<a class="reference internal" href="([^"]*(?:glossary\.html#term-|bibliography\.html#id)[^"]*)"', page
    )
    assert set(links) <= set(re.findall('<div data-of="(.*?)">', page))


@pytest.fixture
def base(html):
    return f"{html.resolve().as_uri()}/"


@pytest.mark.browser
def test_a_card_is_shown_where_a_link_is_pointed_at_or_focused(browser, base):
    with Visit(browser, base, "book/01_why_net2net") as visit:
        page, card = visit.page, visit.page.locator("#card")
        term, work = (page.locator(f"article a[href*='{it}']").first for it in ("#term-", "bibliography.html#"))
        term.hover()
        card.wait_for(state="visible")
        assert card.inner_text().startswith(term.inner_text()[:4])
        assert term.get_attribute("aria-describedby") == "card"
        assert barriers(page, "#card") == []
        card.hover()
        page.wait_for_timeout(400)
        assert card.is_visible(), "it stays while the mouse is on it"
        page.keyboard.press("Escape")
        assert not card.is_visible()
        page.evaluate("document.querySelector(\"article a[href*='bibliography.html#']\").focus({ focusVisible: true })")
        assert card.is_visible()
        assert re.search(r"\d{4}", card.inner_text())
        assert not work.get_attribute("title"), "no second card of the browser's own"
        page.keyboard.press("Shift+Tab")
        assert page.evaluate("document.activeElement.getAttribute('aria-describedby') === 'card'") == card.is_visible()
        page.mouse.click(2, 400)
        assert not card.is_visible()
        assert visit.errors == visit.foreign == []


@pytest.mark.browser
def test_on_a_phone_the_first_tap_shows_the_card_and_the_second_follows(browser, base):
    with Visit(browser, base, "book/01_why_net2net", WIDTHS["phone"], "dark", has_touch=True) as visit:
        page, card = visit.page, visit.page.locator("#card")
        links = page.locator("article a[href*='#term-']")
        for link in links.all()[:4]:
            link.tap()
            box = card.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= WIDTHS["phone"]
            assert page.url.endswith("01_why_net2net.html")
        target = link.get_attribute("href")
        link.tap()
        page.wait_for_url(f"**/{target}")
        assert visit.errors == visit.foreign == []

"""The content security policy of the pages: on all of them, kept while controls are moved, stopping what it should."""

import re
from html.parser import HTMLParser

import closed
import pytest
from test_pages import Visit, serve

# One page for each thing that a page of the book may hold.
KINDS = {
    "widening": "book/index",
    "deepening": "book/03_net2deepernet",
    "lab": "book/lab",
    "races": "book/10_is_it_effective",
    "mathematics": "book/04_mathematics",
    "map": "book/path",
    "reference": "book/api/net2net",
    "source": "_modules/helpers/weights",
    "search": "search",
    "index": "genindex",
    "lost": "404",
}


class Tags(HTMLParser):
    """The tags of a page in order, with their attributes."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def policy_of(text):
    """Return a page's policy, which must stand before all that could load anything."""
    first = next(one for one in Tags(text).tags if one[0] not in ("html", "head") and "charset" not in one[1])
    assert first[0] == "meta"
    assert first[1].get("http-equiv") == "Content-Security-Policy"
    return first[1]["content"]


def test_every_page_has_its_policy_first(html):
    pages = [path for path in html.rglob("*.html") if html / "_static" not in path.parents]
    assert len(pages) > 20
    texts = {path: path.read_text(encoding="utf-8") for path in pages}
    known = closed.handlers(texts.values())
    assert known
    for path, text in texts.items():
        assert policy_of(text) == closed.policy(text, known), path.name
        assert not re.search(r"https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline", policy_of(text)), path.name


def test_policy_names_the_scripts_in_the_text_and_no_other():
    # the hash of alert(1), as `openssl dgst -sha256 -binary | base64` gives it
    known = "'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"
    assert known in closed.policy("<script>alert(1)</script>", [])
    assert known in closed.policy('<p>a</p><script data-x="y">alert(1)</script>', [])
    assert closed.handlers(['<button onclick="alert(1)">', "<p>"]) == [known]
    assert closed.handlers(['<button title="c" onclick="a(&#39;b&#39;)">']) == [closed.hashed("a('b')")]
    assert f"'unsafe-hashes' {known};" in closed.policy("<p>", [known])
    for harmless in ('<script src="a.js"></script>', "<p>onclick=alert(1)</p>", "&lt;script>alert(1)&lt;/script>"):
        assert "sha256" not in closed.policy(harmless, closed.handlers([harmless]))


# Moves every control there is, in the page and in the shadows of its elements; gives their number.
MOVE = """() => {
    const inside = root => [...root.querySelectorAll('*')].flatMap(
        e => e.shadowRoot ? [e, ...inside(e.shadowRoot)] : [e]);
    const tell = e => ['input', 'change'].forEach(kind => e.dispatchEvent(new Event(kind, {bubbles: true})));
    let moved = 0;
    for (const e of inside(document)) {
        if (e.matches('input[type=range], input[type=number]'))
            for (const value of [e.max, e.min]) { e.value = value; tell(e); moved++; }
        else if (e.matches('select'))
            for (const option of e.options) { e.value = option.value; tell(e); moved++; }
        else if (e.matches('summary, input[type=checkbox], input[type=radio], button:not(form button)')) {
            e.click();
            moved++;
        }
    }
    return moved;
}"""


@pytest.fixture(params=["site", "file"])
def base(request, html):
    """The address that the pages begin with, on a server and as files."""
    with serve(html) as site:
        yield site if request.param == "site" else f"{html.resolve().as_uri()}/"


@pytest.mark.browser
@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_no_control_breaks_the_policy(browser, base, name):
    with Visit(browser, base, name) as visit:
        moved = visit.page.evaluate(MOVE)
        assert moved or name == "404"
        visit.page.keyboard.press("Control+k")  # opens the search
        visit.page.wait_for_timeout(1000)  # what is loaded later: the lab's digits, styles of formulas
        visit.settle()
        assert visit.foreign == []
        assert [error for error in visit.errors if "Content Security Policy" in error] == []


@pytest.mark.browser
def test_a_search_finds(browser, base):
    with Visit(browser, base, "book/path") as visit:
        page = visit.page
        page.keyboard.press("Control+k")
        page.locator("input[type=search]:visible").fill("mapping")
        page.keyboard.press("Enter")
        page.locator("#search-results li a").first.wait_for()
        if visit.base.startswith("http"):  # it may not read other files
            page.locator("#search-results p.context").first.wait_for()
        visit.settle()
        assert [error for error in visit.errors if "Content Security Policy" in error] == []


PLANTED = """<script>window.planted = ["text"];</script>
<script src="http://planted.example/a.js"></script>
<link rel="stylesheet" href="http://planted.example/a.css">
</head><img src="http://planted.example/a.png" alt="" onerror="planted.push('handler')">
<iframe src="http://planted.example/a.html"></iframe>"""


@pytest.mark.browser
@pytest.mark.parametrize("where", ["site", "file"])
@pytest.mark.parametrize("kept", [True, False], ids=["policy", "none"])
def test_what_is_planted_is_stopped(browser, html, tmp_path, where, kept):
    """By the policy, and by nothing else: without it, the same page runs the script and asks the other host."""
    (tmp_path / "_static").symlink_to((html / "_static").resolve())
    (tmp_path / "book").mkdir()
    text = (html / "book" / "path.html").read_text(encoding="utf-8").replace("</head>", PLANTED, 1)
    if not kept:
        text = re.sub("<meta http-equiv[^>]*>", "", text)
    (tmp_path / "book" / "path.html").write_text(text, encoding="utf-8")
    with (
        serve(tmp_path) as site,
        Visit(browser, site if where == "site" else f"{tmp_path.resolve().as_uri()}/", "book/path") as visit,
    ):
        ran = visit.page.evaluate("window.planted")
        stopped = [error for error in visit.errors if "Content Security Policy" in error]
        if kept:
            assert visit.foreign == []
            assert ran is None
            assert len(stopped) >= 5
        else:
            assert {url.rpartition(".")[2] for url in visit.foreign} == {"js", "css", "png", "html"}
            assert ran == ["text", "handler"]
            assert stopped == []

"""The built pages, as files and in a browser: links, pictures, foreign hosts, errors, sideways scrolling."""

import contextlib
import functools
import http.server
import threading
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest
import toc
import trust

PAGES = [*toc.documents(), "search", "genindex", "py-modindex", "_modules/helpers/weights"]
WIDTHS = {"wide": 1280, "phone": 360}

# ------------------------------------------------------------------ as files


class Page(HTMLParser):
    """What a page's text says it links to, loads and shows."""

    LOADING = frozenset({"script", "img", "iframe", "source", "audio", "video"})

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads, self.undescribed = set(), [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if tag == "link" and given.get("rel") not in (
            "canonical",
            "author",
            "search",
            "index",
            "next",
            "prev",
        ):
            self.loads.append(given.get("href", ""))
        if tag in self.LOADING and given.get("src"):
            self.loads.append(given["src"])
        if tag == "img" and not (given.get("alt") or "").strip():
            self.undescribed.append(given.get("src", "")[:80])

    handle_startendtag = handle_starttag


@functools.cache
def read(path):
    return Page(path)


@pytest.fixture(params=PAGES)
def page_file(request, html):
    return html / f"{request.param}.html"


def test_every_internal_link_and_anchor_resolves(page_file, html):
    broken = []
    for link in read(page_file).links:
        address = urlsplit(link)
        if address.scheme or address.netloc:
            continue
        target = (page_file.parent / unquote(address.path)).resolve() if address.path else page_file
        found = target.is_file() and html.resolve() in target.parents
        if found and target.suffix == ".html" and address.fragment:
            found = unquote(address.fragment) in read(target).anchors
        if not found:
            broken.append(link)
    assert broken == []


def test_page_loads_only_files_that_stand_beside_it(page_file):
    wrong = []
    for load in read(page_file).loads:
        address = urlsplit(load)
        foreign = address.scheme not in ("", "data") or address.netloc
        if foreign or (not address.scheme and not (page_file.parent / unquote(address.path)).is_file()):
            wrong.append(load)
    assert wrong == []


def test_every_picture_is_described(page_file):
    assert read(page_file).undescribed == []


@pytest.mark.parametrize("name", toc.documents())
def test_pictures_and_headings_serve_those_who_do_not_see(html, name):
    page = (html / f"{name}.html").read_text(encoding="utf-8")
    assert trust.alt_faults(page) == []
    assert trust.heading_faults(page) == []


FIGURE = """<article><h1>A</h1><h2>B</h2><h3>C</h3><h2>D</h2><figure><img alt="Two curves, of which the blue one rises"
src="_images/a.png"><figcaption><p>Accuracy by epoch, for teacher and student.</p></figcaption></figure></article>"""


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Two curves, of which the blue one rises", "", "got 0"),
        ("Two curves, of which the blue one rises", "A plot", "got 6"),
        ("Two curves, of which the blue one rises", "Two curves. " * 40, "got 480"),
        ("Two curves, of which the blue one rises", "Accuracy by epoch, for teacher and student", "caption"),
        ("Two curves, of which the blue one rises", "_images/learning_curves_of_two.png", "file's name"),
        ("h3", "h4", "h4 follows h2"),
        ("h1", "h2", "one h1"),
        ("<h3>C</h3>", "<h1>C</h1>", "one h1"),
    ],
)
def test_faults_of_pictures_and_headings_are_noticed(old, new, fault):
    def faults(page):
        return trust.alt_faults(page) + trust.heading_faults(page)

    assert faults(FIGURE) == []
    assert fault in "\n".join(faults(FIGURE.replace(old, new)))


def test_first_page_leads_to_the_book(html):
    assert "book/index.html" in (html / "index.html").read_text(encoding="utf-8")


# ------------------------------------------------------------------ in a browser


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextlib.contextmanager
def serve(folder):
    """Serve a folder from this machine; gives the address that its files begin with."""
    handler = functools.partial(Quiet, directory=str(folder.resolve()))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture(scope="session")
def site(html):
    with serve(html) as address:
        yield address


class Visit:
    """One page opened in a fresh tab, and all that went wrong there."""

    def __init__(self, browser, base, name, width=1280, scheme="light", **options):
        self.context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, **options)
        self.context.set_default_timeout(120_000)  # milliseconds; a busy machine is no fault of the page
        self.base, self.errors, self.foreign = base, [], []
        self.context.route("**/*", self._judge)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("requestfailed", lambda request: self.errors.append(f"failed: {request.url}"))
        self.page.on("response", self._check_status)
        self.page.goto(f"{base}{name}.html", wait_until="load")
        self.page.wait_for_load_state("networkidle")

    def _judge(self, route):
        if route.request.url.startswith((self.base, "data:", "blob:")):
            route.continue_()
        else:
            self.foreign.append(route.request.url)
            route.abort()

    def _check_status(self, response):
        if response.status >= 400:
            self.errors.append(f"{response.status}: {response.url}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


TOO_WIDE = """() => {
    const wide = document.documentElement.clientWidth;
    const scrolls = element => {
        for (let box = element.parentElement; box && box !== document.body; box = box.parentElement)
            if (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(box).overflowX)
                && box.getBoundingClientRect().right <= wide + 1) return true;
        return false;
    };
    return [...document.querySelectorAll('article *')]
        .filter(e => e.getBoundingClientRect().right > wide + 1 && e.getClientRects().length && !scrolls(e))
        .map(e => `${e.tagName}.${e.className} ends at ${Math.round(e.getBoundingClientRect().right)}`)
        .slice(0, 5);
}"""


@pytest.mark.browser
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("name", PAGES)
def test_page_in_a_browser(browser, site, name, width):
    with Visit(browser, site, name, width) as visit:
        assert visit.foreign == [], "requests to other hosts"
        assert visit.errors == []
        page = visit.page
        # Pictures far below wait until they come near.
        page.evaluate("Promise.allSettled([...document.images].map(i => { i.loading = 'eager'; return i.decode(); }))")
        assert page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)") == []
        assert page.evaluate("[...document.images].filter(i => !i.alt.trim()).map(i => i.src)") == []
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        assert page.evaluate(TOO_WIDE) == [], "parts of the page stick out of the window"


@pytest.mark.browser
@pytest.mark.parametrize("name", toc.documents())
def test_page_opens_from_a_file(browser, html, name):
    with Visit(browser, html.resolve().as_uri() + "/", name) as visit:
        assert visit.foreign == []
        assert visit.errors == []


@pytest.mark.browser
def test_dark_mode_is_readable(browser, site):
    """Text and ground differ enough in either mode; one page stands for all, since all share one style."""
    for scheme in ("light", "dark"):
        with Visit(browser, site, toc.documents()[1], scheme=scheme) as visit:
            visit.page.evaluate(f"document.documentElement.dataset.theme = '{scheme}'")
            colors = visit.page.evaluate(
                """() => [...document.querySelectorAll('article :is(p, a, th, pre span)')].map(e => {
                    let box = e, ground;
                    for (; box; box = box.parentElement) {
                        ground = getComputedStyle(box).backgroundColor;
                        if (!/, 0\\)$|transparent/.test(ground)) break;
                    }
                    return [getComputedStyle(e).color, ground, e.textContent.slice(0, 40)];
                })"""
            )
            faint = [(text, front, back) for front, back, text in colors if contrast(front, back) < 4.5]
            assert faint == [], scheme


def contrast(front, back):
    """Return the contrast ratio of two CSS colors as WCAG 2 defines it, or infinity for a translucent one."""

    def luminance(color):
        numbers = [float(part) for part in color[color.index("(") + 1 : -1].replace("/", ",").split(",")]
        if len(numbers) == 4 and numbers[3] < 1:
            return None
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (n / 255 for n in numbers[:3])]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    if not front.startswith("rgb") or not back.startswith("rgb"):
        return float("inf")
    lights = [luminance(front), luminance(back)]
    if None in lights:
        return float("inf")
    return (max(lights) + 0.05) / (min(lights) + 0.05)

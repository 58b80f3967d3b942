"""The built pages, as files and in a browser: links, pictures, foreign hosts, errors, sideways scrolling."""

import contextlib
import functools
import http.server
import threading
import time
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


def broken_links(page, html):
    """Return the links to places in the book that are not there."""
    broken = []
    for link in read(page).links:
        address = urlsplit(link)
        if address.scheme or address.netloc:
            continue
        target = (page.parent / unquote(address.path)).resolve() if address.path else page
        found = target.is_file() and html.resolve() in target.parents
        if found and target.suffix == ".html" and address.fragment:
            found = unquote(address.fragment) in read(target).anchors
        if not found:
            broken.append(link)
    return broken


def wrong_loads(page):
    """Return what a page loads that does not stand beside it."""
    wrong = []
    for load in read(page).loads:
        address = urlsplit(load)
        foreign = address.scheme not in ("", "data") or address.netloc
        if foreign or (not address.scheme and not (page.parent / unquote(address.path)).is_file()):
            wrong.append(load)
    return wrong


def test_every_internal_link_and_anchor_resolves(page_file, html):
    assert broken_links(page_file, html) == []


def test_page_loads_only_files_that_stand_beside_it(page_file):
    assert wrong_loads(page_file) == []


def test_every_picture_is_described(page_file):
    assert read(page_file).undescribed == []


def test_a_broken_link_a_foreign_file_and_a_picture_without_words_are_noticed(tmp_path):
    sound = '<a href="b.html#there">b</a><a href="#here" id="here">a</a><a href="https://a.example/x">out</a>'
    planted = {
        "links": '<a href="c.html">c</a><a href="b.html#gone">b</a><a href="#gone">a</a><a href="../up.html">up</a>',
        "loads": '<script src="https://a.example/a.js"></script><link href="gone.css"><img src="gone.png">',
    }
    html = tmp_path / "html"
    html.mkdir()
    (html / "b.html").write_text('<p id="there">b</p>')
    (tmp_path / "up.html").write_text("outside of the book")
    (html / "sound.html").write_text(sound)
    (html / "faulty.html").write_text(sound + "".join(planted.values()))
    assert broken_links(html / "sound.html", html) == wrong_loads(html / "sound.html") == []
    assert broken_links(html / "faulty.html", html) == ["c.html", "b.html#gone", "#gone", "../up.html"]
    assert wrong_loads(html / "faulty.html") == ["https://a.example/a.js", "gone.css", "gone.png"]
    assert read(html / "faulty.html").undescribed == ["gone.png"]


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
def serve(folder, handler=Quiet):
    """Serve a folder from this machine; gives the address that its files begin with."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(handler, directory=str(folder.resolve()))
    )
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
        self.base, self.errors, self.foreign, self.loading = base, [], [], set()
        self.scripts = options.get("java_script_enabled", True)
        self.page = self.context.new_page()
        self.page.on("console", lambda said: self.errors.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", self._check_status)
        self.page.on("request", lambda request: self.loading.add(request))
        for end in ("requestfinished", "requestfailed"):
            self.page.on(end, self._judge)
        self.page.goto(f"{base}{name}.html", wait_until="load")
        self.settle()

    def settle(self, seconds=120):
        """Wait until nothing is on its way to the page and its scripts have nothing left to do.

        Playwright's own "networkidle" may never come to a page that is slow to parse
        (github.com/microsoft/playwright/issues/42598), and takes half a second for it on any other.
        """
        end = time.monotonic() + seconds
        while self._is_busy():
            if time.monotonic() > end:
                pytest.fail(f"after {seconds} s still loading: {[request.url for request in self.loading]}")
            self.page.wait_for_timeout(10)

    def _is_busy(self):
        if self.scripts:
            self.page.evaluate("new Promise((done) => requestIdleCallback(done, { timeout: 1000 }))")
        return bool(self.loading)

    def show_all(self):
        """Have all of the page laid out, as it is when a reader has seen all of it; a phone skips what is far below."""
        self.page.add_style_tag(content="* { content-visibility: visible !important; }")
        self.page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")

    def _judge(self, request):
        self.loading.discard(request)
        if request.failure:
            self.errors.append(f"failed: {request.url}")
        # What the page's own policy stops is asked of nobody. No name is found but this machine's; see conftest.py.
        if not request.url.startswith((self.base, "data:", "blob:")) and request.failure != "csp":
            self.foreign.append(request.url)

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


def faults_of(visit):
    """Return what is wrong with a page in the browser, in words."""
    page = visit.page
    visit.show_all()
    # Pictures far below wait until they come near.
    page.evaluate("Promise.allSettled([...document.images].map(i => { i.loading = 'eager'; return i.decode(); }))")
    unseen = page.evaluate("[...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    untold = page.evaluate("[...document.images].filter(i => !i.alt.trim()).map(i => i.src)")
    sideways = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [
        *(f"another host is asked: {url}" for url in visit.foreign),
        *(f"an error: {error}" for error in visit.errors),
        *(f"a picture is not shown: {source}" for source in unseen),
        *(f"a picture has no words: {source}" for source in untold),
        *([f"the page is {sideways} pixels too wide"] if sideways > 0 else []),
        *(f"sticks out of the window: {part}" for part in page.evaluate(TOO_WIDE)),
    ]


def barriers(page, part=None):
    """Return what axe-core has against a page, or a part of it.

    Without preloading: from file:// it may not fetch the style sheets a second time, and would be an error. Without all
    that is as it should be: to tell of megabytes of it takes longer than to find what is not.
    """
    from axe_playwright_python.sync_playwright import Axe

    options = {"preload": False, "resultTypes": ["violations"]}
    found = Axe().run(page, context=part, options=options).response["violations"]
    return [f"{fault['id']}: {node['html'][:120]}" for fault in found for node in fault["nodes"]]


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_page_in_a_browser(browser, site, name):
    with Visit(browser, site, name, WIDTHS["wide"]) as visit:
        assert faults_of(visit) == []
        assert barriers(visit.page) == []


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_page_on_a_phone_and_from_a_file(browser, html, name):
    with Visit(browser, f"{html.resolve().as_uri()}/", name, WIDTHS["phone"]) as visit:
        assert faults_of(visit) == []


@pytest.mark.browser
@pytest.mark.parametrize(
    ("planted", "fault"),
    [
        ("", None),
        ('<img src="http://a.example/a.png" alt="A picture">', "another host is asked: http://a.example/a.png"),
        ('<script src="gone.js"></script>', "an error: 404"),
        ("<script>undefined.here</script>", "an error: Cannot read properties of undefined"),
        ('<img src="data:image/png;base64,AAAA" alt="A picture">', "a picture is not shown: data:image/png"),
        ('<img src="data:image/png;base64,AAAA" alt=" ">', "a picture has no words: data:image/png"),
        ('<p style="width: 400px">wide</p>', "the page is 4"),
        ('<p style="content-visibility: auto"><b style="display: block; width: 400px">wide</b></p>', "the page is 4"),
        ('<p style="margin-left: -9px; width: 370px">wide</p>', "sticks out of the window: P"),
    ],
)
def test_a_fault_in_the_browser_is_noticed(browser, tmp_path, planted, fault):
    page = f'<!doctype html><link rel="icon" href="data:,"><article>{planted}</article>'
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with serve(tmp_path) as site, Visit(browser, site, "page", 360) as visit:
        found = faults_of(visit)
        assert any(one.startswith(fault) for one in found) if fault else found == []


@pytest.mark.browser
def test_what_comes_late_is_waited_for_and_named_if_it_does_not_come(browser, tmp_path):
    asked, answer = threading.Event(), threading.Event()

    class Slow(Quiet):
        def do_GET(self):
            if self.path == "/late.js":
                asked.set()
                answer.wait(10)
            super().do_GET()

    (tmp_path / "page.html").write_text('<!doctype html><link rel="icon" href="data:,"><p>page', encoding="utf-8")
    with serve(tmp_path, Slow) as site, Visit(browser, site, "page") as visit:
        visit.page.evaluate("void setTimeout(() => fetch('late.js'))")
        with pytest.raises(pytest.fail.Exception, match=r"after 0\.5 s still loading: \['http.*/late\.js'\]"):
            visit.settle(seconds=0.5)
        assert asked.is_set()
        assert visit.errors == []
        answer.set()
        visit.settle()
        assert f"404: {site}late.js" in visit.errors


@pytest.mark.browser
def test_a_barrier_is_noticed(browser, tmp_path):
    page = '<!doctype html><html lang="en"><title>A</title><main><h1>A</h1>{}</main>'
    (tmp_path / "sound.html").write_text(page.format("<p>black</p>"), encoding="utf-8")
    (tmp_path / "faulty.html").write_text(page.format('<p style="color: #ddd">faint</p>'), encoding="utf-8")
    with Visit(browser, f"{tmp_path.as_uri()}/", "sound") as visit:
        assert barriers(visit.page) == []
    with Visit(browser, f"{tmp_path.as_uri()}/", "faulty") as visit:
        assert barriers(visit.page) == ['color-contrast: <p style="color: #ddd">faint</p>']


# Code that is cut off, and copy buttons that lie on it.
HARD_TO_READ = """() => {
    const seen = e => e.getClientRects().length;
    const cut = [...document.querySelectorAll('article .cell_input pre')]
        .filter(e => seen(e) && e.scrollWidth > e.clientWidth);
    const meets = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
    const on = [...document.querySelectorAll('article .copybtn')].filter(seen).filter(button => {
        const code = document.createRange();
        code.selectNodeContents(button.parentElement.querySelector('pre'));
        return [...code.getClientRects()].some(line => line.width && meets(line, button.getBoundingClientRect()));
    });
    const told = (fault, boxes) => boxes.map(e => `${fault}: ${e.textContent.slice(0, 40)}`);
    return [...told('cut', cut), ...told('covered', on.map(e => e.parentElement))];
}"""


@pytest.mark.browser
def test_code_fits_a_phone_and_its_button_lies_beside_it(browser, site):
    with Visit(browser, site, "book/03_net2deepernet", WIDTHS["phone"]) as visit:
        visit.show_all()
        assert visit.page.evaluate(HARD_TO_READ) == []
        assert visit.page.locator("article .cell_input pre:visible").count() > 30
        visit.page.add_style_tag(
            content="article pre { white-space: pre !important; } article pre::before { float: none !important; }"
        )
        faults = visit.page.evaluate(HARD_TO_READ)
        assert {fault.partition(":")[0] for fault in faults} == {"cut", "covered"}


@pytest.mark.browser
def test_set_up_and_drawing_calls_are_folded_and_say_so(browser, html):
    with Visit(browser, f"{html.resolve().as_uri()}/", "book/02_net2widernet", WIDTHS["phone"]) as visit:
        folded = visit.page.locator("article details.hide")
        assert [fold.inner_text() for fold in folded.all()][:2] == [
            "Show the set-up: imports and style",
            "Show the code",
        ]
        assert "import keras" in folded.first.text_content()
        assert not folded.first.locator("pre").is_visible()
        folded.first.locator("summary").focus()
        visit.page.keyboard.press("Enter")
        assert folded.first.locator("pre").is_visible()
        assert folded.first.locator("summary").inner_text() == "Hide the set-up"


@pytest.mark.browser
def test_on_a_phone_what_scrolls_has_a_shade_and_is_reached_by_keyboard_when_it_comes_near(browser, site):
    with Visit(browser, site, "book/10_is_it_effective", WIDTHS["phone"]) as visit:
        boxes = visit.page.locator(".cell_output .text_html:has(table)")
        table = boxes.last
        assert table.get_attribute("tabindex") is None, "what is far below is not asked"
        table.locator("xpath=ancestor::details").locator("summary").click()
        visit.page.wait_for_function(
            "() => [...document.querySelectorAll('.cell_output .text_html:has(table)')].at(-1).hasAttribute('tabindex')"
        )
        stops = visit.page.locator("article [tabindex]:is(pre, .text_html)")
        assert stops.evaluate_all("all => all.every(e => (e.scrollWidth > e.clientWidth) === (e.tabIndex === 0))")
        assert table.evaluate("e => [e.scrollWidth > e.clientWidth, getComputedStyle(e).overflowX]") == [True, "auto"]
        assert table.evaluate("e => getComputedStyle(e).backgroundImage.split('linear-gradient').length") == 5


@pytest.mark.browser
def test_the_bar_names_the_page_on_a_phone_and_leads_to_its_top(browser, site):
    with Visit(browser, site, "book/02_net2widernet", WIDTHS["phone"]) as visit:
        here = visit.page.locator(".bd-header-article .here")
        assert here.inner_text() == "2. Net2WiderNet"
        assert here.evaluate("e => e.scrollWidth <= e.clientWidth"), "the name is not cut off"
        visit.page.mouse.wheel(0, 3000)
        visit.page.wait_for_function("() => scrollY > 1000")
        here.click()
        visit.page.wait_for_function("() => scrollY === 0")
        assert visit.page.locator("#pst-back-to-top").count() == 0


@pytest.mark.browser
@pytest.mark.parametrize(
    "place",
    ["04_mathematics#thm-noise", "04_mathematics#read-on", "glossary#term-noise", "api/net2net#helpers.Net2NetError"],
)
def test_a_link_into_a_page_arrives_on_a_phone(browser, site, place):
    name, _, anchor = place.partition("#")
    with Visit(browser, site, "search", WIDTHS["phone"]) as visit:
        visit.page.goto(f"{site}book/{name}.html#{anchor}")
        visit.settle()
        visit.page.wait_for_timeout(500)
        top, left = visit.page.evaluate(
            """(id) => [document.getElementById(id).getBoundingClientRect().top,
            document.documentElement.scrollHeight - innerHeight - scrollY]""",
            anchor,
        )
        assert 0 <= top < 100 or left == 0, "below the bar, or as far up as the page goes"
        assert top < 800


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

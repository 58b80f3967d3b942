"""The twins of drawings for dark pages: as `_ext/dark.py` makes them, and as pages show them."""

import base64
import io
import re

import dark
import numpy as np
import pytest
import toc
from address import ROOT
from PIL import Image
from test_pages import Visit, contrast

DRAWING = '<svg height="9" viewBox="0 0 9 9"><path style="fill: #ffffff; stroke: #0072b2"/><path d="M0 0"/></svg>'


def css(color):
    return f"rgb({', '.join(map(str, color))})"


def test_ground_and_ink_change_places_and_grays_their_order():
    grays = dark.turn([[n, n, n] for n in (0, 64, 128, 192, 255)])
    assert tuple(grays[0]) == dark.INK
    assert tuple(grays[-1]) == dark.GROUND
    assert (np.diff(grays.astype(int), axis=0) < 0).all()


def test_ground_and_ink_are_those_of_the_pages():
    style = (ROOT / "book" / "web" / "book.css").read_text(encoding="utf-8")
    page = re.search(r'html\[data-theme="dark"\] \{(.*?)\}', style, re.DOTALL)[1]
    named = {name: bytes.fromhex(code) for name, code in re.findall(r"--n2n-(ink|paper): #(\w{6})", page)}
    assert named == {"ink": bytes(dark.INK), "paper": bytes(dark.GROUND)}


def test_paints_are_those_of_the_explorables():
    style = (ROOT / "book" / "web" / "net2net.css").read_text(encoding="utf-8")
    pairs = dict(re.findall(r"--n2n-u\d: light-dark\((#\w{6}), (#\w{6})\)", style))
    assert {light for light in dark.PAINTS if light in pairs} >= {"#0072b2", "#d55e00", "#009e73"}
    assert [light for light in dark.PAINTS if pairs.get(light, dark.PAINTS[light]) != dark.PAINTS[light]] == []
    assert set(dark.PAINTS.values()) <= set(pairs.values())


def test_paints_are_seen_on_dark_ground():
    faint = {paint: contrast(css(bytes.fromhex(paint[1:])), css(dark.GROUND)) for paint in dark.PAINTS.values()}
    assert min(faint.values()) > 4.5


def test_a_drawing_is_darkened_whole():
    svg = dark.darken(DRAWING)
    assert svg.startswith('<svg fill="#d8dde4" height="9"'), "what names no color is ink"
    assert "fill: #14181e; stroke: #56b4e9" in svg
    assert dark.darken(DRAWING.replace("<svg", '<svg fill="#000000"')).startswith('<svg fill="#d8dde4" height')


def test_a_picture_within_a_drawing_is_darkened_and_its_transparency_kept():
    def uri(pixels):
        written = io.BytesIO()
        Image.fromarray(np.array([pixels], dtype=np.uint8)).save(written, "png")
        return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"

    turned = dark.darken(f'<svg viewBox="0 0 1 1"><image href="{uri([[0, 0, 0, 255], [255, 255, 255, 7]])}"/></svg>')
    image = Image.open(io.BytesIO(base64.b64decode(dark.RASTER.search(turned)[1])))
    assert np.array(image).tolist() == [[[*dark.INK, 255], [*dark.GROUND, 7]]]


@pytest.mark.parametrize(
    ("tag", "pair"),
    [
        (
            '<img alt="A" src="../_images/a.svg" />',
            '<img class="on-light" alt="A" src="../_images/a.svg" />'
            '<img class="on-dark" alt="A" src="../_images/a.dark.svg" />',
        ),
        (
            '<img src="_images/a.svg" class="b">',
            '<img src="_images/a.svg" class="on-light b"><img src="_images/a.dark.svg" class="on-dark b">',
        ),
        ('<img alt="A" src="../_images/a.png">', '<img alt="A" src="../_images/a.png">'),
        ('<img alt="A" src="../_static/logo.svg">', '<img alt="A" src="../_static/logo.svg">'),
        (
            '<img alt="A" src="data:image/svg+xml,_images/a.svg">',
            '<img alt="A" src="data:image/svg+xml,_images/a.svg">',
        ),
    ],
)
def test_drawings_and_nothing_else_get_a_twin(tag, pair):
    assert dark.DRAWING.sub(dark.both, tag) == pair


@pytest.mark.parametrize("name", toc.documents())
def test_every_drawing_of_a_page_has_its_twin(html, name):
    page = html / f"{name}.html"
    light, twins = (
        re.findall(rf'<img [^>]*class="on-{mode}[^>]*>', page.read_text("utf-8")) for mode in ("light", "dark")
    )
    assert [one.replace("on-light", "on-dark").replace('.svg"', '.dark.svg"') for one in light] == twins
    assert all((page.parent / re.search('src="(.*?)"', one)[1]).is_file() for one in twins)


SHOWN = """() => {
    const column = document.querySelector('article h1').getBoundingClientRect().width;
    return [...document.querySelectorAll('article .cell_output img')].filter(e => e.getClientRects().length)
        .map(e => [e.src.split('.').slice(-2).join('.'), e.getBoundingClientRect().width / column]);
}"""


@pytest.mark.browser
def test_figures_are_as_wide_as_the_text_and_dark_on_dark_pages(browser, html):
    with Visit(browser, f"{html.resolve().as_uri()}/", "book/03_net2deepernet", scheme="dark") as visit:
        figures = visit.page.evaluate(SHOWN)
        assert len(figures) > 5
        assert [figure for figure in figures if figure[0] != "dark.svg" or not 0.9 < figure[1] <= 1] == []
        visit.page.add_style_tag(content=".cell_output img { max-width: 340px !important; }")
        assert [width for _, width in visit.page.evaluate(SHOWN) if width > 0.9] == [], "narrow ones are noticed"
        visit.page.evaluate("document.documentElement.dataset.theme = 'light'")
        assert [file for file, _ in visit.page.evaluate(SHOWN) if file == "dark.svg"] == []

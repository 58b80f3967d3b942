"""What `_ext/light.py` leaves out of the pages, and what it must leave in."""

import functools
import gzip
import re
from urllib.parse import unquote, urlsplit

import light
import pytest
import toc
from test_pages import read


@pytest.mark.parametrize(
    ("css", "wanted"),
    [
        (".a{x:1}.b{x:2}", ".a{x:1}"),
        (".a,.b p,p{x:1}", ".a,p{x:1}"),
        ("p:not(.b),:is(.b,.a) q{x:1}", "p:not(.b),:is(.b,.a) q{x:1}"),
        (":is(q, :has(.b), i) p{x:1}.a{x:2}", ":is(q, :has(.b), i) p{x:1}\n.a{x:2}"),
        ('[data-x=".b,{"]{x:1}', '[data-x=".b,{"]{x:1}'),
        ("@media print{.b{x:1}.a{x:2}}@media all{.b{x:1}}", "@media print{.a{x:2}}"),
        ('.a{i:url("data:,)}{.b")}.b{x:1}', '.a{i:url("data:,)}{.b")}'),
        ("@charset 'x';/* .b{ */.a{x:1}", "@charset 'x';\n.a{x:1}"),
        ("@keyframes b{from{x:1}}", "@keyframes b{from{x:1}}"),
        (r".a\:c{x:1}.b\:c{x:1}", r".a\:c{x:1}"),
        ("#b{x:1}:root{--y:2}", ":root{--y:2}"),
    ],
)
def test_purge_leaves_what_is_used(css, wanted):
    assert light.purge(css, {"a", "a:c"}) == wanted


@pytest.mark.parametrize("name", toc.documents())
def test_pages_wait_for_no_script(html, name):
    text = (html / f"{name}.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script[^>]*src=[^>]*>", text)
    assert [script for script in scripts if "defer" not in script] == []
    assert "const DOCUMENTATION_OPTIONS" in text
    assert "fontawesome.js" not in text
    (description,) = re.findall(r'<meta name="description" content="([^"]+)"', text)
    assert 20 < len(description) <= 200


@functools.cache
def packed(file):
    return len(gzip.compress(file.read_bytes()))


@pytest.mark.parametrize("name", toc.documents())
def test_a_page_with_all_it_loads_weighs_less_than_500_kilobytes(html, name):
    page = html / f"{name}.html"
    shown = [load for load in read(page).loads if not load.endswith(".dark.svg")]  # of twins a reader is shown one
    loads = {urlsplit(load).path for load in shown if not urlsplit(load).scheme}
    files = {page.resolve(), *((page.parent / unquote(load)).resolve() for load in loads)}
    assert len(files) > 10
    assert sum(map(packed, files)) < 500_000


def test_styles_are_small_and_hold_the_icons(html):
    style = (html / "_static" / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert len(style) < 130_000
    assert ".fa-sun" in style
    assert ".fa-zhihu" not in style
    fonts = list((html / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff"))
    assert len(fonts) == 3
    assert max(font.stat().st_size for font in fonts) < 5000


def test_a_page_asks_for_one_style_sheet_whose_files_are_there(html):
    for name in (*toc.documents(), "genindex", "search"):
        page = html / f"{name}.html"
        (link,) = re.findall(r'<link[^>]*rel="stylesheet"[^>]*href="([^"]+)"', page.read_text(encoding="utf-8"))
        style = page.parent / link
        text = style.read_text(encoding="utf-8")
        assert ".bd-article" in text
        assert "@import" not in text
        assert "a.headerlink" in text  # from the sheet that the theme imports
        assert re.search(r'html\[data-theme="?dark"?\] \.highlight', text)  # written by the theme at the very end
        named = [url for url in re.findall(r"""url\(["']?([^"')]+)""", text) if not url.startswith(("data:", "#"))]
        assert [url for url in named if not (style.parent / url.partition("?")[0]).is_file()] == []


def test_pictures_have_sizes_and_all_but_the_first_load_late(html):
    text = (html / "book" / "03_net2deepernet.html").read_text(encoding="utf-8")
    pictures = re.findall(r'<img[^>]*src="[^":]+"[^>]*>', text)
    assert len(pictures) > 3
    assert [one for one in pictures if not re.search(r' width="\d+" height="\d+"', one)] == []
    assert [" loading=" in one for one in pictures].count(False) <= 2  # the logo may be one


def test_what_a_style_sheet_imports_comes_with_it(tmp_path):
    (tmp_path / "styles").mkdir()
    (tmp_path / "basic.css").write_text("b{x:url(v.svg)}")
    (tmp_path / "styles" / "theme.css").write_text('@import url("../basic.css?digest=1");\na{x:1}')
    assert light.sheet(tmp_path / "styles" / "theme.css", tmp_path) == "b{x:url(v.svg)}\na{x:1}"


def test_urls_of_a_style_sheet_move_with_it(tmp_path):
    css = 'a{b:url(../v/x.woff)} c{d:url("y.svg?q")} e{f:url(data:,x)}'
    assert (
        light.moved(css, tmp_path / "styles", tmp_path)
        == 'a{b:url(v/x.woff)} c{d:url("styles/y.svg?q")} e{f:url(data:,x)}'
    )


@pytest.mark.parametrize(
    ("text", "size"), [('<svg width="9pt" viewBox="0 0 20.4 10">', [20, 10]), ('<svg viewBox="1 1 3 4" x="">', [3, 4])]
)
def test_sizes_of_drawings(tmp_path, text, size):
    (tmp_path / "a.svg").write_text(text)
    assert light.size_of(tmp_path / "a.svg") == size

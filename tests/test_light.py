"""What `_ext/light.py` leaves out of the pages, and what it must leave in."""

import importlib.util
import re

import pytest
import toc
from address import ROOT

_spec = importlib.util.spec_from_file_location("light", ROOT / "_ext" / "light.py")
light = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(light)


@pytest.mark.parametrize(
    ("css", "wanted"),
    [
        (".a{x:1}.b{x:2}", ".a{x:1}"),
        (".a,.b p,p{x:1}", ".a,p{x:1}"),
        ("p:not(.b),:is(.b,.a) q{x:1}", "p:not(.b),:is(.b,.a) q{x:1}"),
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
def test_pages_wait_for_one_small_script_only(html, name):
    text = (html / f"{name}.html").read_text(encoding="utf-8")
    scripts = re.findall(r"<script[^>]*src=[^>]*>", text)
    assert [script for script in scripts if "defer" not in script and light.FIRST not in script] == []
    assert "fontawesome.js" not in text
    (description,) = re.findall(r'<meta name="description" content="([^"]+)"', text)
    assert 20 < len(description) <= 200


def test_styles_are_small_and_hold_the_icons(html):
    style = (html / "_static" / "styles" / "pydata-sphinx-theme.css").read_text(encoding="utf-8")
    assert len(style) < 130_000
    assert ".fa-sun" in style
    assert ".fa-zhihu" not in style
    fonts = list((html / "_static" / "vendor" / "fontawesome" / "webfonts").glob("*.woff"))
    assert len(fonts) == 3
    assert max(font.stat().st_size for font in fonts) < 5000

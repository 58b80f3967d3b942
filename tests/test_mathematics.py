"""What `_ext/mathematics.py` makes of formulas, and the font that comes with them."""

import re

import mathematics
import pytest
import toc
from docutils import nodes
from fontTools.ttLib import TTFont


def written(tex, display=False):
    """A formula's MathML without what is the same in all."""
    found = mathematics.mathml(nodes.math(tex, tex), display)
    return re.sub(r'^<math[^>]*>|</math>$| (stretchy|form)="\w+"', "", found)


@pytest.mark.parametrize(
    ("tex", "wanted"),
    [
        ("x'", "<msup><mi>x</mi><mi>′</mi></msup>"),
        ("W'_{ij}", "<msubsup><mi>W</mi><mrow><mi>i</mi><mi>j</mi></mrow><mi>′</mi></msubsup>"),
        ("y'_l", "<msubsup><mi>y</mi><mi>l</mi><mi>′</mi></msubsup>"),
        ("1,2", "<mn>1</mn><mo>,</mo><mn>2</mn>"),
        ("0.5", "<mn>0.5</mn>"),
        (r"\frac12,", "<mfrac><mn>1</mn><mn>2</mn></mfrac><mo>,</mo>"),
        (r"\tilde s_{pq}", "<msub><mover><mi>s</mi><mo>~</mo></mover><mrow><mi>p</mi><mi>q</mi></mrow></msub>"),
        (r"\{0\}^n", "<mo>{</mo><mn>0</mn><msup><mo>}</mo><mi>n</mi></msup>"),
        (r"\text{for all }x", "<mtext>for all\u00a0</mtext><mi>x</mi>"),
    ],
)
def test_primes_and_commas_stand_where_tex_puts_them(tex, wanted):
    assert written(tex) == wanted


def test_braces_are_no_higher_than_the_line():
    assert mathematics.mathml(nodes.math("", r"\{0\}"), False).count('<mo stretchy="false">') == 2


@pytest.mark.parametrize(
    ("before", "behind", "held"), [("So ", ", and", "x,"), ("So (", "); and", "(x);"), ("(", " or y", "(x")]
)
def test_a_mark_stays_with_its_formula(before, behind, held):
    paragraph = nodes.paragraph("", "", nodes.Text(before), nodes.math("x", "x"), nodes.Text(behind))
    document = nodes.Element("", paragraph)
    mathematics.keep_marks(None, document, "")
    (span,) = document.findall(nodes.inline)
    assert span["classes"] == ["held"]
    assert paragraph.astext() == f"{before}x{behind}"
    assert span.astext() == held


def test_a_formula_among_words_is_left_alone():
    paragraph = nodes.paragraph("", "", nodes.Text("So "), nodes.math("x", "x"), nodes.Text(" is"))
    mathematics.keep_marks(None, nodes.Element("", paragraph), "")
    assert not list(paragraph.findall(nodes.inline))


def test_aligned_lines_are_a_table():
    assert re.findall(r"<mtable[^>]*>", written(r"\begin{aligned}a&=b\\&=c\end{aligned}", True)) == [
        '<mtable class="ams-align">'
    ]


def test_an_unknown_command_is_a_warning(caplog):
    assert written(r"\notacommand x") == ""
    assert "notacommand" in caplog.text


def formulas(html, name):
    text = (html / f"{name}.html").read_text(encoding="utf-8")
    return re.findall(r'class="math .*?</(?:div|span)>', text, re.DOTALL)


def test_formulas_are_mathml_and_their_letters_are_in_the_font(html):
    found = [formula for name in toc.documents() for formula in formulas(html, name)]
    assert len(found) > 400
    assert [formula for formula in found if "<math" not in formula or "$" in formula] == []
    letters = set(re.sub(r"<[^>]*>|\s", "", "".join(re.search(r"<math.*</math>", one, re.DOTALL)[0] for one in found)))
    slanted = {mathematics.SLANTED[one] for one in letters & mathematics.SLANTED.keys()}
    file = html / "_static" / mathematics.FONT
    font = TTFont(file)
    assert {"x", "θ", "∑", "′"} <= letters
    assert any("<msqrt>" in formula for formula in found)
    growing = font["MATH"].table.MathVariants.VertGlyphCoverage.glyphs  # with what stands under or between them
    assert font.getBestCmap()[ord("√")] in growing
    assert [one for one in letters | slanted if ord(one) not in font.getBestCmap() and one not in " \u2061"] == []
    assert "MATH" in font
    assert "Open Font License" in str(font["name"].getDebugName(13))
    assert file.stat().st_size < 90_000


def test_no_page_loads_a_script_for_mathematics(html):
    scripts = re.compile(r"<script[^>]*mathjax", re.IGNORECASE)
    assert [page.name for page in html.rglob("*.html") if scripts.search(page.read_text(encoding="utf-8"))] == []


@pytest.mark.browser
def test_a_browser_sets_formulas_in_that_font(browser, html):
    page = browser.new_page()
    page.goto((html / "book" / "04_mathematics.html").as_uri())
    page.evaluate("document.fonts.ready")
    assert page.evaluate("[...document.fonts].filter(f => f.family.includes('Mathematics')).map(f => f.status)") == [
        "loaded"
    ]
    sums = page.locator("math[display=block] munderover").first
    assert sums.bounding_box()["height"] > 45  # limits above and below
    page.close()

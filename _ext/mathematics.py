"""Write mathematics as MathML, which browsers set by themselves: no script, nothing that waits or jumps, and screen
readers find every symbol.

Docutils turns TeX into MathML. The font comes with the pages, cut down to the letters that they hold, since phones
often have none for mathematics.
"""

import importlib.resources
import re
import unicodedata
from pathlib import Path

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from fontTools.ttLib import TTFont
from light import write_letters
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

FONT = "mathematics.woff"  # book.css names it
# What docutils would set otherwise than TeX: primes as apostrophes, with an index behind them; 1,2 as one number.
MENDED = [
    (re.compile(r"'(_(?:\{[^{}]*\}|\w))?"), r"\1^{\\prime}"),
    (re.compile(r"(?<=\d),(?=\d)"), ", "),
]
BETWEEN = re.compile(r"(?<=>)\s+(?=<)")  # white space between tags, half of what docutils writes
# The letter that browsers show for a variable of one letter.
SLANTED = {
    unicodedata.normalize("NFKC", chr(code)): chr(code)
    for code in (0x210E, *range(0x1D434, 0x1D455), *range(0x1D456, 0x1D468), *range(0x1D6E2, 0x1D71C))
}


def mathml(node, display):
    """Return a formula's MathML; what docutils does not know is a warning, and so an error in a strict build."""
    tex = node.astext()
    for pattern, replacement in MENDED:
        tex = pattern.sub(replacement, tex)
    try:
        return BETWEEN.sub("", tex2mathml(tex, as_block=display))
    except MathError as error:
        logging.getLogger(__name__).warning("mathematics: %s in %r", error, tex, location=node)
        return ""


def visit_inline(writer, node):
    """Write a formula within a line."""
    writer.body.append(f"{writer.starttag(node, 'span', '', CLASS='math notranslate')}{mathml(node, False)}</span>")
    raise SkipNode


def visit_display(writer, node):
    """Write a formula that stands by itself, with its number if it has one."""
    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate"))
    writer.body.append(mathml(node, True))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, _("Link to this equation"))
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise SkipNode


def write_font(app, error):
    """Write the font with the letters of all formulas."""
    if app.builder.format != "html" or error:
        return
    formulas = "".join(
        formula
        for page in Path(app.outdir).rglob("*.html")
        for formula in re.findall(r"<math.*?</math>", page.read_text(encoding="utf-8"), re.DOTALL)
    )
    letters = set(re.sub(r"<[^>]*>", "", formulas))
    letters |= {SLANTED[letter] for letter in letters & SLANTED.keys()}
    font = TTFont(importlib.resources.files("ziamath") / "fonts/STIXTwoMath-Regular.ttf")
    for table in font["cmap"].tables:  # the prime for superscripts, which browsers do not choose by themselves
        if ord("′") in table.cmap:
            table.cmap[ord("′")] = "minute.ssty"
    write_letters(font, letters, Path(app.outdir, "_static", FONT))


def setup(app):
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    app.connect("build-finished", write_font, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

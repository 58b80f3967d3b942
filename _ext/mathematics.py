"""Write mathematics as MathML, which browsers set by themselves: no script, nothing that waits or jumps, and screen
readers find every symbol.

Docutils turns TeX into MathML. The font comes with the pages, cut down to the letters that they hold, since phones
often have none for mathematics.
"""

import importlib.resources
import re
import unicodedata
from pathlib import Path

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from fontTools.ttLib import TTFont
from light import write_letters
from sphinx.locale import _
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

FONT = "mathematics.woff"  # book.css names it
# What docutils would set otherwise than TeX: primes as apostrophes, with an index behind them; 1,2 as one number; the
# half of \frac12 as twelve over what follows.
MENDED = [
    (re.compile(r"'(_(?:\{[^{}]*\}|\w))?"), r"\1^{\\prime}"),
    (re.compile(r"(?<=\d),(?=\d)"), ", "),
    (re.compile(r"\\frac\s*(\d)\s*(\d)"), r"\\frac{\1}{\2}"),
]
# And in what it writes: white space between tags, half of the whole; an index below a letter with an accent, as if it
# were the limit of a sum; braces as high as all that stands beside them.
REWRITTEN = [
    (re.compile(r"(?<=>)\s+(?=<)"), ""),
    (
        re.compile(
            r'<munderover>(<mi>[^<]*</mi>)((?:(?!<munderover>).)*?)(<mo stretchy="false">[~ˆ¯˙→]</mo>)</munderover>'
        ),
        r"<msub><mover>\1\3</mover>\2</msub>",
    ),
    (re.compile(r"<mo>([{}])</mo>"), r'<mo stretchy="false">\1</mo>'),
]
MARK = re.compile(r"[.,;:?!)]+")  # may not begin a line
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
        written = tex2mathml(tex, as_block=display)
    except MathError as error:
        logging.getLogger(__name__).warning("mathematics: %s in %r", error, tex, location=node)
        return ""
    for pattern, replacement in REWRITTEN:
        written = pattern.sub(replacement, written)
    return written


def keep_marks(app, doctree, docname):
    """Hold a formula in a line together with the bracket before it and the mark behind it."""
    for node in list(doctree.findall(nodes.math)):
        place = node.parent.index(node)
        before, behind = (
            node.parent[at] if 0 <= at < len(node.parent) and isinstance(node.parent[at], nodes.Text) else ""
            for at in (place - 1, place + 1)
        )
        mark = MARK.match(behind)
        if not mark and not before.endswith("("):
            continue
        held = nodes.inline("", "", classes=["held"])
        node.parent.replace(node, held)
        held += node
        if before.endswith("("):
            held.parent[place - 1] = nodes.Text(before[:-1])
            held.insert(0, nodes.Text("("))
        if mark:
            held.parent[place + 1] = nodes.Text(behind[mark.end() :])
            held += nodes.Text(mark[0])


def visit_inline(writer, node):
    """Write a formula within a line."""
    writer.body.append(f"{writer.starttag(node, 'span', '', CLASS='math notranslate')}{mathml(node, False)}</span>")
    raise nodes.SkipNode


def visit_display(writer, node):
    """Write a formula that stands by itself, with its number if it has one."""
    writer.body.append(writer.starttag(node, "div", CLASS="math notranslate"))
    writer.body.append(mathml(node, True))
    if node["number"]:
        writer.body.append(f'<span class="eqno">({get_node_equation_number(writer, node)})')
        writer.add_permalink_ref(node, _("Link to this equation"))
        writer.body.append("</span>")
    writer.body.append("</div>\n")
    raise nodes.SkipNode


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
    if "<msqrt>" in formulas:
        letters.add("√")
    letters |= {SLANTED[letter] for letter in letters & SLANTED.keys()}
    font = TTFont(importlib.resources.files("ziamath") / "fonts/STIXTwoMath-Regular.ttf")
    for table in font["cmap"].tables:  # the prime for superscripts, which browsers do not choose by themselves
        if ord("′") in table.cmap:
            table.cmap[ord("′")] = "minute.ssty"
    write_letters(font, letters, Path(app.outdir, "_static", FONT))


def setup(app):
    """Register with Sphinx."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    app.connect("doctree-resolved", keep_marks)
    app.connect("build-finished", write_font, priority=600)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

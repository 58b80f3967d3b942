"""Mend what the theme, Sphinx, MyST-NB and pandas write and no page can choose, so that every reader gets at it.

The sidebar becomes a landmark, a place in the list of works an item of a list, an empty head of a column a cell, and
the parameters of a long signature are lines of text, no list of definitions without terms. Folded code is called what
it says.
"""

import re
from pathlib import Path

LINE = ' class="sig-param-line"'
PARAMETERS = re.compile(r'<dl>\s*((?:<dd><em class="sig-param">.*?</dd>\s*)+)</dl>', re.DOTALL)
MENDED = {
    re.compile(r'(<div id="pst-primary-sidebar")(?= class)'): r'\1 role="complementary" aria-label="The book"',
    re.compile(r'role="doc-biblioentry"'): 'role="listitem"',
    re.compile(r"<th\b([^>]*)>(?:\s|&nbsp;)*</th>"): r"<td\1></td>",
    re.compile(r'<summary aria-label="Toggle hidden content">'): "<summary>",
    PARAMETERS: lambda found: re.sub(r"<(/?)dd>", lambda tag: f"<{tag[1]}span{'' if tag[1] else LINE}>", found[1]),
}


def mend(text):
    """Return a page's text as it should have been written."""
    for fault, better in MENDED.items():
        text = fault.sub(better, text)
    return text


def mend_all(app, error):
    """Go over the pages once all are written."""
    if app.builder.format != "html" or error:
        return
    for path in Path(app.outdir).rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        if (after := mend(before)) != before:
            path.write_text(after, encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", mend_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

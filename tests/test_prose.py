"""How the book speaks: few numbers in a paragraph, and none of the words and shapes that first readers stumbled over."""

import re

import nbformat
import pytest
import toc
import trust
from address import ROOT

PAGES = [ROOT / "book" / f"{name}.md" for name in ("index", "path", "lab", "notation", "glossary")]
PAGES = {page.stem: page for page in [*toc.chapters(), *PAGES]}


def prose_of(page):
    """Return the Markdown of a page: what its author wrote, without code cells."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in nbformat.read(page, 4).cells if cell.cell_type == "markdown")


# ------------------------------------------------------------------ numbers

MOST = 2
FOLDED = [  # a reader opens these on purpose: "The numbers" under a finding, and the solutions of exercises
    r"^(`{3,}|:{3,})\{solution-start\}.*?^\1\{solution-end\}$",
    r"^(:{3,}|`{3,})\{[^}]+\}[^\n]*\n(?::[^\n]*\n)*:class:[^\n]*\bdropdown\b.*?^\1$",
]
REFERENCES = [
    r"\{(?:cite|ref|numref|eq|prf:ref|doc)(?::\w+)?\}`[^`]*`",
    r"\[(?:[Cc]hapters? )?\d+\]",
    r"\b(?:[Cc]hapter|[Ss]ection|[Ff]igure|[Tt]able|[Tt]heorem|[Vv]ersion|CC BY) \d+(?:\.\d+)*",
]
PARAGRAPHS = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) )|(?<=</summary>)|\n(?=:? {0,2}\S[^\n]*\n:\s)")
MARKER = re.compile(r"(?:\s*(?:[-*]|\d+\.) |#+ |\*\*\d+\.\*\* )")
COUNTED = re.compile(r"(?<![\w.,/-])[+−-]?\d[\d,. ]*(?<=\d)(?: (?:x|×|by) \d+)*(?!\w)|\{glue(?::\w+)?\}`[^`]*`")


def numbers(prose):
    """Return (paragraph, how many numbers it has) of the running text.

    A number is written in digits or glued, and a glued one counts once, with its interval. Code, formulas, tables,
    headings' and lists' own numbers, numbers of chapters and sections, and what is folded do not count. An item of a
    list is a paragraph.
    """
    for pattern in FOLDED:
        prose = re.sub(pattern, "\n\n", prose, flags=re.MULTILINE | re.DOTALL)
    text = trust.without_code(prose)
    text = re.sub(r"^[|#][^\n]*$", "", text, flags=re.MULTILINE)
    for pattern in [p for p in trust.NOT_PROSE if "glue" not in p] + REFERENCES:
        keep = r"(?:\{glue(?::\w+)?\}`[^`]*`)|"  # a glued number is written like code
        text = re.sub(
            keep + pattern, lambda found: found[0] if "{glue" in found[0][:6] else " ", text, flags=re.M | re.S
        )
    for paragraph in PARAGRAPHS.split(text):
        words = " ".join(re.sub(rf"\A{MARKER.pattern}", " ", paragraph).split())
        if words:
            yield words, len(COUNTED.findall(words))

"""How the book speaks: few numbers in a paragraph, none of the words that first readers stumbled over."""

import re

import nbformat
import pytest
import toc
import trust
from address import ROOT

PAGES = [
    ROOT / "book" / f"{name}.md"
    for name in ("index", "path", "lab", "my_network", "cheat_sheet", "notation", "glossary", "not_here")
]
PAGES = {page.stem: page for page in [*toc.chapters(), *PAGES]}


def prose_of(page):
    """Return the Markdown of a page: what its author wrote, without code cells."""
    if page.suffix == ".md":
        return page.read_text(encoding="utf-8")
    return "\n\n".join(cell.source for cell in nbformat.read(page, 4).cells if cell.cell_type == "markdown")


# ------------------------------------------------------------------ numbers

MOST = 2
FOLDED = [  # a reader opens these on purpose: "The numbers" under a finding, and the solutions of exercises
    r"^(`{3,}|:{3,})\{solution-start\}.*?^\1\{solution-end\}\n\1$",
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
    for pattern in REFERENCES + [p for p in trust.NOT_PROSE if "glue" not in p]:
        keep = r"(?:\{glue(?::\w+)?\}`[^`]*`)|"  # a glued number is written like code
        text = re.sub(
            keep + pattern, lambda found: found[0] if "{glue" in found[0][:6] else " ", text, flags=re.M | re.S
        )
    for paragraph in PARAGRAPHS.split(text):
        words = " ".join(re.sub(rf"\A{MARKER.pattern}", " ", paragraph).split())
        if words:
            yield words, len(COUNTED.findall(words))


def crowded(prose):
    """Return the beginnings of the paragraphs that have too many numbers."""
    return [words[:90] for words, count in numbers(prose) if count > MOST]


@pytest.mark.parametrize("page", PAGES)
def test_paragraphs_have_few_numbers(page):
    assert crowded(prose_of(PAGES[page])) == []


@pytest.mark.parametrize(
    ("prose", "counts"),
    [
        ("It has 3 layers of 4,000 weights, −0.5 to 1.5 of them.", [4]),
        ("{glue:text}`a b:.1f` % and {glue:text}`c` of 10 seeds.", [3]),
        ("One.\n\nIn 2 of 3 runs, 28 x 28 pixels.\n- 5\n- 6, [chapter 10](09_x.ipynb#y)", [0, 3, 1, 1]),
        ("$5$ and `6`, conv2, Net2Net, x4, float32; [7](07_x.ipynb), {cite:t}`b2016`, section 2.4.", [0]),
        ("$$\n1 + 1\n$$\n\n| a | 1 |\n|---|---|\n| 2 | 3 |\n\n## 4 heads\n\n```python\n5\n```", []),
        (":::{admonition} The numbers\n:class: dropdown\n\n1, 2, 3\n:::\n\nNo 4.", [1]),
        ("```{solution-start} ex-1\n:class: dropdown\n```\n\n1, 2, 3\n\n```{solution-end}\n```\n\n5 and 6", [2]),
        ("**1.** Are 2 of 3 right?\n\n<details><summary>4</summary>\n\n**No.** 5 are.\n\n</details>", [2, 1, 1, 0]),
    ],
)
def test_numbers_are_counted(prose, counts):
    assert [count for _, count in numbers(prose)] == counts


def test_a_crowded_paragraph_is_noticed():
    assert crowded("It has 2 layers of 30 units.") == []
    assert crowded("It has 2 layers of 30 units, 4 of them off.") == ["It has 2 layers of 30 units, 4 of them off."]


# ------------------------------------------------------------------ length

MOST_SENTENCES = 4
LONGEST = 420  # characters, without code and formulas
FORMAL = r"^(:{3,})\{prf:\w+\}.*?^\1$"  # a proof has as many steps as it needs
END = re.compile(r"[.?!][*)]*(?= [A-Z*`{\[$(])|[.?!:][*)]*$")


def long_paragraphs(prose):
    """Return the beginnings of the paragraphs of running text with too many sentences, or too long ones."""
    prose = re.sub(FORMAL, "\n\n", prose, flags=re.M | re.S)
    found = [re.sub(r"\{glue(?::\w+)?\}`[^`]*`", "0", words) for words, _ in numbers(prose)]
    return [words[:90] for words in found if len(END.findall(words)) > MOST_SENTENCES or len(words) > LONGEST]


@pytest.mark.parametrize("page", PAGES)
def test_paragraphs_are_short(page):
    assert long_paragraphs(prose_of(PAGES[page])) == []


def test_a_long_paragraph_is_noticed():
    four = "One. **Two.** Is it three? (The fourth has 2.4.)"
    assert long_paragraphs(four) == []
    assert long_paragraphs(f"{four} And a fifth:\n\n- Six.") == [f"{four} And a fifth:"]
    assert long_paragraphs(f":::{{prf:proof}}\n{four} {four}\n:::") == []
    assert long_paragraphs("words " * 70) == []
    assert long_paragraphs("words " * 71) == [("words " * 71)[:90]]


# ------------------------------------------------------------------ words and shapes

BANNED = {
    r"\banew\b": "again, or from scratch",
    r"\bfor certain\b": "clearly, or a number",
    r"\bteachers?,? trained on\b(?! \d)": "the continued teacher",
    r"\btrain(?:s|ed|ing)? on(?= from\b|[,;:])": "continue training",
    r"\b(?:stands?|stood|standing) (?:at|there|in (?:a|the))\b": "has, reaches, is",
    r"\b[Ww]hoever\b": "if you",
    r"\barms?\b": "a network, a method, a run",
    r"\bdear(?:er|est)?\b": "expensive",
    r"\bbut for (?:rounding|shapes|those|the (?:edges|bias))\b": "except for",
    r"\bWhat cannot be done is\b": "impossible requests",
    r"\bput down to\b": "credited to",
    r"\bfor good\b": "forever",
}
UNFOLDED = {r"\bp-values?\b|\bp ?[=<≤]": "no p-values in running text: they are folded under The numbers"}


def odd(prose):
    """Return what a text says that STYLE bans, with what to say instead."""
    prose = re.sub(r"\{term\}`([^`<]*?)(?: <[^`>]*>)?`", r"\1", prose)
    folded = prose
    for pattern in FOLDED:
        folded = re.sub(pattern, "\n\n", folded, flags=re.M | re.S)
    found, explained = [], "```{glossary}" in prose
    for text, rules in ((prose, BANNED), (folded, {} if explained else UNFOLDED)):
        text = re.sub(
            r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)|\$\$.*?\$\$|\$[^$]+\$", "0", trust.without_code(text), flags=re.S
        )
        text = " ".join(text.split())
        found += [
            f"{text[max(0, one.start() - 30) : one.end() + 20]!r}: say {instead}"
            for pattern, instead in rules.items()
            for one in re.finditer(pattern, text)
        ]
    return found


@pytest.mark.parametrize("page", PAGES)
def test_words_are_plain(page):
    assert odd(prose_of(PAGES[page])) == []


@pytest.mark.parametrize(
    "prose",
    [
        "It is aimed anew at the network.",
        "It leads for certain.",
        "Ahead of the teacher\ntrained on.",
        "Both are trained on, from one teacher.",
        "The student stands at 95.",
        "The {term}`unit` stands there twice.",
        "Whoever grows a network",
        "In one arm of the study",
        "An update is dear.",
        "Equal, but for rounding.",
        "It leads (p = 0.002).",
        "The p-value is small.",
        "$$\nx\n$$\n\nIt leads for certain.\n\n$$\ny\n$$",
    ],
)
def test_odd_words_are_noticed(prose):
    assert len(odd(prose)) == 1


@pytest.mark.parametrize(
    "prose",
    [
        "The continued teacher, trained on 4,000 digits, has an accuracy.",
        "Code may say `anew`, `arm` and $p=1$.",
        "```python\narm = anew\n```",
        ":::{admonition} The numbers\n:class: dropdown\n\nThe p-value is small.\n:::",
        "The curve stood still, but for depth it moves; a dearth of alarms.",
    ],
)
def test_plain_words_pass(prose):
    assert odd(prose) == []

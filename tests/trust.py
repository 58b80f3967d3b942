"""What readers must be able to rely on, as functions that name each fault they find: the tests ask them for none."""

import re
from html.parser import HTMLParser
from itertools import pairwise

from pybtex.database import parse_string

ALT = range(20, 401)  # characters: more than a name, less than a page

# ------------------------------------------------------------------ prose

NOT_PROSE = [
    r"^\$\$.*?\$\$",
    r"\$[^$\n]+(?:\n[^$\n]+)?\$",
    r"\{glue(?::\w+)?\}`[^`]*`",
    r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)",
    r"<code>.*?</code>",
    r"\]\([^)\s]*\)",
    r"https?://\S+",
]
CITATION = re.compile(r"\{cite(?::\w+)?\}`([^`]+)`")
NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\d)|\d+\s?(?:%|percent\b)")


def without_code(text):
    """Return Markdown without fenced code and formulas, and without the fences and options of directives."""
    kept, fences = [], []
    for line in text.splitlines():
        fence = re.match(r"(`{3,}|:{3,})(\{[\w:-]+\})?", line)
        if fences and line.strip() == fences[-1][0]:
            fences.pop()
        elif fence and not any(code for _, code in fences):
            fences.append((fence[1], fence[2] in (None, "{code-block}", "{eval-rst}", "{math}", "{chapter-map}")))
        elif not any(code for _, code in fences) and not (fences and re.match(r":[\w-]+:", line)):
            kept.append(line)
    return "\n".join(kept)


def typed_numbers(prose):
    """Return the decimals and percentages that are typed: not glued, nor mathematics, code, or beside a citation."""
    text = CITATION.sub("<cited>", without_code(prose))
    for pattern in NOT_PROSE:
        text = re.sub(pattern, " ", text, flags=re.MULTILINE | re.DOTALL)
    sentences = re.split(r"\n\s*\n|\n\s*[-*] |\n\s*\d+\. |(?<=[.?!])\s+(?=[A-Z*{<])", text)
    return [number for one in sentences if "<cited>" not in one for number in NUMBER.findall(one)]


# ------------------------------------------------------------------ the words of the glossary

TERM = re.compile(r"\{term\}`(?:[^`<]*<([^`>]+)>|([^`]+))`")
CARD = re.compile(r"^(:{3,})\{admonition\} About this chapter$.*?^\1$", re.MULTILINE | re.DOTALL)
NOT_READ = [r"^#+ [^\n]*$", r"</?\w[^>]*>"]


def terms(glossary):
    """Return the terms of a glossary, the longest first."""
    lines = re.search(r"^```\{glossary\}$(.*?)^```$", glossary, re.MULTILINE | re.DOTALL)[1].splitlines()
    return sorted((line for line in lines if line.strip() and not line.startswith(" ")), key=len, reverse=True)


def unknown_terms(prose, glossary):
    """Return what the prose links to as terms of the glossary, and the glossary does not have. Case does not count."""
    known = {term.lower() for term in terms(glossary)}
    linked = [" ".join((found[1] or found[2]).split()) for found in TERM.finditer(prose)]
    return [term for term in linked if term.lower() not in known]


def unlinked_terms(prose, glossary):
    """Return the terms whose first use in the prose, in singular or plural, is not linked to the glossary.

    Headings, the card under the title, code and formulas do not count. A longer term hides the shorter one that it
    holds: a channel group is no channel.
    """
    text = TERM.sub(lambda found: f"\0{found[1] or found[2]}\0", without_code(CARD.sub("", prose)))
    for pattern in NOT_PROSE + NOT_READ:
        text = re.sub(pattern, " ", text, flags=re.MULTILINE | re.DOTALL)
    faults = []
    for term in terms(glossary):
        words = re.escape(term).replace(r"\ ", r"\s+")
        words = f"{words[:-1]}(?:y|ies)" if term.endswith("y") else f"{words}s?"
        uses = list(re.finditer(rf"(?<![\w-])(\0?){words}\0?(?![\w-])", text, re.IGNORECASE))
        if uses and not uses[0][1]:
            around = " ".join(text[max(0, uses[0].start() - 40) : uses[0].end() + 30].replace("\0", "").split())
            faults.append(f"{term}: {around}")
        text = re.sub(rf"(?<![\w-])\0?{words}\0?(?![\w-])", " ", text, flags=re.IGNORECASE)
    return faults


# ------------------------------------------------------------------ symbols

FORMULA = re.compile(r"^\$\$(.*?)^\$\$|\$([^$\n]+(?:\n[^$\n]+)?)\$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
WORDS = re.compile(r"\\(?:text|operatorname|mathrm|mathbb|begin|end)\s*\{[^}]*\}")
TOKEN = re.compile(r"\\[A-Za-z]+|\S")
LETTER = re.compile(
    r"[A-Za-z]|\\(?:var)?(?:alpha|beta|gamma|delta|epsilon|zeta|eta|theta|mu|nu|pi|sigma|tau|phi|omega|ell|nabla|top)"
)
ROW = re.compile(r"^\| \$([^$]+)\$ \| [^|]+ \| [^|]+ \| (?:`(\w+)[^|]*)?\| \[\d+, [^|]+\]\((\w+)\.ipynb#", re.MULTILINE)


def formulas(prose):
    """Return the formulas of a text as one string: letters, commands and signs, each between spaces."""
    found = FORMULA.findall(CODE.sub(" ", without_code(prose)))
    tokens = TOKEN.findall(WORDS.sub(" ", "\n".join(display or inline for display, inline in found)))
    return f" {' '.join(tokens)} "


def letters(prose):
    """Return the letters of the formulas of a text."""
    return {token for token in formulas(prose).split() if LETTER.fullmatch(token)}


def notation_faults(page, chapters):
    """Return symbols and names that do not stand where the notation says, and letters of formulas that it leaves out.

    `chapters` are {name of a notebook: (prose, code)}.
    """
    rows, code = ROW.findall(page), "\n".join(code for _, code in chapters.values())
    faults = [] if len(rows) == page.count(".ipynb#") else ["a row is not of the form of the others"]
    for symbol, name, chapter in rows:
        if formulas(f"${symbol}$") not in formulas(chapters[chapter][0]):
            faults.append(f"{symbol}: no formula of {chapter} has it")
        if name and not re.search(rf"\b{name}\b", code):
            faults.append(f"{symbol}: no code of the chapters has {name}")
    for chapter, (prose, _) in chapters.items():
        faults += [f"{letter}: in {chapter}, not listed" for letter in sorted(letters(prose) - letters(page))]
    return faults


# ------------------------------------------------------------------ a chapter's form


def form_faults(prose):
    """Return what a chapter lacks: one title, its closing sections in order, three exercises, collapsed solutions."""
    outline = re.sub(r"^(`{3,}).*?^\1$", "", prose, flags=re.MULTILINE | re.DOTALL)
    faults = []
    if (titles := len(re.findall(r"^# \S", outline, re.MULTILINE))) != 1:
        faults.append(f"expected one title, got {titles}")
    closing = [name for name in re.findall(r"^## (.+?)\s*$", outline, re.MULTILINE) if name in CLOSING]
    if closing != CLOSING:
        faults.append(f"expected the closing sections {CLOSING}, got {closing}")
    exercises = re.findall(r"\{exercise(?:-start)?\}.*\n(?::.*\n)*?:label: (\S+)", prose)
    solutions = dict(re.findall(r"\{solution(?:-start)?\} (\S+)((?:\n:.*)*)", prose))
    if len(exercises) < 3:
        faults.append(f"expected three exercises or more, got {len(exercises)}")
    faults += [f"no solution of {label}" for label in exercises if label not in solutions]
    faults += [f"a solution of {label}, which is no exercise here" for label in solutions if label not in exercises]
    faults += [
        f"the solution of {label} is not collapsed"
        for label, options in solutions.items()
        if not re.search(r"^:class:.*\bdropdown\b", options, re.MULTILINE)
    ]
    return faults


CLOSING = ["Check yourself", "Summary", "Exercises", "Read on"]


def code_faults(cells):
    """Return the code cells of a chapter whose set-up or drawing call is not folded, or whose figure has no caption."""
    faults, shown = [], [cell for cell in cells if "remove-cell" not in cell.metadata.get("tags", [])]
    for number, cell in enumerate(cell for cell in shown if cell.cell_type == "code"):
        own, folded = cell.metadata.get("mystnb", {}), "hide-input" in cell.metadata.get("tags", [])
        said, figure = cell.source.partition("\n")[0], own.get("figure", {})
        if number == 0 and said.startswith("import ") and not (folded and own.get("code_prompt_show")):
            faults.append(f"{said}: the set-up is not folded under words of its own")
        if re.fullmatch(r"(?:plots\.\w+|race)\([^()]*\)", cell.source) and not folded:
            faults.append(f"{said}: draws only, and is not folded")
        if "image" in own and not (figure.get("name") and re.match(r"(?:\S+ ){2,}", figure.get("caption", ""))):
            faults.append(f"{said}: expected a caption that says what the figure shows, and a name, got {figure}")
    return faults


QUESTION = re.compile(r"^\*\*(\d+)\.\*\* (.+?)(?=^\*\*\d+\.\*\* |\Z)", re.MULTILINE | re.DOTALL)
ANSWER = re.compile(
    r'<details( class="right")?><summary>(.+)</summary>\n\n\*\*(Right|No)\.\*\* ((?:.+\n)+)\n</details>'
)


def quiz_faults(prose):
    """Return what the questions of a chapter lack: four to six, each with one right answer, and a reason for each."""
    quiz = prose.partition("## Check yourself\n")[2].partition("\n## ")[0]
    questions = QUESTION.findall(quiz)
    faults = [] if len(questions) in range(4, 7) else [f"expected four to six questions, got {len(questions)}"]
    if (numbers := [int(number) for number, _ in questions]) != list(range(1, len(questions) + 1)):
        faults.append(f"expected the questions numbered from 1, got {numbers}")
    return faults + [fault for number, text in questions for fault in answer_faults(f"question {number}", text)]


def guess_faults(prose):
    """Return what the guesses lack in those boxes that hold any: three, of the form of a question's answers."""
    faults = []
    for box in re.findall(r"^:class: predict$(.*?)^:::$", prose, re.MULTILINE | re.DOTALL):
        if "<details" in box:
            begin = " ".join(box.split())[:40]
            if (guesses := box.count("<details")) != 3:
                faults.append(f"{begin}: expected three guesses, got {guesses}")
            faults += answer_faults(begin, box)
    return faults


def answer_faults(where, text):
    """Return what the answers to one question lack."""
    answers, faults = ANSWER.findall(text), []
    if (right := sum(word == "Right" for _, _, word, _ in answers)) != 1:
        faults.append(f"{where}: expected one right answer, got {right}")
    if len({option for _, option, _, _ in answers}) < 3:
        faults.append(f"{where}: expected three different answers or more, got {len(answers)}")
    if re.search("</?(?:details|summary)", ANSWER.sub("", text)):
        faults.append(f"{where}: an answer is not of the form that CONTRIBUTING.md shows")
    for shown, option, word, reason in answers:
        if bool(shown) != (word == "Right"):
            faults.append(f"{where}: {option!r} is marked as the other kind of answer")
        if re.search(r"[$`{*]", option):
            faults.append(f"{where}: {option!r} is on a line of HTML, where Markdown is not read")
        if len(reason) < 20:
            faults.append(f"{where}: {option!r} has no reason")
    return faults


# ------------------------------------------------------------------ citations


def citation_faults(bibliography, texts):
    """Return entries that cannot be found by a number, or that nobody cites, and citations of nothing."""
    entries = parse_string(bibliography, "bibtex").entries
    cited = {key.strip() for text in texts for found in CITATION.findall(text) for key in found.split(",")}
    numbers = ("doi", "eprint", "url", "isbn")
    faults = [
        f"{key}: expected one of {numbers}" for key, entry in entries.items() if not set(numbers) & set(entry.fields)
    ]
    faults += [f"{key}: nobody cites it" for key in entries if key not in cited]
    return faults + [f"{key}: cited, and not in the bibliography" for key in sorted(cited - set(entries))]


# ------------------------------------------------------------------ built pages


class Article(HTMLParser):
    """The headings of a page's article, and its pictures, each as (alt text, caption, file)."""

    def __init__(self, text):
        super().__init__()
        self.headings, self.pictures = [], []
        self.inside, self.caption, self.first = False, None, 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.inside |= tag == "article"
        if self.inside and re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if self.inside and tag == "img":
            self.pictures.append([given.get("alt") or "", "", given.get("src") or ""])
        if tag == "figure":
            self.first = len(self.pictures)
        if tag == "figcaption":
            self.caption = ""

    handle_startendtag = handle_starttag

    def handle_data(self, data):
        if self.caption is not None:
            self.caption += data

    def handle_endtag(self, tag):
        if tag == "article":
            self.inside = False
        if tag == "figcaption":
            for picture in self.pictures[self.first :]:
                picture[1] = " ".join(self.caption.split()).rstrip("#")
            self.caption = None


def alt_faults(page):
    """Return the pictures of a page whose alt text is missing, too short or long, the caption, or a file's name."""
    faults = []
    for alt, caption, file in Article(page).pictures:
        if len(alt) not in ALT:
            faults.append(
                f"{file[:60]}: expected {ALT.start} to {ALT.stop - 1} characters, got {len(alt)}: {alt[:60]!r}"
            )
        elif alt.rstrip(".") in caption.rstrip("."):
            faults.append(f"{file[:60]}: repeats the caption: {alt[:60]!r}")
        elif re.search(r"\.(?:png|svg|webp|jpe?g)\b|^_images", alt):
            faults.append(f"{file[:60]}: a file's name: {alt[:60]!r}")
    return faults


def heading_faults(page):
    """Return where the headings of a page do not begin with one h1, or leave out a level."""
    levels = Article(page).headings
    faults = [] if levels.count(1) == 1 and levels[0] == 1 else [f"expected one h1, first, got {levels}"]
    return faults + [f"h{b} follows h{a}" for a, b in pairwise(levels) if b > a + 1]

"""Start a chapter that passes the chapters' tests: `python tests/chapter.py 15_something`.

The notebook is a copy of `book/templates/chapter.ipynb`. The contents, the map of the chapters, the list on the
first page and the forms for issues get a line each, behind the chapter with the next smaller number.
"""

import re
import sys

from address import ROOT

OFFERED = r"        - .* \((\d\d_\w+)\)\n", "        - {title} ({name})\n"  # in a form's list of pages

# Where each file names the chapters in order, a line each; and the line that a new one gets.
LISTS = {
    "_toc.yml": (r"      - file: book/(\d\d_\w+)\n", "      - file: book/{name}\n"),
    "book/path.md": (r"(\d\d_\w+): .*\n", "{name}: week\n"),
    "book/index.md": (
        r"\d+\. \[.*\]\((\d\d_\w+)\.ipynb\).*\n(?: +\S.*\n)*",
        "1. [{title}]({name}.ipynb): what it is about.\n",
    ),
    ".github/ISSUE_TEMPLATE/book.yml": OFFERED,
    ".github/ISSUE_TEMPLATE/question.yml": OFFERED,
}


def start(name, root=ROOT):
    """Write the notebook and the lines that name it; return the paths of the files written."""
    notebook = root / "book" / f"{name}.ipynb"
    if not re.fullmatch(r"\d\d_[a-z][a-z0-9_]*", name):
        raise ValueError(f"expected two digits and words in lower case, such as 15_something, got {name!r}")
    if taken := sorted((root / "book").glob(f"{name[:2]}_*.ipynb")):
        raise ValueError(f"{taken[0].name} has that number already; take another one")
    title = name[3:].replace("_", " ").capitalize()
    text = (root / "book" / "templates" / "chapter.ipynb").read_text(encoding="utf-8")
    for old, new in {"00_chapter": name, "ex-00-": f"ex-{name[:2]}-", "Title of the chapter": title}.items():
        text = text.replace(old, new)
    notebook.write_text(text, encoding="utf-8")
    for file, (pattern, line) in LISTS.items():
        path = root / file
        text = path.read_text(encoding="utf-8")
        before = [one for one in re.finditer(rf"^{pattern}", text, re.MULTILINE) if one[1] < name]
        place = before[-1].end()
        path.write_text(text[:place] + line.format(name=name, title=title) + text[place:], encoding="utf-8")
    number_again(root / "book" / "index.md")
    return [notebook, *(root / file for file in LISTS)]


def number_again(path):
    """Give the chapters of the first page's list their numbers in order."""
    pattern = re.compile(r"^\d+(?=\. \[.*\]\(\d\d_\w+\.ipynb\))", re.MULTILINE)
    text = path.read_text(encoding="utf-8")
    numbers = iter(range(1, len(pattern.findall(text)) + 1))
    path.write_text(pattern.sub(lambda _: str(next(numbers)), text), encoding="utf-8")


def main(arguments):
    """Start the chapter that is named."""
    try:
        written = start(arguments[0] if arguments else "")
    except ValueError as error:
        print(f"make chapter NAME=15_something: {error}")
        return 1
    print("\n".join(f"written {path.relative_to(ROOT)}" for path in written))
    print("Next: say in book/index.md what it is about, choose its routes in book/path.md, write, and `make tidy`.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The book's contents and its strict build, for the tests that need them."""

import re
import subprocess
import sys

import nbformat
import yaml
from address import ROOT


def documents(root=ROOT):
    """Return the names of the pages in `_toc.yml`, in reading order: 'book/index', 'book/01_...', ..."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def chapters(root=ROOT):
    """Return the paths of the notebooks among the pages of `_toc.yml`, in reading order."""
    return [path for path in (root / f"{name}.ipynb" for name in documents(root)) if path.exists()]


def title(name, root=ROOT):
    """Return the title of a page, up to its colon."""
    path = root / f"{name}.ipynb"
    text = nbformat.read(path, 4).cells[1].source if path.exists() else path.with_suffix(".md").read_text("utf-8")
    return re.search(r"^# ([^:\n]*)", text, re.MULTILINE)[1]


def build(root):
    """Build the book in `root` as strictly as `make book` does; return the finished process."""
    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command = [*jupyter_book, "build", str(root), "--all", "-W", "-n", "--keep-going"]
    return subprocess.run(command, capture_output=True, text=True, cwd=root)

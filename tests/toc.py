"""The book's contents and its strict build, for the tests that need them."""

import re
import subprocess
import sys

import nbformat
import yaml
from address import ROOT
from jupyter_cache import get_cache


def documents(root=ROOT):
    """Return the names of the pages in `_toc.yml`, in reading order: 'book/index', 'book/01_...', ..."""
    toc = yaml.safe_load((root / "_toc.yml").read_text(encoding="utf-8"))
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


def moved(root=ROOT):
    """Return {old name: file beside it} of the pages that had other names once."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["sphinx"]["config"]["redirects"]


def chapters(root=ROOT):
    """Return the paths of the notebooks among the pages of `_toc.yml`, in reading order."""
    return [path for path in (root / f"{name}.ipynb" for name in documents(root)) if path.exists()]


def is_chapter(name):
    """Return whether a page is a chapter: it has a number, or is read between two that have."""
    return name.removeprefix("book/")[:2].isdigit() or name in ("book/transformers", "book/lab", "book/my_network")


def title(name, root=ROOT):
    """Return the title of a page, up to its colon."""
    path = root / f"{name}.ipynb"
    text = nbformat.read(path, 4).cells[1].source if path.exists() else path.with_suffix(".md").read_text("utf-8")
    return re.search(r"^# ([^:\n]*)", text, re.MULTILINE)[1]


def is_built(root):
    """Return whether the book in `root` was built since the last change of what it is made from."""
    places = "*.yml CHANGELOG.md CITATION.cff requirements.lock _ext/*.* helpers/**/*.py results/*.* book/**/*".split()
    files = [path for place in places for path in root.glob(place)]
    # Python and Jupyter put folders of their own beside what they read.
    hidden = re.compile(r"__pycache__|\.")
    made = [path for path in files if path.is_file() and not any(map(hidden.match, path.relative_to(root).parts))]
    stamp = root / "_build" / ".built"
    return stamp.exists() and max(path.stat().st_mtime for path in made) <= stamp.stat().st_mtime


def executed(path):
    """Return a notebook with what it printed when the book was built; None if it was not, or has changed since."""
    root = path.parent.parent
    try:
        cache = get_cache(root / "_build" / ".jupyter_cache") if is_built(root) else None
        return cache and cache.merge_match_into_notebook(nbformat.read(path, 4))[1]
    except KeyError:
        return None


def build(root):
    """Build the book in `root` as strictly as `make book` does; return the finished process."""
    jupyter_book = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()"]
    command = [*jupyter_book, "build", str(root), "--all", "-W", "-n", "--keep-going"]
    return subprocess.run(command, capture_output=True, text=True, cwd=root)

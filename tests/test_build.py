"""The build: strict, complete, and red when a chapter is broken."""

import os
import re
import shutil

import address
import lean
import make_book
import nbformat
import pytest
import toc
import yaml

ROOT = address.ROOT


def test_every_page_of_the_contents_is_built(html):
    built = {path.relative_to(html).with_suffix("").as_posix() for path in html.rglob("*.html")}
    made_by_sphinx = {"404", "index", "genindex", "py-modindex", "search", "prf-prf"}
    pages = {name for name in built - made_by_sphinx if not name.startswith("_")}
    assert pages == {*toc.documents(), *toc.moved()}


def test_every_chapter_is_in_the_contents():
    files = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "book").glob("*.ipynb")}
    assert files <= set(toc.documents())


def test_chapters_stand_in_reading_order():
    numbered = [name for name in toc.documents() if name.removeprefix("book/")[:2].isdigit()]
    assert numbered == sorted(numbered)


def test_no_cell_of_a_built_page_shows_an_error(html):
    for path in (html / "book").rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert "Traceback (most recent call last)" not in text or "raises-exception" in text, path.name
        assert "system-message" not in text, path.name


def test_marks_for_nbval_are_not_shown(html):
    shown = [path.name for path in (html / "book").rglob("*.html") if "NBVAL_" in path.read_text(encoding="utf-8")]
    assert shown == []


@pytest.fixture
def tiny_book(tmp_path):
    """A book of one page under the real one's settings; a function that writes the page and builds."""
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    (tmp_path / "_config.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: book/index\n", encoding="utf-8")
    for folder in ("_ext", "book/web"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    shutil.copy(ROOT / "CITATION.cff", tmp_path)

    def build_with(*cells, references=""):
        (tmp_path / "book" / "references.bib").write_text(references, encoding="utf-8")
        page = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_markdown_cell("# A page"), *cells],
            metadata={"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}},
        )
        nbformat.write(page, tmp_path / "book" / "index.ipynb")
        return toc.build(tmp_path)

    return build_with


def test_a_sound_chapter_builds(tiny_book):
    run = tiny_book(nbformat.v4.new_code_cell("1 + 1"))
    assert run.returncode == 0, run.stderr


def test_the_start_of_a_chapter_builds(tiny_book):
    begun = nbformat.read(ROOT / "book" / "templates" / "chapter.ipynb", 4).cells
    works = nbformat.v4.new_markdown_cell("```{bibliography}\n```")
    terms = nbformat.v4.new_markdown_cell("```{glossary}\nunit\n  One.\n\nmapping\n  Another.\n```")
    run = tiny_book(*begun[2:], works, terms, references=(ROOT / "book" / "references.bib").read_text(encoding="utf-8"))
    assert run.returncode == 0, run.stderr


def test_a_chapter_that_raises_turns_the_build_red(tiny_book):
    run = tiny_book(nbformat.v4.new_code_cell("raise RuntimeError('a broken chapter')"))
    assert run.returncode != 0
    assert "a broken chapter" in run.stdout + run.stderr


SLIPS = {
    "[nowhere](no_such_page.md)": "no_such_page.md",
    "{ref}`no-such-label`": "no-such-label",
    "{glue:text}`no_such_number`": "no_such_number",
    "{cite}`nobody2000`": "nobody2000",
    "```{chapter-map} hour day\nindex: hour\n```": "chapter-map: expected",
}


def test_a_slip_in_the_prose_turns_the_build_red(tiny_book):
    """One does, and each of several is named."""
    slip, *further = map(nbformat.v4.new_markdown_cell, SLIPS)
    assert tiny_book(slip).returncode != 0
    run = tiny_book(slip, *further)
    assert run.returncode != 0
    said = [line for line in run.stderr.splitlines() if "WARNING" in line or "ERROR" in line]
    assert [name for name in SLIPS.values() if not any(name in line for line in said)] == []


# ------------------------------------------------------------------ what `make book` says

NOISE = "import os\nos.write(2, b'a library talks')\n"


def write_chapter(root, name, code):
    cells = [nbformat.v4.new_markdown_cell(f"# {name}"), nbformat.v4.new_code_cell(NOISE + code)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=lean.NOTEBOOK_METADATA), root / f"book/{name}.ipynb")


@pytest.fixture
def two_chapters(tiny_book, tmp_path):
    """A book of two chapters, of which the second is broken."""
    (tmp_path / "book" / "index.md").write_text("# A book\n")
    (tmp_path / "book" / "references.bib").write_text("")
    contents = {"format": "jb-book", "root": "book/index"}
    parts = [{"caption": "A part", "chapters": [{"file": f"book/{name}"} for name in ("01_sound", "02_broken")]}]
    (tmp_path / "_toc.yml").write_text(yaml.safe_dump(contents | {"parts": parts}), encoding="utf-8")
    write_chapter(tmp_path, "01_sound", "1 + 1")
    write_chapter(tmp_path, "02_broken", "raise RuntimeError('a broken ' + 'chapter')")
    return tmp_path


def test_making_the_book_says_how_long_each_chapter_took_and_no_more_unless_one_fails(two_chapters, capfd):
    assert make_book.main(two_chapters) == 1
    log, screen = two_chapters / "_build" / "book.log", capfd.readouterr()
    assert re.search(r"^ +[12] of +2 +\d+ s  01_sound$", screen.out, re.MULTILINE)
    assert re.search(r"^ +[12] of +2 +\d+ s  02_broken FAILED$", screen.out, re.MULTILINE)
    told = screen.out.partition("book/02_broken.ipynb failed:")[2]
    assert "raise RuntimeError('a broken ' + 'chapter')" in told
    assert "RuntimeError: a broken chapter" in re.sub(r"\x1b\[[\d;]*m", "", told)  # without colors
    assert told.endswith(f"The full log is in {log}\n")
    assert not (two_chapters / "_build" / "html").exists()

    write_chapter(two_chapters, "02_broken", "2 + 2")
    assert make_book.main(two_chapters) == 0
    lines = capfd.readouterr().out.splitlines()
    assert [re.sub(r" +\d+ s", " N s", line) for line in lines] == [
        f"Chapters to execute: 1, {min(os.cpu_count(), 4)} at a time.",
        "   1 of  1 N s  02_broken",
        "Writing the pages.",
        " N s",
        f"The full log is in {log}",
    ]
    assert "a library talks" in log.read_text(encoding="utf-8")
    assert (two_chapters / "_build" / "html" / "book" / "02_broken.html").exists()


def test_making_the_book_says_which_page_is_at_fault(two_chapters, capfd):
    write_chapter(two_chapters, "02_broken", "2 + 2")
    (two_chapters / "book" / "index.md").write_text("# A book\n\n[nowhere](no_such_page.md)\n")
    assert make_book.main(two_chapters) == 1
    told = capfd.readouterr().out.partition("The pages could not be written:")[2]
    assert "index.md" in told
    assert "no_such_page.md" in told

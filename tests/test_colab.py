"""Chapters in an environment like Colab's: the stub is taken for Colab, and what goes wrong there is named."""

import colab
import lean
import nbformat
import pytest
from address import ROOT
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

CODE, MARKDOWN = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell


def chapter(*sources):
    setup = CODE(lean.colab_source(), metadata={"tags": ["remove-cell", "colab-setup"]})
    return nbformat.v4.new_notebook(cells=[setup, MARKDOWN("# A chapter"), *map(CODE, sources)])


def test_the_kernel_is_taken_for_colabs_by_set_up_cells_and_by_anywidget():
    shows = "from helpers.show import explore; print(explore.widen(seed=0)._repr_mimebundle_()[1])"
    asks = "print('google.colab' in str(get_ipython()))"
    notebook = nbformat.v4.new_notebook(cells=[CODE(source) for source in (colab.STUB, asks, shows)])
    _, asked, shown = NotebookClient(notebook).execute().cells
    assert asked.outputs[0].text == "True\n"
    assert "custom_widget_manager" in shown.outputs[0].text


def test_a_chapters_set_up_installs_the_checkout_and_the_rest_stays():
    notebook = colab.as_in_colab(chapter("1 + 1"))
    stub, setup, _, title, last = notebook.cells
    assert stub.source == colab.STUB
    assert ROOT.as_uri() in setup.source
    assert "github" not in setup.source
    assert setup.source.replace(ROOT.as_uri(), "") == lean.colab_source().replace(f"git+{colab.repository()}", "")
    assert (title.source, last.source) == ("# A chapter", "1 + 1")


@pytest.mark.parametrize("first", [CODE("1 + 1"), CODE("%pip install elsewhere", metadata={"tags": ["colab-setup"]})])
def test_a_chapter_without_its_set_up_is_refused(first):
    with pytest.raises(ValueError, match="expected a set-up cell"):
        colab.as_in_colab(nbformat.v4.new_notebook(cells=[first]))


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of two chapters, and nothing is really installed."""
    (tmp_path / "book").mkdir()
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text())
    for name in ("01_one", "02_two"):
        nbformat.write(chapter(), tmp_path / "book" / f"{name}.ipynb")
    monkeypatch.setattr(colab, "ROOT", tmp_path)
    monkeypatch.setattr(colab, "CHAPTERS", ["01_one", "02_two"])
    monkeypatch.setattr(colab.subprocess, "run", lambda *args, **kwargs: None)
    monkeypatch.setattr(NotebookClient, "execute", lambda client: None)
    return tmp_path


def test_every_chapter_is_run(book, capsys):
    assert colab.main([]) == 0
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:]] == [
        *(["01_one", "passed"], ["02_two", "passed"])
    ]


def test_a_chapter_that_fails_is_named_and_the_next_is_run(book, monkeypatch, capsys):
    failures = [CellExecutionError("a cell", "NameError", "no such name")]

    def execute(client):
        if failures:
            raise failures.pop()

    monkeypatch.setattr(NotebookClient, "execute", execute)
    assert colab.main([]) == 1
    said = capsys.readouterr().out
    assert "01_one                          FAILED" in said
    assert "02_two                          passed" in said
    assert "a cell" in said


def test_a_set_up_that_changes_what_colab_brings_is_a_failure(book, monkeypatch, capsys):
    brought = iter([colab.versions(), colab.versions(), colab.versions() | {"numpy": "3.0"}])
    monkeypatch.setattr(colab, "versions", lambda: next(brought))
    assert colab.main(["02_two"]) == 1
    assert "-> 3.0" in capsys.readouterr().out


def test_an_unknown_chapter(capsys):
    assert colab.main(["99_nothing"]) == 2
    assert "no chapter 99_nothing" in capsys.readouterr().out


def test_the_environment_has_what_colab_brings():
    listed = {line.split("=")[0].split("<")[0] for line in (ROOT / "tests/colab.txt").read_text().splitlines()}
    assert set(colab.BROUGHT) <= listed | {"ipywidgets"}

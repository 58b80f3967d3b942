"""The chapters as committed: lean, well formed, ready for Colab; and a check that nbval really compares."""

import os
import re
import shutil
import statistics
import subprocess
import sys

import address
import chapter
import lean
import nbformat
import pytest
import toc
import trust
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient

ROOT = address.ROOT
CHAPTERS = [pytest.param(path, id=path.stem) for path in toc.chapters()]
pytestmark = pytest.mark.skipif(not CHAPTERS, reason="no chapters in _toc.yml")


@pytest.fixture(params=CHAPTERS)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, 4)


@pytest.fixture
def prose(notebook):
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def test_there_are_chapters():
    assert (
        len(CHAPTERS) == sum(map(toc.is_chapter, toc.documents())) - 2
    )  # the lab and the reader's own network are no notebooks


# ------------------------------------------------------------------ lean


def test_notebook_is_lean(path):
    assert path.read_text(encoding="utf-8") == lean.tidy(path), f"{path.name} is not as committed; run `make tidy`"


def test_compared_cells_hold_the_text_they_are_compared_with(notebook):
    checked = [cell for cell in notebook.cells if lean.is_checked(cell)]
    assert checked, "no cell is compared; mark those that state a fact with # NBVAL_CHECK_OUTPUT"
    for cell in checked:
        assert cell.outputs, f"run the chapter and save it, then `make tidy`; no output stands under:\n{cell.source}"


def test_lean_takes_away_what_is_not_committed():
    new = nbformat.v4
    picture = new.new_output("display_data", data={"image/png": "iVBORw0KGgo=", "text/plain": "<Figure>"})
    widget = new.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
    errors = new.new_output("stream", name="stderr", text="a progress bar")
    number = new.new_output("execute_result", data={"text/plain": "3"}, execution_count=7)
    timing = {"tags": ["x"], "execution": {"iopub.execute_input": "2026"}, "collapsed": False}
    cells = [
        new.new_code_cell("plot()", outputs=[picture, errors], execution_count=6, metadata=timing),
        new.new_code_cell(f"{lean.CHECKED}\n1 + 2", outputs=[widget, number, errors], execution_count=7),
    ]
    made = lean.lean(new.new_notebook(cells=cells, metadata={"widgets": {}, "colab": {}}))
    assert [cell.execution_count for cell in made.cells] == [None, None]
    assert made.cells[0].outputs == []
    assert made.cells[0].metadata == {"tags": ["x"]}
    assert [output.data for output in made.cells[1].outputs] == [{"text/plain": "3"}]
    assert made.cells[1].outputs[0].execution_count is None
    assert set(made.metadata) == {"kernelspec", "language_info"}
    assert lean.lean(made) == made
    assert cells[0].execution_count == 6, "the notebook given is not changed"


# ------------------------------------------------------------------ Colab


def test_first_cell_sets_up_colab(notebook):
    first = notebook.cells[0]
    assert lean.is_colab(first)
    assert "remove-cell" in first.metadata.tags
    assert first.source == lean.colab_source()
    assert sum(lean.is_colab(cell) for cell in notebook.cells) == 1


def test_second_cell_links_to_colab(path, notebook):
    owner, name = address.parts(address.repository())
    link = f"https://colab.research.google.com/github/{owner}/{name}/blob/main/book/{path.name}"
    assert link in notebook.cells[1].source


# ------------------------------------------------------------------ the form of a chapter


def test_chapter_opens_with_its_card(notebook):
    opening = notebook.cells[1]
    assert opening.cell_type == "markdown"
    assert re.match(r"# \S", opening.source)
    assert re.search(r":class:.*\bchapter-card\b", opening.source)
    for promise in ("**You will learn**", "**You need**", "**Reading time**"):
        assert promise in opening.source


def test_chapter_has_its_form(prose):
    assert trust.form_faults(prose) == []


SOUND = (
    """# A title

## Check yourself

## Summary

## Exercises

"""
    + "\n".join(
        f"""````{{exercise}} An exercise
:label: ex-{n}
````
````{{solution}} ex-{n}
:class: dropdown
````
"""
        for n in range(3)
    )
    + "\n## Read on\n"
)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("# A title", "A title", "one title"),
        ("## Summary", "## In short", "closing sections"),
        ("## Read on", "## Summary", "closing sections"),
        ("## Check yourself", "", "closing sections"),
        (":label: ex-2", ":label: ex-9", "no solution of ex-9"),
        (":label: ex-2", "", "three exercises"),
        (":class: dropdown", ":class: tip", "ex-0 is not collapsed"),
    ],
)
def test_a_lack_of_form_is_noticed(old, new, fault):
    assert trust.form_faults(SOUND) == []
    assert fault in "\n".join(trust.form_faults(SOUND.replace(old, new)))


def test_set_up_is_folded_and_figures_have_captions(notebook):
    assert trust.code_faults(notebook.cells) == []


def figure_cell(**figure):
    own = {"image": {"alt": "A curve that rises"}, "figure": figure}
    return nbformat.v4.new_code_cell("plots.lines(a)", metadata={"tags": ["hide-input"], "mystnb": own})


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        (figure_cell(caption="The curve rises.", name="fig-01-curve"), ""),
        (figure_cell(caption="The curve rises"), "caption"),
        (figure_cell(), "caption"),
        (figure_cell(caption="Accuracy.", name="fig-01-a"), "caption"),
        (nbformat.v4.new_code_cell("import os\n\nimport keras"), "not folded"),
        (nbformat.v4.new_code_cell("import os\n\nimport keras", metadata={"tags": ["hide-input"]}), "not folded"),
        (nbformat.v4.new_code_cell("import os\n\nimport keras", metadata={"tags": ["remove-cell"]}), ""),
        (nbformat.v4.new_code_cell('plots.lines(\n    a,\n    title="A",\n)'), "draws only"),
        (nbformat.v4.new_code_cell("plots.lines(a)", metadata={"tags": ["hide-input"]}), ""),
        (nbformat.v4.new_code_cell("a = 1\nplots.lines(a)"), ""),
    ],
)
def test_code_that_is_not_folded_and_figures_without_captions_are_noticed(cell, fault):
    found = "\n".join(trust.code_faults([cell]))
    assert fault in found
    assert bool(found) == bool(fault)


def test_chapter_asks_questions(prose):
    assert trust.quiz_faults(prose) == []


def question(number, answers=("<details", '<details class="right"', "<details")):
    words = ("Right" if "right" in answer else "No" for answer in answers)
    told = (
        f"{answer}><summary>Answer {i}</summary>\n\n**{word}.** And the reason for it.\n\n</details>"
        for i, (answer, word) in enumerate(zip(answers, words, strict=True))
    )
    return "\n\n".join([f"**{number}.** What happens?", *told])


QUIZ = "\n\n".join(["## Check yourself", "Decide.", *map(question, range(1, 5)), "## Summary", "- This."])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("## Check yourself", "## Questions", "got 0"),
        (question(4), "", "got 3"),
        (question(4), "\n\n".join(map(question, range(4, 8))), "got 7"),
        ("**3.**", "**5.**", "numbered from 1"),
        (question(2), question(2, ["<details"] * 3), "question 2: expected one right answer, got 0"),
        (question(2), question(2, ['<details class="right"'] * 3), "question 2: expected one right answer, got 3"),
        (question(1), question(1, ("<details", '<details class="right"')), "question 1: expected three different"),
        ("Answer 2", "Answer 1", "expected three different"),
        (" And the reason for it.", " So.", "has no reason"),
        ("Answer 0<", "Answer $0$<", "Markdown is not read"),
        ("**Right.**", "Right:", "not of the form"),
        ("</details>", "", "not of the form"),
        (' class="right"', "", "marked as the other kind"),
        ("<details><", '<details class="right"><', "marked as the other kind"),
    ],
)
def test_a_fault_of_the_questions_is_noticed(old, new, fault):
    assert trust.quiz_faults(QUIZ) == []
    assert old in QUIZ
    assert fault in "\n".join(trust.quiz_faults(QUIZ.replace(old, new)))


def test_guesses_have_their_form(prose):
    assert trust.guess_faults(prose) == []


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ((), ""),
        (("<details", '<details class="right"', "<details"), ""),
        (("<details", '<details class="right"'), "three guesses, got 2"),
        (("<details", '<details class="right"', "<details", "<details"), "three guesses, got 4"),
        (("<details", "<details", "<details"), "one right answer, got 0"),
    ],
)
def test_a_fault_of_the_guesses_is_noticed(answers, fault):
    box = (
        f":::{{admonition}} Predict\n:class: predict\n\n{question(1, answers)}\n:::\n\n<details>another</details>\n:::"
    )
    found = "\n".join(trust.guess_faults(box))
    assert fault in found
    assert bool(found) == bool(fault)


def test_numbers_in_prose_are_measured(notebook):
    cells = [
        (n, trust.typed_numbers(cell.source)) for n, cell in enumerate(notebook.cells) if cell.cell_type == "markdown"
    ]
    typed = {f"cell {n}": numbers for n, numbers in cells if numbers}
    assert typed == {}, "glue what was measured; a setting is mathematics, $0.1$, or code, `0.1`"


@pytest.mark.parametrize(
    ("prose", "typed"),
    [
        ("It ends at 94.95, after 3 epochs.", ["94.95"]),
        ("A share of 94.95 % or 3% is **2.5**.", ["94.95", "3%", "2.5"]),
        ("```{admonition} Predict\nOr is it 12 percent?\n```", ["12 percent"]),
        ("{cite:p}`a2016` found 97.1. We find 98.2.", ["98.2"]),
        ("{glue:text}`gap:.2f`, $0.5$, `0.1`, [here](a-3.15.md), version 3.15.1 and\n```python\n0.7\n```", []),
        ("<details><summary><code>2.5</code> or 3.5</summary>", ["3.5"]),
        ("$$\n0.25\n$$\n\n{cite:t}`a2016`, section 2.4, has 97.1.", []),
    ],
)
def test_typed_numbers_are_noticed(prose, typed):
    assert trust.typed_numbers(prose) == typed


def test_first_use_of_a_term_is_linked(prose):
    assert trust.unlinked_terms(prose, GLOSSARY) == [], "say {term}`unit`, or {term}`units <unit>`"


GLOSSARY = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("prose", "unlinked"),
    [
        ("A {term}`unit`, two units, {term}`Shares <share>`, a share.", []),
        ("A unit.", ["unit"]),
        ("Two Units, and a {term}`unit`.", ["unit"]),
        ("A\n{term}`teacher`'s identity\nlayers", ["identity layer"]),
        ("{term}`Channel groups <channel group>`, and a channel.", ["channel"]),
        ("Which symmetries? Function-preserving ones.", ["function-preserving", "symmetry"]),
        (":::{admonition} Predict\n:class: predict\n\nA gap?\n:::", ["gap"]),
        ("<details><summary>It is noise.</summary>", ["noise"]),
        (":::{admonition} About this chapter\n:class: chapter-card\n\nA gap.\n:::\n\nA width.", ["width"]),
        ("## A gap\n\n`unit` and $unit$, $a<b$\n\n```python\nwidth\n```\n[this](gap.md), a community", []),
    ],
)
def test_a_term_that_is_not_linked_is_noticed(prose, unlinked):
    assert [fault.partition(":")[0] for fault in trust.unlinked_terms(prose, GLOSSARY)] == unlinked


@pytest.mark.parametrize("page", sorted((ROOT / "book").rglob("*.md")) + toc.chapters(), ids=lambda page: page.stem)
def test_terms_are_in_the_glossary(page):
    text = page.read_text(encoding="utf-8") if page.suffix == ".md" else sources(page)[0]
    assert trust.unknown_terms(text, GLOSSARY) == []


@pytest.mark.parametrize(
    ("prose", "unknown"),
    [
        ("a {term}`Teacher`, {term}`its\nstudents <student>`", []),
        ("a {term}`pupil` and {term}`teachers`", ["pupil", "teachers"]),
        ("their {term}`student <teachers>`", ["teachers"]),
    ],
)
def test_a_term_that_the_glossary_lacks_is_noticed(prose, unknown):
    assert trust.unknown_terms(prose, GLOSSARY) == unknown


NOTATION = (ROOT / "book" / "notation.md").read_text(encoding="utf-8")


def sources(path):
    cells = nbformat.read(path, 4).cells
    return ["\n\n".join(cell.source for cell in cells if cell.cell_type == kind) for kind in ("markdown", "code")]


def test_notation_lists_the_symbols_of_the_chapters():
    chapters = {path.stem: sources(path) for path in toc.chapters()}
    assert trust.notation_faults(NOTATION, chapters) == []


ROW = "| ${}$ | a meaning | $(n,)$ | `{}` | [2, A section](02_a.ipynb#a-section) |"


@pytest.mark.parametrize(
    ("page", "prose", "faults"),
    [
        (ROW.format(r"\delta_l", "delta"), r"So $x\delta_l$ for $n$, and `$z$`.", [r"x: in"]),
        (ROW.format(r"l \delta_l", "delta(x)"), "$$\n\\max \\text{of all} l\\delta_l\n$$", []),
        (ROW.format(r"\eta", "delta"), r"$\beta$ and $\beta\eta_1$", [r"\beta: in 02_a"]),
        (ROW.format("h", "delta"), r"$\hat{h_1}$ and $nh$", []),
        (ROW.format("h", "delta"), r"$\chi$, $\theta$", ["h: no formula of 02_a", r"\theta: in 02_a"]),
        (ROW.format("h", "gamma"), "$h$", ["h: no code of the chapters has gamma"]),
        (ROW.format("h", "delta"), "$h + q$", ["q: in 02_a, not listed"]),
        (ROW.format("h", "delta").replace("| a meaning ", ""), "$h$", ["a row is not of the form"]),
    ],
)
def test_a_fault_of_the_notation_is_noticed(page, prose, faults):
    found = trust.notation_faults(page, {"02_a": (prose, "delta = 1")})
    assert [fault.startswith(start) for fault, start in zip(found, faults, strict=True)] == [True] * len(faults)


def test_code_cells_are_short(notebook):
    lengths = [len(cell.source.splitlines()) for cell in notebook.cells[1:] if cell.cell_type == "code"]
    assert statistics.median(lengths) <= 10, f"half of the cells are longer: {sorted(lengths)}"


def test_pictures_in_prose_are_local_and_described(prose):
    for text, target in re.findall(r"!\[(.*?)\]\((\S+?)\)", prose):
        assert text, f"{target} has no alt text"
        assert "//" not in target, f"{target} comes from another host"


# ------------------------------------------------------------------ the template for readers' models

YOURS = ROOT / "book" / "templates" / "your_model.ipynb"


def test_template_is_committed_as_chapters_are():
    assert YOURS.read_text(encoding="utf-8") == lean.tidy(YOURS), "run `make tidy`"
    cells = nbformat.read(YOURS, 4).cells
    assert cells[0].source == lean.colab_source()
    link = f"/blob/main/{YOURS.relative_to(ROOT).as_posix()}"
    assert link in cells[1].source
    assert link in (ROOT / "book" / "07_your_own_model.ipynb").read_text(encoding="utf-8")


@pytest.mark.slow
def test_template_takes_another_model_where_it_says_so():
    """With other data and a model of another kind in the two marked cells, all the others run and find it the same."""
    yours = {
        "# your data here": "x, y = np.random.rand(96, 6, 6, 2), np.arange(96) % 3\n"
        "data, validation = (x[:64], y[:64]), (x[64:], y[64:])",
        "# your model here": "def my_model():\n"
        "    image, norm = keras.Input((6, 6, 2)), layers.Normalization()\n"
        "    norm.adapt(5 + 3 * x)\n"
        "    rows = layers.Conv2D(4, 3, activation='relu')(norm(image))\n"
        "    rows = layers.Add()([rows, layers.Conv2D(4, 3, padding='same')(rows)])\n"
        "    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(rows)))\n"
        "    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)\n"
        "    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss, metrics=['accuracy'])\n"
        "    return model",
    }
    notebook = nbformat.read(YOURS, 4)
    for cell in notebook.cells:
        cell.source = yours.pop(cell.source.partition("\n")[0], cell.source)
    assert yours == {}
    starts = "first = runs[runs['update'] == 0].groupby('arm')['val_loss'].first()\n"
    starts += "print(abs(first['net2wider'] - first['teacher_continued']) < 1e-5)"
    notebook.cells.append(nbformat.v4.new_code_cell(starts))
    NotebookClient(notebook, timeout=300).execute()
    (proof,) = [cell for cell in notebook.cells if lean.is_checked(cell)]
    assert proof.outputs[-1].text == "same function: True\n"
    assert notebook.cells[-1].outputs[-1].text == "True\n"


# ------------------------------------------------------------------ the start of a new chapter


@pytest.fixture
def copy_of_book(tmp_path):
    """What the chapters' tests read, in another place."""
    for folder in ("book", "tests", ".github"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    for name in ("_config.yml", "_toc.yml", "pyproject.toml", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


@pytest.mark.slow
def test_a_new_chapter_passes_the_tests_of_chapters(copy_of_book):
    """All of them, in a book that has the chapter; and they do not pass once its summary is gone."""
    taken = {path.name[:2] for path in toc.chapters() if path.name[:2].isdigit()}
    number = min({f"{n:02}" for n in range(1, 100)} - taken)
    page = chapter.start(f"{number}_in_between", copy_of_book)[0]
    assert "# In between\\n" in page.read_text(encoding="utf-8")
    first_page = (copy_of_book / "book" / "index.md").read_text(encoding="utf-8")
    listed = re.findall(r"^(\d+)\. \[.*\]\((\d\d)_", first_page, re.MULTILINE)
    assert [int(place) for place, _ in listed] == list(range(1, len(listed) + 1))
    assert [of for _, of in listed] == sorted(taken | {number})
    rules = f"{page.stem} or reading_order or in_the_contents or on_the_map or lists_the_chapters"
    files = ["tests/test_notebooks.py", "tests/test_build.py", "tests/test_project.py", f"book/{page.name}"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", rules, *files]
    run = subprocess.run(command, cwd=copy_of_book, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout[-3000:]
    page.write_text(page.read_text(encoding="utf-8").replace("## Summary", "## In short"), encoding="utf-8")
    broken = subprocess.run([*command, "-x"], cwd=copy_of_book, capture_output=True, text=True)
    assert "closing sections" in broken.stdout


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("", "two digits"),
        ("Fifteen", "two digits"),
        ("15-lines", "two digits"),
        ("01_first", "has that number already"),
    ],
)
def test_a_name_that_does_not_fit_is_refused(name, fault, capsys):
    assert chapter.main([name]) == 1
    assert fault in capsys.readouterr().out


# ------------------------------------------------------------------ nbval itself


@pytest.mark.parametrize(("stored", "passes"), [("same function: True\n", True), ("same function: False\n", False)])
@pytest.mark.parametrize("built", [False, True])
def test_nbval_compares_marked_cells(tmp_path, built, stored, passes):
    """With what a kernel prints; in a book that is built, with what was printed then."""
    code = f"{lean.CHECKED}\nprint('same function:', {'a kernel was asked' if built else True!r})"
    notebook = one_cell(code, stored)
    (tmp_path / "book").mkdir()
    nbformat.write(lean.lean(notebook), tmp_path / "book" / "canary.ipynb")
    shutil.copy(ROOT / "book" / "conftest.py", tmp_path / "book")
    if built:
        executed = CacheBundleIn(one_cell(code, "same function: True\n"), "canary.ipynb")
        get_cache(tmp_path / "_build" / ".jupyter_cache").cache_notebook_bundle(executed)
        (tmp_path / "_build" / ".built").touch()
    command = [sys.executable, *"-m pytest --nbval-lax --nbval-current-env -q -p no:cacheprovider book".split()]
    paths = {"PYTHONPATH": str(ROOT / "tests")}
    run = subprocess.run(command, cwd=tmp_path, env=os.environ | paths, capture_output=True, text=True)
    assert (run.returncode == 0) == passes, run.stdout


def one_cell(code, text):
    output = nbformat.v4.new_output("stream", name="stdout", text=text)
    cell = nbformat.v4.new_code_cell(code, outputs=[output], execution_count=1)
    return nbformat.v4.new_notebook(cells=[cell], metadata=lean.NOTEBOOK_METADATA)


def test_a_book_is_built_until_what_it_is_made_from_changes(tmp_path):
    chapter, stamp = tmp_path / "book" / "chapter.ipynb", tmp_path / "_build" / ".built"
    for file in (chapter, stamp):
        file.parent.mkdir()
        file.touch()
    assert toc.is_built(tmp_path)
    later = stamp.stat().st_mtime + 1
    for aside in ("__pycache__/conftest.pyc", ".ipynb_checkpoints/chapter.ipynb"):
        (chapter.parent / aside).parent.mkdir()
        (chapter.parent / aside).touch()
        os.utime(chapter.parent / aside, (later, later))
    assert toc.is_built(tmp_path)
    os.utime(chapter, (later, later))
    assert not toc.is_built(tmp_path)
    stamp.unlink()
    assert not toc.is_built(tmp_path)


def wrong_numbers(text, chapters):
    """The links that call a chapter by another number than the one that it is shown with."""
    links = re.findall(r"\[(?:[Cc]hapter )?(\d+)\]\((\d\d_\w+)\.ipynb", text)
    return [(number, name) for number, name in links if int(number) != chapters.index(f"book/{name}") + 1]


def test_chapters_are_called_by_the_numbers_that_they_are_shown_with():
    chapters = [name for name in toc.documents() if re.match(r"book/\d\d_", name)]
    assert wrong_numbers("[chapter 4](04_mathematics.ipynb), [9](02_net2widernet.ipynb#x)", chapters) == [
        ("9", "02_net2widernet")
    ]
    pages = [*ROOT.glob("book/*.md"), *ROOT.glob("book/*.ipynb")]
    assert {page.name: wrong for page in pages if (wrong := wrong_numbers(page.read_text("utf-8"), chapters))} == {}

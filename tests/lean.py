"""What a committed notebook may hold, and the means to make it so: `python tests/lean.py NOTEBOOK ...`.

Code cells keep an output only where nbval compares it, and then only its text. Execution counts, pictures,
widget state, timings and the traces of editors go. The Colab cell is written as the repository's address
demands, and the other code cells are formatted by Ruff (which would break the Colab cell's one line).
With --check, nothing is written.
"""

import copy
import subprocess
import sys
from pathlib import Path

import address
import nbformat

CHECKED = "# NBVAL_CHECK_OUTPUT"
TEXT = {"text/plain", "text/html", "text/markdown", "text/latex"}
CELL_METADATA = {"tags", "mystnb"}
NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def is_checked(cell):
    """Return whether nbval compares what this cell prints."""
    return cell.cell_type == "code" and cell.source.startswith(CHECKED)


def is_colab(cell):
    """Return whether this is the cell that sets up Colab."""
    return cell.cell_type == "code" and "colab-setup" in cell.metadata.get("tags", [])


def colab_source():
    """Return the one line that installs the book's package in Colab and does nothing elsewhere."""
    pip = f"install -q 'net2net-book[chapters] @ git+{address.repository()}'"
    return f'if "google.colab" in str(get_ipython()): get_ipython().run_line_magic("pip", "{pip}")'


def lean_output(output):
    """Return the part of an output that is committed, or None."""
    if output.output_type == "stream":
        return output if output.name == "stdout" else None
    if output.output_type not in ("display_data", "execute_result"):
        return None
    data = {mime: text for mime, text in output.data.items() if mime in TEXT}
    if not data:
        return None
    kept = nbformat.v4.new_output(output.output_type, data=data)
    if output.output_type == "execute_result":
        kept.execution_count = None
    return kept


def lean(notebook):
    """Return a copy of a notebook as it is committed, its code not yet formatted."""
    notebook = copy.deepcopy(notebook)
    notebook.metadata = nbformat.from_dict(NOTEBOOK_METADATA)
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict({k: v for k, v in cell.metadata.items() if k in CELL_METADATA and v})
        cell.pop("attachments", None)
        cell.source = cell.source.strip("\n")
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        kept = [lean_output(output) for output in cell.outputs] if is_checked(cell) else []
        cell.outputs = [output for output in kept if output is not None]
        if is_colab(cell):
            cell.source = colab_source()
    return notebook


def format_code(notebook):
    """Format the code cells of a notebook in place, all but the one for Colab."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and not is_colab(cell)]
    draft = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell.source) for cell in cells],
        metadata=nbformat.from_dict(NOTEBOOK_METADATA),
    )
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", "chapter.ipynb", "-"]
    run = subprocess.run(command, input=nbformat.writes(draft), capture_output=True, text=True, cwd=address.ROOT)
    if run.returncode:
        raise SystemExit(run.stderr)
    for cell, formatted in zip(cells, nbformat.reads(run.stdout, 4).cells, strict=True):
        cell.source = formatted.source.strip("\n")


def tidy(path):
    """Return the text of the notebook at `path` as it should be committed."""
    notebook = lean(nbformat.read(path, 4))
    format_code(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def main(arguments):
    """Tidy the named notebooks, or only say which are not tidy."""
    check = "--check" in arguments
    untidy = []
    for path in (Path(name) for name in arguments if not name.startswith("-")):
        text = tidy(path)
        if text != path.read_text(encoding="utf-8"):
            untidy.append(path)
            if not check:
                path.write_text(text, encoding="utf-8")
    for path in untidy:
        print(f"{path}: not as committed; run `make tidy`" if check else f"{path}: tidied")
    return 1 if check and untidy else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

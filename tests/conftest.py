"""What all tests share: quiet libraries, steady property tests, the built book, and the last screen."""

import gc
import os
import shutil

import cores
import pytest
import screen
import toc
from address import ROOT

collect_ignore = ["conftest.py", "mutation.py"]  # no doctests here

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    cores.one_thread()  # the chapters' kernels inherit this

try:
    from hypothesis import settings
except ImportError:  # the code can be tested without it
    pass
else:
    # No deadline: the first example pays for imports and compilation. The same examples on every run in CI.
    settings.register_profile("book", deadline=None)
    settings.register_profile("ci", deadline=None, derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "book")


@pytest.fixture(scope="session")
def html():
    """The folder of the built pages."""
    if not toc.is_built(ROOT):
        pytest.fail("the book was not built since its last change; run `make book` first", pytrace=False)
    return ROOT / "_build" / "html"


def find_chromium():
    # Without windows it opens a page in a third of the processor's time.
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser():
    executable = find_chromium()
    if executable is None:
        message = "No Chromium found: pages are NOT tested in a browser. Install it, or set CHROMIUM to its path."
        if os.environ.get("CI"):
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        # No host is found but this machine: a page that asks another one is told so, and is heard.
        only_here = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        chromium = driver.chromium.launch(executable_path=executable, args=[only_here])
        yield chromium
        chromium.close()


def pytest_collection_finish():
    """Look for garbage seldom, and not among what the libraries hold: a fifth of the time."""
    gc.freeze()
    gc.set_threshold(100_000)


def pytest_terminal_summary(terminalreporter):
    """End with what is wrong and where, and with where the time went."""
    reports = [one for kind in terminalreporter.stats.values() for one in kind if isinstance(one, pytest.TestReport)]
    for title, lines in screen.last(reports).items():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)

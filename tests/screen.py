"""The last screen of a test run: where the time went, what was skipped, and a line for each test that failed."""

import collections
import functools
import os
import re

from address import ROOT


def last(reports):
    """Return the lines of the last screen, under their titles."""
    spent = collections.Counter()
    for report in reports:
        spent[part_of(report.nodeid)] += report.duration
    screen = {
        "where the time went, added up over processes": [f"make {part:16}{s:6.0f} s" for part, s in spent.most_common()]
    }
    skipped = collections.Counter(
        report.longrepr[2].removeprefix("Skipped: ")
        for report in reports
        if report.skipped and isinstance(report.longrepr, tuple)
    )
    if skipped:
        screen["what was not tested, and why"] = [f"{tests:4} skipped: {why}" for why, tests in skipped.items()]
    if wrong := [fault_of(report) for report in reports if report.failed]:
        screen["what is wrong, and where"] = wrong
    return screen


@functools.cache
def on_pages():
    """Return the names of the tests of the built pages, as the Makefile has them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return re.search(r"^ON_PAGES := (.*)$", makefile, re.MULTILINE)[1].split()


def part_of(nodeid):
    """Return the command of the Makefile that runs a test by itself: test-core, test-chapters or test-pages."""
    file = nodeid.partition("::")[0]
    name = file.removeprefix("tests/test_").removesuffix(".py")
    if file.startswith("book/") or name == "notebooks":
        return "test-chapters"
    return "test-pages" if name in on_pages() else "test-core"


def fault_of(report):
    """Return where a test failed and why, in one line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    words = [line.strip() for line in (crash.message if crash else str(report.longrepr)).splitlines() if line.strip()]
    place = f" ({os.path.relpath(crash.path, ROOT)}:{crash.lineno})" if crash else ""
    return f"{report.nodeid}{place}: {(words or ['no reason given'])[0][:200]}"

"""Two minutes of training in the page: `python benchmarks/lab.py [SECONDS]`.

Chromium trains a teacher and its eight students as fast as it goes. Asked for are tasks of the page over 50 ms, the
memory before and after, updates a second, and the accuracy that NumPy reaches with the same seed and the same number of
updates. Tasks are measured in processor time, which other programs on the machine do not lengthen; their time by the
clock is printed beside it.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import find_chromium  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from helpers.show import lab  # noqa: E402
from helpers.show.explore import element  # noqa: E402

LONG, GROWTH, APART = 50, 0.1, 0.02  # milliseconds; part of the memory; accuracy
LAST = 20  # points of a curve that are compared, as their mean: by then rounding has led page and NumPy apart
LAB = "document.querySelector('net2net-lab')"


def page_of_lab(folder):
    """A page with the lab and nothing else; its address."""
    for path in element.WEB.glob("*.*"):
        shutil.copy(path, folder)
    (folder / lab.DIGITS).write_text(lab.script(), encoding="utf-8")
    scripts = "".join(f'<script defer src="{name}"></script>' for name in element.scripts(lab.TAG))
    page = folder / "page.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8"><link rel="stylesheet" href="{element.STYLE}">{scripts}'
        f"{lab.lab(speed=3).markup()}",
        encoding="utf-8",
    )
    return page.as_uri()


def memory(session):
    """Bytes that JavaScript holds once its garbage is collected."""
    session.send("HeapProfiler.collectGarbage")
    metrics = session.send("Performance.getMetrics")["metrics"]
    return next(metric["value"] for metric in metrics if metric["name"] == "JSHeapUsedSize")


def tasks_of_page(events):
    """Milliseconds of processor and of clock for every task of the page's main thread."""
    main = {(e["pid"], e["tid"]) for e in events if e.get("args", {}).get("name") == "CrRendererMain"}
    return [
        (event.get("tdur", 0) / 1000, event["dur"] / 1000)
        for event in events
        if (event["pid"], event["tid"]) in main and event.get("name", "").endswith("RunTask") and event["ph"] == "X"
    ]


def main(seconds):
    """Train, measure and compare; return whether all is well."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        page.goto(page_of_lab(Path(folder)))
        browser.start_tracing(page=page, categories=["toplevel"])
        page.get_by_role("button", name="Step", exact=True).click()
        page.wait_for_function(f"{LAB}.runs[0]?.net.updates === 25 && !{LAB}.playing")
        page.get_by_role("button", name="All eight").click()
        page.wait_for_function(f"{LAB}.runs.length === 9 && {LAB}.runs.every((run) => !run.check)")
        page.get_by_role("button", name="Train", exact=True).click()
        page.wait_for_timeout(1000 * seconds / 4)
        before = memory(session)
        page.wait_for_timeout(3000 * seconds / 4)
        after = memory(session)
        page.get_by_role("button", name="Pause").click()
        page.wait_for_function(f"!{LAB}.runs.some((run) => run.check)")
        runs = page.evaluate(f"{LAB}.runs.map(({{ kind, points }}) => [kind, points.slice(-{LAST})])")
        tasks = tasks_of_page(json.loads(browser.stop_tracing())["traceEvents"])
        browser.close()

    made = sum(points[-1][0] - 25 for _, points in runs[1:])
    print(f"{made:,} updates in {seconds:.0f} s, {made / seconds:.0f} a second")
    longest = max(processor for processor, _ in tasks)
    print(f"longest of {len(tasks):,} tasks: {longest:.0f} ms ({max(clock for _, clock in tasks):.0f} ms by the clock)")
    print(f"memory: {before / 1e6:.2f} MB after a quarter of the time, {after / 1e6:.2f} MB at the end")
    well = longest <= LONG and after < before * (1 + GROWTH)
    train, test = lab._tables()
    teacher = lab.teacher()
    teacher.train(*train, 25)
    for kind, points in runs[1:]:
        net, wanted = lab.grow(teacher, kind, 32), []
        for updates, *_ in points:
            net.train(*train, updates - net.updates)
            wanted.append(net.accuracy(*test))
        found, twin = (sum(row) / len(row) for row in ([accuracy for *_, accuracy in points], wanted))
        well &= abs(found - twin) <= APART
        print(f"{kind:12} {points[-1][0]:6,} updates: {found:.3f} (NumPy {twin:.3f})")
    return well


if __name__ == "__main__":
    sys.exit(0 if main(float(sys.argv[1]) if len(sys.argv) > 1 else 120) else 1)

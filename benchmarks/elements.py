"""How long the explorables take to answer a dragged slider: `python benchmarks/elements.py`.

Chromium drags the width slider of a teacher with 16 units from 16 to 64 and back, with real mouse events, and the
browser's own clock says how long each of them was handled, layout and style included. A frame at 60 Hz has 16.7 ms.
"""

import statistics
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from conftest import find_chromium  # noqa: E402
from playwright.sync_api import sync_playwright  # noqa: E402

from helpers.show import explore  # noqa: E402
from helpers.show.explore import element  # noqa: E402

CLOCK = """() => {
    window.took = [];
    const element = document.querySelector('net2net-widen'), input = element.querySelector('input');
    let begun;
    input.addEventListener('input', () => { begun = performance.now(); }, { capture: true });
    input.addEventListener('input', () => {
        element.getBoundingClientRect();  // what the browser would do before painting
        for (const part of element.querySelectorAll('.n2n-plot path, .n2n-net rect')) part.getBBox();
        window.took.push(performance.now() - begun);
    });
    window.frames = [];
    let last = performance.now();
    const frame = (now) => { window.frames.push(now - last); last = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);
}"""


def wide_teacher(units=16):
    """A teacher of 16 units, as `explore.widen` holds one."""
    rng = np.random.default_rng(0)
    return {
        "w1": rng.normal(0, 2, (1, units)).tolist(),
        "b1": rng.normal(0, 1, units).tolist(),
        "w2": rng.normal(0, 0.5, (units, 1)).tolist(),
        "b2": [0.0],
        "activation": "tanh",
    }


def main():
    """Measure, and print milliseconds."""
    panel = explore.Widen(teacher=wide_teacher(), width=17, mapping=[*range(16), 0], unit=16)
    scripts = "".join((element.WEB / name).read_text() for name in element.scripts(panel.tag))
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=find_chromium())
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        style = (element.WEB / element.STYLE).read_text()
        page.set_content(f"<!doctype html><style>{style}</style>{panel.markup()}<script>{scripts}</script>")
        page.evaluate(CLOCK)
        box = page.get_by_label("Hidden units", exact=True).bounding_box()
        y = box["y"] + box["height"] / 2
        left, right = box["x"] + 12, box["x"] + box["width"] - 12
        page.mouse.move(left, y)
        page.mouse.down()
        for x in (right, left, right):
            page.mouse.move(x, y, steps=120)
        page.mouse.up()
        took, frames = page.evaluate("[took, frames]")
        browser.close()
    for name, times in {"a move of the slider": took, "between frames": frames}.items():
        times.sort()
        high = times[int(0.95 * len(times))]
        print(f"{name:22} {len(times):4} times, median {statistics.median(times):5.1f} ms, 95 % under {high:5.1f} ms")


if __name__ == "__main__":
    main()

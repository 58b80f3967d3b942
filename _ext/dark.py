"""Give each drawing a twin for dark pages: the same lines on the page's ground, in the explorables' colors for it.

Pages hold both, as `on-light` and `on-dark`, and show one. (The theme's own pair of classes would hide a caption, too.)
"""

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

GROUND, INK = (20, 24, 30), (216, 221, 228)  # book.css has them as --n2n-paper and --n2n-ink
PAINTS = {  # as in net2net.css
    "#0072b2": "#56b4e9",
    "#d55e00": "#ff8a3d",
    "#009e73": "#2fc99b",
    "#b0578b": "#e39cc4",
    "#b07a00": "#f0b73a",
    "#333a44": "#dfe4ea",
    "#2e8bc0": "#8fd0f5",
    "#6c737c": "#9aa3ad",
    "#56b4e9": "#8fd0f5",  # the pale line under another
}
COLOR = re.compile(r"#[0-9a-f]{6}\b")
RASTER = re.compile(r"data:image/png;base64,([A-Za-z0-9+/=\s]+)")
DRAWING = re.compile(r'<img (?=[^>]*src="[^":]*_images/[^":]+\.svg")[^>]*>')


def turn(colors):
    """Return colors, red, green and blue on the last axis, with light and dark exchanged and the hue as it was."""
    colors = np.asarray(colors, dtype=float)
    turned = np.clip(colors + 255 - 2 * colors @ [[0.2126], [0.7152], [0.0722]], 0, 255) / 255
    return np.round(GROUND + turned * np.subtract(INK, GROUND)).astype(np.uint8)


def turn_named(match):
    """Return the dark twin of a color as style sheets write it."""
    return PAINTS.get(match[0]) or f"#{bytes(turn([int(match[0][i : i + 2], 16) for i in (1, 3, 5)])).hex()}"


def turn_raster(match):
    """Return the dark twin of a picture that is part of a drawing."""
    pixels = np.array(Image.open(io.BytesIO(base64.b64decode(match[1]))).convert("RGBA"))
    pixels[..., :3] = turn(pixels[..., :3])
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "png", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"


def darken(svg):
    """Return the dark twin of a drawing; what names no color is black."""
    svg = re.sub(r"<svg (?![^>]*\bfill=)", f'<svg fill="#{bytes(INK).hex()}" ', COLOR.sub(turn_named, svg), count=1)
    return RASTER.sub(turn_raster, svg)


def add_twins(app, error):
    """Write the twins, and name them on all pages beside the drawings."""
    if app.builder.format != "html" or error:
        return
    folder = Path(app.outdir)
    for path in (folder / "_images").glob("*.svg"):
        path.with_suffix(".dark.svg").write_text(darken(path.read_text(encoding="utf-8")), encoding="utf-8")
    for path in folder.rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        if (after := DRAWING.sub(both, before)) != before:
            path.write_text(after, encoding="utf-8")


def both(match):
    """Return the markup of a drawing and its twin."""
    tag, classes = re.subn(r'(?<= class=")', "on-light ", match[0])
    light = tag if classes else f'<img class="on-light"{tag.removeprefix("<img")}'
    return light + light.replace("on-light", "on-dark", 1).replace('.svg"', '.dark.svg"', 1)


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", add_twins)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

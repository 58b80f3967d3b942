"""Make pages light: what the theme sends to every reader and no page uses is left out, and nothing waits for a script.

The theme carries Font Awesome twice, as fonts and as a script of 1.5 MB that draws the same icons, and styles for all
that Bootstrap can do.
"""

import html
import logging
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont

FIRST = "documentation_options.js"  # scripts in the page's text read it at once; it is half a kilobyte
LEFT_OUT = re.compile(r'\s*<script [^>]*/fontawesome\.js[^>]*></script>|\s*<link rel="preload" as="script"[^>]*/>')
WAITING = re.compile(rf"<script(?![^>]*\bdefer\b)(?=[^>]*\bsrc=)(?![^>]*{re.escape(FIRST)})")
ICON_FONT = re.compile(r'url\(([^)]*?)\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)')
STRING = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
TOKEN = re.compile(rf"{STRING}|url\((?:{STRING}|[^)]*)\)|[{{}};]")
KEPT_WHOLE = ("@font-face", "@keyframes", "@page", "@property", "@import", "@charset")


def describe(app, pagename, templatename, context, doctree):
    """Give a page a description: its first paragraph that is longer than a heading."""
    texts = (" ".join(one.astext().split()) for one in doctree.findall(nodes.paragraph)) if doctree else ()
    words = next((text for text in texts if len(text) > 40), None)
    if words:
        text = words if len(words) <= 160 else f"{words[:157].rsplit(' ', 1)[0]} …"
        context["metatags"] = (
            f'{context.get("metatags", "")}\n<meta name="description" content="{html.escape(text)}" />'
        )


def lighten(app, error):
    """Go over the pages and the theme's styles once all are written."""
    if app.builder.format != "html" or error:
        return
    folder, used = Path(app.outdir), set()
    for path in folder.rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        after = WAITING.sub("<script defer", LEFT_OUT.sub("", before))
        used.update(re.findall(r"[\w-]+", after))
        if after != before:
            path.write_text(after, encoding="utf-8")
    static = folder / "_static"
    for path in [*static.glob("*.js"), *(static / "scripts").glob("*.js")]:
        if path.name != "fontawesome.js":
            used.update(re.findall(r"[\w-]+", path.read_text(encoding="utf-8")))
    styles = [*static.glob("*.css"), *(static / "styles").glob("*.css")]
    texts = {path: purge(path.read_text(encoding="utf-8"), used) for path in styles}
    icons = {chr(int(code, 16)) for text in texts.values() for code in re.findall(r"\\(f[0-9a-f]{3})\b", text)}
    for path, text in texts.items():
        for font in set(ICON_FONT.findall(text)):
            file = path.parent / font
            write_letters(TTFont(f"{file}.ttf"), icons, f"{file}.woff")
        path.write_text(ICON_FONT.sub(r'url(\1.woff) format("woff")', text), encoding="utf-8")


def write_letters(font, letters, path):
    """Write a font that holds nothing but these letters, and its license, which is a name."""
    options = subset.Options(flavor="woff", desubroutinize=True, layout_features=["*"], name_IDs=["*"])
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=map(ord, letters))
    subsetter.subset(font)
    subset.save_font(font, path, options)


def purge(css, used):
    """Leave out the rules whose classes or ids are no word of any page or script."""
    kept = []
    for rule in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        brace = next((token.start() for token in TOKEN.finditer(rule) if token[0] == "{"), len(rule))
        head, body = rule[:brace].strip(), rule[brace + 1 :]
        if not body or head.startswith(KEPT_WHOLE):
            kept.append(rule)
        elif head.startswith("@"):
            if inner := purge(body[:-1], used):
                kept.append(f"{head}{{{inner}}}")
        elif selectors := [one for one in split(head) if applies(one, used)]:
            kept.append(f"{','.join(selectors)}{{{body}")
    return "\n".join(kept)


def rules(css):
    """Cut a style sheet after each rule's last brace, or its semicolon."""
    start = depth = 0
    for token in TOKEN.finditer(css):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if token[0] in "};" and depth == 0:
            yield css[start : token.end()].strip()
            start = token.end()


def split(head):
    """Split a list of selectors at the commas that stand in no bracket."""
    return [one.strip() for one in re.split(r",(?![^(]*\))(?![^\[]*\])", head)]


def applies(selector, used):
    """Whether all classes and ids of a selector are in use; what stands in brackets may be an alternative."""
    while (bare := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", selector)) != selector:
        selector = bare
    return all(name.replace("\\", "") in used for name in re.findall(r"[.#]((?:[\w-]|\\.)+)", selector))


def setup(app):
    """Register with Sphinx."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    app.connect("html-page-context", describe)
    app.connect("build-finished", lighten)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

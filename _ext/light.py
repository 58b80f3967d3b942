"""Make pages light: what the theme sends to every reader and no page uses is left out, and nothing waits for a script.

The theme carries Font Awesome twice, as fonts and as a script of 1.5 MB that draws the same icons, and styles for all
that Bootstrap can do.
"""

import hashlib
import html
import logging
import os
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont
from PIL import Image
from sphinx.errors import ExtensionError

# Scripts in a page's text read it at once, so a page would wait for this half kilobyte: it goes into the text too.
FIRST = re.compile(r'<script [^>]*src="[^"]*documentation_options\.js[^"]*"></script>')
LEFT_OUT = re.compile(r'\s*<script [^>]*/fontawesome\.js[^>]*></script>|\s*<link rel="preload" as="script"[^>]*/>')
WAITING = re.compile(r"<script(?![^>]*\bdefer\b)(?=[^>]*\bsrc=)")
STYLESHEET = re.compile(r'<link (?=[^>]*rel="stylesheet")[^>]*href="([^":?]+\.css)[^"]*"[^>]*/>')
IMPORT = re.compile(r"""@import\s+(?:url\()?["']?([^"'):]+\.css)[^;]*;""")
PICTURE = re.compile(r'<img(?=[^>]* src="([^":]+)")[^>]*>')
ICON_FONT = re.compile(r'url\(([^)]*?)\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)')
STRING = r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*')"""
# The theme asks each block of code whether it can be scrolled, and so has all of a page laid out, seen or not.
SCROLLS = {
    "{e.tabIndex=e.scrollWidth": "{if(e.checkVisibility?.({contentVisibilityAuto:true})!==false)"
    "e.tabIndex=e.scrollWidth",
    'addEventListener("resize",t),new MutationObserver': 'addEventListener("resize",t),'
    '["contentvisibilityautostatechange","toggle"].forEach(e=>document.addEventListener(e,t,true)),'
    "new MutationObserver",
}
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
    static = folder / "_static"
    options = f"<script>{(static / 'documentation_options.js').read_text(encoding='utf-8')}</script>"
    for path in folder.rglob("*.html"):
        before = path.read_text(encoding="utf-8")
        after = WAITING.sub("<script defer", FIRST.sub(options, LEFT_OUT.sub("", before)))
        used.update(re.findall(r"[\w-]+", after))
        if after != before:
            path.write_text(after, encoding="utf-8")
    let_wait(static / "scripts" / "pydata-sphinx-theme.js")
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
    for path in {*folder.rglob("*.html")} - {*static.rglob("*.html")}:  # the theme leaves a template there
        text = path.read_text(encoding="utf-8")
        path.write_text(give_sizes(together(text, path, static), path), encoding="utf-8")


def let_wait(script):
    """Have the theme's script ask only those blocks whether they can be scrolled that are near what is seen."""
    text = script.read_text(encoding="utf-8")
    for old, new in SCROLLS.items():
        if new not in text and text.count(old) != 1:
            raise ExtensionError(f"{script.name}: expected {old!r} once; the theme has changed, so must _ext/light.py")
        text = text.replace(old, new)
    script.write_text(text, encoding="utf-8")


def together(text, page, static):
    """Let a page ask for one style sheet where it asked for a dozen, each of which held up its first sight."""
    links = STYLESHEET.findall(text)
    files = [(page.parent / link).resolve() for link in links]
    if not files:
        return text
    css = "\n".join(sheet(file, static.resolve()) for file in files)
    name = f"styles-{hashlib.sha256(css.encode()).hexdigest()[:8]}.css"
    (static / name).write_text(css, encoding="utf-8")
    link = f'<link rel="stylesheet" href="{os.path.relpath(static / name, page.parent)}" />'
    first, *rest = STYLESHEET.split(text)[::2]
    return f"{first}{link}{''.join(rest)}"


def sheet(file, target):
    """Read a style sheet and those that it imports, as they must read in the folder `target`."""
    pieces = IMPORT.split(file.read_text(encoding="utf-8"))
    return "".join(
        sheet(file.parent / piece, target) if number % 2 else moved(piece, file.parent, target)
        for number, piece in enumerate(pieces)
    )


def moved(css, source, target):
    """Return a style sheet of one folder as it must read in another."""

    def address(match):
        quote, url = match[1] or "", match[2]
        if re.match(r"[a-z]+:|[#/]", url):
            return match[0]
        return f"url({quote}{Path(os.path.relpath(source / url, target)).as_posix()}{quote})"

    return re.sub(r"""url\(\s*(["']?)([^"')]+)\1\s*\)""", address, css.replace('@charset "UTF-8";', ""))


def give_sizes(text, page):
    """Tell a page the sizes of its pictures, so that nothing jumps, and to load those far below when they come near."""
    found = []

    def sized(match):
        file = page.parent / html.unescape(match[1])
        if " width=" in match[0] or not file.is_file():
            return match[0]
        wide, high = size_of(file)
        found.append(file)
        lazy = ' loading="lazy"' if len(found) > 1 else ""
        return f'<img width="{wide}" height="{high}"{lazy}{match[0].removeprefix("<img")}'

    return PICTURE.sub(sized, text)


def size_of(file):
    """The width and height of a picture, in pixels or in units with the same ratio."""
    if file.suffix == ".svg":
        head = re.search(r"<svg[^>]*>", file.read_text(encoding="utf-8"))[0]
        return [round(float(side)) for side in re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', head).groups()]
    with Image.open(file) as image:
        return image.size


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
    depth, parts = 0, [""]
    for letter in head:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def applies(selector, used):
    """Whether all classes and ids of a selector are in use; what stands in brackets may be an alternative."""
    while (bare := re.sub(r"\([^()]*\)|\[[^\[\]]*\]", "", selector)) != selector:
        selector = bare
    return all(name.replace("\\", "") in used for name in re.findall(r"[.#]((?:[\w-]|\\.)+)", selector))


def setup(app):
    """Register with Sphinx."""
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    app.connect("html-page-context", describe)
    app.connect("build-finished", lighten, priority=700)  # when the theme has written its colors of code
    return {"parallel_read_safe": True, "parallel_write_safe": True}

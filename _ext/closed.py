"""Close every page to what comes from elsewhere, by a content security policy: only the book's own files are loaded.

The few scripts that stand in a page's text, and the handlers that the theme writes into the buttons of any page, are
let in by their hashes, so no other script in the text runs either. Styles may stand in the text: the theme and the
explorables write them.
"""

import base64
import hashlib
import html
import re
from pathlib import Path

OWN = "'self' file:"  # a page that was opened as a file may not count as 'self'; one from a server can load no file
POLICY = {
    "default-src": OWN,
    "script-src": OWN,
    "style-src": f"{OWN} 'unsafe-inline'",
    "img-src": f"{OWN} data:",
    "font-src": f"{OWN} data:",
    "form-action": OWN,
    "object-src": "'none'",
    "base-uri": "'none'",
}
HEAD = re.compile(r"<head>|<meta charset=[^>]*>")
INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?:\s[^>]*)?>(.*?)</script>", re.DOTALL)
HANDLER = re.compile(r'<[^>]*\son[a-z]+="([^"]*)"')


def hashed(code):
    """Return the source expression that lets in one script by its text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'"


def handlers(pages):
    """Return the source expressions of the handlers in these pages."""
    return sorted({hashed(html.unescape(code)) for page in pages for code in HANDLER.findall(page)})


def policy(page, known):
    """Return the policy of a page that holds this text, in a book whose pages have these `handlers`."""
    scripts = sorted({hashed(code) for code in INLINE.findall(page)})
    sources = [POLICY["script-src"], *scripts, *(["'unsafe-hashes'", *known] if known else [])]
    return "; ".join(f"{kind} {where}" for kind, where in (POLICY | {"script-src": " ".join(sources)}).items())


def close(app, error):
    """Write into each page its policy, before anything that a browser would load."""
    if app.builder.format != "html" or error:
        return
    folder = Path(app.outdir)
    paths = [path for path in folder.rglob("*.html") if folder / "_static" not in path.parents]
    pages = [path.read_text(encoding="utf-8") for path in paths]
    # The search reads the other pages for what it shows of them, and a browser holds their handlers against its policy.
    known = handlers(pages)
    for path, page in zip(paths, pages, strict=True):
        # Behind the character set, which browsers look for in the first kilobyte only.
        place = max((found.end() for found in HEAD.finditer(page)), default=0)
        tag = f'\n<meta http-equiv="Content-Security-Policy" content="{policy(page, known)}">\n'
        path.write_text(page[:place] + tag + page[place:], encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", close, priority=900)  # after the extensions that write or change pages
    return {"parallel_read_safe": True, "parallel_write_safe": True}

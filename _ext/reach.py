"""Let the book be found and passed on: previews, a sitemap, and a page for lost readers."""

import shutil
from html import escape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

CARD = "book/images/book.png"
LOST = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>No such page: {title}</title>
<style>
body {{ max-width: 34rem; margin: 15vh auto; padding: 0 1rem; font: 1.1rem/1.6 system-ui, sans-serif; }}
input, button {{ font: inherit; }}
</style>
<h1>There is no such page</h1>
<p>It may have moved, or the address has a slip. <a href="{root}book/index.html">The first page of the book</a> lists
the chapters.</p>
<form action="{root}search.html" role="search">
<label>Search the book: <input name="q" type="search" required></label> <button>Search</button>
</form>
</html>
"""


def add_preview(app, pagename, templatename, context, doctree):
    """Add what messengers show of a page, beside its description."""
    if doctree is None:
        return
    properties = {
        "og:title": app.env.titles[pagename].astext(),
        "og:type": "article",
        "og:url": context["pageurl"],
        "og:site_name": app.config.html_title,
        "og:image": urljoin(app.config.html_baseurl, f"_static/{Path(CARD).name}"),
        "og:image:alt": "The opened book: a chapter with its contents, a figure, and the code that makes it",
    }
    tags = [f'<meta property="{name}" content="{escape(value)}">' for name, value in properties.items()]
    context["metatags"] = context.get("metatags", "") + "\n".join(
        [*tags, '<meta name="twitter:card" content="summary">']
    )


def write_files(app, error):
    """Write the sitemap, the page for lost readers, and the previews' picture."""
    base = app.config.html_baseurl
    if error or app.builder.format != "html" or not base:
        return
    pages = sorted(urljoin(base, app.builder.get_target_uri(name)) for name in app.env.found_docs)
    places = "".join(f"<url><loc>{escape(page)}</loc></url>\n" for page in pages)
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    files = {
        "sitemap.xml": f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{namespace}">\n{places}</urlset>\n',
        "404.html": LOST.format(title=escape(app.config.html_title), root=urlsplit(base).path),
    }
    for name, text in files.items():
        Path(app.outdir, name).write_text(text, encoding="utf-8")
    card = Path(app.srcdir, CARD)
    if card.exists():
        shutil.copy(card, Path(app.outdir, "_static"))


def setup(app):
    """Register with Sphinx."""
    app.connect("html-page-context", add_preview)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

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
:root {{
  --ink: light-dark(#20262e, #d8dde4); --soft: light-dark(#56606c, #a2acb8); --line: light-dark(#8f8a7c, #6d7885);
  --paper: light-dark(#fffefb, #14181e); --link: light-dark(#00629b, #7cc5f2); color-scheme: light dark;
}}
body {{
  max-width: 34rem; margin: 12vh auto; padding: 0 1.2rem; background: var(--paper); color: var(--ink);
  font: 1.1rem/1.65 Charter, "Bitstream Charter", "Sitka Text", Cambria, "Noto Serif", Georgia, serif;
}}
h1, form, .book {{ font-family: system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", Arial, sans-serif; }}
h1 {{ margin: 1.6rem 0 0.6rem; font-size: 2.1rem; line-height: 1.2; letter-spacing: -0.012em; text-wrap: balance; }}
.book {{ display: flex; gap: 0.8rem; align-items: center; color: var(--soft); font-size: 0.95rem; font-weight: 600; }}
svg {{ width: 3.2rem; flex: none; }}
a {{ color: var(--link); }}
form {{ display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 1.6rem; font-size: 1rem; }}
label {{ flex: 1 0 100%; }}
input, button {{
  padding: 0.5rem 0.8rem; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit;
  font: inherit;
}}
input {{ flex: 1; min-width: 0; }}
:focus-visible {{ outline: 3px solid #e69f00; outline-offset: 2px; }}
</style>
<div class="book">{logo}{title}</div>
<h1>There is no such page</h1>
<p>It may have moved, or the address has a slip. <a href="{root}book/index.html">The first page of the book</a> lists
the chapters.</p>
<form action="{root}search.html" role="search">
<label for="q">Search the book</label> <input id="q" name="q" type="search" required> <button>Search</button>
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
    logo = Path(app.srcdir, app.config.html_logo).read_text(encoding="utf-8")
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    files = {
        "sitemap.xml": f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{namespace}">\n{places}</urlset>\n',
        "404.html": LOST.format(title=escape(app.config.html_title), root=urlsplit(base).path, logo=logo),
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

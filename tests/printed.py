"""Print the whole book: `python tests/printed.py` writes `_build/net2net-book.pdf` from the built pages.

The pages of the contents stand one behind the other in one file, without scripts, with all links between them made
links within it; Chromium prints that. Explorables show there what they show where no script runs.
"""

import copy
import posixpath
import sys
from urllib.parse import urljoin, urlsplit

import address
import toc
from bs4 import BeautifulSoup

BUILT = address.ROOT / "_build"
POINTING = ("for", "headers", "aria-labelledby", "aria-describedby", "aria-controls")
EMPTY = '<!doctype html><html lang="en" data-theme="light"><head></head><body><main></main></body></html>'
STYLE = """
@page { size: A4; margin: 18mm 16mm 20mm; }
html { background: none; font-size: 10.5pt; }
body { margin: 0; background: none; font-size: inherit; }
main { display: block; }
.bd-article { padding: 0; max-width: none; }
.bd-article + .bd-article { break-before: page; }
.bd-article pre { font-size: 8pt; white-space: pre-wrap; overflow-wrap: anywhere; overflow: visible; }
.bd-article :is(div.cell, .solution, table) { break-inside: auto; }
.bd-article :is(.admonition:not(.solution), .cell_input, tr, figure, img, svg, li, dt) { break-inside: avoid; }
.bd-article .admonition-title { break-after: avoid; }
.bd-article :is(table, .pst-scrollable-table-container, div.cell_output, div.highlight) { overflow: visible; }
.bd-article table { font-size: 8.5pt; }
.bd-article img { max-width: 100%; max-height: 220mm; }
"""


def one_page(html):
    """Return the pages of the contents in the folder `html` as one, which is to stand beside that folder."""
    names = [f"{name}.html" for name in toc.documents()]
    made = BeautifulSoup(EMPTY, "html.parser")
    base = address.pages(address.repository())
    for name in names:
        page = BeautifulSoup((html / name).read_text(encoding="utf-8"), "html.parser")
        if name == names[0]:
            made.head.append(copy.copy(page.find("meta", charset=True)))
            made.head.append(copy.copy(page.title))
            for link in page.select("link[rel=stylesheet]"):
                made.head.append(copy.copy(link))
            style = made.new_tag("style")
            style.string = STYLE
        article = page.select_one("article.bd-article")
        article["id"] = name
        for useless in article.select("a.headerlink, a.colab, script, .chapter-foot details"):
            useless.decompose()
        for tag in article.find_all(True):
            if not tag.find_parent("svg"):
                for key in ("id", *(key for key in POINTING if key in tag.attrs)):
                    if key in tag.attrs:
                        tag[key] = " ".join(f"{name}:{one}" for one in str(tag[key]).split())
            if tag.name == "details":
                tag["open"] = ""
            if tag.get("href"):
                tag["href"] = within(tag["href"], name, names, base)
            if tag.get("src") and not urlsplit(tag["src"]).scheme:
                tag["src"] = beside(tag["src"], name)
        made.main.append(article)
    for link in made.head.select("link"):
        link["href"] = beside(link["href"], names[0])
    made.head.append(style)
    return str(made)


def beside(target, page):
    """Return where a file that a page names stands for one that lies beside the folder of the pages."""
    return posixpath.normpath(posixpath.join("html", posixpath.dirname(page), target))


def within(target, page, pages, base):
    """Return a link of `page` as it leads from the book in one file: to a place in it, or to the site at `base`."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc:
        return target
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path)) if parts.path else page
    if path in pages:
        return f"#{path}:{parts.fragment}" if parts.fragment else f"#{path}"
    return urljoin(base, f"{path}#{parts.fragment}" if parts.fragment else path)


def write_pdf(html, pdf, executable):
    """Print the built pages in the folder `html` to the file `pdf`."""
    from playwright.sync_api import sync_playwright

    together = html.parent / "book.html"
    together.write_text(one_page(html), encoding="utf-8")
    number = '<div style="font: 8pt sans-serif; width: 100%; text-align: center"><span class="pageNumber"></span></div>'
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=executable)
        page = chromium.new_context(java_script_enabled=False, color_scheme="light").new_page()
        page.goto(together.resolve().as_uri(), wait_until="load")
        page.pdf(
            path=pdf,
            prefer_css_page_size=True,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=number,
            outline=True,
            tagged=True,
        )
        chromium.close()


def main():
    """Print the book that `make book` has built."""
    from conftest import find_chromium

    if not (executable := find_chromium()):
        print("make pdf: found no Chromium or Chrome; install one, or set CHROMIUM to its path")
        return 1
    write_pdf(BUILT / "html", BUILT / "net2net-book.pdf", executable)
    print(f"The book is printed: {BUILT / 'net2net-book.pdf'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

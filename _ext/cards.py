"""Write cards into the pages: what a term, a work or a name of `helpers` is, for the page's links to it.

A page holds the cards of its own links in a template, which no browser shows; cards.js shows one where a link is
pointed at, focused or tapped.
"""

import os
import posixpath
import re
from html import escape, unescape
from pathlib import Path

from bs4 import BeautifulSoup

LINK = re.compile(r'<a class="[^"]*reference internal[^"]*" href="([^"]+#[^"]+)"')
SCRIPT = "cards.js"


def terms(soup):
    """Yield the terms of a glossary: identifier, name, and what it says of them."""
    for term in soup.select("dl.glossary > dt[id]"):
        yield term["id"], term.get_text(), term.find_next_sibling("dd").p


def works(soup):
    """Yield the works of a bibliography: identifier, no name, and the entry."""
    for work in soup.select(".citation[id]"):
        yield work["id"], "", work.p


def names(soup):
    """Yield the names of a page of the reference: identifier, name with its room, and the first paragraph."""
    for name in soup.select("dt.sig[id]"):
        if paragraph := name.find_next_sibling("dd").find("p", recursive=False):
            yield name["id"], name["id"], paragraph


def collect(folder):
    """Return {page: {identifier: card}} of the built pages in `folder`."""
    kinds = {"book/glossary.html": terms, "book/bibliography.html": works}
    kinds |= {path.relative_to(folder).as_posix(): names for path in (folder / "book" / "api").glob("*.html")}
    found = {}
    for page, entries in kinds.items():
        if (folder / page).is_file():
            soup = BeautifulSoup((folder / page).read_text(encoding="utf-8"), "html.parser")
            for useless in soup.select(".headerlink"):
                useless.decompose()
            found[page] = {anchor: write(name, text) for anchor, name, text in entries(soup)}
    return found


def write(name, text):
    """Return a card's markup: a name, and a paragraph without its links and identifiers."""
    for tag in text.find_all(True):
        del tag["id"]
        if tag.name == "a":
            tag.unwrap()
    return f"{f'<b>{escape(name)}</b>' if name else ''}<p>{text.decode_contents()}</p>"


def of_page(text, page, known):
    """Return the markup of the cards for the links of a page."""
    found = {}
    for link in LINK.findall(text):
        target, _, anchor = unescape(link).partition("#")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(page), target)) if target else page
        if place != page and (card := known.get(place, {}).get(anchor)):
            found[link] = f'<div data-of="{link}">{card}</div>'
    return "".join(found.values())


def add_cards(app, error):
    """Write into each page its cards, and the script that shows them where there are any."""
    if app.builder.format != "html" or error:
        return
    folder = Path(app.outdir)
    known = collect(folder)
    for path in folder.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        if cards := of_page(text, path.relative_to(folder).as_posix(), known):
            script = Path(os.path.relpath(folder / "_static" / SCRIPT, path.parent)).as_posix()
            added = f'<template id="cards">{cards}</template>\n<script defer src="{script}"></script>\n</body>'
            path.write_text(added.join(text.rsplit("</body>", 1)), encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.connect("build-finished", add_cards, priority=650)  # when formulas have their font, before pages become light
    return {"parallel_read_safe": True, "parallel_write_safe": True}

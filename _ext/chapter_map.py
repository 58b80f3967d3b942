"""Draw the map of the chapters: one line for each route, one stop for each page, every stop a link.

```{chapter-map} hour day week
01_why_net2net: hour day week
04_mathematics: day week
```

Titles and numbers are those of the pages; a title is shown up to its colon.
"""

from html import escape

from docutils import nodes
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

LEFT, COLUMN, TOP, ROW, WIDTH = 22, 40, 46, 44, 340  # in the drawing's units: pixels on the narrowest screen


class Map(nodes.General, nodes.Element):
    """A map, before the titles of the pages are known."""


class ChapterMap(SphinxDirective):
    """The routes as arguments, a page and its routes on each line."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True

    def run(self):
        """Return the map, to be drawn when the page is written."""
        routes, stops = self.arguments[0].split(), []
        for line in self.content:
            page, _, named = line.partition(":")
            if unknown := set(named.split()) - set(routes):
                raise self.error(f"{page}: expected routes among {routes}, got {sorted(unknown)}")
            stops.append((self.env.relfn2path(page)[0], named.split()))
        if unused := set(routes) - {route for _, named in stops for route in named}:
            raise self.error(f"chapter-map: expected a page on every route, got none on {sorted(unused)}")
        return [Map(routes=routes, stops=stops)]


def draw(routes, stops):
    """Return the map as SVG; `stops` are (address, words, names of routes)."""
    xs = {route: LEFT + COLUMN * i for i, route in enumerate(routes)}
    ys = [TOP + ROW * i for i in range(len(stops))]
    height, text = ys[-1] + 24, LEFT + COLUMN * len(routes) - 14
    parts = []
    for i, route in enumerate(routes):
        on = [y for y, stop in zip(ys, stops, strict=True) if route in stop[2]]
        parts.append(f'<text class="route-{i}" x="{xs[route]}" y="16" text-anchor="middle">{escape(route)}</text>')
        parts.append(f'<path class="route-{i}" d="M{xs[route]} {on[0]}V{on[-1]}"/>')
    for y, (address, words, named) in zip(ys, stops, strict=True):
        dots = "".join(
            f'<circle class="route-{i}" cx="{xs[route]}" cy="{y}" r="7"/>'
            for i, route in enumerate(routes)
            if route in named
        )
        label = escape(f"{words}; route: {', '.join(named)}")
        parts.append(
            f'<a href="{escape(address)}" aria-label="{label}">'
            f'<rect x="2" y="{y - 20}" width="{WIDTH - 4}" height="40" rx="5"/>{dots}'
            f'<text x="{text}" y="{y + 5}">{escape(words)}</text></a>'
        )
    title = f"Map of the chapters, with the routes {', '.join(routes)}"
    return (
        f'<svg class="chapter-map" viewBox="0 0 {WIDTH} {height}" role="group" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def draw_maps(app, doctree, docname):
    """Put each map's drawing in its place."""
    for node in list(doctree.findall(Map)):
        stops = []
        for page, named in node["stops"]:
            if page not in app.env.titles:
                raise ExtensionError(f"chapter-map in {docname}: there is no page {page}")
            number = app.env.toc_secnumbers.get(page, {}).get("")
            words = app.env.titles[page].astext().partition(":")[0]
            words = f"{number[0]}. {words}" if number else words
            stops.append((app.builder.get_relative_uri(docname, page), words, named))
        node.replace_self(nodes.raw("", draw(node["routes"], stops), format="html"))


def setup(app):
    """Register with Sphinx."""
    app.add_node(Map)
    app.add_directive("chapter-map", ChapterMap)
    app.connect("doctree-resolved", draw_maps)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

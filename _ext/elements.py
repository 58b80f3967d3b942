"""Put explorables on pages: a directive for Markdown pages, and their scripts where they are needed only.

```{net2net-widen}
:seed: 1
```

stands for `helpers.show.explore.widen(seed=1)`; a notebook's cell gives the same element.
"""

import importlib
import json
import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

ROOMS = {
    "net2net-deepen": "explore.deepen",
    "net2net-lab": "lab.lab",
    "net2net-map": "growth_map.growth_map",
    "net2net-network": "network.network",
    "net2net-race": "race.race",
    "net2net-widen": "explore.widen",
}
OPTIONS = (
    "outputs width seed way noise mapping parts unit kind activation layers v size tap study arms axis measure guess "
    "at frontier grown arm rival budget fraction text factor examples"
)


def word(text):
    """Return the value of an option."""
    try:
        return json.loads(text)
    except ValueError:
        return text


class Element(SphinxDirective):
    """An element in the state that the options say."""

    option_spec = dict.fromkeys(OPTIONS.split(), word) | {"play": directives.flag}

    def run(self):
        """Return the element's markup."""
        room, name = ROOMS[self.name].split(".")
        make = getattr(importlib.import_module(f"helpers.show.{room}"), name)
        play = " play" if self.options.pop("play", "") is None else ""  # a matter of the page, not of the state
        markup = make(**self.options).markup().replace(self.name, self.name + play, 1)
        return [nodes.raw("", markup, format="html")]


def add_scripts(app, pagename, templatename, context, doctree):
    """Load what the elements of a page need, and nothing where there is none."""
    tags = sorted(set(re.findall(r"<(net2net-\w+)", context.get("body") or "")))
    if tags:
        from helpers.show.explore import element

        app.add_css_file(element.STYLE)
        for name in dict.fromkeys(name for tag in tags for name in element.scripts(tag)):
            app.add_js_file(name, loading_method="defer")
    if re.search(r'class="predict admonition', context.get("body") or ""):
        app.add_js_file("predict.js", loading_method="defer")
    if "net2net-lab" in tags:
        write_digits(Path(app.outdir, "_static"))


def write_digits(folder):
    """Pack the lab's digits where the page's scripts are, for the readers who ask for them."""
    from helpers.show import lab

    folder.mkdir(exist_ok=True)
    (folder / lab.DIGITS).write_text(lab.script(), encoding="utf-8")


def drop_widget_state(app, pagename, templatename, context, doctree):
    """Leave out the state of the kernel's widgets, which no script on the page reads."""
    app.env.nb_metadata[pagename].get("js_files", {}).pop("ipywidgets_state", None)


def setup(app):
    """Register with Sphinx."""
    for tag in ROOMS:
        app.add_directive(tag, Element)
    app.connect("html-page-context", add_scripts)
    app.connect("html-page-context", drop_widget_state, priority=400)  # before myst_nb writes it
    return {"parallel_read_safe": True, "parallel_write_safe": True}

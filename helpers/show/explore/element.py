"""An explorable: its state, its picture, and the files of its two faces."""

import base64
import html
import io
import json
import math
from pathlib import Path

import anywidget
import matplotlib as mpl

from helpers.checks import Net2NetError, check_width

PACKAGE = Path(__file__).resolve().parents[2]
WEB = next(folder for folder in (PACKAGE / "web", PACKAGE.parent / "book" / "web") if folder.is_dir())
SHARED = ("net2net.js", "net2net-element.js")  # what the script of every element stands on
PARTS = {  # files of their own, for what is large
    "net2net-lab": ("network", "training", "chart", "inside"),
    "net2net-network": ("read", "ways"),
}
STYLE = "net2net.css"


class Explorable(anywidget.AnyWidget):
    """An element of ``book/web`` whose state is this widget's synced traits; a subclass says what they mean.

    A subclass gives the element's name as ``tag`` and those traits' names as ``state``, takes its two faces' files from
    `faces`, and, if others follow from some traits, names these in ``moving`` and says in ``_settle`` what follows.
    """

    tag, state, moving = None, (), ()
    style = ""  # what the page's style must know of the state before a script has run, as CSS
    _ipython_display_ = None  # ipywidgets 7 would show the widget alone, without the other face

    def __init__(self, **state):
        super().__init__(**state)
        self._from_page = ()
        if self.moving:  # no names would mean all traits
            self.observe(self._moved, list(self.moving))

    def _moved(self, change):
        # The page has settled its state already, unless a single trait of it was linked to another widget.
        if len(self._from_page) < 2:
            self._settle(change)

    def set_state(self, sync_data):
        """Take what was moved in the page."""
        self._from_page = tuple(sync_data)
        try:
            super().set_state(sync_data)
        finally:
            self._from_page = ()

    def picture(self):
        """Return a Figure, its description, and one line that is read below it."""
        raise NotImplementedError

    def markup(self):
        """Return the element as HTML, with its state as attributes and its picture inside."""
        attributes = "".join(f' {name}="{html.escape(_word(getattr(self, name)))}"' for name in self.state)
        if self.style:
            attributes += f' style="{self.style}"'
        figure, alt, says = self.picture()
        buffer = io.BytesIO()
        with mpl.rc_context({"svg.fonttype": "none"}):  # letters as letters: half the size
            figure.savefig(buffer, format="svg", metadata={"Date": None})
        source = f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
        still = f'<img src="{source}" alt="{html.escape(alt)}"><p>{html.escape(says)}</p>'
        return f"<{self.tag}{attributes}>{still}</{self.tag}>"

    def _repr_mimebundle_(self, **kwargs):
        data, metadata = super()._repr_mimebundle_(**kwargs)
        return data | {"text/plain": self.picture()[2], "text/html": self.markup()}, metadata


def _word(value):
    return value if isinstance(value, str) else json.dumps(value)


def scripts(tag):
    """The files of an element, in the order in which they are loaded."""
    return [*SHARED, *(f"{tag}-{part}.js" for part in PARTS.get(tag, ())), f"{tag}.js"]


def faces(tag):
    """The module and the style that a notebook needs for an element, out of the files that pages load."""
    script = "\n".join((WEB / name).read_text(encoding="utf-8") for name in scripts(tag))
    return f'{script}\nexport default Net2NetElement.widget("{tag}");\n', (WEB / STYLE).read_text(encoding="utf-8")


def check_range(name, value, least, most=math.inf):
    value = check_width(name, value, least)
    if value > most:
        raise Net2NetError(f"{name}: expected from {least} to {most}, got {value}")
    return value

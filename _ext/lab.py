"""Put the lab on a page, and the digits that it asks for beside the scripts.

```{net2net-lab}
```
"""

from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective


class Element(SphinxDirective):
    """The lab, before anybody has trained."""

    def run(self):
        """Return the element's markup."""
        from helpers import lab

        self.env.net2net_lab = True
        return [nodes.raw("", lab.lab().markup(), format="html")]


def write_digits(app, error):
    """Pack the digits where the page's scripts are, for the readers who ask for them."""
    if app.builder.format == "html" and error is None and getattr(app.env, "net2net_lab", False):
        from helpers import lab

        path = Path(app.outdir, "_static", lab.DIGITS)
        path.write_text(lab.script(), encoding="utf-8")


def setup(app):
    """Register with Sphinx."""
    app.add_directive("net2net-lab", Element)
    app.connect("build-finished", write_digits)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

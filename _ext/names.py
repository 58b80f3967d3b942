"""Link the names of `helpers` to their places in the reference: on every page, each at its first mention.

A name is linked where it stands as code in the running text: a public name of `helpers` alone or with its arguments,
as in `net2wider_net(teacher, 2)`; any other with its room, as in `plots.networks` or `data.load_mnist`.
"""

import re

from docutils import nodes
from sphinx.util.nodes import make_refnode

CODE = re.compile(r"(?:helpers\.)?(?:show\.)?([A-Za-z_][\w.]*)(?:\(.*\))?", re.DOTALL)


def places(env):
    """Return {name: full name and entry in the reference}."""
    found = {}
    for full, entry in env.get_domain("py").objects.items():
        if full.startswith("helpers."):
            found[re.sub(r"^helpers\.(show\.)?", "", full)] = full, entry
    return found


def link(app, doctree, docname):
    """Link the names of one page."""
    known, linked = places(app.env), set()
    for literal in list(doctree.findall(nodes.literal)):
        code = CODE.fullmatch(literal.astext())
        full, entry = known.get(code[1], (None, None)) if code else (None, None)
        if full is None or full in linked:
            continue
        within = literal.parent
        while within is not None and not isinstance(within, nodes.title | nodes.reference):
            within = within.parent
        if within is None:
            linked.add(full)
            reference = make_refnode(app.builder, docname, entry.docname, entry.node_id, [], full)
            literal.replace_self(reference)
            reference += literal


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

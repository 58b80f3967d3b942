"""Leave out of the pages what the chapters' code holds only for nbval: the line `# NBVAL_CHECK_OUTPUT`."""

from docutils import nodes

MARK = "# NBVAL_CHECK_OUTPUT\n"


def unmark(app, doctree):
    """Take the mark off every code block that begins with it."""
    for block in doctree.findall(nodes.literal_block):
        text = block.astext()
        if text.startswith(MARK):
            block.children = [nodes.Text(text.removeprefix(MARK))]
            block.rawsource = text.removeprefix(MARK)


def setup(app):
    """Register with Sphinx."""
    app.connect("doctree-read", unmark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

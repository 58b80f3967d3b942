"""Say in the bar at the top which chapter one is in; the words lead back to its beginning."""

from pathlib import Path


def name_page(app, pagename, templatename, context, doctree):
    """Give the bar's template the number and the title of the page, up to its colon."""
    title = app.env.titles[pagename].astext() if pagename in app.env.titles else context.get("title", "")
    number = app.env.toc_secnumbers.get(pagename, {}).get("")
    words = title.partition(":")[0]
    context["here"] = f"{number[0]}. {words}" if number else words


def setup(app):
    """Register with Sphinx."""
    app.config.templates_path.append(str(Path(__file__).parent))
    app.connect("html-page-context", name_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

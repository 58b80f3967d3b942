"""Say at the foot of a chapter when it was executed, on what, and how to cite it; the version on every page."""

import datetime
import platform
import textwrap
from html import escape
from importlib.metadata import version
from pathlib import Path

import yaml

PACKAGES = {"Keras": "keras", "TensorFlow": "tensorflow", "NumPy": "numpy"}


def add_version(app, config):
    """Put the book's version behind its licenses."""
    citation = yaml.safe_load(Path(app.srcdir, "CITATION.cff").read_text(encoding="utf-8"))
    config.net2net_citation = citation
    config.html_theme_options["extra_footer"] += f" Version {citation['version']}."


def executed(data):
    """Return a sentence on an execution, as MyST-NB describes it."""
    day = datetime.datetime.fromtimestamp(data["mtime"], datetime.UTC)
    used = [f"Python {platform.python_version()}", *(f"{name} {version(it)}" for name, it in PACKAGES.items())]
    return f"Executed on {day.day} {day:%B %Y} in {data['runtime']:.0f} seconds, on {', '.join(used)}."


def bibtex(citation, key, title, address, year):
    """Return the BibTeX entry of one page of the book."""
    author = " and ".join(f"{{{one['name']}}}" for one in citation["authors"])
    return textwrap.dedent(f"""\
        @incollection{{{key},
          author    = {{{author}}},
          title     = {{{title}}},
          booktitle = {{{citation["title"]}}},
          year      = {{{year}}},
          note      = {{Version {citation["version"]}}},
          url       = {{{address}}}
        }}""")


def add_foot(app, pagename, templatename, context, doctree):
    """Write the foot of a chapter that was executed."""
    data = app.env.nb_metadata.get(pagename, {}).get("exec_data")
    if doctree is None or not data:
        return
    key = f"net2net_book_{pagename.rpartition('/')[2]}"
    title = app.env.titles[pagename].astext()
    entry = bibtex(app.config.net2net_citation, key, title, context["pageurl"], app.config.copyright)
    context["body"] += (
        f'<aside class="chapter-foot" aria-label="About this chapter"><p>{escape(executed(data))}</p>'
        f"<details><summary>Cite this page</summary><pre tabindex=0>{escape(entry)}</pre></details></aside>"
    )


def setup(app):
    """Register with Sphinx."""
    app.add_config_value("net2net_citation", None, "")
    app.connect("config-inited", add_version)
    app.connect("html-page-context", add_foot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""The repository's address: where it stands, and the means to change it: `python tests/address.py URL`.

`_config.yml` holds it. Badges, Colab links and cells, citation and package metadata repeat it, since GitHub,
Colab and pip read those files as they are.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = re.compile(r"^repository:\n  url: (https://github\.com/([\w-]+)/([\w.-]+))$", re.MULTILINE)
URL = re.compile(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?")
NOT_OURS = {".git", ".venv", "_build", "dist", "__pycache__", ".ipynb_checkpoints", "tests", "results"}
TEXT = {".cff", ".css", ".ipynb", ".js", ".md", ".py", ".toml", ".yaml", ".yml"}


def repository(root=ROOT):
    """Return the repository's address as `_config.yml` gives it."""
    found = SOURCE.search((root / "_config.yml").read_text(encoding="utf-8"))
    if not found:
        raise ValueError("_config.yml: no 'url: https://github.com/OWNER/NAME' as the first entry of 'repository'")
    return found[1]


def parts(url):
    """Return owner and name of a GitHub address."""
    found = URL.fullmatch(url)
    if not found:
        raise ValueError(f"expected https://github.com/OWNER/NAME (Colab opens only GitHub), got {url!r}")
    return found.groups()


def pages(url):
    """Return the address at which GitHub Pages shows the book."""
    owner, name = parts(url)
    return f"https://{owner}.github.io/{name}/"


def files(root=ROOT):
    """Yield the project's own text files, in order."""
    for path in sorted(root.rglob("*")):
        inside = path.relative_to(root)
        if path.is_file() and path.suffix in TEXT and not NOT_OURS & set(inside.parts):
            yield path


def change(url, root=ROOT):
    """Put `url` in the place of the repository's present address everywhere; return the files changed."""
    owner, name = parts(url)
    old_owner, old_name = parts(repository(root))
    old, new = f"{old_owner}/{old_name}", f"{owner}/{name}"
    # github.com/OWNER/NAME covers git+https, badges and links; Colab writes github/OWNER/NAME.
    in_links = re.compile(rf"(\bgithub(?:\.com)?/){re.escape(old)}(?![\w-])")
    of_pages = re.compile(rf"\b{re.escape(old_owner)}\.github\.io/{re.escape(old_name)}(?![\w-])")
    changed = []
    for path in files(root):
        before = path.read_text(encoding="utf-8")
        after = in_links.sub(rf"\g<1>{new}", before)
        after = of_pages.sub(f"{owner}.github.io/{name}", after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


def main(arguments):
    """Say the address, or change it."""
    if not arguments:
        print(f"The repository's address is {repository()}")
        print("To change it everywhere: make address URL=https://github.com/OWNER/NAME")
        return 0
    try:
        changed = change(arguments[0])
    except ValueError as error:
        print(f"make address: {error}")
        return 1
    print("\n".join(f"changed {path.relative_to(ROOT)}" for path in changed) or "Nothing to change.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

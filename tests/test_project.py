"""The project's own files: one address, one version, no bounds that break Colab, no traces of a machine."""

import ast
import functools
import inspect
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import address
import nbformat
import pytest
import toc
import trust
import yaml

import helpers

ROOT = address.ROOT
URL = address.repository()
OWNER, NAME = address.parts(URL)


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def project():
    return tomllib.loads(read("pyproject.toml"))["project"]


# ------------------------------------------------------------------ the address

# Where an address of this repository is recognised by its form, in any file.
FORMS = {
    "Colab link": r"colab\.research\.google\.com/github/([\w-]+/[\w.-]+?)/blob/",
    "pip from git": r"git\+https://github\.com/([\w-]+/[\w.-]+?)(?:\.git)?['\"@\s]",
    "workflow badge": r"github\.com/([\w-]+/[\w.-]+?)/actions",
}


def disagreements(root):
    """Return every place that names another repository than `_config.yml` does."""
    url = address.repository(root)
    owner, name = address.parts(url)
    wrong = []
    for path in address.files(root):
        text = path.read_text(encoding="utf-8")
        for form, pattern in FORMS.items():
            wrong += [(path.name, form, slug) for slug in re.findall(pattern, text) if slug != f"{owner}/{name}"]
    for name, key in (("_config.yml", r"^  baseurl: (\S+)"), ("pyproject.toml", r'^Book = "(\S+)"')):
        found = re.findall(key, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        wrong += [(name, "pages", value) for value in found or ["nothing"] if value != address.pages(url)]
    for name, key in (
        ("CITATION.cff", r'^repository-code: "(\S+)"'),
        ("pyproject.toml", r'^Repository = "(\S+)"'),
    ):
        found = re.findall(key, (root / name).read_text(encoding="utf-8"), re.MULTILINE)
        wrong += [(name, "repository", value) for value in found or ["nothing"] if value != url]
    return wrong


def test_address_is_the_same_everywhere():
    assert disagreements(ROOT) == []


def test_address_is_repeated_where_readers_need_it():
    whole = read("README.md")
    *first, last = re.split(r"^## (?=Where it is published)", whole, flags=re.MULTILINE)
    assert first
    assert f"git+{URL}" in last
    assert address.pages(URL) in last
    assert OWNER not in first[0], "what is done from a copy must not depend on an address that may not exist yet"


@pytest.fixture
def copy_of_project(tmp_path):
    for path in address.files():
        target = tmp_path / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return tmp_path


def test_address_can_be_changed_everywhere(copy_of_project):
    new = "https://github.com/somebody/grow.nets"
    assert address.change(new, copy_of_project)
    assert address.repository(copy_of_project) == new
    assert disagreements(copy_of_project) == []
    old = re.compile(rf"{OWNER}/{NAME}(?![\w-])|{OWNER}\.github\.io")
    left = [path.name for path in address.files(copy_of_project) if old.search(path.read_text(encoding="utf-8"))]
    assert left == []
    assert f'name = "{project()["name"]}"' in (copy_of_project / "pyproject.toml").read_text(encoding="utf-8")
    address.change(URL, copy_of_project)
    for path in address.files():
        assert path.read_text(encoding="utf-8") == (copy_of_project / path.relative_to(ROOT)).read_text(
            encoding="utf-8"
        )


def test_two_addresses_are_noticed(copy_of_project):
    config = copy_of_project / "_config.yml"
    config.write_text(config.read_text(encoding="utf-8").replace(URL, "https://github.com/somebody/else"))
    assert {name for name, *_ in disagreements(copy_of_project)} >= {
        "README.md",
        "CITATION.cff",
        "pyproject.toml",
    }


@pytest.mark.parametrize("url", ["github.com/a/b", "https://gitlab.com/a/b", "https://github.com/a", ""])
def test_address_must_be_on_github(url):
    with pytest.raises(ValueError, match="expected https://github"):
        address.parts(url)


# ------------------------------------------------------------------ versions and requirements


def test_versions_agree():
    version = project()["version"]
    citation = yaml.safe_load(read("CITATION.cff"))
    assert str(citation["version"]) == version
    assert f"Version {version}" in read("book/index.md")
    assert f"\n## {version}\n" in read("CHANGELOG.md")
    stated = re.search(r'^__version__ = "(.+)"', read("helpers/__init__.py"), re.MULTILINE)
    assert stated is None or stated[1] == version


def test_package_leaves_colab_its_versions():
    for requirement in [*project()["dependencies"], *project()["optional-dependencies"]["chapters"]]:
        assert not re.search(r"==|<|~=", requirement), requirement


def test_requirements_name_what_the_book_needs():
    names = {re.split(r"[<>=\[]", line)[0] for line in read("requirements.txt").splitlines() if line[:1].isalpha()}
    assert names >= {"jupyter-book", "click", "tensorflow", "numpy", "matplotlib", "ipywidgets", "nbval"}
    dependencies = {re.split(r"[<>=\[]", requirement)[0] for requirement in project()["dependencies"]}
    assert dependencies <= names


def test_each_locked_package_is_installed_by_one_of_two():
    halves = re.search(r"^HALVES := (.*)$", read("Makefile"), re.MULTILINE)[1]
    patterns = [re.compile(f"[{half}]") for half in re.findall(r"\.(\S+)\.txt", halves)]
    locked = [line for line in read("requirements.lock").splitlines() if line and not re.match(r"\s|#", line)]
    assert len(patterns) == 2
    assert all(sum(bool(pattern.match(line)) for pattern in patterns) == 1 for line in locked)


def test_lock_covers_the_requirements():
    locked = dict(re.findall(r"^([\w.-]+)==([^\s;]+)", read("requirements.lock"), re.MULTILINE))
    wanted = [re.split(r"[<>=\[]", line)[0] for line in read("requirements.txt").splitlines() if line[:1].isalpha()]
    assert [name for name in wanted if name not in locked] == []
    assert locked["jupyter-book"].startswith("1.")


def test_binder_installs_the_lock_and_this_package_and_pins_nothing_itself():
    folder = ROOT / "binder"
    assert {path.name for path in folder.iterdir()} == {"requirements.txt", "runtime.txt"}
    # A file named with -r is looked for beside the file that names it, a path where pip runs: in the repository.
    lock, package = read("binder/requirements.txt").splitlines()
    assert (folder / lock.removeprefix("-r ")).resolve() == ROOT / "requirements.lock"
    assert (package, (ROOT / "pyproject.toml").is_file()) == (".", True)
    python = read("binder/runtime.txt").strip().removeprefix("python-")
    assert f"Programming Language :: Python :: {python}" in project()["classifiers"]
    deployed = yaml.safe_load(read(".github/workflows/deploy.yml"))["jobs"]["build"]["steps"]
    assert [step["with"]["python-version"] for step in deployed if "setup-python" in step.get("uses", "")] == [python]


# ------------------------------------------------------------------ the README


def test_readme_pictures_exist():
    pictures = re.findall(r"!\[(.*?)\]\((\S+?)\)", read("README.md"))
    local = [(text, target) for text, target in pictures if "://" not in target]
    assert local, "the README opens with a picture of the book"
    assert [target for text, target in local if not text or not (ROOT / target).is_file()] == []


def test_readme_example_runs(capsys):
    (example,) = re.findall(r"```python\n(.*?)```", read("README.md"), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert re.search(r"^hidden +64 +128 ", capsys.readouterr().out, re.MULTILINE)


# ------------------------------------------------------------------ what must not be in the files


@functools.cache
def tracked():
    """Every text file of the project with its text: what git tracks or would track."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if run.returncode:
        pytest.skip("not a git repository")
    found = []
    for path in sorted(ROOT / name for name in set(run.stdout.split("\0")) if name):
        if path.is_file() and path.suffix not in {".png", ".webp"}:
            found.append((path, path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("command", [("check",), ("format", "--check")], ids=" ".join)
def test_code_is_tidy(command):
    run = subprocess.run([sys.executable, "-m", "ruff", *command, "."], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, f"run `make tidy`\n{run.stdout[-3000:]}"


def test_no_registry_host_is_named():
    hosts = [
        "py" + "pi.org",
        "python" + "hosted.org",
        "registry.npm" + "js",
        "--index-" + "url",
        "--find-" + "links",
    ]
    allowed = {"Makefile"}  # tells uv not to write them
    found = [
        (path.name, host) for path, text in tracked() for host in hosts if host in text and path.name not in allowed
    ]
    assert found == []


def test_no_path_of_a_machine_is_named():
    pattern = re.compile(r"(?<![\w./-])/(?:home|root|Users|work)/\w|NET2NET_MNIST=/")
    found = [(path.name, match[0]) for path, text in tracked() for match in pattern.finditer(text)]
    assert [place for place in found if place[0] != Path(__file__).name] == []


def test_shared_data_is_named_only_by_ci():
    parent = ".." + "/shared"
    assert {path.relative_to(ROOT).as_posix() for path, text in tracked() if parent in text} <= {".ci/run"}


def test_no_file_is_large():
    large = {path.name: path.stat().st_size for path, _ in tracked() if path.stat().st_size > 700_000}
    assert large == {}


def test_citation_file_is_complete():
    citation = yaml.safe_load(read("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "version", "license", "repository-code"} <= set(citation)


# ------------------------------------------------------------------ on GitHub

PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")


def workflow_faults(text):
    """Return what a workflow may do or fetch beyond what this project allows."""
    workflow = yaml.safe_load(text)
    faults = [] if workflow.get("permissions") == {"contents": "read"} else ["permissions: expected contents: read"]
    for name, job in workflow["jobs"].items():
        allowed = {"pages": "write", "id-token": "write"} if name == "deploy" else {}
        if job.get("permissions", {}) != allowed:
            faults.append(f"{name}: permissions {job['permissions']}")
        faults += [f"{name}: no timeout" for _ in range("timeout-minutes" not in job)]
        for step in job["steps"]:
            if "checkout@" in step.get("uses", "") and step.get("with", {}).get("persist-credentials") is not False:
                faults.append(f"{name}: the checkout keeps its token")
    faults += [f"not pinned by commit and version: {used}" for used in uses(text) if not PINNED.fullmatch(used)]
    return faults


def uses(text):
    return re.findall(r"uses: (.+)", text)


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").glob("*.yml")), ids=lambda path: path.stem)
def test_workflow_does_and_fetches_only_what_it_must(path):
    assert workflow_faults(path.read_text(encoding="utf-8")) == []


def test_an_action_has_one_version_in_all_workflows():
    found = {used for path in (ROOT / ".github" / "workflows").glob("*.yml") for used in uses(path.read_text("utf-8"))}
    assert len(found) == len({used.partition("@")[0] for used in found}), sorted(found)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (r"@[0-9a-f]{40} # v5\.\d+\.\d+", "@v5", "not pinned"),
        (r" # v5\.\d+\.\d+", "", "not pinned"),
        ("contents: read", "contents: write", "expected contents"),
        ("persist-credentials: false", "fetch-depth: 0", "keeps its token"),
        ("    timeout-minutes: .*\n", "", "no timeout"),
        ("    runs-on", "    permissions: {issues: write}\n    runs-on", "issues"),
    ],
)
def test_a_workflow_that_may_too_much_is_noticed(old, new, fault):
    sound = read(".github/workflows/links.yml")
    assert fault in "\n".join(workflow_faults(re.sub(old, new, sound)))


def test_dependabot_watches_what_is_there():
    watched = yaml.safe_load(read(".github/dependabot.yml"))["updates"]
    assert {one["package-ecosystem"] for one in watched} == {"github-actions", "pip"}


FORMS_OF_ISSUES = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


@pytest.mark.parametrize("path", FORMS_OF_ISSUES, ids=lambda path: path.stem)
def test_issue_form_is_one(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    for field in form["body"]:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes"}
        assert field["attributes"]["label"]
        assert field["type"] != "dropdown" or all(isinstance(one, str) for one in field["attributes"]["options"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


@pytest.mark.parametrize("name", ["book", "question"])
def test_issue_form_lists_the_chapters(name):
    form = yaml.safe_load(read(f".github/ISSUE_TEMPLATE/{name}.yml"))
    (offered,) = [field["attributes"]["options"] for field in form["body"] if field["id"] == "page"]
    pages = [page for page in toc.documents() if toc.is_chapter(page)]
    assert offered == [*(f"{toc.title(page)} ({page.removeprefix('book/')})" for page in pages), "another page"]


# ------------------------------------------------------------------ the bibliography


def test_citations_lead_somewhere():
    cells = [cell for path in toc.chapters() for cell in nbformat.read(path, 4).cells]
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "book").rglob("*.md")]
    texts += [cell.source for cell in cells if cell.cell_type == "markdown"]
    assert trust.citation_faults(read("book/references.bib"), texts) == []


def test_faults_of_citations_are_noticed():
    sound = "@misc{a2016, title = {A}, eprint = {1511.05641}}\n@misc{b2020, title = {B}, url = {https://b.org}}"
    assert trust.citation_faults(sound, ["{cite:p}`a2016,b2020`"]) == []
    assert trust.citation_faults(sound, ["{cite:t}`a2016`"]) == ["b2020: nobody cites it"]
    (nowhere,) = trust.citation_faults(sound, ["{cite:p}`a2016,b2020`", "{cite}`c2021`"])
    assert nowhere.startswith("c2021: cited")
    (numberless,) = trust.citation_faults(sound.replace("url", "note"), ["{cite:p}`a2016,b2020`"])
    assert numberless.startswith("b2020: expected one of")


# ------------------------------------------------------------------ the routes through the book


def stops():
    """{page: its routes} on the map of the chapters."""
    (drawn,) = re.findall(r"```\{chapter-map\}.*\n([^`]+)```", read("book/path.md"))
    return {page: routes.split() for page, _, routes in (line.partition(":") for line in drawn.splitlines())}


def test_every_chapter_is_on_the_map_in_reading_order():
    chapters = [name.removeprefix("book/") for name in toc.documents() if toc.is_chapter(name)]
    assert list(stops()) == chapters
    assert all("week" in routes for routes in stops().values())


def test_public_functions_say_what_they_take_and_give():
    for name in helpers.__all__:
        if inspect.isfunction(function := getattr(helpers, name)):
            signature = inspect.signature(function)
            bare = [each for each, parameter in signature.parameters.items() if parameter.annotation is parameter.empty]
            assert not bare, f"{name}: {bare}"
            assert signature.return_annotation is not signature.empty, name


# ------------------------------------------------------------------ the rooms


def test_what_is_looked_at_is_in_short_files():
    files = [*(ROOT / "helpers" / "show").rglob("*.py")]
    assert len(files) > 10
    assert {path.name: n for path in files if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400} == {}


def test_nothing_that_computes_knows_what_is_looked_at():
    def modules(path):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from (each.name for each in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield from (f"{node.module}.{each.name}" for each in node.names)

    below = [path for path in (ROOT / "helpers").rglob("*.py") if "show" not in path.parts]
    assert [path.name for path in below if any(name.startswith("helpers.show") for name in modules(path))] == []
    assert any(name.startswith("helpers.show") for name in modules(ROOT / "helpers" / "show" / "race.py"))

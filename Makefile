# The Net2Net book. Every command does its own set-up; `make help` lists them.
#
# PYTHON=python3.12 chooses the interpreter (3.11, 3.12 or 3.13); PORT=8001 the port of `make serve`;
# IPYWIDGETS=8.* the widgets of `make colab`, CHAPTERS=02_net2widernet its chapters.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
HALVES := $(VENV)/.a-r.txt $(VENV)/.s-z.txt
BUILT := _build/.built
COLAB := .venv-colab
IPYWIDGETS ?= 7.7.1

# What the pages are made from. A change of the code, of recorded results or of the environment also means that
# every chapter is executed again: the cache of executed chapters knows only the chapters' own text.
CODE := $(wildcard helpers/*.py helpers/*/*.py) $(wildcard results/*) requirements.lock
PAGES := _config.yml _toc.yml CHANGELOG.md CITATION.cff $(wildcard _ext/*.*) $(wildcard book/*.* book/*/*)

# Two to four processes, each file's tests in one of them; without what libraries warn of.
PYTEST := $(PY) -m pytest --no-header --disable-warnings -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The tests that need the built book, and those that do not: all but these and the chapters'.
ON_PAGES := build cards closed dark elements growth_map lab light mathematics network pages printed quiz race reach reference
CORE := tests helpers $(foreach name,$(ON_PAGES) notebooks,--ignore=tests/test_$(name).py)

# Whoever names an interpreter gets it, or hears why not. What is like Colab has an environment of its own.
ifneq ($(origin PYTHON),file)
ifneq ($(if $(filter-out colab,$(MAKECMDGOALS)),$(wildcard $(PY))),)
version = $(shell $(1) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
ifneq ($(call version,$(PYTHON)),$(call version,$(PY)))
$(error .venv has Python $(call version,$(PY)), not that of $(PYTHON); remove .venv first)
endif
endif
endif

.PHONY: help book serve pdf zip test test-core test-chapters test-pages test-digits coverage mutation tidy links audit lock chapter address colab clean clean-all env
.DELETE_ON_ERROR:

help:
	@echo "make book           build the book: executes every chapter, then writes the pages to _build/html"
	@echo "make serve          build the book, then show it at http://127.0.0.1:$(PORT)"
	@echo "make pdf            print the built book to _build/net2net-book.pdf; needs Chromium or Chrome"
	@echo "make zip            pack the built book into _build/net2net-book.zip, to be read without the internet"
	@echo "make test           everything: unit and property tests, doctests, chapters, strict build, pages in a browser"
	@echo "make test-core      all but chapters and pages: unit and property tests, doctests"
	@echo "make test-chapters  only the notebooks: lean, well formed, outputs as committed"
	@echo "make test-pages     only the built pages: build, links, browser"
	@echo "make test-digits    only what reads the MNIST digits that are found"
	@echo "make colab          every chapter from its own set-up cell, in an environment like Colab's; needs Python 3.12"
	@echo "make coverage       which lines of helpers/ the tests run"
	@echo "make mutation       which small faults in helpers/ the tests do not find"
	@echo "make tidy           format the code, strip the notebooks of what is not committed, look for slips"
	@echo "make links          follow the links that lead out of the book"
	@echo "make chapter NAME=15_something    start a chapter from a template that passes the chapters' tests"
	@echo "make audit          ask which locked versions have known weaknesses"
	@echo "make lock           resolve requirements.txt anew into requirements.lock"
	@echo "make address URL=https://github.com/OWNER/NAME    change the repository's address everywhere"
	@echo "make clean          remove the built book and caches; make clean-all removes .venv too"
	@echo
	@echo "The first command also installs what is needed into .venv (about 3 GB; a few minutes)."

# ---------------------------------------------------------------- the environment

env: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else 1)' \
	|| { echo "The book needs Python 3.11, 3.12 or 3.13; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)."; \
	     echo "Name another one: make $(or $(MAKECMDGOALS),book) PYTHON=python3.12"; exit 1; }
	@echo "Setting up .venv with $$($(PYTHON) --version): about 160 packages, TensorFlow the largest. A few minutes, once."
	@test -x $(PY) || $(PYTHON) -m venv $(VENV) \
	|| { rm -rf $(VENV); echo "Python could not make an environment. On Debian or Ubuntu: apt install python3-venv"; exit 1; }
	@$(MAKE) --jobs=2 --no-print-directory $(HALVES)
	@$(PY) -m pip install -qq --disable-pip-version-check --no-build-isolation --no-deps --editable .
	@touch $@

# Two at a time: pip by itself installs one package after the other.
$(HALVES): $(VENV)/.%.txt: requirements.lock
	@grep '^[$*]' $< > $@
	@$(PY) -m pip install -qq --disable-pip-version-check --no-deps -r $@

# ---------------------------------------------------------------- the book

book: $(BUILT)
	@echo
	@echo "The book is built. Open this file in a browser:"
	@echo "    $(CURDIR)/_build/html/index.html"
	@echo "or see it at http://127.0.0.1:$(PORT) with: make serve"

_build/.code: $(CODE) | $(READY)
	@rm -rf _build
	@mkdir -p _build
	@touch $@

$(BUILT): $(PAGES) $(READY) _build/.code
	@rm -rf _build/html
	@$(PY) tests/make_book.py
	@touch $@

serve: book
	@echo "Showing the book at http://127.0.0.1:$(PORT); stop with Ctrl-C."
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

pdf: $(BUILT)
	@echo "Printing the whole book. About a minute."
	@$(PY) tests/printed.py

zip: $(BUILT)
	@$(PY) -c 'import shutil; print(shutil.make_archive("_build/net2net-book", "zip", "_build", "html"))'

# ---------------------------------------------------------------- tests

test: $(BUILT)
	@echo "Testing everything: code, chapters and pages. About half an hour on two cores."
	@$(PYTEST)

test-core: $(READY)
	@echo "Testing all but chapters and pages: unit and property tests, doctests. About twenty minutes."
	@$(PYTEST) $(CORE)

test-chapters: $(READY)
	@echo "Running every chapter and comparing what it prints. A few minutes."
	@$(PYTEST) tests/test_notebooks.py book

test-pages: $(BUILT)
	@echo "Testing the built pages and what moves on them. About ten minutes."
	@$(PYTEST) $(ON_PAGES:%=tests/test_%.py)

# All that depends on whether the full set is found, chapters aside; CI runs it with that set too.
test-digits: $(READY)
	@echo "Testing what reads the MNIST digits that are found. Seconds."
	@$(PY) -m pytest -q tests/test_tasks.py tests/test_studies.py helpers/data.py -k "test_tasks or load_mnist or inception"

colab:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 12))' \
	|| { echo "Colab has Python 3.12; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true). Name another: make colab PYTHON=python3.12"; exit 1; }
	@echo "Running every chapter as Colab would, with ipywidgets $(IPYWIDGETS): about a quarter of an hour."
	@test -x $(COLAB)/bin/python || $(PYTHON) -m venv $(COLAB)
	@$(COLAB)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/colab.txt "ipywidgets==$(IPYWIDGETS)"
	@$(COLAB)/bin/python tests/colab.py $(CHAPTERS)

coverage: $(READY)
	@$(PYTEST) $(CORE) --cov --cov-report=term-missing

mutation: $(READY)
	@echo "Putting small faults into the core of helpers/, 100 into each room, to see whether the tests find them."
	@echo "About half an hour. More, or other ones: $(PY) tests/mutation.py --help"
	@$(PY) -m pip install --quiet --disable-pip-version-check "mutmut>=3.8,<4"
	@$(PY) tests/mutation.py

# ---------------------------------------------------------------- keeping it tidy

tidy: $(READY)
	@echo "Formatting code, stripping notebooks, looking for slips. Seconds."
	@$(PY) -m ruff format .
	@$(PY) -m ruff check --fix .
	@$(PY) tests/lean.py $(wildcard book/*.ipynb book/templates/*.ipynb)
	@$(PY) -m codespell_lib $(wildcard *.md book/*.md book/*.ipynb book/templates/*.ipynb) helpers tests benchmarks _ext

links: $(READY)
	@echo "Following every link that leads out of the book. Minutes; needs the internet."
	@$(VENV)/bin/jupyter-book build . --all --builder linkcheck

audit: $(READY)
	@echo "Asking osv.dev about every version in requirements.lock. A minute; needs the internet."
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(PY) -m uv tool run --from "pip-audit>=2.10,<3" pip-audit --requirement requirements.lock --no-deps --disable-pip \
	    --vulnerability-service osv --progress-spinner off

lock: $(READY)
	@echo "Resolving requirements.txt for Python 3.11 and later. Seconds."
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@$(PY) -m uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command "make lock" --upgrade requirements.txt --output-file requirements.lock

chapter: $(READY)
	@$(PY) tests/chapter.py $(NAME)

address: $(READY)
	@$(PY) tests/address.py $(URL)

clean:
	rm -rf _build dist .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find book helpers tests _ext -name __pycache__ -o -name .ipynb_checkpoints | xargs rm -rf

clean-all: clean
	rm -rf $(VENV) $(COLAB)

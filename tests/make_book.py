"""Make the book: execute the chapters that have changed, then write the pages. `make book` runs this.

The screen has a line for each chapter. What the libraries say meanwhile is in `_build/book.log`.
"""

import concurrent.futures
import multiprocessing
import os
import sys
import time

import cores
import nbformat
import toc
import yaml
from address import ROOT
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbclient import NotebookClient


def prepare(log):
    """Let this process, and the kernels that it starts, write into the log instead of on the screen, on one core."""
    cores.one_thread()
    for stream in (1, 2):
        os.dup2(os.open(log, os.O_WRONLY | os.O_APPEND), stream)


def execute(path, timeout):
    """Execute a chapter; return the notebook with what it printed, the seconds and the error, whole, or ''."""
    notebook, begun, error = nbformat.read(path, 4), time.monotonic(), ""
    try:
        # Without times in the cells: the cache would take them for other cells.
        where = {"metadata": {"path": path.parent}}
        NotebookClient(notebook, timeout=timeout, record_timing=False, resources=where).execute()
    except Exception as fault:  # of a cell, of a kernel that died, or of one that did not start
        error = f"{type(fault).__name__}: {fault}"
    return notebook, time.monotonic() - begun, error


def changed(cache, root):
    """Return the chapters that the cache does not hold as they are now."""
    found = []
    for path in toc.chapters(root):
        try:
            cache.match_cache_notebook(nbformat.read(path, 4))
        except KeyError:
            found.append(path)
    return found


def execute_all(cache, root, log):
    """Execute what has changed, and say of each chapter how long it took; return {path: error}."""
    chapters, errors = changed(cache, root), {}
    at_once = min(os.cpu_count(), 4)  # each may take 2 GB of memory
    timeout = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["execute"]["timeout"]
    say(f"Chapters to execute: {len(chapters)}, {at_once} at a time.")
    fresh = multiprocessing.get_context("spawn")  # to fork a process that has threads may lock up
    with concurrent.futures.ProcessPoolExecutor(at_once, fresh, prepare, [log]) as pool:
        runs = {pool.submit(execute, path, timeout): path for path in chapters}
        for done, run in enumerate(concurrent.futures.as_completed(runs), 1):
            path, (notebook, seconds, error) = runs[run], run.result()
            if error:
                errors[path] = error
            else:
                bundle = CacheBundleIn(notebook, str(path), data={"execution_seconds": seconds})
                cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
            say(f"{done:4} of {len(chapters):2} {seconds:5.0f} s  {path.stem}{' FAILED' if error else ''}")
    return errors


def say(words):
    print(words, flush=True)


def main(root=ROOT):
    """Make the book in `root`; return 0, or 1 and what went wrong on the screen."""
    log = root / "_build" / "book.log"
    log.parent.mkdir(exist_ok=True)
    log.write_text("")
    told = f"The full log is in {log}"
    if errors := execute_all(get_cache(log.parent / ".jupyter_cache"), root, log):
        for path, error in errors.items():
            say(f"\n{path.relative_to(root)} failed:\n\n{error}")
        say(told)
        return 1
    say("Writing the pages.")
    begun, run = time.monotonic(), toc.build(root)
    with open(log, "a", encoding="utf-8") as file:
        file.write(run.stdout + run.stderr)
    if run.returncode:
        say(f"\nThe pages could not be written:\n\n{run.stderr}")
    else:
        say(f"{time.monotonic() - begun:16.0f} s")
    say(told)
    return run.returncode


if __name__ == "__main__":
    sys.exit(main())

"""How many small faults in the core of helpers/ do the tests find? `python tests/mutation.py [ROOM ...] [options]`.

A mutant is a room with one fault, such as `<` for `<=`, drawn from those that mutmut makes. It is killed if a test
fails on it. mutmut's own runner does not serve here: it skips decorated functions, which all rules of operations.py
are, and it forks, which TensorFlow does not survive. So the mutants are tried in one process: the functions in memory
get the mutant's code, and the tests that run its line are run again, quickest first, until one fails. A kill counts
only if that test passes once the code is whole again, so that a mutant leaves nothing behind. Tests beyond the time
set by `--seconds` are left out, and what they might have found counts as survived. What a room does only when it is
imported, such as registering its rules, is not tried: a fault there breaks nearly all tests.
"""

import argparse
import ast
import contextlib
import difflib
import functools
import gc
import importlib
import io
import random
import signal
import sys
import time
import types
from math import sqrt
from typing import NamedTuple

import coverage
import libcst as cst
import pytest
from _pytest.runner import runtestprotocol
from address import ROOT
from hypothesis import HealthCheck, Phase, settings
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.file_mutation import MutationVisitor, OuterFunctionProvider, deep_replace
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

CORE = ["reading", "groups", "settings", "building", "classes", "proof", "models", "filling", "report", "training"]

# Rooms and the files of tests that are to kill their mutants.
TESTS = [
    (["weights", "placing", "checks"], ["weights"]),
    (["rows", "operations", "products", "layout"], ["rows", "operations"]),
    (CORE, ["kinds", "keras_layers", "groups", "models"]),
    (["blocks", "zeros", "repeating", "identities", "places", "deeper"], ["blocks", "deeper"]),
    (["extending"], ["extending"]),
]
ROOMS = [room for rooms, _ in TESTS for room in rooms]
TOO_LONG = "test_applications"  # minutes for one test
EXAMPLES = 10  # of each property test


class Place(NamedTuple):
    """The lines where a mutant, the function around it, and that function's body begin."""

    line: int
    function: int
    body: int


class Mutator(MutationVisitor):
    """mutmut's, but for decorated functions too; remembers in which line and function each mutant lies."""

    def __init__(self):
        super().__init__(mutation_operators, IgnoredCode(set(), set(), set()))
        self.places = []

    def _skip_node_and_children(self, node):
        return not isinstance(node, cst.FunctionDef) and super()._skip_node_and_children(node)

    def _create_mutations(self, node):
        known = len(self.mutations)
        super()._create_mutations(node)
        outer = self.get_metadata(OuterFunctionProvider, node, None)
        nodes = (node, outer, outer.body) if isinstance(outer, cst.FunctionDef) else ()
        lines = [self.get_metadata(PositionProvider, each).start.line for each in nodes]
        self.places += [Place(*lines) if lines else None] * (len(self.mutations) - known)


def mutants(source):
    """Yield pairs (`Place`, what makes the mutant's source)."""
    wrapper, visitor = MetadataWrapper(cst.parse_module(source)), Mutator()
    module = wrapper.visit(visitor)
    for mutation, place in zip(visitor.mutations, visitor.places, strict=True):
        if place:
            yield place, lambda m=mutation: deep_replace(module, m.original_node, m.mutated_node).code


class Room:
    """A room in memory whose functions can be given other code."""

    def __init__(self, name):
        self.name = name
        self.module = importlib.import_module(f"helpers.{name}")
        self.path = self.module.__file__
        with open(self.path, encoding="utf-8") as file:
            self.source = file.read()
        gc.unfreeze()  # conftest.py freezes what is imported, and what is frozen is not found
        alive = gc.get_objects()
        self.functions = [
            f for f in alive if isinstance(f, types.FunctionType) and f.__globals__ is self.module.__dict__
        ]
        if not self.functions:
            raise RuntimeError(f"helpers/{name}.py: no function of it was found in memory")
        self.caches = [c for c in alive if isinstance(c, functools._lru_cache_wrapper) and "helpers" in c.__module__]

    @contextlib.contextmanager
    def mutated(self, mutant, line):
        """Give the function that begins in `line`, and those inside it, the code that `mutant` has for them."""
        name = next(n for n, first in _functions(self.source) if first == line)
        codes = {code.co_qualname: code for code in _codes(compile(mutant, self.path, "exec"))}
        defaults = _defaults(mutant, name, self.module.__dict__)
        before = []
        try:
            for f in self.functions:
                whole = f.__code__.co_qualname
                if whole == name or whole.startswith(f"{name}.<locals>"):
                    before.append((f, f.__code__, f.__defaults__, f.__kwdefaults__))
                    if whole in codes and codes[whole].co_freevars == f.__code__.co_freevars:
                        f.__code__ = codes[whole]
                    if whole == name:
                        f.__defaults__, f.__kwdefaults__ = defaults
            self.forget()
            yield
        finally:
            for f, *whole in before:
                f.__code__, f.__defaults__, f.__kwdefaults__ = whole
            self.forget()

    def forget(self):
        for cache in self.caches:
            cache.cache_clear()


def _codes(code):
    """The codes of all functions in `code`; of two with one name (as lambdas have), the later."""
    for const in code.co_consts:
        if isinstance(const, types.CodeType):
            yield const
            yield from _codes(const)


def _functions(source):
    """Pairs (qualified name, first line) of a module's functions and methods."""
    for node in ast.parse(source).body:
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef):
                yield (f"{node.name}.{inner.name}" if inner is not node else inner.name), inner.lineno


def _defaults(source, name, names):
    """The default arguments of a function, as the source has them."""
    node = ast.parse(source)
    for part in name.split("."):
        node = [n for n in node.body if getattr(n, "name", None) == part][-1]
    values = [eval(ast.unparse(d), names) for d in node.args.defaults]
    named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    return tuple(values) or None, {a.arg: eval(ast.unparse(d), names) for a, d in named if d} or None


class Trial:
    """A pytest plugin that runs the collected tests in its own way."""

    def __init__(self, rooms, options):
        self.rooms, self.options = rooms, options
        self.cover = coverage.Coverage(data_file=None, config_file=False, include=["*/helpers/*.py"])
        self.cover.start()  # before the rooms are imported

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session):
        self.items = [item for item in session.items if TOO_LONG not in item.nodeid]
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.measure()
        for room in self.rooms:
            self.try_room(Room(room))
        return True

    def measure(self):
        """Run every test once: it must pass; which lines does it run, and how long does it take?"""
        self.seconds = {}
        for item in self.items:
            self.cover.switch_context(item.nodeid)
            began = time.process_time()
            if fails(item):
                raise pytest.UsageError(f"{item.nodeid} fails without any mutant")
            self.seconds[item.nodeid] = time.process_time() - began
        self.cover.stop()
        self.ran = self.cover.get_data().contexts_by_lineno

    def try_room(self, room):
        at_import = {line for line, tests in self.ran(room.path).items() if not any(tests)}
        found = [
            (place, make)
            for place, make in mutants(room.source)
            if place.line < place.body or place.line not in at_import
        ]
        size = min(self.options.sample or len(found), len(found))
        chosen = random.Random(self.options.seed).sample(found, size)
        say(f"helpers/{room.name}.py: {size} of {len(found)} mutants, {len(self.items)} tests")
        killers = {}  # line of a function -> tests that have killed mutants of it
        for place, make in sorted(chosen, key=lambda mutant: mutant[0]):
            source, those = make(), killers.setdefault(place.function, [])
            if killer := self.killer(room, source, place, those):
                those.append(killer)
                if self.options.verbose:
                    say(f"killed in line {place.line} by {killer}")
            else:
                say(difference(room.source, source, f"survived in line {place.line}"))
        killed = sum(map(len, killers.values()))
        share = killed / size
        error = 1.96 * sqrt(share * (1 - share) / size * (1 - size / len(found)))
        say(f"helpers/{room.name}.py: {killed} of {size} killed, {share:.1%} +- {error:.1%} (95 %)\n")

    def killer(self, room, source, place, those):
        """The test that fails on a mutant, if one does; `those` have killed mutants of the same function."""
        # A line inside a call may have no event of its own: then the tests of a line before it. Default arguments have
        # none: then those of the function's first line.
        ran = {n: tests for n, tests in self.ran(room.path).items() if n >= place.body and any(tests)}
        near = max((n for n in ran if n <= place.line), default=min(ran, default=None))
        items = [item for item in self.items if item.nodeid in ran.get(near, ())]
        items.sort(key=lambda item: (item.nodeid not in those, self.seconds[item.nodeid]))
        left = self.options.seconds
        for item in items:
            left -= self.seconds[item.nodeid]
            if left < 0:
                break
            try:
                with room.mutated(source, place.function):
                    failed = fails(item, limit=5 + 5 * self.seconds[item.nodeid])
            except SyntaxError:
                return "the compiler"
            if failed and not fails(item):
                return item.nodeid
        return None


def fails(item, limit=600):
    """Run a test; a mutant may loop for ever, so it has `limit` seconds of processor time."""

    def stop(*_):
        raise TimeoutError

    previous = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, limit, 1)
    names = dict(item.dtest.globs) if isinstance(item, pytest.DoctestItem) else None
    try:
        reports = runtestprotocol(item, log=False, nextitem=None)
    finally:
        if names:  # a doctest forgets them when it has run
            item.dtest.globs = names
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    return any(report.failed for report in reports)


def difference(before, after, title):
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return "\n".join([title] + [f"  {line}" for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@"])


def say(text):
    print(text, file=sys.__stdout__, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("rooms", nargs="*", default=ROOMS, choices=ROOMS, help="all if left out")
    parser.add_argument("--sample", type=int, default=100, help="mutants of each room; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument("--seconds", type=float, default=60, help="processor time of tests for one mutant")
    parser.add_argument("--verbose", action="store_true", help="name the test that kills each mutant")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    settings.register_profile(
        "mutation",
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    how = ["-o", "addopts=--doctest-modules -p no:cacheprovider -p no:terminal -W ignore", "--rootdir", str(ROOT)]
    how += ["--hypothesis-profile", "mutation"]
    for rooms, files in TESTS:
        if rooms := [room for room in rooms if room in options.rooms]:
            tests = [str(ROOT / path) for name in files for path in (f"tests/test_{name}.py", f"helpers/{name}.py")]
            code = pytest.main([*how, *tests], plugins=[Trial(rooms, options)])
            if code:
                sys.exit(code)


if __name__ == "__main__":
    main()

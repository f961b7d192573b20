"""Runs the mutants: every one in a fork of its own, against the test files that execute the changed line."""

import argparse
import ast
import importlib.abc
import importlib.util
import json
import os
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import coverage
import hypothesis
import pytest

from tools.mutants.mutations import Mutant, mutants

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nodeunit" / "domain"
EQUIVALENT = Path(__file__).with_name("equivalent.toml")
ENOUGH = 0.95
"""The share of all mutants of the package that must be noticed."""
OF_THE_DOMAIN = ("nodeunit.domain", "nodeunit.errors", "tests.support.round_inputs")
PYTEST = [
    "-x",
    "-q",
    "--noconftest",
    "--assert=plain",
    "-p",
    "no:cacheprovider",
    "-o",
    "addopts=--import-mode=importlib",
]


@dataclass(frozen=True)
class TestFile:
    """A test file and what it executed of the unchanged package."""

    path: Path
    seconds: float
    lines: frozenset[tuple[str, int]]
    """Module and line."""


# --- which tests ----------------------------------------------------------------------------------


def domain_tests() -> list[Path]:
    """The unit and property tests that import nothing else of this project than the domain and values of it."""
    found = []
    for path in sorted(
        [*(ROOT / "tests" / "unit").glob("test_*.py"), *(ROOT / "tests" / "property").glob("test_*.py")]
    ):
        tree = ast.parse(path.read_text(encoding="utf8"))
        imported = [
            f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ]
        ours = [name for name in imported if name.split(".")[0] in ("nodeunit", "tests", "tools", "psycopg")]
        if any(name.startswith("nodeunit.domain") for name in ours) and all(n.startswith(OF_THE_DOMAIN) for n in ours):
            found.append(path)
    return found


def observe(path: Path) -> str:
    """Runs a test file on the unchanged package; JSON of its seconds and of the lines that it executed."""
    watching = coverage.Coverage(data_file=None, config_file=False, source=[str(PACKAGE)])
    began = time.monotonic()
    with watching.collect():
        status = run_tests([path])
    if status != 0:
        os._exit(1)
    executed = watching.get_data()
    lines = [(Path(name).stem, line) for name in executed.measured_files() for line in executed.lines(name) or ()]
    return json.dumps({"seconds": time.monotonic() - began, "lines": lines})


def run_tests(paths: Sequence[Path]) -> int:
    """0 when all pass. Hypothesis tries the same 30 examples each time, and does not shrink one that fails."""
    hypothesis.settings.register_profile(
        "mutants",
        deadline=None,
        max_examples=30,
        derandomize=True,
        database=None,
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    hypothesis.settings.load_profile("mutants")
    return int(pytest.main([*PYTEST, *map(str, paths)]))


# --- processes ------------------------------------------------------------------------------------


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the mutant in place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant
        self._name = f"nodeunit.domain.{mutant.module}"

    def find_spec(self, fullname: str, path: object, target: ModuleType | None = None) -> ModuleSpec | None:
        return importlib.util.spec_from_loader(fullname, self) if fullname == self._name else None

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self._mutant.tree, str(PACKAGE / f"{self._mutant.module}.py"), "exec")
        exec(code, module.__dict__)


def forked(work: Callable[[], str | int], limit_s: float) -> tuple[int, int]:
    """Begins `work` in a process of its own: its id, and a pipe with the text that `work` returns. An integer is the
    exit status. After the limit the process is ended by a signal.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 2
    try:
        signal.alarm(max(1, int(limit_s)))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        result = work()
        status = result if isinstance(result, int) else 0
        if isinstance(result, str):
            with os.fdopen(writing, "w") as out:
                out.write(result)
    finally:
        os._exit(status)


def observe_all(paths: list[Path]) -> list[TestFile]:
    """What each test file executes. Exits when one of them fails without any change."""
    seen = []
    for path in paths:
        child, reading = forked(lambda path=path: observe(path), 300)  # type: ignore[misc]
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(f"{path.relative_to(ROOT)} fails without any change: run it with pytest first")
        observed = json.loads(text)
        lines = frozenset((module, line) for module, line in observed["lines"])
        seen.append(TestFile(path, observed["seconds"], lines))
    return sorted(seen, key=lambda test: test.seconds)


def survivors(all_of_them: list[Mutant], tests: list[TestFile], told: Callable[[int, int], None]) -> list[Mutant]:
    """The mutants that no test notices, as many at a time as there are processors."""
    waiting, running, survived, done = list(reversed(all_of_them)), dict[int, Mutant](), list[Mutant](), 0
    while waiting or running:
        while waiting and len(running) < (os.cpu_count() or 1):
            mutant = waiting.pop()
            concerned = [test for test in tests if any((mutant.module, line) in test.lines for line in mutant.lines)]
            limit_s = 20 + 10 * sum(test.seconds for test in concerned)

            def work(mutant: Mutant = mutant, concerned: list[TestFile] = concerned) -> int:
                sys.meta_path.insert(0, Changed(mutant))
                return run_tests([test.path for test in concerned])

            if concerned:
                child, reading = forked(work, limit_s)
                os.close(reading)
                running[child] = mutant
            else:
                survived.append(mutant)
        with suppress(ChildProcessError):
            child, status = os.wait()
            mutant = running.pop(child)
            done += 1
            if status == 0:
                survived.append(mutant)
            told(done, len(survived))
    return survived


# --- the outcome ----------------------------------------------------------------------------------


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.mutants", description=__doc__)
    parser.add_argument("modules", nargs="*", help="of nodeunit/domain, without .py; all of them if none is given")
    all_modules = [path.stem for path in sorted(PACKAGE.glob("*.py"))]
    modules = parser.parse_args().modules or all_modules

    began = time.monotonic()
    tests = observe_all(domain_tests())
    print(f"{len(tests)} test files pass unchanged", file=sys.stderr)
    found = [m for module in modules for m in mutants(module, (PACKAGE / f"{module}.py").read_text(encoding="utf8"))]

    def told(done: int, survived: int) -> None:
        if done % 25 == 0 or done == len(found):
            print(f"{done} of {len(found)} mutants tried, {survived} survived", file=sys.stderr, flush=True)

    survived = survivors(found, tests, told)
    equivalent: dict[str, dict[str, str]] = tomllib.loads(EQUIVALENT.read_text(encoding="utf8"))
    unlisted = [mutant for mutant in survived if mutant.name not in equivalent.get(mutant.module, {})]
    names = {(mutant.module, mutant.name) for mutant in survived}
    stale = [(m, n) for m in modules for n in equivalent.get(m, {}) if (m, n) not in names]

    print(f"{'module':16} {'mutants':>8} {'noticed':>8} {'equivalent':>11} {'unnoticed':>10}")
    for module in [*modules, "all"]:
        of_all, of_survived, of_unlisted = (
            sum(1 for mutant in some if module in (mutant.module, "all")) for some in (found, survived, unlisted)
        )
        if of_all:
            print(
                f"{module:16} {of_all:8} {of_all - of_survived:8} {of_survived - of_unlisted:11} {of_unlisted:10}"
                f" {(of_all - of_survived) / of_all:8.1%}"
            )
    print(f"{time.monotonic() - began:.0f} s")
    for mutant in unlisted:
        print(f"not noticed: nodeunit/domain/{mutant.module}.py:{mutant.line} {mutant.name}")
    for module, name in stale:
        print(f"listed as equivalent, and noticed or gone: [{module}] {name}")
    too_many = modules == all_modules and len(survived) > (1 - ENOUGH) * len(found)
    return 1 if unlisted or stale or too_many else 0

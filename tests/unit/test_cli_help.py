"""What every verb of the command line keeps: an example in its help, and one convention for times and files."""

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from nodeunit import cli
from nodeunit.cli import moments
from nodeunit.cli.app import app

Words = tuple[str, ...]
"""Those of a verb: `projections`, `verify`."""


def verbs(command: Any, *path: str) -> Iterator[tuple[Words, Any]]:
    """Every verb, those of groups too. The commands are Any because newer typers bring a click of their own."""
    below = getattr(command, "commands", {})
    for name, verb in below.items():
        if verb.hidden:
            continue  # another name of a verb
        yield from verbs(verb, *path, name)
    if path and (not below or command.invoke_without_command):
        yield path, command


VERBS = dict(verbs(get_command(app)))
OPTIONS = [(path, option) for path, verb in VERBS.items() for option in verb.params]


@pytest.mark.parametrize("path", VERBS, ids=" ".join)
def test_the_help_has_an_example_that_can_be_typed(path: Words) -> None:
    found = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "400", "TERM": "dumb", "NO_COLOR": "1"})
    assert found.exit_code == 0
    examples = re.findall(r"Example: (.*?)(?:\s*│)?\n", found.output)
    assert examples, found.output
    for example in examples:
        words = [word for word in example.split() if not re.match(r"[A-Z_]+=", word)]
        assert tuple(words[: 1 + len(path)]) == ("nodeunit", *path), example
        given = {word for word in words if word.startswith("--")}
        known = {name for option in VERBS[path].params for name in option.opts}
        assert given <= known, example


TIMES = {"--since", "--until", "--at", "--usage-until"}


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path, option in OPTIONS for name in option.opts if option.metavar == "TIME" or name in TIMES],
    ids=str,
)
def test_a_time_is_named_alike_and_takes_the_same_forms_everywhere(path: Words, name: str) -> None:
    assert name in TIMES
    found = CliRunner().invoke(app, [*path, name, "soon"], env={"COLUMNS": "400", "TERM": "dumb", "NO_COLOR": "1"})
    assert found.exit_code == 2
    assert f"'soon' is not a time; give {moments.FORMS}" in found.output


def test_who_reads_a_part_of_the_log_bounds_it_by_since_and_until() -> None:
    for verb in ("report", "backtest", "events", "usage"):
        assert {"--since", "--until"} <= {name for path, option in OPTIONS if path == (verb,) for name in option.opts}


def test_a_file_is_not_named_like_a_time() -> None:
    for path, option in OPTIONS:
        if option.metavar == "FILE":
            assert not {"--to", "--from", "--since", "--until"} & set(option.opts), path


def test_a_module_is_a_verb_or_shared_by_verbs() -> None:
    modules = {file.stem for file in Path(inspect.getfile(cli)).parent.glob("*.py")}
    assert modules - {"__init__", "app", "contexts", "group", "moments", "options"} == {path[0] for path in VERBS}

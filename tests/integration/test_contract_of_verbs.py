"""What every verb keeps: its formats have their schemas, its examples run, and no command line ends in a traceback."""

import asyncio
import random
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from typer.main import get_command

from nodeunit import errors
from nodeunit.cli.app import app
from nodeunit.cli.output.schemas import DOCUMENTS, identifier, json_schema
from nodeunit.store.postgres.connections import Pool
from tests.support.command_line import call, said
from tests.support.process_reports import report, started
from tests.support.rounds import deciding
from tests.support.rows import rows

READING = {
    "get deployments": "deployments", "ps": "deployments", "get units": "units", "get events": "events",
    "rollout history clock": "revisions", "usage": "usage", "describe clock": "description", "replay": "fleet",
    "why clock": "explanation", "plan clock": "plan", "backtest": "backtest", "report": "report",
}  # fmt: skip
FORMATS = ("table", "wide", "json", "yaml", "jsonl", "name")
ONE_LINE_OF = {"fleet": "deployments", "backtest": "differences"}
"""Documents of which jsonl prints the items of a field."""


@pytest.fixture
async def fleet(database: str, pool: Pool) -> str:
    """A unit that runs the row clock, which was changed once, and a row that waits."""
    unit = await deciding(pool, "unit-a")
    await said(database, "create", "--name", "clock", "--package", "@yuants/clock@1.0.0", "--env", "LEVEL=info")
    await unit.look()
    await said(database, "set", "clock", "package_version=1.1.0")
    await said(database, "create", "--name", "shop", "--command", "sleep")
    (row,) = rows(database, "select id from deployment where name = 'clock'")
    report(database, "unit-a", started(row["id"], revision=2))
    rows(
        database,
        "insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb) "
        "select now() - n * interval '1 minute', 'unit-a', null, n, 100 from generate_series(1, 9) n",
    )
    return database


def checked(name: str, document: Any) -> None:
    """The document has its schema's identifier and fields of its types."""
    assert document.pop("schema") == identifier(name)
    content = DOCUMENTS[name].content
    if DOCUMENTS[name].listed:
        assert set(document) == {"items"}
        assert document["items"]
        msgspec.convert(document["items"], list[content], strict=False)  # type: ignore[valid-type]
    else:
        msgspec.convert(document, content, strict=False)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("verb", READING)
async def test_every_format_of_every_verb_that_reads(fleet: str, verb: str, output: str) -> None:
    name = READING[verb]
    if verb == "report" and output in ("table", "wide", "name"):
        await said(fleet, verb, "-o", output, code=2)  # its table is Markdown
        return
    shown = await said(fleet, *verb.split(), "-o", output)
    if output == "json":
        checked(name, msgspec.json.decode(shown))
    elif output == "yaml":
        checked(name, yaml.safe_load(shown))
    elif output == "jsonl":
        lines = [msgspec.json.decode(line) for line in shown.splitlines()]
        if DOCUMENTS[name].listed:
            checked(name, {"schema": identifier(name), "items": lines})
        elif name not in ONE_LINE_OF:
            (line,) = lines
            checked(name, line)
    elif output == "name":
        assert all(re.fullmatch(r"\w+/\S+", line) for line in shown.splitlines())
    elif verb != "backtest":
        assert max(map(len, shown.splitlines())) <= 80 or output == "wide" or verb.split()[-1] in ("events", "clock")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_document_has_a_schema(name: str) -> None:
    schema = json_schema(name)
    assert schema["$id"] == f"nodeunit.{name}/1"
    assert msgspec.json.decode(call("schema", name).stdout) == msgspec.json.decode(msgspec.json.encode(schema))


def examples(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    below = getattr(command, "commands", {})
    for name, verb in below.items():
        yield from examples(verb, *path, name)
    if command.help:
        for example in re.findall(r"Example\[/bold\]: nodeunit (.*)", command.help):
            yield tuple(shlex.split(example))


NOT_HERE = {"run", "config", "demo", "address", "archive", "enroll", "reload", "drain", "logs", "migrate"}
"""They need more than a database, or wait for units, and have tests of their own."""
ENDLESS = {"--watch", "-f", "--follow"}
OLD_ROWS = {"044142ec", "$DEPLOYMENT", "report.md"}
EXAMPLES = sorted(
    {
        example
        for example in examples(get_command(app))
        if example[0] not in NOT_HERE
        and not (ENDLESS & set(example) and example[0] not in ("create", "apply", "diff"))
        and not OLD_ROWS & set(example)
    }
)


@pytest.mark.parametrize("example", EXAMPLES, ids=" ".join)
async def test_every_example_can_be_typed(
    fleet: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISUAL", "true")
    (tmp_path / "rows.yaml").write_text("name: timer\ncommand: sleep\n")
    if example[0] == "create" and "-f" not in example:
        await said(fleet, "delete", "clock", "--yes")
    redirected = example[: example.index(">")] if ">" in example else example
    words = [word if word != "node-unit-1" else "unit-a" for word in redirected if not word.startswith("postgresql://")]
    words = [word for word in words if word != "--database"]
    code = 1 if example[0] == "diff" else 0
    if "2026-01-16T15:52:50+08:00" in words or "2h" in words or "30m" in words or "1h" in words:
        result = await asyncio.to_thread(call, *words, conninfo=fleet)
        assert result.exit_code in (0, 25), (words, result.output)  # the log of this test begins later
        return
    if example[0] == "doctor":
        code = 1  # this fleet has rows that no unit may run
    await said(fleet, *words, code=code)


# fmt: off
WORDS = [
    "", "clock", "shop", "unit-a", "nobody", "-", "--", "-o", "json", "xml", "name", "-l", "state=running",
    "state", "=",
    "a=b", "--all", "--yes", "--since", "5m", "yesterday 10:00", "soon", "999999999d", "--at", "2026-13-45",
    "--limit", "0",
    "-1", "--sort-by", "age_s", "-age_s", "colour", "package_version=2", "args=[", "args=[1]", "env={}",
    "enabled=maybe",
    "memory_limit_mb=1e400", "--env", "A=1", "A", "--for", "running", "--timeout", "10ms", "--to-revision",
    "1", "99999999999999",
    "--no-headers", "--unit", "--deployment", "\x00", "\ud800", "ü" * 300, "0" * 40, "'; drop", "%s", "{name}",
    "--type", "DeploymentClaimed", "X", "--file", "/nowhere", "/", "--dry-run", "--prune", "-w=x", "--bucket",
    "0s", "1s",
]
FUZZED = [
    "get deployments", "get units", "get events", "ps", "describe", "wait", "create", "set", "enable",
    "disable", "restart",
    "delete", "apply", "diff", "rollout status", "rollout history", "rollout undo", "usage", "why", "plan",
    "replay",
    "events", "report", "schema", "cordon", "uncordon", "backtest", "", "nothing",
]
# fmt: on


@pytest.mark.parametrize("seed", range(10))
async def test_no_traceback_for_fuzzed_command_lines(fleet: str, seed: int) -> None:
    """Fifty for each seed. `call` raises whatever is neither an error of this project nor a usage error."""
    choose = random.Random(seed)
    known = {one.exit_code for one in vars(errors).values() if isinstance(one, type) and hasattr(one, "exit_code")}
    for _ in range(50):
        words = [*choose.choice(FUZZED).split(), *choose.choices(WORDS, k=choose.randrange(6))]
        result = await asyncio.to_thread(call, *words, conninfo=fleet, given="name: x\n")
        assert result.exit_code in known | {0, 2}, (words, result.exit_code, result.output)

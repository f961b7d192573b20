"""`nodeunit events`: the log unchanged, including unknown events."""

import asyncio
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.domain.events import DeploymentClaimed
from nodeunit.store.postgres.connections import Pool
from tests.support.rounds import Deciding, deciding
from tests.support.rows import insert_deployments, rows, value

CHECKOUT = Path(__file__).parents[2]


def events(*arguments: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, ["events", *arguments])
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def append(database: str, type_name: str, schema_version: int, data: str) -> None:
    rows(
        database,
        "insert into event (stream_id, stream_version, type, unit_address, schema_version, data) "
        "values ('decision-x-1', 1, %s, 'x', %s, %s)",
        (type_name, schema_version, data),
    )


def test_all_columns_and_the_data_as_it_is(database: str) -> None:
    (row,) = insert_deployments(database, 1)
    (event,) = events("-d", database)
    stored = rows(database, "select * from event")[0]
    assert event["data"] == stored["data"]
    assert event["deployment_id"] == str(row)
    assert (event["type"], event["stream_id"]) == ("DeploymentCreated", f"deployment-{row}")
    assert event.keys() == stored.keys()


def test_unknown_types_newer_versions_and_damaged_ones_pass_through(database: str) -> None:
    append(database, "DeploymentPromoted", 1, '{"to": "production", "weights": [1, 2.5, null]}')
    append(database, "DeploymentClaimed", 99, '{"claimants": ["a", "b"]}')
    append(database, "DeploymentClaimed", 1, '{"not": "what it should be"}')
    found = events("-d", database)
    assert [(e["type"], e["schema_version"], e["data"]) for e in found] == [
        ("DeploymentPromoted", 1, {"to": "production", "weights": [1, 2.5, None]}),
        ("DeploymentClaimed", 99, {"claimants": ["a", "b"]}),
        ("DeploymentClaimed", 1, {"not": "what it should be"}),
    ]
    shown = CliRunner().invoke(app, ["events", "-d", database, "-o", "table"]).stdout.splitlines()
    assert len(shown) == 3
    assert '"claimants"' in shown[1]
    assert "what it should be" in shown[2]


def test_only_what_is_asked_for(database: str) -> None:
    first, second = insert_deployments(database, 2)
    between = value(database, "select clock_timestamp()")
    rows(database, "update deployment set enabled = false")
    assert [e["type"] for e in events("-d", database, "--deployment", str(first))] == [
        "DeploymentCreated",
        "DeploymentDisabled",
    ]
    assert {e["deployment_id"] for e in events("-d", database, "--type", "DeploymentDisabled")} == {
        str(first),
        str(second),
    }
    assert len(events("-d", database, "--since", between.isoformat())) == 2
    assert len(events("-d", database, "--until", between.isoformat())) == 2
    assert len(events("-d", database, "--since", "1h", "--type", "DeploymentCreated", "--type", "UnitLost")) == 2


@pytest.mark.parametrize("arguments", [["-o", "json"], ["--since", "soon"], ["--type", "X"], ["-f", "--until", "5m"]])
def test_a_wrong_call(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["events", "-d", "host=nowhere", *arguments]).exit_code == 2


def test_no_control_character_reaches_the_terminal(database: str) -> None:
    rows(database, "alter table deployment drop constraint deployment_package_name_is_plain")  # as in an older log
    insert_deployments(database, 1, package="@yuants/\x1b[31mred\nline")
    shown = CliRunner().invoke(app, ["events", "-d", database, "-o", "table"]).stdout
    assert len(shown.splitlines()) == 1
    assert "\x1b" not in shown


async def test_followed_through_a_pipe(database: str, pool: Pool) -> None:
    unit: Deciding = await deciding(pool, "unit-a")
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "nodeunit", "events", "-d", database, "-f", "--type", "DeploymentClaimed",
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CHECKOUT,
    )  # fmt: skip
    assert program.stdout is not None
    try:
        (row,) = insert_deployments(database, 1)
        await unit.look()
        claimed = json.loads(await asyncio.wait_for(program.stdout.readline(), 20))
        assert msgspec.convert(claimed["data"], DeploymentClaimed) == DeploymentClaimed(row, "unit-a")
        program.send_signal(signal.SIGINT)
        rest, complaints = await asyncio.wait_for(program.communicate(), 20)
        assert (rest, complaints) == (b"", b"")
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


def test_a_reader_that_leaves_early_is_no_error(database: str) -> None:
    insert_deployments(database, 3000)
    program = f"{sys.executable} -m nodeunit events -d '{database}' | head -n 1"
    result = subprocess.run(
        ["bash", "-c", program], cwd=CHECKOUT, capture_output=True, text=True, timeout=30, check=True
    )
    assert json.loads(result.stdout)["type"] == "DeploymentCreated"
    assert result.stderr == ""

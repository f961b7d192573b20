"""Every released schema, upgraded, is the schema that a fresh install makes, and keeps what was recorded in it."""

import asyncio
from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import AsyncConnection
from typer.main import get_command
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.errors import DeploymentRefused, NotMigrated, SchemaTooNew
from nodeunit.store.postgres.migrator import migrate, status
from nodeunit.store.read import projections
from tests.support.catalogue import catalogue, differences
from tests.support.rows import rows, value
from tests.support.schemas import KEPT, install, live
from tests.support.unit_process import unit_process

SCHEMAS = sorted(path.name for path in KEPT.iterdir())


@pytest.mark.parametrize("version", SCHEMAS)
async def test_an_upgraded_schema_is_a_fresh_one(version: str, empty_database: str, database: str) -> None:
    await upgrade_and_compare(version, empty_database, database)


@pytest.mark.parametrize("version", SCHEMAS)
async def test_an_upgraded_schema_is_a_fresh_one_without_timescaledb(
    version: str, empty_plain_database: str, plain_database: str
) -> None:
    await upgrade_and_compare(version, empty_plain_database, plain_database)


def close(old: str) -> None:
    """A fleet that was there goes on without enrolled logins until its owner says otherwise; a fresh one needs them."""
    assert value(old, "select has_column_privilege('nodeunit_unit', 'deployment', 'env', 'select')")
    rows(old, "select require_enrolled_logins(true)")


async def upgrade_and_compare(version: str, old: str, fresh: str) -> None:
    """Installs a released schema in `old`, lives in it, and upgrades it to what `fresh` has."""
    await install(old, version)
    assert differences(catalogue(old), catalogue(fresh)) != {}, "there is nothing to upgrade"
    live(old, version)
    before = rows(old, "select * from deployment order by id")
    events = value(old, "select count(*) from event")
    assert events > 15

    await migrate(old)

    close(old)
    assert differences(catalogue(old), catalogue(fresh)) == {}
    assert {line.state for line in await status(old) if line.state != "unknown"} == {"applied"}
    after = rows(old, "select * from deployment order by id")
    assert [{name: row[name] for name in kept} for row, kept in zip(after, before, strict=True)] == before
    assert value(old, "select count(*) from event") == events
    assert await projections.verify(old) == []
    assert (await migrate(old)).applied == []


async def test_the_comparison_notices_what_differs(plain_database: str, empty_plain_database: str) -> None:
    await migrate(empty_plain_database)
    for statement, name in {
        "alter table lease alter column cpu_percent set default 0": "column lease.cpu_percent",
        "grant select on lease to public": "relation lease",
        "revoke execute on function wake from nodeunit_unit": "function wake(text,text)",
        "drop trigger deployment_is_stamped on deployment": "trigger deployment.deployment_is_stamped",
        "drop index event_by_id": "index event_by_id",
        "alter table unit drop constraint unit_membership_is_known": "constraint unit.unit_membership_is_known",
    }.items():
        rows(empty_plain_database, statement)
        assert name in differences(catalogue(empty_plain_database), catalogue(plain_database)), statement


async def test_a_table_from_before_its_last_columns_gets_them(empty_plain_database: str, plain_database: str) -> None:
    """Before 0.1.0 the table unit was made by a repeatable file, which left an older table as it was."""
    await install(empty_plain_database, "0.1.0")
    rows(empty_plain_database, "alter table unit drop column cordoned cascade, drop column drain_until cascade")
    rows(empty_plain_database, "update schema_migration set checksum = 'older' where name !~ '^migrations/0'")
    await migrate(empty_plain_database)
    assert differences(catalogue(empty_plain_database), catalogue(plain_database)) == {}


async def test_an_upgrade_that_is_interrupted_anywhere_is_completed_by_the_next(
    empty_plain_database: str, plain_database: str
) -> None:
    """Each transaction of it fails once, by a statement of the ledger that is refused."""
    await install(empty_plain_database, "0.1.0")
    live(empty_plain_database, "0.1.0")
    interrupted = 0
    for stop_at in ("before/0010", "before/0011", "grants", "after/0012", "after/0013"):
        rows(
            empty_plain_database,
            "alter table schema_migration add constraint stop_here check (name !~ '" + stop_at + "') not valid",
        )
        with pytest.raises(DeploymentRefused, match="stop_here"):
            await migrate(empty_plain_database)
        rows(empty_plain_database, "alter table schema_migration drop constraint stop_here")
        interrupted += 1
        assert await works_for_0_1_0(empty_plain_database), stop_at
    await migrate(empty_plain_database)
    assert interrupted == 5
    close(empty_plain_database)
    assert differences(catalogue(empty_plain_database), catalogue(plain_database)) == {}
    assert await projections.verify(empty_plain_database) == []


async def works_for_0_1_0(conninfo: str) -> bool:
    """Whether the calls of a unit of 0.1.0 are answered: heartbeat, probe, suspicion."""
    (answer,) = rows(conninfo, "select fenced from heartbeat('unit-1', 1, '1 hour', '30 minutes', 1, 1, '[]')")
    rows(conninfo, "select doubt_units('unit-1', 1, array['unit-3'], ask_units(array['unit-3']))")
    return answer["fenced"] is False


UNIT_CALLS = (
    "select h.fenced from heartbeat(%s, 1, '1 hour', '30 minutes', 1, 1, '[]') as h",
    "select doubt_units(%s, 1, array['unit-3'], ask_units(array['unit-3']))",
    "select r.units from round_inputs(array[%s], 8) as r",
    "select stream_version_now(%s, 1)",
    "select declare_lost(%s, 1, 'unit-3', gen_random_uuid())",
)
"""What a unit of 0.1.0 calls all the time, as its prepared statements do."""


async def test_calls_that_are_under_way_while_the_schema_changes_do_not_fail(empty_plain_database: str) -> None:
    await install(empty_plain_database, "0.1.0")
    live(empty_plain_database, "0.1.0")
    ended = asyncio.Event()

    async def call(query: LiteralString) -> int:
        calls = 0
        async with await AsyncConnection.connect(
            empty_plain_database, autocommit=True, prepare_threshold=0
        ) as connection:
            while not ended.is_set():
                await connection.execute(query, ("unit-1",))
                calls += 1
        return calls

    async with asyncio.TaskGroup() as calling:
        tasks = [calling.create_task(call(query)) for query in UNIT_CALLS * 2]
        await migrate(empty_plain_database)
        ended.set()
    assert min(task.result() for task in tasks) > 10, "it was hardly called"


def test_a_unit_does_not_start_on_an_older_schema(empty_plain_database: str, tmp_path: Path) -> None:
    asyncio.run(install(empty_plain_database, "0.1.0"))
    with unit_process(empty_plain_database, tmp_path) as unit:
        assert unit.wait() == NotMigrated.exit_code
        (sentence,) = unit.log.splitlines()
        assert sentence.startswith("nodeunit: the schema of the database (version 1) is older than this nodeunit")
        assert sentence.endswith("run: nodeunit migrate")


VERBS = {
    "cordon": ["unit-1"], "uncordon": ["unit-1"], "drain": ["unit-1"], "report": [], "replay": [], "why": ["00000000"],
    "plan": ["00000000"], "enroll": ["unit-1"], "backtest": [], "events": [], "usage": [],
    "archive": ["--usage-until", "1h"], "projections": ["verify"], "logs": ["00000000"],
    "get": ["deployments"], "ps": [], "describe": ["clock"], "wait": ["clock", "--for=running"],
    "create": ["--name", "clock", "--command", "true"], "set": ["clock", "package_version=2"], "enable": ["clock"],
    "disable": ["clock"], "restart": ["clock"], "delete": ["clock", "--yes"], "edit": ["clock"],
    "apply": ["-f", "rows.json"], "diff": ["-f", "rows.json"], "rollout": ["history", "clock"],
}  # fmt: skip
"""Each verb that works with an existing schema, with what it cannot do without."""

OTHERS = {"run", "address", "demo", "doctor", "reload", "migrate", "service", "schema", "config", "completion"}
"""`run` is tested as a process, `doctor` tells of it; the others need no schema, or make it."""


def test_every_verb_is_here() -> None:
    assert set(get_command(app).commands) == VERBS.keys() | OTHERS  # type: ignore[attr-defined]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_refuses_an_older_schema_and_one_that_does_not_serve_it(
    verb: str, empty_plain_database: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.json").write_text('{"name": "clock", "command": "true"}')
    asyncio.run(install(empty_plain_database, "0.1.0"))
    call = [verb, *VERBS[verb], "--database", empty_plain_database]
    refused = CliRunner().invoke(app, call)
    assert type(refused.exception) is NotMigrated, refused.output
    assert str(refused.exception).endswith("run: nodeunit migrate")

    asyncio.run(migrate(empty_plain_database))
    rows(empty_plain_database, "update schema_compatibility set (version, min_reader, min_writer) = (9, 9, 9)")
    refused = CliRunner().invoke(app, call)
    assert type(refused.exception) is SchemaTooNew, refused.output
    assert str(refused.exception).endswith("upgrade nodeunit")

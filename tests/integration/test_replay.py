"""The fleet at a moment, and histories: of a database with and without hypertables, and of archive files."""

import asyncio
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from typer.testing import CliRunner

from nodeunit.audit.archive import archive
from nodeunit.audit.replay import HISTORY_WITHOUT, FleetAt, at_moment, fold
from nodeunit.audit.source import ArchiveFiles, LiveLog
from nodeunit.cli.app import app
from nodeunit.domain.fleet import DeploymentState
from nodeunit.errors import DeploymentUnknown, HistoryArchived, TimeNotInLog, UnitUnknown
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log
from nodeunit.store.read.event_log import EventFilter
from tests.support.chunks import chunks_of_a_day
from tests.support.databases import Databases
from tests.support.members import lose
from tests.support.rounds import claim_all, deciding
from tests.support.rows import insert_deployments, rows, value
from tools import synthetic_log

TWO_DAYS = timedelta(days=2)


@pytest.fixture(params=["hypertable", "plain"])
def any_database(request: pytest.FixtureRequest) -> Iterator[str]:
    name = "timescale_databases" if request.param == "hypertable" else "plain_databases"
    databases: Databases = request.getfixturevalue(name)
    with databases.fresh() as conninfo:
        yield conninfo


async def run(*arguments: str) -> str:
    return await call("replay", *arguments)


async def run_events(*arguments: str) -> str:
    return await call("events", *arguments)


async def call(*arguments: str) -> str:
    result = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.stdout


async def by_sql(conninfo: str, at: datetime | None = None, position: int | None = None) -> FleetAt:
    async with await event_log.open_log(conninfo, "test") as connection:
        return await at_moment(connection, at, position)


async def by_python(conninfo: str, at: datetime | None = None, position: int | None = None) -> FleetAt:
    return await fold(LiveLog(conninfo, EventFilter(at=at, position=position)), at, position)


def now(conninfo: str) -> datetime:
    at: datetime = value(conninfo, "select clock_timestamp()")
    return at


async def test_sql_and_python_agree_at_any_moment(any_database: str) -> None:
    loaded = synthetic_log.load(any_database, events=3000, units=4, deployments=25, days=4)
    choose = random.Random(1)
    for _ in range(8):
        at = loaded.begin + (loaded.end - loaded.begin) * choose.random()
        assert await by_sql(any_database, at) == await by_python(any_database, at)
    for _ in range(8):
        position = choose.randrange(loaded.events + 1)
        assert await by_sql(any_database, position=position) == await by_python(any_database, position=position)


async def test_now_is_what_the_projections_say(any_database: str) -> None:
    synthetic_log.load(any_database, events=2000, units=4, deployments=25, days=3)
    found = await by_sql(any_database)
    live = rows(any_database, "select id, address, address_version, enabled from deployment order by id")
    assert [(d.deployment_id, d.address, d.address_version, d.enabled) for d in found.deployments] == [
        tuple(row.values()) for row in live
    ]
    units = rows(any_database, 'select address, membership, epoch, cordoned from unit order by address collate "C"')
    there = sorted(found.units, key=lambda unit: unit.address)
    assert [(u.address, u.membership, u.epoch, u.cordoned) for u in there] == [tuple(row.values()) for row in units]
    assert found == await by_python(any_database)


async def test_moments_between_what_happened(database: str, pool: Pool) -> None:
    before = now(database)
    units = [await deciding(pool, "unit-a", policy="deployment_count"), await deciding(pool, "unit-b")]
    moments = [now(database)]
    (row,) = insert_deployments(database, 1)
    moments.append(now(database))
    await claim_all(units)
    moments.append(now(database))
    await lose(pool, database, units[1].unit, units[0].address)
    await units[1].look()
    moments.append(now(database))
    rows(database, "update deployment set enabled = false, package_version = '2.0.0'")
    moments.append(now(database))
    rows(database, "delete from deployment")
    moments.append(now(database))

    seen = [(await by_sql(database, at)).deployments for at in moments]
    assert [[(d.address, d.address_version, d.enabled, d.package) for d in found] for found in seen] == [
        [],
        [("", 0, True, "@yuants/app@1.0.0")],
        [("unit-a", 1, True, "@yuants/app@1.0.0")],
        [("unit-b", 3, True, "@yuants/app@1.0.0")],
        [("unit-b", 3, False, "@yuants/app@2.0.0")],
        [],
    ]
    for at in moments:
        assert await by_sql(database, at) == await by_python(database, at)
    assert [unit.membership for unit in (await by_sql(database, moments[3])).units] == ["lost", "present"]
    assert seen[1][0].deployment_id == row
    with pytest.raises(TimeNotInLog):
        await by_sql(database, before)


async def test_versions_that_commit_the_wrong_way_round(database: str, pool: Pool) -> None:
    """A transaction that began first may write the later version: in the order of commits it still comes first."""
    import psycopg

    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    with psycopg.connect(database) as person:
        person.execute("insert into deployment (package_name) values ('@yuants/first')")
        await unit.look()
        person.execute("update deployment set address = '', package_version = '9' where id = %s", (row,))
    versions = [
        each["stream_version"]
        for each in rows(
            database,
            "select stream_version from event where stream_id like 'assignment-%%' and deployment_id = %s "
            "order by transaction_id, position",
            (row,),
        )
    ]
    assert versions == [2, 1]
    found = await by_python(database)
    assert found == await by_sql(database)
    (state,) = [d for d in found.deployments if d.deployment_id == row]
    assert (state.address, state.address_version, state.package) == ("", 2, "@yuants/app@9")


async def test_the_command_shows_a_moment(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    insert_deployments(database, 2)
    before = now(database)
    await unit.look()
    text = await run("-d", database)
    assert text.splitlines()[0] == "now: 1 units, 2 deployments, 1 held, 1 waiting"
    assert text.splitlines()[1].split() == ["DEPLOYMENT", "PACKAGE", "ENABLED", "UNIT", "VERSION", "SINCE"]
    assert "2 deployments, 0 held, 2 waiting" in await run("-d", database, "--at", before.isoformat())
    assert "0 deployments" in await run("-d", database, "--position", "0")
    held = [
        msgspec.json.decode(line, type=DeploymentState)
        for line in (await run("-d", database, "-o", "jsonl")).splitlines()
    ]
    assert sorted(d.address for d in held) == ["", "unit-a"]
    whole = msgspec.json.decode(await run("-d", database, "-o", "json"), type=FleetAt)
    assert whole.deployments == held
    assert 'address: "unit-a"' in await run("-d", database, "-o", "yaml")


async def test_the_history_of_a_deployment_and_of_a_unit(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    first, second = insert_deployments(database, 2)
    await claim_all([unit])
    between = now(database)
    rows(database, "update deployment set enabled = false where id = %s", (first,))
    of_row = await run("-d", database, "--deployment", str(first)[:8])
    assert [line.split()[-3:] for line in of_row.splitlines()][-1] == ["DeploymentDisabled", "by", "test"]
    assert "DeploymentClaimed" in of_row
    assert "DeploymentClaimRound" not in of_row
    assert str(second)[:8] not in of_row
    assert "Disabled" not in await run("-d", database, "--deployment", str(first), "--at", between.isoformat())
    of_unit = (await run("-d", database, "--unit", "unit-a", "-o", "jsonl")).splitlines()
    types = [msgspec.json.decode(line)["type"] for line in of_unit]
    assert types == ["UnitJoined", "DeploymentClaimed", "DeploymentClaimed"]


async def test_who_is_not_there(database: str, pool: Pool) -> None:
    await deciding(pool, "unit-a")
    ids = [UUID(f"aaaaaaa{n}-0000-4000-8000-000000000000") for n in range(3)]
    for each in ids:
        rows(database, "insert into deployment (id) values (%s)", (each,))
    for asked, said in (
        ("aaaa", "aaaa means several deployments"),
        ("b", "no deployment"),
        ("xyz", "no deployment has the name"),
    ):
        with pytest.raises(DeploymentUnknown, match=said):
            await run("-d", database, "--deployment", asked)
    with pytest.raises(UnitUnknown, match="nobody"):
        await run("-d", database, "--unit", "nobody")
    assert "DeploymentCreated" in await run("-d", database, "--deployment", "aaaaaaa1")


@pytest.mark.parametrize("arguments", [["--at", "yesterday"], ["--follow", "--at", "5m"], ["-f", "-o", "json"]])
def test_a_wrong_call(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["replay", "-d", "host=nowhere", *arguments])
    assert result.exit_code == 2


async def test_archive_files_and_what_remains(any_database: str, tmp_path: Path) -> None:
    chunks_of_a_day(any_database)
    loaded = synthetic_log.load(any_database, events=3000, units=3, deployments=20, days=4)
    early, late = loaded.begin + timedelta(hours=12), loaded.end - timedelta(hours=3)
    before = {at: await by_sql(any_database, at) for at in (early, late)}
    whole = await by_sql(any_database)
    history: dict[UUID, list[dict[str, str]]] = {}
    for line in (await run_events("-d", any_database)).splitlines():
        event = msgspec.json.decode(line)
        if event["deployment_id"] and event["type"] not in HISTORY_WITHOUT:
            history.setdefault(UUID(event["deployment_id"]), []).append(event)

    file = tmp_path / "log.gz"
    await archive(any_database, datetime.now(UTC) - TWO_DAYS, file)
    assert await by_sql(any_database) == whole
    assert await by_sql(any_database, late) == before[late]
    with pytest.raises(HistoryArchived, match=r"--archive log\.gz"):
        await by_sql(any_database, early)
    with pytest.raises(HistoryArchived):
        await by_sql(any_database, position=10)
    in_file = await fold(ArchiveFiles([file], EventFilter(until=early)), early)
    assert in_file == before[early]
    shown = await run("--archive", str(file), "--live", "-d", any_database, "-o", "json")
    assert msgspec.json.decode(shown, type=FleetAt) == whole
    read = [msgspec.json.decode(line) for line in (await run_events("-d", any_database)).splitlines()]
    some = next(UUID(e["deployment_id"]) for e in read if e["type"] == "DeploymentSnapshot")
    again = await run("--archive", str(file), "--live", "-d", any_database, "--deployment", str(some), "-o", "jsonl")
    assert [msgspec.json.decode(line) for line in again.splitlines()] == history[some]
    assert "DeploymentSnapshot" in await run("-d", any_database, "--deployment", str(some))

"""Archiving: what was in the log is always in the file or in the log, wherever the archiver is killed."""

import errno
import gzip
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from typer.testing import CliRunner

from nodeunit.audit import invariants, replay, why
from nodeunit.audit.archive import Archived, archive, plan, read_archive
from nodeunit.audit.archive_file import Reader
from nodeunit.audit.replay import FleetAt
from nodeunit.audit.source import ArchiveFiles, ArchivesThenLog, LiveLog
from nodeunit.cli.app import app
from nodeunit.domain.deployment import Assignment, evolve, initial_state
from nodeunit.domain.events import EVENT_TYPES, SNAPSHOT_NAMES
from nodeunit.domain.snapshot_events import LogArchived
from nodeunit.errors import ArchiveConflict, DatabaseError, HistoryArchived, InputFileInvalid, LogAppendOnly
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import connect, translate_errors
from nodeunit.store.read import event_log, projections
from nodeunit.store.read.event_log import RecordedEvent
from nodeunit.store.read.report import snapshot
from tests.support import locks
from tests.support.histories import Histories
from tests.support.logs import whole_log
from tests.support.members import join, lose
from tests.support.process_reports import exited, program, report, started
from tests.support.rows import insert_deployments, rows, value

ROOT = Path(__file__).parents[2]
TWO_DAYS = timedelta(days=2)
DIGEST = "select digest from events_before('infinity')"

KILLED = """
import asyncio, os, signal, sys
from datetime import datetime
from pathlib import Path
from nodeunit.audit.archive import archive

def at_step(step):
    if step == sys.argv[4]:
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(archive(sys.argv[1], datetime.fromisoformat(sys.argv[2]), Path(sys.argv[3]), at_step=at_step))
"""


def without_archiving(events: list[RecordedEvent]) -> list[RecordedEvent]:
    return [event for event in events if event.type not in SNAPSHOT_NAMES and event.type != "LogArchived"]


def holders(events: list[RecordedEvent]) -> dict[Any, Assignment]:
    """Who has what after these events, by the pure fold, which refuses every gap. Of rows that still exist."""
    states: dict[Any, Assignment] = {}
    for event in events:
        if event.stream_id.startswith("assignment-"):
            known = states.get(event.deployment_id, initial_state())
            states[event.deployment_id] = evolve(known, event.stream_version, event.event())
        elif event.type == "DeploymentDeleted":
            states.pop(event.deployment_id, None)
    return states


async def check(conninfo: str) -> None:
    """The log that remains is sound, and the live tables are its fold."""
    assert await projections.verify(conninfo) == []
    assert await projections.rebuild(conninfo) == {"deployment_address": 0, "unit": 0, "program": 0}
    async with snapshot(conninfo) as log:
        assert [one for one in await invariants.check(log) if one.violations] == []


async def archived(conninfo: str, before: datetime | timedelta, path: Path) -> Archived:
    done = await archive(conninfo, before, path)
    assert done.extent is not None
    return done


async def test_archive_and_live_log_are_what_the_log_was(history: str, tmp_path: Path) -> None:
    before = await whole_log(history)
    moment = datetime.now(UTC) - TWO_DAYS
    planned = await plan(history, moment)
    done = await archived(history, moment, tmp_path / "a.gz")
    assert done.extent is not None
    assert planned.extent == done.extent

    filed, live = list(read_archive(tmp_path / "a.gz")), await whole_log(history)
    assert 0 < len(filed) == done.extent.events < len(before)
    assert filed + without_archiving(live) == before
    # Snapshots replace archived events, so all three ways of reading end in the same state.
    assert holders(filed + live) == holders(live) == holders(before)
    assert all(event.recorded_at >= done.extent.before for event in live)
    assert sum(event.type in SNAPSHOT_NAMES for event in live) == done.snapshots > 0
    for event in filed + live:
        assert event.schema_version == EVENT_TYPES[event.type].schema_version
    await check(history)

    (told,) = rows(history, "select data from event where type = 'LogArchived'")
    assert told["data"]["file"] == "a.gz"
    assert told["data"]["sha256"] == done.sha256
    assert done.sha256 in gzip.decompress((tmp_path / "a.gz").read_bytes()).splitlines()[-1].decode()


async def test_replay_tells_the_same_before_and_after(history: str, tmp_path: Path) -> None:
    moments = (None, datetime.now(UTC) - timedelta(hours=20), datetime.now(UTC) - timedelta(hours=40))

    async def fleet() -> list[FleetAt]:
        async with await event_log.open_log(history, "test") as connection:
            return [await replay.at_moment(connection, moment) for moment in moments]

    before = await fleet()
    await archived(history, TWO_DAYS, tmp_path / "a.gz")
    assert await fleet() == before
    both = ArchivesThenLog(ArchiveFiles([tmp_path / "a.gz"]), LiveLog(history))
    assert await replay.fold(both) == before[0]
    with pytest.raises(HistoryArchived, match=r"begins at .*--archive a\.gz"):
        async with await event_log.open_log(history, "test") as connection:
            await replay.at_moment(connection, datetime.now(UTC) - timedelta(days=3))


async def test_what_ran_at_the_cut_is_said_to_run(history: str, tmp_path: Path) -> None:
    held = rows(history, "select id from deployment where address <> '' and address_since < now() - interval '1 day'")

    async def programs() -> list[str]:
        async with await event_log.open_log(history, "test") as connection:
            told = [(await why.explain(connection, str(row["id"]))).program for row in held]
            return [sentence.partition(", after")[0] for sentence in told]  # how often it had ended is archived

    before = await programs()
    assert any("runs since" in sentence for sentence in before)
    await archived(history, timedelta(0), tmp_path / "a.gz")
    assert await programs() == before


async def test_the_cut_is_a_chunk_boundary_or_the_very_moment(history: str, tmp_path: Path) -> None:
    moment = datetime.now(UTC) - TWO_DAYS
    done = await archived(history, moment, tmp_path / "a.gz")
    assert done.extent is not None
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    assert done.extent.before == (midnight if done.whole_chunks else moment)
    chunks = rows(history, "select * from chunks_before('event', %s)", (done.extent.before,))
    assert chunks == []


async def test_killed_at_each_step_nothing_is_lost_and_it_can_be_run_again(history: str, tmp_path: Path) -> None:
    log, moment, path = await whole_log(history), datetime.now(UTC) - TWO_DAYS, tmp_path / "a.gz"
    digest = value(history, DIGEST)
    for step in (
        "planned", "begun", "block written", "written", "synced", "verified", "renamed", "folder synced",
        "snapshots appended", "dropped",
    ):  # fmt: skip
        killed(history, moment, path, step)
        assert value(history, DIGEST) == digest, step
        assert path.exists() == (step in ("renamed", "folder synced", "snapshots appended", "dropped"))
    killed(history, moment, path, "committed")
    again = await archived(history, moment, path)
    assert again.already
    assert list(read_archive(path)) + without_archiving(await whole_log(history)) == log
    assert not path.with_name("a.gz.partial").exists()
    await check(history)


def killed(conninfo: str, before: datetime, path: Path, step: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, conninfo, before.isoformat(), str(path), step],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


async def test_three_archives_in_a_row(history: str, tmp_path: Path) -> None:
    log = await whole_log(history)
    paths = [tmp_path / f"{days}.gz" for days in (3, 2, 1)]
    for days, path in zip((3, 2, 1), paths, strict=True):
        await archived(history, timedelta(days=days), path)
        await check(history)
    # As if the archives themselves were old: their own events are archived too, and the last one lists them all.
    headers = [Reader(path).header for path in paths]
    checksums = [
        value(history, "select data ->> 'sha256' from event where type = 'LogArchived' order by position limit 1")
    ]
    assert headers[1].earlier == checksums
    last = value(history, "select data from event where type = 'LogArchived' order by stream_version desc limit 1")
    assert [earlier["file"] for earlier in last["earlier"]] == ["3.gz", "2.gz"]
    read = [event for path in paths for event in read_archive(path)]
    assert without_archiving(read + await whole_log(history)) == log
    assert holders(read + await whole_log(history)) == holders(log)


AS_0_1_0_WROTE_IT: tuple[LiteralString, ...] = (
    "set local session_replication_role = replica",
    "update event set type = regexp_replace(type, 'Snapshot$', 'Carried') where type like '%Snapshot'",
    """
    update event
    set schema_version = 1, data = data - 'snapshots' || jsonb_build_object('carried', data -> 'snapshots')
    where type = 'LogArchived'
    """,
    "update event set data = data - '{states,supervisor,supervisor_epoch}'::text[] where type = 'UnitCarried'",
    "delete from program",
)


async def test_what_the_first_version_left_of_an_archived_log_is_read_and_archived_again(
    history: str, tmp_path: Path
) -> None:
    log = await whole_log(history)
    done = await archived(history, timedelta(days=3), tmp_path / "3.gz")
    assert value(history, "select schema_version from event where type = 'LogArchived'") == LogArchived.schema_version
    with psycopg.connect(history) as superuser:
        for statement in AS_0_1_0_WROTE_IT:
            superuser.execute(statement)
    await projections.rebuild(history)  # as the upgrade does
    await check(history)
    old = await whole_log(history)
    assert sum(event.type.endswith("Carried") for event in old) == done.snapshots > 0
    assert holders(old) == holders(log)
    (told,) = [event.event() for event in old if event.type == "LogArchived"]
    assert isinstance(told, LogArchived)
    assert told.snapshots == done.snapshots

    await archived(history, timedelta(days=2), tmp_path / "2.gz")
    await check(history)
    live = await whole_log(history)
    assert not any(event.type.endswith("Carried") for event in live)
    assert without_archiving([*read_archive(tmp_path / "3.gz"), *read_archive(tmp_path / "2.gz"), *live]) == log
    assert holders(live) == holders(log)


async def test_a_program_that_ended_with_its_supervisor_keeps_its_count(plain_database: str, tmp_path: Path) -> None:
    async with connections.pool(plain_database, "test", max_size=2) as pool:
        await join(pool, "unit-1")
        other = await join(pool, "unit-2")
        (row,) = insert_deployments(plain_database, address="unit-1")
        report(plain_database, "unit-1", started(row), exited(row), started(row))
        await lose(pool, plain_database, other, "unit-1")
        await join(pool, "unit-1")
    await archived(plain_database, timedelta(0), tmp_path / "a.gz")
    await check(plain_database)
    report(plain_database, "unit-1", started(row, pid=4712))
    await check(plain_database)
    assert program(plain_database, row, "unit-1")["restarts"] == 2


async def test_an_archive_of_everything_archives_the_earlier_archive_too(
    plain_histories: Histories, tmp_path: Path
) -> None:
    with plain_histories.fresh() as history:
        await archived(history, TWO_DAYS, tmp_path / "a.gz")
        await archived(history, datetime.now(UTC) + timedelta(days=1), tmp_path / "b.gz")
        remaining = {event.type for event in await whole_log(history)}
        assert remaining == {
            "LogArchived", "DeploymentSnapshot", "AssignmentSnapshot", "UnitSnapshot", "DecisionsSnapshot"
        }  # fmt: skip
        await check(history)
        assert (await plan(history, timedelta(0))).extent is not None  # the LogArchived itself
        programs = value(
            history, "select sum(jsonb_array_length(data -> 'programs')) from event where type = 'UnitSnapshot'"
        )
        assert programs == value(history, "select count(*) from deployment where address <> ''")


async def test_a_cut_goes_around_transactions(plain_histories: Histories, tmp_path: Path) -> None:
    with plain_histories.fresh() as history:
        (found,) = rows(
            history,
            "select min(recorded_at) as first, max(recorded_at) as last from event "
            "where type like 'DeploymentClaim%' group by transaction_id having count(*) > 2 "
            "order by min(recorded_at) offset 50 limit 1",
        )
        done = await archived(history, found["last"], tmp_path / "a.gz")
        assert done.extent is not None
        assert done.extent.before == found["first"]
        await check(history)


async def test_a_transaction_left_open_is_not_archived_past(plain_histories: Histories, tmp_path: Path) -> None:
    with plain_histories.fresh() as history, psycopg.connect(history) as writer:
        log = await whole_log(history)
        writer.execute("insert into deployment (package_name) values ('@yuants/late')")
        done = await archived(history, timedelta(0), tmp_path / "a.gz")
        assert done.extent is not None
        assert done.extent.events == len(log)
        writer.commit()
        assert [event.type for event in without_archiving(await whole_log(history))] == ["DeploymentCreated"]
        await check(history)


async def test_who_writes_into_an_old_chunk_meanwhile_stops_the_switch(
    timescale_histories: Histories, tmp_path: Path
) -> None:
    with timescale_histories.fresh() as history, psycopg.connect(history) as writer:
        log = await whole_log(history)
        writer.execute(
            "insert into event (recorded_at, stream_id, stream_version, type) "
            "values (now() - interval '3 days', 'decision-late-1', 1, 'UnitListenerDeaf')"
        )
        task = await locks.started(history, archive(history, TWO_DAYS, tmp_path / "a.gz"))
        writer.commit()
        with pytest.raises(ArchiveConflict, match=r"has \d+ events and not the \d+ that were written"):
            await task
        assert len(await whole_log(history)) == len(log) + 1
        with pytest.raises(InputFileInvalid, match="other events; give another name"):
            await archive(history, TWO_DAYS, tmp_path / "a.gz")
        done = await archived(history, TWO_DAYS, tmp_path / "b.gz")
        assert "decision-late-1" in {event.stream_id for event in read_archive(tmp_path / "b.gz")}
        assert done.snapshots > 0


async def test_only_one_archives_at_a_time(history: str, tmp_path: Path) -> None:
    with psycopg.connect(history) as other:
        other.execute("select pg_advisory_lock(hashtextextended('nodeunit archive ' || current_schema(), 0))")
        with pytest.raises(DatabaseError, match="another nodeunit archive runs"):
            await archive(history, TWO_DAYS, tmp_path / "a.gz")


async def test_nothing_else_gets_events_out_of_the_log(history: str) -> None:
    log = await whole_log(history)
    for statement in (
        "delete from event",
        "delete from only event",
        "update event set data = '{}'",
        "truncate event",
        "select set_config('nodeunit.archived_before', 'infinity', true); delete from event",
        "select drop_archived_events('no such file')",
    ):
        async with await connect(history, "test") as connection:
            with pytest.raises(LogAppendOnly):
                async with translate_errors(), connection.transaction():
                    await connection.execute(statement.encode())
    assert await whole_log(history) == log


async def test_a_full_disk_leaves_the_log_as_it_was(history: str, tmp_path: Path) -> None:
    digest = value(history, DIGEST)

    def full(step: str) -> None:
        if step == "block written":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(InputFileInvalid, match="cannot be written: No space left on device"):
        await archive(history, TWO_DAYS, tmp_path / "a.gz", at_step=full)
    assert value(history, DIGEST) == digest
    await archived(history, TWO_DAYS, tmp_path / "a.gz")


async def test_a_file_of_another_log_is_left_alone(history: str, tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(b"somebody's only copy")
    with pytest.raises(InputFileInvalid):
        await archive(history, TWO_DAYS, path)
    assert path.read_bytes() == b"somebody's only copy"
    with pytest.raises(InputFileInvalid, match="cannot be written"):
        await archive(history, TWO_DAYS, tmp_path / "missing" / "a.gz")


async def test_the_same_file_for_a_later_moment_is_refused(history: str, tmp_path: Path) -> None:
    await archived(history, timedelta(days=3), tmp_path / "a.gz")
    with pytest.raises(InputFileInvalid, match="is an earlier archive"):
        await archive(history, timedelta(days=1), tmp_path / "a.gz")


async def test_nothing_old_is_nothing_to_archive(history: str, tmp_path: Path) -> None:
    assert (await archive(history, timedelta(days=30), tmp_path / "a.gz")).extent is None
    assert os.listdir(tmp_path) == []


def test_the_command_line(history: str, tmp_path: Path) -> None:
    path = str(tmp_path / "a.gz")

    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["archive", "--database", history, *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "would archive " in said("--until", "2d", "--file", path, "--dry-run")
    done = said("--until", "2d", "--file", path)
    told = r"^archived \d+ events, positions 1 to \d+: .*a\.gz, 0\.1 MiB, SHA-256 [0-9a-f]{64}$"
    assert re.search(told, done, re.MULTILINE)
    assert ("the cut is at" in done) == value(history, "select is_hypertable('event')")
    assert "nothing to archive" in said("--until", "30d", "--file", str(tmp_path / "b.gz"))

"""What `why` says of a program: what its holder reported under its claim, and nothing that cannot be known."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest
from typer.testing import CliRunner

from nodeunit.audit import why
from nodeunit.audit.why import Explanation
from nodeunit.cli.app import app
from nodeunit.domain.program_events import ProcessExited, ProcessParked, ProcessStarted
from nodeunit.errors import TimeNotInLog
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read import event_log
from tests.support.members import lose, turn_back_leases
from tests.support.process_reports import exited, report, told
from tests.support.process_reports import started as process_started
from tests.support.rounds import deciding
from tests.support.rows import insert_deployments, rows, value


async def explain(conninfo: str, row: UUID, at: datetime | None = None) -> Explanation:
    async with await event_log.open_log(conninfo, "test") as connection:
        return await why.explain(connection, str(row), at)


def started(row: UUID, claim: int, pid: int = 4711) -> ProcessStarted:
    return ProcessStarted(row, pid, "123", 1, claim)


def killed(row: UUID, claim: int) -> ProcessExited:
    return ProcessExited(row, 4711, None, 9, 1.0, "stopped", "", claim)


async def test_the_end_of_the_former_copy_is_not_the_end_of_a_row_moved_by_hand(database: str, pool: Pool) -> None:
    a, b = await deciding(pool, "unit-a"), await deciding(pool, "unit-b")
    (row,) = insert_deployments(database, 1, address="unit-a")
    await a.stream.append(started(row, 1))
    rows(database, "update deployment set address = 'unit-b'")
    await b.stream.append(started(row, 3, pid=4712))
    await a.stream.append(killed(row, 1))
    assert " as pid 4712" in (await explain(database, row)).program


async def test_a_late_end_under_an_earlier_claim_of_the_same_unit(database: str, pool: Pool) -> None:
    a, _ = await deciding(pool, "unit-a"), await deciding(pool, "unit-b")
    (row,) = insert_deployments(database, 1, address="unit-a")
    await a.stream.append(started(row, 1))
    rows(database, "update deployment set address = 'unit-b'")
    rows(database, "update deployment set address = 'unit-a'")
    assert (await explain(database, row)).program == "not started yet"
    await a.stream.append(started(row, 5, pid=4712), killed(row, 1))
    assert " as pid 4712" in (await explain(database, row)).program


async def test_parked_is_not_hidden_by_the_end_before_it(database: str, pool: Pool) -> None:
    a, b = await deciding(pool, "unit-a"), await deciding(pool, "unit-b")
    (row,) = insert_deployments(database, 1, address="unit-a")
    await a.stream.append(started(row, 1))
    rows(database, "update deployment set address = 'unit-b'")
    ended = ProcessExited(row, 4712, 3, None, 0.1, "exited", "", 3)
    await b.stream.append(started(row, 3, 4712), ended, ProcessParked(row, "crash_loop", "ended 10 times", 3))
    at_one_time = "update event set recorded_at = (select max(recorded_at) from event) where type ~ '^Process'"
    with_the_guard_off(database, at_one_time)
    await a.stream.append(killed(row, 1))
    assert "parked since" in (await explain(database, row)).program


def with_the_guard_off(database: str, statement: LiteralString) -> None:
    """As the server's superuser, to whom triggers do not apply."""
    with psycopg.connect(database, options="-c session_replication_role=replica") as connection:
        connection.execute(statement)


async def test_a_disabled_row_is_said_to_be_disabled(database: str, pool: Pool) -> None:
    me = value(database, "select current_user")
    a = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1, address="unit-a")
    await a.stream.append(started(row, 1))
    rows(database, "update deployment set enabled = false")
    found = await explain(database, row)
    assert (found.state, found.holder) == ("disabled", "unit-a")
    assert found.because[0].startswith("disabled by ")
    text = await call("why", str(row), "-d", database)
    assert text.splitlines()[1].startswith("disabled, held by unit-a (unit-a) since ")
    rows(database, "update deployment set enabled = true")
    found = await explain(database, row)
    assert (found.state, found.because) == ("held", ["assigned by hand, by " + me])
    rows(database, "insert into deployment (id, type, enabled) values (gen_random_uuid(), 'daemon', false)")
    of_all = value(database, "select id from deployment where type = 'daemon'")
    assert (await explain(database, of_all)).because[0] == f"created as disabled by {me}"


async def test_a_silent_holder_is_not_said_to_run_anything(database: str, pool: Pool) -> None:
    a, b = await deciding(pool, "unit-a"), await deciding(pool, "unit-b")
    (row,) = insert_deployments(database, 1, address="unit-a")
    await a.stream.append(started(row, 1))
    assert (await explain(database, row)).program.startswith("runs since")

    await a.unit.heartbeat(None, [], takes_part=False)
    assert (await explain(database, row)).program.startswith("runs since"), "it only takes no part in rounds"

    turn_back_leases(database, "unit-a", by=timedelta(seconds=31))
    found = (await explain(database, row)).program
    assert found.startswith("not known: nothing was heard of unit-a since ")
    assert ", and its lease runs until " in found
    assert "; before that: runs since " in found
    turn_back_leases(database, "unit-a", by=timedelta(seconds=31))
    assert ", and its lease ran out at " in (await explain(database, row)).program

    before = value(database, "select clock_timestamp()")
    await lose(pool, database, b.unit, "unit-a")
    assert (await explain(database, row, before)).program.startswith("not known: the lease of unit-a had run out at ")
    found = (await explain(database, row)).program
    assert found.startswith("not known: unit-a was lost at ")


TIMES = [["why", "ROW", "--at"], ["replay", "--at"], ["replay", "--deployment", "ROW", "--at"]]
STRETCHES = [["report", "--until"], ["events", "--until"], ["backtest", "--until"]]


async def test_times_of_which_the_log_says_nothing(database: str, pool: Pool) -> None:
    await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1, address="unit-a")
    since = [[verb[0], "--since"] for verb in STRETCHES] + [["usage", "--since"], ["usage", "--until"]]
    future = [*TIMES, *STRETCHES, *since]
    for words in future:
        refused = await refusal(database, row, *words, "2999-01-01")
        assert refused.startswith("2999-01-01 00:00:00"), words
        assert " is in the future: the database has " in refused
    for words in [*TIMES, *STRETCHES]:
        assert (await refusal(database, row, *words, "1999-01-01")).startswith("the log begins at "), words
    for words in since:
        await call(*words, "3000d" if words[0] != "usage" else "1h", "-d", database)


async def refusal(database: str, row: UUID, *words: str) -> str:
    with pytest.raises(TimeNotInLog) as refused:
        await call(*(str(row) if word == "ROW" else word for word in words), "-d", database)
    return str(refused.value)


async def call(*arguments: str) -> str:
    result: Any = await asyncio.to_thread(CliRunner().invoke, app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return str(result.stdout)


async def test_the_state_on_each_unit_is_said_now_and_for_no_time_in_the_past(database: str, pool: Pool) -> None:
    await deciding(pool, "unit-a")
    await deciding(pool, "unit-b")
    (row,) = [one["id"] for one in rows(database, "insert into deployment (type) values ('daemon') returning id")]
    loop = told("ProcessCrashLooping", row, 0, failures=5, exit_code=3, last_lines=["no such host"], retry_s=300)
    report(database, "unit-a", process_started(row, 0), exited(row, 0), process_started(row, 0), exited(row, 0), loop)
    found = (await explain(database, row)).programs
    assert [(one.unit, one.state, one.reason, one.failures) for one in found] == [
        ("unit-a", "backoff", "crash_loop", 5), ("unit-b", "starting", "claimed", 0)
    ]  # fmt: skip
    call = ["why", str(row), "--database", database]
    shown = (await asyncio.to_thread(CliRunner().invoke, app, call)).output
    assert "  state on unit-a: backoff since " in shown
    assert ", crash loop (no such host), 1 restarts, tried again at " in shown
    before = value(database, "select clock_timestamp()")
    assert (await explain(database, row, before)).programs == []

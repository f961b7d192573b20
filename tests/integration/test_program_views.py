"""What the views say of each row and of where its program can be reached, and who is notified of a change."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write.decisions import DecisionStream
from tests.support.logins import Login
from tests.support.members import candidate, claim, join, lose
from tests.support.process_reports import exited, report, started, told
from tests.support.rows import insert_deployments, rows


@pytest.fixture
async def pool(conninfo: str) -> AsyncIterator[Pool]:
    async with connections.pool(conninfo, "test", max_size=4) as opened:
        yield opened


def states(conninfo: str) -> list[tuple[str | None, str, str]]:
    found = rows(
        conninfo,
        "select unit, state, reason from program_state order by unit",
    )
    return [(one["unit"], one["state"], one["reason"]) for one in found]


def endpoints(conninfo: str) -> list[tuple[str, int, int]]:
    return [
        (e["unit"], e["port"], e["claim_version"]) for e in rows(conninfo, "select * from endpoint order by unit, port")
    ]


@contextmanager
def told_to_listeners(conninfo: str) -> Iterator[list[str]]:
    """The notifications of the channel that were sent within."""
    heard: list[str] = []
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("listen nodeunit_endpoint")
        yield heard
        rows(conninfo, "notify nodeunit_endpoint, 'the end'")
        for one in connection.notifies(timeout=10):
            if one.payload == "the end":
                return
            heard.append(one.payload)
        raise AssertionError("a notification was lost")


async def test_the_life_of_a_row(conninfo: str, pool: Pool) -> None:
    (row,) = insert_deployments(conninfo)
    assert states(conninfo) == [(None, "waiting", "no_unit")]
    one, two = [await join(pool, name, runtimes=("npm",)) for name in ("unit-1", "unit-2")]
    assert states(conninfo) == [(None, "waiting", "not_claimed")]
    rows(conninfo, "update deployment set command = 'true'")
    assert states(conninfo) == [(None, "waiting", "commands_off")]
    rows(conninfo, "update deployment set command = '', runtime = 'python'")
    assert states(conninfo) == [(None, "waiting", "no_runtime")]
    rows(conninfo, "update deployment set runtime = ''")
    rows(conninfo, "select cordon_unit('unit-1'), cordon_unit('unit-2')")
    assert states(conninfo) == [(None, "waiting", "units_cordoned")]
    assert await claim(DecisionStream(one), "unit-1", candidate(conninfo, row))
    assert states(conninfo) == [("unit-1", "starting", "claimed")]
    report(conninfo, "unit-1", started(row))
    assert states(conninfo) == [("unit-1", "running", "")]
    await lose(pool, conninfo, two, "unit-1")
    assert states(conninfo) == [("unit-1", "stopped", "unit_lost")]
    assert await claim(DecisionStream(two), "unit-2", candidate(conninfo, row))
    assert states(conninfo) == [("unit-2", "starting", "claimed")]
    report(conninfo, "unit-2", started(row, 3))
    rows(conninfo, "update deployment set enabled = false")
    report(conninfo, "unit-2", exited(row, 3, reason="stopped"))
    assert states(conninfo) == [("unit-2", "stopped", "disabled")]
    rows(conninfo, "delete from deployment")
    assert states(conninfo) == []


async def test_a_program_of_a_unit_that_no_longer_holds_the_row_is_shown_until_it_ends(
    conninfo: str, pool: Pool
) -> None:
    for name in ("unit-1", "unit-2"):
        await join(pool, name)
    (row,) = insert_deployments(conninfo, address="unit-1")
    report(conninfo, "unit-1", started(row))
    rows(conninfo, "update deployment set address = 'unit-2'")
    assert states(conninfo) == [("unit-1", "running", ""), ("unit-2", "starting", "claimed")]
    report(conninfo, "unit-1", exited(row, reason="stopped"))
    assert states(conninfo) == [("unit-2", "starting", "claimed")]


async def test_programs_end_with_their_supervisor_and_survive_their_daemon(conninfo: str, pool: Pool) -> None:
    supervisor = uuid4()
    await join(pool, "unit-1", supervisor=supervisor)
    other = await join(pool, "unit-2")
    (row,) = insert_deployments(conninfo, address="unit-1")
    report(conninfo, "unit-1", started(row, port=20001))
    await join(pool, "unit-1", supervisor=supervisor)
    assert states(conninfo) == [("unit-1", "running", "")]
    await lose(pool, conninfo, other, "unit-1")
    assert (states(conninfo), endpoints(conninfo)) == ([("unit-1", "stopped", "unit_lost")], [])
    await join(pool, "unit-1", supervisor=supervisor)
    assert (states(conninfo), endpoints(conninfo)) == ([("unit-1", "running", "")], [("unit-1", 20001, 1)])
    await lose(pool, conninfo, other, "unit-1")
    await join(pool, "unit-1")
    assert (states(conninfo), endpoints(conninfo)) == ([("unit-1", "stopped", "supervisor_ended")], [])


async def test_a_row_of_type_daemon_has_a_state_on_each_unit(conninfo: str, pool: Pool) -> None:
    (row,) = [one["id"] for one in rows(conninfo, "insert into deployment (type) values ('daemon') returning id")]
    assert states(conninfo) == [(None, "waiting", "no_unit")]
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    report(conninfo, "unit-1", started(row, 0, port=20001))
    assert states(conninfo) == [("unit-1", "running", ""), ("unit-2", "starting", "claimed")]
    assert endpoints(conninfo) == [("unit-1", 20001, 0)]
    await lose(pool, conninfo, two, "unit-1")
    assert states(conninfo) == [("unit-2", "starting", "claimed")]
    assert one.address == "unit-1"


@pytest.mark.parametrize(
    ("restart", "code", "state"),
    [("always", 0, "backoff"), ("on_failure", 0, "stopped"), ("on_failure", 1, "backoff"), ("never", 1, "stopped")],
)
async def test_a_program_that_is_not_restarted_is_completed(
    conninfo: str, pool: Pool, restart: str, code: int, state: str
) -> None:
    await join(pool, "unit-1")
    (row,) = insert_deployments(conninfo, address="unit-1")
    rows(conninfo, "update deployment set restart = %s", (restart,))
    report(conninfo, "unit-1", started(row, revision=2), exited(row, code=code))
    assert states(conninfo) == [("unit-1", state, "completed" if state == "stopped" else "exited")]


async def test_a_row_with_a_broken_history_says_so(conninfo: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    insert_deployments(conninfo)
    rows(conninfo, "insert into unusable_deployment (deployment_id, revision) select id, revision from deployment")
    assert states(conninfo) == [(None, "waiting", "broken_history")]


async def test_an_endpoint_is_there_from_the_first_good_check_to_the_end(conninfo: str, pool: Pool) -> None:
    await join(pool, "unit-1", host="unit-1.internal")
    (row,) = insert_deployments(conninfo, address="unit-1")

    def changes(*events: tuple[str, dict[str, Any]]) -> int:
        with told_to_listeners(conninfo) as heard:
            report(conninfo, "unit-1", *events)
        assert set(heard) <= {str(row)}
        return len(heard)

    assert changes(started(row, port=20001, awaits_check=True, package_version="1.2.3")) == 0
    assert endpoints(conninfo) == []
    assert changes(told("ProcessReady", row, pid=4711, after_s=1.0)) == 1
    (found,) = rows(conninfo, "select * from endpoint")
    assert (found["unit"], found["host"], found["port"]) == ("unit-1", "unit-1.internal", 20001)
    assert (found["package_name"], found["package_version"], found["claim_version"]) == ("@yuants/app", "1.2.3", 1)
    assert found["ready_since"] < found["lease_expires_at"]
    assert changes(told("ProgramInstalling", row)) == 0
    assert changes(exited(row), started(row, port=20001)) == 1, "one notification for one append"
    assert changes(exited(row)) == 1
    assert endpoints(conninfo) == []
    assert changes(started(row)) == 0, "a program without a port cannot be reached"


async def test_a_unit_that_goes_takes_its_endpoints_along(conninfo: str, pool: Pool) -> None:
    one, two = await join(pool, "unit-1"), await join(pool, "unit-2")
    made = insert_deployments(conninfo, 3, address="unit-1")
    report(conninfo, "unit-1", *(started(row, port=20001 + n) for n, row in enumerate(made)))
    assert len(endpoints(conninfo)) == 3
    with told_to_listeners(conninfo) as heard:
        await one.heartbeat(None, [])
        await two.heartbeat(None, [])
    assert heard == []
    with told_to_listeners(conninfo) as heard:
        await lose(pool, conninfo, two, "unit-1")
    assert (len(heard), set(heard[0].split(","))) == (1, set(map(str, made)))
    assert endpoints(conninfo) == []
    with told_to_listeners(conninfo) as heard:
        assert await claim(DecisionStream(two), "unit-2", candidate(conninfo, made[0]))
    assert heard == [], "a claim carries no notification"
    report(conninfo, "unit-2", started(made[0], 3, port=20009))
    assert endpoints(conninfo) == [("unit-2", 20009, 3)]
    with told_to_listeners(conninfo) as heard:
        rows(conninfo, "update deployment set address = ''")
    assert (len(heard), endpoints(conninfo)) == (1, [])
    with told_to_listeners(conninfo) as heard:
        rows(conninfo, "delete from deployment")
    assert len(heard) == 1


async def test_readers_and_units_may_read_the_views(database: str, login: Login) -> None:
    for role in ("nodeunit_reader", "nodeunit_operator", "nodeunit_unit"):
        conninfo = login(role)
        assert rows(conninfo, "select * from program") == []
        assert rows(conninfo, "select * from program_state") == []
        assert rows(conninfo, "select * from endpoint") == []
        assert rows(conninfo, "select * from program_differences()") == []

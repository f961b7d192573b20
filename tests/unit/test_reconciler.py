"""What the reconciler asks of the supervisor, and above all what it leaves alone."""

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from nodeunit.clock import boottime
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Claims, Reconciler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.can_run import Ability
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.restart import RestartRule
from nodeunit.supervisor.lease import MARGIN_S
from tests.support.waiting import eventually, turns_of_the_loop

ADDRESS = "unit"
RULE = RestartRule()


class Requests(list[dict[str, Any]]):
    """In place of the link: what the reconciler asks of the supervisor."""

    def send(self, message: dict[str, Any]) -> None:
        self.append(message)

    def ops(self, op: str) -> list[str]:
        return [message["key"] for message in self if message["op"] == op]


class Rows(list[Deployment]):
    """What the database says should run here."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = 0

    async def read(self, known: Claims) -> list[Deployment]:
        self.reads += 1
        return list(self)


def a_row(on_disconnect: str = "keep") -> Deployment:
    return Deployment(
        id=uuid4(), package_name="@yuants/app", package_version="1.0.0", command="/bin/true", args=[], env={},
        type="deployment", address=ADDRESS, address_version=1, enabled=True, on_disconnect=on_disconnect, revision=1,
    )  # fmt: skip


def a_reconciler(link: Requests, rule: RestartRule = RULE, kind: type[Reconciler] = Reconciler) -> Reconciler:
    spawn_requests = SpawnRequestBuilder(ADDRESS, Ability(".*", custom_command=True), grace_s=1.0)
    return kind(cast(SupervisorLink, link), Outbox(), spawn_requests, rule)


def hello(*running: UUID) -> dict[str, Any]:
    programs = [
        {"key": str(key), "pid": 1, "start_time": 1, "meta": {"revision": 1, "claim_version": 1}} for key in running
    ]
    return {"event": "hello", "supervisor": str(uuid4()), "programs": programs, "reports": [], "states": {}}


@contextmanager
def follows(reconciler: Reconciler, rows: Rows) -> Iterator[None]:
    task = asyncio.ensure_future(reconciler.run(rows.read))
    try:
        yield
    finally:
        task.cancel()


@pytest.fixture
def rows() -> Rows:
    return Rows()


async def test_a_new_daemon_stops_nothing_before_it_has_read_what_should_run(rows: Rows) -> None:
    row, stray, link = a_row(), uuid4(), Requests()
    rows.append(row)
    reconciler = a_reconciler(link)
    reconciler.receive(hello(row.id, stray))
    reconciler.renew_lease(boottime() + 10)
    await turns_of_the_loop()
    assert link == []
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("stop") == [str(stray)], what="the stray program is stopped")
    assert len(link) == 1, "the program that should run is left alone"


async def test_the_rows_are_read_at_the_start_of_every_session(rows: Rows) -> None:
    first, second, link = a_row(), a_row(), Requests()
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + 10)
    for expected in ([first], [first, second]):
        rows[:] = expected
        with follows(reconciler, rows):
            await eventually(lambda: len(link.ops("spawn")) == len(rows), what="the new row is started")
    assert link.ops("spawn") == [str(first.id), str(second.id)]


async def test_after_a_lapsed_lease_the_rows_are_read_before_anything_is_started(rows: Rows) -> None:
    """The lease of the last epoch ran out and others took the row: what was known of it must not start it again."""
    taken, kept, link = a_row("stop"), a_row("stop"), Requests()
    rows.append(taken)
    reconciler = a_reconciler(link)
    with follows(reconciler, rows):
        await eventually(lambda: rows.reads == 1, what="the row is known")
        reconciler.renew_lease(boottime() - 1)
        await eventually(lambda: rows.reads == 2, what="the rows are read again after a lapse")
        rows[:] = [kept]
        reconciler.renew_lease(boottime() + 10)
        await eventually(lambda: link.ops("spawn"), what="what stands in the rows now is started")
    assert link.ops("spawn") == [str(kept.id)]


async def test_what_was_known_in_another_session_starts_nothing(rows: Rows) -> None:
    taken, kept, link = a_row("stop"), a_row("stop"), Requests()
    rows.append(taken)
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + MARGIN_S)  # too short to start it
    with follows(reconciler, rows):
        await eventually(lambda: rows.reads == 1, what="the row is known")
    rows[:] = [kept]
    reconciler.invalidate()
    reconciler.renew_lease(boottime() + 10)
    await turns_of_the_loop()
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn"), what="what stands in the rows now is started")
    assert link.ops("spawn") == [str(kept.id)]


async def test_an_answer_from_before_an_invalidation_starts_nothing() -> None:
    taken, kept, link = a_row("stop"), a_row("stop"), Requests()
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + 10)
    answers: asyncio.Queue[list[Deployment]] = asyncio.Queue()
    task = asyncio.ensure_future(reconciler.run(lambda known: answers.get()))
    await turns_of_the_loop()  # it has asked
    reconciler.invalidate()
    answers.put_nowait([taken])
    await turns_of_the_loop()
    answers.put_nowait([kept])
    await eventually(lambda: link.ops("spawn"), what="what stands in the rows now is started")
    task.cancel()
    assert link.ops("spawn") == [str(kept.id)]


async def test_what_must_stop_is_not_started_where_the_supervisor_would_refuse_it(rows: Rows) -> None:
    stop, keep, link = a_row("stop"), a_row("keep"), Requests()
    rows += [stop, keep]
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + MARGIN_S)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn") == [str(keep.id)], what="only the one that may go on is started")
        reconciler.renew_lease(boottime() + 10)
        await eventually(lambda: link.ops("spawn") == [str(keep.id), str(stop.id)], what="the other one is started")


async def test_a_lease_that_was_confirmed_late_starts_nothing_that_would_soon_stop_with_it(rows: Rows) -> None:
    stop, keep, link = a_row("stop"), a_row("keep"), Requests()
    rows += [stop, keep]
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + 4.5, ttl_s=10)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn") == [str(keep.id)], what="only the one that may go on is started")
        reconciler.renew_lease(boottime() + 9, ttl_s=10)
        await eventually(lambda: link.ops("spawn") == [str(keep.id), str(stop.id)], what="the other one is started")


def started(spawn: dict[str, Any]) -> dict[str, Any]:
    return {"event": "started", "key": spawn["key"], "pid": 1, "start_time": 1, "meta": spawn["meta"]}


NUMBERS = itertools.count(1)
"""Of the reports: each has its own."""


def exited(spawn: dict[str, Any]) -> dict[str, Any]:
    end = {"id": next(NUMBERS), "exit_code": 1, "signal": None, "ran_s": 0.0, "cause": "exited", "stopped": False}
    return started(spawn) | {"event": "exited"} | end


async def test_a_program_that_waits_for_long_holds_up_no_other(rows: Rows) -> None:
    soon, late, link = a_row(), a_row(), Requests()
    rows += [soon, late]
    reconciler = a_reconciler(link, RestartRule(first_delay_s=0.01, factor=10_000, max_delay_s=100))
    reconciler.renew_lease(boottime() + 60)

    async def fails(row: Deployment, starts: int) -> None:
        await eventually(lambda: link.ops("spawn").count(str(row.id)) == starts, what="it is started")
        reconciler.receive(exited(next(message for message in link if message["key"] == str(row.id))))

    with follows(reconciler, rows):
        await fails(late, 1)
        await fails(late, 2)
        await fails(soon, 1)
        await eventually(lambda: link.ops("spawn").count(str(soon.id)) == 2, what="it is started again")
    assert link.ops("spawn").count(str(late.id)) == 2


ENDS = 10


class CrashingPrograms(Requests):
    """A supervisor whose programs end as soon as they are started, until they are parked after ten ends."""

    reconciler: Reconciler

    def send(self, message: dict[str, Any]) -> None:
        super().send(message)
        if message["op"] == "spawn":
            asyncio.get_running_loop().call_soon(self._run, message)

    def _run(self, spawn: dict[str, Any]) -> None:
        spawn["meta"]["restart_limit"] = ENDS - 1
        for event in started(spawn), exited(spawn):
            self.reconciler.receive(event)


class Counting(Reconciler):
    """Counts how often it compares everything with everything."""

    reconciles = 0

    def _reconcile(self) -> None:
        self.reconciles += 1
        super()._reconcile()


async def test_programs_that_wait_for_their_restart_cost_no_reconcile_each(rows: Rows) -> None:
    """A timer for each waiting program, armed by each reconcile, made every timer arm more of them."""
    rule = RestartRule(first_delay_s=0.005, max_delay_s=0.1)
    rows += [a_row() for _ in range(14)]
    link = CrashingPrograms()
    reconciler = link.reconciler = a_reconciler(link, rule, Counting)
    assert isinstance(reconciler, Counting)
    reconciler.renew_lease(boottime() + 60)
    with follows(reconciler, rows):
        starts = len(rows) * ENDS
        await eventually(lambda: len(link.ops("spawn")) == starts, what="all have failed as often as they may")
        fired_by = boottime() + 2 * rule.max_delay_s
        await eventually(lambda: boottime() > fired_by, what="a timer that was left over has fired")
    assert len(link.ops("spawn")) == starts, "all are parked"
    assert reconciler.reconciles <= 2 * starts + 10, "one for an exit and one for a restart at most"


async def test_what_was_ended_with_the_lease_is_started_under_the_next_one_and_not_before(rows: Rows) -> None:
    row, link = a_row("stop"), Requests()
    rows.append(row)
    reconciler = a_reconciler(link)
    expires = boottime() + MARGIN_S + 0.4
    reconciler.renew_lease(expires)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn") == [str(row.id)], what="it is started")
        await eventually(lambda: boottime() > expires - MARGIN_S - 0.1, what="the supervisor has asked it to stop")
        reconciler.receive(exited(link[-1]) | {"cause": "lease", "stopped": True})
        await turns_of_the_loop()  # in which it would be started
        assert link.ops("spawn") == [str(row.id)]
        reconciler.renew_lease(boottime() + 10)
        await eventually(lambda: link.ops("spawn") == [str(row.id)] * 2, what="it is started under the next lease")


async def test_what_cannot_be_started_for_a_lack_of_the_units_own_is_no_failure_and_is_given_back(rows: Rows) -> None:
    row, link = a_row(), Requests()
    rows.append(row)
    reconciler = a_reconciler(link, RestartRule(crash_loop_at=1))
    reconciler.renew_lease(boottime() + 60)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn") == [str(row.id)], what="it is to be started")
        lack = {"event": "spawn_failed", "id": 1, "detail": "too many open files", "lacks": "descriptors"}
        reconciler.receive(started(link[-1]) | lack)
        await asyncio.wait_for(reconciler.unable.wait(), 1)
        assert reconciler.lack == ("descriptors", "too many open files")
        assert reconciler.take_unable() == [str(row.id)]
        assert not reconciler.unable.is_set()
        assert link.ops("remember") == [], "nothing counts as a failure"


async def test_a_program_that_may_not_go_on_is_stopped_once_and_started_again_as_after_a_failure(rows: Rows) -> None:
    row, link = a_row(), Requests()
    rows.append(row)
    reconciler = a_reconciler(link, RestartRule(first_delay_s=0.01))
    reconciler.renew_lease(boottime() + 60)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn") == [str(row.id)], what="it is started")
        reconciler.receive(started(link[-1]))
        for _ in range(2):
            reconciler.end_failing(str(row.id), "unhealthy", "its port does not answer")
        assert [message for message in link if message["op"] == "stop"] == [
            {
                "op": "stop",
                "key": str(row.id),
                "grace_s": 1.0,
                "because": "unhealthy",
                "detail": "its port does not answer",
            }
        ]
        end = {"cause": "stop", "stopped": True, "because": "unhealthy", "detail": "its port does not answer"}
        reconciler.receive(exited(link[0]) | end)
        assert link.ops("remember") == [str(row.id)], "it counts as a failure"
        await eventually(lambda: link.ops("spawn") == [str(row.id)] * 2, what="it is started again")


async def test_only_limits_that_nobody_else_keeps_are_measured(rows: Rows) -> None:
    reconciler = a_reconciler(Requests())
    programs = {uuid4(): [], uuid4(): ["memory"], uuid4(): ["memory", "processes"]}
    told = hello(*programs)
    for running, kept in zip(told["programs"], programs.values(), strict=True):
        running["meta"] |= {"memory_limit_mb": 100, "process_limit": 5}
        running["kept"] = kept
    reconciler.receive(told)
    measured, half, _ = map(str, programs)
    assert reconciler.measured_limits() == {measured: (100, 5), half: (None, 5)}

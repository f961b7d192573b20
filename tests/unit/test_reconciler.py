"""What the reconciler asks of the supervisor, and above all what it leaves alone."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from nodeunit.clock import boottime
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.restart import RestartRule
from nodeunit.supervisor.lease import MARGIN_S
from tests.support.waiting import eventually

ADDRESS = "unit"


class Said(list[dict[str, Any]]):
    """The link: what the reconciler says to the supervisor."""

    send = list.append

    def ops(self, op: str) -> list[str]:
        return [message["key"] for message in self if message["op"] == op]


def a_row(on_disconnect: str = "keep") -> Deployment:
    return Deployment(
        id=uuid4(), package_name="@yuants/app", package_version="1.0.0", command="/bin/true", args=[], env={},
        type="deployment", address=ADDRESS, address_version=1, enabled=True, on_disconnect=on_disconnect, revision=1,
    )  # fmt: skip


def a_reconciler(link: Said) -> Reconciler:
    spawn_requests = SpawnRequestBuilder(ADDRESS, ".*", custom_command=True, grace_s=1.0)
    return Reconciler(cast(SupervisorLink, link), Outbox(), spawn_requests, RestartRule())


def hello(*running: UUID) -> dict[str, Any]:
    programs = [
        {"key": str(key), "pid": 1, "start_time": 1, "meta": {"revision": 1, "claim_version": 1}} for key in running
    ]
    return {"event": "hello", "supervisor": str(uuid4()), "programs": programs, "exits": []}


class Rows(list[Deployment]):
    """What the database says should run here."""

    async def read(self) -> list[Deployment]:
        return list(self)


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
    row, link = a_row(), Said()
    rows.append(row)
    reconciler = a_reconciler(link)
    reconciler.receive(hello(row.id))
    reconciler.renew_lease(boottime() + 10)
    assert link == []
    with follows(reconciler, rows):
        await asyncio.sleep(0.05)
    assert link == []


async def test_what_should_not_run_is_stopped_once_the_rows_are_read(rows: Rows) -> None:
    stray, link = uuid4(), Said()
    reconciler = a_reconciler(link)
    reconciler.receive(hello(stray))
    reconciler.renew_lease(boottime() + 10)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("stop") == [str(stray)], what="the stray program is stopped")


async def test_the_rows_are_read_at_the_start_of_every_epoch(rows: Rows) -> None:
    first, second, link = a_row(), a_row(), Said()
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + 10)
    for expected in ([first], [first, second]):
        rows[:] = expected
        with follows(reconciler, rows):
            await eventually(lambda: len(link.ops("spawn")) == len(rows), what="the new row is started")


async def test_after_a_lapsed_lease_the_rows_are_read_before_anything_is_started(rows: Rows) -> None:
    """The lease of the last epoch ran out and others took the row: what was known of it must not start it again."""
    row, link = a_row("stop"), Said()
    rows.append(row)
    reconciler = a_reconciler(link)
    with follows(reconciler, rows):
        await asyncio.sleep(0.02)
        reconciler.renew_lease(boottime() - 1)
        await asyncio.sleep(0.02)
        rows.clear()
        reconciler.renew_lease(boottime() + 10)
        await asyncio.sleep(0.05)
    assert link == []


async def test_what_was_known_in_another_epoch_starts_nothing(rows: Rows) -> None:
    row, link = a_row("stop"), Said()
    rows.append(row)
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + MARGIN_S)  # too short to start it
    with follows(reconciler, rows):
        await asyncio.sleep(0.02)
    rows.clear()
    reconciler.invalidate()
    reconciler.renew_lease(boottime() + 10)
    with follows(reconciler, rows):
        await asyncio.sleep(0.05)
    assert link == []


async def test_what_must_stop_is_not_started_where_the_supervisor_would_refuse_it(rows: Rows) -> None:
    stop, keep, link = a_row("stop"), a_row("keep"), Said()
    rows += [stop, keep]
    reconciler = a_reconciler(link)
    reconciler.renew_lease(boottime() + MARGIN_S)
    with follows(reconciler, rows):
        await eventually(lambda: link.ops("spawn") == [str(keep.id)], what="only the one that may go on is started")
        reconciler.renew_lease(boottime() + 10)
        await eventually(lambda: link.ops("spawn") == [str(keep.id), str(stop.id)], what="the other one is started")

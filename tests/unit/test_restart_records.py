"""A daemon that dies at any point hands its restart records to the next one unchanged."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import UUID, uuid4

import msgspec
import pytest

from nodeunit.clock import boottime
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.program_logs import WRITTEN_AFTER_S
from nodeunit.daemon.reconciler import Claims, Reconciler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.can_run import Ability
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.event import Event
from nodeunit.domain.program_events import ProcessCrashLooping, ProcessExited, ProcessParked
from nodeunit.domain.restart import RestartRule
from nodeunit.supervisor.handover import Handover
from nodeunit.supervisor.protocol import Exited
from tests.support.waiting import eventually

RULE = RestartRule(first_delay_s=0.0, crash_loop_at=3)
LIMIT = 4
"""How many failures in a row park a row of these tests."""
SUPERVISOR = uuid4()


class Supervisor:
    """What outlives the daemons: `send` takes what they say, `hello` is what each is told first."""

    def __init__(self) -> None:
        self.handover = Handover()
        self.spawned: list[str] = []

    def send(self, op: Any) -> None:
        match op["op"]:
            case "remember":
                self.handover.remember(op["key"], op["state"])
            case "ack":
                self.handover.acknowledge(op["id"])
            case "spawn":
                self.spawned.append(op["key"])

    def exited(self, row: Deployment, exit_code: int = 1, **meta: Any) -> Exited:
        report: Exited = {
            "event": "exited", "key": str(row.id), "pid": 7, "start_time": 1, "exit_code": exit_code, "signal": None,
            "ran_s": 0.1, "stopped": False, "cause": "exited",
            "meta": {"revision": row.revision, "claim_version": row.address_version, "restart_limit": LIMIT - 1} | meta,
        }  # fmt: skip
        self.handover.keep(report)
        return report

    def hello(self, *running: Deployment) -> dict[str, Any]:
        programs = [
            {"key": str(row.id), "pid": 8, "start_time": 2, "meta": {"revision": 1, "claim_version": 1}}
            for row in running
        ]
        reports, states = self.handover.reports(), self.handover.states()
        return {
            "event": "hello", "supervisor": str(SUPERVISOR), "programs": programs, "reports": reports, "states": states,
        }  # fmt: skip


class Written(Outbox):
    """Keeps what is put into it, and writes nothing until told to."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[tuple[Event, UUID | None, bool, Callable[[], None] | None]] = []

    def put(
        self,
        event: Event,
        *,
        event_id: UUID | None = None,
        maybe_written: bool = False,
        on_written: Callable[[], None] | None = None,
    ) -> None:
        self.entries.append((event, event_id, maybe_written, on_written))

    def parked(self) -> list[tuple[UUID | None, bool]]:
        return self.of(ProcessParked)

    def of(self, kind: type[Event]) -> list[tuple[UUID | None, bool]]:
        """Id and doubt of each event of this type."""
        return [(event_id, maybe) for event, event_id, maybe, _ in self.entries if isinstance(event, kind)]

    def write_all(self) -> None:
        for _, _, _, on_written in self.entries:
            if on_written is not None:
                on_written()


def a_row(**fields: Any) -> Deployment:
    row = Deployment(
        id=uuid4(), package_name="@yuants/app", package_version="1.0.0", command="/bin/false", args=[], env={},
        type="deployment", address="unit", address_version=1, enabled=True, on_disconnect="keep", revision=1,
    )  # fmt: skip
    return msgspec.structs.replace(row, **fields)


def a_daemon(
    supervisor: Supervisor,
    outbox: Outbox,
    *running: Deployment,
    custom_command: bool = True,
    log_directory: str = "/nonexistent",
) -> Reconciler:
    requests = SpawnRequestBuilder("unit", Ability(".*", custom_command), grace_s=1.0)
    reconciler = Reconciler(cast(SupervisorLink, supervisor), outbox, requests, RULE, log_directory)
    reconciler.receive(supervisor.hello(*running))
    reconciler.renew_lease(boottime() + 10)
    return reconciler


@contextmanager
def follows(reconciler: Reconciler, rows: list[Deployment]) -> Iterator[None]:
    async def read_programs(known: Claims) -> list[Deployment]:
        return rows

    task = asyncio.ensure_future(reconciler.run(read_programs))
    try:
        yield
    finally:
        task.cancel()


async def starts(reconciler: Reconciler, supervisor: Supervisor, rows: list[Deployment], *but: Deployment) -> None:
    """Of these rows it starts all but some, and no others."""
    supervisor.spawned.clear()
    keys = {str(row.id) for row in rows if row not in but}
    with follows(reconciler, rows):
        await eventually(lambda: keys <= set(supervisor.spawned), what="what may run is started")
    assert set(supervisor.spawned) == keys


async def test_a_failure_counts_once_whichever_daemon_is_told_of_it() -> None:
    supervisor, row = Supervisor(), a_row()
    for failure in range(1, LIMIT + 1):
        outbox = Written()
        daemon = a_daemon(supervisor, outbox)  # is told of all failures before, because none is acknowledged
        assert outbox.parked() == []
        daemon.receive(supervisor.exited(row))
        assert bool(outbox.parked()) is (failure == LIMIT)


async def test_what_its_row_lets_park_stays_parked_until_the_row_changes_or_is_claimed_anew() -> None:
    supervisor, row, other = Supervisor(), a_row(), a_row()
    daemon = a_daemon(supervisor, Written())
    for _ in range(LIMIT):
        daemon.receive(supervisor.exited(row))

    await starts(a_daemon(supervisor, Written()), supervisor, [row, other], row)
    await starts(a_daemon(supervisor, Written()), supervisor, [msgspec.structs.replace(row, revision=2)])
    await starts(a_daemon(supervisor, Written()), supervisor, [msgspec.structs.replace(row, address_version=3)])


async def test_what_does_not_belong_here_any_more_is_forgotten() -> None:
    supervisor, row, other = Supervisor(), a_row(), a_row()
    outbox = Written()
    daemon = a_daemon(supervisor, outbox)
    for _ in range(LIMIT):
        daemon.receive(supervisor.exited(row))
    daemon.receive(supervisor.exited(other))
    await starts(daemon, supervisor, [a_row()])
    assert supervisor.handover.states().keys() == {str(row.id)}, "its parking is not logged yet"

    await eventually(lambda: outbox.of(ProcessCrashLooping), what="the end of its log is read")
    outbox.write_all()
    await starts(daemon, supervisor, [a_row()])
    assert supervisor.handover.states() == {}
    assert supervisor.handover.reports() == []


async def test_a_parking_is_logged_under_one_id_until_it_is_known_to_be_written() -> None:
    supervisor, row = Supervisor(), a_row()
    first, second = Written(), Written()
    daemon = a_daemon(supervisor, first)
    for _ in range(LIMIT):
        daemon.receive(supervisor.exited(row))
    ((event_id, maybe_written),) = first.parked()
    assert not maybe_written

    a_daemon(supervisor, second)
    assert second.parked() == [(event_id, True)]
    assert all(maybe_written for _, _, maybe_written, _ in second.entries)
    second.write_all()
    third = Written()
    a_daemon(supervisor, third)
    assert third.entries == []


@pytest.mark.parametrize(("restart", "exit_code"), [("never", 1), ("never", 0), ("on_failure", 0)])
async def test_a_complete_program_stays_complete_until_the_row_changes_or_is_claimed_anew(
    restart: str, exit_code: int
) -> None:
    supervisor, row, other = Supervisor(), a_row(), a_row()
    outbox = Written()
    a_daemon(supervisor, outbox).receive(supervisor.exited(row, exit_code, restart=restart))
    assert [type(event) for event, _, _, _ in outbox.entries] == [ProcessExited]

    await starts(a_daemon(supervisor, Written()), supervisor, [row, other], row)
    await starts(a_daemon(supervisor, Written()), supervisor, [msgspec.structs.replace(row, revision=2)])
    await starts(a_daemon(supervisor, Written()), supervisor, [msgspec.structs.replace(row, address_version=3)])


async def test_a_crash_loop_without_a_limit_is_started_for_ever() -> None:
    supervisor, row = Supervisor(), a_row()
    outbox = Written()
    daemon = a_daemon(supervisor, outbox)
    for _ in range(50):
        report = supervisor.exited(row, restart_limit=None)
        daemon.receive(report)
        supervisor.handover.acknowledge(report["id"])
    await starts(daemon, supervisor, [row])
    assert outbox.parked() == []


async def test_a_crash_loop_is_logged_once_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor, row = Supervisor(), a_row()
    (tmp_path / f"{row.id}.log").write_text("began\nAddress already in use\n")
    first, second, third = Written(), Written(), Written()
    daemon = a_daemon(supervisor, first, log_directory=str(tmp_path))
    for _ in range(RULE.crash_loop_at):
        daemon.receive(supervisor.exited(row))
    await eventually(lambda: first.of(ProcessCrashLooping), what="the crash loop is logged")
    (event,) = [event for event, _, _, _ in first.entries if isinstance(event, ProcessCrashLooping)]
    assert (event.failures, event.exit_code, event.signal) == (RULE.crash_loop_at, 1, None)
    assert event.last_lines == ["began", "Address already in use"]

    ((event_id, _),) = first.of(ProcessCrashLooping)
    a_daemon(supervisor, second)  # to which it is not known whether it was written
    await eventually(lambda: second.of(ProcessCrashLooping), what="the next daemon logs it under the same id")
    assert second.of(ProcessCrashLooping) == [(event_id, True)]
    second.write_all()
    a_daemon(supervisor, third).receive(supervisor.exited(row, restart_limit=None))
    logged_by = boottime() + WRITTEN_AFTER_S + 0.05
    await eventually(lambda: boottime() > logged_by, what="it would have been logged")
    assert third.of(ProcessCrashLooping) == []


async def test_a_stop_for_a_failure_counts_as_one() -> None:
    supervisor, row, other = Supervisor(), a_row(), a_row()
    outbox = Written()
    daemon = a_daemon(supervisor, outbox)
    for _ in range(LIMIT):
        for failed, because in (row, "unhealthy"), (other, "restart"):
            report = supervisor.exited(failed) | {"stopped": True, "cause": "stop", "because": because}
            daemon.receive(report)
    assert {event.deployment_id for event, _, _, _ in outbox.entries if isinstance(event, ProcessParked)} == {row.id}


async def test_what_this_unit_may_not_run_is_parked_by_each_daemon_under_one_id() -> None:
    supervisor, row = Supervisor(), a_row()
    first, second = Written(), Written()
    for outbox in (first, second):
        daemon = a_daemon(supervisor, outbox, custom_command=False)
        with follows(daemon, [row]):
            await eventually(outbox.parked, what="it is parked")
    assert first.parked() == second.parked()

    await starts(a_daemon(supervisor, Written()), supervisor, [row])  # a daemon that may run it


async def test_an_exit_that_is_told_late_does_not_take_away_what_runs_now() -> None:
    supervisor, row = Supervisor(), a_row()
    supervisor.exited(row)  # of an earlier run

    assert a_daemon(supervisor, Written(), row).processes() == {str(row.id): (8, 2)}


async def test_a_state_that_cannot_be_read_is_left_out() -> None:
    supervisor, row = Supervisor(), a_row()
    supervisor.handover.remember(str(row.id), {"claim": "of another version"})

    await starts(a_daemon(supervisor, Written()), supervisor, [row])

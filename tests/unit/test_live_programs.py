"""What the daemon does with programs that have checks, a port or secrets, and what a later daemon knows of them."""

import asyncio
import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest

from nodeunit.clock import boottime
from nodeunit.daemon import program_environment
from nodeunit.daemon.health import HealthTimes
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.program_environment import Ports, UnitVariables
from nodeunit.daemon.reconciler import Claims, Reconciler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.can_run import Ability
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.event import Event
from nodeunit.domain.health_check import parse
from nodeunit.domain.program_events import ProcessExited, ProcessParked, ProcessReady, ProcessStopping
from nodeunit.domain.program_options import ProgramOptions
from nodeunit.domain.restart import RestartRule
from nodeunit.process.secret_files import read_secret
from tests.support.looks import Looks
from tests.support.waiting import eventually

TIMES = HealthTimes(startup_every_s=0.02, liveness_every_s=0.02)
RULE = RestartRule(first_delay_s=0.01, max_delay_s=0.02)


def a_row(**options: Any) -> Deployment:
    return Deployment(
        id=uuid4(), package_name="@yuants/app", package_version="1.0.0", command="/bin/true", args=[], env={},
        type="deployment", address="unit", address_version=1, enabled=True, on_disconnect="keep", revision=1,
        options=ProgramOptions(**options),
    )  # fmt: skip


class Events(Outbox):
    """What would be written."""

    def __init__(self) -> None:
        super().__init__()
        self.put_in: list[Event] = []

    def put(self, event: Event, **_: Any) -> None:
        self.put_in.append(event)

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.put_in if isinstance(event, kind)]


class Supervisor:
    """Starts and stops nothing, and reports that it has."""

    def __init__(self) -> None:
        self.daemon: Reconciler
        self.spawned: list[dict[str, Any]] = []
        self.stops: list[dict[str, Any]] = []
        self.states: dict[str, Any] = {}
        self.running: dict[str, dict[str, Any]] = {}
        self.never_end: set[str] = set()
        self._numbers = itertools.count(1)

    def send(self, op: Any) -> None:
        match op["op"]:
            case "spawn":
                self.spawned.append(op)
                start_time = int(boottime() * 100)
                program = {"key": op["key"], "pid": 7, "start_time": start_time, "meta": op["meta"]}
                self.running[op["key"]] = program
                self._report({"event": "started", **program})
            case "stop":
                self.stops.append(op)
                if op["key"] in self.never_end:
                    return
                program = self.running.pop(op["key"])
                end = {"exit_code": 0, "signal": None, "ran_s": 0.1, "cause": "stop", "stopped": True}
                self._report({"event": "exited", **program, **end})  # of an earlier version: without `because`
            case "remember":
                self.states[op["key"]] = op["state"]

    def _report(self, report: dict[str, Any]) -> None:
        asyncio.get_running_loop().call_soon(self.daemon.receive, {"id": next(self._numbers), **report})

    def hello(self) -> dict[str, Any]:
        return {
            "event": "hello", "supervisor": str(uuid4()), "programs": list(self.running.values()), "reports": [],
            "states": {key: state for key, state in self.states.items() if state},
        }  # fmt: skip


@contextmanager
def a_daemon(
    supervisor: Supervisor, events: Events, *rows: Deployment, secrets: str = "", ports: tuple[int, int] = (1, 65535)
) -> Iterator[Reconciler]:
    async def read(known: Claims) -> list[Deployment]:
        return list(rows)

    variables = UnitVariables("", secrets, {})
    requests = SpawnRequestBuilder(
        "unit",
        Ability(".*", custom_command=True),
        grace_s=1.0,
        variables=variables,
        ports=Ports(*ports),
    )
    daemon = supervisor.daemon = Reconciler(
        cast(SupervisorLink, supervisor), events, requests, RULE, "/nonexistent", TIMES
    )
    variables.on_change = daemon.compare_again
    daemon.receive(supervisor.hello())
    daemon.renew_lease(boottime() + 60)
    task = asyncio.ensure_future(daemon.run(read))
    try:
        yield daemon
    finally:
        task.cancel()
        daemon.supervisor_ended()


async def test_an_unhealthy_program_is_stopped_as_a_failure_and_started_again(tmp_path: Path) -> None:
    row = a_row(liveness_check=f"file:{tmp_path / 'alive'}", stop_grace_s=3.0)
    supervisor, events = Supervisor(), Events()
    with a_daemon(supervisor, events, row):
        await eventually(lambda: len(supervisor.spawned) == 3, what="it is started again and again")
    assert {(stop["because"], stop["grace_s"]) for stop in supervisor.stops} == {("unhealthy", 3.0)}
    first = events.of(ProcessExited)[0]
    assert (first.reason, first.detail) == ("unhealthy", "3 checks in a row failed: No such file or directory")
    assert supervisor.states[str(row.id)]["state"] >= (2,)


async def test_the_next_daemon_knows_what_was_ready_and_looks_after_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch)
    (tmp_path / "ready").write_text("")
    row = a_row(startup_check=f"file:{tmp_path / 'ready'}", startup_timeout_s=0.05)
    late = a_row(startup_check=f"file:{tmp_path / 'late'}", startup_timeout_s=60.0)
    never = a_row(startup_check=f"file:{tmp_path / 'never'}", startup_timeout_s=60.0)
    supervisor, events, later = Supervisor(), Events(), Events()
    with a_daemon(supervisor, events, row, late, never):
        await eventually(lambda: events.of(ProcessReady), what="it is ready")
        running = dict(supervisor.running)
        supervisor.running.clear()  # so that this daemon stops nothing at its end
    (tmp_path / "ready").unlink()

    supervisor.running = running
    looks.at.clear()
    with a_daemon(supervisor, later, row, late, never):
        (tmp_path / "late").write_text("")
        await eventually(lambda: len(later.of(ProcessReady)) == 2, what="the other is ready, and the first is repeated")
        after = len(looks.at)
        await eventually(lambda: len(looks.at) > after + 10, what="the last one is looked at again and again")
        assert parse(row.options.startup_check) not in looks.at
    assert supervisor.stops == []
    assert {event.deployment_id for event in later.of(ProcessReady)} == {row.id, late.id}


async def test_the_next_daemon_gives_no_port_twice() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    row, other = a_row(wants_port=True), a_row(wants_port=True)
    supervisor, events = Supervisor(), Events()
    with a_daemon(supervisor, events, row, ports=(port, port)):
        await eventually(lambda: supervisor.spawned, what="it is started")
    assert supervisor.spawned[0]["env"]["PORT"] == str(port)
    with a_daemon(supervisor, events, row, other, ports=(port, port)):
        await eventually(lambda: events.of(ProcessParked), what="the other one waits")
    (waits,) = events.of(ProcessParked)
    assert (waits.deployment_id, waits.reason) == (other.id, "no_port")
    assert len(supervisor.spawned) == 1


async def test_a_secret_that_is_missing_is_waited_for_and_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The directories of pytest are readable by their owner only."""
    monkeypatch.setattr("nodeunit.daemon.restart_records.FIRST_WAIT_S", 0.01)
    tries = []

    def read(directory: str, name: str) -> str:
        tries.append(name)
        return read_secret(directory, name)

    monkeypatch.setattr(program_environment, "read_secret", read)
    row = a_row(secrets={"TOKEN": "token"})
    supervisor, events = Supervisor(), Events()
    with a_daemon(supervisor, events, row, secrets=str(tmp_path)) as daemon:
        await eventually(lambda: events.of(ProcessParked), what="it waits")
        daemon.refresh()
        await eventually(lambda: len(tries) > 3, what="it is tried again")
        (tmp_path / "part").touch(mode=0o600)
        (tmp_path / "part").write_text("value")
        (tmp_path / "part").rename(tmp_path / "token")
        await eventually(lambda: supervisor.spawned, what="it is started")
    assert supervisor.spawned[0]["env"]["TOKEN"] == "value"
    assert "value" not in str(supervisor.spawned[0]["meta"])
    assert [event.reason for event in events.of(ProcessParked)] == ["no_secret"]
    assert not any(state and state["state"] != (0,) for state in supervisor.states.values()), "it is no failure"


async def test_a_disk_that_hangs_keeps_waiting_only_what_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program_environment, "READ_WITHIN_S", 0.05)
    hangs = threading.Event()

    def read(directory: str, name: str) -> str:
        hangs.wait()
        return "value"

    monkeypatch.setattr(program_environment, "read_secret", read)
    needs_it, needs_it_too, other = a_row(secrets={"A": "a"}), a_row(secrets={"A": "a"}), a_row()
    supervisor, events = Supervisor(), Events()
    with a_daemon(supervisor, events, needs_it, needs_it_too, other, secrets=str(tmp_path)) as daemon:
        await eventually(lambda: len(events.of(ProcessParked)) == 2, what="those that need it wait, and say why")
        assert [request["key"] for request in supervisor.spawned] == [str(other.id)]
        hangs.set()
        daemon.refresh()
        await eventually(lambda: len(supervisor.spawned) == 3, what="all are started")
    assert {event.detail for event in events.of(ProcessParked)} == {
        f"NODE_UNIT_SECRETS_DIR {tmp_path} does not answer: its disk may hang"
    }


async def test_a_program_that_takes_its_time_to_end_is_said_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeunit.daemon.live_programs.SAID_TO_STOP_AFTER_S", 0.05)
    slow, fast = a_row(), a_row()
    supervisor, events = Supervisor(), Events()
    supervisor.never_end = {str(slow.id)}
    with a_daemon(supervisor, events, slow, fast) as daemon:
        await eventually(lambda: len(supervisor.running) == 2, what="both run")
        await eventually(lambda: len(daemon.processes()) == 2, what="both are reported")
        for row in (slow, fast):
            daemon.end_failing(str(row.id), "unhealthy", "")
        await eventually(lambda: events.of(ProcessStopping), what="it is said")
        await eventually(lambda: len(supervisor.spawned) == 3, what="the other one is started again")
    assert [(event.deployment_id, event.reason) for event in events.of(ProcessStopping)] == [(slow.id, "unhealthy")]


@pytest.mark.parametrize("column", ["startup_check", "liveness_check"])
async def test_a_check_that_cannot_be_read_parks_the_row(column: str) -> None:
    row = a_row(**{column: "exec:true"})
    supervisor, events = Supervisor(), Events()
    with a_daemon(supervisor, events, row):
        await eventually(lambda: events.of(ProcessParked), what="it is parked")
    assert supervisor.spawned == []
    assert events.of(ProcessParked)[0].reason == "bad_check"


async def test_what_a_later_daemon_must_know_is_in_the_request() -> None:
    row = a_row(restart="on_failure", restart_limit=3, startup_timeout_s=5.0, liveness_check="tcp:80")
    builder = SpawnRequestBuilder("unit", Ability(".*", custom_command=True), grace_s=1.0)
    assert builder.build(row)["meta"] == {
        "revision": 1, "claim_version": 1, "grace_s": 1.0, "restart": "on_failure", "restart_limit": 3,
        "startup_timeout_s": 5.0, "liveness_check": "tcp:80",
    }  # fmt: skip
    plain = msgspec.structs.replace(row, options=ProgramOptions())
    assert builder.build(plain)["meta"] == {"revision": 1, "claim_version": 1, "grace_s": 1.0}

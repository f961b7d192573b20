"""What a daemon leaves to the next one: reports that are not in the log yet, and what it wanted remembered."""

import os
import signal

import pytest

from nodeunit.supervisor.handover import MOST_BYTES, MOST_OF_ONE_KEY, Handover
from nodeunit.supervisor.protocol import SpawnFailed
from tests.support.supervisor_daemon import Daemon, Message, SupervisedUnit, is_alive, key
from tests.support.waiting import wait_until

FOR_EVER = "import signal\nsignal.pause()"


def _reports(hello: Message) -> list[tuple[str, str]]:
    return [(report["event"], report["key"]) for report in hello["reports"]]


def _failure(name: str, detail: str = "") -> SpawnFailed:
    return {"event": "spawn_failed", "key": name, "detail": detail, "meta": {}}


def test_reports_are_repeated_to_each_daemon_until_they_are_acknowledged(unit: SupervisedUnit, daemon: Daemon) -> None:
    started = daemon.start_python(FOR_EVER, 1)
    daemon.spawn(["no-such-program"], 2)
    failed = daemon.expect("spawn_failed", key=key(2))
    os.kill(daemon.pid, signal.SIGSTOP)
    os.kill(started["pid"], signal.SIGUSR1)
    wait_until(lambda: not is_alive(started["pid"]))
    os.kill(daemon.pid, signal.SIGKILL)

    second, hello = unit.next_daemon()
    assert _reports(hello) == [("started", key(1)), ("spawn_failed", key(2)), ("exited", key(1))]
    assert hello["reports"][:2] == [started, failed]
    assert hello["reports"][2]["signal"] == signal.SIGUSR1
    second.say("ack", id=failed["id"])
    second.say("ack", id=10_000)
    second.leave_with(1)

    third, hello = unit.next_daemon()
    assert _reports(hello) == [("started", key(1)), ("exited", key(1))]
    for report in hello["reports"]:
        third.say("ack", id=report["id"])
    third.leave_with(1)

    _, hello = unit.next_daemon()
    assert hello["reports"] == []
    assert hello["programs"] == []


def test_a_refusal_is_repeated_too(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.start_python(FOR_EVER)
    daemon.spawn(["true"])
    refused = daemon.expect("spawn_failed")
    daemon.leave_with(1)

    _, hello = unit.next_daemon()
    assert hello["reports"][-1] == refused


def test_what_a_daemon_wants_remembered_reaches_the_next_until_it_is_forgotten(
    unit: SupervisedUnit, daemon: Daemon
) -> None:
    daemon.say("remember", key=key(1), state={"failures": 1})
    daemon.say("remember", key=key(1), state={"failures": 2, "parked": True})
    daemon.say("remember", key=key(2), state=[3])
    daemon.leave_with(1)

    second, hello = unit.next_daemon()
    assert hello["states"] == {key(1): {"failures": 2, "parked": True}, key(2): [3]}
    second.say("remember", key=key(1), state=None)
    second.leave_with(1)

    _, hello = unit.next_daemon()
    assert hello["states"] == {key(2): [3]}


def test_a_key_with_too_much_to_acknowledge_is_not_started(unit: SupervisedUnit, daemon: Daemon) -> None:
    for _ in range(MOST_OF_ONE_KEY // 2):
        daemon.start(["true"])
        exited = daemon.expect("exited")
    daemon.spawn(["true"])
    refused = daemon.expect("spawn_failed")
    assert "not acknowledged" in refused["detail"]
    assert "id" not in refused
    daemon.start(["true"], 2)

    daemon.say("ack", id=exited["id"])
    daemon.start(["true"])


def test_at_the_bound_of_all_reports_nothing_starts_and_what_ends_is_still_kept() -> None:
    handover = Handover()
    number = 0
    while not handover.refusal("new"):
        number += 1
        assert handover.keep(_failure(f"key-{number}", "x" * 5000))["id"] == number
    handover.keep(_failure("key-1"))

    assert len(handover.reports()) == number + 1
    handover.acknowledge(1)
    assert handover.refusal("new") == ""


def test_a_state_beyond_the_bound_is_refused_and_those_before_stay() -> None:
    handover = Handover()
    handover.remember("a", "x" * (MOST_BYTES // 2))
    handover.remember("a", "y" * (MOST_BYTES // 2))
    with pytest.raises(ValueError, match="remembered"):
        handover.remember("b", "x" * (MOST_BYTES // 2))
    assert handover.states().keys() == {"a"}

    handover.remember("a", "x")
    handover.remember("b", "x" * (MOST_BYTES // 2))
    handover.remember("b", None)
    handover.remember("b", None)
    assert handover.states() == {"a": "x"}

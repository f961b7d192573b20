"""What the log says about an end, whoever caused it."""

from typing import Any, cast
from uuid import uuid4

import pytest

from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.process_events import ProcessEvents
from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.domain.event import Event
from nodeunit.domain.program_events import ProcessExited


class Said(Outbox):
    """Keeps the events, and writes none."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[Event] = []

    def put(self, event: Event, **_: Any) -> None:
        self.events.append(event)


def _said_about(end: dict[str, Any]) -> ProcessExited:
    said = Said()
    report = {"event": "exited", "key": str(uuid4()), "pid": 7, "exit_code": None, "signal": 9, "ran_s": 1.5}
    ProcessEvents(cast(SupervisorLink, None), said).log_report(report | end, repeated=False)
    (event,) = said.events
    assert isinstance(event, ProcessExited)
    return event


@pytest.mark.parametrize(
    ("end", "reason", "detail"),
    [
        ({"cause": "exited"}, "exited", ""),
        ({"cause": "exited", "oom": True}, "out_of_memory", "the kernel ended it: the machine had no memory left"),
        ({"cause": "stop", "oom": True}, "stopped", ""),
        ({"cause": "stop", "because": "restart"}, "stopped", ""),
        ({"cause": "stop", "because": "out_of_memory", "detail": "it used 7 MiB"}, "out_of_memory", "it used 7 MiB"),
        ({"cause": "stop", "because": "too_many_processes"}, "too_many_processes", ""),
        ({"cause": "stop", "because": "unhealthy", "detail": "no answer"}, "unhealthy", "no answer"),
        ({"cause": "stop", "because": "startup_timeout"}, "startup_timeout", ""),
        ({"cause": "lease", "because": "from another version"}, "lease_expired", ""),
        ({"cause": "shutdown"}, "unit_ended", ""),
        ({"cause": "of another version"}, "of another version", ""),
    ],
)
def test_the_reason_of_an_end(end: dict[str, Any], reason: str, detail: str) -> None:
    event = _said_about(end | {"meta": {"revision": 1, "claim_version": 3}})
    assert (event.reason, event.detail, event.claim_version) == (reason, detail, 3)


def test_an_end_by_the_kernel_names_the_limit() -> None:
    report = {"cause": "exited", "oom": True, "meta": {"revision": 1, "claim_version": 3, "memory_limit_mb": 64}}
    assert "its limit is 64 MiB" in _said_about(report).detail

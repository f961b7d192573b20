"""What a unit of thousands of programs tells a new daemon: in parts, each of which fits into a line."""

import asyncio
import json
import socket

import pytest

from nodeunit.daemon.supervisor_link import SupervisorLink
from nodeunit.supervisor.hello import LARGEST_PART, HelloParts, parts_of
from nodeunit.supervisor.protocol import LONGEST_LINE, Hello, encode
from tests.support.supervisor_daemon import Daemon, SupervisedUnit, key

MANY = 8000
LONG = "x" * 500


def _hello(programs: int, reports: int, states: int, *, filling: str = "") -> Hello:
    meta = {"revision": 1, "claim_version": 7, "filling": filling}
    return {
        "event": "hello",
        "supervisor": "00000000-0000-4000-8000-000000000000",
        "pid": 1,
        "programs": [
            {
                "key": key(n), "pid": n, "start_time": n, "on_disconnect": "stop", "started_at": 1.5,
                "stopping": False, "meta": meta,
            }
            for n in range(programs)
        ],
        "reports": [
            {"event": "spawn_failed", "id": n, "key": key(n), "detail": "no such program", "meta": meta}
            for n in range(reports)
        ],
        "states": {key(n): {"failures": n, "filling": filling} for n in range(states)},
        "lease_expires": 12.5,
        "draining": False,
        "containment": "process_trees",
    }  # fmt: skip


@pytest.mark.parametrize(
    "hello",
    [
        _hello(0, 0, 0),
        _hello(MANY, 0, 0, filling=LONG),
        _hello(0, MANY, 0, filling=LONG),
        _hello(0, 0, MANY, filling=LONG),
        _hello(MANY, MANY, MANY, filling=LONG),
        _hello(5, 5, 5, filling="x" * 3 * LARGEST_PART),
    ],
    ids=["empty", "programs", "reports", "states", "all", "large"],
)
def test_every_part_fits_into_a_line_and_together_they_are_the_hello(hello: Hello) -> None:
    parts = HelloParts()
    lines = [encode(part) for part in parts_of(hello)]
    assert all(len(line) < LONGEST_LINE for line in lines)
    taken = [parts.take(json.loads(line)) for line in lines]
    assert taken[:-1] == [None] * (len(lines) - 1)
    assert taken[-1] == (hello if len(lines) == 1 else {**hello, "more": False})


def test_a_hello_that_fits_is_what_every_version_reads() -> None:
    hello = _hello(100, 100, 100)
    assert list(parts_of(hello)) == [hello]


def test_other_messages_pass() -> None:
    parts = HelloParts()
    for message in ({"event": "drain"}, {"event": "hello_more", "programs": [], "reports": [], "states": {}}):
        assert parts.take(message) == message


async def test_the_daemon_reads_one_hello() -> None:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=theirs)
    messages = SupervisorLink(reader, writer).messages()
    hello = _hello(MANY, 10, 10, filling=LONG)
    sent = b"".join(encode(part) for part in parts_of(hello)) + encode({"event": "drain"})
    assert len(sent) > LONGEST_LINE
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.get_running_loop().sock_sendall(ours, sent))
        assert (await anext(messages) == {**hello, "more": False}) is True  # a difference is too long to be shown
        assert await anext(messages) == {"event": "drain"}
    ours.close()
    assert [message async for message in messages] == []
    writer.close()


def test_a_supervisor_hands_over_more_than_a_line_has_room_for(unit: SupervisedUnit, daemon: Daemon) -> None:
    states = {key(n): {"failures": n, "detail": "x" * 1000} for n in range(5000)}
    for name, state in states.items():
        daemon.say("remember", key=name, state=state)
    daemon.start(["sleep", "1000"])
    daemon.leave_with(1)

    second, hello = unit.next_daemon()
    assert hello["states"] == states
    assert len(json.dumps(states)) > LONGEST_LINE
    assert [program["key"] for program in hello["programs"]] == [key()]
    second.leave_with(1)
    _, again = unit.next_daemon()
    assert again["states"] == states

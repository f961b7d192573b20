"""One object a line, whatever arrives in whatever pieces."""

import json
import signal

import pytest

from nodeunit.process.group_limits import NO_LIMITS
from nodeunit.supervisor.protocol import Decoder, encode
from nodeunit.supervisor.requests import key_of, spawn_of

SPAWN = {
    "op": "spawn",
    "key": "k-1",
    "argv": ["sleep", "1"],
    "env": {"NODE_UNIT_ADDRESS": "a", "DEPLOYMENT_ID": "k-1"},
    "on_disconnect": "keep",
    "grace_s": 1,
    "meta": {"revision": 2},
}


def _decode(*pieces: bytes, longest_line: int = 1000) -> tuple[list[object], list[str]]:
    complaints: list[str] = []
    decoder = Decoder(complaints.append, longest_line)
    return [message for piece in pieces for message in decoder.feed(piece)], complaints


def test_a_message_may_arrive_byte_by_byte() -> None:
    line = encode({"op": "ack", "id": 7}) + encode({"op": "leave"})

    assert _decode(*(line[at : at + 1] for at in range(len(line)))) == ([{"op": "ack", "id": 7}, {"op": "leave"}], [])


def test_a_line_is_ascii_and_survives_text_that_is_no_unicode() -> None:
    odd = "\udcff\n\u2028é"
    line = encode({"event": "spawn_failed", "key": "k", "detail": odd, "meta": {}})

    assert line.isascii()
    assert line.count(b"\n") == 1
    assert json.loads(line)["detail"] == odd


@pytest.mark.parametrize("garbage", [b"\xff\xfe\n", b"{\n", b"[1]\n", b"[" * 900 + b"\n", b'"text"\n'])
def test_garbage_is_reported_and_the_next_line_is_heard(garbage: bytes) -> None:
    messages, complaints = _decode(garbage + b'{"op":"ready"}\n')

    assert messages == [{"op": "ready"}]
    assert len(complaints) == 1


def test_nesting_beyond_the_interpreters_depth_is_garbage_too() -> None:
    messages, complaints = _decode(b"[" * 100_000 + b'\n{"op":"ready"}\n', longest_line=200_000)

    assert (messages, len(complaints)) == ([{"op": "ready"}], 1)


def test_an_endless_line_is_dropped_up_to_its_end() -> None:
    messages, complaints = _decode(*[b"x" * 400] * 10, b'\n{"op":"ready"}\n')

    assert messages == [{"op": "ready"}]
    assert complaints == ["a line longer than 1000 bytes"]


def test_empty_lines_are_nothing() -> None:
    assert _decode(b"\n\n \n") == ([], [])


def test_a_complete_spawn() -> None:
    request = spawn_of(SPAWN, "a")

    assert (request.key, request.argv, request.cwd, request.meta) == ("k-1", ["sleep", "1"], "/", {"revision": 2})
    assert (request.stop_signal, request.limits) == (signal.SIGTERM, NO_LIMITS)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"argv": []}, "argv"),
        ({"argv": "sleep 1"}, "argv"),
        ({"argv": ["sleep", 1]}, "argv"),
        ({"argv": ["sleep\0"]}, "NUL"),
        ({"env": {"NODE_UNIT_ADDRESS": "a", "DEPLOYMENT_ID": "k-1", "A=B": ""}}, "name"),
        ({"env": {"NODE_UNIT_ADDRESS": "other", "DEPLOYMENT_ID": "k-1"}}, "mark"),
        ({"env": {"NODE_UNIT_ADDRESS": "a"}}, "mark"),
        ({"env": {"NODE_UNIT_ADDRESS": "a", "DEPLOYMENT_ID": "k-1", "N": 1}}, "strings"),
        ({"cwd": 3}, "cwd"),
        ({"on_disconnect": "maybe"}, "on_disconnect"),
        ({"grace_s": "5"}, "grace_s"),
        ({"grace_s": float("nan")}, "grace_s"),
        ({"grace_s": True}, "grace_s"),
        ({"cwd": "here"}, "cwd"),
        ({"stop_signal": "KILL"}, "stop_signal"),
        ({"stop_signal": ["TERM"]}, "stop_signal"),
        ({"memory_limit_mb": 0}, "memory_limit_mb"),
        ({"process_limit": "many"}, "process_limit"),
        ({"cpu_weight": True}, "cpu_weight"),
    ],
)
def test_an_incomplete_spawn_says_what_is_wrong(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        spawn_of({**SPAWN, **change}, "a")


@pytest.mark.parametrize("key", ["", "../etc/passwd", ".hidden", "a/b", "x" * 101, None, 7, "a b"])
def test_a_key_is_a_plain_name(key: object) -> None:
    with pytest.raises(ValueError, match="identifier"):
        key_of({"key": key})

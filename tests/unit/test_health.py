"""Checks against real servers and files: when a program becomes ready, and what ends it."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from nodeunit.clock import boottime
from nodeunit.daemon import health_probe
from nodeunit.daemon.health import HealthChecks, HealthPlan, HealthTimes
from nodeunit.daemon.health_probe import Subject, look
from nodeunit.daemon.side_thread import SideThread
from nodeunit.domain.health_check import parse
from tests.support.looks import Looks
from tests.support.waiting import eventually, turns_of_the_loop, wait_until

TIMES = HealthTimes(startup_every_s=0.02, liveness_every_s=0.02)


@asynccontextmanager
async def serving(answer: bytes | None, host: str = "127.0.0.1") -> AsyncIterator[int]:
    """A server that answers everybody with these bytes and closes; None: it says nothing."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            if answer is not None:
                writer.write(answer)
                writer.write_eof()
            while await reader.read(65536):
                pass
        writer.transport.abort()
        ended.set()

    ended = asyncio.Event()
    async with await asyncio.start_server(serve, host, 0) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.wait_for(ended.wait(), 5)


def subject(port: int = 0) -> Subject:
    return Subject(port, SideThread())


async def test_a_port_is_ready_when_it_accepts() -> None:
    async with serving(None) as port:
        assert (await look(parse("tcp:$PORT"), subject(port))).holds
    async with serving(None) as port:
        assert (await look(parse(f"tcp:{port}"), subject())).holds
    with socket.socket() as silent:  # it has a port, and does not listen
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        refused = await look(parse(f"tcp:{port}"), subject())
    assert (refused.holds, refused.detail) == (False, f"port {port}: Connection refused")
    assert "asks for no port" in (await look(parse("tcp:$PORT"), subject())).detail


async def test_a_server_of_ipv6_alone_is_found() -> None:
    async with serving(b"HTTP/1.1 200 OK\r\n\r\n", "::1") as port:
        assert (await look(parse("http:$PORT/"), subject(port))).holds


@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.0 204\r\n", ""),
        (b"HTTP/1.1 399 \n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\n\r\n", ""),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "/x is answered with 503"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", "/x is answered with 404"),
        (b"HTTP/1.1 100 Continue\r\n", "/x is answered with 100"),
        (b"", "closed the connection"),
        (b"HTTP/1.1 2000 OK\r\n", ""),
        (b"HTTP/1.1 \xb2\xb9\xb9 OK\r\n", "does not speak HTTP"),
        (b"SSH-2.0-OpenSSH\r\n", "does not speak HTTP"),
        (b"x" * 1_000_000, "does not speak HTTP"),
        (b"\0" * 10_000 + b"\n", "does not speak HTTP"),
    ],
)
async def test_an_answer_of_200_to_399_is_ready_whatever_else_a_server_sends(answer: bytes, detail: str) -> None:
    async with serving(answer) as port:
        found = await look(parse("http:$PORT/x"), subject(port))
    assert found.holds is not bool(detail)
    assert detail in found.detail


async def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_probe, "LOOK_WITHIN_S", 0.1)
    async with serving(None) as port:
        found = await look(parse("http:$PORT/"), subject(port))
    assert found == (False, "no answer within 0.1 s", True)


async def test_a_unit_that_was_held_up_itself_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_probe, "LOOK_WITHIN_S", 0.05)
    async with serving(None) as port:
        looking = asyncio.ensure_future(look(parse("http:$PORT/"), subject(port)))
        await turns_of_the_loop()
        until = boottime() + 0.7
        wait_until(lambda: boottime() > until, what="the loop itself has stood still")
        assert not (await looking).certain


async def test_a_file_counts_if_it_is_fresh_and_of_this_run(tmp_path: Path) -> None:
    file = tmp_path / "ready"
    here, check = subject(), parse(f"file:{file}")
    assert "No such file" in (await look(check, here)).detail
    file.write_text("")
    assert (await look(check, here)).holds
    assert (await look(parse(f"file:{file}?60"), subject())).holds
    assert "older than the program" in (await look(check, here, time.time() + 10)).detail
    os.utime(file, (time.time() - 100,) * 2)
    assert "not been written for 100 s" in (await look(parse(f"file:{file}?60"), here)).detail
    file.unlink()
    file.mkdir()
    assert "not a regular file" in (await look(check, here)).detail


class Watched:
    """Keeps what the checks say."""

    def __init__(self) -> None:
        self.ready: list[tuple[str, float]] = []
        self.failed: list[tuple[str, str, str]] = []
        self.checks = HealthChecks(
            TIMES, lambda key, after_s: self.ready.append((key, after_s)),
            lambda key, reason, detail: self.failed.append((key, reason, detail)),
        )  # fmt: skip

    def watch(self, *, ready: bool = False, started_at: float | None = None, **meta: object) -> None:
        self.checks.watch("key", HealthPlan.of(meta), started_at or boottime(), ready=ready)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    return Looks(monkeypatch)


async def five_more(looks: Looks, watched: Watched) -> None:
    """Another program, which is never ready, has been looked at five times."""
    other = parse("tcp:1")
    watched.checks.watch("other", HealthPlan(other, 60.0, None, 0), boottime(), ready=False)
    await eventually(lambda: looks.at.count(other) >= 5, what="another program is looked at")
    watched.checks.forget("other")


async def test_a_program_becomes_ready_once(tmp_path: Path, looks: Looks) -> None:
    watched = Watched()
    watched.watch(startup_check=f"file:{tmp_path}/ready")
    await eventually(lambda: len(looks.at) >= 5, what="it is looked at")
    assert watched.ready == []
    (tmp_path / "ready").write_text("")
    await eventually(lambda: watched.ready, what="it is ready")
    await five_more(looks, watched)
    assert len(watched.ready) == 1
    assert watched.failed == []


async def test_a_program_that_is_not_ready_in_time_has_failed(tmp_path: Path) -> None:
    watched = Watched()
    watched.watch(
        startup_check=f"file:{tmp_path}/ready", startup_timeout_s=0.1, liveness_check=f"file:{tmp_path}/ready"
    )
    await eventually(lambda: watched.failed, what="its time is over")
    assert watched.failed == [("key", "startup_timeout", "not ready after 0.1 s: No such file or directory")]
    assert watched.ready == []


async def test_a_daemon_that_comes_late_looks_once_before_it_ends_a_program(tmp_path: Path) -> None:
    (tmp_path / "ready").write_text("")
    watched = Watched()
    watched.watch(startup_check=f"file:{tmp_path}/ready", startup_timeout_s=1, started_at=boottime() - 100)
    await eventually(lambda: watched.ready, what="it is found ready")


async def test_a_program_is_unhealthy_after_three_failed_looks_in_a_row(tmp_path: Path, looks: Looks) -> None:
    beat = tmp_path / "beat"
    fails = [True, True, False] * 5 + [True] * 3

    def before(number: int) -> None:
        if fails[number]:
            beat.unlink(missing_ok=True)
        else:
            beat.write_text("")

    looks.before_each = before
    watched = Watched()
    watched.watch(liveness_check=f"file:{beat}")
    await eventually(lambda: watched.failed, what="it is unhealthy")
    assert len(looks.at) == len(fails), "two failed looks in a row are none"
    assert watched.failed == [("key", "unhealthy", "3 checks in a row failed: No such file or directory")]


async def test_a_program_that_was_ready_is_not_asked_to_become_it_again(tmp_path: Path, looks: Looks) -> None:
    watched = Watched()
    watched.watch(ready=True, startup_check=f"file:{tmp_path}/ready", startup_timeout_s=0.01)
    await five_more(looks, watched)
    assert (watched.ready, watched.failed) == ([], [])


async def test_what_has_ended_is_not_looked_at(tmp_path: Path, looks: Looks) -> None:
    watched = Watched()
    watched.watch(startup_check=f"file:{tmp_path}/ready", startup_timeout_s=0.05)
    watched.checks.forget_all()
    await five_more(looks, watched)
    assert set(looks.at) == {parse("tcp:1")}
    assert (watched.ready, watched.failed) == ([], [])

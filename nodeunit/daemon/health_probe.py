"""Looks once whether a check holds. A program may answer anything, slowly or without an end: each look is bounded."""

import asyncio
import os
import stat
import time
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from nodeunit.daemon.side_thread import SideThread
from nodeunit.domain.health_check import HealthCheck

LOOK_WITHIN_S = 2.0
HELD_UP_BY_S = 0.5
"""If a look took so much longer than it may, the unit itself was held up, and the look says nothing."""

LONGEST_STATUS_LINE = 1024

_HOSTS = ("127.0.0.1", "::1")


class Subject(NamedTuple):
    """What is looked at, besides the check."""

    port: int
    """The port that the unit gave the program; 0 if it gave none."""
    thread: SideThread
    """Of this program alone, because the disk of its file may hang."""


class Look(NamedTuple):
    """What a look has found."""

    holds: bool
    detail: str
    """Why it does not hold, in one sentence; empty if it holds."""
    certain: bool = True
    """False if the unit was too slow itself to tell."""


async def look(check: HealthCheck, subject: Subject, not_older_than: float = 0.0) -> Look:
    """Looks at most 2 s. A file must have changed since `not_older_than` (seconds of the wall clock)."""
    began = time.monotonic()
    try:
        detail = await asyncio.wait_for(_fault(check, subject, not_older_than), LOOK_WITHIN_S)
    except TimeoutError:
        detail = f"no answer within {LOOK_WITHIN_S:g} s"
    except OSError as error:
        detail = error.strerror or str(error)
    held_up = time.monotonic() - began > LOOK_WITHIN_S + HELD_UP_BY_S
    return Look(not detail, detail, certain=not detail or not held_up)


async def _fault(check: HealthCheck, subject: Subject, not_older_than: float) -> str:
    if check.kind == "file":
        work = partial(_fault_of_file, check, not_older_than)
        return await subject.thread.run(work, LOOK_WITHIN_S)
    port = check.port or subject.port
    if not port:
        return "the row asks for no port, so there is no $PORT"
    reader, writer = await _connect(port)
    try:
        return await _fault_of_answer(reader, writer, check.target, port) if check.kind == "http" else ""
    finally:
        writer.transport.abort()


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connects on this machine by IPv4, and by IPv6 where the program listens on that alone."""
    try:
        return await asyncio.open_connection(_HOSTS[0], port, limit=LONGEST_STATUS_LINE)
    except OSError as refused:
        with suppress(OSError):
            return await asyncio.open_connection(_HOSTS[1], port, limit=LONGEST_STATUS_LINE)
        raise OSError(refused.errno, f"port {port}: {os.strerror(refused.errno or 0)}") from None


async def _fault_of_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str, port: int) -> str:
    writer.write(
        f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: nodeunit\r\n"
        f"Accept: */*\r\nConnection: close\r\n\r\n".encode("ascii")
    )
    try:
        line = await reader.readuntil(b"\n")
    except asyncio.IncompleteReadError as cut:
        line = cut.partial
    except asyncio.LimitOverrunError:
        return f"port {port} does not speak HTTP"
    version, _, rest = line.decode("ascii", "replace").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdigit() and len(status) == 3):
        return f"port {port} does not speak HTTP" if line else f"port {port} closed the connection"
    return "" if "200" <= status <= "399" else f"{target} is answered with {status}"


def _fault_of_file(check: HealthCheck, not_older_than: float) -> str:
    status = os.stat(check.path)
    if not stat.S_ISREG(status.st_mode):
        return f"{check.path} is not a regular file"
    if status.st_mtime < not_older_than:
        return f"{check.path} is older than the program"
    age_s = time.time() - status.st_mtime
    if check.fresh_s and age_s > check.fresh_s:
        return f"{check.path} has not been written for {age_s:.0f} s"
    return ""

"""Checks that the demo's programs are really up: that the reported process lives and answers over HTTP."""

import asyncio
import re
from pathlib import Path
from uuid import UUID

from nodeunit.demo.fleet import DemoFleet
from nodeunit.process.process_table import read_entry
from nodeunit.store.write.demo_rows import ProcessNow

ANSWER_WITHIN_S = 2.0

_LISTENING = re.compile(rb"^listening on http://127\.0\.0\.1:(\d+)/$", re.MULTILINE)


class LiveChildren:
    """Remembers which programs have answered, so that each is asked once."""

    def __init__(self, fleet: DemoFleet) -> None:
        self._fleet = fleet
        self._answered: dict[UUID, ProcessNow] = {}

    async def look(self, processes: list[ProcessNow]) -> int:
        """The number of processes that live and have answered."""
        waiting = [one for one in processes if self._answered.get(one.deployment_id) != one]
        answers = await asyncio.gather(*(self._answers(one) for one in waiting))
        for one, answered in zip(waiting, answers, strict=True):
            if answered:
                self._answered[one.deployment_id] = one
        return sum(1 for one in processes if self._answered.get(one.deployment_id) == one and is_alive(one))

    async def _answers(self, process: ProcessNow) -> bool:
        port = _port(self._fleet.log_of(process.address, process.deployment_id))
        if port is None or not is_alive(process):
            return False
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                body = await _get(port)
        except (OSError, TimeoutError):
            return False
        return body.decode(errors="replace").split() == [str(process.deployment_id), str(process.claim_version)]


def is_alive(process: ProcessNow) -> bool:
    """Whether the process runs: pid and start time are compared, because the kernel reuses pids."""
    entry = read_entry(process.pid)
    return entry is not None and entry.start_time == process.start_time and entry.alive


def _port(log: Path) -> int | None:
    """The port that the program reported last."""
    try:
        found = _LISTENING.findall(log.read_bytes())
    except FileNotFoundError:
        return None
    return int(found[-1]) if found else None


async def _get(port: int) -> bytes:
    """The body of the program's answer to GET /."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    return body if head.startswith((b"HTTP/1.0 200 ", b"HTTP/1.1 200 ")) else b""

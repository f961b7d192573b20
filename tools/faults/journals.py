"""What the journals say: which copies of a deployment ran when, and for how long two of them ran at once.

A process counts as running from its first beat to its last, pauses included, because a paused process may wake at any
time. So the figures are exact to one beat, 20 ms.
"""

import os
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from uuid import UUID

from nodeunit.clock import boottime

PAUSE_S = 0.1
"""A longer silence between two beats is kept as a pause."""

ALIVE_WITHIN_S = 0.4


@dataclass
class Process:
    """One journal. Times are seconds of CLOCK_BOOTTIME."""

    path: Path
    deployment: UUID
    claim_version: int
    address: str
    root: int
    """The pid of the program's first process: the same for all processes of one copy."""
    pid: int
    first: float
    last: float
    pauses: list[tuple[float, float]] = field(default_factory=list)
    read_to: int = 0
    closed: bool = False


@dataclass(frozen=True)
class Copy:
    """One start of a deployment's program, with all its processes."""

    deployment: UUID
    claim_version: int
    address: str
    root: int
    first: float
    last: float
    longest_pause_s: float

    def overlaps(self, other: "Copy", since: float) -> float:
        """Seconds after `since` in which both ran."""
        return max(0.0, min(self.last, other.last) - max(self.first, other.first, since))


class Journals:
    """A directory of journals, read on as they grow."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, Process] = {}

    def read(self) -> None:
        """Takes in what was written since the last time. A journal whose process is gone is not opened again."""
        for name in os.listdir(self.directory):
            process = self._processes.get(name)
            if process is None or not process.closed:
                self._read_on(name, process)

    def forget(self, before: float) -> None:
        """Removes journals that ended before that moment: hours of trials must not fill the disk."""
        for name, process in list(self._processes.items()):
            if process.closed and process.last < before:
                process.path.unlink(missing_ok=True)
                del self._processes[name]

    def copies(self, since: float = 0.0) -> list[Copy]:
        """All copies that ran after `since`, oldest first."""
        grouped: dict[tuple[UUID, int, str, int], list[Process]] = defaultdict(list)
        for process in self._processes.values():
            key = (process.deployment, process.claim_version, process.address, process.root)
            grouped[key].append(process)
        copies = [_copy(members, since) for members in grouped.values()]
        return sorted((copy for copy in copies if copy.last >= since), key=lambda copy: copy.first)

    def alive(self) -> list[Copy]:
        """Copies that have beaten a moment ago."""
        return self.copies(boottime() - ALIVE_WITHIN_S)

    def _read_on(self, name: str, process: Process | None) -> None:
        path = self.directory / name
        with path.open("rb") as journal:
            journal.seek(process.read_to if process else 0)
            content = journal.read()
        content = content[: content.rfind(b"\n") + 1]
        lines = content.split()
        if process is None:
            if len(lines) < 6:
                return  # made a moment ago
            deployment, version, address, root, pid, first = (line.decode() for line in lines[:6])
            at = int(first) / 1000
            process = Process(path, UUID(deployment), int(version), address, int(root), int(pid), at, at)
            self._processes[name] = process
            lines = lines[6:]
        process.read_to += len(content)
        for line in lines:
            at = int(line) / 1000
            if at - process.last > PAUSE_S:
                process.pauses.append((process.last, at))
            process.last = at
        process.closed = not lines and boottime() - process.last > 5 and not os.path.exists(f"/proc/{process.pid}")


def _copy(members: list[Process], since: float) -> Copy:
    one = members[0]
    pauses = [until - start for process in members for start, until in process.pauses if until > since]
    return Copy(
        one.deployment,
        one.claim_version,
        one.address,
        one.root,
        min(process.first for process in members),
        max(process.last for process in members),
        max(pauses, default=0.0),
    )


def overlaps(copies: Iterable[Copy], since: float) -> dict[UUID, float]:
    """Seconds after `since` with two running copies, by deployment; only those that have any."""
    by_deployment: dict[UUID, list[Copy]] = defaultdict(list)
    for copy in copies:
        by_deployment[copy.deployment].append(copy)
    found = {
        deployment: sum(one.overlaps(other, since) for one, other in combinations(copies, 2))
        for deployment, copies in by_deployment.items()
    }
    return {deployment: seconds for deployment, seconds in found.items() if seconds > 0}

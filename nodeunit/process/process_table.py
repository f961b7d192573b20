"""Reads parents, sessions and marks of processes from /proc; signals exactly one process, never a later one with its
pid.

It imports little, because the supervisor and its guard import it. A process is its pid *and* its start time (clock
ticks since boot, field 22 of `/proc/PID/stat`): the kernel reuses a pid alone.
"""

import os
import signal
from collections.abc import Iterable
from typing import NamedTuple

from nodeunit.process.environment import ADDRESS_MARK, DEPLOYMENT_MARK

# The errors of open and read if the process is gone or ending, or belongs to another user and /proc hides it.
_NOT_THERE = (FileNotFoundError, ProcessLookupError, PermissionError)


class ProcessEntry(NamedTuple):
    """One process at the time of reading. `start_time` is in clock ticks since boot."""

    pid: int
    parent: int
    group: int
    session: int
    start_time: int
    state: str
    threads: int
    cpu_ticks: int = 0
    """CPU time of the process itself, in clock ticks."""
    reaped_ticks: int = 0
    """CPU time of the children that it has reaped, and of those that they had reaped, in clock ticks."""
    resident_pages: int = 0

    @property
    def identity(self) -> tuple[int, int]:
        return self.pid, self.start_time

    @property
    def alive(self) -> bool:
        """False for a zombie, unless only its first thread has ended and others still run the program."""
        return self.state not in "ZXx" or self.threads > 1


class Mark(NamedTuple):
    """What `/proc/PID/environ` says about the unit and the deployment that a process was started for."""

    address: str
    key: str


def read_entry(pid: int) -> ProcessEntry | None:
    """The process with this pid; None if none is visible. Raises OSError if no descriptor is left."""
    stat = _read(f"/proc/{pid}/stat", whole=False)
    if not stat:
        return None
    # The name is in parentheses and may contain spaces and parentheses, so fields are counted from the last one.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return ProcessEntry(
        pid=pid,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
        state=fields[0].decode("ascii"),
        threads=int(fields[17]),
        cpu_ticks=int(fields[11]) + int(fields[12]),
        reaped_ticks=int(fields[13]) + int(fields[14]),
        resident_pages=int(fields[21]),
    )


def read_mark(pid: int) -> Mark | None:
    """The mark of a process; None if it has none, may not be read, or is gone."""
    environ = _read(f"/proc/{pid}/environ")
    values = dict(item.split(b"=", 1) for item in environ.split(b"\0") if b"=" in item)
    address, key = values.get(ADDRESS_MARK.encode()), values.get(DEPLOYMENT_MARK.encode())
    if address is None or key is None:
        return None
    return Mark(os.fsdecode(address), os.fsdecode(key))


def read_arguments(pid: int) -> list[bytes]:
    """The command line of a process; empty if it is gone or a zombie."""
    return _read(f"/proc/{pid}/cmdline").split(b"\0")


def read_name(pid: int) -> str:
    """The name of the process; empty if it is gone."""
    return _read(f"/proc/{pid}/comm").decode(errors="replace").rstrip("\n")


def is_readable_by_its_user(pid: int) -> bool:
    """Whether other processes of its user may read its memory and descriptors. Not told for root, who may read all.

    The kernel gives the files of a process that is not dumpable to root.
    """
    try:
        status = os.stat(f"/proc/{pid}/environ")
        user = next(line.split()[1] for line in _read(f"/proc/{pid}/status").splitlines() if line.startswith(b"Uid:"))
    except (OSError, StopIteration):
        return False
    return int(user) != 0 and status.st_uid == int(user)


def read_outputs(pid: int) -> list[str]:
    """What standard output and error of a process are, as `/proc/PID/fd` names them; empty if that may not be seen."""
    found = []
    for number in (1, 2):
        try:
            found.append(os.readlink(f"/proc/{pid}/fd/{number}"))
        except OSError:
            continue  # closed, or the process is gone
    return found


def signal_exactly(pid: int, start_time: int, signum: int) -> bool:
    """Signals the process that has this pid *and* this start time. False if it is gone; the pid may be another's.

    The descriptor is opened first and the identity read after it: from then on the signal can reach no other process,
    even if this one ends and its pid is reused in between.
    """
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return False
    try:
        entry = read_entry(pid)
        if entry is None or entry.start_time != start_time:
            return False
        signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        return False
    finally:
        os.close(handle)
    return True


def kill_all(entries: Iterable[ProcessEntry]) -> None:
    """Kills each process. One that may not be signalled does not keep the others alive."""
    for entry in entries:
        try:
            signal_exactly(*entry.identity, signal.SIGKILL)
        except PermissionError:
            continue


class ProcessTable:
    """All processes at one time, as parents and children."""

    def __init__(self, entries: Iterable[ProcessEntry]) -> None:
        self.entries = {entry.pid: entry for entry in entries}
        self._children: dict[int, list[ProcessEntry]] = {}
        self._sessions: dict[int, list[ProcessEntry]] = {}
        self._groups: dict[int, list[ProcessEntry]] = {}
        for entry in self.entries.values():
            self._children.setdefault(entry.parent, []).append(entry)
            self._sessions.setdefault(entry.session, []).append(entry)
            self._groups.setdefault(entry.group, []).append(entry)

    @classmethod
    def read(cls) -> "ProcessTable":
        entries = (read_entry(int(name)) for name in os.listdir("/proc") if name.isdigit())
        return cls(entry for entry in entries if entry is not None)

    def find(self, identity: tuple[int, int]) -> ProcessEntry | None:
        """The entry with this pid and start time."""
        entry = self.entries.get(identity[0])
        return entry if entry is not None and entry.start_time == identity[1] else None

    def children(self, pid: int) -> list[ProcessEntry]:
        return self._children.get(pid, [])

    def led_by(self, pid: int) -> list[ProcessEntry]:
        """The session and the group with this number, which is theirs only until their leader is reaped."""
        return self._sessions.get(pid, []) + self._groups.get(pid, [])

    def with_descendants(self, roots: Iterable[ProcessEntry]) -> dict[int, ProcessEntry]:
        """The roots and everything below them, by pid."""
        found: dict[int, ProcessEntry] = {}
        open_ends = list(roots)
        while open_ends:
            entry = open_ends.pop()
            if entry.pid not in found:
                found[entry.pid] = entry
                open_ends.extend(self.children(entry.pid))
        return found

    def ancestors(self, entry: ProcessEntry) -> Iterable[ProcessEntry]:
        """Parent, its parent and so on. Ends at the end of the table, or at a circle, which an inconsistent reading may
        show."""
        seen = {entry.pid}
        parent = self.entries.get(entry.parent)
        while parent is not None and parent.pid not in seen:
            seen.add(parent.pid)
            yield parent
            parent = self.entries.get(parent.parent)


def _read(path: str, whole: bool = True) -> bytes:
    """A small /proc file; empty if the process is gone. `whole=False`: the result of one read, enough for `stat`."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except _NOT_THERE:
        return b""
    try:
        if not whole:
            return os.read(fd, 4096)
        parts = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts)
    except _NOT_THERE:
        return b""
    finally:
        os.close(fd)

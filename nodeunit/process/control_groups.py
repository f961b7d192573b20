"""One control group (cgroup v2) per program, if permitted: processes cannot escape from it, and the kernel kills it as
a whole.

Without groups a tree is found by parents, sessions and the mark in its environment. A process that has lost all three
(`env -i setsid …` in the background) is still in its group, and one that forks faster than /proc can be read dies with
it.

    <the supervisor's own group>/nodeunit-ADDRESS-PID-START/KEY

PID and START are the supervisor's, so that the next supervisor recognises the groups of a dead one, and ends and
removes them. Under systemd this needs `Delegate=yes`; without permission, programs run without groups. Where the
controllers are permitted too, the kernel keeps the limits of each program (`group_limits`). Light on purpose, like
`process_table`.
"""

import os
import time
from typing import NamedTuple

from nodeunit.process.group_limits import (
    NO_LIMITS,
    OWN_GROUP,
    GroupLimits,
    Limit,
    enable_controllers,
    kinds_kept,
    set_limits,
    was_out_of_memory,
)
from nodeunit.process.process_table import read_arguments, read_entry

_CHECK_AGAIN_AFTER_S = 0.01


class Place(NamedTuple):
    """A group for a new process: `entrance` is a descriptor into which the process writes `0`, which moves it into the
    group; `kept` are the kinds of its limits that the kernel keeps."""

    entrance: int
    kept: list[Limit]


class ControlGroups:
    """The groups of one supervisor. A program whose group cannot be made (`enter` returns None) runs without one."""

    def __init__(self, directory: str) -> None:
        self._directory = directory

    @classmethod
    def create(cls, address: str, within_s: float) -> "ControlGroups":
        """Makes the directory for this process's groups; first ends what dead supervisors of the address left in
        theirs.

        Raises OSError without cgroup v2 with `cgroup.kill` (Linux 5.14), or without permission.
        """
        end_abandoned(address, within_s)
        entry = read_entry(os.getpid())
        name = f"{_prefix(address)}{os.getpid()}-{entry.start_time if entry else 0}"
        own = _own_directory()
        groups = cls(os.path.join(own, name))
        os.mkdir(groups._directory)
        if not os.access(os.path.join(groups._directory, "cgroup.kill"), os.W_OK):
            os.rmdir(groups._directory)
            raise OSError(0, "no cgroup.kill: the kernel is older than 5.14")
        enable_controllers(own, groups._directory)
        return groups

    def __str__(self) -> str:
        return self._directory

    def kinds_kept(self) -> list[Limit]:
        """The kinds of limits that the kernel keeps for these groups: memory, processes, cpu."""
        return kinds_kept(self._directory)

    def enter(self, key: str, limits: GroupLimits = NO_LIMITS) -> Place | None:
        """Makes the group of `key` anew, with these limits."""
        directory = os.path.join(self._directory, key)
        self.remove(key)  # it would have the limits and the counters of an earlier program
        try:
            os.makedirs(directory, exist_ok=True)
            entrance = os.open(os.path.join(directory, "cgroup.procs"), os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return None
        return Place(entrance, set_limits(directory, limits))

    def members(self, key: str) -> list[int]:
        """The pids of the processes in the group and in groups below it."""
        found = []
        for directory, _, _ in os.walk(os.path.join(self._directory, key)):
            try:
                with open(os.path.join(directory, "cgroup.procs"), encoding="ascii") as file:
                    found += [int(line) for line in file]
            except OSError:
                pass  # removed meanwhile, or a group of threads only
        return found

    def was_out_of_memory(self, key: str) -> bool:
        """Whether the kernel has killed a process of the group for lack of memory."""
        return was_out_of_memory(os.path.join(self._directory, key))

    def is_populated(self, key: str = "") -> bool:
        """Whether any process in the group, or in groups below it, is alive. Zombies are not."""
        try:
            with open(os.path.join(self._directory, key, "cgroup.events"), encoding="ascii") as events:
                return "populated 1" in events.read()
        except OSError:
            return False

    def kill(self, key: str = "") -> None:
        """Kills all processes in the group and below it, including those being forked."""
        try:
            with open(os.path.join(self._directory, key, "cgroup.kill"), "w", encoding="ascii") as file:
                file.write("1")
        except OSError:
            pass  # it was never made

    def remove(self, key: str = "") -> None:
        """Removes an empty group and the groups that its processes may have made in it."""
        for directory, _, _ in os.walk(os.path.join(self._directory, key), topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass  # not empty after all: the next supervisor removes it

    def end_all(self, within_s: float) -> None:
        """Kills all processes in the groups and removes the groups; gives up after `within_s` seconds."""
        give_up_at = time.monotonic() + within_s
        self.kill()
        while self.is_populated() and time.monotonic() < give_up_at:
            time.sleep(_CHECK_AGAIN_AFTER_S)
        self.remove()


def end_abandoned(address: str, within_s: float) -> None:
    """Ends what dead supervisors of the address left in sibling groups. Raises OSError like `create`."""
    own = _own_directory()
    for name in os.listdir(own):
        if name.startswith(_prefix(address)) and not _belongs_to_a_living_process(name):
            ControlGroups(os.path.join(own, name)).end_all(within_s)


def _prefix(address: str) -> str:
    return f"nodeunit-{address}-"


def group_of(pid: int) -> str | None:
    """The directory of the control group (v2) of a process; None if there is none, or the process is gone."""
    try:
        return _directory_of(pid)
    except OSError:
        return None


def cpu_s_of(directory: str) -> float | None:
    """CPU seconds of all processes that were ever in the group or below it; None if the group is gone."""
    try:
        with open(os.path.join(directory, "cpu.stat"), encoding="ascii") as file:
            return next((int(line.split()[1]) / 1e6 for line in file if line.startswith("usage_usec ")), None)
    except OSError:
        return None


def why_not_permitted() -> str:
    """Why a supervisor started as this process is could not make groups; empty if it could. Makes nothing."""
    try:
        own = _own_directory()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    if not os.access(own, os.W_OK | os.X_OK):
        return f"user {os.geteuid()} may not write in {own}"
    return ""


def _own_directory() -> str:
    """The group of this process, or the one above if a supervisor has moved into a group of its own."""
    own = _directory_of(os.getpid())
    return os.path.dirname(own) if os.path.basename(own) == OWN_GROUP else own


def _directory_of(pid: int) -> str:
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
        own = next((line[3:].strip() for line in file if line.startswith("0::")), None)
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            root, mount_point = left.split()[3:5]
            if own is not None and right.startswith("cgroup2 ") and os.path.join(own, "").startswith(root):
                return os.path.normpath(os.path.join(mount_point, os.path.relpath(own, root)))
    raise OSError(0, "no cgroup v2 is mounted")


def _belongs_to_a_living_process(name: str) -> bool:
    pid, start_time = name.split("-")[-2:]
    entry = read_entry(int(pid))
    # An ending process loses its command line first, then its descriptors, and becomes a zombie last.
    return entry is not None and entry.start_time == int(start_time) and any(read_arguments(int(pid)))

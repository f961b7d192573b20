"""Limits that the kernel keeps for a control group (cgroup v2), and the controllers that they need.

    memory      memory.max, without swap; at the limit the kernel ends the whole group at once
    processes   pids.max: processes and threads; at the limit a fork or a new thread fails
    cpu         cpu.weight: a share beside the other groups, 100 unless a group says otherwise

A group with controllers for its children may have no processes of its own (except the root). So the supervisor moves
into a child group, if it is alone in its group; it moves no process of others. Light on purpose, like `process_table`.
"""

import math
import os
from typing import Literal, NamedTuple

OWN_GROUP = "nodeunit-supervisor"
"""The child group into which a supervisor moves."""

Limit = Literal["memory", "processes", "cpu"]
"""The kinds of limits."""

_CONTROLLERS: dict[str, Limit] = {"memory": "memory", "pids": "processes", "cpu": "cpu"}


class GroupLimits(NamedTuple):
    """The limits of one program, for its whole tree. None: no limit."""

    memory_mb: int | None = None
    processes: int | None = None
    cpu_weight: int | None = None
    """From 1 to 10000; 100 is the share of a program that says nothing."""


NO_LIMITS = GroupLimits()


def enable_controllers(own: str, directory: str) -> None:
    """Makes the controllers available to the groups in `directory`, a child of the group `own` of this process, as far
    as that is permitted. Raises nothing: what is missing shows in `kinds_kept`."""
    available = set(_read(own, "cgroup.controllers").split()) & _CONTROLLERS.keys()
    if not available <= set(_read(own, "cgroup.subtree_control").split()):
        if not _is_root(own) and not _move_into_own_group(own):
            return
        _enable(own, available)
    _enable(directory, available)


def _is_root(group: str) -> bool:
    return not os.path.exists(os.path.join(group, "cgroup.type"))


def _move_into_own_group(own: str) -> bool:
    """Empties the group. It must be empty first: some controllers can be enabled for the children of a group with
    processes, but then these children can hold no processes."""
    if _read(own, "cgroup.procs").split() != [str(os.getpid())]:
        return False
    try:
        os.makedirs(os.path.join(own, OWN_GROUP), exist_ok=True)
    except OSError:
        return False
    return _write(os.path.join(own, OWN_GROUP), "cgroup.procs", "0")


def kinds_kept(directory: str) -> list[Limit]:
    """The kinds of limits that can be kept for the groups in `directory`: memory, processes, cpu."""
    enabled = _read(directory, "cgroup.subtree_control").split()
    return [kind for controller, kind in _CONTROLLERS.items() if controller in enabled]


def set_limits(group: str, limits: GroupLimits) -> list[Limit]:
    """Sets the limits of a group that has none; returns the kinds that the kernel keeps from now on."""
    kept: list[Limit] = []
    if limits.memory_mb is not None and _write(group, "memory.oom.group", "1"):
        _write(group, "memory.swap.max", "0")  # missing where swap is not accounted
        if _write(group, "memory.max", str(limits.memory_mb * 1024 * 1024)):
            kept.append("memory")
    if limits.processes is not None and _write(group, "pids.max", str(limits.processes)):
        kept.append("processes")
    if limits.cpu_weight is not None and _write(group, "cpu.weight", str(limits.cpu_weight)):
        kept.append("cpu")
    return kept


def nice_of(cpu_weight: int) -> int:
    """The nice value nearest to a weight, for a program without a group: one step of it is a quarter more or less."""
    return min(max(round(-math.log(cpu_weight / 100, 1.25)), -20), 19)


def was_out_of_memory(group: str) -> bool:
    """Whether the kernel has killed a process of the group, because the group or the machine had no memory left."""
    counts = dict(line.split() for line in _read(group, "memory.events").splitlines())
    return counts.get("oom_kill", "0") != "0"


def _enable(group: str, controllers: set[str]) -> None:
    """One by one, because one that is missing would keep the others off."""
    for name in sorted(controllers):
        _write(group, "cgroup.subtree_control", f"+{name}")


def _read(group: str, name: str) -> str:
    try:
        with open(os.path.join(group, name), encoding="ascii") as file:
            return file.read()
    except OSError:
        return ""


def _write(group: str, name: str, text: str) -> bool:
    try:
        fd = os.open(os.path.join(group, name), os.O_WRONLY | os.O_CLOEXEC)  # never creates a file
    except OSError:
        return False
    try:
        os.write(fd, text.encode("ascii"))
    except OSError:
        return False
    finally:
        os.close(fd)
    return True

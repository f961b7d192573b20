"""How large the process trees of programs are: memory, and processes with their threads.

For limits that the kernel does not keep, so it is read often and costs little: /proc once, and one small file for each
process of these trees.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

import psutil

from nodeunit.process.process_table import ProcessEntry, ProcessTable, read_mark

_MIB = 1024 * 1024
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class TreeSize(NamedTuple):
    """The size of one tree now."""

    pids: list[int]
    resident_mb: float
    """MiB. What several processes share counts for each of them, so it is at least what the tree uses."""
    tasks: int
    """Processes and threads."""


def read_sizes(supervisor_pid: int, programs: Mapping[str, tuple[int, int]]) -> dict[str, TreeSize]:
    """The sizes of the trees of `programs` (pid and start time of the first process, by key) that still run."""
    table = ProcessTable.read()
    orphans: dict[str, list[ProcessEntry]] = {}
    for child in table.children(supervisor_pid):
        if (mark := read_mark(child.pid)) is not None:
            orphans.setdefault(mark.key, []).append(child)
    sizes = {}
    for key, identity in programs.items():
        if (main := table.find(identity)) is not None:
            roots = [main, *table.led_by(main.pid), *orphans.get(key, [])]
            tree = [entry for entry in table.with_descendants(roots).values() if entry.alive]
            pids = [entry.pid for entry in tree]
            sizes[key] = TreeSize(pids, sum(map(_resident_mb, pids)), sum(entry.threads for entry in tree))
    return sizes


def proportional_mb(pid: int) -> float:
    """Resident MiB of a process, of which what it shares counts in proportion. Costs much more to read than all that is
    resident, which is the answer for a process that has ended or belongs to another user."""
    try:
        return psutil.Process(pid).memory_full_info().pss / _MIB
    except psutil.Error:
        return _resident_mb(pid)


def _resident_mb(pid: int) -> float:
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE_BYTES / _MIB
    except (OSError, IndexError):
        return 0.0  # it has ended

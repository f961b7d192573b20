"""The CPU time of process trees, what has ended in them included, from one reading of /proc to the next.

The kernel adds the time of a child to its parent when the parent reaps it. It does not if the parent ignores SIGCHLD,
or had ended before the child: then the time would vanish, and a tree would seem to have used less than nothing.
"""

from collections.abc import Mapping
from typing import NamedTuple

from nodeunit.process.process_table import ProcessEntry, ProcessTable, read_entry

Identity = tuple[int, int]
"""Pid and start time of a process."""


class Member(NamedTuple):
    """A process and the first process of the tree that it counts for."""

    entry: ProcessEntry
    root: Identity


class TreeTimes:
    """Remembers the last reading, to keep the time of what has ended since.

    The supervisor reaps all programs, so what it has reaped counts for no tree.
    """

    def __init__(self, supervisor_pid: int) -> None:
        self._supervisor_pid = supervisor_pid
        self._last: dict[Identity, Member] = {}
        self._ended: dict[Identity, int] = {}

    def root_of(self, process: Identity) -> Identity | None:
        """The tree that the process counted for in the last reading."""
        last = self._last.get(process)
        return None if last is None else last.root

    def read_table(self) -> ProcessTable:
        """All processes now. A parent may be read before its child ends, and the child be gone when it is its turn, so
        the parents of what has gone are read again.
        """
        entries = ProcessTable.read().entries
        for identity, last in self._last.items():
            found = entries.get(identity[0])
            parent = last.entry.parent
            if (found is None or found.identity != identity) and parent in entries:
                again = read_entry(parent)
                if again is not None:
                    entries[parent] = again
        return ProcessTable(entries.values())

    def update(self, members: Mapping[Identity, Member]) -> dict[Identity, int]:
        """The clock ticks of each tree since its first process started. `members`: each process after its parent."""
        self._keep_ended(members)
        ticks: dict[Identity, int] = {}
        for identity, (entry, root) in members.items():
            if identity not in self._last and identity[1] < root[1]:
                # It is older than the tree which it joins: what it used before is not the tree's.
                self._end(root, -self._total(entry))
            ticks[root] = ticks.get(root, 0) + self._total(entry)
        self._last = dict(members)
        self._ended = {root: self._ended.get(root, 0) for root in ticks}
        return {root: total + self._ended[root] for root, total in ticks.items()}

    def _keep_ended(self, members: Mapping[Identity, Member]) -> None:
        """What a process had used when it was last seen is kept, unless an ancestor's reaped children include it."""
        parents = {identity[0]: identity for identity in self._last}
        owed: dict[Identity, int] = {}
        for identity, (last, root) in reversed(self._last.items()):
            of_children = owed.get(identity, 0)
            now = members.get(identity)
            if now is not None:
                self._end(root, max(of_children - (now.entry.reaped_ticks - last.reaped_ticks), 0))
                if now.root != root:
                    self._end(root, self._total(last))
                    self._end(now.root, -self._total(last))
                continue
            parent = parents.get(last.parent)
            total = self._total(last) + of_children
            if parent is None or parent[0] == self._supervisor_pid or self._last[parent].root != root:
                self._end(root, total)
            else:
                owed[parent] = owed.get(parent, 0) + total

    def _total(self, entry: ProcessEntry) -> int:
        return entry.cpu_ticks + (0 if entry.pid == self._supervisor_pid else entry.reaped_ticks)

    def _end(self, root: Identity, ticks: int) -> None:
        self._ended[root] = self._ended.get(root, 0) + ticks

"""The CPU and memory that a unit and each of its programs use now, over whole process trees."""

import os
from collections.abc import Callable, Iterable, Mapping, Set
from typing import NamedTuple

import psutil

from nodeunit.clock import boottime
from nodeunit.domain.policy import NOTHING, Usage
from nodeunit.process.control_groups import cpu_s_of, group_of
from nodeunit.process.process_table import ProcessEntry, read_mark
from nodeunit.process.tree_sizes import proportional_mb
from nodeunit.process.tree_times import Identity, Member, TreeTimes

SHORTEST_WINDOW_S = 0.5
"""CPU time is counted in ticks of 10 ms: in a shorter window one tick would be several percent."""

_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_MIB = 1024 * 1024
_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / _MIB


class Sample(NamedTuple):
    """One reading. `unit` is the unit's own processes plus all programs; `programs` has only the settled ones."""

    unit: Usage
    programs: dict[str, Usage]


class _Tree:
    """The CPU time of one tree when its window began, and its share in the window before."""

    def __init__(self, since: float, cpu_s: float) -> None:
        self._since = since
        self._cpu_s = cpu_s
        self.cpu_percent: float | None = None

    def update(self, now: float, cpu_s: float, cores: int) -> None:
        elapsed = now - self._since
        if elapsed >= SHORTEST_WINDOW_S:
            self.cpu_percent = max(cpu_s - self._cpu_s, 0.0) / elapsed / cores * 100
            self._since, self._cpu_s = now, cpu_s


class Sampler:
    """Reads everything below the supervisor, in one pass over /proc per sample.

    A program is settled when it is half a second old: its first window begins with its first process, so the first
    reading of a program that runs for long is its average so far. CPU is of the whole machine (all cores busy is 100).
    It is what the kernel counts for the program's control group. Without a group it is that of the living processes and
    of those that have ended, except what ran below no ancestor of the tree for less than a window.

    Memory is resident MiB. If a program has several processes, a page that n processes share counts 1/n for each.

    The unit's own CPU share is known from the second reading on: what it takes to start is not what it uses.
    """

    def __init__(self, supervisor_pid: int, clock: Callable[[], float] = boottime) -> None:
        self._supervisor_pid = supervisor_pid
        self._clock = clock
        self._cores = psutil.cpu_count() or 1
        self._times = TreeTimes(supervisor_pid)
        self._trees: dict[tuple[Identity, str | None], _Tree] = {}
        self._groups: dict[Identity, str | None] = {}

    def sample(self, programs: Mapping[str, Identity]) -> Sample:
        """`programs`: the pid and the start time (clock ticks since boot) of each program's first process, by key.

        A program that has ended, or whose pid now belongs to another process, is not in the answer.
        """
        members = self._members(programs)
        ticks = self._times.update(members)
        now = self._clock()
        keys = {root: key for key, root in programs.items()}
        memory = _memory_mb(members.values(), keys.keys())
        self._groups = {root: self._group_of(root, key) for root, key in keys.items() if root in ticks}
        trees: dict[tuple[Identity, str | None], _Tree] = {}
        settled: dict[str | None, Usage] = {}
        for root, its_ticks in ticks.items():
            key = keys.get(root)
            group = self._groups.get(root)
            in_group = None if group is None else cpu_s_of(group)
            cpu_s = its_ticks / _TICKS_A_SECOND if in_group is None else in_group
            # The two ways to count do not continue each other.
            counted = root, None if in_group is None else group
            tree = self._trees.get(counted)
            if tree is None:
                tree = _Tree(now, cpu_s) if key is None else _Tree(root[1] / _TICKS_A_SECOND, 0.0)
            tree.update(now, cpu_s, self._cores)
            trees[counted] = tree
            if tree.cpu_percent is not None:
                settled[key] = Usage(tree.cpu_percent, memory[root])
            elif key is None:
                settled[key] = Usage(0.0, memory[root])
        self._trees = trees
        own = settled.pop(None, NOTHING)
        of_programs = {key: usage for key, usage in settled.items() if key is not None}
        return Sample(sum(of_programs.values(), NOTHING) + own, of_programs)

    def _members(self, programs: Mapping[str, Identity]) -> dict[Identity, Member]:
        """The supervisor and everything below it, each process after its parent."""
        table = self._times.read_table()
        supervisor = table.entries.get(self._supervisor_pid)
        if supervisor is None:
            return {}
        running = {key: root for key, root in programs.items() if (e := table.find(root)) is not None and e.alive}
        roots = {supervisor.identity, *running.values()}
        of_pid: dict[int, Identity] = {}
        members: dict[Identity, Member] = {}
        for entry in table.with_descendants([supervisor]).values():
            if entry.identity in roots:
                root = entry.identity
            elif entry.parent != self._supervisor_pid:
                root = of_pid[entry.parent]
            else:
                root = self._root_of_orphan(entry, running, roots) or supervisor.identity
            of_pid[entry.pid] = root
            members[entry.identity] = Member(entry, root)
        return members

    def _root_of_orphan(
        self, entry: ProcessEntry, running: Mapping[str, Identity], roots: set[Identity]
    ) -> Identity | None:
        """A child of the supervisor that is no program is the daemon, or an orphan of a program, which is known from
        before, by its mark or by its control group.
        """
        known = self._times.root_of(entry.identity)
        if known in roots:
            return known
        mark = read_mark(entry.pid)
        if mark is not None and mark.key in running:
            return running[mark.key]
        group = group_of(entry.pid)
        return None if group is None else running.get(os.path.basename(group))

    def _group_of(self, root: Identity, key: str) -> str | None:
        """The program's own control group, which has its key as name."""
        if root in self._groups:
            return self._groups[root]
        group = group_of(root[0])
        return group if group is not None and os.path.basename(group) == key else None


def _memory_mb(members: Iterable[Member], programs: Set[Identity]) -> dict[Identity, float]:
    """By tree. The unit's own processes are counted simply, because they share little and are read so often."""
    of_tree: dict[Identity, list[ProcessEntry]] = {}
    for entry, root in members:
        of_tree.setdefault(root, []).append(entry)
    return {
        root: sum(_resident_mb(entry, shared=root in programs and len(entries) > 1) for entry in entries)
        for root, entries in of_tree.items()
    }


def _resident_mb(entry: ProcessEntry, shared: bool) -> float:
    return proportional_mb(entry.pid) if shared else entry.resident_pages * _PAGE_MIB

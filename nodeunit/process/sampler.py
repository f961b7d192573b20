"""The The CPU and resident memory that a unit and each of its programs use now, over whole process trees."""

from collections.abc import Callable, Mapping, Set
from typing import NamedTuple

import psutil

from nodeunit.clock import boottime
from nodeunit.domain.policy import NOTHING, Usage
from nodeunit.process.process_table import read_entry, read_mark

SHORTEST_WINDOW_S = 0.5
"""CPU time is counted in ticks of 10 ms: in a shorter window one tick would be several percent."""

_MIB = 1024 * 1024


class Sample(NamedTuple):
    """One reading. `unit` is the unit's own processes plus all programs; `programs` has only the settled ones."""

    unit: Usage
    programs: dict[str, Usage]


class _Tree:
    """One tree: its identity, its CPU time when its window began, and its share in the window before."""

    def __init__(self, identity: tuple[int, int], now: float, cpu_s: float) -> None:
        self.identity = identity
        self._since = now
        self._cpu_s = cpu_s
        self.cpu_percent: float | None = None

    def update(self, now: float, cpu_s: float, cores: int) -> None:
        elapsed = now - self._since
        if elapsed >= SHORTEST_WINDOW_S:
            # Negative if a process was orphaned and ended: its time went to the supervisor, which reaped it.
            self.cpu_percent = max(cpu_s - self._cpu_s, 0.0) / elapsed / cores * 100
            self._since, self._cpu_s = now, cpu_s


class Sampler:
    """Reads everything below the supervisor, in one walk per sample.

    A program is settled once it has been read twice, at least half a second apart: before that its CPU share is unknown
    (psutil's own first `cpu_percent` is always 0.0), and unknown usage is not zero usage. CPU is of the whole machine
    (all cores busy is 100), memory is resident MiB.

    A program's CPU time is that of its living processes and of the children that they have reaped, so it includes what
    runs shorter than a window. The unit's own CPU time excludes reaped children, because the supervisor reaps the
    programs.
    """

    def __init__(self, supervisor_pid: int, clock: Callable[[], float] = boottime) -> None:
        self._supervisor_pid = supervisor_pid
        self._clock = clock
        self._cores = psutil.cpu_count() or 1
        self._trees: dict[str | None, _Tree] = {}
        self._adopted: dict[tuple[int, float], str | None] = {}

    def sample(self, programs: Mapping[str, tuple[int, int]]) -> Sample:
        """`programs`: the pid and the start time (clock ticks since boot) of each program's first process, by key.

        A program that has ended, or whose pid now belongs to another process, is not in the answer.
        """
        roots = {pid: key for key, (pid, start_time) in programs.items() if _is_running(pid, start_time)}
        cpu_s, memory = self._read(roots)
        now = self._clock()
        trees: dict[str | None, _Tree] = {}
        settled: dict[str | None, Usage] = {}
        for owner in cpu_s:
            identity = (self._supervisor_pid, 0) if owner is None else programs[owner]
            tree = self._trees.get(owner)
            if tree is None or tree.identity != identity:
                tree = _Tree(identity, now, cpu_s[owner])
            tree.update(now, cpu_s[owner], self._cores)
            trees[owner] = tree
            if tree.cpu_percent is not None:
                settled[owner] = Usage(tree.cpu_percent, memory[owner] / _MIB)
        self._trees = trees
        own = settled.pop(None, Usage(0.0, memory.get(None, 0) / _MIB))
        of_programs = {key: usage for key, usage in settled.items() if key is not None}
        return Sample(sum(of_programs.values(), NOTHING) + own, of_programs)

    def _read(self, roots: Mapping[int, str]) -> tuple[dict[str | None, float], dict[str | None, int]]:
        """CPU seconds and resident bytes by owner: the key of a program, or None for the unit itself."""
        cpu_s: dict[str | None, float] = {}
        memory: dict[str | None, int] = {}
        keys = set(roots.values())
        owners: dict[int, str | None] = {}
        adopted: dict[tuple[int, float], str | None] = {}
        for process in self._walk():
            try:
                with process.oneshot():
                    owner = self._owner_of(process, roots, keys, owners, adopted)
                    times, resident = process.cpu_times(), process.memory_info().rss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
            owners[process.pid] = owner
            reaped = 0.0 if owner is None else times.children_user + times.children_system
            cpu_s[owner] = cpu_s.get(owner, 0.0) + times.user + times.system + reaped
            memory[owner] = memory.get(owner, 0) + resident
        self._adopted = adopted
        return cpu_s, memory

    def _walk(self) -> list[psutil.Process]:
        """The supervisor and everything below it, each process after its parent."""
        try:
            supervisor = psutil.Process(self._supervisor_pid)
            return [supervisor, *supervisor.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def _owner_of(
        self,
        process: psutil.Process,
        roots: Mapping[int, str],
        keys: Set[str],
        owners: Mapping[int, str | None],
        adopted: dict[tuple[int, float], str | None],
    ) -> str | None:
        if process.pid in roots:
            return roots[process.pid]
        parent = process.ppid()
        if process.pid == self._supervisor_pid or parent != self._supervisor_pid:
            return owners.get(parent)
        # A child of the supervisor that is not a program is the daemon or an orphan of a program, known by its mark.
        identity = (process.pid, process.create_time())
        if identity in self._adopted:
            adopted[identity] = self._adopted[identity]
        else:
            mark = read_mark(process.pid)
            adopted[identity] = mark.key if mark is not None and mark.key in keys else None
        return adopted[identity]


def _is_running(pid: int, start_time: int) -> bool:
    entry = read_entry(pid)
    return entry is not None and entry.start_time == start_time and entry.alive

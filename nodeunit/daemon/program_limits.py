"""Keeps the limits of programs that the kernel does not keep: measures their trees, and stops what exceeds one.

A program with a control group and controllers never gets here. The others may exceed a limit until the next look.
"""

import asyncio
import time
from collections.abc import Mapping

from nodeunit.daemon.live_program import MeasuredLimits
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.process.tree_sizes import proportional_mb, read_sizes

LOOK_EVERY_S = 0.25
SHARE_OF_TIME = 0.05
"""At most this share of a core is spent on looking, so the pause grows with the number of processes."""


class ProgramLimits:
    """Runs until cancelled."""

    def __init__(self, supervisor_pid: int, reconciler: Reconciler) -> None:
        self._supervisor_pid = supervisor_pid
        self._reconciler = reconciler

    async def run(self) -> None:
        """Looks a few times a second while there is something to measure."""
        while True:
            began = time.monotonic()
            await self._look()
            took_s = time.monotonic() - began
            await asyncio.sleep(max(LOOK_EVERY_S, took_s / SHARE_OF_TIME - took_s))

    async def _look(self) -> None:
        limits = self._reconciler.measured_limits()
        if not limits:
            return
        programs = {key: one for key, one in self._reconciler.processes().items() if key in limits}
        exceeded = await asyncio.to_thread(self._exceeded, programs, limits)
        now = self._reconciler.processes()
        for key, (because, detail) in exceeded.items():
            if now.get(key) == programs[key]:
                self._reconciler.end_failing(key, because, detail, at_most_s=0.0)

    def _exceeded(
        self, programs: Mapping[str, tuple[int, int]], limits: Mapping[str, MeasuredLimits]
    ) -> dict[str, tuple[str, str]]:
        found = {}
        for key, size in read_sizes(self._supervisor_pid, programs).items():
            memory_mb, processes = limits[key]
            if processes is not None and size.tasks > processes:
                detail = f"it had {size.tasks} processes and threads, and its limit is {processes}"
                found[key] = ("too_many_processes", detail)
            elif memory_mb is not None and size.resident_mb > memory_mb:
                used_mb = sum(map(proportional_mb, size.pids))
                if used_mb > memory_mb:
                    found[key] = ("out_of_memory", f"it used {used_mb:.0f} MiB, and its limit is {memory_mb} MiB")
        return found

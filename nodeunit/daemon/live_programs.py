"""The programs that the supervisor was asked to start and has not reported as ended; their health is watched."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterable
from dataclasses import replace

from nodeunit.daemon.health import HealthChecks, HealthPlan, HealthTimes
from nodeunit.daemon.live_program import NOTHING_MEASURED, LiveProgram, MeasuredLimits
from nodeunit.daemon.process_events import ProcessEvents
from nodeunit.daemon.supervisor_link import Message, SupervisorLink
from nodeunit.supervisor.protocol import Stop

log = logging.getLogger(__name__)

SAID_TO_STOP_AFTER_S = 1.0
"""Most programs end sooner, and their end is an event of its own."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class LivePrograms(dict[str, LiveProgram]):
    """By key. `on_ready` gets the key and how long the program took until its startup check held."""

    def __init__(
        self,
        link: SupervisorLink,
        events: ProcessEvents,
        grace_s: float,
        times: HealthTimes,
        on_ready: Callable[[str, float], None],
    ) -> None:
        super().__init__()
        self._link = link
        self._events = events
        self._grace_s = grace_s
        self._health = HealthChecks(times, on_ready, self.end_failing)
        self._ended: dict[str, asyncio.Event] = {}

    def take_over(self, running: Iterable[Message], was_ready: Callable[[str, int, int], bool]) -> None:
        """Follows what the supervisor ran for the daemon before. `was_ready` gets key, pid and start time."""
        self.clear()
        for one in running:
            key = one["key"]
            program = self[key] = LiveProgram.of(one)
            if not one.get("stopping", False):
                self._watch(key, program, ready=was_ready(key, program.pid, program.start_time))

    def on_started(self, report: Message) -> None:
        """The supervisor has started one."""
        key = report["key"]
        stopping = key in self and self[key].stopping
        program = self[key] = replace(LiveProgram.of(report), stopping=stopping)
        if not stopping:
            self._watch(key, program, ready=False)

    def on_ended(self, key: str) -> LiveProgram | None:
        """One has ended, or could not be started."""
        self._health.forget(key)
        if ended := self._ended.pop(key, None):
            ended.set()
        return self.pop(key, None)

    def on_all_ended(self) -> None:
        """Nothing runs any more."""
        self._health.forget_all()
        self.clear()
        for ended in self._ended.values():
            ended.set()

    async def until_ended(self, key: str) -> None:
        """Returns when the program has ended."""
        await self._ended.setdefault(key, asyncio.Event()).wait()

    def measured_limits(self) -> dict[str, MeasuredLimits]:
        """The limits to be measured of the programs that run and were not asked to stop."""
        running = {key: one.limits for key, one in self.items() if one.pid and not one.stopping}
        return {key: limits for key, limits in running.items() if limits != NOTHING_MEASURED}

    def stop(self, key: str, at_most_s: float | None = None) -> None:
        """Asks a program to end; it has its grace period for that, but at most so many seconds."""
        program = self[key]
        if program.stopping and at_most_s is None:
            return
        program.stopping = True
        self._health.forget(key)
        grace_s = self._grace_s if program.grace_s is None else program.grace_s
        grace_s = grace_s if at_most_s is None else min(grace_s, at_most_s)
        stop: Stop = {"op": "stop", "key": key, "grace_s": grace_s}
        if program.because:
            stop["because"], stop["detail"] = program.because, program.detail
        self._link.send(stop)
        asyncio.get_running_loop().call_later(SAID_TO_STOP_AFTER_S, self._say_stopping, key, program)

    def _say_stopping(self, key: str, program: LiveProgram) -> None:
        if self.get(key) is program and not program.said_to_stop:
            program.said_to_stop = True
            self._events.log_stopping(key, program.claim, program.pid, program.because or "stopped")

    def end_failing(self, key: str, because: str, detail: str, at_most_s: float | None = None) -> None:
        """Stops a program for a failure of its own, unless it was asked to stop before."""
        program = self.get(key)
        if program is not None and not program.stopping:
            program.because, program.detail = because, detail
            self.stop(key, at_most_s)

    def _watch(self, key: str, program: LiveProgram, *, ready: bool) -> None:
        try:
            plan = HealthPlan.of(program.meta)
        except ValueError as error:
            log.warning("the checks with which %s was started cannot be read: %s", key, error)
            return
        self._health.watch(key, plan, program.start_time / _TICKS_PER_S, ready=ready)

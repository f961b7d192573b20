"""Watches the programs whose rows have checks: when each becomes ready, and whether it stays healthy.

    started ──startup check holds──▶ ready ──liveness check fails three times in a row──▶ stopped (unhealthy)
       └──not within the row's time──▶ stopped (startup_timeout)

Both stops are failures of the program, which is started again by the restart rule. A program without a startup check is
ready when it is started.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nodeunit.clock import boottime
from nodeunit.daemon.health_probe import Look, Subject, look
from nodeunit.daemon.side_thread import SideThread
from nodeunit.domain.health_check import HealthCheck, parse

log = logging.getLogger(__name__)

_FILE_TIMES_ARE_BEHIND_S = 0.1
"""The kernel stamps files by a clock that ticks, so a file may look a little older than it is."""


class HealthTimes(NamedTuple):
    """How often is looked, and how often a look may fail."""

    startup_every_s: float = 0.25
    liveness_every_s: float = 5.0
    failures: int = 3
    """The program is stopped when so many looks in a row have failed."""


class HealthPlan(NamedTuple):
    """The checks of one program."""

    startup: HealthCheck | None
    startup_timeout_s: float
    liveness: HealthCheck | None
    port: int

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> "HealthPlan":
        """The plan that the program was started with. Raises ValueError."""
        startup, liveness = meta.get("startup_check", ""), meta.get("liveness_check", "")
        return cls(
            parse(startup) if startup else None,
            meta.get("startup_timeout_s", 60.0),
            parse(liveness) if liveness else None,
            meta.get("port", 0),
        )


class HealthChecks:
    """One task per program with checks. `on_ready` gets the key and the seconds from the start until the program was
    ready; `on_failed` the key, `startup_timeout` or `unhealthy`, and what the last look found."""

    def __init__(
        self,
        times: HealthTimes,
        on_ready: Callable[[str, float], None],
        on_failed: Callable[[str, str, str], None],
    ) -> None:
        self._times = times
        self._on_ready = on_ready
        self._on_failed = on_failed
        self._watching: dict[str, asyncio.Task[None]] = {}

    def watch(self, key: str, plan: HealthPlan, started_at: float, *, ready: bool) -> None:
        """Watches a program that was started at this time of CLOCK_BOOTTIME. `ready`: it has been ready before."""
        self.forget(key)
        if plan.startup is not None or plan.liveness is not None:
            self._watching[key] = asyncio.ensure_future(self._watch(key, plan, started_at, ready))

    def forget(self, key: str) -> None:
        """The program ends or has ended."""
        if (task := self._watching.pop(key, None)) is not None:
            task.cancel()

    def forget_all(self) -> None:
        """Nothing runs any more."""
        for key in list(self._watching):
            self.forget(key)

    async def _watch(self, key: str, plan: HealthPlan, started_at: float, ready: bool) -> None:
        subject = Subject(plan.port, SideThread())
        if plan.startup is not None and not ready:
            found = await self._until_ready(plan.startup, subject, started_at, plan.startup_timeout_s)
            if not found.holds:
                self._fail(key, "startup_timeout", f"not ready after {plan.startup_timeout_s:g} s: {found.detail}")
                return
            self._on_ready(key, round(boottime() - started_at, 3))
        if plan.liveness is not None:
            detail = await self._while_healthy(plan.liveness, subject)
            self._fail(key, "unhealthy", f"{self._times.failures} checks in a row failed: {detail}")

    async def _until_ready(self, check: HealthCheck, subject: Subject, started_at: float, timeout_s: float) -> Look:
        """The last look: the first that holds, or the first after the time is over."""
        wall_clock_of_start = time.time() - (boottime() - started_at) - _FILE_TIMES_ARE_BEHIND_S
        while True:
            late = boottime() - started_at >= timeout_s
            found = await look(check, subject, not_older_than=wall_clock_of_start)
            if found.holds or (late and found.certain):
                return found
            left_s = max(started_at + timeout_s - boottime(), 0.0)
            await asyncio.sleep(min(self._times.startup_every_s, left_s))

    async def _while_healthy(self, check: HealthCheck, subject: Subject) -> str:
        """Returns, with what the last look found, when too many looks in a row have failed."""
        failed = 0
        while True:
            await asyncio.sleep(self._times.liveness_every_s)
            found = await look(check, subject)
            if found.certain:
                failed = 0 if found.holds else failed + 1
            if failed >= self._times.failures:
                return found.detail

    def _fail(self, key: str, reason: str, detail: str) -> None:
        self._watching.pop(key, None)  # this task, which ends now
        log.warning("%s is stopped (%s): %s", key, reason, detail)
        self._on_failed(key, reason, detail)

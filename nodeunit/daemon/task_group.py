"""A TaskGroup whose cancellations cannot get lost.

A task that is cancelled in the very moment in which what it waits for arrives may never hear of it: `asyncio.wait_for`
of Python 3.11 returns the result then, and psycopg and its pool wait that way. After an outage many answers arrive in
one moment, the news that the unit is fenced among them; a duty that missed its cancellation went on for ever, the group
waited for it, and the unit stayed out of the fleet until somebody restarted it. So whoever is to end is told again.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

TELL_AGAIN_AFTER_S = 0.5
"""Time to end in order, before being told once more: that interrupts what a task still does in its `finally`."""


class Duties(asyncio.TaskGroup):
    """As a TaskGroup: the first duty that fails ends all the others."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, duty: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Runs a duty in the group."""
        task = self.create_task(duty)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def end_all(self) -> None:
        """Cancels every duty, until it has ended."""
        for task in self._running:
            task.cancel()
        if self._running:
            asyncio.get_running_loop().call_later(TELL_AGAIN_AFTER_S, self.end_all)

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_later(TELL_AGAIN_AFTER_S, self.end_all)

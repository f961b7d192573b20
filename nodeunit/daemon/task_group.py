"""A TaskGroup that does not lose a cancellation.

A task that is cancelled at the moment when the result it awaits arrives may never see the cancellation:
`asyncio.wait_for` of Python 3.11 returns the result instead, and psycopg and its pool wait that way. After an outage
many answers arrive at once, one of them saying that the unit is fenced. A task that missed its cancellation ran
forever: the group waited for it, and the unit stayed out of the fleet until it was restarted. So cancellations are
repeated.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

CANCEL_AGAIN_AFTER_S = 0.5
"""The time to end before the next cancellation, which also interrupts what a task does in its `finally`."""


class RecancellingTaskGroup(asyncio.TaskGroup):
    """A TaskGroup, in which the first task that fails ends all others. It cancels each of them until it has ended."""

    def __init__(self) -> None:
        super().__init__()
        self._running: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Runs a coroutine as a task of the group."""
        task = self.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._on_done)
        return task

    def cancel_all(self) -> None:
        """Cancels every task repeatedly until it has ended."""
        for task in self._running:
            task.cancel()
        if self._running:
            asyncio.get_running_loop().call_later(CANCEL_AGAIN_AFTER_S, self.cancel_all)

    def _on_done(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            asyncio.get_running_loop().call_later(CANCEL_AGAIN_AFTER_S, self.cancel_all)

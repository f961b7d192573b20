"""Notices a supervisor that is there and does not answer: frozen, or stuck in the kernel.

While it is silent nothing is started, stopped or reported. A unit that went on renewing its lease would keep its rows
from all others, and nothing would become of them.
"""

import asyncio

SILENT_S = 10.0
"""A supervisor answers within a second. One that has been silent for so long has no lease to keep."""

LOOK_EVERY_S = 0.5


class SupervisorSilent(Exception):
    """The supervisor does not answer. The text says for how long."""


class SupervisorWatch:
    """Told of each answer to `alive`. A supervisor of 0.1.0 never gives one, and is trusted."""

    def __init__(self, silent_s: float = SILENT_S) -> None:
        self._silent_s = silent_s
        self._unanswered_s: float | None = None
        self._answered = asyncio.Event()
        self._answered.set()

    def on_answer(self) -> None:
        """The supervisor has answered, or has ended, which is known to others."""
        self._unanswered_s = 0.0
        self._answered.set()

    async def run(self) -> None:
        """Raises SupervisorSilent when the supervisor has been silent for too long."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._unanswered_s is None:
                continue
            # Counted and not taken from a clock: while this process stood still, it could not hear an answer.
            self._unanswered_s += LOOK_EVERY_S
            if self._unanswered_s > self._silent_s:
                self._answered.clear()
                raise SupervisorSilent(f"the supervisor has not answered for {self._unanswered_s:g} s")

    async def wait_until_it_answers(self) -> None:
        """Returns at once unless `run` has found it silent."""
        await self._answered.wait()

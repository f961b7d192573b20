"""Notices a living supervisor that does not answer because it is frozen or stuck in the kernel.

While it is silent nothing is started, stopped or reported. A unit that still renewed its lease would keep its rows from
all other units without running them.
"""

import asyncio

SILENT_S = 10.0
"""A supervisor normally answers within a second. After this silence the unit stops renewing its lease."""

LOOK_EVERY_S = 0.5


class SupervisorSilent(Exception):
    """The supervisor does not answer. The text says for how long."""


class SupervisorWatch:
    """Gets each answer to `alive`. A supervisor of version 0.1.0 never answers, and is trusted."""

    def __init__(self, silent_s: float = SILENT_S) -> None:
        self._silent_s = silent_s
        self._unanswered_s: float | None = None
        self._answered = asyncio.Event()
        self._answered.set()

    def on_answer(self) -> None:
        """The supervisor has answered, or has ended, which other modules handle."""
        self._unanswered_s = 0.0
        self._answered.set()

    async def run(self) -> None:
        """Raises SupervisorSilent when the supervisor has been silent for too long."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            if self._unanswered_s is None:
                continue
            # Counted instead of read from a clock, because this process could not receive an answer while it was
            # stopped.
            self._unanswered_s += LOOK_EVERY_S
            if self._unanswered_s > self._silent_s:
                self._answered.clear()
                raise SupervisorSilent(f"the supervisor has not answered for {self._unanswered_s:g} s")

    async def wait_until_it_answers(self) -> None:
        """Returns at once unless `run` has found it silent."""
        await self._answered.wait()

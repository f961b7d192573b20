"""Why a daemon must end. A stronger reason that arrives later replaces the first and cancels its work."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from enum import IntEnum

from nodeunit.daemon.task_group import CANCEL_AGAIN_AFTER_S

ORPHAN_ENDS_WITHIN_S = 20
"""A daemon without a supervisor is killed after this time, because no other process would end it."""


class EndReason(IntEnum):
    """A greater value is a stronger reason."""

    REPLACE = 1
    """Another daemon takes over; programs and rows stay."""
    DRAIN = 2
    SUPERVISOR_ENDED = 3
    """The supervisor has ended the programs and said so. The reports that a drain waits for will not come."""
    SUPERVISOR_DIED = 4
    """The supervisor died without saying so, and the programs with it."""


class EndRequest:
    """The reason that the supervisor has given, or that its death gives."""

    def __init__(self) -> None:
        self._reason: EndReason | None = None
        self._changed = asyncio.Event()

    def request(self, reason: EndReason) -> None:
        """A reason weaker than the current one is ignored."""
        if self._reason is None or reason > self._reason:
            self._reason = reason
            self._changed.set()
        if reason >= EndReason.SUPERVISOR_ENDED:
            # The kernel does this even if the event loop is stuck.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(ORPHAN_ENDS_WITHIN_S)

    async def carry_out(self, end: Callable[[EndReason], Awaitable[None]]) -> None:
        """Waits for a reason and calls `end` with it. A stronger reason that arrives later cancels that call and is
        carried out.

        What was interrupted, for example by the loss of the lease, is carried out again by the next call.
        """
        while self._reason is None:
            await self._changed.wait()
        while True:
            self._changed.clear()
            ending = asyncio.ensure_future(end(self._reason))
            stronger = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait((ending, stronger), return_when=asyncio.FIRST_COMPLETED)
                if ending.done():
                    return await ending
            finally:
                stronger.cancel()
                while not ending.done():  # psycopg may lose a cancellation, see `RecancellingTaskGroup`
                    ending.cancel()
                    await asyncio.wait((ending,), timeout=CANCEL_AGAIN_AFTER_S)

"""Why a daemon is to end. A stronger reason that follows takes the place of the first, and of what that had begun."""

import asyncio
import signal
from collections.abc import Awaitable, Callable
from enum import IntEnum

from nodeunit.daemon.task_group import CANCEL_AGAIN_AFTER_S

ORPHAN_ENDS_WITHIN_S = 20
"""A daemon without a supervisor is gone after so long, whatever it waits for: nobody would end it."""


class EndReason(IntEnum):
    """The greater one is the stronger."""

    REPLACE = 1
    """Another daemon goes on; programs and rows stay."""
    DRAIN = 2
    SUPERVISOR_ENDED = 3
    """The supervisor has ended the programs and said so: what a drain still waits for, nobody will report."""
    SUPERVISOR_DIED = 4
    """It is dead without a word, and the programs with it."""


class EndRequest:
    """What the supervisor has asked for, or what its death asks for."""

    def __init__(self) -> None:
        self._reason: EndReason | None = None
        self._changed = asyncio.Event()

    def request(self, reason: EndReason) -> None:
        """A weaker reason than one that is there changes nothing."""
        if self._reason is None or reason > self._reason:
            self._reason = reason
            self._changed.set()
        if reason >= EndReason.SUPERVISOR_ENDED:
            # The kernel keeps this, even when the event loop does not turn any more.
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(ORPHAN_ENDS_WITHIN_S)

    async def carry_out(self, end: Callable[[EndReason], Awaitable[None]]) -> None:
        """Waits for a reason and calls `end` with it. A stronger one that follows cancels that and is carried out.

        What was interrupted, as by the loss of the lease, is carried out anew by the next call.
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

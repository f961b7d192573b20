"""How often wake-ups are acted on. Anybody who may connect to the database can send as many as he likes.

A few at once are acted on at once, because a fleet that claims wakes its units in quick succession, and whoever claims
gets its turn back. After that they coalesce: one series of rounds, one look at the programs and one heartbeat for all
that came within `EVERY_S`.
"""

import asyncio
from collections.abc import Callable

from nodeunit.clock import boottime
from nodeunit.store.postgres.listener import WakeUp

EVERY_S = 0.1
"""A flood of wake-ups is acted on once in so many seconds."""

AT_ONCE = 10.0
"""So many in a row are acted on without waiting, after a second of silence."""


class WakeUpPace:
    """Passes wake-ups that concern this unit on to `act`, at once or a little later, each kind once."""

    def __init__(self, address: str, act: Callable[[WakeUp], None]) -> None:
        self._address = address
        self._act = act
        self._turns = AT_ONCE
        self._counted_at = boottime()
        self._waiting: dict[str, WakeUp] = {}
        self._later: asyncio.TimerHandle | None = None

    def hear(self, wake_up: WakeUp) -> None:
        """A notification came, or the listener has connected."""
        if not wake_up.concerns(self._address):
            return
        if self._later is None and self._take_turn():
            self._act(wake_up)
            return
        self._waiting.setdefault(wake_up.what, wake_up)
        if self._later is None:
            self._later = asyncio.get_running_loop().call_later(EVERY_S, self._act_on_all)

    def give_back(self) -> None:
        """The last one led to a claim, so it was worth its turn."""
        self._turns = min(self._turns + 1.0, AT_ONCE)

    def stop(self) -> None:
        """Nothing is passed on any more."""
        if self._later is not None:
            self._later.cancel()
        self._waiting.clear()

    def _take_turn(self) -> bool:
        now = boottime()
        self._turns = min(self._turns + (now - self._counted_at) / EVERY_S, AT_ONCE)
        self._counted_at = now
        if self._turns < 1.0:
            return False
        self._turns -= 1.0
        return True

    def _act_on_all(self) -> None:
        self._later = None
        self._counted_at = boottime()  # the time of waiting was used
        waiting, self._waiting = list(self._waiting.values()), {}
        for wake_up in waiting:
            self._act(wake_up)

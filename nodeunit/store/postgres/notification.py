"""What a notification says, and how far that is believed. Any login that may connect can send one.

A payload is `number what who,who`. It is read only in this form; everything else is a wake-up for all, which costs a
look at the state. The number is believed when a heartbeat has answered that the database counted so far.
"""

import re
from typing import NamedTuple

WAKE_UPS = frozenset({"deployment", "eligible", "unit", "logs"})
"""What the database's own notifications are about. Another word may be of a later version: a wake-up for all."""

AHEAD = 10_000
"""A number so far above the newest that the database has stated is not kept: no fleet sends so many in a heartbeat."""

_PAYLOAD = re.compile(r"([1-9][0-9]{0,17}) ([a-z_]{1,20}) (\*|[!-+\--~]{1,200}(?:,[!-+\--~]{1,200})*)", re.ASCII)


class Notification(NamedTuple):
    """`number` is None and `what` is `unknown` for a payload that is not of the form."""

    number: int | None
    what: str
    who: frozenset[str] = frozenset()
    """Addresses; empty: all units."""


def read_payload(payload: str) -> Notification:
    """Never fails, whatever the payload is."""
    found = _PAYLOAD.fullmatch(payload)
    if found is None:
        return Notification(None, "unknown")
    number, what, who = found.groups()
    if what not in WAKE_UPS:
        return Notification(int(number), "unknown")
    return Notification(int(number), what, frozenset() if who == "*" else frozenset(who.split(",")))


class HeardNumbers:
    """The numbers that a listener has received, compared with those that heartbeats answer.

    A notification comes after its number is visible to all. So a number that is above the answers of two heartbeats
    in a row after it was heard was never given by the database, and is forgotten: nobody can switch the detection of
    deafness off by sending numbers.
    """

    def __init__(self) -> None:
        self._confirmed = 0
        self._expected = 0
        self._stated = 0
        self._new: set[int] = set()
        self._old: set[int] = set()

    def start(self, newest: int) -> None:
        """The listener has just connected and read that the database's newest number is `newest`."""
        self._confirmed = self._stated = newest
        self._expected = 0
        self._new, self._old = set(), set()

    def hear(self, number: int) -> None:
        """A notification with this number came."""
        if self._confirmed < number <= max(self._confirmed, self._stated) + AHEAD:
            self._new.add(number)

    def missed(self, newest: int) -> int:
        """A heartbeat has answered `newest`. Returns how many numbers have not come since the answer before; the
        listener is deaf if that is above 0."""
        heard = self._new | self._old
        self._confirmed = max([self._confirmed, *(number for number in heard if number <= newest)])
        self._old = {number for number in self._new if number > newest}
        self._new = set()
        missed = self._expected - self._confirmed
        self._expected = self._stated = newest
        return max(missed, 0)

    def expect_nothing(self) -> None:
        """The listener connects again, and reads the newest number then."""
        self._expected = 0

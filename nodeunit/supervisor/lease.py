"""How long the unit may run programs that must stop with the lease; pure arithmetic on a given clock.

    renewed                             SIGTERM               SIGKILL       expires
    |-------- 3/4 of the time to the end --------|-- grace, cut to fit --|-- margin --|

The daemon sends the time of expiry with every confirmed heartbeat, counted from when the heartbeat was sent. Nothing
that the daemon does or fails to do can extend a lease that it did not renew.
"""

import math
from typing import NamedTuple

MARGIN_S = 0.5
"""SIGKILL is sent this long before the lease expires, because a loaded machine needs time to end a tree."""

_KEPT_FOR_RENEWAL = 0.75
"""The share of that time in which no program is asked to stop, so that several heartbeats may fail without effect."""

_LONGEST_S = 24 * 3600.0


class LeaseDeadline(NamedTuple):
    """`expires` and `renewed` are seconds of CLOCK_BOOTTIME. A lease that was never granted expired at 0."""

    expires: float = 0.0
    renewed: float = 0.0

    @classmethod
    def until(cls, expires: float, now: float) -> "LeaseDeadline":
        """A lease as the daemon reports it. Raises ValueError if it is not credible."""
        if not math.isfinite(expires) or expires > now + _LONGEST_S:
            raise ValueError(f"a lease until {expires} is not credible at {now:.3f}")
        return cls(expires, now)

    @property
    def kill_at(self) -> float:
        """When programs that must stop with the lease are killed."""
        return self.expires - MARGIN_S

    def term_at(self, grace_s: float) -> float:
        """When a program with this grace period gets SIGTERM unless the lease is renewed before."""
        earliest = self.renewed + (self.kill_at - self.renewed) * _KEPT_FOR_RENEWAL
        return min(max(self.kill_at - grace_s, earliest), self.kill_at)

    def allows(self, now: float, grace_s: float) -> bool:
        """Whether a program that must stop with the lease may be started now. One that would be asked to stop at once
        waits for the next lease, because otherwise it would be started and ended repeatedly until the lease expires."""
        return now < self.term_at(grace_s)

"""Until when the unit may run programs that must stop with the lease; pure arithmetic on a given clock.

    renewed                             SIGTERM               SIGKILL       expires
    |-------- 3/4 of the time to the end --------|-- grace, cut to fit --|-- margin --|

The daemon sends the moment of expiry with every confirmed heartbeat, counted from when the heartbeat was sent. Nothing
that the daemon does or fails to do can extend a lease that it did not renew.
"""

import math
from typing import NamedTuple

MARGIN_S = 0.5
"""SIGKILL this long before the lease expires: time for the kernel to end a tree of processes on a loaded machine."""

_KEPT_FOR_RENEWAL = 0.75
"""Share of that time in which no program is asked to stop, so that several heartbeats may fail without effect."""

_LONGEST_S = 24 * 3600.0


class LeaseDeadline(NamedTuple):
    """`expires` and `renewed` are seconds of CLOCK_BOOTTIME. A lease that was never granted expired at 0."""

    expires: float = 0.0
    renewed: float = 0.0

    @classmethod
    def until(cls, expires: float, now: float) -> "LeaseDeadline":
        """A lease as the daemon reports it. Raises ValueError for one that is not credible."""
        if not math.isfinite(expires) or expires > now + _LONGEST_S:
            raise ValueError(f"a lease until {expires} is not credible at {now:.3f}")
        return cls(expires, now)

    @property
    def kill_at(self) -> float:
        """When programs that must stop with the lease are killed."""
        return self.expires - MARGIN_S

    def term_at(self, grace_s: float) -> float:
        """When a program with this grace period gets SIGTERM, if the lease is not renewed before."""
        earliest = self.renewed + (self.kill_at - self.renewed) * _KEPT_FOR_RENEWAL
        return min(max(self.kill_at - grace_s, earliest), self.kill_at)

    def allows(self, now: float, grace_s: float) -> bool:
        """Whether a program that must stop with the lease may be started now: one that would be asked to stop at once
        waits for the next lease. Else it would be started and ended, over and over, until the lease is over."""
        return now < self.term_at(grace_s)

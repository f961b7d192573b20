"""The clock for deadlines on this machine; what machines must agree on goes by the database's clock."""

import time


def boottime() -> float:
    """Seconds since boot, the time asleep included.

    `time.monotonic` stops while a machine is suspended, and a lease does not: a deadline by that
    clock would be met too late after waking up.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME)

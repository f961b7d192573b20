"""The clock for deadlines goes forward, and counts at least what the monotonic clock counts."""

import time

from nodeunit.clock import boottime


def test_boottime_never_is_behind_the_monotonic_clock() -> None:
    monotonic = time.monotonic()
    first = boottime()
    assert monotonic <= first <= boottime()

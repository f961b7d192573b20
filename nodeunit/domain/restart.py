"""When a program that ended is started again: after growing delays that a healthy run resets, without an end.

Whether it is started again at all is the row's own choice: its restart policy, and its limit of restarts in a row.
"""

import hashlib
from typing import Literal, NamedTuple


class RestartRule(NamedTuple):
    """The numbers of the rule."""

    first_delay_s: float = 0.5
    factor: float = 2
    """Each delay is the one before times this factor."""
    max_delay_s: float = 300
    jitter: float = 0.2
    """Each delay is shortened by up to this part of itself, so that programs that failed together do not all come back
    together."""
    healthy_after_s: float = 60
    """A program that ran for this long was healthy: earlier failures are forgotten."""
    crash_loop_at: int = 5
    """The failure in a row with which a crash loop begins."""


class RestartPolicy(NamedTuple):
    """What the row says about restarts."""

    restart: str = "always"
    """`always`; `on_failure`: not after an exit with 0; `never`: not after any end of a program that was started."""
    limit: int | None = None
    """How often it is started again without a healthy run in between; then it is parked. None: without a limit."""


class RestartState(NamedTuple):
    """What is remembered of a program between its runs. A changed row or a new claim resets it."""

    failures: int = 0
    """Ends in a row without a healthy run in between."""


class Ending(NamedTuple):
    """How a run ended that nobody had asked to end."""

    ran_s: float
    """0 if it could not be started, or was not ready in time."""
    exit_code: int | None = None
    started: bool = True
    """False if it could not be started."""
    failed: bool = False
    """Whether it was ended for what is no success whatever its exit code is, such as a failed liveness check."""


class Verdict(NamedTuple):
    """What follows from an ending."""

    state: RestartState
    action: Literal["restart", "complete", "park"]
    delay_s: float = 0.0
    """Until the restart."""
    crash_loop: bool = False
    """Whether a crash loop begins with this ending. It is true once in each crash loop."""


def after_exit(rule: RestartRule, policy: RestartPolicy, state: RestartState, ending: Ending, key: str) -> Verdict:
    """What to do after an ending that was not requested.

    Under `always` an exit with 0 counts like any other, because such a deployment is meant to run forever. The jitter
    depends on the key and the number of failures only, so that each caller computes the same delay.
    """
    succeeded = ending.started and ending.exit_code == 0 and not ending.failed
    if (policy.restart == "never" and ending.started) or (policy.restart == "on_failure" and succeeded):
        return Verdict(state, "complete")
    before = 0 if ending.ran_s >= rule.healthy_after_s else state.failures
    failed = RestartState(before + 1)
    if policy.limit is not None and failed.failures > policy.limit:
        return Verdict(failed, "park")
    # The exponent is limited because the power could overflow. No delay comes near 2 ** 64.
    delay_s = min(rule.max_delay_s, rule.first_delay_s * rule.factor ** min(before, 64))
    delay_s *= 1 - rule.jitter * _fraction(key, failed.failures)
    return Verdict(failed, "restart", delay_s, crash_loop=failed.failures == rule.crash_loop_at)


def _fraction(key: str, failures: int) -> float:
    """A number from 0 to 1 that is spread evenly over keys and failures."""
    return int.from_bytes(hashlib.blake2b(f"{key} {failures}".encode(), digest_size=4).digest()) / 2**32

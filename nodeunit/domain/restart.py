"""When a program that ended is started again: after growing delays that a healthy run resets, until too many failures
park it."""

from typing import NamedTuple


class RestartRule(NamedTuple):
    """The numbers of the rule."""

    first_delay_s: float = 0.5
    factor: float = 2
    """Each delay is the one before times this factor."""
    max_delay_s: float = 30
    healthy_after_s: float = 60
    """A program that ran for this long was healthy: earlier failures are forgotten."""
    park_after: int = 10
    """This many failures in a row are a crash loop: the program is parked."""


class RestartState(NamedTuple):
    """What is remembered of a program between its runs. A changed row or a new claim resets it."""

    failures: int = 0
    """Exits in a row without a healthy run in between."""


def after_exit(rule: RestartRule, state: RestartState, ran_s: float) -> tuple[RestartState, float | None]:
    """The state after an exit that was not requested, and the delay in seconds until the next start.

    The delay is `None` when the program is to be parked. The exit code does not matter because a deployment is meant to
    run forever. A program that could not be started ran for 0 s.
    """
    before = 0 if ran_s >= rule.healthy_after_s else state.failures
    failures = RestartState(before + 1)
    if failures.failures >= rule.park_after:
        return failures, None
    # The exponent is limited because a high `park_after` could overflow the power. No delay comes near 2 ** 64.
    delay_s = rule.first_delay_s * rule.factor ** min(before, 64)
    return failures, min(rule.max_delay_s, delay_s)

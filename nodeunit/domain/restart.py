"""When an ended program is started again: with growing delays, afresh after a healthy spell, not for ever."""

from typing import NamedTuple


class RestartRule(NamedTuple):
    """The numbers of the rule."""

    first_delay_s: float = 0.5
    factor: float = 2
    """Each delay is the one before times this."""
    max_delay_s: float = 30
    healthy_after_s: float = 60
    """A program that ran for so long was healthy: what failed before is forgotten."""
    park_after: int = 10
    """So many failures in a row are a crash loop: the program is parked."""


class RestartState(NamedTuple):
    """What is remembered of a program between its runs; a changed row or an operator resets it."""

    failures: int = 0
    """Exits in a row without a healthy spell in between."""


def after_exit(rule: RestartRule, state: RestartState, ran_s: float) -> tuple[RestartState, float | None]:
    """The state after an exit that nobody asked for, and the delay in seconds until the next start.

    The delay is `None` when the program is to be parked. The exit code does not matter: a deployment is
    meant to run on. A program that could not be started at all ran for 0 s.
    """
    before = 0 if ran_s >= rule.healthy_after_s else state.failures
    failures = RestartState(before + 1)
    if failures.failures >= rule.park_after:
        return failures, None
    # The exponent has a limit so that a high `park_after` cannot overflow it; no delay comes near 2 ** 64.
    delay_s = rule.first_delay_s * rule.factor ** min(before, 64)
    return failures, min(rule.max_delay_s, delay_s)

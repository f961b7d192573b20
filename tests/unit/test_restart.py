"""The delays of the restart rule, step by step."""

from nodeunit.domain.restart import RestartRule, RestartState, after_exit

RULE = RestartRule()


def _delays(rule: RestartRule, ran_s: list[float]) -> list[float | None]:
    state = RestartState()
    delays = []
    for ran in ran_s:
        state, delay = after_exit(rule, state, ran)
        delays.append(delay)
    return delays


def test_a_crash_loop_backs_off_and_ends_parked() -> None:
    assert _delays(RULE, [0.1] * 10) == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, None]


def test_a_healthy_spell_forgets_the_failures() -> None:
    assert _delays(RULE, [1, 1, 1, 60, 1]) == [0.5, 1, 2, 0.5, 1]
    assert _delays(RULE, [59.9, 59.9]) == [0.5, 1]


def test_a_program_that_ends_now_and_then_is_never_parked() -> None:
    assert _delays(RULE, [3600.0] * 100) == [0.5] * 100


def test_one_failure_may_be_enough() -> None:
    assert _delays(RestartRule(park_after=1), [0]) == [None]


def test_no_number_of_failures_overflows() -> None:
    assert after_exit(RestartRule(park_after=10**9), RestartState(10**6), 0)[1] == RULE.max_delay_s

"""The restart rule, step by step."""

import pytest

from nodeunit.domain.restart import Ending, RestartPolicy, RestartRule, RestartState, Verdict, after_exit

RULE = RestartRule(jitter=0)
ALWAYS = RestartPolicy()
FAILED = Ending(0.1, exit_code=1)
SUCCEEDED = Ending(0.1, exit_code=0)


def verdicts(endings: list[Ending], policy: RestartPolicy = ALWAYS, rule: RestartRule = RULE) -> list[Verdict]:
    state = RestartState()
    found = []
    for ending in endings:
        found.append(after_exit(rule, policy, state, ending, "key"))
        state = found[-1].state
    return found


def delays(endings: list[Ending], rule: RestartRule = RULE) -> list[float]:
    return [verdict.delay_s for verdict in verdicts(endings, rule=rule)]


def test_a_crash_loop_backs_off_up_to_five_minutes_and_is_never_given_up() -> None:
    failing = verdicts([FAILED] * 1000)
    assert [one.delay_s for one in failing[:12]] == [0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    assert failing[-1].delay_s == 300
    assert {one.action for one in failing} == {"restart"}


def test_a_crash_loop_begins_once() -> None:
    assert [one.crash_loop for one in verdicts([FAILED] * 100)].count(True) == 1
    healthy = Ending(60, exit_code=1)
    assert [one.crash_loop for one in verdicts([FAILED] * 7 + [healthy] + [FAILED] * 7)].count(True) == 2
    assert [one.crash_loop for one in verdicts([FAILED] * 5)] == [False] * 4 + [True]


def test_a_healthy_spell_forgets_the_failures() -> None:
    runs = [Ending(ran_s, exit_code=1) for ran_s in (1, 1, 1, 60, 1)]
    assert delays(runs) == [0.5, 1, 2, 0.5, 1]
    assert delays([Ending(59.9)] * 2) == [0.5, 1]


def test_a_program_that_ends_now_and_then_is_started_again_soon() -> None:
    assert delays([Ending(3600.0)] * 100) == [0.5] * 100


def test_the_limit_of_a_row_parks_it() -> None:
    assert [one.action for one in verdicts([FAILED] * 3, RestartPolicy(limit=2))] == ["restart", "restart", "park"]
    assert [one.action for one in verdicts([FAILED], RestartPolicy(limit=0))] == ["park"]
    healthy = Ending(60, exit_code=1)
    assert {one.action for one in verdicts([FAILED, healthy] * 50, RestartPolicy(limit=2))} == {"restart"}


@pytest.mark.parametrize(
    ("restart", "ending", "action"),
    [
        ("always", SUCCEEDED, "restart"),
        ("always", FAILED, "restart"),
        ("on_failure", SUCCEEDED, "complete"),
        ("on_failure", FAILED, "restart"),
        ("on_failure", Ending(5, exit_code=None), "restart"),  # by a signal
        ("on_failure", Ending(5, exit_code=0, failed=True), "restart"),  # stopped, because it was not healthy
        ("on_failure", Ending(0, started=False), "restart"),
        ("never", SUCCEEDED, "complete"),
        ("never", FAILED, "complete"),
        ("never", Ending(5, exit_code=None, failed=True), "complete"),
        ("never", Ending(0, started=False), "restart"),  # it has not run yet
    ],
)
def test_the_policy_of_a_row_says_what_is_started_again(restart: str, ending: Ending, action: str) -> None:
    (verdict,) = verdicts([ending], RestartPolicy(restart))
    assert verdict.action == action


def test_programs_that_failed_together_do_not_come_back_together() -> None:
    rule = RestartRule()
    state = RestartState(20)
    found = {after_exit(rule, ALWAYS, state, FAILED, str(key)).delay_s for key in range(100)}
    assert len(found) == 100
    assert after_exit(rule, ALWAYS, state, FAILED, "0") == after_exit(rule, ALWAYS, state, FAILED, "0")


def test_no_number_of_failures_overflows() -> None:
    assert after_exit(RULE, ALWAYS, RestartState(10**6), FAILED, "key").delay_s == RULE.max_delay_s

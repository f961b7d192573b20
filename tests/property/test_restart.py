"""The restart rule under any numbers: delays are bounded, grow, and never end; only the row's own limit parks."""

from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.restart import Ending, RestartPolicy, RestartRule, RestartState, after_exit

rules = st.builds(
    RestartRule,
    first_delay_s=st.floats(0.01, 10),
    factor=st.floats(1, 10),
    max_delay_s=st.floats(10, 1000),
    jitter=st.floats(0, 0.5),
    healthy_after_s=st.floats(1, 1000),
    crash_loop_at=st.integers(1, 200),
)
endings = st.builds(Ending, ran_s=st.floats(0, 2000), exit_code=st.none() | st.integers(0, 255), started=st.booleans())


@given(rules, st.lists(endings, max_size=300), st.text(max_size=40))
def test_delays_stay_between_the_first_and_the_longest(rule: RestartRule, ends: list[Ending], key: str) -> None:
    state = RestartState()
    for ending in ends:
        state, action, delay_s, _ = after_exit(rule, RestartPolicy(), state, ending, key)
        assert action == "restart"
        assert rule.first_delay_s * (1 - rule.jitter) <= delay_s <= rule.max_delay_s
        if ending.ran_s >= rule.healthy_after_s:
            assert delay_s <= rule.first_delay_s


@given(rules, st.integers(1, 300))
def test_a_crash_loop_waits_longer_each_time_and_is_said_once(rule: RestartRule, ends: int) -> None:
    rule = rule._replace(jitter=0)
    state = RestartState()
    delays, said = [], 0
    for _ in range(ends):
        state, _, delay_s, begins = after_exit(rule, RestartPolicy(), state, Ending(0), "key")
        delays.append(delay_s)
        said += begins
    assert delays == sorted(delays)
    assert said == (ends >= rule.crash_loop_at)


@given(rules, st.integers(0, 50), st.lists(endings, max_size=300))
def test_only_as_many_failures_in_a_row_as_the_row_allows_park_it(
    rule: RestartRule, limit: int, ends: list[Ending]
) -> None:
    state = RestartState()
    in_a_row = 0
    for ending in ends:
        in_a_row = 1 if ending.ran_s >= rule.healthy_after_s else in_a_row + 1
        verdict = after_exit(rule, RestartPolicy(limit=limit), state, ending, "key")
        assert (verdict.action == "park") == (in_a_row > limit)
        state = verdict.state

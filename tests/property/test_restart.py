"""The restart rule under any numbers: delays are bounded, grow, and a crash loop always ends parked."""

from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.restart import RestartRule, RestartState, after_exit

rules = st.builds(
    RestartRule,
    first_delay_s=st.floats(0.01, 10),
    factor=st.floats(1, 10),
    max_delay_s=st.floats(10, 1000),
    healthy_after_s=st.floats(1, 1000),
    park_after=st.integers(2, 200),
)


@given(rules, st.lists(st.floats(0, 2000), max_size=300))
def test_delays_stay_between_the_first_and_the_longest(rule: RestartRule, runs: list[float]) -> None:
    state = RestartState()
    for ran_s in runs:
        state, delay_s = after_exit(rule, state, ran_s)
        if delay_s is None:
            assert state.failures >= rule.park_after
        else:
            assert rule.first_delay_s <= delay_s <= rule.max_delay_s
        if ran_s >= rule.healthy_after_s:
            assert delay_s == rule.first_delay_s


@given(rules)
def test_a_crash_loop_waits_longer_each_time_and_ends_parked(rule: RestartRule) -> None:
    state = RestartState()
    delays = []
    while True:
        state, delay_s = after_exit(rule, state, 0)
        if delay_s is None:
            break
        delays.append(delay_s)
    assert len(delays) == rule.park_after - 1
    assert delays == sorted(delays)

"""What a listener believes of notifications that anybody can send."""

import pytest

from nodeunit.store.postgres.notification import AHEAD, HeardNumbers, read_payload


def test_the_databases_own_payloads_are_read() -> None:
    assert read_payload("17 deployment *") == (17, "deployment", frozenset())
    assert read_payload("18 eligible a,b") == (18, "eligible", frozenset({"a", "b"}))
    assert read_payload("19 of_a_later_version a") == (19, "unknown", frozenset())


@pytest.mark.parametrize(
    "payload",
    ["", " ", "9" * 4400, "9" * 4400 + " deployment *", "9" * 30 + " deployment *", "-1 unit *", "1e9 unit *",
     "\u0663 unit *", "1 unit", "1 unit a b", "1  *", "1 UNIT *", "1 unit a\n", "1 unit \x1b[2J", "1 unit " + "a" * 201,
     "0 unit *", "1 unit a,,b", "1 unit \xfc"],
)  # fmt: skip
def test_anything_else_is_a_wake_up_without_a_number(payload: str) -> None:
    assert read_payload(payload) == (None, "unknown", frozenset())


def test_numbers_that_the_database_never_gave_do_not_hide_that_a_listener_is_deaf() -> None:
    heard = HeardNumbers()
    heard.start(10)
    for forged in (11 + AHEAD, 10**17, *range(12, 2000)):
        heard.hear(forged)
    assert [heard.missed(10), heard.missed(10)] == [0, 0]
    assert heard.missed(11) == 0, "it may be on its way"
    assert heard.missed(11) == 1
    heard.expect_nothing()
    heard.start(1500)
    assert [heard.missed(1501), heard.missed(1502)] == [0, 1]


def test_a_number_that_comes_before_the_answer_that_states_it_counts() -> None:
    heard = HeardNumbers()
    heard.start(0)
    heard.hear(1)
    assert [heard.missed(0), heard.missed(1), heard.missed(1)] == [0, 0, 0]
    heard.hear(2)
    heard.hear(3)
    assert [heard.missed(2), heard.missed(3), heard.missed(3)] == [0, 0, 0]

"""What a round records, and that it can be decided again from that."""

import math
from uuid import UUID

import msgspec

from nodeunit.domain.claim_round import RoundInputs, decide, record, recorded_inputs
from nodeunit.domain.event_json import decode, encode
from nodeunit.domain.events import DeploymentClaimRound
from nodeunit.domain.policy import Usage
from tests.support.round_inputs import A, B, C, busy, candidate, inputs, unit

REPORT = inputs([busy(A, 0.15, 140.92), busy(B, 0.16, 141.91)], candidate(1), candidate(2))


def test_the_record_of_a_round_decides_it_again_after_a_way_through_json() -> None:
    decision = decide(A, REPORT)
    event = record(A, "deployment", decision)
    assert event.outcome == "claim"
    assert event.deployment_id == UUID(int=1)
    stored = decode("DeploymentClaimRound", encode(event), 2)
    assert stored == event
    assert isinstance(stored, DeploymentClaimRound)
    assert decide(A, recorded_inputs(stored)) == decision
    assert record(B, "deployment", decide(B, REPORT)).outcome == "not_eligible"


def test_the_record_can_be_stored_whatever_was_measured() -> None:
    odd = busy(A, math.nan, 1, cpu_weight=math.inf)
    decision = decide(A, inputs([odd, busy(B, 1, math.inf, reserved=Usage(math.nan, 0))], candidate(1)))
    event = record(A, "deployment", decision)
    assert decode("DeploymentClaimRound", encode(event), 2) == event
    assert [unit.measured for unit in event.units] == [None, None]
    assert decision.reason == "not_eligible"


def test_the_record_has_as_many_like_candidates_as_could_ever_be_claimed() -> None:
    decision = decide(A, inputs([unit(A), unit(B)], *map(candidate, range(21)), candidate(99, "@yuants/other")))
    assert [row.id.int for row in decision.recorded.candidates] == [0, 1, 99]
    assert decision.recorded.candidates_left_out == 19
    assert decision.recorded.units_left_out == 0


def test_all_are_recorded_up_to_fifty_units_and_few_beyond() -> None:
    fleet = [busy(f"u{n:04}", n, 100) for n in range(1000)]
    assert len(decide("u0000", inputs(fleet[:50], candidate(1))).recorded.units) == 50
    decision = decide("u0500", inputs(fleet, candidate(1)))
    recorded = [unit.address for unit in decision.recorded.units]
    assert recorded == [*(f"u{n:04}" for n in range(10)), "u0500"]
    assert decision.recorded.units_left_out == 989
    assert decision.eligibility is not None
    assert decision.eligibility.activeNodeUnits == recorded
    attempt = decide("u0000", inputs(fleet, candidate(1))).attempt
    assert attempt is not None
    assert list(attempt.usage) == [f"u{n:04}" for n in range(10)]


def test_the_unit_to_beat_is_recorded_though_others_are_lower() -> None:
    lower = [unit(f"u{n:02}", trusted="^@other/") for n in range(60)]
    to_beat, me = unit("v", deployment_count=5), unit("w", deployment_count=9)
    takes_it = busy("a", 1, 1)
    decision = decide("w", inputs([takes_it, *lower, to_beat, me], candidate(1)))
    assert decision.reason == "not_eligible"
    assert decide("w", decision.recorded) == decision


def test_the_unit_to_beat_is_recorded_though_there_is_nothing_to_claim() -> None:
    lower = [unit(f"u{n:02}", measured=Usage(0, 0)) for n in range(60)]
    decision = decide("w", inputs([*lower, busy("v", 5, 5), busy("w", 9, 9)]))
    assert decision.reason == "not_eligible"
    assert decide("w", decision.recorded) == decision


def test_the_record_of_a_round_in_full() -> None:
    units = [busy(A, 1, 0, cpu_weight=3, memory_weight=1), busy(B, 2, 0, cpu_weight=4, memory_weight=2)]
    seen = RoundInputs(tuple(units), (candidate(1), candidate(2)), 5, 6)
    assert record(B, "heartbeat", decide(B, seen)) == DeploymentClaimRound(
        wake_up="heartbeat",
        policy="resource_usage",
        cpu_weight=4,
        memory_weight=2,
        units=units,
        candidates=[candidate(1), candidate(2)],
        units_left_out=5,
        candidates_left_out=6,
        outcome="claim",
        deployment_id=UUID(int=2),
    )
    absent = record(C, "heartbeat", decide(C, seen))
    assert (absent.policy, absent.cpu_weight, absent.memory_weight) == ("", 0.5, 0.5)
    assert (absent.outcome, absent.deployment_id) == ("not_eligible", msgspec.UNSET)


def addresses(seen: RoundInputs, me: str) -> list[str]:
    return [unit.address for unit in decide(me, seen).recorded.units]


def test_with_one_unit_more_than_fifty_few_are_recorded() -> None:
    fleet = [busy(f"u{n:02}", n, 100) for n in range(51)]
    assert addresses(inputs(fleet), "u50") == [*(f"u{n:02}" for n in range(10)), "u50"]
    assert addresses(inputs(fleet[:50]), "u49") == [f"u{n:02}" for n in range(50)]


def test_the_ten_lowest_by_each_policy_are_recorded_and_by_the_own_weights() -> None:
    """u00 to u09 have the fewest rows, u20 to u29 the lowest score, u40 to u49 the least memory."""
    fleet = [
        busy(
            f"u{n:02}",
            0 if 20 <= n < 30 else 1000,
            0 if 40 <= n < 50 else 1024 if 20 <= n < 30 else 102400,
            deployment_count=0 if n < 10 else 5,
            trusted=f"^p{n}@",
        )
        for n in range(60)
    ]
    me = busy("v", 9999, 1024 * 999, cpu_weight=0, memory_weight=1, deployment_count=9, trusted="^p@")
    others = [*(f"u{n:02}" for n in range(10)), *(f"u{n:02}" for n in range(20, 30))]
    assert addresses(inputs([*fleet, busy("w", 1e6, 1e6, deployment_count=9)]), "w") == [*others, "w"]
    assert addresses(inputs([*fleet, me]), "v") == [*others, *(f"u{n:02}" for n in range(40, 50)), "v"]


def test_of_many_that_are_tied_ten_are_recorded() -> None:
    fleet = [busy(f"u{n:02}", 1, 100) for n in range(60)]
    ten = [f"u{n:02}" for n in range(10)]
    assert addresses(inputs(fleet), "u59") == [*ten, "u59"]
    assert addresses(inputs(fleet, candidate(1)), "u59") == [*ten, "u59"]
    elsewhere = [busy(f"a{n:02}", 0, 0, trusted="^@other/") for n in range(20)]
    tied = [busy(f"u{n:02}", 1, 100, deployment_count=1) for n in range(60)]
    assert addresses(inputs([*elsewhere, *tied], candidate(1)), "u59") == [
        *(f"a{n:02}" for n in range(10)), *ten, "u59"
    ]  # fmt: skip

"""A round under any inputs: the rules, checked against a second, slow and plain way of saying them."""

import math
import random
import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.claim_round import Decision, RoundInputs, decide, record, recorded_inputs
from nodeunit.domain.event_json import decode, encode
from nodeunit.domain.events import DeploymentClaimRound
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.recorded_round import ALL_UNITS

PATTERNS = ["", "^a", "^[ab]", "c@", "(", "^nothing$"]
PACKAGES = ["a", "b", "c"]
POLICIES = ["deployment_count", "resource_usage", "none", "policy_of_tomorrow"]

numbers = st.sampled_from([0.0, 0.5, 1.0, 2.0, math.nan, math.inf]) | st.floats(0, 100, width=32)
usages = st.builds(Usage, numbers, numbers)
weights = st.sampled_from([0.0, 0.5, 1.0, math.nan])
units = st.builds(
    UnitView,
    address=st.integers(0, 99).map("u{:02}".format),
    policy=st.sampled_from(POLICIES),
    cpu_weight=weights,
    memory_weight=weights,
    trusted=st.sampled_from(PATTERNS),
    custom_command=st.booleans(),
    deployment_count=st.integers(0, 3),
    measured=st.none() | usages,
    reserved=st.just(Usage(0, 0)) | usages,
)
candidates = st.builds(
    Candidate,
    id=st.uuids(),
    version=st.integers(0, 9),
    package_name=st.sampled_from(PACKAGES),
    package_version=st.sampled_from(["1", "2"]),
    has_command=st.booleans(),
)
small_fleets = st.builds(
    RoundInputs,
    st.lists(units, min_size=1, max_size=8, unique_by=lambda unit: unit.address).map(tuple),
    st.lists(candidates, max_size=8, unique_by=lambda candidate: candidate.id).map(tuple),
)


@st.composite
def large_fleets(draw: st.DrawFn) -> RoundInputs:
    """More units than are recorded in full; from a seed, for drawing each field of each would take too long."""
    seeded = random.Random(draw(st.integers(0, 2**32)))
    kinds = draw(st.integers(1, 3))
    levels = draw(st.sampled_from([1, 3, 1000]))
    patterns = seeded.sample(PATTERNS, k=draw(st.integers(1, 3)))
    fleet = [
        UnitView(
            address=f"u{n:03}",
            policy=seeded.choice(POLICIES[:kinds]),
            cpu_weight=seeded.choice([0.5, 0.5, 1.0]),
            trusted=seeded.choice(patterns),
            custom_command=seeded.random() < 0.5,
            deployment_count=seeded.randrange(levels),
            measured=None if seeded.random() < 0.1 else Usage(float(seeded.randrange(levels)), 512.0),
        )
        for n in seeded.sample(range(1000), k=seeded.randint(ALL_UNITS + 1, 80))
    ]
    waiting = [
        Candidate(id=UUID(int=n), version=0, package_name=seeded.choice(PACKAGES), has_command=seeded.random() < 0.3)
        for n in range(draw(st.integers(0, 90)))
    ]
    return RoundInputs(tuple(fleet), tuple(waiting))


def plain_metric(unit: UnitView) -> float | None:
    if unit.policy == "deployment_count":
        return unit.deployment_count
    if unit.policy != "resource_usage" or unit.measured is None:
        return None
    cpu = unit.measured.cpu_percent + unit.reserved.cpu_percent
    memory = unit.measured.memory_mb + unit.reserved.memory_mb
    w_cpu, w_memory = plain_weights(unit)
    value = cpu * w_cpu + memory / 1024 * w_memory
    return value if math.isfinite(value) else None


def plain_weights(unit: UnitView) -> tuple[float, float]:
    total = unit.cpu_weight + unit.memory_weight
    if math.isnan(total) or total == 0:
        return 0.5, 0.5
    return unit.cpu_weight / total, unit.memory_weight / total


def plain_may_run(unit: UnitView, candidate: Candidate) -> bool:
    package = f"{candidate.package_name}@{candidate.package_version}"
    trusts = unit.trusted != "(" and re.search(unit.trusted, package) is not None
    return trusts and (unit.custom_command or not candidate.has_command)


def alike(one: UnitView, other: UnitView) -> bool:
    if one.policy != other.policy:
        return False
    return one.policy != "resource_usage" or plain_weights(one) == plain_weights(other)


def eligible_for(seen: RoundInputs, candidate: Candidate) -> list[str]:
    """Each unit on its own, against each other unit."""
    measured = {
        unit.address: (unit, value)
        for unit in seen.units
        if plain_may_run(unit, candidate) and (value := plain_metric(unit)) is not None
    }
    return sorted(
        address
        for address, (unit, value) in measured.items()
        if value == min(v for other, v in measured.values() if alike(unit, other))
    )


def plain_claims(seen: RoundInputs) -> dict[str, Candidate]:
    claims: dict[str, Candidate] = {}
    for candidate in seen.candidates:
        free = [address for address in eligible_for(seen, candidate) if address not in claims]
        if free:
            claims[free[0]] = candidate
    return claims


def decide_all(seen: RoundInputs) -> dict[str, Decision]:
    return {unit.address: decide(unit.address, seen) for unit in seen.units}


@given(small_fleets | large_fleets())
def test_units_claim_as_the_plain_rules_say(seen: RoundInputs) -> None:
    decisions = decide_all(seen)
    claims = {address: decision.candidate for address, decision in decisions.items() if decision.candidate}
    assert claims == plain_claims(seen)
    eligible = {address for candidate in seen.candidates for address in eligible_for(seen, candidate)}
    for unit in seen.units:
        decision = decisions[unit.address]
        if unit.policy == "none":
            assert (decision.reason, decision.eligibility) == ("policy_disabled", None)
        elif unit.address in claims:
            assert (decision.outcome, decision.reason) == ("claim", "")
        elif unit.address in eligible:
            assert decision.reason == "no_candidate"
        elif any(plain_may_run(unit, candidate) for candidate in seen.candidates):
            assert decision.reason == "not_eligible"
        else:
            assert decision.reason in {"not_eligible", "no_candidate"}


@given(small_fleets | large_fleets())
def test_no_candidate_is_wanted_twice_and_none_starves(seen: RoundInputs) -> None:
    wanted = [decision.candidate.id for decision in decide_all(seen).values() if decision.candidate]
    assert len(wanted) == len(set(wanted))
    for candidate in seen.candidates:
        could = [unit for unit in seen.units if plain_may_run(unit, candidate) and plain_metric(unit) is not None]
        if could:
            assert eligible_for(seen, candidate)
            assert wanted, "somebody claims something whenever anything can be claimed"


@given(small_fleets | large_fleets())
def test_the_recorded_inputs_give_the_same_decision(seen: RoundInputs) -> None:
    for address, decision in decide_all(seen).items():
        assert decide(address, decision.recorded) == decision
        event = decode("DeploymentClaimRound", encode(record(address, "test", decision)), 2)
        assert isinstance(event, DeploymentClaimRound)
        assert decide(address, recorded_inputs(event)) == decision
        assert event.units_left_out == len(seen.units) - len(event.units)
        assert event.candidates_left_out == len(seen.candidates) - len(event.candidates)


@given(small_fleets, st.sampled_from(["deployment_count", "resource_usage"]), weights, weights)
def test_up_to_fifty_units_the_record_answers_for_any_policy(
    seen: RoundInputs, policy: str, cpu_weight: float, memory_weight: float
) -> None:
    def under(inputs: RoundInputs) -> RoundInputs:
        units = tuple(
            UnitView(
                address=unit.address,
                policy=policy,
                cpu_weight=cpu_weight,
                memory_weight=memory_weight,
                trusted=unit.trusted,
                deployment_count=unit.deployment_count,
                measured=unit.measured,
                reserved=unit.reserved,
            )
            for unit in inputs.units
        )
        return RoundInputs(units, inputs.candidates)

    for address, decision in decide_all(seen).items():
        assert decide(address, under(decision.recorded)).candidate == decide(address, under(seen)).candidate


@given(large_fleets())
def test_the_record_of_a_large_fleet_stays_small(seen: RoundInputs) -> None:
    placed = len(plain_claims(seen))
    patterns = len({unit.trusted for unit in seen.units})
    for unit in seen.units[:5]:
        decision = decide(unit.address, seen)
        # Me and the placed; ten each by two policies and my own; ten for each package and policy group.
        assert len(decision.recorded.units) <= 1 + placed + 3 * 20 + 10 * len(PACKAGES) * 4 * patterns
        assert len(decision.recorded.candidates) <= len(seen.candidates)


@given(small_fleets | large_fleets(), st.randoms(use_true_random=False))
def test_the_order_in_which_units_are_given_does_not_matter(seen: RoundInputs, shuffler: random.Random) -> None:
    units = list(seen.units)
    shuffler.shuffle(units)
    shuffled = RoundInputs(tuple(units), seen.candidates)
    for unit in seen.units[:5]:
        assert decide(unit.address, shuffled) == decide(unit.address, seen)


@given(small_fleets)
def test_a_decision_says_what_it_is(seen: RoundInputs) -> None:
    for address, decision in decide_all(seen).items():
        claims = decision.outcome == "claim"
        assert claims == (decision.candidate is not None) == (decision.attempt is not None)
        assert claims == (decision.skipped is None) == (decision.reason == "")
        eligibility = decision.eligibility
        if eligibility is None:
            assert not claims
            continue
        assert eligibility.eligible == (address in eligibility.eligibleNodeUnits)
        assert eligibility.eligible == (not eligibility.notEligibleReasons)
        assert eligibility.eligible == (decision.reason != "not_eligible")
        assert set(eligibility.eligibleNodeUnits) <= set(eligibility.activeNodeUnits)
        if eligibility.eligible:
            assert eligibility.metrics == eligibility.minMetrics != {}
        elif eligibility.metrics and eligibility.minMetrics:
            ((policy, value),) = eligibility.metrics.items()
            assert value > eligibility.minMetrics[policy]

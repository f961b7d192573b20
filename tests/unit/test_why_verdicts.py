"""Verdicts follow the rules by which rounds decide, whatever the fleet."""

from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.claim_round import RoundInputs, decide
from nodeunit.domain.fleet import UnitState
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.verdict import judge

usages = st.none() | st.builds(Usage, st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from([0.0, 64.0]))
views = st.builds(
    UnitView,
    address=st.sampled_from("abcdef"),
    policy=st.sampled_from(["deployment_count", "resource_usage", "none"]),
    trusted=st.sampled_from(["^@yuants/", "^@others/", "", "("]),
    deployment_count=st.integers(0, 2),
    measured=usages,
)
candidates = st.builds(
    Candidate,
    id=st.integers(0, 5).map(lambda n: UUID(int=n)),
    version=st.just(0),
    package_name=st.sampled_from(["@yuants/app", "@others/app"]),
    package_version=st.just("1"),
)
fleets = st.lists(views, max_size=6, unique_by=lambda view: view.address)
queues = st.lists(candidates, min_size=1, max_size=6, unique_by=lambda candidate: candidate.id)


@given(fleets, queues)
def test_who_takes_it_is_who_claims_it(units: list[UnitView], queue: list[Candidate]) -> None:
    inputs = RoundInputs(tuple(units), tuple(queue))
    for candidate in queue:
        claimants = {
            unit.address
            for unit in units
            if (decision := decide(unit.address, inputs)).candidate and decision.candidate.id == candidate.id
        }
        verdicts = judge(candidate, inputs, [])
        assert {one.address for one in verdicts if one.verdict == "takes_it"} == claimants
        assert [one.address for one in verdicts] == sorted(unit.address for unit in units)
        for one in verdicts:
            decision = decide(one.address, inputs)
            if one.verdict == "takes_another":
                assert decision.outcome == "claim"
            if one.verdict in ("missing", "higher") and decision.eligibility and len(queue) == 1:
                assert not decision.eligibility.eligible
            if one.verdict == "higher":
                assert one.value is not None
                assert one.to_beat is not None
                assert one.value > one.to_beat


def test_a_unit_that_the_round_did_not_see() -> None:
    candidate = Candidate(id=UUID(int=1), version=0, package_name="@yuants/app", package_version="1")
    seen = UnitView(address="a", policy="deployment_count", trusted="")
    roster = [
        UnitState(address="a", name="first", trusted=""),
        UnitState(address="b", membership="draining", trusted=""),
        UnitState(address="c", cordoned=True, trusted=""),
        UnitState(address="d", policy="none", trusted=""),
        UnitState(address="e", trusted="^@others/"),
        UnitState(address="f", trusted=""),
        UnitState(address="g", membership="left", trusted=""),
        UnitState(address="h", membership="lost", trusted=""),
    ]

    def said(inputs: Any) -> dict[str, str]:
        return {one.address: one.verdict for one in judge(candidate, inputs, roster)}

    expected = {"b": "draining", "c": "cordoned", "d": "policy_none", "e": "untrusted"}
    assert said(RoundInputs((seen,), ())) == {"a": "takes_it", **expected, "f": "not_active"}
    assert said(RoundInputs((seen,), (), units_left_out=3)) == {"a": "takes_it", **expected, "f": "not_recorded"}
    assert said(None) == {"a": "no_round", **expected, "f": "no_round"}
    assert judge(candidate, RoundInputs((seen,), ()), roster)[0].name == "first"

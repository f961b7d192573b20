"""Verdicts follow the rules by which rounds decide, whatever the fleet."""

from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.claim_round import RoundInputs, decide
from nodeunit.domain.fleet import UnitState
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.domain.verdict import Verdict, judge

usages = st.none() | st.builds(Usage, st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from([0.0, 64.0]))
views = st.builds(
    UnitView,
    address=st.sampled_from("abcdef"),
    policy=st.sampled_from(["deployment_count", "resource_usage", "none"]),
    trusted=st.sampled_from(["^@yuants/", "^@others/", "", "("]),
    custom_command=st.booleans(),
    deployment_count=st.integers(0, 2),
    measured=usages,
)
candidates = st.builds(
    Candidate,
    id=st.integers(0, 5).map(lambda n: UUID(int=n)),
    version=st.just(0),
    package_name=st.sampled_from(["@yuants/app", "@others/app"]),
    package_version=st.just("1"),
    has_command=st.booleans(),
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


HERE = Candidate(id=UUID(int=1), version=0, package_name="@yuants/app", package_version="1")
BEFORE = Candidate(id=UUID(int=2), version=0, package_name="@yuants/app", package_version="1")


def busy(
    address: str,
    cpu: float | None,
    policy: str = "resource_usage",
    trusted: str = "",
    count: int = 0,
    custom_command: bool = False,
) -> UnitView:
    return UnitView(
        address=address,
        policy=policy,
        trusted=trusted,
        custom_command=custom_command,
        cpu_weight=1,
        memory_weight=0,
        deployment_count=count,
        measured=None if cpu is None else Usage(cpu, 0),
    )


def judged(*units: UnitView, before: tuple[Candidate, ...] = (), roster: tuple[UnitState, ...] = ()) -> list[Verdict]:
    return judge(HERE, RoundInputs(units, (*before, HERE)), roster)


def test_the_lowest_takes_it_and_the_others_are_higher() -> None:
    assert judged(busy("b", 2.25), busy("a", 1.5)) == [
        Verdict(
            address="a", name="", verdict="takes_it", policy="resource_usage", value=1.5, to_beat=1.5,
            because="lowest: resource_usage 1.5000",
        ),
        Verdict(
            address="b", name="", verdict="higher", policy="resource_usage", value=2.25, to_beat=1.5,
            because="resource_usage 2.2500 > resource_usage 1.5000",
        ),
    ]  # fmt: skip


def test_of_the_tied_one_takes_it_by_address() -> None:
    first, second = judged(busy("a", None, "deployment_count", count=2), busy("b", None, "deployment_count", count=2))
    assert (first.verdict, first.because, first.to_beat) == ("takes_it", "lowest: deployment_count 2", 2)
    assert second == Verdict(
        address="b", name="", verdict="tie", policy="deployment_count", value=2, to_beat=2,
        because="as low as any: deployment_count 2, and a comes first by address",
    )  # fmt: skip


def test_a_row_before_it_takes_the_unit() -> None:
    (taken,) = judged(busy("a", 1.0), before=(BEFORE,))
    assert taken == Verdict(
        address="a", name="", verdict="takes_another", policy="resource_usage", value=1.0, to_beat=1.0,
        because=f"as low as any, and takes {BEFORE.id}, which comes first",
    )  # fmt: skip


def test_a_row_that_the_round_did_not_have_comes_after_those_that_it_had() -> None:
    (one,) = judge(HERE, RoundInputs((busy("a", 1.0),), (BEFORE,)), [])
    assert one.verdict == "takes_another"
    first, second = judge(HERE, RoundInputs((busy("a", 1.0), busy("b", 1.0)), (BEFORE,)), [])
    assert (first.verdict, second.verdict) == ("takes_another", "takes_it")


def test_each_policy_is_compared_with_itself() -> None:
    by_count, by_usage = judged(busy("a", None, "deployment_count", count=7), busy("b", 1.0))
    assert (by_count.verdict, by_count.to_beat) == ("takes_it", 7)
    assert by_usage == Verdict(
        address="b", name="", verdict="tie", policy="resource_usage", value=1.0, to_beat=1.0,
        because="as low as any: resource_usage 1.0000, and a comes first by address",
    )  # fmt: skip


def test_units_that_cannot_claim_it() -> None:
    none, missing, untrusted = judged(
        busy("a", 1.0, policy="none"), busy("b", None), busy("c", 1.0, trusted="^@others/")
    )
    assert none == Verdict(
        address="a", name="", verdict="policy_none", policy="none", because="its policy is none: it claims nothing"
    )
    assert missing == Verdict(
        address="b", name="", verdict="missing", policy="resource_usage",
        because="resource_usage is missing: no fresh sample",
    )  # fmt: skip
    assert untrusted == Verdict(
        address="c", name="", verdict="untrusted", policy="resource_usage", value=1.0,
        because="@yuants/app@1 does not match what it trusts: ^@others/",
    )  # fmt: skip


def test_a_unit_that_runs_no_commands() -> None:
    row = msgspec.structs.replace(HERE, has_command=True)
    units = (busy("a", 0.5), busy("b", 1.0, custom_command=True))
    off, on = judge(row, RoundInputs(units, ()), [])
    assert off == Verdict(
        address="a", name="", verdict="commands_off", policy="resource_usage", value=0.5,
        because="the row has a command, and it runs none (ENABLE_CUSTOM_COMMAND)",
    )  # fmt: skip
    assert (on.verdict, on.to_beat) == ("takes_it", 1.0)
    roster = [UnitState(address="c", trusted=""), UnitState(address="d", trusted="", custom_command=True)]
    absent = judge(row, RoundInputs((), ()), roster)
    assert [one.verdict for one in absent] == ["commands_off", "not_active"]


def test_who_cannot_claim_beats_nobody_and_has_nobody_to_beat() -> None:
    none, untrusted, lowest = judged(busy("a", 0.5, policy="none"), busy("b", 0.5, trusted="^@others/"), busy("c", 1.0))
    assert (none.to_beat, untrusted.to_beat, lowest.verdict) == (None, None, "takes_it")


def test_a_unit_that_the_round_did_not_see_in_words() -> None:
    roster = [
        UnitState(address="b", name="second", membership="draining", cordoned=True),
        UnitState(address="c", cordoned=True, policy="none"),
        UnitState(address="d", policy="none", trusted="^@others/"),
        UnitState(address="e", trusted="^@others/"),
        UnitState(address="f"),
    ]
    seen = judge(HERE, RoundInputs((), ()), roster)
    assert [(one.address, one.name, one.policy, one.because) for one in seen] == [
        ("b", "second", "deployment_count", "it is leaving the fleet"),
        ("c", "", "none", "an operator has cordoned it"),
        ("d", "", "none", "its policy is none: it claims nothing"),
        ("e", "", "deployment_count", "@yuants/app@1 does not match what it trusts: ^@others/"),
        ("f", "", "deployment_count", "no recent heartbeat: it took no part in the round"),
    ]
    assert judge(HERE, RoundInputs((), (), 1), roster)[-1].because == (
        "the round recorded only the units that mattered, and this one did not"
    )
    assert judge(HERE, None, roster)[-1].because == "it has run no round since the row became free"
    assert all(one.value is None and one.to_beat is None for one in seen)


def test_a_unit_that_left_is_judged_only_if_the_round_saw_it() -> None:
    gone = UnitState(address="a", name="first", membership="lost")
    assert judge(HERE, None, [gone]) == []
    (seen,) = judged(busy("a", 1.0), roster=(gone,))
    assert (seen.verdict, seen.name) == ("takes_it", "")
    (named,) = judged(busy("a", 1.0), roster=(UnitState(address="a", name="first"),))
    assert named.name == "first"

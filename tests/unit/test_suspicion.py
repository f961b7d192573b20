"""Which units a unit waits for, which it probes, and when it leaves them out."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest

from nodeunit.daemon import suspicion as module
from nodeunit.daemon.suspicion import Suspicion
from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.policy import NOTHING, Candidate, UnitView
from tests.support.waiting import eventually


def a_unit(address: str, count: int = 0) -> UnitView:
    return UnitView(
        address=address, policy="deployment_count", cpu_weight=0.5, memory_weight=0.5, trusted=".*",
        custom_command=True, deployment_count=count, measured=None, reserved=NOTHING,
    )  # fmt: skip


def a_row(number: int, version: int = 0) -> Candidate:
    return Candidate(id=UUID(int=number), version=version, holder="", package_name="app", package_version="1")


class Fleet:
    """What unit b sees, and which units it probes and suspects; a unit that answers is never suspected."""

    address = "b"

    def __init__(self) -> None:
        self.inputs = RoundInputs((a_unit("a"), a_unit("b"), a_unit("c")), (a_row(1),))
        self.probed: list[list[str]] = []
        self.suspected: list[list[str]] = []
        self.answers = False
        self.went_on = 0
        self.reads = 0
        self.suspicion = Suspicion(self, self.read_inputs, self.on_suspected)

    async def read_inputs(self) -> RoundInputs:
        self.reads += 1
        return self.inputs

    def on_suspected(self) -> None:
        self.went_on += 1

    async def probe(self, addresses: list[str]) -> datetime:
        self.probed.append(addresses)
        return datetime.now(UTC)

    async def suspect(self, addresses: list[str], probed_at: datetime) -> bool:
        if not self.answers:
            self.suspected.append(addresses)
        return not self.answers


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    fleet = Fleet()
    monkeypatch.setattr(module, "PROBE_AFTER_S", 0.01)
    monkeypatch.setattr(module, "ANSWER_WITHIN_S", 0.01)
    yield fleet
    fleet.suspicion.stop()


def claimed(fleet: Fleet) -> RoundInputs:
    """Unit a has claimed the row."""
    return RoundInputs((a_unit("a", 1), *fleet.inputs.units[1:]), ())


async def test_a_unit_that_should_claim_and_does_not_answer_is_suspected(fleet: Fleet) -> None:
    fleet.suspicion.watch(fleet.inputs)
    await eventually(lambda: fleet.went_on == 1, what="the unit goes on")
    assert (fleet.probed, fleet.suspected) == ([["a"]], [["a"]])
    assert not fleet.suspicion.watching


async def test_a_unit_that_answers_is_waited_for(fleet: Fleet) -> None:
    fleet.answers = True
    fleet.suspicion.watch(fleet.inputs)
    await eventually(lambda: len(fleet.probed) > 2, what="it is probed again and again")
    assert fleet.suspicion.watching
    fleet.inputs = claimed(fleet)
    await eventually(lambda: not fleet.suspicion.watching, what="nothing is left to watch")
    assert fleet.went_on == 0


async def test_a_claim_that_comes_in_time_is_not_probed(fleet: Fleet) -> None:
    fleet.suspicion.watch(fleet.inputs)
    assert fleet.suspicion.watching
    fleet.inputs = claimed(fleet)
    await eventually(lambda: not fleet.suspicion.watching, what="nothing is left to watch")
    assert (fleet.reads, fleet.probed, fleet.went_on) == (1, [], 0)


async def test_a_claim_of_another_version_is_given_its_own_time(fleet: Fleet) -> None:
    fleet.suspicion.watch(fleet.inputs)
    fleet.inputs = RoundInputs(fleet.inputs.units, (a_row(1, version=2),))
    await eventually(lambda: fleet.went_on == 1, what="the unit goes on")
    assert fleet.reads == 3, "once more than for a claim that was due from the beginning"


async def test_only_the_unit_that_would_be_next_watches(fleet: Fleet) -> None:
    fleet.suspicion.watch(RoundInputs((a_unit("a"), a_unit("b", 2), a_unit("c", 1)), (a_row(1),)))
    assert not fleet.suspicion.watching
    fleet.suspicion.watch(RoundInputs((a_unit("a"), a_unit("b", 1), a_unit("c", 2)), (a_row(1),)))
    assert fleet.suspicion.watching


async def test_without_a_due_claim_nothing_is_watched(fleet: Fleet) -> None:
    fleet.suspicion.watch(RoundInputs(fleet.inputs.units, ()))
    assert not fleet.suspicion.watching


async def test_one_claim_is_watched_at_a_time(fleet: Fleet) -> None:
    for _ in range(3):
        fleet.suspicion.watch(fleet.inputs)
    await eventually(lambda: fleet.went_on == 1, what="the unit goes on")
    assert fleet.reads == 2


async def test_nothing_is_watched_after_the_end(fleet: Fleet) -> None:
    fleet.suspicion.watch(fleet.inputs)
    assert fleet.suspicion.watching
    fleet.suspicion.stop()
    await eventually(lambda: not fleet.suspicion.watching, what="the watching ends")
    assert fleet.reads == 0

"""Whom a unit waits for, whom it asks, and when it goes on without them."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import msgspec
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
    """What unit b sees, whom it probes, whom it leaves out; a unit that answers is never left out."""

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


async def test_who_should_claim_and_does_not_answer_is_left_out(fleet: Fleet) -> None:
    fleet.suspicion.watch(fleet.inputs)
    await eventually(lambda: fleet.went_on == 1, what="the unit goes on")
    assert (fleet.probed, fleet.suspected) == ([["a"]], [["a"]])


async def test_who_answers_is_waited_for(fleet: Fleet) -> None:
    fleet.answers = True
    fleet.suspicion.watch(fleet.inputs)
    await eventually(lambda: len(fleet.probed) > 2, what="it is probed again and again")
    assert fleet.went_on == 0
    fleet.inputs = msgspec.structs.replace(fleet.inputs, candidates=())
    reads = fleet.reads
    await eventually(lambda: fleet.reads > reads, what="the row is gone")
    await asyncio.sleep(0.05)
    assert fleet.reads <= reads + 2, "nothing is left to watch"


async def test_what_changes_in_time_is_nobodys_fault(fleet: Fleet) -> None:
    fleet.suspicion.watch(fleet.inputs)
    fleet.inputs = RoundInputs((a_unit("a", 1), a_unit("b"), a_unit("c")), ())
    await eventually(lambda: fleet.reads == 1, what="it has looked")
    await asyncio.sleep(0.05)
    assert (fleet.probed, fleet.went_on) == ([], 0)


async def test_only_who_would_be_next_watches(fleet: Fleet) -> None:
    fleet.inputs = RoundInputs((a_unit("a"), a_unit("b", 2), a_unit("c", 1)), (a_row(1),))
    fleet.suspicion.watch(fleet.inputs)
    await asyncio.sleep(0.05)
    assert fleet.reads == 0


async def test_with_nobody_to_wait_for_nothing_is_asked(fleet: Fleet) -> None:
    fleet.suspicion.watch(RoundInputs(fleet.inputs.units, ()))
    await asyncio.sleep(0.05)
    assert fleet.reads == 0

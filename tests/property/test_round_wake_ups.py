"""No wake-up is lost: units that wake each other only by `wake_ups` claim everything, in any interleaving.

The model has the steps of a unit apart: it looks and plays the next rounds forward, commits its claims together, looks
again. A heartbeat brings a sample and after the first insert.
"""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from nodeunit.domain.claim_round import Decision, RoundInputs, decide, wake_ups
from nodeunit.domain.forward_play import Forecast, play
from nodeunit.domain.policy import Candidate, UnitView, Usage

COST = Usage(1.0, 64.0)


class Fleet:
    """The database and the units, each as far as it has come in its round."""

    def __init__(self, units: list[UnitView], packages: list[str], most: int) -> None:
        self.most = most
        """How many claims a unit commits together."""
        self.units = {unit.address: unit for unit in units}
        self.waiting = {
            UUID(int=n): Candidate(id=UUID(int=n), version=0, package_name=p) for n, p in enumerate(packages)
        }
        self.named: set[str] = set()
        """Whom the insert has woken, by what it knew of the loads; empty: everybody."""
        self.awake = set(self.units)
        self.decided: dict[str, list[Decision]] = {}
        self.conflicts = 0
        self.committed: set[str] = set()
        self.last_seen: dict[str, RoundInputs] = {}

    def look(self) -> RoundInputs:
        return RoundInputs(tuple(self.units.values()), tuple(self.waiting.values()))

    def steps(self) -> list[Callable[[], None]]:
        """What can happen next, in a fixed order."""
        steps: list[Callable[[], None]] = []
        for address in sorted(self.units):
            if address in self.committed:
                steps.append(partial(self.look_again, address))
            elif address in self.decided:
                steps.append(partial(self.commit, address))
            elif address in self.awake:
                steps.append(partial(self.begin, address))
        return steps

    def begin(self, address: str) -> None:
        self.awake.remove(address)
        seen = self.look()
        if address in self.named:
            self.awake.update(set(wake_ups(address, self.last_seen.get(address), seen)) - self.named)
        forecast = Forecast(default=dict.fromkeys(self.units, COST))
        if decisions := play(address, seen, forecast, self.most):
            self.decided[address] = decisions
            self.last_seen[address] = seen
        else:
            self.wake(address, seen)

    def commit(self, address: str) -> None:
        for decision in self.decided.pop(address):
            assert decision.candidate is not None
            if self.waiting.pop(decision.candidate.id, None):
                unit = self.units[address]
                self.units[address] = msgspec.structs.replace(
                    unit, deployment_count=unit.deployment_count + 1, reserved=unit.reserved + COST
                )
            else:
                self.conflicts += 1
        self.committed.add(address)

    def look_again(self, address: str) -> None:
        self.committed.remove(address)
        self.awake.add(address)
        self.wake(address, self.look())

    def wake(self, address: str, seen: RoundInputs) -> None:
        self.awake.update(wake_ups(address, self.last_seen.get(address), seen))
        self.last_seen[address] = seen

    def sample(self, address: str, measured: Usage) -> None:
        """A heartbeat: its answer says that work is waiting."""
        if address in self.awake:
            return
        self.units[address] = msgspec.structs.replace(self.units[address], measured=measured, reserved=Usage(0, 0))
        self.awake.add(address)


usages = st.builds(Usage, st.integers(0, 4).map(float), st.integers(0, 4).map(lambda n: n * 512.0))
configurations = st.tuples(
    st.sampled_from(["deployment_count", "resource_usage", "none"]),
    st.sampled_from(["", "^a", "^[ab]"]),
    st.integers(0, 2),
    usages,
)


@given(
    configurations=st.lists(configurations, min_size=1, max_size=5),
    packages=st.lists(st.sampled_from("abc"), min_size=1, max_size=8),
    most=st.sampled_from([1, 2, 64]),
    data=st.data(),
)
def test_every_candidate_that_can_be_claimed_is_claimed(
    configurations: list[tuple[str, str, int, Usage]], packages: list[str], most: int, data: st.DataObject
) -> None:
    fleet = Fleet(
        [
            UnitView(address=f"u{n}", policy=policy, trusted=trusted, deployment_count=count, measured=measured)
            for n, (policy, trusted, count, measured) in enumerate(configurations)
        ],
        packages,
        most,
    )
    named = data.draw(st.sets(st.sampled_from(sorted(fleet.units)), min_size=1))
    fleet.named, fleet.awake = named, set(named)
    samples = data.draw(st.lists(st.tuples(st.sampled_from(sorted(fleet.units)), usages), max_size=4))
    while steps := fleet.steps():
        chosen: int = data.draw(st.integers(-1 if samples else 0, len(steps) - 1))
        if chosen < 0:
            fleet.sample(*samples.pop())
        else:
            steps[chosen]()
    end = fleet.look()
    assert [address for address in fleet.units if decide(address, end).outcome == "claim"] == []


@given(
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=6),
    rows=st.integers(1, 30),
    policy=st.sampled_from(["deployment_count", "resource_usage"]),
)
def test_who_looks_before_anybody_has_claimed_gets_what_is_his_and_no_more(
    counts: list[int], rows: int, policy: str
) -> None:
    """However many rows: no conflict, nothing left over, and the loads as if each row had been claimed by itself."""
    fleet = Fleet(
        [
            UnitView(
                address=f"u{n}",
                policy=policy,
                trusted="",
                deployment_count=count,
                measured=Usage(count * COST.cpu_percent, 0),
            )
            for n, count in enumerate(counts)
        ],
        ["a"] * rows,
        rows,
    )
    for address in fleet.units:
        fleet.begin(address)
    for address in list(fleet.decided):
        fleet.commit(address)
    assert (fleet.conflicts, fleet.waiting) == (0, {})
    level = list(counts)
    for _ in range(rows):
        level[level.index(min(level))] += 1
    assert sorted(unit.deployment_count for unit in fleet.units.values()) == sorted(level)

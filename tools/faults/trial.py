"""One trial: from a settled fleet through one fault to a settled fleet, and what the fault cost."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from nodeunit.clock import boottime
from tools.faults.fleet import Fleet, NotSettled
from tools.faults.journals import Copy, overlaps
from tools.faults.kinds import Fault, Kind
from tools.faults.observer import OUTAGE, Row

STARTED_BEFORE_S = 60.0
"""Copies from before the fault are looked at so far back."""

MOST_STARTS = 2
"""A fault may move a program, and what heals it may move it once more. Whatever starts oftener is in a loop."""

NOTHING_LEFT_S = 30.0
"""So long after its supervisor's death something of a unit may still be there."""

LOOK_EVERY_S = 0.5


@dataclass
class Outcome:
    """Figures of one trial, in seconds unless they count. The empty ones were not a question in this kind."""

    kind: str
    seed: int
    moved: int = 0
    """Rows that run on another unit now."""
    first_takeover_s: float | None = None
    """From the fault to the first beat of the first new copy elsewhere."""
    last_takeover_s: float | None = None
    """The same for the last of the victim's rows."""
    unowned_s: list[float] = field(default_factory=list)
    """For each moved row: from the last beat of the old copy to the first of the new one, if there was a gap."""
    stop_overlap_s: float = 0.0
    keep_overlap_s: float = 0.0
    keep_overlap_after_heal_s: float = 0.0
    """The longest that a `keep` program went on beside its successor after its unit was back."""
    restarted: int = 0
    """Programs that had to continue and were restarted nevertheless."""
    longest_pause_s: float = 0.0
    """Between two beats of a program that must not notice."""
    decides_again_s: float | None = None
    leader_s: float | None = None
    """From the fault until another server was the primary."""
    resumed_s: float | None = None
    """From then until a row was claimed there."""
    released_to_claimed_s: list[float] = field(default_factory=list)
    inserted_to_claimed_s: list[float] = field(default_factory=list)
    settled_s: float = 0.0
    """From the end of the fault until everything was in order."""
    false_takeovers: int = 0
    claims_lost: int = 0
    events_lost: int = 0
    most_starts: int = 0
    """Of one program: the most often that any was started, by the log or by the journals."""
    nowhere: list[str] = field(default_factory=list)
    """Rows that were held longer than a lease and ten seconds by a unit that neither ran them nor said why not."""
    left_over: list[str] = field(default_factory=list)
    """Processes of a unit that outlived its supervisor by 30 s."""
    complaint: str = ""
    """Why the fleet did not settle."""

    @property
    def faults(self) -> list[str]:
        """What a trial of a sound build never has."""
        found = {
            "two copies of a stop program": self.stop_overlap_s,
            "claims lost": self.claims_lost,
            "events lost": self.events_lost,
            "false takeovers": self.false_takeovers,
            "programs restarted that must not notice": self.restarted,
            "starts of one program": self.most_starts * (self.most_starts > MOST_STARTS),
        }
        return [
            *(f"{name}: {value:g}" for name, value in found.items() if value),
            *(f"held and not run: {row}" for row in self.nowhere),
            *(f"left over: {process}" for process in self.left_over),
            *([self.complaint] * bool(self.complaint)),
        ]


async def run_trial(fleet: Fleet, name: str, kind: Kind, seed: int, settle_s: float) -> Outcome:
    """Runs one. The fleet is settled when it begins, and has so long to be so again."""
    random = Random(f"{name} {seed}")
    outcome = Outcome(name, seed)
    before = await fleet.observer.rows()
    position = await fleet.observer.position()
    held = {unit.address: [row.id for row in before if row.holder == unit.address] for unit in fleet.units}
    victim = random.choice([unit for unit in fleet.units if held[unit.address]] or fleet.units)
    fault = Fault(victim, held[victim.address])
    known = await fleet.observer.event_ids(max(0, position - 2000))
    since = boottime()
    over = asyncio.Event()
    watching = asyncio.create_task(_watch_rows(fleet, outcome, over))
    try:
        await kind(fleet, fault, random)
        await fleet.settle(settle_s)
        outcome.settled_s = boottime() - fault.healed_at
    except NotSettled as unsettled:
        outcome.complaint = str(unsettled)
        outcome.claims_lost = str(unsettled).count("not held by anybody")
    finally:
        over.set()
        await watching
    outcome.left_over = await _left_over(fleet)
    fleet.journals.read()
    _read_journals(fleet, fault, before, since, outcome)
    await _read_log(fleet, fault, position, known, outcome)
    if fault.inserted:
        await fleet.delete(fault.inserted)
    fleet.journals.forget(since - STARTED_BEFORE_S)
    return outcome


async def _watch_rows(fleet: Fleet, outcome: Outcome, over: asyncio.Event) -> None:
    """Asks repeatedly, because a row that no unit holds for a while leaves no trace in the log."""
    while not over.is_set():
        try:
            outcome.nowhere += [row for row in await fleet.observer.nowhere() if row not in outcome.nowhere]
        except OUTAGE:
            pass  # the rows of a database that is away cannot be looked at
        await asyncio.sleep(LOOK_EVERY_S)


async def _left_over(fleet: Fleet) -> list[str]:
    """What no supervisor is responsible for any more, after the time it has to go."""
    give_up_at = boottime() + NOTHING_LEFT_S
    while found := [f"{process} of {unit.name}" for unit in fleet.units for process in unit.left_over()]:
        if boottime() > give_up_at:
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return found


def _read_journals(fleet: Fleet, fault: Fault, before: list[Row], since: float, outcome: Outcome) -> None:
    copies = fleet.journals.copies(since - STARTED_BEFORE_S)
    stops = {row.id for row in before if row.on_disconnect == "stop"} | set(fault.inserted)
    counted_from = fault.healed_at if fault.freezes_programs else since
    if fault.stop_is_promised_after_s is not None:
        counted_from = fault.healed_at + fault.stop_is_promised_after_s
    for deployment, seconds in overlaps(copies, counted_from).items():
        if deployment in stops:
            outcome.stop_overlap_s += seconds
        else:
            outcome.keep_overlap_s += seconds
    after_heal = {d: s for d, s in overlaps(copies, fault.healed_at).items() if d not in stops}
    outcome.keep_overlap_after_heal_s = max(after_heal.values(), default=0.0)
    takeovers = []
    started = Counter(copy.deployment for copy in copies if copy.first > since)
    outcome.most_starts = max(started.values(), default=0)
    for row in before:
        own = [copy for copy in copies if copy.deployment == row.id]
        old = [copy for copy in own if copy.first <= since]
        new = [copy for copy in own if copy.first > since]
        if fault.rows_must_stay and (row.on_disconnect == "keep" or fault.stops_must_stay):
            outcome.restarted += len(new)
        if old and not new:
            outcome.longest_pause_s = max(outcome.longest_pause_s, _pause(old[-1], since))
        if row.id in fault.held and (moved := [copy for copy in new if copy.address != row.holder]):
            takeovers.append(moved[0].first - fault.at)
            if old:
                outcome.unowned_s.append(max(moved[0].first - old[-1].last, 0.0))
    outcome.moved = len(takeovers)
    if takeovers:
        outcome.first_takeover_s, outcome.last_takeover_s = min(takeovers), max(takeovers)


def _pause(copy: Copy, since: float) -> float:
    return copy.longest_pause_s if copy.last > since else 0.0


async def _read_log(fleet: Fleet, fault: Fault, position: int, known: list[UUID], outcome: Outcome) -> None:
    lost = [one.address for one in await fleet.observer.lost(position)]
    expected = {unit.address for unit in ([fault.victim] * fault.may_be_lost + fault.struck_too)}
    outcome.false_takeovers = len([address for address in lost if address not in expected])
    outcome.events_lost = await fleet.observer.missing(known)
    outcome.most_starts = max(outcome.most_starts, await fleet.observer.most_starts(position))
    if fault.inserted:
        outcome.inserted_to_claimed_s = await fleet.observer.created_to_claimed(fault.inserted)
        outcome.claims_lost += len(fault.inserted) - len(outcome.inserted_to_claimed_s)
    if fault.watches == "decides":
        decided = await fleet.observer.first_round(fault.victim.address, position)
        outcome.decides_again_s = None if decided is None else decided - fault.wall
    if fault.leader_at:
        claimed = await fleet.observer.first_claim(fault.leader_at)
        outcome.leader_s = fault.leader_at - fault.wall
        outcome.resumed_s = None if claimed is None else claimed - fault.leader_at
    if fault.watches == "drain":
        outcome.released_to_claimed_s = await fleet.observer.released_to_claimed(position, "drained")

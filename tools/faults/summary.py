"""The table of a run: one line for each kind of fault."""

from collections.abc import Sequence

from tools.faults.trial import Outcome

COLUMNS = (
    "fault", "trials", "moved", "first p50/p99/max", "all p50/p99/max", "unowned p50/max", "2 copies stop",
    "2 copies keep", "…after heal", "restarted", "pause max", "settled p50/max", "lost claims", "lost events", "false",
    "starts max", "nowhere", "left over",
)  # fmt: skip


def table(outcomes: Sequence[Outcome]) -> str:
    """Markdown. Seconds; `first` and `all` count from the fault to the first beat of the new copies."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "|" + " --- |" * len(COLUMNS)]
    kinds = {kind: [o for o in outcomes if o.kind == kind] for kind in dict.fromkeys(o.kind for o in outcomes)}
    lines += ["| " + " | ".join(_cells(kind, its)) + " |" for kind, its in kinds.items()]
    return "\n".join(lines)


def notes(outcomes: Sequence[Outcome]) -> list[str]:
    """What has no column of its own."""
    decides = [o.decides_again_s for o in outcomes if o.decides_again_s is not None]
    claims = [seconds for o in outcomes for seconds in o.released_to_claimed_s]
    said = []
    if decides:
        said.append(f"after SIGKILL of the daemon the unit decides again within (p50/p99/max): {_three(decides)} s")
    for kind in dict.fromkeys(o.kind for o in outcomes if o.inserted_to_claimed_s):
        waited = [seconds for o in outcomes if o.kind == kind for seconds in o.inserted_to_claimed_s]
        said.append(f"{kind}: {len(waited)} rows claimed after their insert within (p50/p99/max): {_three(waited)} s")
    for kind in dict.fromkeys(o.kind for o in outcomes if o.leader_s is not None):
        leaders = [o.leader_s for o in outcomes if o.kind == kind and o.leader_s is not None]
        resumed = [o.resumed_s for o in outcomes if o.kind == kind and o.resumed_s is not None]
        said.append(
            f"{kind}: another primary after (p50/p99/max) {_three(leaders)} s, a claim there after {_three(resumed)} s"
        )
    if claims:
        said.append(f"from release to the next claim while draining (p50/p99/max): {_three(claims)} s")
    return said


def _cells(kind: str, outcomes: list[Outcome]) -> list[str]:
    first = [o.first_takeover_s for o in outcomes if o.first_takeover_s is not None]
    last = [o.last_takeover_s for o in outcomes if o.last_takeover_s is not None]
    unowned = [seconds for o in outcomes for seconds in o.unowned_s]
    return [
        kind,
        str(len(outcomes)),
        str(sum(o.moved for o in outcomes)),
        _three(first),
        _three(last),
        _two(unowned),
        f"{sum(o.stop_overlap_s for o in outcomes):.3f}",
        f"{sum(o.keep_overlap_s for o in outcomes):.3f}",
        f"{max(o.keep_overlap_after_heal_s for o in outcomes):.3f}",
        str(sum(o.restarted for o in outcomes)),
        f"{max(o.longest_pause_s for o in outcomes):.3f}",
        _two([o.settled_s for o in outcomes]),
        str(sum(o.claims_lost for o in outcomes)),
        str(sum(o.events_lost for o in outcomes)),
        str(sum(o.false_takeovers for o in outcomes)),
        str(max(o.most_starts for o in outcomes)),
        str(sum(len(o.nowhere) for o in outcomes)),
        str(sum(len(o.left_over) for o in outcomes)),
    ]


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that is not exceeded by this share of them."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def _three(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{quantile(values, 0.5):.3f}/{quantile(values, 0.99):.3f}/{max(values):.3f}"


def _two(values: Sequence[float]) -> str:
    return f"{quantile(values, 0.5):.3f}/{max(values):.3f}" if values else ""

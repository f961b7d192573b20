"""All about one row on one screen: what is wanted, what is, why, where it ran before, and what happened last."""

from datetime import timedelta
from typing import Any

import msgspec

from nodeunit.audit import why
from nodeunit.audit.why import Explanation
from nodeunit.domain.row_state import DeploymentRow
from nodeunit.domain.specification import COLUMNS, Specification, columns
from nodeunit.errors import DeploymentUnknown
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import deployments, event_log, lookup, specifications
from nodeunit.store.read.deployments import RowFilter
from nodeunit.store.read.event_log import EventFilter, RecordedEvent
from nodeunit.store.read.usage import UsagePoint, UsageWindow, of_deployments

LAST_EVENTS = 8
PLACES = ("DeploymentClaimed", "DeploymentAssigned", "DeploymentReleased")
USAGE = timedelta(minutes=30)
"""So far back usage is shown."""


class Condition(msgspec.Struct, frozen=True):
    """One thing that has to be true before the program runs."""

    name: str
    """`Enabled`, `Claimed`, `Ready` or `Healthy`."""
    holds: bool
    reason: str
    """Why, as words; empty: nothing is to be said."""


class Description(msgspec.Struct, kw_only=True):
    """What `describe` shows. The values of env are not in it."""

    deployment: DeploymentRow
    wanted: dict[str, Any]
    """The columns that differ from their defaults; of env the names, each with an empty value."""
    conditions: list[Condition]
    because: list[str]
    """Why it runs where it runs, or not, as `why` says it."""
    places: list[RecordedEvent]
    """The last assignments, the newest last."""
    events: list[RecordedEvent]
    """The last events, the newest last."""
    usage: list[UsagePoint]
    """By minute."""
    names: dict[str, str]
    """The names of units, by address."""


async def describe(connection: Connection, given: str) -> Description:
    """Reads it. Raises DeploymentUnknown."""
    called = await deployments.find_row(connection, given)
    rows = [row async for row in deployments.rows(connection, RowFilter(ids=[called.id]))]
    stored = await deployments.shown_columns_of(connection, [called.id])
    last = await specifications.specifications(connection, called.id, 1)
    if not rows or not stored:
        raise DeploymentUnknown(f"deployment {called.label} was deleted meanwhile")
    explanation = await why.explain(connection, str(called.id), None)
    now = await lookup.now(connection)
    minute = UsageWindow(now - USAGE, now, timedelta(minutes=1))
    return Description(
        deployment=rows[0],
        wanted=_wanted(stored[0], last[0].data["env_names"] if last else []),
        conditions=_conditions(rows[0], explanation),
        because=explanation.because,
        places=await event_log.newest(connection, EventFilter(deployment_id=called.id, types=list(PLACES)), 6),
        events=await event_log.newest(
            connection, EventFilter(deployment_id=called.id, without=["DeploymentClaimAttempt"]), LAST_EVENTS
        ),
        usage=await of_deployments(connection, minute, deployment=str(called.id)),
        names=await lookup.unit_names(connection),
    )


def _wanted(stored: dict[str, Any], env_names: list[str]) -> dict[str, Any]:
    known = stored | {"env": dict.fromkeys(env_names, "")}
    defaults = columns(Specification())
    return {name: known[name] for name in COLUMNS if known[name] != defaults[name]}


def _conditions(row: DeploymentRow, explanation: Explanation) -> list[Condition]:
    claimed = bool(row.unit_address) or (row.type == "daemon" and bool(row.programs))
    why_not = explanation.because[0] if explanation.because and not claimed else ""
    ready = row.wanted > 0 and row.ready >= row.wanted
    failing = [one for one in row.programs if one.failures]
    return [
        Condition("Enabled", row.enabled, "" if row.enabled else "an operator disabled it"),
        Condition("Claimed", claimed, row.unit or f"{len(row.programs)} units" if claimed else why_not),
        Condition("Ready", ready, "" if ready else f"{row.state} {row.reason}".replace("_", " ").strip()),
        Condition(
            "Healthy",
            not failing and row.state not in ("parked", "backoff"),
            "; ".join(f"{one.failures} failures in a row on {one.unit}" for one in failing),
        ),
    ]

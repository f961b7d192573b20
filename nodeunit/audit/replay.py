"""The fleet at a time in the past: from a database by its SQL fold, from archive files by the same fold in Python."""

from contextlib import aclosing
from datetime import datetime

import msgspec

from nodeunit.audit.source import EventSource
from nodeunit.domain.fleet import DeploymentState, Fleet, UnitState
from nodeunit.domain.upcasting import stored_names
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import fleet

HISTORY_WITHOUT = [
    "DeploymentClaimRound",
    "DeploymentClaimEligibility",
    "DeploymentClaimAttempt",
    "DeploymentClaimSkipped",
    *stored_names("DecisionsSnapshot"),
]
"""The types that a history leaves out, because `why` shows how a claim was decided."""


class FleetAt(msgspec.Struct, kw_only=True):
    """The fleet at one time: the deployments, and the units that held them."""

    at: datetime | None
    """The requested time; None if it is the end of what was read."""
    position: int | None
    units: list[UnitState]
    """Every unit that had joined, by address."""
    deployments: list[DeploymentState]
    """Every deployment that existed, by id."""

    def names(self) -> dict[str, str]:
        """The name of each unit, by address."""
        return {unit.address: unit.name for unit in self.units}


async def at_moment(connection: Connection, at: datetime | None = None, position: int | None = None) -> FleetAt:
    """The fleet of a database at a time, a position or now. Raises HistoryArchived."""
    when = await fleet.as_of(connection, at, position)
    return FleetAt(
        at=at,
        position=position,
        units=await fleet.units(connection, when),
        deployments=await fleet.deployments(connection, when),
    )


async def fold(source: EventSource, at: datetime | None = None, position: int | None = None) -> FleetAt:
    """The fleet at the end of a source. Decodes every event. `at` and `position` say where the source ends."""
    state = Fleet()
    async with aclosing(aiter(source)) as events:
        async for recorded in events:
            state.apply(
                recorded.event(),
                deployment_id=recorded.deployment_id,
                unit_address=recorded.unit_address,
                stream_version=recorded.stream_version,
                recorded_at=recorded.recorded_at,
            )
    return FleetAt(at=at, position=position, units=state.units(), deployments=state.deployments())

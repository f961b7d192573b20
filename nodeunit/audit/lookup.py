"""The look-ups of `store.read.lookup` for events that are not in a database."""

from typing import NamedTuple
from uuid import UUID

from nodeunit.audit.source import UNIT_NAMED_BY, EventSource
from nodeunit.domain.events import UnitJoined
from nodeunit.domain.snapshot_events import UnitSnapshot
from nodeunit.store.read.lookup import ids_like, the_deployment, the_unit


class Found(NamedTuple):
    """The deployment and unit that are meant, and the names of the units by address."""

    deployment_id: UUID | None
    address: str | None
    names: dict[str, str]


async def look_up(source: EventSource, deployment: str, unit: str) -> Found:
    """Reads the whole source. An empty text means none. Raises DeploymentUnknown and UnitUnknown."""
    lowest, highest = ids_like(deployment) if deployment else (None, None)
    deployments: set[UUID] = set()
    names: dict[str, str] = {}
    async for recorded in source:  # to its end
        if recorded.type in UNIT_NAMED_BY:
            event = recorded.event()
            if isinstance(event, UnitJoined | UnitSnapshot):
                names[recorded.unit_address] = event.name
        found = recorded.deployment_id
        if lowest and highest and found and lowest <= found <= highest:
            deployments.add(found)
    units = sorted(address for address, name in names.items() if unit and (name == unit or address.startswith(unit)))
    return Found(
        the_deployment(deployment, sorted(deployments)) if deployment else None,
        the_unit(unit, units) if unit else None,
        names,
    )

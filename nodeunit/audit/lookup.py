"""Finding a deployment or a unit by the beginning of its name in events that are in no database."""

from typing import NamedTuple
from uuid import UUID

from nodeunit.audit.source import EventSource
from nodeunit.domain.events import UnitJoined, UnitSnapshot
from nodeunit.domain.upcasting import stored_names
from nodeunit.errors import DeploymentUnknown, UnitUnknown


class Found(NamedTuple):
    """What was asked for, and what the units are called."""

    deployment_id: UUID | None
    address: str | None
    names: dict[str, str]


async def look_up(source: EventSource, deployment: str, unit: str) -> Found:
    """Reads all of the source. An empty text asks for nothing. Raises DeploymentUnknown and UnitUnknown."""
    deployments: set[UUID] = set()
    names: dict[str, str] = {}
    async for recorded in source:  # to its end
        if recorded.type in ("UnitJoined", *stored_names("UnitSnapshot")):
            event = recorded.event()
            if isinstance(event, UnitJoined | UnitSnapshot):
                names[recorded.unit_address] = event.name
        if deployment and recorded.deployment_id and str(recorded.deployment_id).startswith(deployment.lower()):
            deployments.add(recorded.deployment_id)
    units = {address for address, name in names.items() if unit and (name == unit or address.startswith(unit))}
    if deployment and len(deployments) != 1:
        known = ", ".join(sorted(map(str, deployments))[:10]) or "none"
        raise DeploymentUnknown(
            f"{deployment} is not the beginning of one id in these files: {known}; give more of one"
        )
    if unit and len(units) != 1:
        raise UnitUnknown(f"{unit} is not the name or address of one unit in these files: {', '.join(units) or 'none'}")
    return Found(next(iter(deployments), None), next(iter(units), None), names)

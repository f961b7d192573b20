"""Short answers that several commands need: which deployment or unit is meant, the names of units, the time."""

from datetime import datetime
from uuid import UUID

import msgspec

from nodeunit.errors import DeploymentUnknown, UnitUnknown
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class FleetUnit(msgspec.Struct, frozen=True):
    """A unit as an operator looks it up."""

    address: str
    name: str
    membership: str
    """present, draining, left or lost."""
    cordoned: bool
    rows: int
    """Deployments whose address it is."""


async def find_deployment(connection: Connection, given: str) -> UUID:
    """The deployment whose id begins like this, also a deleted one. Raises DeploymentUnknown for none or several."""
    digits = given.strip().lower().replace("-", "")
    if not digits or len(digits) > 32 or digits.strip("0123456789abcdef"):
        raise DeploymentUnknown(
            f"{given!r} is no beginning of a deployment id, which is hexadecimal digits and hyphens"
        )
    bounds = {"lowest": UUID(digits.ljust(32, "0")), "highest": UUID(digits.ljust(32, "f"))}
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["deployments_like"], bounds)).fetchall()
    found = [row["deployment_id"] for row in rows]
    if not found:
        raise DeploymentUnknown(f"no deployment has an id that begins with {given}; see: nodeunit replay")
    if len(found) > 1:
        more = " and more" if len(found) > 10 else ""
        raise DeploymentUnknown(
            f"{given} begins several ids: {', '.join(map(str, found[:10]))}{more}; give more of one"
        )
    return UUID(str(found[0]))


async def find_unit(connection: Connection, given: str) -> FleetUnit:
    """The unit with this address, beginning of an address, or name. Raises UnitUnknown for none, or for several.

    A unit that left or was lost is found only when no unit in the fleet is meant.
    """
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["units_like"], {"unit": given})).fetchall()
    found = [FleetUnit(**row) for row in rows]
    in_fleet = [one for one in found if one.membership not in ("left", "lost")] or found
    if not in_fleet:
        raise UnitUnknown(f"no unit has the name or address {given}; the units stand in table unit")
    if len(in_fleet) > 1:
        raise UnitUnknown(f"{given} means several units: {', '.join(one.address for one in in_fleet)}; give an address")
    return in_fleet[0]


async def unit_names(connection: Connection) -> dict[str, str]:
    """The name under which each unit last joined, by address."""
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["unit_names"])).fetchall()
    return {row["address"]: row["name"] for row in rows}


async def now(connection: Connection) -> datetime:
    """The database's clock, which is the one that counts."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["database_time"])).fetchone()
    assert row is not None
    at: datetime = row["now"]
    return at

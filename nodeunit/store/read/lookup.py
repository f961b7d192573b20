"""Short answers that several commands need: which deployment or unit is meant, the names of units, the time."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from nodeunit.domain.can_run import Ability
from nodeunit.errors import DeploymentUnknown, UnitUnknown
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.deployments import find_rows, ids_between, the_row


class FleetUnit(msgspec.Struct, frozen=True):
    """A unit, as an operator sees it."""

    address: str
    name: str
    membership: str
    """present, draining, left or lost."""
    cordoned: bool
    rows: int
    """The number of deployments whose address it is."""


async def find_deployment(connection: Connection, given: str) -> UUID:
    """The deployment that a name, package, id or unique beginning means; one that was deleted by its id.

    Raises DeploymentUnknown for none or several.
    """
    if found := await find_rows(connection, given):
        return the_row(given, found).id
    if (between := ids_between(given)) is None:
        return the_row(given, found).id
    async with translate_errors():
        cursor = await connection.execute(QUERIES["deployments_like"], {"lowest": between[0], "highest": between[1]})
        return the_deployment(given, [row["deployment_id"] for row in await cursor.fetchall()])


async def find_unit(connection: Connection, given: str) -> FleetUnit:
    """The unit with this address, beginning of an address, or name. Raises UnitUnknown for none, or for several.

    A unit that left or was lost is found only when no unit in the fleet is meant; of several with this name the last
    one, because a unit without its own password leaves one behind with each start.
    """
    given = given.removeprefix("unit/")  # as -o name prints it
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["units_like"], {"unit": given})).fetchall()
    found = [FleetUnit(**row) for row in rows]
    in_fleet = {one.address: one for one in found if one.membership not in ("left", "lost")}
    if not in_fleet and all(one.name == given for one in found):
        found = found[:1]
    by_address = in_fleet or {one.address: one for one in found}
    return by_address[the_unit(given, sorted(by_address))]


def ids_like(given: str) -> tuple[UUID, UUID]:
    """The lowest and the highest id that begin like this. Raises DeploymentUnknown."""
    if (between := ids_between(given)) is None:
        raise DeploymentUnknown(
            f"{given!r} is not the beginning of a deployment id, which has hexadecimal digits and hyphens"
        )
    return between


def the_deployment(given: str, found: Sequence[UUID]) -> UUID:
    """The only id that was found. Raises DeploymentUnknown for none or several."""
    if not found:
        raise DeploymentUnknown(
            f"no deployment has the name or package {given}, or an id that begins so; see: nodeunit get deployments"
        )
    if len(found) > 1:
        more = " and more" if len(found) > 10 else ""
        raise DeploymentUnknown(
            f"several ids begin with {given}: {', '.join(map(str, found[:10]))}{more}; give more digits"
        )
    return found[0]


def the_unit(given: str, addresses: Sequence[str]) -> str:
    """The only address that was found. Raises UnitUnknown for none or several."""
    if not addresses:
        raise UnitUnknown(f"no unit has the name or address {given}; the units are in the table unit")
    if len(addresses) > 1:
        raise UnitUnknown(f"{given} means several units: {', '.join(addresses)}; give an address")
    return addresses[0]


class RowToMove(msgspec.Struct, frozen=True):
    """A row that a unit holds."""

    id: UUID
    package: str
    """name@version."""
    enabled: bool
    has_command: bool
    runtime: str
    secrets: tuple[str, ...]
    others: list[Ability]
    """What the other units can run that take part in rounds now."""


async def rows_to_move(connection: Connection, address: str) -> list[RowToMove]:
    """What a unit holds, disabled rows too."""
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["rows_to_move"], {"address": address})).fetchall()
    return [msgspec.convert(row, RowToMove) for row in rows]


async def holders_of(connection: Connection, ids: list[UUID]) -> dict[UUID, str]:
    """The address that each row has now; empty if no unit holds it."""
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["holders_of"], {"ids": ids})).fetchall()
    return {row["id"]: row["address"] for row in rows}


async def unit_names(connection: Connection) -> dict[str, str]:
    """The name under which each unit last joined, by address."""
    async with translate_errors():
        rows = await (await connection.execute(QUERIES["unit_names"])).fetchall()
    return {row["address"]: row["name"] for row in rows}


async def now(connection: Connection) -> datetime:
    """The time by the database's clock."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["database_time"])).fetchone()
    assert row is not None
    at: datetime = row["now"]
    return at

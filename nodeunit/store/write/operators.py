"""What an operator asks of the fleet: cordon, uncordon, drain."""

import msgspec

from nodeunit.errors import UnitUnknown
from nodeunit.store.postgres.connections import connect, translate_errors
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


async def find_unit(conninfo: str, unit: str) -> FleetUnit:
    """The unit with this address, beginning of an address, or name. Raises UnitUnknown for none, or for several."""
    async with await connect(conninfo, "operator") as connection, translate_errors(conninfo):
        rows = await (await connection.execute(QUERIES["units_named"], {"unit": unit})).fetchall()
    found = [FleetUnit(**row) for row in rows]
    in_fleet = [one for one in found if one.membership not in ("left", "lost")] or found
    if not in_fleet:
        raise UnitUnknown(f"no unit has the name or address {unit}; the units stand in table unit")
    if len(in_fleet) > 1:
        raise UnitUnknown(f"{unit} means several units: {', '.join(one.address for one in in_fleet)}; give an address")
    return in_fleet[0]


async def cordon(conninfo: str, address: str) -> None:
    """The unit claims nothing more until it is uncordoned, restarts included. What it holds goes on."""
    async with await connect(conninfo, "operator") as connection, translate_errors(conninfo):
        await connection.execute(QUERIES["cordon_unit"], {"address": address})


async def uncordon(conninfo: str, address: str) -> None:
    """The unit may claim again; a drain under way ends."""
    async with await connect(conninfo, "operator") as connection, translate_errors(conninfo):
        await connection.execute(QUERIES["uncordon_unit"], {"address": address})


async def drain(conninfo: str, address: str, within_s: float) -> None:
    """The unit is to give its rows back one by one, killing what has not ended in time."""
    async with await connect(conninfo, "operator") as connection, translate_errors(conninfo):
        await connection.execute(QUERIES["drain_unit"], {"address": address, "within_s": within_s})

"""`nodeunit drain`: move the rows of a unit away, as kubectl does with a node."""

import asyncio
import time
from typing import Annotated

import typer
from rich.console import Console

from nodeunit.cli.options import Database, Unit, given
from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import lookup
from nodeunit.store.write import operators

POLL_INTERVAL_S = 0.2


def drain(
    unit: Unit,
    database: Database = "",
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="Programs that run longer are killed.", min=0)
    ] = 300.0,
) -> None:
    """Cordon a unit and move its rows away, one by one; each runs elsewhere before the next one stops.

    Waits until the unit holds nothing. The unit stays in the fleet: `nodeunit uncordon` lets it claim again.

    [bold]Example[/bold]: nodeunit drain node-unit-1 --deadline 60
    """
    asyncio.run(_drain(given(database), unit, deadline))
    typer.echo(f"unit/{unit} drained")


async def _drain(conninfo: str, unit: str, deadline_s: float) -> None:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        address = (await lookup.find_unit(connection, unit)).address
        await operators.drain(connection, address, deadline_s)
    give_up_at = time.monotonic() + deadline_s + 30
    with Console(stderr=True).status(f"draining {unit}") as status:
        while rows := await _rows(conninfo, address):
            status.update(f"draining {unit}: {rows} rows to move")
            if time.monotonic() > give_up_at:
                raise DatabaseError(
                    f"unit {unit} still holds {rows} rows after {deadline_s:.0f} s; is it running? see its log"
                )
            await asyncio.sleep(POLL_INTERVAL_S)


async def _rows(conninfo: str, address: str) -> int:
    # A new connection each time: a drain may take minutes, and a connection may be lost in between.
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        return (await lookup.find_unit(connection, address)).rows

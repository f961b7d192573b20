"""`nodeunit drain`: move the rows of a unit away, as kubectl does with a node."""

import asyncio
import time
from collections.abc import Iterator
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console

from nodeunit.cli.options import Database, Unit, given
from nodeunit.domain.can_run import can_run
from nodeunit.errors import DatabaseError, DrainRefused
from nodeunit.plain import plain
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import lookup
from nodeunit.store.read.lookup import FleetUnit, RowToMove
from nodeunit.store.write import operators

POLL_INTERVAL_S = 0.2

TAKEN_WITHIN_S = 5.0
"""How long to wait after a drain until the last rows are claimed, before their new holders are listed."""


def drain(
    unit: Unit,
    database: Database = "",
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="Programs that run longer are killed.", min=0)
    ] = 300.0,
    force: Annotated[bool, typer.Option("--force", help="Also stop what no other unit can run now.")] = False,
) -> None:
    """Cordon a unit and move its rows away, one by one; each runs elsewhere before the next one stops.

    Waits until the unit holds nothing, and says where each row went. The unit stays in the fleet: `nodeunit uncordon`
    lets it claim again, and ends a drain in progress.

    [bold]Example[/bold]: nodeunit drain node-unit-1 --deadline 60
    """
    for line in asyncio.run(_drain(given(database), unit, deadline, force)):
        typer.echo(plain(line))
    typer.echo(f"unit/{unit} drained")


async def _drain(conninfo: str, unit: str, deadline_s: float, force: bool) -> list[str]:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        address = (await lookup.find_unit(connection, unit)).address
        rows = await lookup.rows_to_move(connection, address)
        if not force:
            _refuse_to_strand(unit, rows)
        await operators.drain(connection, address, deadline_s)
    give_up_at = time.monotonic() + deadline_s + 30
    with Console(stderr=True).status(f"draining {unit}") as status:
        while (found := await _look(conninfo, address)).rows:
            if not found.cordoned:
                raise DatabaseError(f"unit {unit} was uncordoned, which ended the drain; it holds {found.rows} rows")
            status.update(f"draining {unit}: {found.rows} rows to move")
            if time.monotonic() > give_up_at:
                raise DatabaseError(
                    f"unit {unit} still holds {found.rows} rows after {deadline_s:.0f} s; is it running? see its log"
                )
            await asyncio.sleep(POLL_INTERVAL_S)
    return await _where_they_are(conninfo, rows)


def _refuse_to_strand(unit: str, rows: list[RowToMove]) -> None:
    """Raises DrainRefused if a program would be stopped that no other unit can run."""
    stranded = [row for row in rows if row.enabled and not any(can_run(other, row) for other in row.others)]
    if stranded:
        raise DrainRefused(
            f"no other unit can take {len(stranded)} of the {len(rows)} rows of {unit}, such as deployment "
            f"{stranded[0].id} ({stranded[0].package}); start or uncordon a unit that can, or stop them with --force"
        )


async def _look(conninfo: str, address: str) -> FleetUnit:
    # A new connection each time, because a drain may take minutes and a connection may be lost in between.
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        return await lookup.find_unit(connection, address)


async def _where_they_are(conninfo: str, rows: list[RowToMove]) -> list[str]:
    enabled = {row.id for row in rows if row.enabled}
    give_up_at = time.monotonic() + TAKEN_WITHIN_S
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        while True:
            holders = await lookup.holders_of(connection, [row.id for row in rows])
            if all(holders[row] for row in enabled) or time.monotonic() > give_up_at:
                return list(_lines(rows, holders, await lookup.unit_names(connection)))
            await asyncio.sleep(POLL_INTERVAL_S)


def _lines(rows: list[RowToMove], holders: dict[UUID, str], names: dict[str, str]) -> Iterator[str]:
    for row in rows:
        holder = holders[row.id]
        where = f"unit/{names.get(holder, holder)}" if holder else "nobody" if row.enabled else "nobody, disabled"
        yield f"deployment/{row.id} {row.package}: {where}"

"""`nodeunit cordon`, `uncordon` and `drain`: what an operator asks of a unit, as of a node in kubectl."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.console import Console

from nodeunit.cli.database import Database, given
from nodeunit.errors import DatabaseError
from nodeunit.store.write import operators

LOOK_EVERY_S = 0.2

Unit = Annotated[
    str, typer.Argument(metavar="UNIT", help="Name or address of the unit, or the beginning of the address.")
]


def cordon(unit: Unit, database: Database = "") -> None:
    """Let a unit claim nothing more; what it holds goes on. It outlives restarts of the unit.

    [bold]Example[/bold]: nodeunit cordon node-unit-1
    """
    asyncio.run(_ask(given(database), unit, operators.cordon))
    typer.echo(f"unit/{unit} cordoned")


def uncordon(unit: Unit, database: Database = "") -> None:
    """Let a unit claim again; a drain under way ends.

    [bold]Example[/bold]: nodeunit uncordon node-unit-1
    """
    asyncio.run(_ask(given(database), unit, operators.uncordon))
    typer.echo(f"unit/{unit} uncordoned")


def drain(
    unit: Unit,
    database: Database = "",
    deadline: Annotated[
        float, typer.Option("--deadline", metavar="SECONDS", help="Then what has not ended is killed.", min=0)
    ] = 300.0,
) -> None:
    """Cordon a unit and move its rows away, one by one; each runs elsewhere before the next one stops.

    Waits until the unit holds nothing. The unit stays in the fleet: `nodeunit uncordon` lets it claim again.

    [bold]Example[/bold]: nodeunit drain node-unit-1 --deadline 60
    """
    asyncio.run(_drain(given(database), unit, deadline))


async def _ask(conninfo: str, unit: str, word: Callable[[str, str], Awaitable[None]]) -> None:
    await word(conninfo, (await operators.find_unit(conninfo, unit)).address)


async def _drain(conninfo: str, unit: str, deadline_s: float) -> None:
    found = await operators.find_unit(conninfo, unit)
    await operators.drain(conninfo, found.address, deadline_s)
    give_up_at = time.monotonic() + deadline_s + 30
    told = -1
    with Console(stderr=True).status(f"draining {unit}") as status:
        while (rows := (await operators.find_unit(conninfo, found.address)).rows) > 0:
            if rows != told:
                status.update(f"draining {unit}: {rows} rows to move")
                told = rows
            if time.monotonic() > give_up_at:
                raise DatabaseError(
                    f"unit {unit} still holds {rows} rows after {deadline_s:.0f} s; is it running? see its log"
                )
            await asyncio.sleep(LOOK_EVERY_S)
    typer.echo(f"unit/{unit} drained")

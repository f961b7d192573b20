"""`nodeunit uncordon`: let a unit claim again."""

import asyncio

import typer

from nodeunit.cli.options import Database, Unit, given
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import lookup
from nodeunit.store.write import operators


def uncordon(unit: Unit, database: Database = "") -> None:
    """Let a unit claim again; a drain in progress ends.

    [bold]Example[/bold]: nodeunit uncordon node-unit-1
    """
    asyncio.run(_uncordon(given(database), unit))
    typer.echo(f"unit/{unit} uncordoned")


async def _uncordon(conninfo: str, unit: str) -> None:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        await operators.uncordon(connection, (await lookup.find_unit(connection, unit)).address)

"""`nodeunit cordon`: let a unit claim nothing more, as kubectl does with a node."""

import asyncio

import typer

from nodeunit.cli.options import Database, Unit, given
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import lookup
from nodeunit.store.write import operators


def cordon(unit: Unit, database: Database = "") -> None:
    """Let a unit claim nothing more; what it holds continues to run. The cordon survives a restart of the unit.

    [bold]Example[/bold]: nodeunit cordon node-unit-1
    """
    asyncio.run(_cordon(given(database), unit))
    typer.echo(f"unit/{unit} cordoned")


async def _cordon(conninfo: str, unit: str) -> None:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection:
        await operators.cordon(connection, (await lookup.find_unit(connection, unit)).address)

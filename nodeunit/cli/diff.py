"""`nodeunit diff`: what `apply` would change."""

import asyncio

import typer

from nodeunit.cli.apply import Prune, RowFile
from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.wanted_rows import Plan, lines_of, plan
from nodeunit.plain import MOST_LINE, plain
from nodeunit.store.postgres.requirements import connect_to_schema


def diff(file: RowFile, database: Database = "", prune: Prune = False) -> None:
    """Show what apply would change. Exit 0 without a difference, 1 with one, and more than 1 if it cannot be said.

    [bold]Example[/bold]: nodeunit diff -f rows.yaml
    """
    found = asyncio.run(_plan(given(database), file, prune))
    for line in lines_of(found):
        typer.echo(plain(line, MOST_LINE))
    if not found.nothing:
        raise typer.Exit(1)


async def _plan(conninfo: str, file: RowFile, prune: bool) -> Plan:
    async with await connect_to_schema(conninfo, "operator") as connection:
        return await plan(connection, file, prune=prune)

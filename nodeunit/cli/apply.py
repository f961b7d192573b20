"""`nodeunit apply`: make the rows what a file says."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from nodeunit.cli.delete import Yes
from nodeunit.cli.options import Database, given
from nodeunit.cli.rows.change import called
from nodeunit.cli.rows.confirmation import confirm, count
from nodeunit.cli.rows.wanted_rows import Plan, lines_of, plan
from nodeunit.plain import MOST_LINE, plain
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.write import deployments

RowFile = Annotated[
    Path, typer.Option("--file", "-f", metavar="FILE", help="Rows as YAML, JSON or TOML; - is standard input.")
]
Prune = Annotated[bool, typer.Option("--prune", help="Also delete every row with a name that the file does not have.")]


def apply(
    file: RowFile,
    database: Database = "",
    prune: Prune = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Yes = False,
) -> None:
    """Create and change rows until they are what a file says; rows are found by name. All of it is done, or nothing.

    What the file does not say of a row gets its default. Rows without a name are never touched.

    [bold]Example[/bold]: nodeunit apply -f rows.yaml --dry-run
    """
    conninfo = given(database)
    found = asyncio.run(_plan(conninfo, file, prune))
    if dry_run:
        for line in lines_of(found):
            typer.echo(plain(line, MOST_LINE))
    else:
        if found.prune:
            confirm(f"Delete {count(len(found.prune))} that {file} does not have ({called(found.prune)})?", yes=yes)
        asyncio.run(_apply(conninfo, found))
    would = " (dry run)" if dry_run else ""
    for row in found.create:
        typer.echo(f"deployment/{row['name']} created{would}")
    for one in found.change:
        typer.echo(f"deployment/{one.name} changed: {', '.join(one.columns)}{would}")
    for pruned in found.prune:
        typer.echo(f"deployment/{pruned.name} deleted{would}")
    for name in found.same:
        typer.echo(f"deployment/{name} unchanged")


async def _plan(conninfo: str, file: Path, prune: bool) -> Plan:
    async with await connect_to_schema(conninfo, "operator") as connection:
        return await plan(connection, file, prune=prune)


async def _apply(conninfo: str, found: Plan) -> None:
    async with await connect_to_schema(conninfo, "operator", writes=True) as connection, connection.transaction():
        if found.create:
            await deployments.create(connection, found.create)
        if found.change:
            changes = {one.id: {column: one.wanted[column] for column in one.columns} for one in found.change}
            await deployments.update(connection, changes)
        if found.prune:
            await deployments.delete(connection, [row.id for row in found.prune])

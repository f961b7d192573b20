"""`nodeunit migrate`: bring a database to the schema of this version."""

import asyncio
from typing import Annotated

import typer

from nodeunit.cli.database import Database, given
from nodeunit.store.postgres import migrator


def migrate(
    database: Database = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Run everything, then roll it back and say what was run.")
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say which files are applied.")] = False,
) -> None:
    """Create or upgrade the schema. Idempotent, and safe when two run at once.

    [bold]Example[/bold]: nodeunit migrate --database postgresql://postgres@127.0.0.1/fleet
    """
    if status:
        for line in asyncio.run(migrator.status(given(database))):
            typer.echo(f"{line.state:8} {line.name}")
        return
    result = asyncio.run(migrator.migrate(given(database), dry_run=dry_run))
    for notice in result.notices:
        typer.echo(f"notice   {notice}")
    for name in result.applied:
        typer.echo(f"{'would apply' if dry_run else 'applied':8} {name}")
    if not result.applied:
        typer.echo("the schema is up to date")

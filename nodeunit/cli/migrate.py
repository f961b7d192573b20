"""`nodeunit migrate`: bring a database to the schema of this version."""

import asyncio
from typing import Annotated

import typer

from nodeunit.cli.options import Database, given
from nodeunit.store.postgres import migrator


def migrate(
    database: Database = "",
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Only say which files would be applied; executes none and takes no lock."),
    ] = False,
    status: Annotated[bool, typer.Option("--status", help="Only say the state of each file.")] = False,
    wait: Annotated[
        float,
        typer.Option(
            "--wait", metavar="SECONDS", help="How long to try when other sessions hold a needed lock.", min=0
        ),
    ] = migrator.WAIT_S,
) -> None:
    """Create or upgrade the schema, while units run. Idempotent, and safe when two run at once.

    Waits for each lock only briefly, so that no unit waits behind it, and names the session that holds it. Units of the
    version before continue to work, and may be upgraded one after another. The short chunks of an old log are merged
    into chunks of thirty days, one after another; that may take long, and may be interrupted and continued.

    [bold]Example[/bold]: nodeunit migrate --database postgresql://postgres@127.0.0.1/fleet --wait 60
    """
    if status:
        for line in asyncio.run(migrator.status(given(database))):
            typer.echo(f"{line.state:8} {line.name}")
        return
    if dry_run:
        applied = asyncio.run(migrator.dry_run(given(database)))
    else:
        result = asyncio.run(migrator.migrate(given(database), wait_s=wait, tell=_tell))
        for notice in result.notices:
            typer.echo(f"notice   {notice}", err=True)
        applied = list(result.applied)
        if result.merged:
            typer.echo(f"merged   {result.merged} short chunks of the log and the usage samples")
    for name in applied:
        typer.echo(f"{'would apply' if dry_run else 'applied':8} {name}")
    if not applied:
        typer.echo("the schema is up to date")


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)

"""`nodeunit projections`: compare the live tables with the log, or rebuild them from it."""

import asyncio

import typer

from nodeunit.cli.options import Database, given
from nodeunit.errors import ProjectionDiffers
from nodeunit.plain import MOST_LINE, plain
from nodeunit.store.read import projections as store

projections = typer.Typer(
    name="projections",
    help="Verify or rebuild what is folded from the log: deployment.address and unit.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)


@projections.command()
def verify(database: Database = "") -> None:
    """Fold the whole log and compare. Exit 1, with the rows, if anything differs.

    [bold]Example[/bold]: nodeunit projections verify --database postgresql://postgres@127.0.0.1/fleet
    """
    differences = asyncio.run(store.verify(given(database)))
    for one in differences:
        difference = f"{one.projection} {one.key}: the table has {one.live}, the log gives {one.folded}"
        typer.echo(plain(difference, MOST_LINE))
    if differences:
        raise ProjectionDiffers(f"{len(differences)} rows differ from the log; run: nodeunit projections rebuild")
    typer.echo(f"{', '.join(store.PROJECTIONS)}: no difference")


@projections.command()
def rebuild(database: Database = "") -> None:
    """Fold the whole log into the live tables, which stay readable.

    [bold]Example[/bold]: nodeunit projections rebuild --database postgresql://postgres@127.0.0.1/fleet
    """
    for name, corrected in asyncio.run(store.rebuild(given(database))).items():
        typer.echo(f"{name}: {corrected} rows corrected")

"""`nodeunit get deployments|units|events`: what there is now, as a table for people or data for programs."""

import asyncio
from contextlib import suppress
from typing import Annotated

import typer

from nodeunit.cli.moments import Time
from nodeunit.cli.options import (
    Database,
    DeploymentOption,
    NoHeaders,
    OutputFormat,
    Since,
    SortBy,
    Types,
    UnitOption,
    Until,
    event_filter,
    given,
    stored_types,
)
from nodeunit.cli.output.kinds import DEPLOYMENTS, EVENTS, UNITS, EventRow, event_row
from nodeunit.cli.output.listing import each, show_list
from nodeunit.cli.output.render import Format
from nodeunit.cli.rows.selection import Labels, Names, parse_labels, row_filter
from nodeunit.cli.rows.watch_rows import watch_rows
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import deployments as store
from nodeunit.store.read import event_log, lookup
from nodeunit.store.read import units as store_units

get = typer.Typer(
    name="get",
    help="List deployments, units or events: as a table, or with -o as data.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Show changes as they come, until interrupted.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="NUMBER", help="At most so many.", min=1)]


def deployments(
    names: Names = None,
    database: Database = "",
    labels: Labels = None,
    output: OutputFormat = Format.TABLE,
    no_headers: NoHeaders = False,
    sort_by: SortBy = "",
    limit: Limit = None,
    watch: Watch = False,
) -> None:
    """List the rows, each with its state, its restarts and the unit that runs it, in the order of their ids.

    READY is how many programs run of how many should; the reason of a STATUS is behind its colon.

    [bold]Example[/bold]: nodeunit get deployments -l state=running

    [bold]Example[/bold]: nodeunit get deployments --watch
    """
    if watch and output in (Format.JSON, Format.YAML):
        raise typer.BadParameter("watching cannot give a single document; use jsonl or table", param_hint="--output")
    if watch and sort_by:
        raise typer.BadParameter(
            "rows are watched in the order of their ids; leave out --sort-by", param_hint="--watch"
        )
    fields = parse_labels(labels)
    if watch:
        with suppress(KeyboardInterrupt):
            asyncio.run(watch_rows(given(database), names, fields, output, headers=not no_headers, limit=limit))
        return
    if not asyncio.run(_deployments(given(database), names, fields, output, not no_headers, sort_by, limit)):
        _say_none("deployments", output)


async def _deployments(
    conninfo: str, names: list[str] | None, fields: dict[str, str], output: Format, headers: bool, sort_by: str,
    limit: int | None,
) -> int:  # fmt: skip
    async with await connect_to_schema(conninfo, "get") as connection:
        wanted = await row_filter(connection, names, fields)
        page = store.PAGE if limit is None or sort_by else min(limit, store.PAGE)
        rows = store.rows(connection, wanted, page)
        return await show_list(DEPLOYMENTS, rows, output, headers=headers, sort_by=sort_by, limit=limit)


def units(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[UNIT]...", help="Name or address, or its beginning.", show_default=False),
    ] = None,
    database: Database = "",
    everything: Annotated[bool, typer.Option("--all", help="Also units that have left.")] = False,
    output: OutputFormat = Format.TABLE,
    no_headers: NoHeaders = False,
    sort_by: SortBy = "",
) -> None:
    """List the units, each with its membership and how many rows it holds, by name. AGE is how long its STATUS lasts.

    [bold]Example[/bold]: nodeunit get units -o wide
    """
    if not asyncio.run(_units(given(database), names, everything, output, not no_headers, sort_by)):
        _say_none("units", output)


async def _units(
    conninfo: str, names: list[str] | None, everything: bool, output: Format, headers: bool, sort_by: str
) -> int:
    async with await connect_to_schema(conninfo, "get") as connection:
        addresses = {(await lookup.find_unit(connection, name)).address for name in names or []}
        found = await store_units.units(connection, with_left=everything or bool(names))

    wanted = [unit for unit in found if not addresses or unit.address in addresses]
    return await show_list(UNITS, each(wanted), output, headers=headers, sort_by=sort_by)


def events(
    database: Database = "",
    types: Types = None,
    since: Since = None,
    until: Until = None,
    deployment: DeploymentOption = "",
    unit: UnitOption = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="NUMBER", help="The newest so many.", min=1, max=100_000)
    ] = 50,
    output: OutputFormat = Format.TABLE,
    no_headers: NoHeaders = False,
    sort_by: SortBy = "",
) -> None:
    """List the newest events of the log, the last one at the bottom. The verb events prints all, and follows.

    [bold]Example[/bold]: nodeunit get events --type DeploymentClaimed --since 10m
    """
    kinds = stored_types(types)
    found = asyncio.run(_events(given(database), kinds, since, until, deployment, unit, limit))

    count = asyncio.run(show_list(EVENTS, each(found), output, headers=not no_headers, sort_by=sort_by))
    if not count and output in (Format.TABLE, Format.WIDE):
        typer.echo("no events found", err=True)


async def _events(
    conninfo: str,
    types: list[str] | None,
    since: Time | None,
    until: Time | None,
    deployment: str,
    unit: str,
    limit: int,
) -> list[EventRow]:
    async with await event_log.open_log(conninfo, "get") as connection:
        wanted = await event_filter(connection, types, since, until, deployment, unit)
        names = await lookup.unit_names(connection)
        return [event_row(one, names) for one in await event_log.newest(connection, wanted, limit)]


def _say_none(what: str, output: Format) -> None:
    if output in (Format.TABLE, Format.WIDE):
        typer.echo(f"no {what} found", err=True)


get.command()(deployments)
get.command(name="deployment", hidden=True)(deployments)
get.command()(units)
get.command(name="unit", hidden=True)(units)
get.command()(events)
get.command(name="event", hidden=True)(events)

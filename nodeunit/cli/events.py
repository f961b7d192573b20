"""`nodeunit events`: the log, event by event; `nodeunit events schema`: the fields of each type."""

import asyncio
from contextlib import aclosing
from typing import Annotated

import typer

from nodeunit.audit.schema import event_schema
from nodeunit.audit.source import LiveLog
from nodeunit.cli.moments import Time
from nodeunit.cli.options import (
    Database,
    DeploymentOption,
    Since,
    Types,
    UnitOption,
    Until,
    event_filter,
    given,
    stored_types,
)
from nodeunit.cli.output.event_lines import EventLines
from nodeunit.cli.output.render import Format, document, is_terminal
from nodeunit.store.read import event_log, lookup

events = typer.Typer(name="events", rich_markup_mode="rich", invoke_without_command=True)


@events.callback()
def print_events(
    context: typer.Context,
    database: Database = "",
    types: Types = None,
    since: Since = None,
    until: Until = None,
    deployment: DeploymentOption = "",
    unit: UnitOption = "",
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Continue with new events.")] = False,
    output: Annotated[
        Format | None,
        typer.Option("--output", "-o", help="table or jsonl; default: table on a terminal.", show_default=False),
    ] = None,
) -> None:
    """Print the log in commit order. Unknown types and versions are printed as they are.

    [bold]Example[/bold]: nodeunit events --type DeploymentClaimed --since 1h -f -o jsonl
    """
    if context.invoked_subcommand is not None:
        return
    output = output or (Format.TABLE if is_terminal() else Format.JSONL)
    if output not in (Format.TABLE, Format.JSONL):
        raise typer.BadParameter("events are printed one per line: use table or jsonl", param_hint="--output")
    if follow and until:
        raise typer.BadParameter("following has no end; leave out --until", param_hint="--follow")
    kinds = stored_types(types)
    try:
        asyncio.run(_print(given(database), kinds, since, until, deployment, unit, follow, output))
    except KeyboardInterrupt:
        if not follow:
            raise


async def _print(
    conninfo: str,
    types: list[str] | None,
    since: Time | None,
    until: Time | None,
    deployment: str,
    unit: str,
    follow: bool,
    output: Format,
) -> None:
    async with await event_log.open_log(conninfo, "events") as connection:
        wanted = await event_filter(connection, types, since, until, deployment, unit)
        printed = EventLines(output, await lookup.unit_names(connection))
    async with aclosing(aiter(LiveLog(conninfo, wanted, follow=follow))) as events:
        async for event in events:
            printed.print(event)


@events.command()
def schema() -> None:
    """Print the JSON Schema of every event type: the fields of `data`.

    [bold]Example[/bold]: nodeunit events schema > events.schema.json
    """
    document(event_schema(), Format.JSON)

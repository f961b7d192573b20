"""`nodeunit describe`: all about one row, on one screen."""

import asyncio

import msgspec

from nodeunit.audit import description as audit
from nodeunit.audit.description import Description
from nodeunit.cli.options import Database, Deployment, OutputFormat, given
from nodeunit.cli.output.description import description_lines
from nodeunit.cli.output.kinds import DEPLOYMENTS, event_row
from nodeunit.cli.output.render import Format, document, lines, write
from nodeunit.store.read import event_log

SCHEMA = "nodeunit.description/1"


def describe(deployment: Deployment, database: Database = "", output: OutputFormat = Format.TABLE) -> None:
    """Show all about a row: what is wanted, what is and why, ends and next try, where it ran, what happened, its usage.

    [bold]Example[/bold]: nodeunit describe clock
    """
    found = asyncio.run(_describe(given(database), deployment))
    if output is Format.NAME:
        write(DEPLOYMENTS.name(found.deployment))
    elif output is Format.JSONL:
        lines([as_data(found)])
    elif output in (Format.JSON, Format.YAML):
        document(as_data(found), output)
    else:
        for line in description_lines(found):
            write(line)


async def _describe(conninfo: str, deployment: str) -> Description:
    async with await event_log.open_log(conninfo, "describe") as connection:
        return await audit.describe(connection, deployment)


def as_data(found: Description) -> dict[str, object]:
    """The document: what `get` shows of the row, and the rest."""
    events = {name: [event_row(one, found.names) for one in getattr(found, name)] for name in ("places", "events")}
    return {"schema": SCHEMA} | msgspec.structs.asdict(found) | events

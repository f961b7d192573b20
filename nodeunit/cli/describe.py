"""`nodeunit describe`: all about one row, on one screen."""

import asyncio

import msgspec

from nodeunit.audit import description as audit
from nodeunit.audit.description import Description
from nodeunit.cli.options import Database, Deployment, OutputFormat, given
from nodeunit.cli.output.description import description_lines
from nodeunit.cli.output.kinds import DEPLOYMENTS, event_row
from nodeunit.cli.output.render import Format, write
from nodeunit.cli.output.schemas import show_document
from nodeunit.store.read import event_log


def describe(deployment: Deployment, database: Database = "", output: OutputFormat = Format.TABLE) -> None:
    """Show all about a row: what is wanted, what is and why, ends and next try, where it ran, what happened, its usage.

    [bold]Example[/bold]: nodeunit describe clock
    """
    found = asyncio.run(_describe(given(database), deployment))
    if output not in (Format.TABLE, Format.WIDE):
        show_document("description", _as_data(found), output, [DEPLOYMENTS.name(found.deployment)])
    else:
        for line in description_lines(found):
            write(line)


async def _describe(conninfo: str, deployment: str) -> Description:
    async with await event_log.open_log(conninfo, "describe") as connection:
        return await audit.describe(connection, deployment)


def _as_data(found: Description) -> dict[str, object]:
    events = {name: [event_row(one, found.names) for one in getattr(found, name)] for name in ("places", "events")}
    return msgspec.structs.asdict(found) | events

"""The options and arguments that several verbs share, and the meaning of their values.

One convention for all verbs: a period is `--since TIME` (from then on) and `--until TIME` (before then), a point in
time is `--at TIME`, and every TIME takes the same forms. A file that is read or written is `--<what it is> FILE`.
"""

from datetime import datetime, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated

import typer

from nodeunit.audit.wording import local_time
from nodeunit.cli import contexts
from nodeunit.cli.moments import FORMS, Time, parse_length, parse_time
from nodeunit.cli.output.render import Format
from nodeunit.domain.events import EVENT_TYPES
from nodeunit.domain.upcasting import stored_names
from nodeunit.errors import DatabaseUnreachable, TimeNotInLog
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import fleet, lookup
from nodeunit.store.read.event_log import EventFilter


async def resolve(time: Time | None, connection: Connection) -> datetime | None:
    """The time that is meant; how long ago counts from the database's now. Raises TimeNotInLog for the future."""
    if time is None:
        return None
    now = await lookup.now(connection)
    if time.at is not None and time.at > now:
        asked, there = local_time(time.at, "seconds"), local_time(now, "seconds")
        raise TimeNotInLog(f"{asked} is in the future: the database has {there}; give an earlier time")
    return now - time.ago if time.at is None else time.at


async def resolve_stretch(
    since: Time | None, until: Time | None, connection: Connection
) -> tuple[datetime | None, datetime | None]:
    """The times that are meant. Raises what `resolve` raises, and TimeNotInLog or HistoryArchived for a period that
    ends before the log begins. A period that only begins before it starts with the log."""
    first, last = await resolve(since, connection), await resolve(until, connection)
    if last is not None:
        await fleet.require_recorded(connection, last)
    return first, last


def without_database(time: Time | None, option: str) -> datetime | None:
    """The time that is meant, if only files are read. Raises typer.BadParameter if it counts from now."""
    if time is not None and time.at is None:
        raise typer.BadParameter("an archive file has no present time; give a date and time", param_hint=option)
    return time and time.at


def given(database: str) -> str:
    """The conninfo. Raises DatabaseUnreachable if there is none, SettingInvalid for a context that there is not."""
    found = contexts.database(database)
    if not found:
        raise DatabaseUnreachable("no database is given; set POSTGRES_URI or --database to its connection string")
    return found


def stored_types(given: list[str] | None) -> list[str] | None:
    """The names under which the given types may be stored; None for all. Raises typer.BadParameter for unknown ones."""
    if not given:
        return None
    former = {old for name in EVENT_TYPES for old in stored_names(name)}
    for name in given:
        if name not in EVENT_TYPES and name not in former:
            near = get_close_matches(name, EVENT_TYPES, 3, 0.5)
            meant = f"; did you mean {' or '.join(near)}?" if near else "; see: nodeunit events schema"
            raise typer.BadParameter(f"there is no event type {name}{meant}", param_hint="--type")
    return [stored for name in given for stored in stored_names(name)]


Database = Annotated[
    str,
    typer.Option(
        "--database",
        "-d",
        metavar="URL",
        envvar="POSTGRES_URI",
        help="The database, as a libpq URI or keywords and values; a password is better kept in ~/.pgpass.",
        show_default=False,
    ),
]
Since = Annotated[
    Time | None,
    typer.Option("--since", metavar="TIME", parser=parse_time, help=f"From this time on. TIME: {FORMS}."),
]
Until = Annotated[
    Time | None, typer.Option("--until", metavar="TIME", parser=parse_time, help="Before this time; the same forms.")
]
At = Annotated[
    Time | None, typer.Option("--at", metavar="TIME", parser=parse_time, help=f"As of this time. TIME: {FORMS}.")
]
Types = Annotated[
    list[str] | None, typer.Option("--type", metavar="TYPE", help="Only this type; may be given several times.")
]
Archives = Annotated[
    list[Path] | None,
    typer.Option(
        "--archive",
        metavar="FILE",
        help="Read this archive file instead of the live log; may be given several times, oldest first.",
    ),
]
Timeout = Annotated[
    timedelta, typer.Option("--timeout", metavar="LENGTH", parser=parse_length, help="How long to wait: 30s, 5m, 1h.")
]
NoHeaders = Annotated[bool, typer.Option("--no-headers", help="No line with the names of the columns.")]
SortBy = Annotated[
    str,
    typer.Option("--sort-by", metavar="FIELD", help="A field of the items, as -o json has them; -FIELD descending."),
]
OutputFormat = Annotated[Format, typer.Option("--output", "-o", help="The format.")]
Deployment = Annotated[
    str,
    typer.Argument(metavar="DEPLOYMENT", help="Its name, package or id, or a unique beginning.", show_default=False),
]
DeploymentOption = Annotated[
    str,
    typer.Option("--deployment", metavar="DEPLOYMENT", help="Of one: name, package or id, or a unique beginning."),
]
Unit = Annotated[
    str, typer.Argument(metavar="UNIT", help="Name or address of the unit, or the beginning of the address.")
]
UnitOption = Annotated[
    str,
    typer.Option("--unit", metavar="UNIT", help="Of one unit: its name, or its address or the beginning of it."),
]


async def event_filter(
    connection: Connection, types: list[str] | None, since: Time | None, until: Time | None, deployment: str, unit: str
) -> EventFilter:
    """The filter that the options mean. Raises DeploymentUnknown and UnitUnknown."""
    first, last = await resolve_stretch(since, until, connection)
    return EventFilter(
        since=first,
        until=last,
        types=types,
        deployment_id=await lookup.find_deployment(connection, deployment) if deployment else None,
        unit_address=(await lookup.find_unit(connection, unit)).address if unit else None,
    )

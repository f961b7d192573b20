"""The options and arguments that several verbs share, and the meaning of their values.

One convention for all verbs: a period is `--since TIME` (from then on) and `--until TIME` (before then), a point in
time is `--at TIME`, and every TIME takes the same forms. A file that is read or written is `--<what it is> FILE`.
"""

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from nodeunit.audit.wording import local_time
from nodeunit.cli.output.render import Format
from nodeunit.errors import DatabaseUnreachable, TimeNotInLog
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import fleet, lookup

FORMS = "ISO 8601, local time without an offset, or so long ago: 30s, 5m, 2h, 1d"
"""How a TIME may be written, for the help of options."""

_AGO = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Time(NamedTuple):
    """A time, or how long ago by the database's clock."""

    at: datetime | None
    ago: timedelta = timedelta()


def parse_time(text: str) -> Time:
    """Parses a TIME. Raises typer.BadParameter, a usage error with exit code 2."""
    if match := _AGO.fullmatch(text.strip()):
        return Time(None, timedelta(**{_UNITS[match["unit"]]: float(match["number"])}))
    try:
        return Time(datetime.fromisoformat(text.strip()).astimezone())
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is not a time; give {FORMS}") from None


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
    """The conninfo. Raises DatabaseUnreachable if there is none."""
    if not database:
        raise DatabaseUnreachable("no database is given; set POSTGRES_URI or --database to its connection string")
    return database


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
Archives = Annotated[
    list[Path] | None,
    typer.Option(
        "--archive",
        metavar="FILE",
        help="Read this archive file instead of the live log; may be given several times, oldest first.",
    ),
]
OutputFormat = Annotated[Format, typer.Option("--output", "-o", help="The format.")]
Deployment = Annotated[
    str,
    typer.Argument(metavar="DEPLOYMENT", help="The id of the deployment, or the beginning of it.", show_default=False),
]
DeploymentOption = Annotated[
    str, typer.Option("--deployment", metavar="ID", help="Of one deployment: its id, or the beginning of it.")
]
Unit = Annotated[
    str, typer.Argument(metavar="UNIT", help="Name or address of the unit, or the beginning of the address.")
]
UnitOption = Annotated[
    str,
    typer.Option("--unit", metavar="UNIT", help="Of one unit: its name, or its address or the beginning of it."),
]

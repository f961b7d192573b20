"""Moments on the command line: ISO 8601, or so long ago."""

import re
from datetime import datetime, timedelta
from typing import NamedTuple

import typer

from nodeunit.store.read import fleet
from nodeunit.store.read.search import Connection

_AGO = re.compile(r"(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

FORMS = "ISO 8601, local time without an offset, or so long ago: 30s, 5m, 2h, 1d"
"""For the help of options."""


class When(NamedTuple):
    """What was given: a moment, or how long ago by the database's clock."""

    at: datetime | None
    ago: timedelta = timedelta()


def when(text: str) -> When:
    """Reads a moment. Raises typer.BadParameter, the wrong call of exit code 2."""
    if match := _AGO.fullmatch(text.strip()):
        return When(None, timedelta(**{_UNITS[match["unit"]]: float(match["number"])}))
    try:
        return When(datetime.fromisoformat(text.strip()).astimezone())
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no moment; give {FORMS}") from None


async def resolve(given: When | None, connection: Connection) -> datetime | None:
    """The moment in question. What was long ago counts from the database's now."""
    if given is None or given.at is not None:
        return given and given.at
    return await fleet.now(connection) - given.ago

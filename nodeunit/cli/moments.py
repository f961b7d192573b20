"""The one way to say a moment or a length of time, for every option of every verb.

    30s 5m 2h 1d                  so long ago
    10:00  10:00:30               today
    yesterday 10:00               or today 10:00
    2026-11-25 10:00              or with T, or the date alone for its beginning

Local time, unless a zone follows: Z, +02:00 or Europe/Berlin.
"""

import re
from datetime import datetime, time, timedelta, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo

import typer

FORMS = "30s, 5m, 2h or 1d ago, 10:00, yesterday 10:00 or 2026-11-25T10:00, in local time or with Z, +02:00 or a zone"
"""How a TIME may be written, for the help of options."""

_LENGTH = re.compile(r"(?P<number>\d{1,9}(?:\.\d{1,9})?)(?P<unit>ms|[smhd])")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ZONE = re.compile(r"(?P<rest>.*?)\s+(?P<zone>[A-Za-z]+(?:[/_+-][A-Za-z0-9_+-]+)*)")
_OF_DAY = re.compile(
    r"(?:(?P<day>yesterday|today)\s+)?(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)"
    r"(?P<offset>Z|[+-]\d{2}:\d{2})?"
)
LONGEST = timedelta(days=36525)
"""A length beyond this is a slip, and would lead out of the calendar."""


class Time(NamedTuple):
    """A time, or how long ago by the database's clock."""

    at: datetime | None
    ago: timedelta = timedelta()


def parse_time(text: str) -> Time:
    """Parses a TIME. Raises typer.BadParameter, a usage error with exit code 2."""
    try:
        return _parse(text.strip())
    except (ValueError, OverflowError, OSError, KeyError):
        raise typer.BadParameter(f"{text!r} is not a time; give {FORMS}") from None


def parse_length(text: str) -> timedelta:
    """Parses a length of time: 500ms, 10s, 1m, 2h, 1d. Raises typer.BadParameter for anything else, and for none."""
    match = _LENGTH.fullmatch(text.strip())
    length = _length(match) if match else timedelta()
    if not length:
        raise typer.BadParameter(f"{text!r} is not a length of time; write it like 10s, 1m or 1h")
    return length


def _length(match: re.Match[str]) -> timedelta:
    try:
        length = timedelta(**{_UNITS[match["unit"]]: float(match["number"])})
    except OverflowError:
        return timedelta()
    return length if length <= LONGEST else timedelta()


def _parse(text: str) -> Time:
    if (match := _LENGTH.fullmatch(text)) and match["unit"] != "ms":
        if float(match["number"]) and not _length(match):
            raise ValueError(text)
        return Time(None, _length(match))
    zone: tzinfo | None = None
    if (named := _ZONE.fullmatch(text)) and named["rest"] not in ("", "today", "yesterday"):
        text, zone = named["rest"], ZoneInfo(named["zone"])
    if match := _OF_DAY.fullmatch(text):
        if match["offset"]:
            zone = datetime.fromisoformat(f"2000-01-01T00:00{match['offset']}").tzinfo
        day = datetime.now(zone).date() - timedelta(days=match["day"] == "yesterday")
        hour, _, rest = match["time"].partition(":")
        at = datetime.combine(day, time.fromisoformat(f"{hour:0>2}:{rest}"), zone)
    else:
        at = datetime.fromisoformat(text)
        at = at if at.tzinfo else at.replace(tzinfo=zone)
    return Time(at.astimezone())

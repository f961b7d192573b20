"""Every way to say a moment, and what is refused."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import typer

from nodeunit.cli.moments import Time, parse_length, parse_time

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-25T10:00Z", datetime(2026, 11, 25, 10, tzinfo=UTC)),
        ("2026-11-25 10:00+02:00", datetime(2026, 11, 25, 8, tzinfo=UTC)),
        ("2026-11-25T10:00 Europe/Berlin", datetime(2026, 11, 25, 10, tzinfo=BERLIN)),
        ("2026-11-25 10:00:30.5 UTC", datetime(2026, 11, 25, 10, 0, 30, 500_000, tzinfo=UTC)),
        ("2026-11-25T10:00", datetime(2026, 11, 25, 10).astimezone()),
        ("2026-11-25", datetime(2026, 11, 25).astimezone()),
    ],
)
def test_a_date_and_time(text: str, at: datetime) -> None:
    assert parse_time(text) == Time(at)


def test_a_time_of_day_is_of_today_and_yesterday_is_the_day_before() -> None:
    for zone, written in ((None, ""), (UTC, "Z"), (BERLIN, " Europe/Berlin")):
        today = datetime.now(zone).date()
        at = parse_time(f"9:05{written}").at
        assert at is not None
        there = at.astimezone(zone)
        assert (there.date() - today, there.hour, there.minute) == (timedelta(), 9, 5)
        before = parse_time(f"yesterday 10:00:30{written}").at
        assert before is not None
        assert before.astimezone(zone).date() - today == timedelta(days=-1)
        assert parse_time(f"today 9:05{written}") == parse_time(f"9:05{written}")


@pytest.mark.parametrize(("text", "ago"), [("30s", 30), ("5m", 300), ("1.5h", 5400), ("1d", 86400)])
def test_so_long_ago(text: str, ago: float) -> None:
    assert parse_time(text) == Time(None, timedelta(seconds=ago))
    assert parse_length(text) == timedelta(seconds=ago)


@pytest.mark.parametrize(
    "text",
    [
        "soon",
        "yesterday",
        "",
        "25:00",
        "10",
        "2026-13-01",
        "10:00 Nowhere/City",
        "999999999d",
        "-5m",
        "5 m",
        "10:00 ../etc",
    ],
)
def test_what_is_not_a_moment(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time"):
        parse_time(text)


@pytest.mark.parametrize("text", ["0s", "5", "m", "10:00", "999999999d" * 2])
def test_what_is_not_a_length(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a length"):
        parse_length(text)

"""Rows, moments and events for people and for programs."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import typer

from nodeunit.audit.wording import describe, program_sentence
from nodeunit.cli.moments import Time, parse_time
from nodeunit.cli.output import render
from nodeunit.cli.output.render import Column, Format
from nodeunit.domain.event_json import decode
from nodeunit.domain.events import EVENT_TYPES, Unknown
from nodeunit.store.read.event_log import RecordedEvent

GOLDEN = [json.loads(line) for line in (Path(__file__).parent / "vectors" / "events.jsonl").read_text().splitlines()]

COLUMNS: list[Column[dict[str, Any]]] = [
    Column("name", lambda row: row["name"]),
    Column("count", lambda row: row["count"], right=True),
    Column("note", lambda row: row.get("note"), wide=True),
]
ROWS: list[dict[str, Any]] = [{"name": "a", "count": 1}, {"name": "long\x1b[2J", "count": 100, "note": "x"}]


def test_lines_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    render.show(COLUMNS, ROWS, Format.TABLE)
    assert capsys.readouterr().out == "NAME      COUNT\na             1\nlong\ufffd[2J    100\n"
    render.show(COLUMNS, ROWS, Format.WIDE)
    assert capsys.readouterr().out.splitlines()[0] == "NAME      COUNT  NOTE"


def test_a_table_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "is_terminal", lambda: True)
    render.show(COLUMNS, ROWS, Format.TABLE)
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()][1] == ["a", "1"]
    assert "\x1b[2J" not in out


def test_formats_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    render.show(COLUMNS, ROWS, Format.JSONL)
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == ROWS
    render.show(COLUMNS, ROWS, Format.JSON)
    assert json.loads(capsys.readouterr().out) == ROWS
    value = {"units": [{"name": "yes", "rows": [], "on": None}, {"deep": {"er": [1, [2.5, "a: b"]]}}], "more": True}
    render.document(value, Format.YAML)
    assert capsys.readouterr().out == (
        'units:\n  - name: "yes"\n    rows: []\n    "on": null\n  - deep:\n      er:\n        - 1\n'
        '        - - 2.5\n          - "a: b"\nmore: true\n'
    )


@pytest.mark.parametrize(
    ("text", "ago"), [("30s", timedelta(seconds=30)), ("5m", timedelta(minutes=5)), ("1.5h", timedelta(minutes=90))]
)
def test_so_long_ago(text: str, ago: timedelta) -> None:
    assert parse_time(text) == Time(None, ago)


def test_iso_moments() -> None:
    at = datetime(2026, 1, 16, 7, 52, 50, tzinfo=UTC)
    assert parse_time("2026-01-16T15:52:50+08:00") == Time(at)
    assert parse_time("2026-01-16 07:52:50Z") == Time(at)
    local = parse_time("2026-01-16T15:52:50").at
    assert local is not None
    assert local == datetime(2026, 1, 16, 15, 52, 50).astimezone()


@pytest.mark.parametrize("text", ["", "yesterday", "5", "-5m", "5 minutes", "2026-13-01", "0001-01-01T00:00:00"])
def test_no_moments(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        parse_time(text)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["type"])
def test_every_event_is_told_in_one_line(golden: dict[str, Any]) -> None:
    event = decode(golden["type"], json.dumps(golden["data"]), golden["schema_version"])
    words = describe(event, {})
    assert "\n" not in words
    assert len(words) < 400
    assert words or type(event).__name__ in ("UnitLeft", "UnitDraining", "UnitDrained", "DecisionsSnapshot")


def test_an_unknown_event_shows_its_data() -> None:
    assert describe(Unknown("DeploymentPromoted", {"to": "production"}), {}) == '{"to":"production"}'
    assert set(EVENT_TYPES) <= {golden["type"] for golden in GOLDEN}


def test_what_became_of_a_program_that_was_killed() -> None:
    data = (
        '{"deployment_id":"00000000-0000-0000-0000-000000000001","pid":7,"exit_code":null,"signal":9,'
        '"ran_s":61.5,"reason":"stopped","detail":""}'
    )
    ended = RecordedEvent(
        1, datetime(2026, 1, 1, tzinfo=UTC), 1, UUID(int=1), "s", 1, "ProcessExited", UUID(int=1), "u", 1, data
    )
    assert program_sentence([ended]).endswith(": stopped, signal 9, after 61.5 s")
    assert program_sentence([]) == "not started yet"

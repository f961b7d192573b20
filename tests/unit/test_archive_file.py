"""The file of an archive: what it holds comes back, and every kind of damage is found and named."""

import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from nodeunit.audit.archive import read_archive, verify_file
from nodeunit.audit.archive_file import Header, Writer
from nodeunit.errors import InputFileInvalid

AT = datetime(2026, 1, 16, 15, 52, 50, 542000, tzinfo=UTC)
HEADER = Header(
    database="fleet", requested=AT, before=AT, events=5, first_position=1, last_position=5, first_recorded_at=AT,
    last_recorded_at=AT, digest=-7, written_at=AT, written_by="nodeunit 0.1.0", earlier=[],
)  # fmt: skip


def line(position: int) -> bytes:
    return (
        b'{"position":%d,"recorded_at":"2026-01-16T15:52:50.542+00:00","transaction_id":%d,'
        b'"event_id":"044142ec-6580-404f-96f9-f4695721acde","stream_id":"decision-a-1","stream_version":%d,'
        b'"type":"DeploymentPromoted","deployment_id":null,"unit_address":"a","schema_version":1,'
        b'"data":{"to": "\\u00e9\\n", "n": %d}}\n' % (position, position + 100, position, position)
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "a.gz"
    with written.open("wb") as file:
        writer = Writer(file, HEADER)
        writer.block([line(1), line(2), line(3)])
        writer.block([line(4), line(5)])
        writer.end()
    return written


def members(path: Path) -> list[bytes]:
    """The file in its gzip members: header, blocks, end."""
    content, starts = path.read_bytes(), []
    at = content.find(b"\x1f\x8b\x08")
    while at >= 0:
        starts.append(at)
        at = content.find(b"\x1f\x8b\x08", at + 1)
    return [content[a:b] for a, b in zip(starts, [*starts[1:], len(content)], strict=True)]


def test_what_was_written_comes_back(path: Path) -> None:
    header, sha256 = verify_file(path)
    assert header == HEADER
    events = list(read_archive(path))
    assert [event.position for event in events] == [1, 2, 3, 4, 5]
    assert (events[0].recorded_at, events[0].transaction_id) == (AT, 101)
    assert msgspec.json.decode(events[4].data) == {"to": "é\n", "n": 5}
    assert events[4].data == '{"to": "\\u00e9\\n", "n": 5}'
    *lines, last = gzip.decompress(path.read_bytes()).splitlines(keepends=True)
    assert sha256 == hashlib.sha256(b"".join(lines)).hexdigest()
    assert msgspec.json.decode(last) == {"end": True, "blocks": 2, "events": 5, "sha256": sha256}


def test_every_byte_counts(path: Path) -> None:
    content = path.read_bytes()
    for at in range(0, len(content), 7):
        # The ten bytes before a gzip member hold a time and an operating system, which say nothing.
        damaged = content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]
        path.write_bytes(damaged)
        try:
            found = list(read_archive(path))
        except InputFileInvalid:
            continue
        assert len(found) == 5, at
        assert gzip.decompress(damaged) == gzip.decompress(content)


def test_every_cut_counts(path: Path) -> None:
    content = path.read_bytes()
    for length in range(0, len(content) - 1, 5):
        path.write_bytes(content[:length])
        with pytest.raises(InputFileInvalid, match="is not a readable archive"):
            list(read_archive(path))


def test_what_stands_before_the_damage_can_be_read(path: Path) -> None:
    header, first, _second, end = members(path)
    path.write_bytes(header + first + end)
    events = read_archive(path)
    assert [next(events).position for _ in range(3)] == [1, 2, 3]
    with pytest.raises(InputFileInvalid, match="last line does not match the rest"):
        next(events)


def test_a_swapped_block_is_found(path: Path) -> None:
    header, first, second, end = members(path)
    path.write_bytes(header + second + first + end)
    with pytest.raises(InputFileInvalid, match="block 1 does not match its checksum"):
        list(read_archive(path))


def test_an_edited_line_is_found(path: Path) -> None:
    text = gzip.decompress(path.read_bytes()).replace(b'"n": 2', b'"n": 9')
    path.write_bytes(gzip.compress(text))
    with pytest.raises(InputFileInvalid, match="block 1 does not match its checksum"):
        list(read_archive(path))


def test_what_follows_the_end_is_found(path: Path) -> None:
    path.write_bytes(path.read_bytes() + gzip.compress(b"more\n"))
    with pytest.raises(InputFileInvalid, match="more data follows its last line"):
        list(read_archive(path))


@pytest.mark.parametrize(
    ("first", "message"),
    [
        (b"", "no header"),
        (b"not json", "no header"),
        (b'{"format":"tar"}', "no header"),
        (b'{"format":"nodeunit archive","version":2}', "a later version wrote it"),
        (b'{"format":"nodeunit archive","version":1}', "a line is invalid"),
    ],
)
def test_something_else_is_refused(tmp_path: Path, first: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(gzip.compress(first + b"\n"))
    with pytest.raises(InputFileInvalid, match=message):
        list(read_archive(tmp_path / "x"))
    (tmp_path / "x").write_bytes(first)
    with pytest.raises(InputFileInvalid, match="is not a readable archive"):
        list(read_archive(tmp_path / "x"))

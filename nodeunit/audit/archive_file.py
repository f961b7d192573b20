"""The file of an archive: gzipped JSON, one object per line; `zcat FILE` shows all of it.

    {"format": "nodeunit archive", "version": 1, ...}       what this is, of which part of the log, and each column
    {"position": 1, ..., "data": {...}}                     the events, in the order of commits
    {"block": 1, "events": 2000, "sha256": "..."}           after so many events: the SHA-256 of their lines
    ...
    {"end": true, "blocks": 9, "events": 17230, "sha256": "..."}    of all lines before this one

The last checksum is what `zcat FILE | head -n -1 | sha256sum` prints, and what the LogArchived event has. Each block is
a gzip member: damage is found at its block, and what comes before it can be read.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, TypeVar
from uuid import UUID

import msgspec

from nodeunit.errors import InputFileInvalid

FORMAT = "nodeunit archive"
VERSION = 1
BLOCK_EVENTS = 2000
COMPRESSION = 6

COLUMNS = {
    "position": "taken from a counter when the event was written",
    "recorded_at": "the database's clock",
    "transaction_id": "the writer's; (transaction_id, position) is the order of commits",
    "event_id": "made by the writer",
    "stream_id": "assignment-, deployment- or unit-<id>, decision-<unit>-<epoch>, log",
    "stream_version": "1, 2, 3 ... in each stream",
    "type": "what data is; nodeunit events schema prints the JSON Schema of each",
    "deployment_id": "the deployment concerned, or null",
    "unit_address": "the unit that wrote it or that it concerns, or empty",
    "schema_version": "of data",
    "data": "what was decided",
}


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    format: str = FORMAT
    version: int = VERSION
    database: str
    requested: datetime
    """The time before which events were to be archived; the cut may be earlier."""
    before: datetime
    """Every event of the log recorded before this time is in this file or an earlier one."""
    events: int
    first_position: int
    last_position: int
    first_recorded_at: datetime
    last_recorded_at: datetime
    digest: int
    """The digest of the rows as they were in the database."""
    written_at: datetime
    written_by: str
    earlier: list[str]
    """SHA-256 of the archives before this one, oldest first."""
    columns: dict[str, str] = msgspec.field(default_factory=lambda: COLUMNS)


class _Block(msgspec.Struct, frozen=True):
    block: int
    events: int
    sha256: str


class _End(msgspec.Struct, frozen=True):
    end: bool
    blocks: int
    events: int
    sha256: str


class ArchivedRow(msgspec.Struct, frozen=True):
    """A line with an event; `data` is its JSON, unchanged."""

    position: int
    recorded_at: datetime
    transaction_id: int
    event_id: UUID
    stream_id: str
    stream_version: int
    type: str
    deployment_id: UUID | None
    unit_address: str
    schema_version: int
    data: msgspec.Raw


_ROWS = msgspec.json.Decoder(ArchivedRow)


Line = TypeVar("Line", Header, _Block, _End)


class Writer:
    """Writes the lines of one file: the header, blocks, the end."""

    def __init__(self, file: BinaryIO, header: Header) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self._blocks = 0
        self._events = 0
        self._put(msgspec.json.encode(header) + b"\n")

    def block(self, lines: list[bytes]) -> None:
        """Writes the next events, each with its newline."""
        content = b"".join(lines)
        self._blocks += 1
        self._events += len(lines)
        check = _Block(self._blocks, len(lines), hashlib.sha256(content).hexdigest())
        self._put(content + msgspec.json.encode(check) + b"\n")

    def end(self) -> str:
        """Writes the last line. Returns its checksum."""
        sha256 = self._sha256.hexdigest()
        self._put(msgspec.json.encode(_End(True, self._blocks, self._events, sha256)) + b"\n")
        return sha256

    def _put(self, content: bytes) -> None:
        self._sha256.update(content)
        # Without name and time, so that the same events give the same bytes.
        self._file.write(gzip.compress(content, COMPRESSION, mtime=0))


class Reader:
    """Reads a file block by block, and checks each block before it returns events of it.

    Each method raises InputFileInvalid, with the block, if the file is damaged, incomplete or something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.sha256 = ""
        """The checksum of the file; known once the last block has been read."""
        self._lines = self._read()
        self.header = self._header()

    def rows(self) -> Iterator[list[ArchivedRow]]:
        """The events, a block at a time."""
        whole, lines = hashlib.sha256(self._first), list[bytes]()
        blocks = events = 0
        for line in self._lines:
            if line.startswith(b'{"position"'):
                lines.append(line)
                continue
            if line.startswith(b'{"end"'):
                self._finish(line, _End(True, blocks, events, whole.hexdigest()))
                return
            content = b"".join(lines)
            blocks, events = blocks + 1, events + len(lines)
            if self._decoded(line, _Block) != _Block(blocks, len(lines), hashlib.sha256(content).hexdigest()):
                raise self._invalid(f"block {blocks} does not match its checksum")
            whole.update(content)
            whole.update(line)
            yield self._rows(content, blocks)
            lines.clear()
        raise self._invalid(f"it ends after block {blocks}, without its last line")

    def _finish(self, line: bytes, expected: _End) -> None:
        if self._decoded(line, _End) != expected or expected.events != self.header.events:
            raise self._invalid("its last line does not match the rest")
        if next(self._lines, None) is not None:
            raise self._invalid("more data follows its last line")
        self.sha256 = expected.sha256

    def _header(self) -> Header:
        self._first = next(self._lines, b"")
        try:
            about = msgspec.json.decode(self._first, type=dict[str, msgspec.Raw])
        except msgspec.DecodeError:
            about = {}
        if about.get("format") != msgspec.Raw(msgspec.json.encode(FORMAT)):
            raise self._invalid("it has no header of that format")
        if int(bytes(about.get("version", b"0"))) > VERSION:
            raise self._invalid("a later version wrote it; upgrade nodeunit")
        return self._decoded(self._first, Header)

    def _rows(self, content: bytes, block: int) -> list[ArchivedRow]:
        try:
            return _ROWS.decode_lines(content)
        except msgspec.DecodeError as error:
            raise self._invalid(f"block {block} has invalid events: {error}") from None

    def _decoded(self, line: bytes, kind: type[Line]) -> Line:
        try:
            return msgspec.json.decode(line, type=kind)
        except msgspec.DecodeError as error:
            raise self._invalid(f"a line is invalid: {error}") from None

    def _read(self) -> Iterator[bytes]:
        try:
            with gzip.open(self._path) as file:
                yield from file
        except (OSError, EOFError, zlib.error) as error:
            raise self._invalid(str(error)) from None

    def _invalid(self, what: str) -> InputFileInvalid:
        return InputFileInvalid(f"{self._path} is not a readable archive: {what}")

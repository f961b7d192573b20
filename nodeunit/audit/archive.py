"""Archives the log: moves events before a time to a file; the log continues without them.

The steps; a killed archiver may end after any of them:

    write FILE.partial from one snapshot -> fsync -> read it back and check it -> rename it to FILE -> fsync the folder
    -> in one transaction: compare the log with what was written, append snapshots, drop what is in the file

Before the commit the log is complete and FILE is a copy; a second run recognises the file by the digest of the rows,
and only the transaction is left. After the commit a second run finds the LogArchived event that names this file. A
leftover FILE.partial is overwritten.
"""

import asyncio
import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO

import msgspec

from nodeunit import __version__
from nodeunit.audit.archive_file import BLOCK_EVENTS, Header, Reader, Writer
from nodeunit.domain.snapshot_events import LogArchived
from nodeunit.errors import InputFileInvalid
from nodeunit.store.read.archive import Archiver, Extent, LogSnapshot, archiving
from nodeunit.store.read.event_log import RecordedEvent


class Archived(msgspec.Struct, frozen=True):
    """What an archiver did, or would do."""

    requested: datetime
    extent: Extent | None
    """None if nothing before that time can be archived."""
    sha256: str = ""
    snapshots: int = 0
    """The number of remaining streams."""
    bytes: int = 0
    """Size of the file."""
    already: bool = False
    """Whether an earlier run had completed."""
    whole_chunks: bool = False
    """Whether the log is a hypertable, whose cut is the end of a chunk."""


def read_archive(path: str | Path) -> Iterator[RecordedEvent]:
    """The events of a file, in the order of commits, checked block by block; memory does not grow with the file.

    Raises InputFileInvalid if the file is damaged, incomplete or something else; the events returned before are sound.
    """
    for rows in Reader(Path(path)).rows():
        for row in rows:
            yield RecordedEvent(
                row.position,
                row.recorded_at,
                row.transaction_id,
                row.event_id,
                row.stream_id,
                row.stream_version,
                row.type,
                row.deployment_id,
                row.unit_address,
                row.schema_version,
                bytes(row.data).decode(),
            )


def verify_file(path: Path) -> tuple[Header, str]:
    """Reads all of a file and checks it. Returns its header and its checksum. Raises InputFileInvalid."""
    reader = Reader(path)
    for _ in reader.rows():
        pass
    return reader.header, reader.sha256


Before = datetime | timedelta
"""A time, or how long ago by the database's clock."""


async def plan(conninfo: str, before: Before) -> Archived:
    """What `archive` would take. Nothing is written."""
    async with archiving(conninfo) as archiver, archiver.snapshot() as log:
        requested = archiver.moment(before)
        return Archived(requested, await log.extent(requested), whole_chunks=archiver.hypertable)


async def archive(
    conninfo: str, before: Before, path: Path, *, at_step: Callable[[str], None] = lambda step: None
) -> Archived:
    """Moves the events recorded before a time to a file. May be interrupted at any step and run again.

    Raises InputFileInvalid if the file exists with other content, DatabaseError if another archiver runs or events were
    written before the cut meanwhile, and what connecting raises. `at_step` gets each completed step.
    """
    async with archiving(conninfo) as archiver:
        requested = archiver.moment(before)
        last = await archiver.last()
        if (found := await asyncio.to_thread(_found, path)) is not None:
            header, sha256 = found
            extent = _extent_of(header)
            async with archiver.snapshot() as log:
                if sha256 in _checksums(last):
                    if requested <= header.requested or await log.extent(requested) is None:
                        return Archived(requested, extent, sha256, 0, _size(path), True, archiver.hypertable)
                    raise InputFileInvalid(f"{path} is an earlier archive, until {header.before}; give another name")
                if await log.extent_of_file(header.before) != extent:
                    raise InputFileInvalid(f"{path} exists and contains other events; give another name")
        else:
            async with archiver.snapshot() as log:
                new = await log.extent(requested)
                if new is None:
                    return Archived(requested, None, whole_chunks=archiver.hypertable)
                extent = new
                at_step("planned")
                sha256 = await _write(log, extent, _header(archiver, requested, extent, last), path, at_step)
        _sync(path)
        _sync(path.parent)
        at_step("folder synced")
        snapshots = await archiver.switch(extent, path.name, sha256, at_step)
        return Archived(requested, extent, sha256, snapshots, _size(path), False, archiver.hypertable)


def _found(path: Path) -> tuple[Header, str] | None:
    return verify_file(path) if path.exists() else None


async def _write(log: LogSnapshot, extent: Extent, header: Header, path: Path, at_step: Callable[[str], None]) -> str:
    partial = path.with_name(f"{path.name}.partial")
    with _alone(partial) as file:
        writer = Writer(file, header)
        at_step("begun")
        lines: list[bytes] = []
        async with aclosing(log.lines(extent)) as events:
            async for line in events:
                lines.append(line)
                if len(lines) == BLOCK_EVENTS:
                    await asyncio.to_thread(writer.block, lines)  # while the server makes the next one
                    lines = []
                    at_step("block written")
        if lines:
            writer.block(lines)
            at_step("block written")
        sha256 = writer.end()
        at_step("written")
        file.flush()
        os.fsync(file.fileno())
        at_step("synced")
        if await asyncio.to_thread(verify_file, partial) != (header, sha256):
            raise InputFileInvalid(f"{partial} reads back differently from what was written; check the disk")
        at_step("verified")
        partial.rename(path)
        at_step("renamed")
    return sha256


@contextmanager
def _alone(partial: Path) -> Iterator[BinaryIO]:
    """The empty file to write to, locked against other archivers. Raises InputFileInvalid, also if the disk is full."""
    try:
        with partial.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.truncate(0)
            yield file
    except BlockingIOError:
        raise InputFileInvalid(f"another archiver is writing {partial}; give another name") from None
    except OSError as error:
        raise InputFileInvalid(f"{partial} cannot be written: {error.strerror}; give another name") from error


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(path: Path) -> int:
    return path.stat().st_size


def _checksums(last: LogArchived | None) -> list[str]:
    return [] if last is None else [*(earlier["sha256"] for earlier in last.earlier), last.sha256]


def _header(archiver: Archiver, requested: datetime, extent: Extent, last: LogArchived | None) -> Header:
    return Header(
        database=archiver.database,
        requested=requested,
        written_at=archiver.now,
        written_by=f"nodeunit {__version__}",
        earlier=_checksums(last),
        **msgspec.structs.asdict(extent),
    )


def _extent_of(header: Header) -> Extent:
    return Extent(**{name: getattr(header, name) for name in Extent.__struct_fields__})

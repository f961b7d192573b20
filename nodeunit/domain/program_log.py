"""What a reader asks of the log of a program, and what a unit sends: pieces with their positions, and marks of runs.

A position counts the bytes from the beginning of a program's log on one unit. It stays the same when files are rotated.
"""

from datetime import datetime
from uuid import UUID

import msgspec

PIECE_BYTES = 64 * 1024
"""The most bytes of a piece, as the constraint `log_piece_is_at_most_64_kib` has it."""

PIECES_AHEAD = 4
"""A unit sends so many pieces before the reader has confirmed the first (`log_piece_is_one_of_4_on_their_way`)."""

SLICE_BYTES = 128 * 1024
"""The most bytes of a slice that is read by its offset."""


class LogQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Where to begin, and where to end. One of `tail`, `since`, `first_byte` and `previous` is given."""

    tail: int | None = None
    """The number of the last lines."""
    since: datetime | None = None
    first_byte: int | None = None
    """A position; negative: counted from the end."""
    bytes: int | None = None
    """The most bytes; None: no limit."""
    previous: bool = False
    """The run before the newest, as a whole."""
    follow: bool = False
    """Go on with what is written later."""

    def beginning_at(self, since: datetime | None) -> "LogQuery":
        """The same from a time on, if there is one."""
        return self if since is None else msgspec.structs.replace(self, tail=None, since=since)


class RunMark(msgspec.Struct, frozen=True, array_like=True):
    """A run begins or has ended at a position."""

    position: int
    at: float
    """Seconds since 1970 by the clock of the unit's machine."""
    begins: bool
    pid: int
    detail: str
    """The version of the claim if it begins; otherwise how it ended: `exit 1`, `signal 9` or `not started`."""


class LogPiece(msgspec.Struct, frozen=True):
    """A piece of a log on its way. The bytes between the end of the last piece and `position` are not in the log any
    more."""

    number: int
    position: int
    data: bytes
    marks: list[RunMark]


class LogRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a unit; `serve_logs` in the schema explains the fields."""

    request_id: UUID
    deployment_id: UUID
    tail: int | None
    since_s: float | None
    first_byte: int | None
    bytes: int | None
    previous: bool
    follow: bool
    holds: bool
    is_first: bool
    claim_version: int
    position: int | None
    next_number: int
    confirmed: int


class LogProgress(msgspec.Struct, frozen=True):
    """How far a unit is with a request."""

    request_id: UUID
    position: int | None
    next_number: int
    finished: bool
    problem: str


class SentLog(msgspec.Struct, frozen=True):
    """What a reader sees of one unit for a request; `read_log` in the schema explains the fields."""

    request_id: UUID
    unit_address: str
    holds: bool
    answers: bool
    finished: bool
    problem: str
    pieces: list[LogPiece]

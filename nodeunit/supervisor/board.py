"""What the guard must know, in memory that it shares with the supervisor: the lease, and who must stop with it.

A pipe would have to be read and could be full; here the guard finds the last word at any time, also when the supervisor
was frozen in the middle of writing: there are two pages, one is written while the other is valid, and one byte, written
last, says which.
"""

import mmap
import struct
from typing import NamedTuple

_HEAD = struct.Struct("=dI")  # when the lease expires, length of the text
_PAGE_BYTES = 2 * 1024 * 1024


class Bound(NamedTuple):
    """A program that must stop with the lease. pid and start time are 0 while it is being forked."""

    pid: int
    start_time: int
    key: str


class Notice(NamedTuple):
    """`expires` in seconds of CLOCK_BOOTTIME."""

    expires: float
    programs: tuple[Bound, ...]


class Board:
    """Made before the fork; the supervisor posts, the guard reads. Memory is used only as far as it is written."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, 1 + 2 * _PAGE_BYTES)

    def post(self, notice: Notice) -> None:
        """Raises ValueError for more text than a page holds: some twenty thousand programs."""
        text = "\n".join(f"{program.pid} {program.start_time} {program.key}" for program in notice.programs).encode()
        if _HEAD.size + len(text) > _PAGE_BYTES:
            raise ValueError(f"{len(notice.programs)} programs are more than the guard can watch")
        page = 1 - self._memory[0]
        start = 1 + page * _PAGE_BYTES
        _HEAD.pack_into(self._memory, start, notice.expires, len(text))
        self._memory[start + _HEAD.size : start + _HEAD.size + len(text)] = text
        self._memory[0] = page

    def read(self) -> Notice:
        while True:
            page = self._memory[0]
            start = 1 + page * _PAGE_BYTES
            expires, length = _HEAD.unpack_from(self._memory, start)
            text = self._memory[start + _HEAD.size : start + _HEAD.size + length]
            if self._memory[0] == page:
                break
        fields = (line.split(" ", 2) for line in text.decode().splitlines())
        return Notice(expires, tuple(Bound(int(pid), int(start_time), key) for pid, start_time, key in fields))

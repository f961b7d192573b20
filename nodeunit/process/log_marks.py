"""What the text of a log does not say: where each file stands in the whole log, when it was written, and by which run.

A position counts the bytes from the beginning of the log, so it stays the same when files are renamed or compressed.
`KEY.log.marks` has a line for each mark: kind, position, time (seconds since 1970), a number, and a detail.

    F  a file begins; the number is its inode, because its name changes
    T  from here on written at this time or later; `t` if marks between this and the next were left out
    S  a run begins: its pid and the version of its claim
    E  a run has ended: its pid and how

Only the log writer writes it, which is one process. Standard library only, because the supervisor imports this.
"""

import os
import re
from collections.abc import Iterable
from typing import NamedTuple

FILE, TIME, ABOUT, START, END = "F", "T", "t", "S", "E"

MOST_BYTES = 128 * 1024
"""When the marks are larger, the older ones are thinned out: times of long ago need not be exact to the second."""

_LINE = re.compile(rb"([FTtSE]) (\d+) (\d+\.\d+) (\d+) ?([\w ]*)")


class Mark(NamedTuple):
    """One mark. `at` is in seconds since 1970 by the clock of the machine."""

    kind: str
    position: int
    at: float
    number: int = 0
    detail: str = ""

    def line(self) -> bytes:
        return f"{self.kind} {self.position} {self.at:.6f} {self.number} {self.detail}".rstrip().encode() + b"\n"


def parse(data: bytes) -> list[Mark]:
    """The marks in whole lines; what is no mark, as after a full disk, is left out."""
    found = (_LINE.fullmatch(line) for line in data.split(b"\n"))
    return [Mark(m[1].decode(), int(m[2]), float(m[3]), int(m[4]), m[5].decode(errors="replace")) for m in found if m]


class LogMarks:
    """The writer's side. Raises nothing: a log without marks is still a log."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._size: int | None = None

    def read(self) -> list[Mark]:
        try:
            with open(self.path, "rb") as file:
                return parse(file.read())
        except OSError:
            return []

    def add(self, *marks: Mark) -> None:
        """Appends marks, and thins them out when there are too many."""
        data = b"".join(mark.line() for mark in marks)
        try:
            fd = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            try:
                os.write(fd, data)
                self._size = os.fstat(fd).st_size
            finally:
                os.close(fd)
        except OSError:
            return
        if self._size > MOST_BYTES:
            self._replace(thinned(self.read()))

    def keep_only(self, inodes: Iterable[int]) -> None:
        """Forgets files that are gone, and what was before the first of those that remain. The newest start of a run
        stays, because that run may go on."""
        there, marks = set(inodes), self.read()
        first = min((mark.position for mark in marks if mark.kind == FILE and mark.number in there), default=0)
        newest = max((number for number, mark in enumerate(marks) if mark.kind == START), default=-1)
        kept = [
            mark
            for number, mark in enumerate(marks)
            if number == newest or (mark.number in there if mark.kind == FILE else mark.position >= first)
        ]
        if len(kept) < len(marks):
            self._replace(kept)

    def file_is_also(self, inode: int, copy: int) -> None:
        """The text of one file is now in another as well, as when it was compressed."""
        for mark in reversed(self.read()):
            if mark.kind == FILE and mark.number == inode:
                self.add(mark._replace(number=copy))
                return

    def _replace(self, marks: list[Mark]) -> None:
        # Readers have the file open, so it is replaced as a whole.
        unfinished = f"{self.path}.unfinished"
        try:
            with open(unfinished, "wb") as file:
                os.fchmod(file.fileno(), 0o640)
                file.write(b"".join(mark.line() for mark in marks))
            os.replace(unfinished, self.path)
        except OSError:
            pass


def thinned(marks: list[Mark]) -> list[Mark]:
    """Every second time of the older half is left out; of the rest the older half, if that is not enough."""
    times = [number for number, mark in enumerate(marks) if mark.kind in (TIME, ABOUT)]
    left_out = set(times[1 : len(times) // 2 : 2])
    approximate = set(times[0 : len(times) // 2 : 2])
    kept = [
        mark._replace(kind=ABOUT) if number in approximate else mark
        for number, mark in enumerate(marks)
        if number not in left_out
    ]
    if sum(len(mark.line()) for mark in kept) > MOST_BYTES * 9 // 10:
        half = len(kept) // 2
        kept = [mark for mark in kept[:half] if mark.kind == FILE] + kept[half:]
    return kept

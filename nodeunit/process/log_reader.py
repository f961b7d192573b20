"""Reads a program's log by position, across its generations, while another process writes and rotates it.

Files are known by their inodes, which the marks give a position (`log_marks`): a file that is renamed between two calls
is still the same. What was removed in the meantime is skipped, which shows in the position of what follows.
"""

import gzip
import os
import time
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

from nodeunit.process.log_generations import older_files
from nodeunit.process.log_marks import ABOUT, END, FILE, START, Mark, parse
from nodeunit.process.rotating_log import text_size

_LOOK_AGAIN_AFTER_S = (0.0, 0.002, 0.004, 0.008, 0.016)
"""The writer needs so long at most for a rotation, unless it stands still."""

_BLOCK = 64 * 1024


class Text(NamedTuple):
    """A stretch of a log."""

    position: int
    data: bytes


class LogFile:
    """One file of the log, open. Positions are those of the whole log."""

    def __init__(self, file: IO[bytes], begins_at: int, packed: bool) -> None:
        self.begins_at = begins_at
        self.ends_at = begins_at + text_size(file, packed)
        file.seek(0)
        self._file = gzip.GzipFile(fileobj=file, mode="rb") if packed else file
        self._raw = file
        self._packed = packed

    def inode(self) -> int:
        return os.fstat(self._raw.fileno()).st_ino

    def size_now(self) -> int:
        return os.fstat(self._raw.fileno()).st_size

    def read(self, position: int, most: int) -> bytes:
        """What is there at a position; empty at the end. A damaged file ends where the damage begins."""
        try:
            self._file.seek(position - self.begins_at)
            return self._file.read(most)
        except (OSError, EOFError, zlib.error):
            return b""

    def start_of_tail(self, lines: int) -> tuple[int, int]:
        """Where the last lines begin, and how many of them are in this file. A last line may lack its end."""
        found = 0
        for position, count in self._line_ends():
            if found + count >= lines:
                data = self.read(position, _BLOCK)[: self.ends_at - 1 - position]
                ends = [at for at, byte in enumerate(data) if byte == 0x0A]
                return position + ends[found - lines] + 1, lines
            found += count
        return self.begins_at, found + 1 if self.ends_at > self.begins_at else 0

    def _line_ends(self) -> Iterator[tuple[int, int]]:
        """The position of each block, from the last one on, and how many lines end in it and are followed by others."""
        blocks = range(self.begins_at, self.ends_at - 1, _BLOCK)
        counted: list[tuple[int, int]] = []
        for position in blocks if self._packed else reversed(blocks):
            one = position, self.read(position, _BLOCK)[: self.ends_at - 1 - position].count(b"\n")
            if self._packed:  # which cannot be read backwards
                counted.append(one)
            else:
                yield one
        yield from reversed(counted)

    def close(self) -> None:
        self._raw.close()


class LogReader:
    """Not for several threads at once. All methods may wait for the disk."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._marks_file = (0, 0)
        self._marks_read = 0
        self._marks: list[Mark] = []
        self._places: dict[int, int] = {}
        self._file: LogFile | None = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def exists(self) -> bool:
        """Whether there is any file of it."""
        return os.path.exists(self.path) or bool(_older_files(self.path))

    def bounds(self) -> tuple[int, int]:
        """The position of the first byte that is kept, and the position after the last."""
        files = self._open_files()
        try:
            return (files[0].begins_at, files[-1].ends_at) if files else (0, 0)
        finally:
            _close(files)

    def read(self, position: int, most: int) -> Text:
        """The text from a position on, or from the first later one that is kept. Empty: there is no more yet."""
        for _ in range(2):
            file = self._file
            if file is not None and position >= file.begins_at and self._is_in_place(file):
                if data := file.read(position, most):
                    return Text(position, data)
                if self._is_newest(file) and position <= file.begins_at + file.size_now():
                    return Text(position, b"")
            self._open_at(position)
            if self._file is None:
                return Text(position, b"")
            anew = position > self._file.begins_at + self._file.size_now() and self._is_newest(self._file)
            position = self._file.begins_at if anew else max(position, self._file.begins_at)
        return Text(position, b"")

    def runs(self) -> list[Mark]:
        """The beginnings and ends of runs, in their order."""
        self._read_marks()
        return [mark for mark in self._marks if mark.kind in (START, END)]

    def start_of_tail(self, lines: int) -> int:
        """Where the last lines begin. What has no line end yet counts as a line."""
        files = self._open_files()
        try:
            start = files[-1].ends_at if files else 0
            for file in reversed(files):
                if lines <= 0:
                    break
                start, found = file.start_of_tail(lines)
                lines -= found
            return start
        finally:
            _close(files)

    def start_of_time(self, since: float) -> int:
        """Where that begins which was written at this time or later, in seconds since 1970; the end if nothing was."""
        self._read_marks()
        approximate = None
        for mark in self._marks:
            if mark.at >= since:
                return mark.position if approximate is None else approximate
            approximate = mark.position if mark.kind == ABOUT else None
        return self.bounds()[1]

    def start_of_claim(self, version: int) -> int:
        """Where the first run of this claim, or of a later one, begins; the end if there is none yet."""
        for mark in self.runs():
            if mark.kind == START and mark.detail.isdecimal() and int(mark.detail) >= version:
                return mark.position
        return self.bounds()[1]

    def run_before_newest(self) -> tuple[int, int] | None:
        """Where the run before the newest begins and ends; None if it is not in the log any more."""
        starts = [mark.position for mark in self.runs() if mark.kind == START]
        return (starts[-2], starts[-1]) if len(starts) > 1 else None

    def _is_in_place(self, file: LogFile) -> bool:
        """False: it was emptied and filled again, and what it has now is something else."""
        self._read_marks()
        return self._places.get(file.inode(), file.begins_at) == file.begins_at

    def _is_newest(self, file: LogFile) -> bool:
        try:
            return os.stat(self.path).st_ino == file.inode()
        except OSError:
            return False

    def _open_at(self, position: int) -> None:
        """Opens the file that has what is at a position, or the first one after it."""
        self.close()
        files = self._open_files()
        for file in files:
            if file.ends_at > position or file is files[-1]:
                self._file = file
                break
        _close([file for file in files if file is not self._file])

    def _open_files(self) -> list[LogFile]:
        """All files by position. Looked for again if the log was rotated meanwhile."""
        for pause_s in _LOOK_AGAIN_AFTER_S:
            time.sleep(pause_s)
            before = _inode(self.path)
            files = self._look_for_files()
            if _inode(self.path) == before and self._are_complete(files):
                return files
            _close(files)
        return self._look_for_files()

    def _are_complete(self, files: list[LogFile]) -> bool:
        """Whether all is there that the marks know. The newest file may be in the making; an older one that is missing
        was just renamed, or just removed, or is gone because somebody has taken it."""
        found = {file.begins_at for file in files}
        newest = max(found, default=0)
        return all(begins_at in found for begins_at in self._places.values() if begins_at < newest)

    def _look_for_files(self) -> list[LogFile]:
        found: dict[int, LogFile] = {}
        opened = []
        for path in (*_older_files(self.path), self.path):
            try:
                file = open(path, "rb")  # noqa: SIM115 - it is closed with the LogFile
            except OSError:
                continue
            opened.append((file, path.endswith(".gz")))
        self._read_marks()
        for file, packed in opened:
            begins_at = self._places.get(os.fstat(file.fileno()).st_ino)
            if begins_at is None or (begins_at in found and packed):
                file.close()
            else:
                if begins_at in found:
                    found[begins_at].close()
                found[begins_at] = LogFile(file, begins_at, packed)
        return [found[begins_at] for begins_at in sorted(found)]

    def _read_marks(self) -> None:
        """Reads what was added, or all if the file was replaced."""
        try:
            found = os.stat(f"{self.path}.marks")
            if (found.st_dev, found.st_ino) == self._marks_file and found.st_size == self._marks_read:
                return
            with open(f"{self.path}.marks", "rb") as file:
                found = os.fstat(file.fileno())
                if (found.st_dev, found.st_ino) != self._marks_file or found.st_size < self._marks_read:
                    self._marks_file, self._marks_read, self._marks = (found.st_dev, found.st_ino), 0, []
                file.seek(self._marks_read)
                data = file.read()
        except OSError:
            self._marks_file, self._marks_read, self._marks = (0, 0), 0, []
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._marks_read += len(whole)
        self._marks += parse(whole)
        self._places = {mark.number: mark.position for mark in self._marks if mark.kind == FILE}


def _older_files(path: str) -> list[str]:
    try:
        return list(older_files(path))
    except OSError:
        return []


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _close(files: list[LogFile]) -> None:
    for file in files:
        file.close()

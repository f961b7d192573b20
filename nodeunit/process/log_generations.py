"""The older generations of a log: their file names, and their renaming at each rotation.

    KEY.log.1   KEY.log.2.gz   …   KEY.log.5.gz        newest to oldest

The newest generation stays plain, so that any tool can read it. A chatty program may write the next 10 MiB before a
compression ends, so generations may be renamed while one is being compressed: the compressed text goes to a separate
file, which gets its number only when it is finished.
"""

import os
import re

from nodeunit.process.log_marks import LogMarks

KEPT = 5

_OLDER = re.compile(r"\.(\d+)(\.gz)?")


class LogGenerations:
    """The generations of the log at `path`, of which `kept` are kept, at least one."""

    def __init__(self, path: str, kept: int = KEPT, *, compress: bool = True) -> None:
        self.path = path
        self.marks = LogMarks(f"{path}.marks")
        self._kept = kept
        self._compress = compress
        self._compressing: int | None = None

    @property
    def unfinished(self) -> str:
        """The file for the text of the generation that is being compressed."""
        return f"{self.path}.gz.unfinished"

    def move_on(self) -> None:
        """Removes the oldest generation, renumbers the others, and turns the log itself into generation 1."""
        for number in range(self._kept, 0, -1):
            for ending in ("", ".gz"):
                try:
                    if number == self._kept:
                        os.unlink(f"{self.path}.{number}{ending}")
                    else:
                        os.rename(f"{self.path}.{number}{ending}", f"{self.path}.{number + 1}{ending}")
                except FileNotFoundError:
                    pass
            if number == self._compressing:
                self._compressing = number + 1 if number < self._kept else None
        try:
            os.rename(self.path, f"{self.path}.1")
        except FileNotFoundError:
            pass  # it was removed by hand
        self.marks.keep_only(self.inodes())

    def inodes(self) -> list[int]:
        """The files that are there, oldest first."""
        return [inode for path in self.paths() if (inode := _inode(path)) is not None]

    def paths(self) -> list[str]:
        """Where files of the log may be, oldest first, the log itself last."""
        older = [f"{self.path}.{number}{ending}" for number in range(self._kept, 0, -1) for ending in (".gz", "")]
        return [*older, self.path]

    def remove_surplus(self) -> None:
        """Removes generations that are more than are kept, because a setting has changed. Raises OSError."""
        for path, number in older_files(self.path).items():
            if number > self._kept:
                os.unlink(path)

    def next_to_compress(self) -> str | None:
        """The newest generation still to be compressed, because it stays longest; None if there is none."""
        for number in range(2, self._kept + 1) if self._compress else ():
            if os.path.exists(f"{self.path}.{number}"):
                self._compressing = number
                return f"{self.path}.{number}"
        return None

    def finish_compression(self, succeeded: bool) -> None:
        """Replaces the plain text by the compressed text, whatever its number is now."""
        number, self._compressing = self._compressing, None
        if succeeded and number is not None:
            plain, packed = _inode(f"{self.path}.{number}"), _inode(self.unfinished)
            if plain is not None and packed is not None:
                self.marks.file_is_also(plain, packed)
            os.replace(self.unfinished, f"{self.path}.{number}.gz")
            os.unlink(f"{self.path}.{number}")
        elif os.path.exists(self.unfinished):
            os.unlink(self.unfinished)


def older_files(path: str) -> dict[str, int]:
    """The older generations that are there, in no order, with their numbers. In the middle of a rotation a number is
    missing and others follow it, so they are not counted through. Raises OSError if the directory cannot be read."""
    directory, name = os.path.split(path)
    try:
        found = [file for file in os.listdir(directory) if file.startswith(name)]
    except FileNotFoundError:
        return {}
    matches = {file: _OLDER.fullmatch(file.removeprefix(name)) for file in found}
    return {os.path.join(directory, file): int(match[1]) for file, match in matches.items() if match}


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None

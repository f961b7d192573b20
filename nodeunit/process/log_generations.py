"""The older generations of a log: their file names, and their renaming at each rotation.

    KEY.log.1   KEY.log.2.gz   …   KEY.log.5.gz        newest to oldest

The newest generation stays plain, so that any tool can read it. A chatty program may write the next 10 MiB before a
compression ends, so generations may be renamed while one is being compressed: the compressed text goes to a separate
file, which gets its number only when it is finished.
"""

import os

KEPT = 5


class LogGenerations:
    """The generations of the log at `path`, of which `kept` are kept."""

    def __init__(self, path: str, kept: int = KEPT) -> None:
        self.path = path
        self._kept = kept
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

    def next_to_compress(self) -> str | None:
        """The newest generation still to be compressed, because it stays longest; None if there is none."""
        for number in range(2, self._kept + 1):
            if os.path.exists(f"{self.path}.{number}"):
                self._compressing = number
                return f"{self.path}.{number}"
        return None

    def finish_compression(self, succeeded: bool) -> None:
        """Replaces the plain text by the compressed text, whatever its number is now."""
        number, self._compressing = self._compressing, None
        if succeeded and number is not None:
            os.replace(self.unfinished, f"{self.path}.{number}.gz")
            os.unlink(f"{self.path}.{number}")
        elif os.path.exists(self.unfinished):
            os.unlink(self.unfinished)

"""What the logs of programs and the installed packages use on the disk of this unit, looked at aside once a minute."""

import asyncio
import os
from collections.abc import Callable
from typing import NamedTuple

from nodeunit.daemon.side_thread import SideThread

LOOK_EVERY_S = 60.0
LOOK_WITHIN_S = 30.0


class DiskSizes(NamedTuple):
    """Bytes on disk."""

    logs: dict[str, int]
    """Of the logs of each program, rotated files included, by deployment id."""
    installs: int
    """Of all installed packages."""


class DiskSampler:
    """Looks at the directory of the logs, and asks `installs` for the size of the packages."""

    def __init__(self, log_directory: str, installs: Callable[[], int], every_s: float = LOOK_EVERY_S) -> None:
        self._log_directory = log_directory
        self._installs = installs
        self._every_s = every_s
        self._found: DiskSizes | None = None

    async def run(self) -> None:
        """Until cancelled. While a disk hangs nothing is found."""
        thread = SideThread()
        while True:
            try:
                self._found = await thread.run(self._look, LOOK_WITHIN_S)
            except TimeoutError:
                pass
            await asyncio.sleep(self._every_s)

    def take(self) -> DiskSizes | None:
        """What was found last; None if that was taken before."""
        found, self._found = self._found, None
        return found

    def _look(self) -> DiskSizes:
        return DiskSizes(_log_bytes(self._log_directory), self._installs())


def _log_bytes(directory: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                key, is_log, _ = entry.name.partition(".log")
                if is_log:
                    sizes[key] = sizes.get(key, 0) + entry.stat(follow_symlinks=False).st_blocks * 512
    except OSError:
        pass  # no program has written yet, or a file was rotated away meanwhile: the next look finds it
    return sizes

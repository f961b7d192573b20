"""The logs of this unit's programs, as far as the daemon reads them for events."""

import asyncio
import os
from functools import partial

from nodeunit.daemon.side_thread import SideThread
from nodeunit.process.last_lines import last_lines

WRITTEN_AFTER_S = 0.5
"""The log writer is another process: what a program wrote last may reach its file after the report of its end."""

READ_WITHIN_S = 2.0


class ProgramLogs:
    """Reads one file at a time, and none while the disk of the logs hangs."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._turn = asyncio.Lock()
        self._thread = SideThread()

    async def last_lines(self, key: str) -> list[str]:
        """The last lines of a program that has just ended; none if they cannot be read in time."""
        await asyncio.sleep(WRITTEN_AFTER_S)
        async with self._turn:
            try:
                path = os.path.join(self._directory, f"{key}.log")
                return await self._thread.run(partial(last_lines, path), READ_WITHIN_S)
            except TimeoutError:
                return []

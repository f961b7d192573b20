"""Removes what programs have left on the disk of this unit: packages that nothing uses, directories of deleted rows."""

import asyncio
import logging
from pathlib import Path

from nodeunit.daemon.installs import Installs
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.errors import DatabaseError
from nodeunit.process import row_directories
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import unit_reads

log = logging.getLogger(__name__)

AT_LEAST_EVERY_S = 3600.0


class Housekeeping:
    """Looks several times within `keep_s`, the seconds for which something unused is kept."""

    def __init__(self, pool: Pool, installs: Installs, reconciler: Reconciler, workspace: str, keep_s: float) -> None:
        self._pool = pool
        self._installs = installs
        self._reconciler = reconciler
        self._directories = Path(workspace, "deployments")
        self._keep_s = keep_s

    async def run(self) -> None:
        """Until cancelled."""
        await self._installs.clean()
        while True:
            self._installs.forget_all_but(self._reconciler.known_keys())
            await self._installs.collect(self._reconciler.installations(), self._keep_s)
            await self._remove_directories()
            await asyncio.sleep(min(AT_LEAST_EVERY_S, self._keep_s / 4))

    async def _remove_directories(self) -> None:
        root = self._directories
        await asyncio.to_thread(row_directories.note_use, root, self._reconciler.known_keys())
        if not (old := await asyncio.to_thread(row_directories.unused, root, self._keep_s)):
            return
        try:
            kept = await unit_reads.existing_rows(self._pool, old)
        except DatabaseError as error:
            log.warning("the directories of deleted rows are kept for now: %s", error)
            return
        await asyncio.to_thread(row_directories.remove, root, [key for key in old if key not in kept], log.info)

"""Has the next chunks of the log made before they are needed, so that no open transaction can be the first in one."""

import asyncio
import logging

from nodeunit.errors import DatabaseError
from nodeunit.store.postgres.chunks import make_chunks_ahead
from nodeunit.store.postgres.connections import Pool

log = logging.getLogger(__name__)

EVERY_S = 6 * 3600.0
AGAIN_AFTER_S = 60.0
"""Far less than the week for which chunks are there."""


async def keep_chunks_ahead(pool: Pool) -> None:
    """Works until cancelled. Every unit does this; the first one finds something to do."""
    while True:
        try:
            await make_chunks_ahead(pool)
            pause_s = EVERY_S
        except DatabaseError as error:
            log.debug("the next chunks of the log could not be made yet: %s", error)
            pause_s = AGAIN_AFTER_S
        await asyncio.sleep(pause_s)

"""When to look again: at once for a notification, and soon after anything was appended to the log.

Claims and reports of programs send no notification of their own, because each would wake all listeners of the database.
So the newest position of the log is asked for a few times a second, which is one index look-up, and the rows are read
again only when it has changed, or after `AT_LEAST_EVERY_S`, because ages and leases change without an event.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

from nodeunit.store.postgres.connections import Connection
from nodeunit.store.postgres.listener import Listener, WakeUp
from nodeunit.store.read.deployments import change_mark

LOOK_EVERY_S = 0.1
AT_LEAST_EVERY_S = 5.0


async def changes(
    conninfo: str, connection: Connection, *, within_s: float | None = None
) -> AsyncGenerator[None, None]:
    """Yields once at the start, and then whenever something may have changed; ends after `within_s`."""
    woken = asyncio.Event()

    def wake(_: WakeUp) -> None:
        woken.set()

    clock = asyncio.get_running_loop().time
    ends = None if within_s is None else clock() + within_s
    listener = asyncio.create_task(Listener(conninfo, wake).run())
    try:
        mark, looked_at = await change_mark(connection), clock()
        yield
        while ends is None or clock() < ends:
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), LOOK_EVERY_S)
            newest = await change_mark(connection)
            if woken.is_set() or newest != mark or clock() - looked_at > AT_LEAST_EVERY_S:
                woken.clear()
                mark, looked_at = newest, clock()
                yield
    finally:
        listener.cancel()
        with suppress(asyncio.CancelledError):
            await listener

"""Rows that come and go while a fault lasts, so that claims are under way whenever it strikes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from tools.faults.fleet import Fleet
from tools.faults.kinds import Fault
from tools.faults.observer import OUTAGE, Observer

EVERY_S = 0.25
MOST_AT_ONCE = 8
"""More rows than this are not there at a time: the oldest that was claimed is deleted."""

GIVEN_UP_AFTER_S = 3.0
"""A statement that has not answered by then may have been done or not, as for any client."""


@asynccontextmanager
async def load(fleet: Fleet, fault: Fault) -> AsyncIterator[None]:
    """Inserts `stop` rows, and deletes them again; those whose insert was confirmed are `inserted` by the fault."""
    before = {row.id for row in await fleet.observer.rows()}
    working = asyncio.create_task(_work(fleet, fault))
    try:
        yield
    finally:
        working.cancel()
        await asyncio.wait([working])
    # An insert without an answer may be there; then it has to be claimed like any other.
    fault.inserted += [row.id for row in await fleet.observer.rows() if row.id not in before | {*fault.inserted}]


async def _work(fleet: Fleet, fault: Fault) -> None:
    there: list[UUID] = []
    while True:
        client = Observer(fleet.observer.conninfo)
        try:
            while True:
                async with asyncio.timeout(GIVEN_UP_AFTER_S):
                    there += (made := await fleet.insert(1, "stop", "plain", client))
                    fault.inserted += made
                    if len(there) > MOST_AT_ONCE:
                        await client.ask("delete from deployment where id = %s and address <> ''", there[0])
                        there.pop(0)
                await asyncio.sleep(EVERY_S)
        except (OUTAGE, TimeoutError):
            await asyncio.sleep(EVERY_S)
        finally:
            await client.close()

"""Sessions that wait for a lock: the exact moment at which two transactions meet."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from tests.support.rows import rows
from tests.support.waiting import eventually

T = TypeVar("T")


async def until_waiting(conninfo: str, *, sessions: int = 1) -> None:
    """Returns when that many sessions of the database wait for a lock that another one holds."""

    def waiting() -> bool:
        found = rows(
            conninfo,
            "select pid from pg_stat_activity "
            "where datname = current_database() and cardinality(pg_blocking_pids(pid)) > 0",
        )
        return len(found) >= sessions

    await eventually(waiting, what=f"{sessions} sessions wait for a lock")


async def started(conninfo: str, statement: Awaitable[T], *, waiting: int = 1) -> "asyncio.Task[T]":
    """Starts something that is blocked: it waits for a lock when this returns."""
    task = asyncio.ensure_future(statement)
    await until_waiting(conninfo, sessions=waiting)
    assert isinstance(task, asyncio.Task)
    return task

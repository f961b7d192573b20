"""The chunks of the hypertables: few, long, and there before they are needed.

A log of 0.1.0 has one chunk per day. A statement over all of it locks each of them with its indexes, and after some
years a server has no room for so many locks. So `nodeunit migrate` merges them, one interval of thirty days after the
other, each in a transaction; when it is interrupted, the next one continues.
"""

from datetime import UTC, datetime

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from nodeunit.store.postgres.connections import Pool, translate_errors
from nodeunit.store.postgres.lock_wait import LockWait, Tell
from nodeunit.store.postgres.queries import QUERIES

TABLES = ("event", "usage")
FIRST = datetime.min.replace(tzinfo=UTC)


async def arrange_chunks(connection: AsyncConnection[DictRow], waiting: LockWait, tell: Tell) -> int:
    """Makes the chunks of the next week and merges short ones of the past. Returns the number of merged chunks.

    Units continue meanwhile, because they neither read nor write old chunks; a reader of an interval waits until it is
    merged. Raises MigrationBlocked, as `LockWait.attempt` does.
    """
    merged = 0

    async def ahead() -> None:
        await connection.execute(QUERIES["make_chunks_ahead"])

    await waiting.attempt("the next chunks of the log", ahead)
    row = await (await connection.execute(QUERIES["archive_is_running"])).fetchone()
    assert row is not None
    if row["running"]:
        tell("short chunks are not merged, because nodeunit archive runs on this log; run again: nodeunit migrate")
        return merged
    for table in TABLES:
        after: datetime | None = FIRST
        while after is not None:
            done = await _merge_next(connection, waiting, table, after)
            if done is not None:
                merged += done["chunks"]
                tell(f"{table}: {done['chunks']} chunks from {done['starts_at']:%Y-%m-%d} on are one now")
            after = done["starts_at"] if done is not None else None
    return merged


async def _merge_next(
    connection: AsyncConnection[DictRow], waiting: LockWait, table: str, after: datetime
) -> DictRow | None:
    found: list[DictRow] = []

    async def step() -> None:
        async with connection.transaction():
            found[:] = await (
                await connection.execute(QUERIES["merge_short_chunks"], {"table": table, "after": after})
            ).fetchall()

    await waiting.attempt(f"merging the chunks of {table}", step)
    return found[0] if found else None


async def make_chunks_ahead(pool: Pool) -> None:
    """Makes the chunks of the next week. Raises DatabaseError, also when another session makes them."""
    async with translate_errors(), pool.connection() as connection:
        await connection.execute(QUERIES["make_chunks_ahead"])

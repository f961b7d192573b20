"""Verifies and rebuilds the projections, by the fold functions that the appending transactions use."""

from typing import LiteralString, NamedTuple

from psycopg import IsolationLevel

from nodeunit.store.postgres.connections import translate_errors
from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.postgres.requirements import connect_to_schema

PROJECTIONS: tuple[LiteralString, ...] = ("deployment_address", "unit", "program")
"""Every projection by name, in the order of a rebuild."""


class RowDifference(NamedTuple):
    """A row in which a live table differs from the fold of the log."""

    projection: str
    key: str
    live: str | None
    folded: str | None


async def verify(conninfo: str) -> list[RowDifference]:
    """Folds the whole log and compares it with the live tables, in one snapshot. The answer must always be empty."""
    found: list[RowDifference] = []
    async with await connect_to_schema(conninfo, "verify") as connection, translate_errors(conninfo):
        await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        await connection.set_read_only(True)
        async with connection.transaction():
            for name in PROJECTIONS:
                rows = await (await connection.execute(QUERIES[f"{name}_differences"])).fetchall()
                found += [RowDifference(name, row["key"], row["live"], row["folded"]) for row in rows]
    return found


async def rebuild(conninfo: str) -> dict[str, int]:
    """Folds the whole log into the live tables, which stay readable. Returns the number of rows corrected in each."""
    corrected: dict[str, int] = {}
    async with await connect_to_schema(conninfo, "rebuild", writes=True) as connection, translate_errors(conninfo):
        for name in PROJECTIONS:
            row = await (await connection.execute(QUERIES[f"{name}_rebuild"])).fetchone()
            assert row is not None
            (corrected[name],) = row.values()
    return corrected

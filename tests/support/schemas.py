"""Released schemas, kept as files: installed as their own version did, and lived in by their own functions."""

from pathlib import Path

import psycopg

from nodeunit.store.postgres.migrator import migrate

KEPT = Path(__file__).parents[1] / "schemas"


async def install(conninfo: str, version: str) -> None:
    """The schema of a released version, in a database that has none."""
    await migrate(conninfo, root=KEPT / version)


def live(conninfo: str, version: str) -> None:
    """Units join, claim and are lost, people write rows: what `life.sql` of that version does."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for statement in (KEPT / version / "life.sql").read_text().split(";\n\n"):
            connection.execute(statement.encode())

"""What keeps a reader of the log from events that are committed: a transaction that another session has left open.

Transactions are numbered for the whole server, so it may well be one of another database.
"""

import msgspec

from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class Holder(msgspec.Struct, frozen=True):
    """The session whose transaction has to end. What the server does not show to this login is None."""

    pid: int | None
    """None: a prepared transaction, which no session has."""
    database: str | None
    user: str | None
    application: str | None
    open_s: float | None
    """How long its transaction has been open, in seconds."""

    def __str__(self) -> str:
        if self.pid is None:
            return "a prepared transaction (see pg_prepared_xacts)"
        since = f", open for {self.open_s:.0f} s" if self.open_s is not None else ""
        return (
            f"the transaction of pid {self.pid} (database {self.database}, user {self.user}, "
            f"application {self.application or 'unnamed'}{since})"
        )


async def held_back(connection: Connection, below: int) -> Holder | None:
    """The session that keeps a reader from committed events at or above a high-water mark; None if there is none."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["held_back"], {"below": str(below)})).fetchone()
    return None if row is None else Holder(**row)

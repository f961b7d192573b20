"""Which server is the primary: a unit that has reached a newer one never goes back to the one that was replaced.

Each promotion begins a new timeline. A replaced primary that still runs, or comes back, accepts connections and writes
as before, but its timeline is older, and what it says about rows and leases has been out of date since the promotion.
"""

from collections.abc import Callable
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, OperationalError
from psycopg.errors import InsufficientPrivilege
from psycopg.rows import DictRow

from nodeunit.store.postgres.queries import QUERIES

Connection = AsyncConnection[DictRow]


class PrimaryReplaced(OperationalError):
    """The server accepts writes although another server has been promoted."""


class NewestTimeline:
    """The newest timeline of each database cluster that the connections of one pool have reached."""

    def __init__(self, shut_down: Callable[[Connection], None]) -> None:
        self._shut_down = shut_down
        self._newest: dict[int, int] = {}
        self._reached: WeakKeyDictionary[Connection, tuple[int, int]] = WeakKeyDictionary()

    async def admit(self, connection: Connection) -> None:
        """Asks a new connection for its timeline, and shuts down all connections to older ones. Raises PrimaryReplaced.

        A standby has no timeline, and neither has a server that does not show which cluster it belongs to.
        """
        try:
            row = await (await connection.execute(QUERIES["timeline"])).fetchone()
        except InsufficientPrivilege:
            return
        assert row is not None
        if row["timeline"] is None:
            return
        system, timeline = row["system_identifier"], row["timeline"]
        newest = self._newest.setdefault(system, timeline)
        if timeline < newest:
            raise PrimaryReplaced(f"the primary of timeline {timeline} was replaced by one of timeline {newest}")
        self._newest[system] = timeline
        self._reached[connection] = system, timeline
        for other, (its_system, its_timeline) in list(self._reached.items()):
            if its_system == system and its_timeline < timeline:
                self._shut_down(other)
                del self._reached[other]

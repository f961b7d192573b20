"""The units of the fleet, as people list them."""

from datetime import datetime

import msgspec
from psycopg.rows import class_row

from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


class UnitRow(msgspec.Struct, frozen=True, kw_only=True):
    """A unit, with what it holds and uses."""

    address: str
    name: str
    host: str
    membership: str
    """`present`, `draining`, `left` or `lost`."""
    cordoned: bool
    policy: str
    software: str
    """The version of nodeunit that it runs."""
    epoch: int
    since: datetime | None
    """Of its membership."""
    since_s: float | None
    """How long it has been so, by the clock of the database."""
    lease_valid: bool
    """False: nothing was heard of it for as long as its lease lasts."""
    rows: int
    """The deployments that it holds; not counted beyond 10000."""
    cpu_percent: float | None
    """Its newest sample, of the whole machine; None: there is none."""
    memory_mb: float | None

    @property
    def status(self) -> str:
        """Its membership and what is special about it, as one word."""
        silent = self.membership in ("present", "draining") and not self.lease_valid
        return f"{'silent' if silent else self.membership}{',cordoned' if self.cordoned else ''}"


async def units(connection: Connection, *, with_left: bool = False) -> list[UnitRow]:
    """Every unit by name; those that have left only if asked for."""
    async with translate_errors(), connection.cursor(row_factory=class_row(UnitRow)) as cursor:
        await cursor.execute(QUERIES["units_listed"], {"all": with_left})
        return await cursor.fetchall()

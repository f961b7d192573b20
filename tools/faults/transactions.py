"""A person's open transaction: typed in psql, left open over lunch, on each table that a person can harm.

An operator may write deployments and call the functions for operators; on everything else a person with that role can
only read. Each statement is left open under its own name, and what it costs is at most the row it touches.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from random import Random
from typing import LiteralString

from psycopg import AsyncConnection
from psycopg.errors import LockNotAvailable

from tools.faults.fleet import Fleet
from tools.faults.kinds import Fault, Kind
from tools.faults.unit import Unit

HELD: LiteralString = "(select id from deployment where address = %(address)s order by id limit 1)"

STATEMENTS: dict[str, LiteralString] = {
    "deployment-delete": f"delete from deployment where id = {HELD}",
    "deployment-update": f"update deployment set enabled = false where id = {HELD}",
    "deployment-move": f"update deployment set address = '' where id = {HELD}",
    "deployment-lock": f"select from deployment where id = {HELD} for update",
    "deployment-insert": "insert into deployment (package_name, enabled) values ('@yuants/never', false)",
    "unit-cordon": "select cordon_unit(%(address)s)",
    "unit-drain": "select drain_unit(%(address)s, interval '1 hour')",
    "everything-read": "select (select count(*) from deployment), (select count(*) from event), "
    "(select count(*) from usage), (select count(*) from lease), (select count(*) from current_usage), "
    "(select count(*) from wake_up), (select count(*) from unit), (select count(*) from assignment_order)",
}
"""By the table and what is done to it."""


@asynccontextmanager
async def open_transaction(fleet: Fleet, victim: Unit, statement: str) -> AsyncIterator[None]:
    """Open while the block lasts, then rolled back. `victim` is the unit whose row it touches.

    Where another person has that row, this one gives up, and only the transaction stays open.
    """
    async with await AsyncConnection.connect(fleet.observer.conninfo, application_name="a person") as person:
        await person.execute("set local lock_timeout = '1s'")
        with suppress(LockNotAvailable):
            await person.execute(STATEMENTS[statement], {"address": victim.address})
        try:
            yield
        finally:
            if not person.closed:
                await person.rollback()


def kind_of(statement: str) -> Kind:
    """Only the transaction, left open for longer than a lease: no unit is lost because of it, and no program
    notices."""

    async def left_open(fleet: Fleet, fault: Fault, random: Random) -> None:
        fault.rows_must_stay = True
        fault.strikes()
        async with open_transaction(fleet, fault.victim, statement):
            await asyncio.sleep(fleet.ttl_s * random.uniform(1.5, 3))
        fault.heals()

    return left_open


TRANSACTIONS: dict[str, Kind] = {f"open-{statement}": kind_of(statement) for statement in STATEMENTS}


def any_statement(random: Random) -> str:
    """One of them, as the seed has it."""
    return random.choice(sorted(STATEMENTS))

"""A peer that does not answer: TCP reports nothing, and the daemon must not wait forever."""

import asyncio

import psycopg
import pytest

from nodeunit.errors import DatabaseError
from nodeunit.store.postgres import connections
from tests.support.members import join
from tests.support.proxy import Proxy


async def test_a_connection_without_an_answer_is_given_up(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 0.3)
    async with connections.pool(proxy.conninfo, "test") as pool:
        unit = await join(pool, "unit-1")
        proxy.strand()
        started = asyncio.get_running_loop().time()
        with pytest.raises(DatabaseError):
            await unit.heartbeat(None, [])
        assert asyncio.get_running_loop().time() - started < 1.0
        while True:  # the other connection of the pool is stranded too
            try:
                assert not (await unit.heartbeat(None, [])).fenced
                return
            except DatabaseError:
                continue


async def test_an_answer_that_takes_its_time_is_waited_for(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 2.0)
    async with connections.pool(database, "test") as pool, pool.connection() as connection:
        await connection.execute("select pg_sleep(0.5)")
        with pytest.raises(psycopg.OperationalError):
            await connection.execute("select pg_sleep(4)")

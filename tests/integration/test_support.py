"""What the tests rely on: fresh copies of a migrated database, a proxy whose faults are real."""

import asyncio
import subprocess
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg import AsyncConnection

from tests.support.databases import Databases
from tests.support.proxy import Proxy
from tests.support.timescale import TimescaleServer, remove_leftovers
from tests.support.waiting import eventually, wait_until
from tools.timescaledb.image import usable


def test_a_fresh_database_is_a_hypertable_of_its_own(database: str, timescale_databases: Databases) -> None:
    with timescale_databases.fresh() as other, psycopg.connect(other) as connection:
        hypertables = connection.execute(
            "select hypertable_name from timescaledb_information.hypertables order by 1"
        ).fetchall()
        connection.execute("insert into deployment (package_name) values ('only-here')")
    assert ("event",) in hypertables
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from deployment").fetchone() == (0,)


def test_a_plain_database_has_the_same_tables_without_the_extension(plain_database: str) -> None:
    with psycopg.connect(plain_database) as connection:
        assert connection.execute("select count(*) from event").fetchone() == (0,)
        extension = connection.execute("select from pg_extension where extname = 'timescaledb'").fetchone()
    assert extension is None


def test_an_empty_database_is_empty(empty_database: str, empty_plain_database: str) -> None:
    for conninfo in (empty_database, empty_plain_database):
        with psycopg.connect(conninfo) as connection:
            found = connection.execute("select to_regclass('public.event')").fetchone()
        assert found == (None,)


def test_a_server_of_ones_own_survives_restart_and_crash_on_the_same_port(own_timescale: TimescaleServer) -> None:
    with psycopg.connect(own_timescale.conninfo, autocommit=True) as connection:
        connection.execute("create table kept (it int)")
    own_timescale.restart()
    own_timescale.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(own_timescale.conninfo, connect_timeout=5)
    own_timescale.start_again()
    with psycopg.connect(own_timescale.conninfo) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


@pytest.mark.container
def test_containers_of_a_killed_run_are_removed_and_no_others(timescale: TimescaleServer) -> None:
    create = ["docker", "create", "--label", "nodeunit.tests.owner=1@0", str(usable())]
    stray = subprocess.run(create, capture_output=True, text=True, check=True).stdout.strip()
    remove_leftovers()
    listed = subprocess.run(
        ["docker", "ps", "--all", "--no-trunc", "--quiet"], capture_output=True, text=True, check=True
    )
    assert stray not in listed.stdout
    timescale.wait_until_it_answers()


@pytest.fixture
async def connection(proxy: Proxy) -> AsyncIterator[AsyncConnection]:
    connection = await AsyncConnection.connect(proxy.conninfo, autocommit=True)
    yield connection
    await connection.close()


async def test_a_cut_link_is_an_error_at_once(proxy: Proxy, connection: AsyncConnection) -> None:
    await proxy.cut()
    with pytest.raises(psycopg.OperationalError):
        await connection.execute("select 1")
    assert proxy.open_links == 0
    async with await AsyncConnection.connect(proxy.conninfo):
        assert proxy.accepted == 2


async def test_a_refusing_proxy_keeps_what_is_open_and_its_port(proxy: Proxy, connection: AsyncConnection) -> None:
    port = proxy.port
    await proxy.refuse()
    with pytest.raises(psycopg.OperationalError):
        await AsyncConnection.connect(proxy.conninfo)
    await connection.execute("select 1")
    await proxy.accept()
    assert proxy.port == port
    async with await AsyncConnection.connect(proxy.conninfo):
        pass


async def test_a_deaf_proxy_says_nothing_and_catches_up(proxy: Proxy, connection: AsyncConnection) -> None:
    proxy.go_deaf()
    statement = asyncio.create_task(connection.execute("select 1"))
    done, _ = await asyncio.wait([statement], timeout=0.3)
    assert not done
    proxy.hear_again()
    assert await (await statement).fetchone() == (1,)


async def test_delay_is_felt_in_each_direction(proxy: Proxy, connection: AsyncConnection) -> None:
    proxy.delay(0.1)
    started = asyncio.get_running_loop().time()
    await connection.execute("select 1")
    assert 0.2 <= asyncio.get_running_loop().time() - started < 5


async def test_a_condition_that_never_holds_is_named_with_its_last_value() -> None:
    with pytest.raises(AssertionError, match=r"not within 0 s: the moon is blue \(last value: 0\)"):
        await eventually(lambda: 0, within_s=0, what="the moon is blue")
    with pytest.raises(AssertionError, match="last value: ''"):
        wait_until(str, within_s=0)

    async def value() -> str:
        return "value"

    assert await eventually(value) == "value"

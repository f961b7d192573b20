"""The listener: it hears, it comes back, and it finds out that it is deaf."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from psycopg.conninfo import make_conninfo

from nodeunit.store.postgres import connections
from nodeunit.store.postgres import listener as module
from nodeunit.store.postgres.connections import Connection, Pool
from nodeunit.store.postgres.listener import Listener, WakeUp
from tests.support.members import join
from tests.support.proxy import Proxy
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually

CONNECTED = WakeUp("connected")


@asynccontextmanager
async def listening(conninfo: str) -> AsyncIterator[tuple[Listener, list[WakeUp]]]:
    """A listener that has connected, and what it hears from then on."""
    heard: list[WakeUp] = []
    listener = Listener(conninfo, heard.append)
    running = asyncio.create_task(listener.run())
    try:
        await eventually(lambda: heard, what="the listener connects")
        yield listener, heard
    finally:
        running.cancel()
        await asyncio.wait([running])
    assert running.cancelled()


def backends(database: str) -> list[int]:
    found = rows(database, "select pid from pg_stat_activity where application_name = 'nodeunit listener'")
    return [row["pid"] for row in found]


def until(heard: list[WakeUp], *expected: WakeUp) -> Callable[[], bool]:
    return lambda: tuple(heard) == expected


async def test_hears_what_changes_and_whom_it_concerns(database: str, pool: Pool) -> None:
    async with listening(database) as (_, heard):
        unit = await join(pool, "unit-3")
        insert_deployments(database, 21)
        await unit.notify("eligible", ["unit-1", "unit-2"])
        await unit.notify("eligible", [f"unit-{n}" for n in range(201)])
        rows(database, "notify nodeunit, 'what nobody can read'")
        rows(database, "notify nodeunit")
        for_two = WakeUp("eligible", frozenset({"unit-1", "unit-2"}))
        await eventually(lambda: len(heard) == 6)
        assert heard[:4] == [CONNECTED, WakeUp("deployment"), for_two, WakeUp("eligible")]
        assert heard[4:] == [WakeUp("unknown"), WakeUp("unknown")]
        assert for_two.concerns("unit-2")
        assert not for_two.concerns("unit-3")
        assert WakeUp("unknown").concerns("unit-3")


async def test_a_wake_up_for_200_units_fits_whatever_their_addresses_are(database: str, pool: Pool) -> None:
    async with listening(database) as (_, heard):
        unit = await join(pool, "unit-3")
        addresses = [f"{n:04}".rjust(44, "x") for n in range(200)]
        await unit.notify("eligible", addresses)
        await unit.probe(addresses)
        await eventually(lambda: {a for w in heard if w.what == "unit" for a in w.who} == set(addresses))
        assert {a for w in heard if w.what == "eligible" for a in w.who} == set(addresses)


async def test_comes_back_after_its_backend_was_terminated(database: str) -> None:
    async with listening(database) as (_, heard):
        rows(database, "select pg_terminate_backend(%s)", (backends(database)[0],))
        insert_deployments(database)
        await eventually(until(heard, CONNECTED, CONNECTED), what="one wake-up makes up for what was missed")
        insert_deployments(database)
        await eventually(until(heard, CONNECTED, CONNECTED, WakeUp("deployment")))


async def test_comes_back_again_and_again(database: str) -> None:
    async with listening(database) as (_, heard):
        for times in range(2, 6):
            old = await eventually(lambda: backends(database))
            rows(database, "select pg_terminate_backend(%s)", (old[0],))
            await eventually(lambda times=times: heard.count(CONNECTED) == times, within_s=5)  # type: ignore[misc]


async def test_waits_for_a_server_that_is_away(proxy: Proxy) -> None:
    async with listening(proxy.conninfo) as (_, heard):
        await proxy.refuse()
        await proxy.cut()
        await eventually(lambda: proxy.open_links == 0)
        accepted = proxy.accepted
        await proxy.accept()
        await eventually(until(heard, CONNECTED, CONNECTED))
        assert proxy.accepted == accepted + 1


async def test_gives_up_a_server_that_stops_answering_after_the_login(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a frozen server or a middlebox does: the connection lives, and LISTEN is never answered."""
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 0.3)
    stranded: list[Connection] = []

    async def connect_and_strand(conninfo: str, purpose: str) -> Connection:
        connection = await connections.connect(conninfo, purpose)
        if not stranded:
            stranded.append(connection)
            proxy.strand()
        return connection

    monkeypatch.setattr(module, "connect", connect_and_strand)
    async with listening(proxy.conninfo) as (_, heard):
        await eventually(until(heard, CONNECTED), what="it listens on another connection")
        assert stranded[0].closed


async def test_finds_out_that_it_is_deaf(database: str, proxy: Proxy) -> None:
    """The connection lives, and nothing comes through: only the numbers tell."""
    async with listening(proxy.conninfo) as (listener, heard):
        insert_deployments(database)
        await eventually(until(heard, CONNECTED, WakeUp("deployment")))
        assert [listener.check_deafness(1), listener.check_deafness(1)] == [0, 0]
        proxy.go_deaf()
        insert_deployments(database)
        insert_deployments(database)
        newest = value(database, "select max(number) from wake_up")
        assert listener.check_deafness(newest) == 0, "it may be on its way"
        assert listener.check_deafness(newest) == 2
        assert listener.check_deafness(newest) == 0, "it is being mended"
        proxy.hear_again()
        await eventually(until(heard, CONNECTED, WakeUp("deployment"), CONNECTED), within_s=15)
        assert [listener.check_deafness(newest), listener.check_deafness(newest)] == [0, 0]
        insert_deployments(database)
        await eventually(until(heard, CONNECTED, WakeUp("deployment"), CONNECTED, WakeUp("deployment")))


async def test_one_that_lags_for_less_than_a_heartbeat_is_not_deaf(database: str, proxy: Proxy) -> None:
    async with listening(proxy.conninfo) as (listener, heard):
        proxy.go_deaf()
        insert_deployments(database)
        assert listener.check_deafness(1) == 0
        proxy.hear_again()
        await eventually(until(heard, CONNECTED, WakeUp("deployment")))
        insert_deployments(database)
        assert listener.check_deafness(2) == 0
        await eventually(until(heard, CONNECTED, WakeUp("deployment"), WakeUp("deployment")))
        assert listener.check_deafness(2) == 0


async def test_takes_no_standby_for_the_server(database: str) -> None:
    """A server that says that it is in recovery: nothing is ever notified there."""
    rows(database, "create schema standby")
    rows(database, "create sequence standby.asked")
    rows(
        database,
        "create function standby.pg_is_in_recovery() returns boolean language sql as $$ "
        "select nextval('standby.asked') <= 3 $$",
    )
    heard: list[WakeUp] = []
    conninfo = make_conninfo(database, options="-c search_path=standby,pg_catalog,public")
    running = asyncio.create_task(Listener(conninfo, heard.append).run())
    try:
        await eventually(until(heard, CONNECTED), what="it is promoted, and the listener connects")
        assert value(database, "select last_value from standby.asked") == 4, "three times it was a standby"
    finally:
        running.cancel()
        await asyncio.wait([running])

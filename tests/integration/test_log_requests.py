"""Requests for logs in the database: who may ask, how much can be on its way, and which unit sends when a row moves."""

import asyncio
import os
import threading
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from nodeunit.daemon.log_server import LogServer
from nodeunit.domain.program_log import PIECE_BYTES, PIECES_AHEAD, LogPiece, LogProgress, LogQuery, LogRequest
from nodeunit.errors import LogUnavailable
from nodeunit.process.log_generations import LogGenerations
from nodeunit.process.rotating_log import RotatingLog
from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.postgres.listener import Listener, WakeUp
from nodeunit.store.write.log_requests import end_log_requests, read_log, request_log, serve_logs
from tests.support.logins import Login
from tests.support.members import join
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually

TAIL = LogQuery(tail=10)
FOLLOW = LogQuery(tail=10, follow=True)


def piece(number: int, data: bytes = b"x") -> LogPiece:
    return LogPiece(number, number, data, [])


def progress(request: UUID, sent: int, *, finished: bool = False) -> LogProgress:
    return LogProgress(request, sent, sent, finished, "")


async def send(pool: Pool, unit: str, request: UUID, *pieces: LogPiece, finished: bool = False) -> list[LogRequest]:
    sent = pieces[-1].number + 1 if pieces else 0
    return await serve_logs(
        pool, unit, [(request, one) for one in pieces], [progress(request, sent, finished=finished)]
    )


async def test_a_piece_is_there_until_it_is_confirmed(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (row,) = insert_deployments(database, address="unit-1")
    async with await connections.connect(database, "test") as reader:
        request = await request_log(reader, row, "", TAIL, {})
        (asked,) = await serve_logs(pool, "unit-1", [], [])
        assert (asked.deployment_id, asked.tail, asked.holds, asked.is_first) == (row, 10, True, True)
        (asked,) = await send(pool, "unit-1", request, piece(0, b"\x00\xff"), piece(1))
        assert asked.confirmed == -1

        for _ in range(2):
            (sent,) = await read_log(reader, [request], {})
            assert [one.data for one in sent.pieces] == [b"\x00\xff", b"x"]
        (sent,) = await read_log(reader, [request], {(request, "unit-1"): 0})

        assert [one.number for one in sent.pieces] == [1]
        assert value(database, "select count(*) from log_piece") == 1
        (asked,) = await send(pool, "unit-1", request)
        assert asked.confirmed == 0
        assert await send(pool, "unit-1", request, finished=True) == []
        await end_log_requests(reader, [request])
        assert rows(database, "select from log_sender union all select from log_piece") == []


async def test_only_a_few_pieces_are_ahead_and_none_is_large(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (row,) = insert_deployments(database, address="unit-1")
    async with await connections.connect(database, "test") as reader:
        request = await request_log(reader, row, "", TAIL, {})
        await serve_logs(pool, "unit-1", [], [])
        await send(pool, "unit-1", request, *(piece(number, b"x" * PIECE_BYTES) for number in range(PIECES_AHEAD)))
        for excess, constraint in (
            (piece(PIECES_AHEAD), "log_piece_is_one_of_4_on_their_way"),
            (piece(0, b"x" * (PIECE_BYTES + 1)), "log_piece_is_at_most_64_kib"),
        ):
            with pytest.raises(Exception, match=constraint):
                await send(pool, "unit-1", request, excess)


async def test_only_64_are_read_at_once_and_what_is_silent_makes_room(database: str) -> None:
    (row,) = insert_deployments(database)
    async with await connections.connect(database, "test") as reader:
        for _ in range(64):
            await request_log(reader, row, "", TAIL, {})
        with pytest.raises(LogUnavailable, match="64 programs"):
            await request_log(reader, row, "", TAIL, {})
        rows(database, "update log_request set expires_at = now() where slot = 5")
        await request_log(reader, row, "", TAIL, {})


async def test_a_unit_removes_what_no_reader_renews(database: str, pool: Pool) -> None:
    await join(pool, "unit-1")
    (row,) = insert_deployments(database, address="unit-1")
    async with await connections.connect(database, "test") as reader:
        request = await request_log(reader, row, "", FOLLOW, {})
        assert len(await serve_logs(pool, "unit-1", [], [])) == 1
        rows(database, "update log_request set expires_at = now() + interval '1 second'")
        await read_log(reader, [request], {})
        assert value(database, "select expires_at > now() + interval '5 seconds' from log_request")

        rows(database, "update log_request set expires_at = now()")
        assert await serve_logs(pool, "unit-1", [], []) == []
        assert rows(database, "select from log_request") == []
        assert await read_log(reader, [request], {}) == []


async def test_a_request_moves_with_its_row_and_the_last_lines_come_first(database: str, pool: Pool) -> None:
    for unit in ("unit-1", "unit-2"):
        await join(pool, unit)
    (row,) = insert_deployments(database, address="unit-1")
    async with await connections.connect(database, "test") as reader:
        request = await request_log(reader, row, "", FOLLOW, {})
        await serve_logs(pool, "unit-1", [], [])
        rows(database, "update deployment set address = 'unit-2'")
        (asked,) = await serve_logs(pool, "unit-2", [], [])
        assert (asked.holds, asked.is_first) == (True, False)
        await send(pool, "unit-2", request, piece(0, b"new"))
        (asked,) = await send(pool, "unit-1", request, piece(0, b"old"))
        assert not asked.holds

        seen = {one.unit_address: [each.data for each in one.pieces] for one in await read_log(reader, [request], {})}
        assert seen == {"unit-1": [b"old"], "unit-2": []}
        assert await send(pool, "unit-1", request, finished=True) == []
        answer = await read_log(reader, [request], {(request, "unit-1"): 0})
        assert {one.unit_address: [each.data for each in one.pieces] for one in answer}["unit-2"] == [b"new"]

        rows(database, "update deployment set address = 'unit-1'")
        (asked,) = await serve_logs(pool, "unit-1", [], [])
        assert (asked.holds, asked.is_first) == (True, False), "it comes after the other now"


async def test_a_unit_that_is_dead_does_not_hold_up_the_next(database: str, pool: Pool) -> None:
    for unit in ("unit-1", "unit-2"):
        await join(pool, unit)
    (row,) = insert_deployments(database, address="unit-1")
    async with await connections.connect(database, "test") as reader:
        request = await request_log(reader, row, "", FOLLOW, {})
        await serve_logs(pool, "unit-1", [], [])
        rows(database, "update deployment set address = 'unit-2'")
        await serve_logs(pool, "unit-2", [], [])
        await send(pool, "unit-2", request, piece(0))
        rows(database, "update log_sender set seen_at = now() - interval '4 seconds' where unit_address = 'unit-1'")

        answer = await read_log(reader, [request], {})
        assert [len(one.pieces) for one in answer if one.unit_address == "unit-2"] == [1]


async def test_the_unit_that_should_send_is_woken_and_no_other(database: str, pool: Pool) -> None:
    for unit in ("unit-1", "unit-2"):
        await join(pool, unit)
    (row,) = insert_deployments(database, address="unit-1")
    heard: list[WakeUp] = []
    listening = asyncio.create_task(Listener(database, heard.append).run())
    await eventually(lambda: heard)

    async def woken() -> list[frozenset[str]]:
        return [one.who for one in heard if one.what == "logs"]

    async with await connections.connect(database, "test") as reader:
        request = await request_log(reader, row, "", FOLLOW, {})
        await read_log(reader, [request], {})
        await eventually(woken)
        await serve_logs(pool, "unit-1", [], [])
        for _ in range(5):
            await read_log(reader, [request], {})
        rows(database, "update deployment set address = 'unit-2'")
        await read_log(reader, [request], {})
        await eventually(lambda: len([one for one in heard if one.what == "logs"]) == 2)
    assert await woken() == [frozenset({"unit-1"}), frozenset({"unit-2"})]
    listening.cancel()
    await asyncio.wait([listening])


async def test_a_reader_role_may_not_ask_and_an_operator_sees_only_what_it_asked_for(
    database: str, pool: Pool, login: Login
) -> None:
    await join(pool, "unit-1")
    (row,) = insert_deployments(database, address="unit-1")
    one, other = login("nodeunit_operator"), login("nodeunit_operator")
    async with await connections.connect(one, "test") as asks, await connections.connect(other, "test") as spies:
        request = await request_log(asks, row, "", TAIL, {})
        await serve_logs(pool, "unit-1", [], [])
        await send(pool, "unit-1", request, piece(0))
        assert await read_log(spies, [request], {(request, "unit-1"): 0}) == []
        await end_log_requests(spies, [request])
        assert len((await read_log(asks, [request], {}))[0].pieces) == 1
    for login_of in ("nodeunit_reader", "nodeunit_unit", "nodeunit_operator"):
        for statement in (
            "select from log_piece",
            "select from log_request",
            "delete from log_request",
            "select remove_expired_log_request()",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                rows(login(login_of), statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        rows(
            login("nodeunit_reader"),
            "select request_log(%s, '', 10, null, null, null, false, false, '{}')",
            (row,),
        )


async def test_a_disk_that_hangs_holds_up_no_end(database: str, pool: Pool, tmp_path: Path) -> None:
    """Opening a FIFO that nobody writes waits in the kernel, as a frozen file system does."""
    unit = await join(pool, "unit-1")
    (row,) = insert_deployments(database, address="unit-1")
    os.mkfifo(tmp_path / f"{row}.log")
    server = LogServer(unit, os.fspath(tmp_path))
    serving = asyncio.create_task(server.run())
    async with await connections.connect(database, "test") as reader:
        await request_log(reader, row, "", FOLLOW, {})
        server.look()
        (thread,) = await eventually(lambda: [one for one in threading.enumerate() if one.name == "logs"])
        await server.finish(0.1)
    serving.cancel()
    await asyncio.wait([serving])

    assert thread.is_alive()
    assert thread.daemon, "the process does not wait for it"
    with (tmp_path / f"{row}.log").open("wb"):
        await eventually(lambda: not thread.is_alive())


async def test_readers_of_many_logs_are_served_in_turn(database: str, pool: Pool, tmp_path: Path) -> None:
    """Found: of ten logs that were written all the time, the last two were never sent."""
    unit = await join(pool, "unit-1")
    ids = insert_deployments(database, 10, address="unit-1")
    logs = [RotatingLog(LogGenerations(str(tmp_path / f"{one}.log")), print, lambda _: None) for one in ids]
    server = LogServer(unit, os.fspath(tmp_path))
    async with await connections.connect(database, "test") as reader:
        requests = [await request_log(reader, one, "", FOLLOW, {}) for one in ids]
        confirmed: dict[tuple[UUID, str], int] = {}

        async def all_have_come() -> bool:
            for log in logs:
                log.write(b"line\n", 0.0)
            for one in await read_log(reader, requests, confirmed):
                for each in one.pieces:
                    confirmed[one.request_id, "unit-1"] = each.number
            return len(confirmed) == len(ids)

        server.look()
        serving = asyncio.create_task(server.run())
        await eventually(all_have_come, within_s=30)
    serving.cancel()
    await asyncio.wait([serving])
    for log in logs:
        log.close()

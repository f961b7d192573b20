"""Logs of programs on their way through the database: a reader's side, and a unit's side.

Nothing travels unless somebody asks, and never more than a few pieces ahead of the reader.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from psycopg.rows import dict_row

from nodeunit.domain.program_log import LogPiece, LogProgress, LogQuery, LogRequest, RunMark, SentLog
from nodeunit.store.postgres.connections import Connection, Pool, translate_errors
from nodeunit.store.postgres.queries import QUERIES


async def request_log(
    connection: Connection, deployment_id: UUID, unit: str, query: LogQuery, resume: Mapping[str, int]
) -> UUID:
    """Asks for a log. `unit` is an address, or empty for the unit that holds the row. `resume`: the positions that an
    earlier request had reached, by address. Raises LogUnavailable when too many logs are read at once.
    """
    parameters = msgspec.structs.asdict(query) | {
        "deployment_id": deployment_id,
        "unit_address": unit,
        "resume": msgspec.json.encode(resume).decode(),
    }
    async with translate_errors():
        row = await (await connection.execute(QUERIES["request_log"], parameters)).fetchone()
    assert row is not None
    number: UUID = row["request_log"]
    return number


async def read_log(
    connection: Connection, requests: Sequence[UUID], confirmed: Mapping[tuple[UUID, str], int]
) -> list[SentLog]:
    """Confirms the pieces up to a number, by request and unit, and returns what each unit has sent since.

    A request that is missing in the answer is gone.
    """
    parameters = {
        "requests": list(requests),
        "confirmed": msgspec.json.encode(
            [
                {"request_id": request, "unit_address": unit, "number": number}
                for (request, unit), number in confirmed.items()
            ]
        ).decode(),
    }
    async with translate_errors(), connection.cursor(binary=True, row_factory=dict_row) as cursor:
        rows = await (await cursor.execute(QUERIES["read_log"], parameters)).fetchall()
    return [
        SentLog(
            **{name: row[name] for name in SentLog.__struct_fields__ if name != "pieces"},
            pieces=[
                LogPiece(number, position, data, msgspec.convert(marks, list[RunMark]))
                for number, position, data, marks in zip(
                    row["numbers"], row["positions"], row["data"], row["marks"], strict=True
                )
            ],
        )
        for row in rows
    ]


async def end_log_requests(connection: Connection, requests: Sequence[UUID]) -> None:
    """Ends requests, so that nothing more travels for them."""
    async with translate_errors():
        await connection.execute(QUERIES["end_log_requests"], {"requests": list(requests)})


async def serve_logs(
    pool: Pool, address: str, pieces: Sequence[tuple[UUID, LogPiece]], states: Sequence[LogProgress]
) -> list[LogRequest]:
    """Sends pieces and states of requests, and returns what is asked of the unit now."""
    parameters = {
        "address": address,
        "requests": [request for request, _ in pieces],
        "numbers": [piece.number for _, piece in pieces],
        "positions": [piece.position for _, piece in pieces],
        "data": [piece.data for _, piece in pieces],
        "marks": [msgspec.json.encode(piece.marks).decode() for _, piece in pieces],
        "states": msgspec.json.encode(states).decode(),
    }
    async with translate_errors(), pool.connection() as connection:
        rows = await (await connection.execute(QUERIES["serve_logs"], parameters)).fetchall()
    return [LogRequest(**row) for row in rows]

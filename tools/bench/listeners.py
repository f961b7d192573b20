"""What a NOTIFY costs the server when many connections listen, each on the common channel or on one of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import psycopg
from psycopg import sql

from tools.bench.figure import Figure
from tools.bench.rounds import Measured, in_turn
from tools.bench.suite import Bench

NOTIFICATIONS = 200
CHANNELS = ("common", "own")
PAUSE_S = 0.01
"""Between two notifications: as many at once are cheaper, and a fleet does not send them so."""


async def measure(bench: Bench) -> list[Figure]:
    """Numbers of listeners in turn. Without the container of the server its CPU is not seen: no figures."""
    if not bench.place.container:
        return []
    numbers = (10, 100, 300) if bench.short else (10, 100, 1000)
    names = {(n, channel): f"NOTIFY, {n} listeners, {channel} channel" for n in numbers for channel in CHANNELS}

    def notify(number: int, channel: str) -> Callable[[], Awaitable[Measured]]:
        async def work() -> Measured:
            async with AsyncExitStack() as stack:
                for n in range(number):
                    listener = await psycopg.AsyncConnection.connect(bench.place.administrator, autocommit=True)
                    await stack.enter_async_context(listener)
                    name = "bench" if channel == "common" else f"bench_{n}"
                    await listener.execute(sql.SQL("listen {}").format(sql.Identifier(name)))
                sender = await psycopg.AsyncConnection.connect(bench.place.administrator, autocommit=True)
                await stack.enter_async_context(sender)
                before = bench.place.cpu_s()
                for _ in range(NOTIFICATIONS):
                    await sender.execute(sql.SQL("notify {}").format(sql.Identifier(name)))
                    await asyncio.sleep(PAUSE_S)
                used = bench.place.cpu_s() - before
            return {names[number, channel]: used / NOTIFICATIONS * 1e6 / number}

        return work

    subjects = {name: notify(*key) for key, name in names.items()}
    told = [Figure(name, "µs of CPU a listener", []) for name in names.values()]
    return await in_turn(bench.rounds, subjects, told, bench.say)

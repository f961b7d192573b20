"""What is done to one unit or to the database at one moment, and undone when the block ends.

Unlike the kinds they wait for nothing, so that one can strike while another lasts (`pairs`). What was ended is not
started again here.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random

from psycopg import OperationalError

from tools.faults.fleet import Fleet
from tools.faults.transactions import any_statement, open_transaction
from tools.faults.unit import Unit

Harm = Callable[[Fleet, Unit, Random], AbstractAsyncContextManager[None]]


def at_once(strike: Callable[[Unit], None]) -> Harm:
    """A harm that is done in a moment, and not undone."""

    @asynccontextmanager
    async def harm(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
        strike(victim)
        yield

    return harm


def frozen(whom: Callable[[Unit], list[int | None]]) -> Harm:
    """SIGSTOP, and SIGCONT."""

    @asynccontextmanager
    async def harm(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
        victim.freeze(*whom(victim))
        try:
            yield
        finally:
            victim.thaw()

    return harm


@asynccontextmanager
async def cut(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """Every connection of the unit is reset and new ones are refused."""
    proxy = fleet.proxies[victim.name]
    await proxy.refuse()
    await proxy.cut()
    try:
        yield
    finally:
        await proxy.accept()


@asynccontextmanager
async def deaf(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """Nothing passes and nothing is reset."""
    fleet.proxies[victim.name].go_deaf()
    try:
        yield
    finally:
        fleet.proxies[victim.name].hear_again()


@asynccontextmanager
async def sessions_ended(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """Every session of every unit is terminated."""
    await fleet.observer.ask(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'nodeunit %%'"
    )
    yield


@asynccontextmanager
async def database_stopped(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """A fast shutdown."""
    assert fleet.server is not None
    await asyncio.to_thread(fleet.server.stop)
    try:
        yield
    finally:
        await asyncio.to_thread(fleet.server.start)


@asynccontextmanager
async def database_killed(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """Ended without a word."""
    assert fleet.server is not None
    await asyncio.to_thread(fleet.server.kill)
    try:
        yield
    finally:
        await asyncio.to_thread(fleet.server.start)


@asynccontextmanager
async def database_frozen(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """All its processes are frozen."""
    assert fleet.server is not None
    await asyncio.to_thread(fleet.server.freeze)
    try:
        yield
    finally:
        await asyncio.to_thread(fleet.server.thaw)


@asynccontextmanager
async def unread(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """Nobody reads what the unit says."""
    log = victim.log
    assert log is not None
    log.stop()
    try:
        yield
    finally:
        log.go_on()


@asynccontextmanager
async def transaction_open(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """A person leaves a transaction open."""
    try:
        async with open_transaction(fleet, victim, any_statement(random)):
            yield
    except OperationalError:
        pass  # the database went away and took the transaction with it


@asynccontextmanager
async def killed_in_an_outage(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[None]:
    """The supervisor is killed while the database is away."""
    async with database_killed(fleet, victim, random):
        victim.kill_supervisor()
        yield


HARMS: dict[str, Harm] = {
    "kill-daemon": at_once(lambda victim: victim.kill(victim.daemon)),
    "kill-supervisor": at_once(lambda victim: victim.kill_supervisor()),
    "kill-both": at_once(lambda victim: victim.kill_supervisor(victim.daemon)),
    "kill-guard": at_once(lambda victim: victim.kill(victim.guard)),
    "terminate": at_once(lambda victim: victim.terminate()),
    "reload": at_once(lambda victim: victim.reload()),
    "freeze-daemon": frozen(lambda victim: [victim.daemon]),
    "freeze-supervisor": frozen(lambda victim: [victim.supervisor] if victim.running else []),
    "freeze-both": frozen(lambda victim: [victim.supervisor, victim.daemon] if victim.running else []),
    "cut-network": cut,
    "deafen-network": deaf,
    "end-sessions": sessions_ended,
    "stop-database": database_stopped,
    "kill-database": database_killed,
    "freeze-database": database_frozen,
    "kill-supervisor-in-outage": killed_in_an_outage,
    "open-transaction": transaction_open,
    "unread-log": unread,
    "kill-log-writer": at_once(lambda victim: victim.kill(victim.log_writer)),
    "freeze-log-writer": frozen(lambda victim: [victim.log_writer]),
}

OF_THE_DATABASE = frozenset(
    {
        "end-sessions",
        "stop-database",
        "kill-database",
        "freeze-database",
        "kill-supervisor-in-outage",
        "open-transaction",
    }
)
"""These need a database that answers."""

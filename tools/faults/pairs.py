"""Faults in pairs: a second one strikes at a stage of a first one, at a moment of the seed.

A unit that drains, joins or reloads, a takeover under way, a database that is away or has just come back: what follows
must end as the first fault alone ends: in a working fleet without leftovers and without a row that no unit holds.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from random import Random

from tools.faults.fleet import Fleet, NotSettled
from tools.faults.harms import HARMS, OF_THE_DATABASE, Harm
from tools.faults.kinds import Fault, Kind
from tools.faults.unit import Unit

ENDS_WITHIN_S = 90.0
"""A drain gives up after 60 s and ends the programs."""

Stage = Callable[[Fleet, Unit, Random], AbstractAsyncContextManager[Unit]]
"""Entered, the stage has begun; the unit it gives is the one to strike; left, the first fault is healed."""


@asynccontextmanager
async def drain(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """Programs are being stopped: those that ignore SIGTERM take the grace period of one second."""
    victim.terminate()
    await asyncio.sleep(random.uniform(0, 1.3))
    yield victim


@asynccontextmanager
async def takeover(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """The lease of a dead unit runs out, and others take its rows; one of those is struck."""
    victim.kill_supervisor(victim.daemon)
    await asyncio.sleep(fleet.ttl_s + random.uniform(-0.4, 0.4))
    yield random.choice([unit for unit in fleet.units if unit is not victim])


@asynccontextmanager
async def join(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """A unit comes back, sooner or later after its death, and joins."""
    victim.kill_supervisor(victim.daemon)
    await asyncio.sleep(random.uniform(0, 1.5) * fleet.ttl_s)
    victim.start()
    await asyncio.sleep(random.uniform(0.2, 1.5))
    yield victim


@asynccontextmanager
async def reload(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """One daemon makes way for another."""
    victim.reload()
    await asyncio.sleep(random.uniform(0, 1.2))
    yield victim


@asynccontextmanager
async def outage(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """The database is stopped, killed or frozen."""
    how = random.choice(["stop-database", "kill-database", "freeze-database"])
    async with HARMS[how](fleet, victim, random):
        await asyncio.sleep(random.uniform(0, 1.5) * fleet.ttl_s)
        yield victim


@asynccontextmanager
async def reconnect(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """The database has just come back."""
    how = random.choice(["stop-database", "kill-database", "freeze-database"])
    async with HARMS[how](fleet, victim, random):
        await asyncio.sleep(random.uniform(0.2, 2) * fleet.ttl_s)
    await asyncio.sleep(random.uniform(0, 1.0))
    yield victim


@asynccontextmanager
async def transaction(fleet: Fleet, victim: Unit, random: Random) -> AsyncIterator[Unit]:
    """A person has a transaction open."""
    async with HARMS["open-transaction"](fleet, victim, random):
        yield victim


STAGES: dict[str, Stage] = {
    "drain": drain,
    "takeover": takeover,
    "join": join,
    "reload": reload,
    "outage": outage,
    "reconnect": reconnect,
    "transaction": transaction,
}


def pair(stage: Stage, harm: Harm) -> Kind:
    """Both as one kind. Nothing is promised but the end: who was harmed may be lost, and programs may be restarted."""

    async def both(fleet: Fleet, fault: Fault, random: Random) -> None:
        fault.may_be_lost = True
        fault.strikes()
        async with AsyncExitStack() as harmed:
            struck = await harmed.enter_async_context(stage(fleet, fault.victim, random))
            fault.struck_too.append(struck)
            await harmed.enter_async_context(harm(fleet, struck, random))
            await asyncio.sleep(random.uniform(0.2, 2) * fleet.ttl_s)
        await _start_again(fleet)
        fault.heals()

    return both


async def _start_again(fleet: Fleet) -> None:
    """Units that were asked to end have ended, and ended units are started. Raises NotSettled."""
    for unit in fleet.units:
        if unit.asked_to_end and not await asyncio.to_thread(unit.ends_within, ENDS_WITHIN_S):
            raise NotSettled(f"{unit.name} was asked to end and has not within {ENDS_WITHIN_S:g} s")
    for unit in fleet.units:
        unit.start()


PAIRS: dict[str, Kind] = {
    f"{stage}+{harm}": pair(STAGES[stage], HARMS[harm])
    for stage in STAGES
    for harm in HARMS
    if stage != "outage" or harm not in OF_THE_DATABASE
}
"""By the names of the stage and of what strikes then."""

"""Faults in which a database server forgets, or is replaced while it lives on."""

import asyncio
from random import Random

from nodeunit.clock import boottime
from tools.faults.fleet import Fleet
from tools.faults.kinds import Fault, Kind

LOOK_EVERY_S = 0.005


async def crash_beside_a_cut(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The server is killed as soon as it has confirmed a lease, and that unit is cut off. It is back within half a TTL,
    so that its absence does not count as a silence of all units.

    What it had not written by then it has forgotten; everything but that renewal was written a moment before.
    """
    assert fleet.server is not None
    fault.may_be_lost = True
    proxy = fleet.proxies[fault.victim.name]
    await _until_renewed(fleet, fault)
    await asyncio.sleep(fleet.heartbeat_s * random.uniform(0.7, 0.8))
    await fleet.observer.write_out()
    await _until_renewed(fleet, fault)
    fault.strikes()
    await asyncio.gather(asyncio.to_thread(fleet.server.kill), proxy.refuse(), proxy.cut())
    await asyncio.to_thread(fleet.server.start)
    await asyncio.sleep(fault.at + fleet.ttl_s * random.uniform(1.4, 1.6) - boottime())
    await proxy.accept()
    fault.heals()


async def fail_over_beside_the_old_primary(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The standby is promoted while the old primary lives on, and one unit reaches only the old one."""
    await _two_primaries(fleet, fault, random, victim_reaches_both=False)


async def fail_over_with_both_in_reach(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The same, and that unit reaches both."""
    await _two_primaries(fleet, fault, random, victim_reaches_both=True)


async def fail_over_asynchronously(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The same with an asynchronous standby, where nothing tells the old primary that it was replaced: beyond what
    `stop` promises until the old one is ended and the leases are over that it confirmed.
    """
    fault.stop_is_promised_after_s = fleet.ttl_s
    await _two_primaries(fleet, fault, random, victim_reaches_both=False)


FAILOVERS: dict[str, Kind] = {
    "crash-database-beside-cut": crash_beside_a_cut,
    "failover-old-primary-alive": fail_over_beside_the_old_primary,
    "failover-both-in-reach": fail_over_with_both_in_reach,
    "failover-asynchronous": fail_over_asynchronously,
}


async def _two_primaries(fleet: Fleet, fault: Fault, random: Random, *, victim_reaches_both: bool) -> None:
    assert fleet.server is not None
    assert fleet.standby is not None
    fault.may_be_lost = True
    for unit in fleet.units:
        old, new = fleet.routes[unit.name]
        if unit is not fault.victim:
            await old.refuse()
            await old.cut()
        elif not victim_reaches_both:
            await new.refuse()
    fault.strikes()
    await asyncio.to_thread(fleet.standby.promote)
    await fleet.observer.turn_to(fleet.standby.conninfo)
    await asyncio.sleep(fleet.ttl_s * random.uniform(2, 3))
    await asyncio.to_thread(fleet.server.kill)
    for _, new in fleet.routes.values():
        await new.accept()
    fault.heals()


async def _until_renewed(fleet: Fleet, fault: Fault) -> None:
    before = await fleet.observer.renewed_at(fault.victim.address)
    while await fleet.observer.renewed_at(fault.victim.address) == before:  # noqa: ASYNC110  another process renews it
        await asyncio.sleep(LOOK_EVERY_S)

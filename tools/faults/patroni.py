"""Faults of a Patroni cluster, while rows come and go."""

import asyncio
import time
from random import Random

from tools.faults.fleet import Fleet
from tools.faults.kinds import Fault, Kind
from tools.faults.load import load
from tools.patroni.cluster import TTL_S, Cluster, Node

STRIKES_WITHIN_S = 3.0
GOES_ON_S = 5.0
"""Rows come and go for so long with the new leader."""


async def switch_over(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Another node becomes the leader, in order."""
    async with load(fleet, fault):
        cluster, leader = await _begin(fleet, fault, random)
        fault.rows_must_stay = True
        await asyncio.to_thread(cluster.switch_over, random.choice([n for n in cluster.nodes if n != leader]))
        await _go_on(fault)
    await asyncio.to_thread(cluster.wait_until_complete)


async def kill_leader(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The leader's machine dies, and is back once there is another leader."""
    async with load(fleet, fault):
        cluster, leader = await _begin(fleet, fault, random)
        fault.rows_must_stay = True
        fault.stops_must_stay = fleet.ttl_s >= 2 * TTL_S
        await asyncio.to_thread(cluster.kill, leader)
        await asyncio.to_thread(cluster.leader_within, but=leader)
        await _go_on(fault)
        await asyncio.to_thread(cluster.start, leader)
    await asyncio.to_thread(cluster.wait_until_complete)


async def isolate_leader(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The leader reaches neither its peers nor etcd, while units reach it as before; it has to step down by itself."""
    async with load(fleet, fault):
        cluster, leader = await _begin(fleet, fault, random)
        fault.rows_must_stay = True
        await asyncio.to_thread(cluster.isolate, leader)
        await asyncio.to_thread(cluster.leader_within, but=leader)
        await _go_on(fault)
        await asyncio.to_thread(cluster.rejoin, leader)
    await asyncio.to_thread(cluster.wait_until_complete)


async def kill_standby(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The machine of one of the standbys dies, and is back some time later: the other one confirms all commits."""
    async with load(fleet, fault):
        cluster, leader = await _begin(fleet, fault, random)
        fault.rows_must_stay = fault.stops_must_stay = True
        standby = random.choice([node for node in cluster.nodes if node != leader])
        await asyncio.to_thread(cluster.kill, standby)
        await asyncio.sleep(random.uniform(1, 2) * fleet.ttl_s)
        await asyncio.to_thread(cluster.start, standby)
        fault.heals()
    await asyncio.to_thread(cluster.wait_until_complete)


async def lose_etcd(fleet: Fleet, fault: Fault, random: Random) -> None:
    """etcd is frozen for longer than a leader may stay without it."""
    async with load(fleet, fault):
        cluster, _ = await _begin(fleet, fault, random)
        fault.rows_must_stay = True
        await asyncio.to_thread(cluster.freeze_etcd)
        await asyncio.sleep(TTL_S)
        await asyncio.to_thread(cluster.thaw_etcd)
        await asyncio.to_thread(cluster.leader_within)
        await _go_on(fault)
    await asyncio.to_thread(cluster.wait_until_complete)


async def freeze_patroni(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Patroni is frozen on the leader, and nothing demotes its PostgreSQL: there are two primaries for a while."""
    async with load(fleet, fault):
        cluster, leader = await _begin(fleet, fault, random)
        fault.struck_too = fleet.units
        await asyncio.to_thread(cluster.freeze_patroni, leader)
        try:
            new = await asyncio.to_thread(cluster.leader_within, but=leader)
            await fleet.observer.turn_to(new.conninfo)
            await _go_on(fault)
            await asyncio.sleep(random.uniform(1, 2) * fleet.ttl_s)
        finally:
            await asyncio.to_thread(cluster.thaw_patroni, leader)
        fault.heals()
    await asyncio.to_thread(cluster.wait_until_complete)
    await fleet.observer.turn_to(cluster.conninfo)


PATRONI: dict[str, Kind] = {
    "patroni-switch-over": switch_over,
    "patroni-kill-leader": kill_leader,
    "patroni-isolate-leader": isolate_leader,
    "patroni-kill-standby": kill_standby,
    "patroni-lose-etcd": lose_etcd,
    "patroni-freeze": freeze_patroni,
}


async def _begin(fleet: Fleet, fault: Fault, random: Random) -> tuple[Cluster, Node]:
    """Strikes some time after the load has begun."""
    assert fleet.cluster is not None
    leader = await asyncio.to_thread(fleet.cluster.leader_within)
    await asyncio.sleep(random.uniform(1, STRIKES_WITHIN_S))
    fault.strikes()
    return fleet.cluster, leader


async def _go_on(fault: Fault) -> None:
    """There is a new leader: claims continue under it."""
    fault.heals()
    fault.leader_at = time.time()
    await asyncio.sleep(GOES_ON_S)

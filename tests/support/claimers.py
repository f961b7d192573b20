"""Many units that claim the same rows at the same moment: several processes, one connection for each unit."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from threading import Barrier
from uuid import UUID

from nodeunit.domain.policy import Candidate
from nodeunit.store.postgres import connections
from nodeunit.store.write.decisions import DecisionStream
from tests.support.members import claim, join

Winners = dict[UUID, list[str]]
"""For each row the units whose claim succeeded."""

_together: Callable[[], int]


def claim_at_once(conninfo: str, candidates: list[Candidate], *, processes: int, units_each: int) -> Winners:
    """Every unit claims every candidate, in the same order; all start each round together."""
    spawning = multiprocessing.get_context("spawn")
    barrier = spawning.Barrier(processes, timeout=60)
    with ProcessPoolExecutor(processes, spawning, initializer=_meet_at, initargs=(barrier,)) as executor:
        running = [
            executor.submit(_claim_all, conninfo, candidates, [f"unit-{p}-{u}" for u in range(units_each)])
            for p in range(processes)
        ]
        winners: Winners = {each.id: [] for each in candidates}
        for process in running:
            for deployment_id, addresses in process.result(timeout=120).items():
                winners[deployment_id] += addresses
    return winners


def _meet_at(barrier: Barrier) -> None:
    global _together
    _together = barrier.wait


def _claim_all(conninfo: str, candidates: list[Candidate], addresses: list[str]) -> Winners:
    return asyncio.run(_claim_in_rounds(conninfo, candidates, addresses))


async def _claim_in_rounds(conninfo: str, candidates: list[Candidate], addresses: list[str]) -> Winners:
    async with connections.pool(conninfo, "claimers", max_size=len(addresses)) as pool:
        streams = {address: DecisionStream(await join(pool, address)) for address in addresses}
        winners: Winners = {}
        for candidate in candidates:
            _together()  # blocks the loop, in which nothing is under way
            won = await asyncio.gather(*(claim(stream, address, candidate) for address, stream in streams.items()))
            winners[candidate.id] = [address for address, has in zip(addresses, won, strict=True) if has]
        return winners

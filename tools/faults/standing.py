"""Harms that last for longer than a lease while rows come and go: a healthy unit must not notice."""

import asyncio
from random import Random

from tools.faults.fleet import Fleet
from tools.faults.harms import HARMS
from tools.faults.kinds import Fault, Kind


def standing(name: str) -> Kind:
    """The harm as a separate kind: no unit is lost because of it, nothing is restarted, and rows are claimed
    meanwhile."""

    async def kind(fleet: Fleet, fault: Fault, random: Random) -> None:
        fault.rows_must_stay = True
        fault.strikes()
        async with HARMS[name](fleet, fault.victim, random):
            for _ in range(4):
                fault.inserted += await fleet.insert(6, "stop", "plain")
                await asyncio.sleep(fleet.ttl_s * random.uniform(0.4, 0.8))
        fault.heals()

    return kind


STANDING: dict[str, Kind] = {name: standing(name) for name in ("unread-log", "freeze-log-writer")}

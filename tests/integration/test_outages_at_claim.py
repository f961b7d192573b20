"""The connection is cut at every step around a claim's commit: before, between and inside each message, both ways."""

import asyncio
from dataclasses import replace

import pytest

from nodeunit.domain.events import DeploymentClaimSkipped
from nodeunit.store.postgres import connections
from nodeunit.store.write.decisions import Claim, DecisionStream
from nodeunit.store.write.membership import Membership
from tests.support.members import candidate, join, leading_up_to
from tests.support.proxy import Proxy
from tests.support.rows import deployment, events, insert_deployments
from tools.faults.proxy import Fuse

NEVER = 1 << 30


async def claim_once(database: str, proxy: Proxy, unit: Membership | None, fuse: Fuse) -> tuple[Membership, bool]:
    """One row, one claim through a pool of its own, whose connections have prepared nothing yet.

    Returns the membership and whether the claim is in the log; that all agree about it is asserted here.
    """
    (row,) = insert_deployments(database)
    async with connections.pool(proxy.conninfo, "test") as pool:
        await pool.wait()
        unit = replace(unit, pool=pool) if unit else await join(pool, "unit-1")
        stream = DecisionStream(unit)
        await stream.append(DeploymentClaimSkipped("no_candidate"))  # takes the stream's version from the database
        proxy.set_fuse(fuse)
        claimed = await stream.claim(Claim(candidate(database, row), leading_up_to(unit.address, row)))
        proxy.set_fuse(None)
        await stream.append(DeploymentClaimSkipped("no_candidate"))
    stands = deployment(database, row)
    claims = [event for event in events(database, row) if event["type"] == "DeploymentClaimed"]
    assert len(claims) == len(claimed), "the unit knows what became of its claim"
    assert stands["address"] == (unit.address if claims else "")
    assert stands["address_version"] == len(claims)
    return unit, bool(claims)


@pytest.mark.timeout(180)
async def test_a_claim_cut_anywhere_is_there_once(database: str) -> None:
    async with Proxy(database) as proxy:
        whole = Fuse(sent=NEVER, received=NEVER)
        unit, claimed = await claim_once(database, proxy, None, whole)
        assert claimed
        sent, received = whole.passed[True], whole.passed[False]
        assert sent > 300
        assert received > 100
        for fuse in [
            *(Fuse(sent=at) for at in spread(sent)),
            *(Fuse(received=at) for at in spread(received)),
        ]:
            _, claimed = await claim_once(database, proxy, unit, fuse)
            assert fuse.blown, fuse
            assert claimed, "what was not made is sent again"


def spread(size: int, steps: int = 24) -> list[int]:
    """From the first byte to the last, with more of them near both ends, where the small messages are."""
    near = [0, 1, 2, 4, 8, 16]
    return sorted({*near, *(size * step // steps for step in range(steps)), *(size - byte for byte in near)})


async def test_a_claim_whose_connection_is_stranded_is_looked_up(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "ANSWER_WITHIN_S", 0.3)
    async with Proxy(database) as proxy, asyncio.timeout(30):
        whole = Fuse(sent=NEVER, received=NEVER)
        unit, _ = await claim_once(database, proxy, None, whole)
        for fuse in (
            Fuse(sent=10, strands=True),
            Fuse(sent=whole.passed[True], strands=True),
            Fuse(received=whole.passed[False] // 2, strands=True),
            Fuse(received=whole.passed[False] - 1, strands=True),
        ):
            await claim_once(database, proxy, unit, fuse)
            assert fuse.blown

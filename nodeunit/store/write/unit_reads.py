"""What a unit reads of the table `deployment`: the inputs of a round, and the programs that should run."""

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from nodeunit.domain.can_run import Needs
from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.forward_play import Forecast
from nodeunit.domain.policy import Candidate, UnitView, Usage
from nodeunit.errors import StaleEpoch
from nodeunit.store.postgres.connections import Pool, translate_errors
from nodeunit.store.postgres.queries import QUERIES


async def round_inputs(pool: Pool, limit: int, refused: Collection[Needs] = ()) -> RoundInputs:
    """The inputs of a round, with up to `limit` candidates, none of which needs what is `refused`."""
    inputs, _ = await look(pool, limit, refused)
    return inputs


async def look(pool: Pool, limit: int, refused: Collection[Needs] = ()) -> tuple[RoundInputs, Forecast]:
    """The inputs of a round, with up to `limit` candidates, none of which needs what is `refused`; and what programs
    that are claimed now will use."""
    parameters = {
        "refused": [Jsonb(list(needs)) for needs in sorted(refused)],
        "limit": limit,
    }
    async with translate_errors(), pool.connection() as connection:
        cursor = await connection.execute(QUERIES["round_inputs"], parameters)
        row = await cursor.fetchone()
    assert row is not None
    inputs = RoundInputs(
        units=msgspec.convert(row["units"], tuple[UnitView, ...]),
        candidates=msgspec.convert(row["candidates"], tuple[Candidate, ...]),
    )
    typical = {c.package: raw["typical"] for c, raw in zip(inputs.candidates, row["candidates"], strict=True)}
    forecast = Forecast(
        msgspec.convert({package: usage for package, usage in typical.items() if usage}, dict[str, Usage]),
        msgspec.convert({raw["address"]: raw["reserve"] for raw in row["units"]}, dict[str, Usage]),
    )
    return inputs, forecast


async def disabled_rows_of(pool: Pool, address: str) -> list[Deployment]:
    """The disabled rows that a unit holds."""
    async with translate_errors(), pool.connection() as connection:
        rows = await (await connection.execute(QUERIES["disabled_rows_of"], {"address": address})).fetchall()
    return [msgspec.convert(row, Deployment) for row in rows]


async def programs_of(
    pool: Pool, address: str, *, confirm: tuple[int, Collection[tuple[UUID, int]]] | None = None
) -> list[Deployment]:
    """The programs that should run on a unit: the enabled rows it holds and every enabled daemon row.

    `confirm` is the unit's epoch and the rows, by id and version, that it knows to hold. If there are others, this
    waits until they are durable. Raises StaleEpoch if that epoch is over.
    """
    async with translate_errors(), pool.connection() as connection:
        rows = await (await connection.execute(QUERIES["programs_of"], {"address": address})).fetchall()
        found = [msgspec.convert(row, Deployment) for row in rows]
        if confirm is not None:
            epoch, known = confirm
            if not {(row.id, row.address_version) for row in found if row.type == "deployment"}.issubset(known):
                stream = {"address": address, "epoch": epoch}
                confirmed = await (await connection.execute(QUERIES["confirm_reads"], stream)).fetchone()
                if confirmed is None or not confirmed["in_force"]:
                    raise StaleEpoch(f"epoch {epoch} of unit {address} is over")
    return found


async def existing_rows(pool: Pool, ids: Sequence[UUID]) -> set[UUID]:
    """Which of these rows exist."""
    async with translate_errors(), pool.connection() as connection:
        rows = await (await connection.execute(QUERIES["existing_rows"], {"ids": list(ids)})).fetchall()
    return {row["id"] for row in rows}


async def runs_elsewhere(pool: Pool, address: str, released: Deployment) -> bool:
    """Whether a unit other than this one has started the program of a row since this one held it."""
    async with translate_errors(), pool.connection() as connection:
        cursor = await connection.execute(
            QUERIES["runs_elsewhere"],
            {"deployment_id": released.id, "address": address, "version": released.address_version},
        )
        row = await cursor.fetchone()
    return row is not None and bool(row["runs"])

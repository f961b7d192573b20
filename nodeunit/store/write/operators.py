"""What an operator asks of a unit: cordon, uncordon, drain."""

from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES


async def cordon(connection: Connection, address: str) -> None:
    """The unit claims nothing more until it is uncordoned, restarts included. What it holds continues to run."""
    async with translate_errors():
        await connection.execute(QUERIES["cordon_unit"], {"address": address})


async def uncordon(connection: Connection, address: str) -> None:
    """The unit may claim again; a drain in progress ends."""
    async with translate_errors():
        await connection.execute(QUERIES["uncordon_unit"], {"address": address})


async def drain(connection: Connection, address: str, within_s: float) -> None:
    """The unit releases its rows one by one, and kills programs that have not ended in time."""
    async with translate_errors():
        await connection.execute(QUERIES["drain_unit"], {"address": address, "within_s": within_s})

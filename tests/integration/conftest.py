"""The pool of a daemon, on the database of the test."""

from collections.abc import AsyncIterator

import pytest

from nodeunit.store.postgres import connections
from nodeunit.store.postgres.connections import Pool


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Made as the daemon makes it, open."""
    async with connections.pool(database, "test", max_size=4) as opened:
        yield opened

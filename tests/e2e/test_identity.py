"""A unit without a password of its own is another unit with each start, and says so."""

from collections.abc import Callable

import pytest

from tests.support.rows import value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e


async def test_an_unset_password_is_said_at_the_start(database: str, start_unit: Callable[..., UnitProcess]) -> None:
    nameless = start_unit(database, name="one", NODE_UNIT_PASSWORD="")
    address = await eventually(lambda: value(database, "select max(address) from unit"), what="the unit has joined")
    assert f"NODE_UNIT_PASSWORD is not set, so this start makes a new unit, {address}" in nameless.log
    named = start_unit(database, name="two")
    await eventually(lambda: value(database, "select count(*) from unit") == 2, what="the other has joined")
    assert "NODE_UNIT_PASSWORD" not in named.log

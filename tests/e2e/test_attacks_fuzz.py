"""The short form of tools/fuzz.py: some thousand hostile inputs of one seed at a unit that runs, on TimescaleDB."""

from collections.abc import Callable

import pytest

from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tools import fuzz

pytestmark = pytest.mark.e2e

COUNT = 4000


@pytest.mark.timeout(180)
def test_hostile_inputs_end_nothing(database: str, start_unit: Callable[..., UnitProcess]) -> None:
    unit = start_unit(database, TRUSTED_PACKAGE_REGEXP="^never$")
    Fleet(database).wait_for_measured_units(1)
    before = fuzz.living(unit.pid)
    inputs = fuzz.Inputs(fuzz.attackers(database), seed=7)
    try:
        inputs.send(COUNT)
    finally:
        inputs.close()
        fuzz.remove(database)
    assert sum(inputs.sent.values()) == COUNT
    assert all(inputs.accepted[kind] < inputs.sent[kind] for kind in ("calls", "rows", "settings"))
    assert fuzz.faults_of(database, unit.address, unit.log, before, fuzz.living(unit.pid)) == []

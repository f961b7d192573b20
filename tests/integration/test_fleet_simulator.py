"""The fleet simulator, small: its scenarios end with every row held and every rule kept, and it notices when not."""

import psycopg
import pytest

from tools.fleet import scenario as scenarios
from tools.fleet.run import Outcome, run
from tools.fleet.scenario import Group, Scenario, Size, Step

pytestmark = pytest.mark.timeout(120)

SMALL = Size(units=6, rows=18, seed=7, heartbeat_interval_s=0.5)


async def outcome_of(database: str, scenario: Scenario, size: Size = SMALL) -> Outcome:
    return await run(database, scenario, size)


@pytest.mark.parametrize("name", ["burst", "churn", "rolling_restart", "third_lost", "frozen_unit", "growing"])
async def test_every_row_is_held_and_every_rule_kept(database: str, name: str) -> None:
    outcome = await outcome_of(database, scenarios.read(name))
    assert outcome.faults == []
    assert outcome.figures.claims >= SMALL.rows * 0.9


@pytest.mark.parametrize("policy", ["deployment_count", "resource_usage"])
async def test_a_burst_is_spread_evenly(database: str, policy: str) -> None:
    burst = scenarios.read("burst")
    outcome = await outcome_of(database, burst, Size(6, 18, 7, 0.5, policy))
    assert outcome.faults == []
    (group,) = outcome.balances
    assert group.most - group.fewest <= 1  # what 18 programs use differs a little


async def test_a_row_that_waits_is_noticed(database: str) -> None:
    """Nobody claims while the only unit is frozen, and it is the only one that may."""
    steps = (Step("insert"), Step("settle"))
    alone = Scenario(summary="", steps=steps, groups=(Group(),), hosts=1)
    with psycopg.connect(database, autocommit=True) as connection:
        # No round sees a unit that is cordoned, but the scenario does not know that it is.
        connection.execute(
            "create function cordon_all() returns trigger language plpgsql as "
            "$$ begin update unit set cordoned = true where not cordoned; return null; end $$"
        )
        connection.execute(
            "create trigger before_all before insert on deployment for each statement execute function cordon_all()"
        )
    outcome = await outcome_of(database, alone, Size(1, 3, 7, 0.5))
    assert any("3 rows wait" in fault for fault in outcome.faults), outcome.faults


def test_each_scenario_can_be_read_and_has_steps_that_exist() -> None:
    for name in scenarios.names():
        scenario = scenarios.read(name)
        assert scenario.summary
        assert scenario.steps
        units = scenarios.units(scenario, SMALL)
        assert len({unit.address for unit in units}) == SMALL.units
        assert sum(rows for _, rows in scenarios.kinds(scenario, SMALL.rows)) == SMALL.rows

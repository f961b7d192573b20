"""Recorded rounds decided again: they come out the same, and what was tampered with is found."""

from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from typer.testing import CliRunner

from nodeunit.audit.backtest import TYPES, Backtest, backtest
from nodeunit.audit.source import LiveLog
from nodeunit.cli.app import app
from nodeunit.domain.what_if import PolicyOverride
from nodeunit.errors import DecisionsDiffer
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read.event_log import EventFilter
from tests.support.members import candidate, lose
from tests.support.members import claim as claim_without_round
from tests.support.rounds import Deciding, claim_all, deciding
from tests.support.rows import insert_deployments, value
from tools import synthetic_log

REPORT = Path(__file__).parents[1] / "unit" / "vectors" / "rounds.md"


async def run(database: str, **override: Any) -> Backtest:
    return await backtest(LiveLog(database, EventFilter(types=TYPES)), PolicyOverride(**override))


async def a_fleet(database: str, pool: Pool, **settings: Any) -> list[Deciding]:
    """Three units that have claimed seven rows, with skips of all kinds."""
    units = [await deciding(pool, address, **settings) for address in ("unit-a", "unit-b", "unit-c")]
    for number, unit in enumerate(units):
        await unit.sample(1.0 + number, 100.0)
    assert (await units[1].look()).reason in ("no_candidate", "not_eligible")
    insert_deployments(database, 7)
    first = await units[0].look()
    await units[0].look(first.recorded)  # as if it had not seen its own claim: it comes second, a conflict
    await claim_all(units)
    return units


@pytest.mark.parametrize("policy", ["deployment_count", "resource_usage"])
async def test_every_recorded_decision_comes_out_again(database: str, pool: Pool, policy: str) -> None:
    units = await a_fleet(database, pool, policy=policy)
    await lose(pool, database, units[0].unit, units[2].address)
    await claim_all(units[:2])
    found = await run(database)
    assert found.differences == []
    assert not found.another_policy
    assert found.outcomes["claim"]["claim"] >= 7
    assert found.decisions == value(database, "select count(*) from event where type = 'DeploymentClaimRound'")
    assert sum(unit.claims for unit in found.units) == found.outcomes["claim"]["claim"] - 1
    assert [(u.claims, u.held) for u in found.units] == [(u.claims_instead, u.held_instead) for u in found.units]


async def test_the_recorded_policy_named_is_no_other_policy(database: str, pool: Pool) -> None:
    await a_fleet(database, pool, policy="resource_usage")
    found = await run(database, policy="resource_usage", cpu_weight=0.5, memory_weight=0.5)
    assert (found.differing, found.another_policy) == (0, False)


async def test_another_policy_is_found_out(database: str, pool: Pool) -> None:
    await a_fleet(database, pool, policy="deployment_count")
    found = await run(database, policy="resource_usage")
    assert found.another_policy
    assert found.differing > 0
    # unit-a is lowest in all recorded samples, so its estimate rises with each row until others come in.
    assert sum(unit.claims_instead for unit in found.units) == 7
    nobody = await run(database, policy="none")
    assert nobody.outcomes["claim"] == {"policy_disabled": nobody.outcomes["claim"]["policy_disabled"]}
    assert nobody.imbalance_instead is None


TAMPERINGS = {
    "the decision": ("DeploymentClaimRound", "jsonb_set(data, '{outcome}', '\"no_candidate\"')", "claim"),
    "the inputs": ("DeploymentClaimRound", "jsonb_set(data, '{units,0,deployment_count}', '99')", "claim"),
    "the eligibility": ("DeploymentClaimEligibility", "jsonb_set(data, '{eligible}', 'false')", "Eligibility"),
    "the claimant": ("DeploymentClaimed", "jsonb_set(data, '{claimant}', '\"unit-c\"')", "DeploymentClaimed"),
    "the attempt": ("DeploymentClaimAttempt", "jsonb_set(data, '{usage}', '{}')", "DeploymentClaimAttempt"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
async def test_a_tampered_record_is_found_out(database: str, pool: Pool, what: str) -> None:
    unit = await deciding(pool, "unit-a")
    await unit.sample(1.0, 100.0)
    insert_deployments(database, 1)
    assert (await unit.look()).outcome == "claim"
    type_name, changed, shown = TAMPERINGS[what]
    with psycopg.connect(database) as forger:
        forger.execute("set session_replication_role = replica")  # or the log would refuse
        forger.execute(
            f"update event set data = {changed} where type = %s and transaction_id = "
            "(select transaction_id from event where type = 'DeploymentClaimed')",
            (type_name,),
        )
    found = await run(database)
    assert found.differing == 1
    assert shown in f"{found.differences[0].recorded} {found.differences[0].instead}"


async def test_a_claim_without_recorded_inputs_is_a_difference(database: str, pool: Pool) -> None:
    unit = await deciding(pool, "unit-a")
    (row,) = insert_deployments(database, 1)
    await claim_without_round(unit.stream, unit.address, candidate(database, row))
    found = await run(database)
    assert [difference.instead for difference in found.differences] == ["no inputs recorded"]


def test_a_long_log_decides_again_as_it_stands(database: str) -> None:
    synthetic_log.load(database, events=3000, units=3, deployments=20, days=2)
    result = CliRunner().invoke(app, ["backtest", "-d", database, "-o", "json"])
    assert result.exit_code == 0, result.output
    found = msgspec.json.decode(result.stdout, type=Backtest)
    assert found.decisions > 100
    assert found.differing == 0


def test_only_rounds_of_the_time_asked_for(database: str) -> None:
    synthetic_log.load(database, events=3000, units=3, deployments=20, days=4)
    counts = []
    for bounds in ([], ["--since", "2d"], ["--until", "2d"], ["--since", "1s"]):
        result = CliRunner().invoke(app, ["backtest", "-d", database, "-o", "json", *bounds])
        assert result.exit_code == 0, result.output
        counts.append(msgspec.json.decode(result.stdout, type=Backtest).decisions)
    assert counts[0] == counts[1] + counts[2]
    assert 0 < counts[1] < counts[0]


def test_the_table_of_the_report() -> None:
    result = CliRunner().invoke(app, ["backtest", "--rounds", str(REPORT)])
    assert result.exit_code == 0, result.output
    assert "split 12 to 9" in result.output
    assert result.output.splitlines()[-1] == "21 of 21 decisions reproduced"


@pytest.mark.parametrize("option", [["--policy", "deployment_count"], ["--cpu-weight", "1", "--memory-weight", "0"]])
def test_the_table_under_another_policy_is_found_out(option: list[str]) -> None:
    result = CliRunner().invoke(app, ["backtest", "--rounds", str(REPORT), *option])
    assert isinstance(result.exception, DecisionsDiffer)
    assert result.exception.exit_code == 1
    assert "21 of 21" not in result.output


def test_a_tampered_table_is_found_out(tmp_path: Path) -> None:
    report = tmp_path / "rounds.md"
    report.write_text(REPORT.read_text().replace("| node-unit-2 | 2065a70f", "| node-unit-1 | 2065a70f"))
    result = CliRunner().invoke(app, ["backtest", "--rounds", str(report)])
    assert isinstance(result.exception, DecisionsDiffer)
    assert "2065a70f" in result.output
    assert result.output.splitlines()[-1] == "20 of 21 decisions reproduced"

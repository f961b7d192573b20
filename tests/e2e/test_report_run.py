"""The run of the report: two daemons in an empty environment, its INSERT to the letter, both policies.

Its package comes from a real registry; that of the report itself is not needed.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from nodeunit.domain.event_json import decode
from tests.e2e.fleet import REPORT_INSERT, REPORT_UNITS, Fleet
from tests.e2e.packaged_server import NpmSource, Programs
from tests.support.registries import NpmRegistry
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

PACKAGE = "@yuants/app-portal"

FIELDS = {
    "DeploymentClaimEligibility": {
        "eligible", "policy", "activeNodeUnits", "eligibleNodeUnits", "metrics", "minMetrics", "notEligibleReasons",
    },
    "DeploymentClaimAttempt": {"deployment_id", "claimant", "usage"},
    "DeploymentClaimed": {"deployment_id", "claimant"},
}  # fmt: skip


@pytest.fixture(scope="module")
def registry(npm_registry: NpmRegistry) -> NpmRegistry:
    """A registry with the package that the report names."""
    NpmSource(npm_registry).publish(PACKAGE, "0.2.26")
    return npm_registry


@pytest.mark.timeout(150)
@pytest.mark.parametrize("policy", ["resource_usage", "deployment_count"])
def test_the_reports_21_programs_answer_and_every_decision_is_an_event(
    database: str, start_unit: StartUnit, tmp_path: Path, registry: NpmRegistry, policy: str
) -> None:
    fleet, programs = Fleet(database), Programs(Fleet(database), tmp_path / "logs")
    downloads = registry.downloads(PACKAGE)
    for name in REPORT_UNITS:
        start_unit(
            database,
            name=name,
            NODE_UNIT_PASSWORD=name,
            NODE_UNIT_CLAIM_POLICY=policy,
            TRUSTED_PACKAGE_REGEXP="^@yuants/",
            NODE_UNIT_NPM_REGISTRY=registry.url,
        )
    fleet.wait_for_measured_units(2)

    fleet.simple_query(REPORT_INSERT)
    split = fleet.wait_until_all_claimed()
    wait_until(lambda: len(programs.answers()) == 21, within_s=60, what="21 programs answer with their deployment")

    assert {answer.version for answer in programs.answers().values()} == {"0.2.26"}
    assert registry.downloads(PACKAGE) == downloads + 2, "each unit installs it once"

    hypertables = fleet.query("select hypertable_name as name from timescaledb_information.hypertables order by 1")
    assert [row["name"] for row in hypertables] == ["event", "usage"]
    assert set(split) == set(REPORT_UNITS.values())
    assert sum(split.values()) == 21
    if policy == "deployment_count":
        assert all(8 <= rows <= 13 for rows in split.values()), split
    # By usage the unit that installs first looks busy; what holds at any load is that each decision follows its inputs.
    reproduced = subprocess.run(
        [sys.executable, "-P", "-m", "nodeunit", "backtest", "-d", database],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    found = re.search(r"^(\d+) of (\d+) decisions reproduced$", reproduced.stdout, re.MULTILINE)
    assert found is not None
    assert found[1] == found[2], "the claims, and the skips of units that had nothing to claim"
    assert int(found[1]) >= 21
    fleet.assert_sound()

    claimed = fleet.events("DeploymentClaimed")
    assert len({row["deployment_id"] for row in claimed}) == len(claimed) == 21
    for type_name, fields in FIELDS.items():
        events = fleet.events(type_name)
        assert events
        assert all(set(event["data"]) == fields for event in events), type_name
    reasons = {event["data"]["reason"] for event in fleet.events("DeploymentClaimSkipped")}
    # Before its first sample a unit is not eligible under resource_usage: unknown usage is not zero usage.
    assert ("no_candidate" if policy == "deployment_count" else "not_eligible") in reasons
    assert reasons <= {"no_candidate", "not_eligible", "claim_conflict"}
    for event in fleet.query("select type, data::text as data from event"):
        decode(event["type"], event["data"])


def test_policy_none_claims_nothing_and_says_so(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    start_unit(database, name="idle", NODE_UNIT_CLAIM_POLICY="NONE")
    start_unit(database, name="busy")
    fleet.wait_for_measured_units(2)

    fleet.simple_query(REPORT_INSERT)
    split = fleet.wait_until_all_claimed()

    assert list(split.values()) == [21]
    reasons = {event["data"]["reason"] for event in fleet.events("DeploymentClaimSkipped")}
    assert "policy_disabled" in reasons
    fleet.assert_sound()


def test_a_second_unit_with_a_living_identity_is_refused(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    start_unit(database, name="twin")
    fleet.wait_for_measured_units(1)

    second = start_unit(database, name="twin")

    assert second.wait(within_s=20) == 30
    assert "is alive" in second.log
    assert "Traceback" not in second.log
    assert len(fleet.events("UnitJoined")) == 1

"""Why a row is released: what the code writes, what the event says of itself, and what people read are one list."""

import re
from pathlib import Path

from nodeunit.audit import wording
from nodeunit.domain.events import DeploymentReleased

ROOT = Path(__file__).resolve().parents[2]
WRITTEN = re.compile(r"'DeploymentReleased', (?:[^;]|\n)*?'reason', '(\w+)'")
GIVEN_BY_UNITS = re.compile(r"_(?:release|leave_with_nothing_running)\([^)]*, \"(\w+)\"")


def test_what_is_documented_is_what_is_written() -> None:
    in_sql = {reason for path in (ROOT / "migrations").rglob("*.sql") for reason in WRITTEN.findall(path.read_text())}
    by_units = set(GIVEN_BY_UNITS.findall((ROOT / "nodeunit/daemon/drain.py").read_text()))
    documented = set(re.findall(r"`(\w+)`", (DeploymentReleased.__doc__ or "").splitlines()[0]))
    assert by_units == {"drained", "unit_exhausted", "supervisor_died"}
    assert in_sql | by_units == documented == set(wording._REASONS)

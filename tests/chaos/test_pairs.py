"""A second fault in the middle of a first one, by a fixed seed. All pairs: `python -m tools.faults --kinds pairs`."""

from pathlib import Path

import pytest

from tools.faults.build import Build
from tools.faults.run import Run, Shape
from tools.faults.trial import Outcome

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(560)]

SEED = 7
HERE = [
    "drain+kill-supervisor",
    "drain+kill-supervisor-in-outage",
    "drain+kill-daemon",
    "drain+freeze-both",
    "takeover+freeze-both",
    "join+kill-database",
    "reload+kill-supervisor",
    "outage+terminate",
    "reconnect+end-sessions",
    "transaction+terminate",
]
"""One or two of each stage; among them those that once left a daemon behind."""


@pytest.fixture(scope="module")
def run(build: Build, chaos_directory: Path) -> Run:
    """All of them, one after the other, on one fleet as long as that stays in order."""
    run = Run(build, chaos_directory, Shape())
    run.trials([(name, SEED) for name in HERE])
    return run


@pytest.fixture(scope="module")
def outcomes(run: Run) -> dict[str, Outcome]:
    return {outcome.kind: outcome for outcome in run.outcomes}


@pytest.mark.parametrize("pair", HERE)
def test_no_promise_is_broken_by(pair: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[pair].faults == []


def test_the_log_obeys_its_rules_afterwards(run: Run) -> None:
    assert run.violations == []

"""A person's transaction is left open on each table that units write to: it costs at most its own rows."""

from pathlib import Path

import pytest

from tools.faults.build import Build
from tools.faults.run import Run, Shape
from tools.faults.transactions import TRANSACTIONS
from tools.faults.trial import Outcome

pytestmark = pytest.mark.chaos

SEED = 4


@pytest.fixture(scope="module")
def run(build: Build, chaos_directory: Path) -> Run:
    """All of them, one after the other, on one fleet as long as that stays in order."""
    run = Run(build, chaos_directory, Shape())
    run.trials([(name, SEED) for name in TRANSACTIONS])
    return run


@pytest.fixture(scope="module")
def outcomes(run: Run) -> dict[str, Outcome]:
    return {outcome.kind: outcome for outcome in run.outcomes}


@pytest.mark.parametrize("kind", TRANSACTIONS)
def test_no_promise_is_broken_by(kind: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[kind].faults == []


def test_the_log_obeys_its_rules_afterwards(run: Run) -> None:
    assert run.violations == []

"""A real Patroni cluster whose leader is replaced, killed or cut off, while rows come and go."""

from pathlib import Path

import pytest

from tools.faults.build import Build
from tools.faults.run import Run, Shape
from tools.faults.trial import Outcome

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(480)]

SEED = 4
HERE = ["patroni-switch-over", "patroni-kill-leader", "patroni-isolate-leader"]
"""All others: `python -m tools.faults --kinds patroni --ttl 10 --heartbeat 2`."""


@pytest.fixture(scope="module")
def run(build: Build, chaos_directory: Path) -> Run:
    """Each kind once, one after the other, on one cluster."""
    run = Run(build, chaos_directory, Shape(ttl_s=10, heartbeat_s=2, settle_s=60))
    run.trials([(kind, SEED) for kind in HERE])
    return run


@pytest.mark.parametrize("kind", HERE)
def test_no_promise_is_broken_by(kind: str, run: Run) -> None:
    outcome = _of(run, kind)
    assert outcome.faults == []
    assert outcome.inserted_to_claimed_s, "rows were claimed while it lasted"
    assert outcome.resumed_s is not None, "and rows were claimed under the new leader"


def test_the_log_obeys_its_rules_afterwards(run: Run) -> None:
    assert run.violations == []


def _of(run: Run, kind: str) -> Outcome:
    (outcome,) = [outcome for outcome in run.outcomes if outcome.kind == kind]
    return outcome

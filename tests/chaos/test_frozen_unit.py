"""A frozen unit delays no other unit, even if it is its turn to claim."""

from pathlib import Path

import pytest

from tools.faults.build import Build
from tools.faults.run import Run, Shape
from tools.faults.summary import quantile

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]


def test_others_claim_on_while_a_unit_is_frozen(build: Build, chaos_directory: Path) -> None:
    run = Run(build, chaos_directory, Shape(rows=6, ttl_s=6, heartbeat_s=2))
    (outcome,) = run.trials([("freeze-one-and-claim", 1)])
    assert outcome.faults == []
    waited = outcome.inserted_to_claimed_s
    assert len(waited) > 20
    assert quantile(waited, 0.5) < 0.1
    assert max(waited) < 2, "two heartbeats would be 4 s"

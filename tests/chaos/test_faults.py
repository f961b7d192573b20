"""Each kind of fault once, on a running fleet, by a fixed seed. Hours of them: `make chaos HOURS=8`."""

from pathlib import Path

import pytest

from tools.faults.build import Build
from tools.faults.catalogue import SINGLE
from tools.faults.run import Run, Shape
from tools.faults.transactions import TRANSACTIONS
from tools.faults.trial import Outcome

pytestmark = pytest.mark.chaos

SEED = 4
HERE = [name for name in SINGLE if name not in TRANSACTIONS]


@pytest.mark.parametrize("kind", HERE)
def test_no_promise_is_broken_by(kind: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[kind].faults == []


def test_the_log_obeys_its_rules_afterwards(run: Run) -> None:
    assert run.violations == []


def test_a_killed_daemon_is_not_noticed_by_its_programs(outcomes: dict[str, Outcome]) -> None:
    killed = outcomes["kill-daemon"]
    assert (killed.moved, killed.restarted) == (0, 0)
    assert killed.decides_again_s is not None


@pytest.mark.parametrize(
    "kind", ["kill-both", "cut-network", "freeze-daemon", "freeze-both", "deafen-network", "hang-supervisor"]
)
def test_the_rows_of_a_lost_unit_run_elsewhere(kind: str, outcomes: dict[str, Outcome]) -> None:
    lost = outcomes[kind]
    assert lost.moved > 0
    assert lost.last_takeover_s is not None


def test_a_drained_row_is_claimed_by_another_unit(outcomes: dict[str, Outcome]) -> None:
    assert outcomes["drain"].moved > 0
    assert outcomes["drain"].released_to_claimed_s != []


@pytest.mark.timeout(180)
def test_a_failover_is_not_noticed_by_programs(build: Build, chaos_directory: Path) -> None:
    run = Run(build, chaos_directory, Shape())
    (outcome,) = run.trials([("fail-over", SEED)])
    assert (outcome.faults, run.violations, outcome.moved, outcome.restarted) == ([], [], 0, 0)

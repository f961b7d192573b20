"""A database server that forgets, or that is replaced while it lives on: no `stop` program runs twice."""

from pathlib import Path

import pytest

from tools.faults.build import Build
from tools.faults.run import Run, Shape
from tools.faults.trial import Outcome

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(180)]

SEED = 4


@pytest.mark.parametrize("kind", ["failover-old-primary-alive", "failover-both-in-reach"])
def test_a_replaced_primary_confirms_no_lease(kind: str, build: Build, chaos_directory: Path) -> None:
    outcome = _trial(kind, Shape(), build, chaos_directory)
    assert outcome.stop_overlap_s == 0


def test_a_server_that_crashes_remembers_each_lease_that_it_confirmed(build: Build, chaos_directory: Path) -> None:
    # Only a program that ignores SIGTERM lives to the end of a lease: with these rows any unit has one of them.
    shape = Shape(units=2, rows=12, stops=1, ttl_s=14, heartbeat_s=2)
    outcome = _trial("crash-database-beside-cut", shape, build, chaos_directory)
    assert outcome.moved > 0, "the unit that was cut off is lost, and its rows run elsewhere"


def test_with_an_asynchronous_standby_two_copies_end_with_the_old_primary(build: Build, chaos_directory: Path) -> None:
    _trial("failover-asynchronous", Shape(), build, chaos_directory)


def _trial(kind: str, shape: Shape, build: Build, directory: Path) -> Outcome:
    run = Run(build, directory, shape)
    (outcome,) = run.trials([(kind, SEED)])
    assert (outcome.faults, run.violations) == ([], [])
    return outcome

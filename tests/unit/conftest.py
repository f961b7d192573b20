"""A supervisor to test, and the daemon that it started: played by the test. A module may replace `unit` by its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.supervisor_daemon import Daemon, SupervisedUnit, supervised_unit


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[SupervisedUnit]:
    with supervised_unit(tmp_path) as unit:
        yield unit


@pytest.fixture
def daemon(unit: SupervisedUnit) -> Daemon:
    return unit.next_daemon()[0]

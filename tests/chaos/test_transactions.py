"""A person's transaction is left open on each table that units write to: it costs at most its own rows."""

import pytest

from tools.faults.run import Run
from tools.faults.transactions import TRANSACTIONS
from tools.faults.trial import Outcome

pytestmark = pytest.mark.chaos

SEED = 4
HERE = [*TRANSACTIONS]


@pytest.mark.parametrize("kind", HERE)
def test_no_promise_is_broken_by(kind: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[kind].faults == []


def test_the_log_obeys_its_rules_afterwards(run: Run) -> None:
    assert run.violations == []

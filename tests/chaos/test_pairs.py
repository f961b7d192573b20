"""A second fault in the middle of a first one, by a fixed seed. All pairs: `python -m tools.faults --kinds pairs`."""

import pytest

from tools.faults.run import Run
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


@pytest.mark.parametrize("pair", HERE)
def test_no_promise_is_broken_by(pair: str, outcomes: dict[str, Outcome]) -> None:
    assert outcomes[pair].faults == []


def test_the_log_obeys_its_rules_afterwards(run: Run) -> None:
    assert run.violations == []

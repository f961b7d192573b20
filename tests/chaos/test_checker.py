"""The checker is checked: builds that are broken on purpose are caught, each for what it lacks."""

from pathlib import Path

import pytest

from tools.faults.breakages import BREAKAGES, is_caught
from tools.faults.run import Shape

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]

EXPECTED = {
    "order": "claimed_only_what_was_free",
    "deadline": "two copies of a stop program",
    "epoch": "takes no part",
    "renewal": "two copies of a stop program",
    "orphan": "left over",
    "nowhere": "held and not run",
    "reader": "false takeovers",
    "loop": "starts of one program",
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_build_is_caught(name: str, tmp_path: Path) -> None:
    found = is_caught(BREAKAGES[name], tmp_path, trials=6, seed=5, shape=Shape(settle_s=20))
    assert any(EXPECTED[name] in fault for fault in found), found

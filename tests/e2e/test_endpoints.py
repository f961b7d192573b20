"""What the views say of the programs of a real unit: their states, and where they can be reached."""

import asyncio
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nodeunit.store.read import projections
from tests.e2e.fleet import Fleet
from tests.support import checked_program
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


def test_a_program_is_found_by_sql_from_its_first_good_check_to_its_stop(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    fleet = Fleet(database)
    start_unit(database, NODE_UNIT_PORT_RANGE="22000-22999", NODE_UNIT_HOST="127.0.0.1")
    fleet.execute(
        "insert into deployment (package_name, package_version, command, wants_port, startup_check) "
        "values ('@yuants/checked', '1', %s, true, 'http:$PORT/ready')",
        f"{sys.executable} -I -S {checked_program.__file__} {tmp_path}",
    )

    def states() -> list[Any]:
        return [(row["state"], row["reason"]) for row in fleet.query("select state, reason from program_state")]

    def endpoints() -> list[dict[str, Any]]:
        return fleet.query("select * from endpoint")

    wait_until(
        lambda: fleet.query("select from program where state = 'starting'"), within_s=30, what="its check is awaited"
    )
    assert (states(), endpoints()) == ([("starting", "")], [])
    (tmp_path / "ready").write_text("")
    (found,) = wait_until(endpoints, within_s=30, what="it can be reached")
    with socket.create_connection((found["host"], found["port"]), timeout=10):
        pass
    assert (states(), found["claim_version"], found["package_name"]) == ([("running", "")], 1, "@yuants/checked")
    fleet.execute("update deployment set enabled = false")
    wait_until(lambda: states() == [("stopped", "disabled")], within_s=30, what="it is stopped")
    assert endpoints() == []
    assert asyncio.run(projections.verify(database)) == []

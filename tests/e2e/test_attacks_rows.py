"""A row that breaks the rules, as only an owner with triggers switched off can make it, ends no daemon."""

from collections.abc import Callable

import psycopg
import pytest

from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


def test_an_address_without_an_event_ends_no_daemon(database: str, start_unit: Callable[..., UnitProcess]) -> None:
    unit = start_unit(database)
    fleet = Fleet(database)
    fleet.insert_servers(2)
    fleet.wait_until_all_claimed()
    wait_until(lambda: len(fleet.running()) == 2, within_s=20, what="both run")
    children = {child.pid for child in unit.descendants()}
    with psycopg.connect(database) as owner:
        owner.execute("set session_replication_role = replica")
        owner.execute(
            "insert into deployment (package_name, package_version, command, address)"
            " values ('@yuants/server', '1.0.0', 'sleep 600', %s)", (unit.address,),
        )  # fmt: skip
        owner.execute("update deployment set address = 'nobody' where ctid = (select min(ctid) from deployment)")
    fleet.insert_servers(1)  # and every unit looks
    wait_until(lambda: len(fleet.events("ProcessStarted")) >= 3, within_s=20, what="it goes on with the others")
    assert children & {child.pid for child in unit.descendants()}
    assert unit.log.count("is ready") == 1, "no daemon ended"
    assert "Traceback" not in unit.log

"""A stranger: a login that may connect, and nothing else. What it can do to a running unit."""

import time
from collections.abc import Callable

import psycopg
import pytest

from tests.e2e.fleet import Fleet
from tests.support.logins import Login
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

FLOOD = 20_000
HOSTILE = ["9" * 4400, "9" * 30, "9" * 30 + " deployment *", "", "\x1b[2J", "1 unit " + ",".join(["a"] * 3000),
           "-1 deployment *", "0 logs *", "\u0661 unit *", "999999999999999999 deployment *"]  # fmt: skip


def test_notifications_end_no_daemon_and_cost_little(
    database: str, login: Login, start_unit: Callable[..., UnitProcess]
) -> None:
    fleet = Fleet(database)
    stranger = login()
    unit = start_unit(database)
    fleet.wait_for_measured_units(1)
    daemon = {child.pid for child in unit.descendants()}
    skips = "select count(*) as n from event where type = 'DeploymentClaimSkipped'"
    (before,) = fleet.query(skips)
    began = time.monotonic()
    with psycopg.connect(stranger, autocommit=True) as attacker:
        for payload in HOSTILE:
            attacker.execute("select pg_notify('nodeunit', %s)", (payload,))
        attacker.execute("select count(pg_notify('nodeunit', n || ' unit *')) from generate_series(1, %s) n", (FLOOD,))
        for n in range(300):
            attacker.execute("select pg_notify('nodeunit', %s)", (f"{n + 1} deployment *",))
    fleet.insert_servers(1)
    fleet.wait_until_all_claimed()
    (after,) = fleet.query(skips)
    assert after["n"] - before["n"] <= 10 * (time.monotonic() - began) + 20
    assert {child.pid for child in unit.descendants()} >= daemon, "no daemon ended"
    assert "Traceback" not in unit.log
    assert not fleet.events("UnitLost", "UnitListenerDeaf")


def test_a_forged_number_does_not_hide_deafness(
    database: str, login: Login, start_unit: Callable[..., UnitProcess]
) -> None:
    """Only the heartbeat of a unit whose notifications do not come through can tell; here the numbers are skipped."""
    fleet = Fleet(database)
    start_unit(database)
    fleet.wait_for_measured_units(1)
    with psycopg.connect(login(), autocommit=True) as attacker:
        attacker.execute("select pg_notify('nodeunit', '999999999999999999 deployment *')")
        attacker.execute("select pg_notify('nodeunit', %s)", ("9" * 30,))
    fleet.execute("insert into wake_up default values")  # a notification that never comes
    wait_until(lambda: fleet.events("UnitListenerDeaf"), within_s=20, what="the unit finds out that it missed one")

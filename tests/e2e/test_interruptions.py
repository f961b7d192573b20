"""The database fails in the middle of claiming: every row is claimed in the end, and no program notices."""

from collections.abc import Callable

import pytest

from tests.e2e.fleet import Fleet
from tests.support.databases import Databases
from tests.support.timescale import TimescaleServer
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

StartUnit = Callable[..., UnitProcess]


def test_a_restart_in_the_middle_of_claiming_loses_nothing(
    own_timescale: TimescaleServer, start_unit: StartUnit
) -> None:
    with Databases(own_timescale.conninfo).fresh() as database:
        fleet = Fleet(database)
        units = [start_unit(database, name=name) for name in ("one", "two")]
        fleet.wait_for_measured_units(2)
        fleet.insert_servers(4)
        wait_until(lambda: len(fleet.running()) == 4, within_s=30)
        before = {key: (p.pid, p.create_time()) for key, p in fleet.running().items()}

        fleet.insert_servers(40)
        wait_until(lambda: len(fleet.events("DeploymentClaimed")) > 8, every_s=0.002)
        own_timescale.restart()

        split = fleet.wait_until_all_claimed(within_s=60)
        assert sum(split.values()) == 44
        wait_until(lambda: len(fleet.running()) == 44, within_s=60)
        now = {key: (p.pid, p.create_time()) for key, p in fleet.running().items()}
        assert {key: now[key] for key in before} == before
        assert fleet.events("UnitLost") == []
        fleet.assert_sound()
        for unit in units:
            unit.terminate()
        assert [unit.wait(within_s=30) for unit in units] == [0, 0]


def test_a_terminated_listener_comes_back_and_hears(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    start_unit(database, NODE_UNIT_CLAIM_POLICY="deployment_count")
    fleet.wait_for_measured_units(1)

    ended = fleet.query(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'nodeunit listener' and datname = current_database()"
    )
    assert len(ended) == 1
    fleet.insert_servers(1)

    fleet.wait_until_all_claimed()
    wait_until(lambda: len(fleet.running()) == 1, within_s=20)
    fleet.assert_sound()


def test_an_idle_fleet_writes_no_event_and_sends_nothing_but_heartbeats(database: str, start_unit: StartUnit) -> None:
    fleet = Fleet(database)
    fleet.execute("create extension if not exists pg_stat_statements")
    for name in ("one", "two"):
        start_unit(database, name=name, NODE_UNIT_HEARTBEAT_INTERVAL="0.2")
    fleet.wait_for_measured_units(2)
    fleet.insert_servers(2)
    wait_until(lambda: len(fleet.running()) == 2, within_s=20)
    wait_until(lambda: fleet.query("select count(*) as n from current_usage")[0]["n"] == 2, within_s=20)

    events = len(fleet.query("select from event"))
    fleet.execute("select pg_stat_statements_reset()")
    wait_until(lambda: heartbeats(fleet) >= 60, within_s=60, every_s=0.5)

    assert len(fleet.query("select from event")) == events
    sent = fleet.query(
        "select s.query, s.calls from pg_stat_statements s join pg_database d on d.oid = s.dbid"
        " where d.datname = current_database() and s.toplevel"
        " and s.query !~ 'pg_stat_statements|select from event|from heartbeat'"
    )
    assert sent == []


def heartbeats(fleet: Fleet) -> int:
    """How many were sent since the statistics were reset."""
    (row,) = fleet.query(
        "select coalesce(sum(s.calls), 0)::int as calls from pg_stat_statements s join pg_database d on d.oid = s.dbid"
        " where d.datname = current_database() and s.query ~ 'from heartbeat' and s.toplevel"
    )
    return int(row["calls"])

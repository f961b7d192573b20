"""A fleet is upgraded while it runs: first the schema, under units of the version before, then unit after unit."""

import io
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest
from psycopg import sql

from nodeunit.errors import MigrationBlocked, SchemaTooNew
from nodeunit.store.postgres.compatibility import SCHEMA_VERSION
from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until
from tools.faults.build import Build, make_build

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

StartUnit = Callable[..., UnitProcess]

ROOT = Path(__file__).parents[2]
RELEASE = "95657c106d5a5593c7a9de15d8ecebca5b86b3a2"
"""The commit of 0.1.0."""

FAILED_HEARTBEAT = "no heartbeat: "
"""What a unit of 0.1.0 logs when a heartbeat fails."""

READER_S = 15.0
READER = "nightly report"


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """The code of 0.1.0, from the history of this checkout, on the libraries of this interpreter."""
    parts = ("nodeunit", "migrations", "projections")
    archived = subprocess.run(["git", "-C", ROOT, "archive", RELEASE, *parts], capture_output=True, check=False)
    if archived.returncode != 0:
        pytest.skip("the history of this checkout does not reach back to 0.1.0, as in a shallow clone or an archive")
    directory = tmp_path_factory.mktemp("0.1.0")
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(directory / "checkout", filter="data")
    build = make_build(directory / "build", checkout=directory / "checkout")
    assert FAILED_HEARTBEAT in (build.source / "nodeunit" / "unit" / "heartbeat.py").read_text()
    return build


@pytest.fixture
def old_fleet(released: Build, empty_database: str, start_unit: StartUnit) -> tuple[Fleet, list[UnitProcess]]:
    """Two units of 0.1.0 on the schema of 0.1.0, with six programs."""
    released.migrate(empty_database)
    fleet = Fleet(empty_database)
    units = [start_unit(empty_database, name=name, python=str(released.python)) for name in ("one", "two")]
    fleet.wait_for_measured_units(2)
    fleet.insert_servers(6)
    wait_for_programs(fleet, 6)
    return fleet, units


def wait_for_programs(fleet: Fleet, count: int) -> dict[str, psutil.Process]:
    wait_until(lambda: len(fleet.running()) == count, within_s=30, what=f"{count} programs run")
    return fleet.running()


def migration(conninfo: str, *options: str) -> subprocess.Popen[str]:
    """`nodeunit migrate` of this version, as a process."""
    command = [sys.executable, "-P", "-m", "nodeunit", "migrate", "--database", conninfo, *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def assert_untroubled(fleet: Fleet, units: list[UnitProcess], programs: dict[str, psutil.Process]) -> None:
    """No heartbeat has failed, no lease was lost, no program was restarted."""
    assert [line for unit in units for line in unit.log.splitlines() if FAILED_HEARTBEAT in line] == []
    assert fleet.events("UnitLost", "ProcessExited", "DeploymentReleased", "UnitListenerDeaf") == []
    running = fleet.running()
    assert {key: running[key].pid for key in programs} == {key: program.pid for key, program in programs.items()}


def test_units_of_the_version_before_go_on_through_an_upgrade_and_beside_a_new_unit(
    old_fleet: tuple[Fleet, list[UnitProcess]], start_unit: StartUnit
) -> None:
    fleet, old = old_fleet
    programs = fleet.running()

    upgrade = migration(fleet.conninfo)
    said, complaints = upgrade.communicate(timeout=60)
    assert (upgrade.returncode, complaints) == (0, ""), said

    fleet.insert_servers(4)
    wait_for_programs(fleet, 10)
    assert_untroubled(fleet, old, programs)

    old[0].process.send_signal(signal.SIGHUP)  # its next daemon starts on the newer schema
    wait_until(lambda: len(fleet.events("UnitJoined")) == 3, within_s=20, what="the next daemon has joined")
    assert_untroubled(fleet, old, programs)

    new = start_unit(fleet.conninfo, name="three")
    fleet.wait_for_measured_units(3)
    fleet.insert_servers(5)
    wait_for_programs(fleet, 15)
    assert fleet.split() == {old[0].address: 5, old[1].address: 5, new.address: 5}
    assert_untroubled(fleet, old, programs)

    old[1].terminate()  # upgraded by starting it anew with the new code
    assert old[1].wait() == 0
    fleet.wait_until_all_claimed()
    wait_for_programs(fleet, 15)
    fleet.assert_sound()


@contextmanager
def reader(conninfo: str, *, of_every_table: bool) -> Iterator[threading.Event]:
    """A transaction that has read stays open for READER_S, like a report or pg_dump. The event says when it ends."""
    ended = threading.Event()
    with psycopg.connect(conninfo, application_name=READER) as connection:
        connection.execute("select count(*) from event")
        connection.execute("select count(*) from deployment")
        if of_every_table:
            tables = connection.execute(
                "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
            ).fetchall()
            for (table,) in tables:
                connection.execute(sql.SQL("lock table {} in access share mode").format(sql.Identifier(table)))

        def close() -> None:
            connection.rollback()
            ended.set()

        timer = threading.Timer(READER_S, close)
        timer.start()
        try:
            yield ended
        finally:
            timer.join()


@pytest.mark.parametrize("of_every_table", [False, True], ids=["a report", "a dump"])
def test_a_reader_in_front_of_a_migration_makes_no_heartbeat_fail(
    old_fleet: tuple[Fleet, list[UnitProcess]], of_every_table: bool
) -> None:
    fleet, old = old_fleet
    programs = fleet.running()
    beats = len(fleet.query("select from usage where deployment_id is null"))
    with reader(fleet.conninfo, of_every_table=of_every_table) as ended:
        upgrade = migration(fleet.conninfo)
        assert upgrade.stderr is not None
        told = upgrade.stderr.readline()
        assert not ended.is_set(), "it waits for the reader"
        assert READER in told, told
        fleet.insert_servers(2)
        wait_for_programs(fleet, 8)
        assert not ended.is_set(), "rows are claimed meanwhile"
        assert ended.wait(READER_S + 5)
    _, complaints = upgrade.communicate(timeout=60)
    assert upgrade.returncode == 0, complaints

    fleet.insert_servers(2)
    wait_for_programs(fleet, 10)
    assert_untroubled(fleet, old, programs)
    gaps = fleet.query(
        "select extract(epoch from max(g.gap)) as longest, count(*) as beats from ("
        " select recorded_at - lag(recorded_at) over (partition by unit_address order by recorded_at) as gap"
        " from usage where deployment_id is null) g"
    )
    print(f"heartbeats: {gaps[0]['beats'] - beats} since the reader came, at most {gaps[0]['longest']:.2f} s apart")
    fleet.assert_sound()


def test_a_migration_that_gets_no_lock_gives_up_names_the_holder_and_can_be_repeated(
    old_fleet: tuple[Fleet, list[UnitProcess]],
) -> None:
    fleet, old = old_fleet
    programs = fleet.running()
    with psycopg.connect(fleet.conninfo, application_name=READER) as holder:
        holder.execute("select count(*) from lease")
        upgrade = migration(fleet.conninfo, "--wait", "2")
        _, complaints = upgrade.communicate(timeout=60)
        assert upgrade.returncode == MigrationBlocked.exit_code, complaints
        last = complaints.splitlines()[-1]
        assert last.startswith("nodeunit: migrations/before/0011_lease_inactive_at.sql could not be applied within 2 s")
        assert f"pid {holder.info.backend_pid} (user {holder.info.user}, application {READER}, since " in last
        assert "select count(*) from lease" in last
    assert_untroubled(fleet, old, programs)
    again = migration(fleet.conninfo)
    _, complaints = again.communicate(timeout=60)
    assert again.returncode == 0, complaints
    assert_untroubled(fleet, old, programs)


def test_a_unit_goes_on_while_the_schema_moves_ahead_and_is_refused_when_it_is_not_served(
    database: str, start_unit: StartUnit
) -> None:
    fleet = Fleet(database)
    unit = start_unit(database, name="one")
    fleet.wait_for_measured_units(1)
    fleet.insert_servers(2)
    programs = wait_for_programs(fleet, 2)

    for statement in (
        "alter table deployment add column priority integer",
        "alter table lease add column remark text",
        "create function probe_units(p_addresses text[], p_remark text) returns timestamptz return now()",
        "insert into schema_migration (name, checksum) values ('migrations/before/0999_later.sql', 'x')",
        "update schema_migration set checksum = 'newer' where name = 'migrations/functions/heartbeat.sql'",
        "update schema_compatibility set version = version + 1",
    ):
        fleet.execute(statement)
    fleet.insert_servers(2)
    wait_for_programs(fleet, 4)
    unit.process.send_signal(signal.SIGHUP)
    wait_until(lambda: len(fleet.events("UnitJoined")) == 2, within_s=20, what="the next daemon has joined")
    assert_untroubled(fleet, [unit], programs)

    fleet.execute("update schema_compatibility set min_writer = version")
    late = start_unit(database, name="two")
    assert late.wait() == SchemaTooNew.exit_code
    (sentence,) = late.log.splitlines()
    assert sentence.startswith(f"nodeunit: the schema of the database (version {SCHEMA_VERSION + 1}) no longer serves")
    assert sentence.endswith("upgrade nodeunit")
    fleet.insert_servers(1)
    wait_for_programs(fleet, 5)  # whoever runs already is served until its daemon starts again
    fleet.assert_sound()

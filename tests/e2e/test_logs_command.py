"""`nodeunit logs` from anywhere: every line once and in order, whatever happens to program, files and units."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from tests.e2e.fleet import Fleet
from tests.support.log_follower import database_socket, follower
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

SMALL_LOGS = {"NODE_UNIT_LOG_MAX_SIZE": "4Ki", "NODE_UNIT_LOG_MAX_FILES": "100"}
LINES = 500

PROGRAM = f"""
import os, signal, sys, time
version = os.environ["NODEUNIT_CLAIM_VERSION"]
def say(text): os.write(1, (text + "\\n").encode())
def stop(*_):
    for n in range(20): say(f"{{version}} last {{n}}")
    os._exit(0)
signal.signal(signal.SIGTERM, stop)
for n in range({LINES}): say(f"{{version}} {{n}} " + "x" * 80)
say(f"{{version}} ready")
while True: signal.pause()
"""


def insert(fleet: Fleet, code: str, kind: str = "deployment") -> UUID:
    """A row whose program is Python code."""
    rows = fleet.query(
        "insert into deployment (package_name, package_version, command, args, type)"
        " values ('@yuants/printer', '1.0.0', %s, %s::jsonb, %s) returning id",
        sys.executable, json.dumps(["-I", "-S", "-c", code]), kind,
    )  # fmt: skip
    found: UUID = rows[0]["id"]
    return found


def one_run(version: bytes, *, stopped: bool) -> list[bytes]:
    lines = [b"%s %d " % (version, n) + b"x" * 80 for n in range(LINES)] + [version + b" ready"]
    return lines + ([b"%s last %d" % (version, n) for n in range(20)] if stopped else [])


def logs(database: str, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-P", "-m", "nodeunit", "logs", "--database", database, *arguments],
        capture_output=True,
        timeout=40,
        check=False,
        env={"PATH": "/usr/bin:/bin"},
    )


def test_every_line_comes_once_and_in_order_over_rotations_a_restart_and_takeovers(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    fleet = Fleet(database)
    units = {unit.address: unit for unit in (start_unit(database, name=name, **SMALL_LOGS) for name in ("one", "two"))}
    fleet.wait_for_measured_units(2)
    row = insert(fleet, PROGRAM)
    with follower(database, tmp_path, str(row)[:8], "-f", "--tail", "100000") as reader:
        reader.wait_for(b"1 ready")
        first = units[fleet.query("select address from deployment")[0]["address"]]
        assert len(list(Path(first.settings["NODE_UNIT_LOG_DIR"]).glob(f"*/{row}.log.*"))) > 10

        fleet.execute("update deployment set updated_at = now()")
        reader.wait_for(b"1 ready", 2)
        first.terminate()
        assert first.wait() == 0
        wait_until(lambda: fleet.split().keys() == units.keys() - {first.address}, what="the other unit has it")
        version = str(fleet.query("select address_version from deployment")[0]["address_version"]).encode()
        reader.wait_for(version + b" ready")
        again = start_unit(database, name=first.name, **SMALL_LOGS)
        fleet.wait_for_measured_units(2)
        fleet.execute("update deployment set address = %s", again.address)
        last = str(fleet.query("select address_version from deployment")[0]["address_version"]).encode()
        reader.wait_for(last + b" ready")
        assert reader.interrupt() == 0

    expected = one_run(b"1", stopped=True) * 2 + one_run(version, stopped=True) + one_run(last, stopped=False)
    assert reader.lines() == expected
    assert reader.said.count("started at") == 4
    assert reader.said.count("exit 0") == 3
    assert fleet.query("select from log_request") == [], "what was interrupted asks for nothing more"


def test_what_is_asked_for_is_printed_and_nothing_else(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    fleet = Fleet(database)
    start_unit(database, **SMALL_LOGS)
    fleet.wait_for_measured_units(1)
    row = insert(fleet, PROGRAM)
    other = insert(fleet, "print('other', flush=True); import signal; signal.pause()")
    wait_until(lambda: b"1 ready" in logs(database, str(row)).stdout, within_s=30)
    assert b"".join(line + b"\n" for line in one_run(b"1", stopped=False)) == printed(
        database, str(row), "--tail", "100000"
    )
    assert printed(database, str(row), "--tail", "2").startswith(b"1 499 x")
    assert printed(database, str(row)).count(b"\n") == 100
    assert printed(database, str(row), "--since", "1h") == printed(database, str(row), "--tail", "100000")
    assert logs(database, str(row), "--since", "2000-01-01", "--tail", "1").returncode == 2

    whole = tmp_path / "whole"
    assert logs(database, str(row), "--download", str(whole)).returncode == 0
    text = whole.read_bytes()
    assert text == printed(database, str(row), "--tail", "100000")
    for offset, count in ((0, 10), (5000, 9000), (-100, 50), (-10, 100), (len(text), 10), (4096, 0)):
        begin = offset if offset >= 0 else len(text) + offset
        answer = logs(database, str(row), "--offset", str(offset), "--bytes", str(count))
        assert (answer.returncode, answer.stdout) == (0, text[begin : begin + count]), (offset, count)
    assert logs(database, str(row), "--offset", "0", "--bytes", "131073").returncode == 2

    assert b"no run before the newest" in logs(database, str(row), "--previous").stderr
    fleet.execute("update deployment set updated_at = now() where id = %s", row)
    wait_until(lambda: printed(database, str(row), "--previous").endswith(b"1 last 19\n"), within_s=30)
    assert printed(database, str(row), "--previous").split(b"\n")[:-1] == one_run(b"1", stopped=True)

    both = logs(database, str(row), str(other), "--tail", "1").stdout.splitlines()
    assert sorted(both) == sorted(
        [f"{str(row)[:8]} unit-1 | 1 ready".encode(), f"{str(other)[:8]} unit-1 | other".encode()]
    )
    assert fleet.query("select from log_request") == []


def printed(database: str, *arguments: str) -> bytes:
    """Without the row and the unit before each line."""
    return logs(database, *arguments, "--no-prefix").stdout


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/etc/passwd", "x", "044142ec/../..", "%"])
def test_what_is_no_id_gets_nowhere(database: str, name: str) -> None:
    answer = logs(database, name)
    assert answer.returncode == 18
    assert b"not the beginning of a deployment id" in answer.stderr


def test_binary_and_very_long_lines_arrive_as_they_are(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    code = """
import os, random, signal
os.write(1, bytes(range(256)) + b"\\n")
chance = random.Random(1)
data = memoryview(b"y" * 3_000_000 + b"\\n" + chance.randbytes(300_000) + b"\\nend\\n")
while data: data = data[os.write(1, data):]
signal.pause()
"""
    fleet = Fleet(database)
    start_unit(database)
    fleet.wait_for_measured_units(1)
    row = insert(fleet, code)
    expected = bytes(range(256)) + b"\n" + b"y" * 3_000_000 + b"\n" + random.Random(1).randbytes(300_000) + b"\nend\n"
    with follower(database, tmp_path, str(row), "-f", "--tail", "100000", "--no-prefix") as reader:
        wait_until(lambda: reader.printed.endswith(b"\nend\n"), within_s=30)
        assert reader.interrupt() == 0
    # What is longer than a MiB is printed in parts.
    assert reader.printed.replace(b"y\ny", b"yy") == expected


def test_a_daemon_row_has_a_log_on_every_unit(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    fleet = Fleet(database)
    units = [start_unit(database, name=name) for name in ("one", "two")]
    fleet.wait_for_measured_units(2)
    code = "import os, signal; print(os.environ['NODE_UNIT_ADDRESS'], flush=True); signal.pause()"
    row = insert(fleet, code, "daemon")
    with follower(database, tmp_path, str(row), "-f") as reader:
        for unit in units:
            reader.wait_for(unit.address.encode())
    expected = {f"{str(row)[:8]} {unit.name} | {unit.address}".encode() for unit in units}
    assert set(logs(database, str(row)).stdout.splitlines()) == expected
    assert printed(database, str(row), "--unit", "two") == units[1].address.encode() + b"\n"
    assert b"choose one with --unit" in logs(database, str(row), "--offset", "0").stderr


def test_nothing_travels_for_a_reader_that_was_killed(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    code = "import itertools, time\nfor n in itertools.count(): print(n, flush=True); time.sleep(0.01)"
    fleet = Fleet(database)
    start_unit(database)
    fleet.wait_for_measured_units(1)
    row = insert(fleet, code)
    with follower(database, tmp_path, str(row), "-f") as reader:
        reader.wait_for(b"5")
        reader.process.kill()
        reader.process.wait()
    wait_until(lambda: not fleet.query("select from log_request"), within_s=20, what="its request is removed")
    assert fleet.query("select from log_sender union all select from log_piece") == []
    inserted = "select n_tup_ins as n from pg_stat_user_tables where relname = 'log_piece'"
    last = [-1, -2]

    def is_quiet() -> bool:
        """The statistics come late."""
        last[:] = [last[1], fleet.query(inserted)[0]["n"]]
        return last[0] == last[1]

    wait_until(is_quiet, every_s=2.5, within_s=20, what="no piece is sent any more")


def test_a_follower_goes_on_when_its_request_is_lost_with_a_crash_of_the_server(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    """Unlogged tables are empty after a crash and on a standby that takes over."""
    code = "import itertools, time\nfor n in itertools.count(): print(n, flush=True); time.sleep(0.01)"
    fleet = Fleet(database)
    start_unit(database)
    fleet.wait_for_measured_units(1)
    row = insert(fleet, code)
    with follower(database, tmp_path, str(row), "-f", "--tail", "100000") as reader:
        for until in (b"50", b"300", b"600"):
            reader.wait_for(until)
            fleet.execute("truncate log_request cascade")
        reader.wait_for(b"900")
        reader.interrupt()
    assert reader.lines() == [b"%d" % n for n in range(len(reader.lines()))]


def test_a_row_that_nobody_holds_is_said(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    fleet = Fleet(database)
    row = insert(fleet, "print('here', flush=True)\nwhile True: pass")
    answer = logs(database, str(row))
    assert (answer.returncode, answer.stdout) == (26, b"")
    assert b"no unit holds it now" in answer.stderr
    with follower(database, tmp_path, str(row), "-f") as reader:
        wait_until(lambda: "no unit holds it now" in reader.said, within_s=20)
        start_unit(database)
        reader.wait_for(b"here")


def test_the_machine_of_the_reader_reaches_the_database_and_nothing_else(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    """Its own network has no way out but the socket of the database, and another file system hides the logs."""
    alone = ("unshare", "--map-root-user", "--net", "--mount", "--")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a namespace, so there is no second machine to read from")
    fleet = Fleet(database)
    unit = start_unit(database)
    fleet.wait_for_measured_units(1)
    row = insert(fleet, PROGRAM)
    hide = f'mount -t tmpfs none {unit.settings["NODE_UNIT_LOG_DIR"]} && exec "$@"'
    with (
        database_socket(database, tmp_path) as conninfo,
        follower(
            conninfo, tmp_path, str(row), "-f", "--tail", "100000", before=(*alone, "sh", "-c", hide, "sh")
        ) as reader,
    ):
        reader.wait_for(b"1 ready")
    assert reader.lines() == one_run(b"1", stopped=False)

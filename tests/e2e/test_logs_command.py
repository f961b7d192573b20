"""`nodeunit logs` from anywhere: every line once and in order, whatever happens to program, files and units."""

import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.errors import NodeunitError
from tests.e2e.fleet import Fleet
from tests.support.databases import Databases
from tests.support.log_follower import database_socket, follower
from tests.support.paced import paced
from tests.support.unit_process import UnitProcess, unit_process
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

MANY_LOGS: dict[str, Any] = {"NODE_UNIT_LOG_MAX_SIZE": "16Ki", "NODE_UNIT_LOG_MAX_FILES": "400"}
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


@pytest.fixture(scope="module")
def fleet(timescale_databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two units, for the tests that harm neither."""
    directory = tmp_path_factory.mktemp("units")
    with timescale_databases.fresh() as database, ExitStack() as units:
        for name in ("one", "two"):
            units.enter_context(unit_process(database, directory, name=name, **MANY_LOGS))
        found = Fleet(database)
        found.wait_for_measured_units(2)
        yield found


def one_run(version: bytes, *, stopped: bool) -> list[bytes]:
    lines = [b"%s %d " % (version, n) + b"x" * 80 for n in range(LINES)] + [version + b" ready"]
    return lines + ([b"%s last %d" % (version, n) for n in range(20)] if stopped else [])


class Answer(NamedTuple):
    """Of a command."""

    stdout: bytes
    stderr: str
    code: int


def logs(database: str, *arguments: str) -> Answer:
    """The command in this process, because a new one for each would take a second."""
    result = CliRunner().invoke(app, ["logs", "--database", database, *arguments])
    if isinstance(result.exception, NodeunitError):
        return Answer(result.stdout_bytes, str(result.exception), result.exception.exit_code)
    return Answer(result.stdout_bytes, result.stderr, result.exit_code)


@pytest.mark.timeout(120)  # five runs on three units, one after the other
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
        again.process.kill()
        wait_until(lambda: fleet.split().keys() == units.keys() - {first.address}, within_s=30, what="it is taken over")
        newest = str(fleet.query("select address_version from deployment")[0]["address_version"]).encode()
        reader.wait_for(newest + b" ready")
        assert reader.interrupt() == 0

    expected = one_run(b"1", stopped=True) * 2 + one_run(version, stopped=True) + one_run(last, stopped=False)
    assert reader.lines() == expected + one_run(newest, stopped=False)
    assert reader.said.count("started at") == 5
    assert reader.said.count("exit 0") == 3
    assert fleet.query("select from log_request") == [], "what was interrupted asks for nothing more"


def test_what_is_asked_for_is_printed_and_nothing_else(fleet: Fleet, tmp_path: Path) -> None:
    database = fleet.conninfo
    row = insert(fleet, PROGRAM)
    other = insert(fleet, "print('other', flush=True); import signal; signal.pause()")
    wait_until(lambda: b"1 ready" in logs(database, str(row)).stdout, within_s=30)
    assert b"".join(line + b"\n" for line in one_run(b"1", stopped=False)) == printed(
        database, str(row), "--tail", "100000"
    )
    assert printed(database, str(row), "--tail", "2").startswith(b"1 499 x")
    assert printed(database, str(row)).count(b"\n") == 100
    assert printed(database, str(row), "--since", "1h") == printed(database, str(row), "--tail", "100000")
    assert logs(database, str(row), "--since", "2000-01-01", "--tail", "1").code == 2

    whole = tmp_path / "whole"
    assert logs(database, str(row), "--download", str(whole)).code == 0
    text = whole.read_bytes()
    assert text == printed(database, str(row), "--tail", "100000")
    for offset, count in ((0, 10), (5000, 9000), (-100, 50), (-10, 100), (len(text), 10), (4096, 0)):
        begin = offset if offset >= 0 else len(text) + offset
        answer = logs(database, str(row), "--offset", str(offset), "--bytes", str(count))
        assert (answer.code, answer.stdout) == (0, text[begin : begin + count]), (offset, count)
    assert logs(database, str(row), "--offset", "0", "--bytes", "131073").code == 2

    assert "no run before the newest" in logs(database, str(row), "--previous").stderr
    fleet.execute("update deployment set updated_at = now() where id = %s", row)
    wait_until(lambda: printed(database, str(row), "--previous").endswith(b"1 last 19\n"), within_s=30)
    assert printed(database, str(row), "--previous").split(b"\n")[:-1] == one_run(b"1", stopped=True)

    names = {each["address"]: each["name"] for each in fleet.query("select address, name from unit")}
    held = {each["id"]: names[each["address"]] for each in fleet.query("select id, address from deployment")}
    both = logs(database, str(row), str(other), "--tail", "1").stdout.decode().splitlines()
    assert set(both) == {f"{str(row)[:8]} {held[row]} | 1 ready", f"{str(other)[:8]} {held[other]} | other"}
    assert fleet.query("select from log_request") == []


def printed(database: str, *arguments: str) -> bytes:
    """Without the row and the unit before each line."""
    return logs(database, *arguments, "--no-prefix").stdout


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "/etc/passwd", "x", "044142ec/../..", "%"])
def test_what_is_no_id_gets_nowhere(fleet: Fleet, name: str) -> None:
    answer = logs(fleet.conninfo, name)
    assert answer.code == 18
    assert "no deployment has the name, package or id" in answer.stderr


def test_binary_and_very_long_lines_arrive_as_they_are(fleet: Fleet, tmp_path: Path) -> None:
    code = """
import os, random, signal
os.write(1, bytes(range(256)) + b"\\n")
chance = random.Random(1)
data = memoryview(b"y" * 3_000_000 + b"\\n" + chance.randbytes(300_000) + b"\\nend\\n")
while data: data = data[os.write(1, data):]
signal.pause()
"""
    row = insert(fleet, code)
    expected = bytes(range(256)) + b"\n" + b"y" * 3_000_000 + b"\n" + random.Random(1).randbytes(300_000) + b"\nend\n"
    with follower(fleet.conninfo, tmp_path, str(row), "-f", "--tail", "100000", "--no-prefix") as reader:
        wait_until(lambda: reader.printed.endswith(b"\nend\n"), within_s=30)
        assert reader.interrupt() == 0
    # What is longer than a MiB is printed in parts.
    assert reader.printed.replace(b"y\ny", b"yy") == expected


def test_a_daemon_row_has_a_log_on_every_unit(fleet: Fleet, tmp_path: Path) -> None:
    code = "import os, signal; print(os.environ['NODE_UNIT_ADDRESS'], flush=True); signal.pause()"
    row = insert(fleet, code, "daemon")
    addresses = {each["name"]: each["address"] for each in fleet.query("select name, address from unit")}
    with follower(fleet.conninfo, tmp_path, str(row), "-f") as reader:
        for address in addresses.values():
            reader.wait_for(address.encode())
    expected = {f"{str(row)[:8]} {name} | {address}".encode() for name, address in addresses.items()}
    assert set(logs(fleet.conninfo, str(row)).stdout.splitlines()) == expected
    assert printed(fleet.conninfo, str(row), "--unit", "two") == addresses["two"].encode() + b"\n"
    assert "choose one with --unit" in logs(fleet.conninfo, str(row), "--offset", "0").stderr
    fleet.execute("delete from deployment where id = %s", row)


COUNT = paced(0.01) + "import itertools\nfor n in itertools.count(): print(n, flush=True); step()"


def test_nothing_travels_for_a_reader_that_was_killed(fleet: Fleet, tmp_path: Path) -> None:
    row = insert(fleet, COUNT)
    with follower(fleet.conninfo, tmp_path, str(row), "-f", "--tail", "100000") as reader:
        reader.wait_for(b"50")
        reader.process.kill()
        reader.process.wait()
    wait_until(lambda: not fleet.query("select from log_request"), within_s=20, what="its request is removed")
    assert fleet.query("select from log_sender union all select from log_piece") == []
    fleet.execute("delete from deployment where id = %s", row)


def test_a_follower_goes_on_when_its_request_is_lost_with_a_crash_of_the_server(fleet: Fleet, tmp_path: Path) -> None:
    """Unlogged tables are empty after a crash, and on a standby that takes over."""
    row = insert(fleet, COUNT)
    with follower(fleet.conninfo, tmp_path, str(row), "-f", "--tail", "100000") as reader:
        for until in (b"50", b"200"):
            reader.wait_for(until)
            fleet.execute("truncate log_request cascade")
        reader.wait_for(b"500")
        reader.interrupt()
    assert reader.lines() == [b"%d" % n for n in range(len(reader.lines()))]
    fleet.execute("delete from deployment where id = %s", row)


def test_a_row_that_nobody_holds_is_said(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    fleet = Fleet(database)
    row = insert(fleet, "import signal; print('here', flush=True); signal.pause()")
    answer = logs(database, str(row))
    assert (answer.code, answer.stdout) == (26, b"")
    assert "no unit holds it now" in answer.stderr
    with follower(database, tmp_path, str(row), "-f") as reader:
        wait_until(lambda: "no unit holds it now" in reader.said, within_s=20)
        start_unit(database)
        reader.wait_for(b"here")


def test_the_machine_of_the_reader_reaches_the_database_and_nothing_else(fleet: Fleet, tmp_path: Path) -> None:
    """Its own network has no way out but the socket of the database, and an empty file system hides the logs."""
    alone = ("unshare", "--map-root-user", "--net", "--mount", "--")
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody make a namespace, so there is no second machine to read from")
    row = insert(fleet, PROGRAM)
    (log,) = wait_until(lambda: list(tmp_path.parent.glob(f"units[0-9]*/logs/*/{row}.log")), within_s=20)
    hidden = (*alone, "sh", "-c", f"mount -t tmpfs none '{log.parents[1]}' && exec \"$@\"", "sh")
    with (
        database_socket(fleet.conninfo, tmp_path) as conninfo,
        follower(conninfo, tmp_path, str(row), "-f", "--tail", "100000", before=hidden) as reader,
    ):
        reader.wait_for(b"1 ready")
    assert reader.lines() == one_run(b"1", stopped=False)

"""A program that looks for what its unit keeps to itself. The unit has no special right, as one of an ordinary user."""

import json
import os
import shlex
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg.conninfo import make_conninfo

from tests.e2e.fleet import Fleet
from tests.support import spy
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

WITHOUT_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.geteuid() == 0 else ()
"""root without capabilities reads of other processes what any user reads of its own."""

CANARY = "canary-of-the-database"
PASSWORD = "canary-of-the-unit"
ROW = "canary-of-the-row"


def descriptors(pid: int) -> dict[str, str]:
    """What each descriptor of a process is, but for those that it closes meanwhile."""
    found = {}
    with suppress(FileNotFoundError):
        for link in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):
                found[link.name] = os.readlink(link)
    return found


def run_spy(fleet: Fleet, directory: Path, *words: str) -> dict[str, Any]:
    """What the program has found; the words are handed over in reverse, so that its command line has none of them."""
    report = directory / "report.json"
    command = [sys.executable, "-I", "-S", spy.__file__, str(report), *(word[::-1] for word in words)]
    fleet.execute(
        "insert into deployment (package_name, package_version, command, restart, env)"
        " values ('@yuants/spy', '1.0.0', %s, 'never', jsonb_build_object('OF_THE_ROW', %s::text))",
        shlex.join(command), ROW,
    )  # fmt: skip
    wait_until(report.exists, within_s=30, what="the program has looked")
    found: dict[str, Any] = json.loads(report.read_text())
    return found


def test_a_program_finds_no_secret_of_its_unit(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    fleet = Fleet(database)
    # Nothing checks the password of this name: it is a canary in the connection string.
    with_canary = make_conninfo(database, sslpassword=CANARY)
    unit = start_unit(
        with_canary, starter=WITHOUT_RIGHTS, NODE_UNIT_PASSWORD=PASSWORD, PGSSLKEYLOGFILE="", PGPASSFILE=f"/{CANARY}"
    )
    seen = run_spy(fleet, tmp_path, CANARY, PASSWORD)
    assert {"nodeunit-superv", "nodeunit-guard"} <= set(seen["looked"].values())
    assert {str(child.pid) for child in unit.descendants()} & set(seen["looked"]), "it looked at the daemon"
    assert seen["found"] == []
    assert not any(CANARY in value or PASSWORD in value for value in seen["environ"].values())

    log_of_events = repr(fleet.query("select e::text from event e"))
    everywhere = [unit.log, log_of_events, repr(fleet.query("select u::text from unit u"))]
    for process in (psutil.Process(unit.pid), *unit.descendants()):
        everywhere += [repr(process.cmdline()), repr(process.environ())]
    everywhere += [path.read_text(errors="replace") for path in (tmp_path / "logs").rglob("*") if path.is_file()]
    for text in everywhere:
        assert CANARY not in text
        assert PASSWORD not in text
    assert ROW not in log_of_events
    assert ROW not in unit.log


def test_a_program_gets_nothing_that_the_starter_left_open(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of the starter")
    opened = [os.open(secret, os.O_RDWR) for _ in range(40)]
    try:
        unit = start_unit(database, pass_fds=opened)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    fleet = Fleet(database)
    seen = run_spy(fleet, tmp_path)
    assert sorted(seen["own"]) == ["0", "1", "2"]
    assert seen["own"]["0"] == "/dev/null"
    held = [
        target
        for process in (psutil.Process(unit.pid), *unit.descendants())
        for target in descriptors(process.pid).values()
    ]
    assert "/dev/null" in held, "they were looked at"
    assert str(secret) not in held, "neither supervisor nor daemon keeps it open"

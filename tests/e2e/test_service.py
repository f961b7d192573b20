"""A unit as a service: what it tells its manager on a socket of the test, and what systemd says of the file."""

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nodeunit.cli.app import app
from tests.support.rows import value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

Start = Callable[..., UnitProcess]


class Manager:
    """The part of systemd that listens."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def hears(self, what: str, times: int = 1) -> bool:
        try:
            while True:
                self.told += self._socket.recv(4096).decode().splitlines()
        except BlockingIOError:
            return self.told.count(what) >= times

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(tmp_path / "notify")
    yield listening
    listening.close()


def test_a_unit_says_that_it_is_ready_alive_and_stopping(database: str, start_unit: Start, manager: Manager) -> None:
    unit = start_unit(database, NOTIFY_SOCKET=str(manager.path), WATCHDOG_USEC="600000")
    wait_until(lambda: manager.hears("READY=1"), within_s=20, what="the manager hears that the unit is ready")
    joined = "select membership from unit where address = %s"
    assert value(database, joined, [unit.address]) == "present"
    wait_until(lambda: manager.hears("WATCHDOG=1", 5), within_s=20, what="the manager hears signs of life")
    assert "STOPPING=1" not in manager.told
    unit.terminate()
    wait_until(lambda: manager.hears("STOPPING=1"), within_s=20, what="the manager hears that the unit stops")
    assert unit.wait() == 0


def test_a_unit_that_cannot_join_does_not_say_that_it_is_ready(start_unit: Start, manager: Manager) -> None:
    unit = start_unit("postgresql://nobody@127.0.0.1:9/none", NOTIFY_SOCKET=str(manager.path))
    assert unit.wait() == 10
    assert not manager.hears("READY=1")


def test_systemd_accepts_the_service(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["service", "--user", "root", "--settings", str(tmp_path / "unit.env")])
    assert said.exit_code == 0
    file = tmp_path / "nodeunit.service"
    file.write_text(said.stdout)
    command = next(line for line in said.stdout.splitlines() if line.startswith("ExecStart="))
    assert os.access(command.removeprefix("ExecStart=").split()[0], os.X_OK)
    analyse = shutil.which("systemd-analyze")
    assert analyse is not None, "systemd-analyze is not there: Debian has it in the package systemd"
    verified = subprocess.run([analyse, "verify", str(file)], capture_output=True, text=True, check=False)
    assert (verified.returncode, [line for line in verified.stderr.splitlines() if str(file) in line]) == (0, [])


def test_a_user_that_would_need_quoting_is_refused() -> None:
    assert CliRunner().invoke(app, ["service", "--user", "a\nExecStartPre=/bin/x"]).exit_code == 2

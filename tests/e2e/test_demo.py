"""`nodeunit demo` as a newcomer runs it: it ends well or says why, and leaves nothing behind, also when interrupted."""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from nodeunit.identity import address_of
from nodeunit.process.leftovers import find_leftovers
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import wait_until

# 21 programs are installed and started; on a busy machine that takes its time.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

UNITS = ("node-unit-1", "node-unit-2")
WITHIN_S = 120.0

BECOME_THE_DEMO = "import os, sys; os.execl(sys.executable, sys.executable, '-m', 'nodeunit', 'demo', *sys.argv[1:])"

# What a script's `&` and a careless parent hand down.
IGNORE_AND_BLOCK = """
import signal
for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
"""


class Demo:
    """A demo as a process. Its temporary files are in a directory of the test, so that what it leaves is seen.

    `before` is Python that its process runs first, before it becomes the demo.
    """

    def __init__(
        self,
        directory: Path,
        *arguments: str,
        environ: Mapping[str, str] = os.environ,
        before: str = "",
    ) -> None:
        self.directory = directory
        self._error = directory.with_name(f"{directory.name}.err")
        kept = {name: text for name, text in environ.items() if name != "POSTGRES_URI"}
        with self._error.open("wb") as error:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"{before}\n{BECOME_THE_DEMO}", *arguments],
                env={**kept, "TMPDIR": os.fspath(directory)},
                stdout=subprocess.PIPE,
                stderr=error,
                text=True,
            )

    @property
    def said(self) -> str:
        """What it has told the person so far."""
        return self._error.read_text()

    def wait(self) -> str:
        """Its report, when it has ended."""
        report, _ = self.process.communicate(timeout=WITHIN_S)
        return report

    def left_behind(self) -> list[object]:
        """Files, and processes that carry the mark of one of its units."""
        marked = [leftover for name in UNITS for leftover in find_leftovers(address_of(name, name))]
        return [*self.directory.iterdir(), *marked]


@pytest.fixture
def directory() -> Iterator[Path]:
    """Short, because the embedded server has a socket in it; others may write to it, as on many a build machine."""
    with tempfile.TemporaryDirectory(prefix="nu-") as name:
        below = Path(name) / "tmp"
        below.mkdir()
        below.chmod(0o777)
        Path(name).chmod(0o755)
        yield below


@contextmanager
def running(demo: Demo) -> Iterator[Demo]:
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.communicate(timeout=WITHIN_S)


@pytest.mark.parametrize("policy", ["resource_usage", "deployment_count"])
def test_the_run_of_the_report(empty_database: str, directory: Path, policy: str) -> None:
    with running(Demo(directory, "--database", empty_database, "--policy", policy)) as demo:
        report = demo.wait()
    assert demo.process.returncode == 0, demo.said
    assert "21 of 21 claimed, 21 live programs seen, 0 violations" in demo.said
    assert "- 21 of 21 deployments were claimed." in report
    assert re.search(r"TimescaleDB \d", report)
    for name in UNITS:
        assert address_of(name, name) in report
    split = re.search(r"^- They are split (\d+) to (\d+)\.$", report, re.MULTILINE)
    assert split is not None
    # Installing is usage too, and on a slow machine it takes as long as the claims.
    least = 8 if policy == "deployment_count" else 4
    assert min(map(int, split.groups())) >= least
    assert demo.left_behind() == []
    assert value(empty_database, "select count(*) from deployment") == 0
    assert value(empty_database, "select count(*) from event where type = 'DeploymentReleased'") == 21
    assert value(empty_database, "select count(*) from event where type = 'UnitLeft'") == 2


def test_without_node_it_says_so_and_installs_a_python_package(empty_database: str, directory: Path) -> None:
    environ = {**os.environ, "PATH": os.fspath(directory)}
    with running(Demo(directory, "--database", empty_database, "--deployments", "4", environ=environ)) as demo:
        demo.wait()
    assert demo.process.returncode == 0, demo.said
    assert re.search(
        r"^package: nodeunit-demo-server 0\.2\.26 .* node and npm cannot be found", demo.said, re.MULTILINE
    )
    assert "4 of 4 claimed, 4 live programs seen, 0 violations" in demo.said
    assert demo.left_behind() == []


def test_the_units_see_nothing_but_their_settings(empty_database: str, directory: Path) -> None:
    environ = {**os.environ, "A_SECRET_OF_THE_SHELL": "x"}
    with running(Demo(directory, "--database", empty_database, "--keep", environ=environ)) as demo:
        demo.wait()
        assert demo.process.returncode == 0, demo.said
        try:
            pids = [row["pid"] for row in rows(empty_database, "select (data ->> 'pid')::int as pid from event "
                                               "where type = 'ProcessStarted'")]  # fmt: skip
            assert len(pids) == 21
            password = conninfo_to_dict(empty_database)["password"]
            assert f"password={password}" not in demo.said
            assert f":{password}@" not in demo.said
            for pid in pids:
                environment = Path(f"/proc/{pid}/environ").read_text()
                assert "SECRET" not in environment
                assert "PASSWORD" not in environment
                assert "postgres" not in environment.lower()
        finally:
            _stop_as_told(demo)
    assert demo.left_behind() == []


def test_kept_it_can_be_looked_at_and_stopped_as_it_says(directory: Path) -> None:
    with running(Demo(directory, "--keep", "--deployments", "4")) as demo:
        demo.wait()
    try:
        assert demo.process.returncode == 0, demo.said
        look = demo.said.split("To look:\n")[1].split("To stop:")[0].splitlines()
        answers = [subprocess.run(line, shell=True, capture_output=True, text=True, check=False) for line in look]
        assert [answer.returncode for answer in answers] == [0] * len(answers), [one.stderr for one in answers]
        assert answers[0].stdout.startswith("# nodeunit report")
        assert not re.search(r"://[^/ ]*:[^/ ]*@|password=", demo.said), "no password is printed"
    finally:
        _stop_as_told(demo)
    assert demo.left_behind() == []


def _stop_as_told(demo: Demo) -> None:
    if "To stop:\n" in demo.said:
        command = demo.said.split("To stop:\n")[1]
        subprocess.run(command, shell=True, check=True, capture_output=True, timeout=WITHIN_S)


def test_it_refuses_a_fleet_that_is_in_use(database: str, directory: Path) -> None:
    insert_deployments(database, 1)
    before = rows(database, "select * from deployment")
    with running(Demo(directory, "--database", database)) as demo:
        demo.wait()
    assert demo.process.returncode == 51
    assert "1 deployments and 0 living units" in demo.said
    assert rows(database, "select * from deployment") == before
    assert demo.left_behind() == []


def test_a_database_that_is_not_there_is_one_sentence(directory: Path) -> None:
    with running(Demo(directory, "--database", "postgresql://postgres@127.0.0.1:1/none")) as demo:
        demo.wait()
    assert demo.process.returncode == 10
    assert "Traceback" not in demo.said
    assert demo.left_behind() == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after", ["database: ", "have joined", "claimed", "installed on"])
def test_interrupted_it_leaves_nothing(
    empty_database: str, directory: Path, signum: signal.Signals, after: str
) -> None:
    with running(Demo(directory, "--database", empty_database)) as demo:
        wait_until(lambda: after in demo.said, within_s=60)
        demo.process.send_signal(signum)
        demo.wait()
    assert demo.process.returncode == 128 + signum, demo.said
    assert "interrupted" in demo.said
    assert demo.left_behind() == []
    there = value(empty_database, "select to_regclass('deployment') is not null")
    assert not there or value(empty_database, "select count(*) from deployment") == 0


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_started_with_signals_ignored_and_blocked_it_can_be_interrupted(
    empty_database: str, directory: Path, signum: signal.Signals
) -> None:
    with running(Demo(directory, "--database", empty_database, before=IGNORE_AND_BLOCK)) as demo:
        wait_until(lambda: "have joined" in demo.said, within_s=60)
        demo.process.send_signal(signum)
        demo.wait()
    assert demo.process.returncode == 128 + signum, demo.said
    assert demo.left_behind() == []
    assert value(empty_database, "select count(*) from deployment") == 0


def test_interrupted_again_and_again_it_cleans_up_all_the_same(empty_database: str, directory: Path) -> None:
    with running(Demo(directory, "--database", empty_database)) as demo:
        wait_until(lambda: "claimed" in demo.said, within_s=60)
        wait_until(lambda: ended_by_another_signal(demo), within_s=60, every_s=0.001)
        demo.wait()
    assert demo.process.returncode == 128 + signal.SIGHUP, demo.said
    assert demo.left_behind() == []
    assert value(empty_database, "select count(*) from deployment") == 0


def test_a_unit_that_dies_is_reported_and_the_rest_is_ended(empty_database: str, directory: Path) -> None:
    with running(Demo(directory, "--database", empty_database, "--deployments", "60")) as demo:
        wait_until(lambda: "claimed" in demo.said, within_s=60)
        address = address_of(UNITS[0], UNITS[0])
        os.kill(_supervisor(address, demo.process.pid), signal.SIGKILL)
        demo.wait()
    assert demo.process.returncode == 51
    assert f"{UNITS[0]} ended with exit code -9" in demo.said
    wait_until(lambda: demo.left_behind() == [], what="nothing is left behind")
    assert value(empty_database, "select count(*) from deployment") == 0


def _supervisor(address: str, parent: int) -> int:
    """The child of this demo that is the unit with this address: others may run on this machine."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    (pid,) = [pid for pid in children if address in Path(f"/proc/{pid}/cmdline").read_text()]
    return int(pid)


def test_without_docker_it_starts_an_embedded_server(directory: Path) -> None:
    environ = {**os.environ, "DOCKER_HOST": "unix:///nowhere.sock"}
    with running(Demo(directory, "--units", "1", "--deployments", "3", environ=environ)) as demo:
        report = demo.wait()
    assert demo.process.returncode == 0, demo.said
    assert demo.said.startswith("database: embedded PostgreSQL")
    assert "no TimescaleDB: the log is an ordinary table" in report
    assert demo.left_behind() == []


def test_without_a_database_it_starts_timescaledb_in_a_container(directory: Path) -> None:
    with running(Demo(directory, "--units", "3", "--deployments", "6")) as demo:
        report = demo.wait()
    assert demo.process.returncode == 0, demo.said
    found = re.match(r"database: TimescaleDB in the container (\S+)", demo.said)
    assert found is not None
    assert re.search(r"TimescaleDB \d", report)
    listed = subprocess.run(
        shlex.split("docker ps --all --format {{.Names}}"), capture_output=True, text=True, check=True
    )
    assert found[1] not in listed.stdout.split()
    assert demo.left_behind() == []


def ended_by_another_signal(demo: Demo) -> bool:
    if demo.process.poll() is None:
        demo.process.send_signal(signal.SIGHUP)
    return demo.process.poll() is not None

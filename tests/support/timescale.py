"""A TimescaleDB server in a container of its own, made for tests: fast, disposable, on a port that stays."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import psycopg
from docker.errors import APIError
from testcontainers.community.postgres import PostgresContainer

from tests.support.waiting import wait_until
from tools.timescaledb.image import usable

READY_S = 60.0

_OWNER = "nodeunit.tests.owner"  # a label: pid and start time of the run that a container belongs to

SETTINGS = {
    # Nothing here has to survive a power cut, and every database is made by copying files.
    "fsync": "off",
    "full_page_writes": "off",
    "shared_preload_libraries": "timescaledb,pg_stat_statements",
    "track_commit_timestamp": "on",
    "max_connections": "300",
    "timescaledb.telemetry_level": "off",
    # Otherwise the extension's scheduler repeatedly connects to every database that has it, and a database with
    # connections cannot be copied. Without workers its launcher ends at once; nothing here needs its jobs.
    "timescaledb.max_background_workers": "0",
}


class TimescaleServer:
    """A running server, and the faults that a test can inject: `restart`, `kill`, `freeze`."""

    def __init__(self, container: PostgresContainer, port: int) -> None:
        self._container = container
        self.conninfo = f"postgresql://{container.username}:{container.password}@127.0.0.1:{port}/{container.dbname}"

    def restart(self) -> None:
        """Fast shutdown and start; returns when it answers again."""
        self._container.get_wrapped_container().restart(timeout=30)
        self.wait_until_it_answers()

    def kill(self) -> None:
        """End it as a power cut would, without notice to its clients."""
        self._container.get_wrapped_container().kill()

    def start_again(self) -> None:
        """After `kill`; returns when it answers."""
        self._container.get_wrapped_container().start()
        self.wait_until_it_answers()

    def freeze(self) -> None:
        """Stop all its processes: connections stay open and nothing answers."""
        self._container.get_wrapped_container().pause()

    def thaw(self) -> None:
        self._container.get_wrapped_container().unpause()

    def become_standby(self) -> None:
        """Restart as a standby that waits for a primary which never comes: it answers, and writes nothing."""
        self._in_data_directory("touch")
        self.restart()

    def end_standby(self) -> None:
        """Restart as the primary that it was."""
        self._in_data_directory("rm")
        self.restart()

    def _in_data_directory(self, do: str) -> None:
        signal = "/var/lib/postgresql/data/standby.signal"
        done = self._container.get_wrapped_container().exec_run([do, signal], user="postgres")
        assert done.exit_code == 0, done.output

    def wait_until_it_answers(self) -> None:
        """Over TCP, as every client will; inside the container it answers earlier."""
        wait_until(self._answers, within_s=READY_S, every_s=0.05, what="the server answers over TCP")

    def _answers(self) -> bool:
        container = self._container.get_wrapped_container()
        container.reload()
        assert container.status == "running", f"the server has ended: {container.logs(tail=5).decode().strip()}"
        try:
            psycopg.connect(self.conninfo, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


class _Container(PostgresContainer):  # type: ignore[misc]  # testcontainers has no complete types
    """A container that does not wait until it is ready: `TimescaleServer` does."""

    def _connect(self) -> None:
        """The original waits for two minutes, even when the container has already ended."""


@contextmanager
def timescale_server(*, in_memory: bool = False, **settings: str) -> Iterator[TimescaleServer]:
    """Start a server and remove it, with its data, when the block ends; `settings` are the server's own.

    With `in_memory` it makes databases ten times as fast, but they do not survive its end.

    Raises CannotGoOn without the right image, and AssertionError when its server ends or does not answer.
    """
    image = usable()
    remove_leftovers()
    port = _free_port()
    container = _Container(image, driver=None)
    container.ports = {"5432/tcp": ("127.0.0.1", port)}  # a chosen port stays the same across a restart
    container.with_command(
        ["postgres", *(word for name, value in (SETTINGS | settings).items() for word in ("-c", f"{name}={value}"))]
    )
    container.with_kwargs(labels={_OWNER: _identity(os.getpid())}, shm_size="256m")
    if in_memory:
        container.with_tmpfs_mount("/var/lib/postgresql/data")
    with container:
        server = TimescaleServer(container, port)
        server.wait_until_it_answers()
        yield server


def remove_leftovers() -> None:
    """Remove the containers of test runs that were killed before they could."""
    client = docker.from_env()
    try:
        for container in client.containers.list(all=True, filters={"label": _OWNER}):
            owner = container.labels[_OWNER]
            if owner != _identity(int(owner.split("@")[0])):
                _remove(container)
    finally:
        client.close()


def _remove(container: Any) -> None:
    try:
        container.remove(force=True, v=True)
    except APIError as error:
        if error.status_code not in (404, 409):  # another run is removing it too
            raise


def _identity(pid: int) -> str:
    """Pid and start time, because the kernel reuses pids; only the pid if there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return str(pid)
    return f"{pid}@{stat.rpartition(')')[2].split()[19]}"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""Where a benchmark runs: in a container of its own, or on any server; each measurement in a database of its own."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.demo.container import timescaledb_container
from tools.faults.server import docker
from tools.timescaledb.image import usable

CONNECTIONS = 1600


class Place(NamedTuple):
    """A server, and the container that it runs in; without one, what needs one is not measured."""

    administrator: str
    container: str

    @contextmanager
    def fresh(self) -> Iterator[str]:
        """The conninfo of an empty database, dropped at the end."""
        name = sql.Identifier(f"bench_{secrets.token_hex(4)}")
        with psycopg.connect(self.administrator, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(name))
            try:
                yield make_conninfo(self.administrator, dbname=name.as_string().strip('"'))
            finally:
                connection.execute(sql.SQL("drop database {} with (force)").format(name))

    def cpu_s(self) -> float:
        """Seconds of CPU that the server has used: of its control group, which counts every short run of its processes,
        and those that have ended."""
        pid = docker("inspect", "--format", "{{.State.Pid}}", self.container).strip()
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            _, controllers, group = line.split(":", 2)
            if controllers == "cpuacct" or controllers == "cpu,cpuacct":
                return int(Path(f"/sys/fs/cgroup/{controllers}{group}/cpuacct.usage").read_text()) / 1e9
        found = Path(f"/sys/fs/cgroup{group}/cpu.stat").read_text()
        return int(found.partition("usage_usec")[2].split()[0]) / 1e6


@contextmanager
def place(given: str) -> Iterator[Place]:
    """The given server, where the login may create databases, or a container."""
    if given:
        yield Place(given, "")
        return
    with timescaledb_container(usable(), settings={"max_connections": str(CONNECTIONS)}) as container:
        yield Place(container.conninfo, container.name)

"""What a run ran on: processor, memory, versions, and how busy the machine was."""

import os
import platform
from pathlib import Path

import msgspec
import psycopg

from nodeunit import __version__


class Machine(msgspec.Struct, frozen=True):
    """All that a reader of the numbers has to know."""

    processor: str
    cores: int
    memory_gb: float
    kernel: str
    python: str
    postgresql: str
    timescaledb: str
    fsync: str
    nodeunit: str


def machine(conninfo: str) -> Machine:
    """This machine, and the server there."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute(
            "select current_setting('server_version'), current_setting('fsync'),"
            " coalesce((select default_version from pg_available_extensions where name = 'timescaledb'), 'none')"
        ).fetchone()
    assert found is not None
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1024**3
    return Machine(
        _processor(), os.cpu_count() or 0, round(memory, 1), platform.release(), platform.python_version(),
        found[0], found[2], found[1], __version__,
    )  # fmt: skip


def load() -> list[float]:
    """Of the last 1, 5 and 15 minutes."""
    return [round(one, 2) for one in os.getloadavg()]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()

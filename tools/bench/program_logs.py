"""How late a line of a program's log is printed on another machine, and what it costs to read logs so.

    python -m tools.bench.program_logs [--followers 0 1 10] [--seconds 30] [--lines 20]

A real unit runs one program for each follower, which prints the time so many times a second, and `nodeunit logs -f`
runs for each. The server is a container of its own. Costs are CPU of the unit (supervisor, log writer, daemon), of the
server and of one follower, in milliseconds of CPU a second, and what the server commits and writes to its WAL.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import psycopg

from nodeunit.demo.container import timescaledb_container
from nodeunit.store.postgres import migrator
from tests.support.unit_process import UnitProcess, unit_process
from tools.bench.database import Place
from tools.bench.heartbeats import Server, counters
from tools.faults.summary import quantile
from tools.timescaledb.image import usable

SETTLES_S = 5.0

PROGRAM = "import time\nwhile True: print(time.monotonic(), flush=True); time.sleep({pause})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--followers", type=int, nargs="+", default=[0, 1, 10])
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--lines", type=float, default=20, help="a second, of each program [20]")
    options = parser.parse_args()
    most = max(*options.followers, 1)
    print("| followers | delay ms p50 / p99 | unit | server | a follower | commits/s | WAL bytes/s |")
    print("|" + " --- |" * 7)
    with _fleet(most, options.lines) as (container, conninfo, unit, rows):
        for followers in options.followers:
            print(_measure(container, conninfo, unit, rows[:followers], options.seconds), flush=True)


@contextmanager
def _fleet(programs: int, lines: float) -> Iterator[tuple[str, str, UnitProcess, list[str]]]:
    """A server and a unit that runs so many programs; their ids."""
    with timescaledb_container(usable()) as container, tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        asyncio.run(migrator.migrate(container.conninfo))
        unit = stack.enter_context(unit_process(container.conninfo, Path(directory)))
        arguments = json.dumps(["-I", "-S", "-c", PROGRAM.format(pause=1 / lines)])
        with psycopg.connect(container.conninfo, autocommit=True) as connection:
            connection.execute(
                "insert into deployment (package_name, package_version, command, args)"
                " select '@yuants/printer', '1.0.0', %s, %s::jsonb from generate_series(1, %s)",
                (sys.executable, arguments, programs),
            )
            while len(_started(connection)) < programs:
                time.sleep(0.1)
            rows = _started(connection)
        yield container.name, container.conninfo, unit, rows


def _started(connection: psycopg.Connection) -> list[str]:
    found = connection.execute(
        "select distinct deployment_id::text from event where type = 'ProcessStarted'"
    ).fetchall()
    return [row[0] for row in found]


def _measure(container: str, conninfo: str, unit: UnitProcess, rows: list[str], seconds: float) -> str:
    of_each: list[list[float]] = [[] for _ in rows]
    followers = [_follow(conninfo, row, delays) for row, delays in zip(rows, of_each, strict=True)]
    try:
        while not all(of_each):
            time.sleep(0.1)
        time.sleep(SETTLES_S)
        for delays in of_each:
            delays.clear()
        counted = Server(Place(conninfo, container), conninfo)
        before = [
            *counters(counted),
            _cpu_of_unit(unit),
            sum(map(_cpu, followers)),
        ]
        time.sleep(seconds)
        after = [*counters(counted), _cpu_of_unit(unit), sum(map(_cpu, followers))]
    finally:
        for follower in followers:
            follower.kill()
            follower.wait()
    all_delays = [delay for delays in of_each for delay in delays]
    commits, wal, _, server, its_unit, reading = ((b - a) / seconds for a, b in zip(before, after, strict=True))
    p50, p99 = (f"{quantile(all_delays, share) * 1000:.0f}" if all_delays else "" for share in (0.5, 0.99))
    each = f"{reading / len(rows) * 1000:.1f}" if rows else ""
    return (
        f"| {len(rows)} | {p50} / {p99} | {its_unit * 1000:.1f} | {server * 1000:.1f} | {each} "
        f"| {commits:.1f} | {wal:.0f} |"
    )


def _follow(conninfo: str, row: str, delays: list[float]) -> "subprocess.Popen[bytes]":
    """Starts a follower; the delay of each line that it prints is noted."""
    follower = subprocess.Popen(
        [sys.executable, "-P", "-m", "nodeunit", "logs", row, "-f", "--tail", "0", "--no-prefix", "-d", conninfo],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    )

    def note() -> None:
        assert follower.stdout is not None
        delays.extend(time.monotonic() - float(line) for line in follower.stdout)

    threading.Thread(target=note, daemon=True).start()
    return follower


def _cpu(process: "subprocess.Popen[bytes]") -> float:
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def _cpu_of_unit(unit: UnitProcess) -> float:
    """Of supervisor, guard, log writer and daemon, without the programs."""
    total = 0.0
    for process in (psutil.Process(unit.pid), *unit.descendants()):
        try:
            if "time.monotonic" not in " ".join(process.cmdline()):
                times = process.cpu_times()
                total += times.user + times.system
        except psutil.NoSuchProcess:
            continue
    return total


if __name__ == "__main__":
    main()

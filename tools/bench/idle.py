"""Memory and CPU of a unit that runs idle programs, beside pm2 and supervisord with the same programs.

    python -m tools.bench.idle [--programs 0 21 100] [--seconds 20] [--rounds 1]

One at a time, alternating, with `sleep` as the program, which itself is not counted. Counted are all processes of the
unit (supervisor, guard, log writer, daemon), the daemon of pm2, and supervisord. RSS is the sum over them; PSS counts a
page that n processes share 1/n for each; CPU is in milliseconds a second while nothing happens. A unit does what the
others do not: it renews its lease and stores a sample of each program in the database, whose own cost is not counted.

pm2 is installed from the npm registry and supervisord from the Python registry, below build/.
"""

import argparse
import asyncio
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import psycopg

from nodeunit.store.postgres import migrator
from tests.support.unit_process import unit_process
from tests.support.waiting import wait_until
from tools.bench.database import place
from tools.bench.figure import Figure
from tools.bench.peers import environments
from tools.bench.suite import Bench

SLEEP = shutil.which("sleep") or "/bin/sleep"
SETTLES_S = 8.0
WITHIN_S = 120.0
_MIB = 1024 * 1024

Start = Callable[[int, Path], AbstractContextManager[int]]
"""Starts a supervisor with so many programs, in a directory of its own; yields the pid of its first process."""


class Cost(NamedTuple):
    """Of the processes that look after the programs."""

    processes: int
    rss_mb: float
    pss_mb: float
    cpu_ms: float
    """Per second."""


def main() -> None:
    """Measures each and prints one line for each number of programs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--programs", type=int, nargs="+", default=[0, 21, 100])
    parser.add_argument("--seconds", type=float, default=20, help="of one measurement [20]")
    parser.add_argument("--rounds", type=int, default=1, help="the table has their median [1]")
    options = parser.parse_args()
    with place("") as here:
        asyncio.run(migrator.migrate(here.administrator))
        print("| programs | | processes | RSS MiB | PSS MiB | CPU ms/s |")
        print("|" + " --- |" * 6)
        for programs in options.programs:
            for name, costs in compare(here.administrator, programs, options.seconds, options.rounds).items():
                processes, rss, pss, cpu = (statistics.median(column) for column in zip(*costs, strict=True))
                print(f"| {programs} | {name} | {processes:.0f} | {rss:.1f} | {pss:.1f} | {cpu:.1f} |", flush=True)


async def measure(bench: Bench) -> list[Figure]:
    """With no program and with the 21 of the report; in the short form only with these, once."""
    numbers, seconds, rounds = ((21,), 10.0, 1) if bench.short else ((0, 21), 20.0, bench.rounds)
    told = []
    for number in numbers:
        with bench.place.fresh() as database:
            await migrator.migrate(database)
            bench.say(f"idle units and others with {number} programs")
            found = await asyncio.to_thread(compare, database, number, seconds, rounds)
        for name, costs in found.items():
            peer = name != "nodeunit"
            told.append(Figure(f"{name}, {number} programs, PSS", "MiB", [c.pss_mb for c in costs], is_peer=peer))
            told.append(Figure(f"{name}, {number} programs, CPU", "% of a core", [c.cpu_ms / 10 for c in costs],
                               is_peer=peer))  # fmt: skip
    return told


def compare(conninfo: str, programs: int, seconds: float, rounds: int) -> dict[str, list[Cost]]:
    """The costs of each, in turn, by name."""
    found: dict[str, list[Cost]] = {}
    with tempfile.TemporaryDirectory() as directory:
        for number in range(rounds):
            for name, start in _starts(conninfo).items():
                own = Path(directory, f"{name}-{programs}-{number}")
                own.mkdir()
                with start(programs, own) as pid:
                    found.setdefault(name, []).append(_measure(pid, programs, seconds))
    return found


def _starts(conninfo: str) -> dict[str, Start]:
    starts: dict[str, Start] = {"nodeunit": lambda programs, own: _unit(conninfo, programs, own)}
    if pm2 := environments.pm2():
        starts["pm2"] = lambda programs, own: _pm2(pm2, programs, own)
    else:
        print("without npm there is no pm2 to compare with")
    supervisord = environments.python_of("supervisord").with_name("supervisord")
    starts["supervisord"] = lambda programs, own: _supervisord(supervisord, programs, own)
    return starts


def _run(*command: str | Path, env: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@contextmanager
def _unit(conninfo: str, programs: int, directory: Path) -> Iterator[int]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("delete from deployment")
        with unit_process(conninfo, directory, name=f"{directory.name}", LOG_LEVEL="WARNING") as unit:
            connection.execute(
                "insert into deployment (package_name, package_version, command, args)"
                " select 'idle', '1', %s, '[\"1000000\"]' from generate_series(1, %s)",
                (SLEEP, programs),
            )
            yield unit.pid


@contextmanager
def _pm2(pm2: Path, programs: int, directory: Path) -> Iterator[int]:
    apps = [
        {"name": f"p{n}", "script": SLEEP, "args": "1000000", "interpreter": "none", "vizion": False}
        for n in range(programs)
    ]
    (directory / "apps.json").write_text(json.dumps({"apps": apps}))
    env = {
        "PATH": os.environ["PATH"],
        "HOME": os.fspath(directory),
        "PM2_HOME": os.fspath(directory / "pm2"),
        "PM2_DISABLE_VERSION_CHECK": "true",
    }
    try:
        if apps:
            _run(pm2, "start", directory / "apps.json", env=env)
        else:
            _run(pm2, "ping", env=env)
        yield int((directory / "pm2" / "pm2.pid").read_text())
    finally:
        _run(pm2, "kill", env=env)


@contextmanager
def _supervisord(supervisord: Path, programs: int, directory: Path) -> Iterator[int]:
    lines = ["[supervisord]", f"directory={directory}", f"logfile={directory}/log", f"pidfile={directory}/pid"]
    if programs:
        lines += ["[program:p]", f"command={SLEEP} 1000000", f"numprocs={programs}"]
        lines += ["process_name=%(program_name)s_%(process_num)d"]
    configuration = directory / "supervisord.conf"
    configuration.write_text("\n".join(lines) + "\n")
    with subprocess.Popen([supervisord, "-n", "-s", "-c", configuration], stdin=subprocess.DEVNULL) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


def _measure(pid: int, programs: int, seconds: float) -> Cost:
    first = psutil.Process(pid)
    wait_until(lambda: len(_programs(first)) == programs, within_s=WITHIN_S, what=f"{programs} programs run")
    time.sleep(SETTLES_S)
    sleeping = _programs(first)
    processes = [each for each in (first, *first.children(recursive=True)) if each.pid not in sleeping]
    before, began = _cpu_s(processes), time.monotonic()
    time.sleep(seconds)
    used, elapsed = _cpu_s(processes) - before, time.monotonic() - began
    memory = [process.memory_full_info() for process in processes]
    rss_mb, pss_mb = sum(each.rss for each in memory) / _MIB, sum(each.pss for each in memory) / _MIB
    return Cost(len(processes), rss_mb, pss_mb, used / elapsed * 1000)


def _programs(first: psutil.Process) -> set[int]:
    found = set()
    for process in first.children(recursive=True):
        try:
            if process.cmdline() == [SLEEP, "1000000"]:
                found.add(process.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def _cpu_s(processes: list[psutil.Process]) -> float:
    times = [process.cpu_times() for process in processes]
    return sum(each.user + each.system + each.children_user + each.children_system for each in times)


if __name__ == "__main__":
    main()

"""How fast a log of a million events is read, folded and verified, in how much memory, next to what the machine can.

    python -m tools.bench.replay [--events 1000000] [--database URL]

Two logs are made in databases of their own, one a tenth as long as the other: what needs more memory for the longer one
is not flat. Each measurement is a process of its own, run five times, of which the fastest counts. The floors are of
the same run: to copy the same rows out of the server and throw them away, and to decode what was copied. The library
`eventsourcing` reads and folds the events too.
"""

import argparse
import asyncio
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from nodeunit.audit import replay
from nodeunit.audit.source import LiveLog
from nodeunit.store.postgres.connections import connect
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.read import event_log, projections
from tools import synthetic_log
from tools.bench.database import Place
from tools.bench.database import place as database_of_bench
from tools.bench.figure import Figure
from tools.bench.peers import environments
from tools.bench.suite import Bench

ROWS = (
    "copy (select position, recorded_at, transaction_id, event_id, stream_id, stream_version, type, deployment_id, "
    "unit_address, schema_version, data from event order by transaction_id, position) to stdout"
)
DATA = (
    "copy (select data from event order by transaction_id, position) to stdout "
    "(format csv, quote E'\\x01', delimiter E'\\x02')"
)
LIBRARY = "eventsourcing: read and fold"
REPEATED = 5


class Result(NamedTuple):
    """One measurement: of the repetitions the fastest, and the largest memory."""

    seconds: float
    events: int
    client_mb: float
    server_mb: float | None
    """The peak of the backend's own memory, without shared buffers; None where it is not on this machine."""


# --- what is measured -------------------------------------------------------------------------------


async def copy_out(database: str) -> int:
    """Floor: every row, thrown away."""
    async with await connect(database, "bench") as connection, connection.cursor().copy(ROWS) as rows:
        return sum([1 async for _ in rows])


async def copy_out_and_decode(database: str) -> int:
    """Floor: every event's data, decoded to plain dicts."""
    decode, count = msgspec.json.decode, 0
    async with await connect(database, "bench") as connection, connection.cursor().copy(DATA.encode()) as lines:
        async for line in lines:
            decode(line)
            count += 1
    return count


async def sql_state_now(database: str) -> int:
    """The fleet at the end, by the SQL fold."""
    async with await event_log.open_log(database, "bench") as connection:
        found = await replay.at_moment(connection)
    return len(found.deployments)


async def sql_state_then(database: str) -> int:
    """The fleet at a random moment, by the SQL fold."""
    async with await event_log.open_log(database, "bench") as connection:
        row = await (await connection.execute("select min(recorded_at), max(recorded_at) from event")).fetchone()
        assert row is not None
        moment = row["min"] + timedelta(seconds=random.random() * (row["max"] - row["min"]).total_seconds())
        found = await replay.at_moment(connection, moment)
    return len(found.deployments)


async def full_replay(database: str) -> int:
    """Every event, decoded to its type and folded in Python, by the reader that the commands use."""
    return len((await replay.fold(LiveLog(database))).deployments)


async def verify(database: str) -> int:
    """`nodeunit projections verify`: all projections."""
    assert await projections.verify(database) == []
    return 0


MEASURED: dict[str, tuple[str, Callable[[str], Coroutine[Any, Any, int]]]] = {
    "copy_out": ("floor: COPY OUT of the rows", copy_out),
    "copy_out_and_decode": ("floor: COPY OUT of data, msgspec decode", copy_out_and_decode),
    "sql_state_now": ("state at the end, SQL fold", sql_state_now),
    "sql_state_then": ("state at a random moment, SQL fold", sql_state_then),
    "full_replay": ("full replay in Python, typed, by the commands' reader", full_replay),
    "verify": ("projections verify", verify),
}


# --- how it is measured -----------------------------------------------------------------------------


def one(name: str, database: str) -> None:
    """In a process of its own: prints what one measurement took."""
    began = time.perf_counter()
    count = asyncio.run(MEASURED[name][1](database))
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "events": count, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """Of this process since it was executed; `getrusage` counts what its parent had when it forked."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


class Backends(threading.Thread):
    """Follows the memory of the server's processes for one database, if they are on this machine: `peak_mb`."""

    def __init__(self, database: str) -> None:
        super().__init__(daemon=True)
        self._title = f" {conninfo_to_dict(database)['dbname']} ".encode()
        self._over = threading.Event()
        self.peak_mb: float | None = None

    def run(self) -> None:
        looks = 0
        pids: list[Path] = []
        while not self._over.wait(0.05):
            if looks % 5 == 0:  # to find them costs more than to look at them
                pids = [process for process in Path("/proc").glob("[0-9]*") if self._is_ours(process)]
            looks += 1
            if total := sum(map(_own_memory_mb, pids)):
                self.peak_mb = max(self.peak_mb or 0, total)

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _is_ours(self, process: Path) -> bool:
        try:
            title = (process / "cmdline").read_bytes()
        except OSError:
            return False
        return title.startswith(b"postgres: ") and self._title in title


def _own_memory_mb(process: Path) -> float:
    try:
        return int((process / "status").read_text().partition("RssAnon:")[2].split()[0]) / 1024
    except (OSError, IndexError):
        return 0


def measured(command: list[str], database: str, repeated: int = REPEATED) -> Result:
    """Runs a command that prints its measurement; of several runs the fastest, and the largest memory."""
    watch = Backends(database)
    watch.start()
    runs = [_child(command) for _ in range(repeated)]
    watch.stop()
    return Result(
        min(run["seconds"] for run in runs), runs[0]["events"], max(run["peak_mb"] for run in runs), watch.peak_mb
    )


def _child(command: list[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


async def measure(bench: Bench) -> list[Figure]:
    """Of a log of a hundred thousand events, or of a million; the fastest of several repetitions counts."""
    small, large, events = await asyncio.to_thread(compare, bench.place, 100_000 if bench.short else 1_000_000)
    titles = {name: title for name, (title, _) in MEASURED.items()} | {"eventsourcing": LIBRARY}
    floors = {"full_replay": LIBRARY, "verify": "", "copy_out": "", "copy_out_and_decode": "", "eventsourcing": ""}
    told = [
        Figure(title, "s", [large[name].seconds], floors.get(name, titles["copy_out"]), name == "eventsourcing")
        for name, title in titles.items()
    ]
    told += [
        Figure(f"memory of the client, {titles[name]}", "MB", [large[name].client_mb], f"the same, a tenth, {name}")
        for name in ("full_replay",)
    ]
    told.append(Figure("the same, a tenth, full_replay", "MB", [small["full_replay"].client_mb]))
    told.append(Figure("events", "", [float(events)]))
    return told


def compare(place: Place, events: int) -> tuple[dict[str, Result], dict[str, Result], int]:
    """Measures everything on a log of so many events and on one a tenth as long. Returns the shorter one first, and how
    many events the longer one really has."""
    python = environments.python_of("eventsourcing")
    results: list[dict[str, Result]] = []
    for size in (events // 10, events):
        with place.fresh() as database, place.fresh() as theirs:
            asyncio.run(migrate(database))
            loaded = synthetic_log.load(database, events=size)
            print(f"{loaded.events} events in {loaded.transactions} transactions, {_bytes(database)}", flush=True)
            found: dict[str, Result] = {}
            for name in MEASURED:
                command = [sys.executable, "-m", "tools.bench.replay", "--one", name, "--database", database]
                found[name] = measured(command, database)._replace(events=loaded.events)
                print(_line(MEASURED[name][0], found[name]), flush=True)
            baseline = [str(python), "tools/bench/peers/eventsourcing_peer.py", database, theirs]
            found["eventsourcing"] = measured(baseline, theirs, 1)
            print(_line(LIBRARY, found["eventsourcing"]), flush=True)
            results.append(found)
    return results[0], results[1], loaded.events


def _print(small: dict[str, Result], large: dict[str, Result]) -> None:
    print("\n| | seconds | events/s | client, MB | server, MB | client at a tenth, MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, title in [*((n, t) for n, (t, _) in MEASURED.items()), ("eventsourcing", LIBRARY)]:
        r = large[name]
        server = "" if r.server_mb is None else f"{r.server_mb:.0f}"
        print(
            f"| {title} | {r.seconds:.2f} | {r.events / r.seconds:,.0f} | {r.client_mb:.0f} | {server} "
            f"| {small[name].client_mb:.0f} |"
        )
    times = large["eventsourcing"].seconds / large["full_replay"].seconds
    print(f"\nThe full replay is {times:.1f} times as fast as the library.")


def _line(title: str, r: Result) -> str:
    server = "" if r.server_mb is None else f", server {r.server_mb:.0f} MB"
    return f"  {title:45} {r.seconds:7.2f} s {r.events / r.seconds:10,.0f}/s  client {r.client_mb:.0f} MB{server}"


def _bytes(database: str) -> str:
    with psycopg.connect(database) as connection:
        row = connection.execute("select pg_size_pretty(sum(length(data::text))) from event").fetchone()
    assert row is not None
    return f"{row[0]} of data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--database", default="", help="where databases may be made; else one is started")
    parser.add_argument("--one", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one, given.database)
        return
    with database_of_bench(given.database) as here:
        small, large, _ = compare(here, given.events)
    _print(small, large)


if __name__ == "__main__":
    main()

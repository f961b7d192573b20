"""Runs the benchmarks, beside floors and peers of the same run, and writes what they found.

    python -m tools.bench [--long] [--only latency throughput] [--rounds 3] [--database URL] [--output build/bench]

The short form takes less than twenty minutes. Results are `bench.json` and `bench.md` in the output directory. Without
a database a container of its own is started; a given login must be allowed to create databases, and its server should
keep the times of commits (`track_commit_timestamp`). A suite that fails is said, and the others go on.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tools.bench import convergence, growth, heartbeats, idle, latency, listeners, replay, storage, throughput
from tools.bench.database import place
from tools.bench.machine import load, machine
from tools.bench.suite import Bench, Suite
from tools.bench.table import Run, SuiteResult, markdown

SUITES: dict[str, Suite] = {
    "latency": latency.measure,
    "throughput": throughput.measure,
    "convergence": convergence.measure,
    "growth": growth.measure,
    "listeners": listeners.measure,
    "heartbeats": heartbeats.measure,
    "idle": idle.measure,
    "storage": storage.measure,
    "replay": replay.measure,
}
OUTPUT = Path(__file__).parents[2] / "build" / "bench"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="larger sizes and five rounds")
    parser.add_argument("--only", nargs="+", choices=SUITES, default=list(SUITES))
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--database", default="")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    given = parser.parse_args()
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {text}", flush=True)

    with place(given.database) as here:
        bench = Bench(here, not given.long, given.rounds or (5 if given.long else 3), say)
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        run = Run(at, "long" if given.long else "short", bench.rounds, machine(here.administrator), load(), [])
        failed = [name for name in given.only if not _measure(bench, name, run)]
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "bench.json").write_bytes(msgspec.json.format(msgspec.json.encode(run)))
    (given.output / "bench.md").write_text(markdown(run))
    print(markdown(run))
    say(f"written to {given.output}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


def _measure(bench: Bench, name: str, run: Run) -> bool:
    bench.say(f"== {name}, load {load()[0]}")
    began = time.monotonic()
    try:
        figures = asyncio.run(SUITES[name](bench))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the other suites still say something
        bench.say(f"{name} failed: {error!r}")
        return False
    if not figures:
        bench.say(f"{name} needs the container of the server: left out")
        return True
    run.suites.append(SuiteResult(name, round(time.monotonic() - began, 1), load(), figures))
    return True


if __name__ == "__main__":
    main()

"""`python -m tools.faults`: runs trials and prints the table; exit 1 when a promise was broken."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from itertools import count
from pathlib import Path
from random import Random

from nodeunit.clock import boottime
from tools.faults.build import make_build
from tools.faults.catalogue import ALL, GROUPS, SINGLE
from tools.faults.run import Run, Shape
from tools.faults.skew import make_skewed_build
from tools.faults.summary import notes, table
from tools.faults.trial import Outcome

AT_ONCE = 1000


def main() -> int:
    """Parses, runs, prints."""
    options = _options()
    names = [name for word in options.kinds for name in GROUPS.get(word, [word])]
    until = boottime() + options.hours * 3600 if options.hours else None
    shape = Shape(options.units, options.rows, options.stops, options.ttl, options.heartbeat)
    with ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory(prefix="nodeunit-faults-"))
        directory = Path(options.directory or temporary)
        directory.mkdir(parents=True, exist_ok=True)
        builds = Path(tempfile.mkdtemp(prefix="build-", dir=directory))
        record = stack.enter_context((directory / "trials.jsonl").open("a"))

        def tell(outcome: Outcome) -> None:
            record.write(json.dumps(asdict(outcome)) + "\n")
            record.flush()
            faults = "; ".join(outcome.faults) or "ok"
            print(f"{len(run.outcomes)} {outcome.kind} {outcome.seed}: {faults}", file=sys.stderr, flush=True)

        odd_one = make_skewed_build(builds / "skewed", options.skew) if options.skew else None
        run = Run(make_build(builds / "build"), directory, shape, tell, odd_one=odd_one)
        for plan in _plans(names, options.seed, options.trials if until is None else AT_ONCE):
            run.trials(plan, until)
            if until is None or boottime() >= until:
                break
    print(table(run.outcomes))
    print(*notes(run.outcomes), sep="\n")
    print(f"{len(run.outcomes)} trials; {shape}; load average {os.getloadavg()}")
    print(f"broken rules of the log: {run.violations or 'none'}")
    return 1 if run.violations or any(outcome.faults for outcome in run.outcomes) else 0


def _plans(names: list[str], seed: int, trials: int) -> Iterator[list[tuple[str, int]]]:
    """Every kind equally often, in an order of the seed. The seed of a trial tells which fleet and which place."""
    for round_number in count():
        chosen = [names[number % len(names)] for number in range(trials)]
        Random(f"{seed} {round_number}").shuffle(chosen)
        yield [(name, (seed * 1000 + round_number) * 10_000 + number) for number, name in enumerate(chosen)]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what is harmed, when and for how long [1]")
    parser.add_argument("--trials", type=int, default=len(SINGLE), help="how many, over all kinds")
    parser.add_argument("--hours", type=float, help="instead of --trials: run for this many hours")
    parser.add_argument(
        "--kinds", nargs="+", choices=[*GROUPS, *ALL], metavar="KIND", default=["single", "pairs"],
        help=f"of {', '.join([*GROUPS, *ALL])} [single pairs]",
    )  # fmt: skip
    parser.add_argument("--ttl", type=float, default=Shape().ttl_s, help="NODE_UNIT_LEASE_TTL of the units [4]")
    parser.add_argument("--heartbeat", type=float, default=0.5, help="NODE_UNIT_HEARTBEAT_INTERVAL of the units [0.5]")
    parser.add_argument("--units", type=int, default=3)
    parser.add_argument("--rows", type=int, default=12, help="programs of the whole fleet [12]")
    parser.add_argument("--stops", type=float, default=0.5, help="share of the rows that are on_disconnect=stop [0.5]")
    parser.add_argument("--skew", type=int, default=0, help="seconds by which the wall clock of one unit is off [0]")
    parser.add_argument("--directory", help="keep journals, logs and trials.jsonl there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())

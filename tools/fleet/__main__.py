"""Runs a scenario on an imagined fleet and says what it took and whether all that must hold holds.

    python -m tools.fleet burst --units 100 --rows 1000 [--policy resource_usage] [--seed 1] [--database URL]

Without a database a container of its own is started, whose server takes as many connections as the fleet needs. A
database that is given must be empty and is left as it is at the end. Exit code 1: something does not hold.
"""

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from nodeunit.demo.container import timescaledb_container
from tools.fleet import scenario as scenarios
from tools.fleet.run import Outcome, run
from tools.fleet.scenario import Size
from tools.timescaledb.image import usable

CONNECTIONS_BESIDES = 200


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", choices=scenarios.names())
    parser.add_argument("--units", type=int, default=20)
    parser.add_argument("--rows", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--policy", default="", help="of all units, in place of what the scenario says")
    parser.add_argument("--heartbeat", type=float, default=2.0, metavar="S", help="seconds between heartbeats [2]")
    parser.add_argument("--database", default="")
    parser.add_argument("--json", type=Path, help="a file for the outcome")
    given = parser.parse_args()
    size = Size(given.units, given.rows, given.seed, given.heartbeat, given.policy)
    with database(given.database, given.units) as conninfo:
        outcome = asyncio.run(run(conninfo, scenarios.read(given.scenario), size, print))
    show(outcome)
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(outcome)))
    if outcome.faults:
        raise SystemExit(1)


@contextmanager
def database(given: str, units: int) -> Iterator[str]:
    """The database that is given, or an empty one in a container."""
    if given:
        yield given
        return
    settings = {"max_connections": str(3 * units + CONNECTIONS_BESIDES)}
    with timescaledb_container(usable(), settings=settings) as container:
        yield container.conninfo


def show(outcome: Outcome) -> None:
    """Prints what it took."""
    found = outcome.figures
    print(f"{found.claims} claims in {found.claim_transactions} transactions, {found.conflicts} conflicts, "
          f"{found.skips} skips, {found.claims_by_heartbeat} by a heartbeat")  # fmt: skip
    print(f"a claim: {found.a_claim(found.claim_events):.2f} events, {found.a_claim(found.claim_bytes):.0f} bytes, "
          f"{found.a_claim(found.wake_ups):.3f} wake-ups")  # fmt: skip
    for insert in found.inserts[:3] + found.inserts[3:][-3:]:
        print(f"insert of {insert.rows}: first {insert.first_ms:.1f} ms, median {insert.median_ms:.1f} ms, "
              f"last {insert.last_ms:.1f} ms, {insert.claims_a_second:.0f} claims/s")  # fmt: skip
    for group in outcome.balances:
        print(f"{group.units} units hold {group.fewest} to {group.most} rows, usage {group.usage:.1%} off the mean")
    print(f"load {' '.join(f'{one:.2f}' for one in outcome.load)}")
    for fault in outcome.faults:
        print(f"DOES NOT HOLD: {fault}")


if __name__ == "__main__":
    main()

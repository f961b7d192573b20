"""`nodeunit demo`: the run of the original report, live, in a database that it finds by itself."""

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console

from nodeunit.audit import report as audit
from nodeunit.audit.markdown import markdown
from nodeunit.cli.options import Database
from nodeunit.cli.report import require_invariants
from nodeunit.demo.children import LiveChildren
from nodeunit.demo.embedded import ChosenDatabase, choose_database
from nodeunit.demo.fleet import DemoFleet, demo_fleet
from nodeunit.demo.interruption import Interruption
from nodeunit.demo.package import DemoPackage, demo_package
from nodeunit.demo.view import DemoView
from nodeunit.errors import DemoFailed
from nodeunit.store.postgres import migrator
from nodeunit.store.postgres.connections import with_passfile
from nodeunit.store.read.report import Bounds
from nodeunit.store.write import demo_rows as store

JOIN_WITHIN_S = 30.0
UP_WITHIN_S = 90.0
"""Installation included."""
LOOK_EVERY_S = 0.1

GOAL_LAST_MS = 500.0
GOAL_SPLIT = range(8, 14)
"""The goals for the run of the report: two units, 21 deployments."""


class DemoPolicy(StrEnum):
    """The policies under which something is claimed."""

    RESOURCE_USAGE = "resource_usage"
    DEPLOYMENT_COUNT = "deployment_count"


class Wanted(NamedTuple):
    """The options of the demo."""

    units: int
    deployments: int
    policy: str
    given: bool
    """Whether the database was given and is not the demo's own."""
    keep: bool


def demo(
    units: Annotated[int, typer.Option("--units", min=1, max=50, help="How many units to start.")] = 2,
    deployments: Annotated[int, typer.Option("--deployments", min=1, help="How many rows to insert.")] = 21,
    policy: Annotated[
        DemoPolicy, typer.Option("--policy", case_sensitive=False, help="The claim policy.")
    ] = DemoPolicy.RESOURCE_USAGE,
    database: Database = "",
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave everything running, and say how to look and stop.")
    ] = False,
) -> None:
    """Start units on this machine, give them deployments to claim, report, and leave nothing behind.

    Without a database one is started: TimescaleDB in a container if Docker answers, otherwise an embedded PostgreSQL.
    The report goes to standard output, everything else to standard error. Exit 0 only if everything was claimed, every
    program was seen alive and answering, and the log breaks no rule. SIGINT (Ctrl-C), SIGTERM and SIGHUP end it in
    order, with exit code 130, 143 or 129; after a second one it does not wait for the units.

    [bold]Example[/bold]: nodeunit demo --units 3 --deployments 30 > report.md
    """
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    wanted = Wanted(units, deployments, policy.value, bool(database), keep)
    with Interruption() as interruption:
        try:
            with ExitStack() as stack:
                with interruption.allowed():
                    chosen = stack.enter_context(choose_database(database or None, keep=keep, say=console.print))
                console.print(f"database: {chosen.description}", markup=False)
                package = stack.enter_context(demo_package())
                console.print(f"package: {package.description}", markup=False)
                try:
                    directory = stack.enter_context(_directory(keep=keep))
                    asyncio.run(_run(console, chosen, package, directory, wanted, interruption))
                except BaseException:
                    if keep and chosen.how_to_stop:
                        console.print(f"the database was kept; remove it with: {chosen.how_to_stop}", markup=False)
                    raise
        except KeyboardInterrupt:
            console.print("interrupted: what the demo had started has been ended and removed")
            raise typer.Exit(interruption.exit_code) from None


async def _run(
    console: Console,
    chosen: ChosenDatabase,
    package: DemoPackage,
    directory: Path,
    wanted: Wanted,
    interruption: Interruption,
) -> None:
    database = chosen.conninfo
    await interruption.may_end(_prepare(database, given=wanted.given))
    async with store.demo_rows(database) as rows:
        kept = False
        try:
            with demo_fleet(
                wanted.units,
                _settings(database, wanted.policy, directory) | package.settings,
                directory,
                keep=wanted.keep,
                in_a_hurry=lambda: interruption.repeated,
            ) as fleet:
                seen, report = await interruption.may_end(
                    _show(console, rows, fleet, database, package.runtime, wanted.deployments)
                )
                sys.stdout.write(markdown(report))
                sys.stdout.flush()
                _conclude(console, report, seen, wanted)
                if wanted.keep:
                    _say_how_to_look(console, chosen, fleet, directory)
                else:
                    _stop(console, fleet)
                kept = wanted.keep
        finally:
            if wanted.given and not kept:
                await rows.delete()


async def _prepare(database: str, *, given: bool) -> None:
    """Makes the schema; refuses a database that is in use."""
    if given:
        await store.refuse_occupied(database)
    await migrator.migrate(database)


async def _show(
    console: Console, rows: store.DemoRows, fleet: DemoFleet, database: str, runtime: str, deployments: int
) -> tuple[int, audit.Report]:
    """The number of programs seen alive and answering, and the report of the run."""
    seen = await _converge(console, rows, fleet, runtime, deployments)
    return seen, await audit.read(database, Bounds(since=rows.started_at))


def _settings(database: str, policy: str, directory: Path) -> dict[str, str]:
    """The environment of a unit without its identity; libpq's own variables belong to the connection."""
    libpq = {name: value for name, value in os.environ.items() if name.startswith("PG")}
    return libpq | {
        "POSTGRES_URI": database,
        "NODE_UNIT_CLAIM_POLICY": policy,
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": os.fspath(_home(directory)),
    }


def _home(directory: Path) -> Path:
    """A home without the person's settings of npm and pip, which may name another registry; libpq keeps its files."""
    home = directory / "home"
    home.mkdir()
    for name in (".pgpass", ".pg_service.conf", ".postgresql"):
        if (own := Path.home() / name).exists():
            (home / name).symlink_to(own)
    return home


async def _converge(console: Console, rows: store.DemoRows, fleet: DemoFleet, runtime: str, deployments: int) -> int:
    """Waits for the units, inserts, and waits for every program. Returns how many were seen alive and answering."""

    async def have_joined() -> bool:
        fleet.require_alive()
        ready = {unit.address for unit in await rows.units() if unit.cpu_percent is not None}
        return ready >= fleet.names.keys()

    started = time.monotonic()
    await _until(have_joined, JOIN_WITHIN_S, "the units have not all joined and measured themselves")
    console.print(f"{len(fleet.units)} units have joined, {time.monotonic() - started:.1f} s after their start")

    children = LiveChildren(fleet)
    up = 0
    with DemoView(console, fleet.names, deployments) as view:
        await rows.insert(deployments, runtime)

        async def are_up() -> bool:
            nonlocal up
            fleet.require_alive()
            units = await rows.units()
            installs = None
            # Only after everything is claimed, so that nothing else runs during the measurement.
            if sum(unit.claimed for unit in units) == deployments:
                installs = await rows.installs()
                if installs.failure:
                    raise DemoFailed(f"the package cannot be installed: {installs.failure}")
                up = await children.look(await rows.processes())
            view.show(units, installs, up)
            return up == deployments

        await _until(are_up, UP_WITHIN_S, f"{deployments} programs are not all claimed, alive and answering")
    return up


async def _until(condition: Callable[[], Awaitable[bool]], within_s: float, complaint: str) -> None:
    give_up_at = time.monotonic() + within_s
    while not await condition():
        if time.monotonic() > give_up_at:
            raise DemoFailed(f"{complaint} within {within_s:.0f} s")
        await asyncio.sleep(LOOK_EVERY_S)


def _conclude(console: Console, report: audit.Report, seen: int, wanted: Wanted) -> None:
    """Prints the outcome. Raises DemoFailed or InvariantViolated if it is not what the demo promises."""
    total = report.total
    claimed = total.claimed if total else 0
    console.print(
        f"{claimed} of {wanted.deployments} claimed, {seen} live programs seen,"
        f" {report.violations} violations of {len(report.invariants)} invariants"
    )
    split = [count for address, count in report.split_at_end.items() if address]
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    if total and total.first_ms is not None and total.last_ms is not None:
        goals = (wanted.units, wanted.deployments) == (2, 21)
        fast = _against(f"under {GOAL_LAST_MS:.0f} ms", total.last_ms < GOAL_LAST_MS) if goals else ""
        even = _against("8 to 13 each", all(count in GOAL_SPLIT for count in split)) if goals else ""
        console.print(
            f"first claim {total.first_ms:.1f} ms after the insert, last {total.last_ms:.1f} ms{fast};"
            f" split {' to '.join(map(str, split))}{even}; load {load}"
        )
    require_invariants(report)
    if claimed != wanted.deployments or seen != wanted.deployments:
        raise DemoFailed(f"{claimed} of {wanted.deployments} were claimed and {seen} programs seen alive")


def _against(goal: str, met: bool) -> str:
    return f" (goal {goal}: {'met' if met else 'missed'})"


def _stop(console: Console, fleet: DemoFleet) -> None:
    started = time.monotonic()
    fleet.stop()
    console.print(
        f"{len(fleet.units)} units have drained and left in {time.monotonic() - started:.1f} s, no process remains"
    )


def _say_how_to_look(console: Console, chosen: ChosenDatabase, fleet: DemoFleet, directory: Path) -> None:
    """Prints commands that can be copied."""
    nodeunit = shlex.join([sys.executable, "-m", "nodeunit"])
    shown, line = with_passfile(chosen.conninfo, os.fspath(directory / "pgpass"))
    if line:
        # In a file that only its owner reads: what is printed is kept by terminals and by logs.
        with os.fdopen(os.open(directory / "pgpass", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(line)
    database = shlex.quote(shown)
    pids = " ".join(str(unit.process.pid) for unit in fleet.units)
    ended = f"timeout 30 sh -c 'for pid in {pids}; do while kill -0 $pid 2>/dev/null; do sleep 0.1; done; done'"
    rows = f"psql {database} -c 'delete from deployment'"
    lines = [
        "everything is left running. To look:",
        f"  {nodeunit} report --database {database}",
        f"  psql {database} -c 'select address, count(*) from deployment group by address'",
        f"  tail -n +1 {shlex.quote(str(directory))}/*.log {shlex.quote(str(directory))}/logs/*/*.log",
        "To stop:",
        f"  kill {pids}; {ended}; {chosen.how_to_stop or rows}; rm -r {shlex.quote(str(directory))}",
    ]
    console.print("\n".join(lines), markup=False)


@contextmanager
def _directory(*, keep: bool) -> Iterator[Path]:
    """The directory for the logs; removed at the end unless `keep` is given or there was an error."""
    directory = Path(tempfile.mkdtemp(prefix="nodeunit-demo-"))
    try:
        yield directory
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)

"""For random histories of real units: `why`, `replay`, `report`, the tables and what runs say the same, now and later.

At each moment the readers and the tables agree in one snapshot. Whenever the units have had the time to act, they agree
with the processes of the machine too; and what was seen then is told of then when all is over.
"""

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psutil
import pytest

from nodeunit.audit import replay, why
from nodeunit.audit import report as reports
from nodeunit.audit.why import Explanation
from nodeunit.process.process_table import ProcessTable, read_mark
from nodeunit.store.read import event_log
from nodeunit.store.read.report import Bounds
from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

StartUnit = Callable[..., UnitProcess]

STEPS = 10
SETTINGS = {"NODE_UNIT_LEASE_TTL": "2", "NODE_UNIT_HEARTBEAT_INTERVAL": "0.4", "NODE_UNIT_STOP_GRACE": "1"}


class Seen(NamedTuple):
    """What was so at one time: the table, and the pid of the program of each row that runs."""

    at: datetime
    rows: dict[UUID, tuple[str, bool]]
    """Address and whether it is enabled."""
    pids: dict[UUID, int]


class World:
    """Two units, their rows, and what may happen to them."""

    def __init__(self, conninfo: str, start_unit: StartUnit, seed: int) -> None:
        self.fleet = Fleet(conninfo)
        self._start_unit = start_unit
        self._random = random.Random(seed)
        self.units = {name: self._start(name) for name in ("one", "two")}
        self.fleet.wait_for_measured_units(2)
        self.deleted: list[UUID] = []

    def _start(self, name: str) -> UnitProcess:
        return self._start_unit(self.fleet.conninfo, name=name, **SETTINGS)

    def _row(self) -> UUID:
        rows = self.fleet.query("select id from deployment order by id")
        return self._random.choice(rows)["id"] if rows else self.insert()

    def _unit(self) -> UnitProcess:
        return self._random.choice(list(self.units.values()))

    def happen(self) -> str:
        """One thing, by chance; returns what."""
        what = self._random.choice([
            self.insert, self.insert, self.disable, self.enable, self.change, self.restart, self.move, self.delete,
            self.come_back, self.kill_program, self.kill_daemon, self.kill_supervisor, self.kill_unit, self.drain,
        ])  # fmt: skip
        what()
        return what.__name__

    def insert(self) -> UUID:
        kept = self._random.choice(["keep", "stop"])
        (row,) = self.fleet.query(
            "insert into deployment (package_name, package_version, command, on_disconnect)"
            " values ('a', '1', 'sleep 1000', %s) returning id",
            kept,
        )
        found: UUID = row["id"]
        return found

    def disable(self) -> None:
        self.fleet.execute("update deployment set enabled = false where id = %s", self._row())

    def enable(self) -> None:
        self.fleet.execute("update deployment set enabled = true")

    def change(self) -> None:
        self.fleet.execute("update deployment set package_version = package_version || '1' where id = %s", self._row())

    def restart(self) -> None:
        self.fleet.execute("update deployment set updated_at = now() where id = %s", self._row())

    def move(self) -> None:
        self.fleet.execute("update deployment set address = %s where id = %s", self._unit().address, self._row())

    def delete(self) -> None:
        row = self._row()
        self.fleet.execute("delete from deployment where id = %s", row)
        self.deleted.append(row)

    def come_back(self) -> None:
        if self.deleted:
            self.fleet.execute(
                "insert into deployment (id, package_name, package_version, command)"
                " values (%s, 'a', '1', 'sleep 1000')",
                self.deleted.pop(),
            )

    def kill_program(self) -> None:
        for pids in list(self.running().values())[:1]:
            os.kill(pids[0][1], signal.SIGKILL)

    def kill_daemon(self) -> None:
        self._kill([p.pid for p in self._unit().descendants() if "nodeunit.daemon" in _arguments(p)])

    def kill_supervisor(self) -> None:
        self._kill([self._unit().pid])

    def kill_unit(self) -> None:
        unit = self._unit()
        self._kill([unit.pid, *(p.pid for p in unit.descendants() if "nodeunit.daemon" in _arguments(p))])

    def drain(self) -> None:
        self._unit().terminate()

    def _kill(self, pids: list[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def start_what_ended(self) -> None:
        for name, unit in self.units.items():
            if unit.process.poll() is not None:
                self.units[name] = self._start(name)

    def running(self) -> dict[UUID, list[tuple[str, int]]]:
        """From /proc: address and pid of each living program of a row of this database."""
        rows = {str(row["deployment_id"]) for row in self.fleet.query("select deployment_id from assignment_order")}
        found: dict[UUID, list[tuple[str, int]]] = {}
        for entry in ProcessTable.read().entries.values():
            mark = read_mark(entry.pid) if entry.alive else None
            if mark is not None and mark.key in rows:
                found.setdefault(UUID(mark.key), []).append((mark.address, entry.pid))
        return found


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


class Told(NamedTuple):
    """What tables and readers say in one snapshot."""

    at: datetime
    """Of the last event."""
    table: dict[UUID, dict[str, Any]]
    explained: dict[UUID, Explanation]


async def tell(conninfo: str) -> Told:
    """Reads all in one snapshot, and asserts that it agrees."""
    async with (
        await event_log.open_log(conninfo, "test") as connection,
        event_log.one_snapshot(connection),
    ):
        rows = await (await connection.execute("select d.* from deployment d")).fetchall()
        (last,) = await (await connection.execute("select max(recorded_at) as at from event")).fetchall()
        table = {row["id"]: row for row in rows}
        moment = await replay.at_moment(connection)
        assert {d.deployment_id: (d.address, d.enabled, d.address_version) for d in moment.deployments} == {
            key: (row["address"], row["enabled"], row["address_version"]) for key, row in table.items()
        }
        explained = {key: await why.explain(connection, str(key)) for key in table}
    for key, row in table.items():
        expected = "disabled" if not row["enabled"] else "held" if row["address"] else "waiting"
        assert (explained[key].state, explained[key].holder) == (expected, row["address"])
    return Told(last["at"], table, explained)


def say_the_same(told: Told, running: dict[UUID, list[tuple[str, int]]]) -> bool:
    """Whether `why` knows exactly the programs that there are, and each enabled row has one."""
    if not running.keys() <= {key for key, row in told.table.items() if row["enabled"]}:
        return False
    for key, row in told.table.items():
        programs = running.get(key, [])
        if len(programs) != row["enabled"]:
            return False
        found = told.explained[key]
        if found.program.startswith("runs since") != bool(programs):
            return False
        if programs and (found.holder, _pid(found)) != programs[0]:
            return False
    return True


def _pid(found: Explanation) -> int:
    return int(found.program.partition(" as pid ")[2].partition(",")[0] or 0)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_all_say_the_same(database: str, start_unit: StartUnit, seed: int) -> None:
    world = World(database, start_unit, seed)
    for _ in range(3):
        world.insert()
    history, seen = [], []
    for _ in range(STEPS):
        history.append(world.happen())
        asyncio.run(tell(database))
        world.start_what_ended()

        def settled() -> Told | None:
            told = asyncio.run(tell(database))
            return told if say_the_same(told, world.running()) else None

        told = wait_until(settled, within_s=20, every_s=0.1, what=f"all say the same after {history}")
        assert told is not None
        pids = {key: _pid(found) for key, found in told.explained.items() if _pid(found)}
        seen.append(Seen(told.at, {k: (r["address"], r["enabled"]) for k, r in told.table.items()}, pids))
    for then in seen:
        asyncio.run(told_of_then(database, then))
    world.fleet.assert_sound()


async def told_of_then(conninfo: str, then: Seen) -> None:
    """What is told now of a time is what was seen at that time."""
    async with await event_log.open_log(conninfo, "test") as connection:
        moment = await replay.at_moment(connection, then.at)
        assert {d.deployment_id: (d.address, d.enabled) for d in moment.deployments} == then.rows
        for key, (address, _) in then.rows.items():
            found = await why.explain(connection, str(key), then.at)
            assert found.holder == address
            assert _pid(found) * found.program.startswith("runs since") == then.pids.get(key, 0), found
    found_by_report = await reports.read(conninfo, Bounds(until=then.at + timedelta(microseconds=1)))
    assert found_by_report.split_at_end == Counter(address for address, _ in then.rows.values())

"""Random lives of a fleet, against the real database: the pure fold says what may happen, and it does.

Units join, are lost, come back, leave, claim and release, with epochs and versions that are right or stale; people
move, disable and delete rows. One transaction at a time is left open, so that others act before it ends.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import DictRow, dict_row

from nodeunit.domain.deployment import Assignment, evolve, initial_state
from nodeunit.domain.event_json import decode
from nodeunit.domain.events import DeploymentAssigned, DeploymentClaimed, DeploymentReleased
from nodeunit.store.postgres.queries import QUERIES
from tests.support.databases import Databases
from tests.support.members import joined

Connection = psycopg.Connection[DictRow]

UNITS, ROWS = 3, 3
units = st.integers(0, UNITS - 1)
numbers = st.integers(0, ROWS - 1)
STALE_EPOCH, IDENTITY_ALIVE = "NU001", "NU002"


@dataclass
class Unit:
    """What a unit knows of itself, and whether that is still so."""

    address: str
    epoch: int = 0
    in_force: bool = False
    version: int = 0
    supervisor: UUID = field(default_factory=uuid4)


@dataclass
class Row:
    """What a deployment must look like."""

    id: UUID = field(default_factory=uuid4)
    state: Assignment = field(default_factory=initial_state)
    enabled: bool = True
    deleted: bool = False


@dataclass
class OpenClaim:
    """A claim whose transaction has not ended."""

    unit: Unit
    row: Row
    holder: str
    won: bool
    locks: bool
    """Whether there was a row to lock: none where it is disabled or deleted."""


class Fleet(RuleBasedStateMachine):
    """The model beside the database."""

    connection: Connection
    other: Connection

    @initialize()
    def begin(self) -> None:
        prefix = uuid4().hex[:8]  # one database for all lives: each has its own units and rows
        self.units = [Unit(f"{prefix}-{n}") for n in range(UNITS)]
        self.open: OpenClaim | None = None
        self.rows: list[Row] = []
        self.all_rows: list[Row] = []
        for _ in range(ROWS):
            self.insert(len(self.rows))
        for k in range(UNITS):
            self.join(k, True)

    def teardown(self) -> None:
        if self.open is not None:
            self.end(True)
        self.the_log_is_what_happened()

    # --- units --------------------------------------------------------------------------------------

    @rule(k=units, same_supervisor=st.booleans())
    def join(self, k: int, same_supervisor: bool) -> None:
        unit = self.units[k]
        if self.would_wait(unit.address):
            return
        supervisor = unit.supervisor if same_supervisor else uuid4()
        state, answer = self.ask(
            "join_unit", address=unit.address, supervisor=supervisor, lease_ttl_s=3600, inactive_after_s=1800,
            data=msgspec.json.encode(joined(unit.address, supervisor)).decode(), event_id=uuid4(),
        )  # fmt: skip
        if unit.in_force and supervisor != unit.supervisor:
            assert state == IDENTITY_ALIVE
            return
        assert answer is not None
        assert answer["join_unit"] > unit.epoch, "epochs only grow"
        self.units[k] = Unit(unit.address, answer["join_unit"], True, 0, supervisor)

    @rule(k=units, finder=units)
    def go(self, k: int, finder: int) -> None:
        """Leaves by itself, or is found to be lost by another one."""
        unit, by = self.units[k], self.units[finder]
        if self.would_wait(unit.address, by.address):
            return
        if by is unit:
            state, _ = self.ask("leave_unit", address=unit.address, epoch=unit.epoch, event_id=uuid4())
            assert state == ("" if unit.in_force else STALE_EPOCH)
        else:
            self.turn_back(unit, hours=2)
            state, answer = self.ask("declare_lost", address=by.address, epoch=by.epoch, lost=[unit.address])
            if not by.in_force:
                assert state == STALE_EPOCH
                self.turn_back(unit, hours=-2)
                return
            assert answer == {"declare_units_lost": [unit.address] * unit.in_force}
        unit.in_force = False

    @rule(finder=units)
    def lose_who_holds(self, finder: int) -> None:
        for k, unit in enumerate(self.units):
            if k != finder and any(row.state.holder == unit.address for row in self.rows):
                self.go(k, finder)

    def turn_back(self, unit: Unit, hours: int) -> None:
        self.connection.execute(
            "update lease set expires_at = expires_at - %(by)s, renewed_at = renewed_at - %(by)s "
            "where address = %(who)s",
            {"by": timedelta(hours=hours), "who": unit.address},
        )

    # --- claims -------------------------------------------------------------------------------------

    def claim_on(
        self, connection: Connection, unit: Unit, row: Row, off_by: int = 0, holder: str | None = None
    ) -> bool | None:
        """Whether the claim came through, which is when it may; None where a stale epoch was refused."""
        seen = row.state.holder if holder is None else holder
        claim = {
            "deployment_id": row.id, "version": row.state.version + off_by, "holder": seen, "event_id": uuid4(),
            "events": [],
        }  # fmt: skip
        state, answer = self.ask(
            "claim_deployments", connection, address=unit.address, epoch=unit.epoch, stream_version=unit.version,
            claims=msgspec.json.encode([claim]).decode(),
        )  # fmt: skip
        if not unit.in_force:
            assert state == STALE_EPOCH
            return None
        may = (
            row.enabled and not row.deleted and off_by == 0 and seen == row.state.holder
            and not any(other.in_force for other in self.units if other.address == seen)
            and not (self.open is not None and self.open.row is row and self.open.locks)
        )  # fmt: skip
        assert (state, answer is not None) == ("", may)
        return may

    def claim(self, unit: Unit, row: Row, off_by: int = 0, holder: str | None = None) -> None:
        if self.would_wait(unit.address):
            return
        won = self.claim_on(self.connection, unit, row, off_by, holder)
        self.count(unit, row, won)

    @rule(k=units, n=numbers)
    def claim_what_was_seen(self, k: int, n: int) -> None:
        self.claim(self.units[k], self.rows[n])

    @rule(k=units, n=numbers, off_by=st.sampled_from([-1, 0, 1]), holder=units | st.just(-1))
    def claim_what_is_not_so(self, k: int, n: int, off_by: int, holder: int) -> None:
        self.claim(self.units[k], self.rows[n], off_by, self.units[holder].address if holder >= 0 else "")

    @rule(k=units)
    def take_over(self, k: int) -> None:
        gone = {unit.address for unit in self.units if not unit.in_force}
        for row in self.rows:
            if row.state.holder in gone and row.enabled:
                self.claim(self.units[k], row)
                return

    @precondition(lambda self: self.open is None)
    @rule(k=units, n=numbers)
    def claim_and_leave_open(self, k: int, n: int) -> None:
        unit, row = self.units[k], self.rows[n]
        won = self.claim_on(self.other, unit, row)
        if won is None:
            self.other.rollback()
        else:
            self.open = OpenClaim(unit, row, row.state.holder, won, locks=row.enabled and not row.deleted)

    @precondition(lambda self: self.open is not None)
    @rule(k=units)
    def claim_what_another_one_is_claiming(self, k: int) -> None:
        assert self.open is not None
        self.claim(self.units[k], self.open.row)

    @precondition(lambda self: self.open is not None)
    @rule(commits=st.booleans())
    def end(self, commits: bool) -> None:
        assert self.open is not None
        ended, self.open = self.open, None
        if commits:
            self.other.commit()
            self.count(ended.unit, ended.row, ended.won)
        else:
            self.other.rollback()

    def release(self, unit: Unit, row: Row, off_by: int) -> None:
        if self.would_wait(unit.address, row=row):
            return
        state, answer = self.ask(
            "release_deployment", address=unit.address, epoch=unit.epoch, deployment_id=row.id,
            version=row.state.version + off_by, reason="drained", event_id=uuid4(),
        )  # fmt: skip
        if not unit.in_force:
            assert state == STALE_EPOCH
            return
        may = not row.deleted and off_by == 0 and row.state.holder == unit.address
        assert answer == {"release_deployment": may}
        if may:
            self.give_up(row)

    @rule(k=units)
    def release_what_is_held(self, k: int) -> None:
        for row in self.rows:
            if row.state.holder == self.units[k].address:
                self.release(self.units[k], row, 0)
                return

    @rule(k=units, n=numbers, off_by=st.sampled_from([-1, 0]))
    def release_what_is_not_so(self, k: int, n: int, off_by: int) -> None:
        self.release(self.units[k], self.rows[n], off_by)

    # --- people -------------------------------------------------------------------------------------

    @rule(n=numbers, to=units | st.just(-1))
    def move_by_hand(self, n: int, to: int) -> None:
        row, address = self.rows[n], self.units[to].address if to >= 0 else ""
        if row.deleted or self.would_wait(row=row):
            return
        self.connection.execute("update deployment set address = %s where id = %s", (address, row.id))
        if address == row.state.holder:
            return
        if row.state.holder:
            self.give_up(row)
        if address:
            row.state = evolve(row.state, row.state.version + 1, DeploymentAssigned(row.id, address, "somebody"))

    @rule(n=numbers)
    def switch(self, n: int) -> None:
        row = self.rows[n]
        if row.deleted or self.would_wait(row=row):
            return
        row.enabled = not row.enabled
        self.connection.execute("update deployment set enabled = %s where id = %s", (row.enabled, row.id))

    @rule(n=numbers)
    def delete_or_insert(self, n: int) -> None:
        row = self.rows[n]
        if row.deleted:
            self.insert(n)
        elif not self.would_wait(row=row):
            self.connection.execute("delete from deployment where id = %s", (row.id,))
            row.deleted = True
            row.state = Assignment("", row.state.version + (row.state.holder != ""))

    @rule(n=numbers)
    def bring_back(self, n: int) -> None:
        row = self.rows[n]
        if row.deleted:
            self.connection.execute("insert into deployment (id) values (%s)", (row.id,))
            row.deleted, row.enabled = False, True

    def insert(self, n: int) -> None:
        row = Row()
        self.connection.execute("insert into deployment (id) values (%s)", (row.id,))
        self.rows[n : n + 1] = [row]
        self.all_rows.append(row)

    # --- what must be so ----------------------------------------------------------------------------

    @invariant()
    def the_table_is_what_the_fold_says(self) -> None:
        stored = self.connection.execute(
            "select id, address, address_version, enabled from deployment where id = any (%s)",
            ([row.id for row in self.all_rows],),
        ).fetchall()
        assert {row["id"]: (row["address"], row["address_version"], row["enabled"]) for row in stored} == {
            row.id: (*row.state, row.enabled) for row in self.all_rows if not row.deleted
        }

    def the_log_is_what_happened(self) -> None:
        """Every event through the fold, which raises where a row would be held by two."""
        folded: dict[UUID, Assignment] = {}
        for event in self.connection.execute(
            "select deployment_id, type, stream_version, data::text as data from event "
            "where stream_id like 'assignment-%%' and deployment_id = any (%s) order by position",
            ([row.id for row in self.all_rows],),
        ):
            one = event["deployment_id"]
            folded[one] = evolve(
                folded.get(one, initial_state()), event["stream_version"], decode(event["type"], event["data"])
            )
        for row in self.all_rows:
            last = folded.get(row.id, initial_state())
            assert last == row.state
        for projection in ("deployment_address", "unit", "program"):
            assert self.connection.execute(QUERIES[f"{projection}_differences"]).fetchall() == []

    def count(self, unit: Unit, row: Row, won: bool | None) -> None:
        """The events of a claim, through the fold: it raises if this could not be. A conflict is one event more."""
        if won is False:
            unit.version += 1
        if won:
            if row.state.holder:
                self.give_up(row)
            row.state = evolve(row.state, row.state.version + 1, DeploymentClaimed(row.id, unit.address))

    def give_up(self, row: Row) -> None:
        released = DeploymentReleased(row.id, row.state.holder, "drained")
        row.state = evolve(row.state, row.state.version + 1, released)

    def would_wait(self, *addresses: str, row: Row | None = None) -> bool:
        """Whether the open transaction would be waited for, which one thread cannot."""
        if self.open is None:
            return False
        return self.open.row is row or bool({self.open.unit.address, self.open.holder} & {*addresses})

    def ask(
        self, query: str, connection: Connection | None = None, **parameters: object
    ) -> tuple[str, dict[str, Any] | None]:
        """The SQLSTATE of a refusal, or the first row of the answer."""
        try:
            return "", (connection or self.connection).execute(QUERIES[query], parameters).fetchone()
        except psycopg.DatabaseError as refused:
            return str(refused.sqlstate), None


@pytest.fixture
def connect(timescale_databases: Databases) -> Iterator[Callable[[bool], Connection]]:
    """Connections to one database, with or without autocommit."""
    opened: list[Connection] = []
    with timescale_databases.fresh() as conninfo:

        def one(autocommit: bool) -> Connection:
            opened.append(psycopg.connect(conninfo, autocommit=autocommit, row_factory=dict_row))
            opened[-1].execute("set lock_timeout = '100ms'")
            opened[-1].execute("set synchronous_commit = off")
            return opened[-1]

        yield one
        for connection in opened:
            connection.close()


@pytest.mark.timeout(240)  # sixty lives of forty steps, each a transaction
def test_a_fleet_lives_as_the_fold_says(connect: Callable[[bool], Connection]) -> None:
    Fleet.connection, Fleet.other = connect(True), connect(False)
    Fleet.other.commit()
    run_state_machine_as_test(
        Fleet,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

"""Fills a migrated, empty database with the log of a fleet that never was, and all that goes with it.

    python -m tools.synthetic_log --database URL --events 1000000

The invariants hold, the projections are what the log folds to, rounds can be decided again, and transaction ids are
ones that the server has really used up, so that readers in the order of commits read them. For benchmarks and tests.
"""

import argparse
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import psycopg

from tools.synthetic_fleet import Fleet, Row

USAGE_EVERY = timedelta(seconds=30)
"""Real units sample every heartbeat, two seconds."""

COLUMNS = (
    "copy event (position, recorded_at, transaction_id, event_id, stream_id, stream_version, type, deployment_id, "
    "unit_address, data, schema_version) from stdin"
)

USE_UP_TRANSACTIONS = """
    create procedure pg_temp.use_up(p_transactions integer) language plpgsql as $$
    begin
        for n in 1..p_transactions loop
            perform pg_current_xact_id();
            commit;
        end loop;
    end
    $$
"""

FILL_USAGE = """
    insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb)
    select t, p.address, p.id, p.cpu * (1 + 0.3 * sin(extract(epoch from t) / 600)), p.memory * (1 + 0.1 * random())
    from generate_series(%(since)s::timestamptz, %(until)s, %(every)s::interval) as t
    cross join (
        select u.address, null::uuid as id, 2.5 as cpu, 600 as memory from unit u
        union all
        select d.address, d.id, 0.3, 40 from deployment d where d.address <> ''
    ) p
"""


class Loaded(NamedTuple):
    """What was written."""

    events: int
    transactions: int
    begin: datetime
    end: datetime


def load(
    conninfo: str, *, events: int, units: int = 2, deployments: int = 400, days: float = 5, usage_hours: float = 0,
    seed: int = 1,
) -> Loaded:  # fmt: skip
    """Writes the log, the orders, the live tables, and usage samples for the last hours. Needs a superuser."""
    end = datetime.now(UTC) - timedelta(minutes=1)
    begin = end - timedelta(days=days)
    fleet = Fleet(events=events, units=units, deployments=deployments, begin=begin, end=end, seed=seed)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        first = _next_transaction(connection)
        with connection.transaction(), connection.cursor().copy(COLUMNS) as copy:
            for row in fleet.run():
                copy.write_row(_columns(row, first))
        _use_up(connection, first + fleet.transactions)
        _live_tables(connection, fleet, end)
        if usage_hours:
            since = end - timedelta(hours=usage_hours)
            connection.execute(FILL_USAGE, {"since": since, "until": end, "every": USAGE_EVERY})
        connection.execute("vacuum analyze")
    return Loaded(fleet.written, fleet.transactions, begin, end)


def _columns(row: Row, first: int) -> tuple[object, ...]:
    return row._replace(transaction=str(first + row.transaction))  # type: ignore[arg-type]


def _next_transaction(connection: psycopg.Connection) -> int:
    row = connection.execute("select pg_current_xact_id()::text::bigint").fetchone()
    assert row is not None
    return int(row[0]) + 1


def _use_up(connection: psycopg.Connection, until: int) -> None:
    """The server's counter passes what the log says it has reached."""
    connection.execute(USE_UP_TRANSACTIONS)
    connection.execute("set synchronous_commit = off")
    while (missing := until - _next_transaction(connection) + 2) > 0:
        connection.execute("call pg_temp.use_up(%s)", (missing,))
    connection.execute("reset synchronous_commit")


def _live_tables(connection: psycopg.Connection, fleet: Fleet, end: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select setval(pg_get_serial_sequence('event', 'position'), %s)", (fleet.written,))
        with cursor.copy(
            "copy assignment_order (deployment_id, version, assignment, holder, previous_version, previous_assignment) "
            "from stdin"
        ) as copy:
            for deployment_id, version, holder in fleet.assignment_order:
                now, before = ("held", "free") if holder else ("free", "held")
                past = (version - 1, before) if version else (None, None)
                copy.write_row((deployment_id, version, now, holder, *past))
        last: dict[str, str] = {}
        with cursor.copy(
            "copy membership_order (address, version, membership, previous_version, previous_membership) from stdin"
        ) as copy:
            for address, version, membership in fleet.membership_order:
                copy.write_row((address, version, membership, version - 1 if version > 1 else None, last.get(address)))
                last[address] = membership
        # The triggers would write the log once more.
        cursor.execute("set session_replication_role = replica")
        with cursor.copy(
            "copy deployment (id, package_name, package_version, address, address_version, address_since, revision, "
            "created_at, updated_at) from stdin"
        ) as copy:
            for d in fleet.deployments.values():
                copy.write_row(
                    (d.id, d.package, d.version, d.holder, d.address_version, d.address_since, d.revision,
                     d.created_at, d.created_at)
                )  # fmt: skip
        cursor.execute("reset session_replication_role")
        cursor.execute("select unit_rebuild()")
        cursor.execute("select program_rebuild()")
        for unit in fleet.units:
            cursor.execute(
                "insert into lease (address, epoch, supervisor, renewed_at, expires_at, inactive_at, stream_version) "
                "values (%s, %s, %s, %s, %s, %s, %s)",
                (unit.address, unit.epoch if unit.there else None, unit.supervisor, end, end + timedelta(seconds=10),
                 end + timedelta(seconds=5), unit.decisions),
            )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--units", type=int, default=2)
    parser.add_argument("--deployments", type=int, default=400)
    parser.add_argument("--days", type=float, default=5)
    parser.add_argument("--usage-hours", type=float, default=0)
    given = parser.parse_args()
    began = time.monotonic()
    loaded = load(
        given.database, events=given.events, units=given.units, deployments=given.deployments, days=given.days,
        usage_hours=given.usage_hours,
    )  # fmt: skip
    print(
        f"{loaded.events} events in {loaded.transactions} transactions, {loaded.begin:%F %T} to {loaded.end:%F %T}, "
        f"in {time.monotonic() - began:.0f} s"
    )


if __name__ == "__main__":
    main()

"""Five years of log: few chunks, so that a statement over all of it finds room for its locks on any server."""

import psycopg

from tests.support.rows import rows

DEFAULT_LOCKS = 64 * 100
"""max_locks_per_transaction times max_connections, which all sessions share."""


def test_five_years_are_under_a_hundred_chunks_and_leave_room_for_locks(database: str) -> None:
    with psycopg.connect(database) as superuser:
        superuser.execute(
            "insert into event (recorded_at, stream_id, stream_version, type) "
            "select now() - n * interval '1 day', 'log', 2000 - n, 'Something' from generate_series(0, 5 * 365) n"
        )
        superuser.execute(
            "insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) "
            "select now() - n * interval '1 day', 'unit-1', 1, 1 from generate_series(0, 5 * 365) n"
        )
    chunks = rows(
        database,
        "select hypertable_name as name, count(*)::int as n from timescaledb_information.chunks group by 1 order by 1",
    )
    assert [row["name"] for row in chunks] == ["event", "usage"]
    assert all(50 < row["n"] < 100 for row in chunks)
    with psycopg.connect(database) as reader:
        reader.execute("select count(*) from event")
        reader.execute("select count(*) from usage")
        locks = reader.execute("select count(*) from pg_locks where pid = pg_backend_pid()").fetchone()
    assert locks is not None
    assert locks[0] < DEFAULT_LOCKS / 4

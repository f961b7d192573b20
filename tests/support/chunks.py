"""Short chunks, if a test needs several of them, because the chunks of the schema span thirty days."""

from typing import LiteralString

from tests.support.rows import rows

HYPERTABLES: LiteralString = "(values ('event'), ('usage')) as v (t)"


def chunks_of_a_day(conninfo: str) -> None:
    """An empty log, and its samples, begin one chunk per day from now on; without TimescaleDB there are none.

    The chunks that were made ahead are dropped.
    """
    if rows(conninfo, "select 1 as there from pg_extension where extname = 'timescaledb'"):
        rows(conninfo, f"select set_chunk_time_interval(t, interval '1 day') from {HYPERTABLES}")
        rows(conninfo, f"select drop_chunks(t, older_than => now() + interval '90 days') from {HYPERTABLES}")


def chunks_of_thirty_days(conninfo: str) -> None:
    """From now on, as `nodeunit migrate` leaves it; what is there stays as it is."""
    rows(conninfo, f"select set_chunk_time_interval(t, interval '30 days') from {HYPERTABLES}")

"""Short chunks, if a test needs several of them, because the chunks of the schema span thirty days."""

from tests.support.rows import rows


def chunks_of_a_day(conninfo: str) -> None:
    """From now on the log and the samples begin one chunk per day; without TimescaleDB there are none."""
    if rows(conninfo, "select 1 as there from pg_extension where extname = 'timescaledb'"):
        rows(
            conninfo, "select set_chunk_time_interval(t, interval '1 day') from (values ('event'), ('usage')) as v (t)"
        )

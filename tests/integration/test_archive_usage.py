"""Retention of usage samples: what is asked by the hour gives the same before and after."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.store.read.archive import RolledUp, archiving
from tests.support.chunks import chunks_of_a_day
from tests.support.rows import rows, value

BY_THE_HOUR = """
    select bucket_start, unit, samples, round(cpu_percent_avg::numeric, 6) as cpu, cpu_percent_max,
           round(memory_mb_avg::numeric, 6) as memory, memory_mb_max
    from usage_per_unit('1 hour', '-infinity')
"""
BY_THE_HOUR_AND_PROGRAM = """
    select bucket_start, deployment_id, unit, samples, round(cpu_percent_avg::numeric, 6) as cpu, cpu_percent_max,
           round(memory_mb_avg::numeric, 6) as memory, memory_mb_max
    from usage_per_deployment('1 hour', '-infinity')
"""


@pytest.fixture(params=["database", "plain_database"])
def measured(request: pytest.FixtureRequest) -> str:
    """Samples of two units and a program over three days, every ten minutes."""
    conninfo: str = request.getfixturevalue(request.param)
    chunks_of_a_day(conninfo)
    rows(
        conninfo,
        "insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb) "
        "select t, p.address, p.id, 10 * random(), 100 + 100 * random() "
        "from generate_series(date_trunc('day', now()) - interval '3 days', now(), interval '10 minutes') t, "
        "(values ('a', null::uuid), ('b', null), ('b', gen_random_uuid())) p (address, id)",
    )
    return conninfo


async def roll_up(conninfo: str, before: datetime) -> RolledUp:
    async with archiving(conninfo) as archiver:
        planned = await archiver.usage_extent(before)
        done = await archiver.roll_up(before)
        assert (planned.cut, planned.samples) == (done.cut, done.samples)
        return done


async def test_the_hours_stay(measured: str) -> None:
    units, programs = rows(measured, BY_THE_HOUR), rows(measured, BY_THE_HOUR_AND_PROGRAM)
    before = datetime.now(UTC) - timedelta(days=1)
    done = await roll_up(measured, before)
    assert done.cut is not None
    assert before - timedelta(days=1) < done.cut <= before
    assert done.samples == 6 * done.hours > 0
    assert value(measured, "select count(*) from usage where recorded_at < %s", (done.cut,)) == 0
    assert value(measured, "select sum(samples)::int from usage_hourly") == done.samples
    assert rows(measured, BY_THE_HOUR) == units
    assert rows(measured, BY_THE_HOUR_AND_PROGRAM) == programs
    assert await roll_up(measured, done.cut) == RolledUp(None, 0, 0)
    assert rows(measured, BY_THE_HOUR) == units


async def test_the_most_that_was_on_a_disk_in_an_hour_stays(measured: str) -> None:
    rows(
        measured,
        "update usage set (log_bytes, install_bytes) = (1000 * extract(minute from recorded_at), 10) "
        "where unit_address = 'a' and extract(minute from recorded_at) in (10, 50)",
    )
    await roll_up(measured, datetime.now(UTC) - timedelta(days=1))
    kept = rows(measured, "select distinct unit_address, log_bytes_max, install_bytes_max from usage_hourly order by 1")
    assert [tuple(row.values()) for row in kept] == [("a", 50_000, 10), ("b", None, None)]


async def test_a_late_sample_joins_its_hour(measured: str) -> None:
    done = await roll_up(measured, datetime.now(UTC) - timedelta(days=1))
    assert done.cut is not None
    rows(
        measured,
        "insert into usage (recorded_at, unit_address, cpu_percent, memory_mb) values (%s, 'a', 99, 50)",
        (done.cut - timedelta(minutes=1),),
    )
    units = rows(measured, BY_THE_HOUR)
    again = await roll_up(measured, datetime.now(UTC) - timedelta(days=1))
    assert (again.samples, again.hours) == (1, 1)
    assert rows(measured, BY_THE_HOUR) == units
    assert {row["samples"] for row in units} >= {6, 7}


async def test_a_sample_written_meanwhile_is_never_lost(measured: str) -> None:
    """Its transaction is open while the others are rolled up, or holds the roll-up up until it ends."""
    late = datetime.now(UTC) - timedelta(days=2)
    total = value(measured, "select count(*) from usage")
    with psycopg.connect(measured) as writer:
        writer.execute("insert into usage values (%s, 'a', null, 1, 1)", (late,))
        hypertable = value(measured, "select is_hypertable('usage')")
        if hypertable:
            writer.commit()
        await roll_up(measured, datetime.now(UTC) - timedelta(days=1))
    assert value(measured, "select (select count(*) from usage) + (select sum(samples) from usage_hourly)") == total + 1


def test_the_command_line(measured: str) -> None:
    def said(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["archive", "--database", measured, *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert said("--usage-until", "1d", "--dry-run").startswith("would roll up ")
    assert said("--usage-until", "1d").startswith("rolled up ")
    assert said("--usage-until", "1d", "--dry-run").startswith(("no usage samples", "would roll up 0 "))
    assert CliRunner().invoke(app, ["archive", "--database", measured]).exit_code == 2
    assert CliRunner().invoke(app, ["archive", "--database", measured, "--until", "1d"]).exit_code == 2
    assert CliRunner().invoke(app, ["archive", "--database", measured, "--usage-until", "soon"]).exit_code == 2

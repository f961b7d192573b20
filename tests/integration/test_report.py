"""The report of rounds that were really decided: what it shows is what happened, and its table can be read back."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from typer.testing import CliRunner

from nodeunit.audit.markdown import markdown
from nodeunit.audit.report import Report, read
from nodeunit.cli.app import app
from nodeunit.domain import claim_round, rounds_table
from nodeunit.domain.policy import Usage
from nodeunit.errors import InvariantViolated
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.read.report import Bounds
from nodeunit.store.write import membership
from nodeunit.store.write.decisions import Claim, DecisionStream
from tests.support.members import joined
from tests.support.rows import insert_deployments, rows, value

ID = UUID("044142ec-6580-404f-96f9-f4695721acde")
NAMES = {"address-of-one": "one", "address-of-two": "two"}


class Claims(NamedTuple):
    """Who claimed what, in order, and the moment after the first of two inserts had been claimed."""

    made: list[tuple[str, UUID]]
    between: datetime


@pytest.fixture
async def claims(pool: Pool, database: str) -> Claims:
    """Two units under resource_usage: three rows claimed, then two more."""
    units = [
        await membership.join(
            pool, address, ID, joined(name, ID, policy="resource_usage"), lease_ttl_s=60.0, inactive_after_s=30.0
        )
        for address, name in NAMES.items()
    ]
    streams = {unit.address: DecisionStream(unit) for unit in units}
    made: list[tuple[str, UUID]] = []

    async def claim_all() -> None:
        for n, unit in enumerate(units):
            await unit.heartbeat(Usage(0.1512 + n / 100, 140.918 + len(made)), [])
        while True:
            inputs = await units[0].round_inputs(64)
            if not inputs.candidates:
                return
            for address, stream in streams.items():
                decision = claim_round.decide(address, inputs)
                if decision.candidate is not None:
                    events = (
                        claim_round.record(address, "deployment", decision),
                        decision.eligibility,
                        decision.attempt,
                    )
                    assert await stream.claim(Claim(decision.candidate, tuple(e for e in events if e is not None)))
                    made.append((address, decision.candidate.id))

    insert_deployments(database, 3)
    await claim_all()
    between = value(database, "select clock_timestamp()")
    insert_deployments(database, 2)
    await claim_all()
    return Claims(made, between)


async def test_the_rounds_table_is_read_back_as_it_happened(database: str, claims: Claims) -> None:
    report = await read(database)
    table = rounds_table.read(markdown(report, queries=True))
    assert [(row.claimant, row.deployment) for row in table] == [
        (NAMES[address], str(deployment_id)[:8]) for address, deployment_id in claims.made
    ]
    first = table[0]
    assert first.number == 1
    assert first.usage == {"one": Usage(0.15, 140.92), "two": Usage(0.16, 140.92)}


async def test_it_shows_environment_input_split_and_timings(database: str, claims: Claims) -> None:
    report = await read(database)
    assert {unit.address: (unit.name, unit.policy) for unit in report.units} == {
        address: (name, "resource_usage") for address, name in NAMES.items()
    }
    assert report.server.timescaledb
    assert [(row.deployments, row.package_name) for row in report.inserts] == [(3, "@yuants/app"), (2, "@yuants/app")]
    first, _ = claims.made[0]
    assert report.split_after_first_claim == {"": 2, first: 1}
    held = [address for address, _ in claims.made]
    assert report.split_at_end == {address: held.count(address) for address in sorted(set(held))}
    assert [(line.deployments, line.claimed) for line in report.timings] == [(5, 5), (2, 2), (3, 3)]
    for line in report.timings:
        assert line.by_commit
        assert line.first_ms is not None
        assert line.median_ms is not None
        assert line.last_ms is not None
        assert 0 < line.first_ms <= line.median_ms <= line.last_ms < 60_000
    assert report.violations == 0


async def test_one_sample_of_each_type_comes_from_the_first_claim(database: str, claims: Claims) -> None:
    report = await read(database)
    samples = {sample.type: sample for sample in report.samples}
    occurred = {row["type"] for row in rows(database, "select distinct type from event")}
    assert samples.keys() == occurred
    attempt = msgspec.json.decode(samples["DeploymentClaimAttempt"].data)
    claimed = msgspec.json.decode(samples["DeploymentClaimed"].data)
    address, deployment_id = claims.made[0]
    assert claimed == {"claimant": address, "deployment_id": str(deployment_id)}
    assert attempt["deployment_id"] == str(deployment_id)
    assert samples["DeploymentClaimed"].events == 5


async def test_bounds_show_a_part_and_check_the_whole(database: str, claims: Claims) -> None:
    earlier, later = (
        await read(database, Bounds(until=claims.between)),
        await read(database, Bounds(since=claims.between)),
    )
    assert [row.deployment_id for row in earlier.rounds] == [deployment_id for _, deployment_id in claims.made[:3]]
    assert [row.deployment_id for row in later.rounds] == [deployment_id for _, deployment_id in claims.made[3:]]
    assert sum(earlier.split_at_end.values()) == 3
    assert sum(later.split_at_end.values()) == 5
    assert len(later.units) == 2, "who joined before and is there still"
    assert later.total is not None
    assert later.total.deployments == 2
    rows(database, "insert into event (stream_id, stream_version, type) values ('something', 2, 'Whatever')")
    assert (await read(database, Bounds(until=claims.between))).violations == 1


async def test_what_no_unit_can_run_is_named(database: str, claims: Claims) -> None:
    assert (await read(database)).nobody_can_run == []
    insert_deployments(database, 2, package="@nobody/app")
    rows(
        database, "insert into deployment (package_name, package_version, command) values ('@yuants/app', '1.0.0', 'x')"
    )
    rows(database, "update deployment set enabled = false where id = any (%s)", ([insert_deployments(database)[0]],))
    report = await read(database)
    found = [(row.package, row.has_command, row.deployments) for row in report.nobody_can_run]
    assert found == [("@nobody/app@1.0.0", False, 2), ("@yuants/app@1.0.0", True, 1)]
    assert "- 3 deployments wait, and no unit can run them." in markdown(report).splitlines()
    assert report.nobody_can_run[0].example in {
        row["id"] for row in rows(database, "select id from deployment where package_name = '@nobody/app'")
    }


async def test_the_newest_rounds_keep_their_numbers(database: str, claims: Claims) -> None:
    report = await read(database, rounds=2)
    assert [row.number for row in report.rounds] == [4, 5]
    assert "The newest 2 of 5 rounds" in markdown(report)


async def test_an_empty_log_is_reported_too(database: str) -> None:
    report = await read(database)
    assert (report.split_after_first_claim, report.split_at_end, report.rounds, report.total) == (None, {}, [], None)
    assert "Nothing was inserted and claimed." in markdown(report)


async def test_without_commit_timestamps_it_says_which_clock(database: str, claims: Claims) -> None:
    report = await read(database)
    total = report.total
    assert total is not None
    deaf = msgspec.structs.replace(
        report,
        server=msgspec.structs.replace(report.server, knows_commits=False),
        timings=[msgspec.structs.replace(line, by_commit=False) for line in report.timings],
    )
    assert "commit timestamps:" in markdown(report)
    assert "track_commit_timestamp is off" in markdown(deaf)


def test_the_verb_prints_the_report_and_exits_0(database: str) -> None:
    result = CliRunner().invoke(app, ["report", "--database", database])
    assert result.exit_code == 0
    assert result.output.startswith("# nodeunit report\n")
    assert "```sql" in result.output, "each invariant can be run by hand"


def test_the_verb_takes_times_as_every_verb_does(database: str) -> None:
    insert_deployments(database, 1)
    for bounds, inserts in (([], 1), (["--since", "5m"], 1), (["--since", "0s"], 0), (["--until", "0s"], 1)):
        result = CliRunner().invoke(app, ["report", "--database", database, "-o", "json", *bounds])
        assert result.exit_code == 0, result.output
        assert len(msgspec.json.decode(result.output, type=Report).inserts) == inserts, bounds


def test_the_verb_prints_json_that_is_the_report(database: str) -> None:
    result = CliRunner().invoke(app, ["report", "--database", database, "-o", "json"])
    assert result.exit_code == 0
    report = msgspec.json.decode(result.output, type=Report)
    assert all(invariant.violations == 0 for invariant in report.invariants)


def test_a_violation_is_an_error_after_the_whole_report(database: str) -> None:
    rows(database, "insert into event (stream_id, stream_version, type) values ('something', 2, 'Whatever')")
    result = CliRunner().invoke(app, ["report", "--database", database])
    assert isinstance(result.exception, InvariantViolated)
    assert result.exception.exit_code == 1
    assert "something: 2 after 0" in result.output
    assert "versions_without_gap_or_double" in str(result.exception)


def test_a_reader_may_report_and_verify(database: str) -> None:
    reader = f"reader_{database.split('dbname=')[1].split()[0]}"
    with psycopg.connect(database, autocommit=True) as superuser:
        role = sql.Identifier(reader)
        superuser.execute(sql.SQL("create role {} login password 'reader' in role nodeunit_reader").format(role))
    try:
        as_reader = make_conninfo(database, user=reader, password="reader")
        for verb in (["report"], ["projections", "verify"]):
            result = CliRunner().invoke(app, [*verb, "--database", as_reader])
            assert result.exit_code == 0, result.exception
    finally:
        with psycopg.connect(database, autocommit=True) as superuser:
            superuser.execute(sql.SQL("drop role {}").format(role))

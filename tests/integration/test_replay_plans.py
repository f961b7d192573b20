"""What looking back costs: the chunks and indexes that are opened, whatever the length of the log."""

import json
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.event_log import SHORT_QUERIES
from tests.support.chunks import chunks_of_a_day
from tests.support.databases import Databases
from tests.support.rows import rows, value
from tools import synthetic_log

DAYS = 12
BY_INDEX = {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}


@pytest.fixture(scope="module")
def long_log(timescale_databases: Databases) -> Any:
    """A log of twelve days, one chunk a day."""
    with timescale_databases.fresh() as conninfo:
        chunks_of_a_day(conninfo)
        yield conninfo, synthetic_log.load(conninfo, events=12_000, units=4, deployments=60, days=DAYS)


def executed(conninfo: str, query: str, **parameters: Any) -> list[dict[str, Any]]:
    """The scans of a plan that ran at all."""
    with psycopg.connect(
        conninfo, options=" ".join(f"-c {name}={value}" for name, value in SHORT_QUERIES.items())
    ) as connection:
        connection.execute("set enable_seqscan = off")  # so small a log would be read from end to end
        cursor = connection.execute("explain (analyze, format json) " + QUERIES[query], parameters)
        row = cursor.fetchone()
        assert row is not None
        text = row[0]
    plan = (json.loads(text) if isinstance(text, str) else text)[0]["Plan"]
    return [node for node in walk(plan) if node.get("Relation Name", "").startswith("_hyper")]


def walk(node: dict[str, Any]) -> Any:
    yield node
    for child in node.get("Plans", []):
        yield from walk(child)


def chunk_of(conninfo: str, at: datetime) -> str:
    name: str = value(
        conninfo,
        "select chunk_name from timescaledb_information.chunks "
        "where hypertable_name = 'event' and range_start <= %(at)s and range_end > %(at)s",
        {"at": at},
    )
    return name


def later_chunks(conninfo: str, at: datetime) -> set[str]:
    found = rows(
        conninfo,
        "select chunk_name from timescaledb_information.chunks where hypertable_name = 'event' and range_start > %s",
        (at,),
    )
    return {row["chunk_name"] for row in found}


def test_a_moment_opens_no_chunk_after_it(long_log: Any) -> None:
    conninfo, loaded = long_log
    at = loaded.begin + timedelta(days=DAYS / 2)
    later = later_chunks(conninfo, at)
    assert len(later) >= 4
    for query, parameters in (
        ("deployments_at", {"position": None, "deployment_id": None}),
        ("units_at", {"position": None}),
    ):
        scans = executed(conninfo, query, at=at, **parameters)
        assert {scan["Relation Name"] for scan in scans}.isdisjoint(later), query
        assert {scan["Node Type"] for scan in scans} <= BY_INDEX, query


def test_a_moment_reads_at_most_one_assignment_a_chunk_for_each_holder(long_log: Any) -> None:
    """However often a row was claimed and released, only the last of its assignments in each chunk is read."""
    conninfo, loaded = long_log
    scans = executed(conninfo, "deployments_at", at=loaded.end, position=None, deployment_id=None)
    lookups = [scan for scan in scans if scan.get("Index Name", "").endswith("event_by_stream")]
    assert lookups
    for scan in lookups:
        assert scan["Actual Loops"] <= 60
        assert scan["Actual Rows"] <= 1
        assert scan.get("Rows Removed by Filter", 0) == 0


def test_why_opens_only_chunks_of_its_time(long_log: Any) -> None:
    conninfo, loaded = long_log
    at = loaded.begin + timedelta(days=DAYS / 2)
    claim = claimed_before(conninfo, at)
    later = later_chunks(conninfo, at)
    deployment_id = claim["deployment_id"]
    asked: dict[str, dict[str, Any]] = {
        "why_assignments": {"deployment_id": deployment_id, "at": at},
        "why_specifications": {"deployment_id": deployment_id, "at": at},
        "why_programs": {
            "deployment_id": deployment_id,
            "holder": claim["unit_address"],
            "version": claim["stream_version"],
            "since": claim["recorded_at"],
            "at": at,
        },
        "why_rounds": {"addresses": [claim["unit_address"]], "since": at - timedelta(days=1), "at": at},
    }
    for query, parameters in asked.items():
        scans = executed(conninfo, query, **parameters)
        assert {scan["Relation Name"] for scan in scans}.isdisjoint(later), query
        assert {scan["Node Type"] for scan in scans} <= BY_INDEX, query
    ran = [scan for scan in executed(conninfo, "why_rounds", **asked["why_rounds"]) if scan["Actual Loops"]]
    assert len(ran) <= 2, "a day touches two chunks"


def test_the_round_of_a_claim_is_found_in_its_chunk(long_log: Any) -> None:
    conninfo, loaded = long_log
    claim = claimed_before(conninfo, loaded.begin + timedelta(days=DAYS / 2))
    scans = executed(
        conninfo,
        "why_round_of_claim",
        claimant=claim["unit_address"],
        transaction_id=str(claim["transaction_id"]),
        claimed_at=claim["recorded_at"],
        position=2**62,
    )
    assert {s["Relation Name"] for s in scans if s["Actual Loops"]} <= {
        chunk_of(conninfo, claim["recorded_at"]),
        chunk_of(conninfo, claim["recorded_at"] - timedelta(hours=1)),
    }


def test_a_position_is_found_by_halving(long_log: Any) -> None:
    conninfo, loaded = long_log
    with psycopg.connect(conninfo) as connection:
        for position in (1, loaded.events // 3, loaded.events):
            row = connection.execute("select moment_of_position(%s)", (position,)).fetchone()
            recorded = connection.execute("select recorded_at from event where position = %s", (position,)).fetchone()
            assert row is not None
            assert recorded is not None
            assert timedelta() <= row[0] - recorded[0] <= timedelta(hours=1, seconds=2)


def claimed_before(conninfo: str, at: datetime) -> dict[str, Any]:
    found = rows(
        conninfo,
        "select deployment_id, unit_address, stream_version, recorded_at, "
        "transaction_id::text::bigint as transaction_id from event "
        "where type = 'DeploymentClaimed' and recorded_at < %s order by recorded_at desc limit 1",
        (at,),
    )
    assert isinstance(found[0]["deployment_id"], UUID)
    return found[0]


def test_holders_are_folded_by_the_index_of_assignments(plain_databases: Databases) -> None:
    """Nothing else uses event_of_assignment: without it, `projections verify` and `report` read the whole log."""
    with plain_databases.fresh() as conninfo:
        synthetic_log.load(conninfo, events=20_000, units=4, deployments=100, days=DAYS)
        plan = rows(conninfo, "explain select * from deployment_address_folded()")
        assert any("event_of_assignment" in line for row in plan for line in row.values())

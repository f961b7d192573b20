"""The plans of the statements that run all the time, in a database that has grown: what each reads, by which index.

20,000 deployments, 200,000 events in thirty chunks with an empty one ahead, a hundred units of which half are gone and
left nothing behind. The events end with the hour, so that at no minute a chunk is too small for its index.
"""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import uuid4

import msgspec
import psycopg
import pytest
from msgspec.structs import asdict

from nodeunit.store.postgres.queries import QUERIES
from nodeunit.store.read.event_log import FOLLOWING, EventFilter
from tests.support.databases import Databases
from tests.support.plans import Plan, plans_of
from tests.support.rows import rows, value

UNITS = 100
DEPLOYMENTS = 20_000
EVENTS = 200_000

GROWTH = """
select drop_chunks('event', older_than => now() + interval '90 days');
select set_chunk_time_interval('event', interval '1 hour');
select join_unit('unit-' || n, gen_random_uuid(), interval '1 hour', interval '1 hour',
    '{"name": "x", "host": "h", "policy": "resource_usage", "cpu_weight": 0.5, "memory_weight": 0.5, "trusted": "",
      "custom_command": false, "version": "1", "reserved_cpu_percent": 1, "reserved_memory_mb": 64}',
    gen_random_uuid())
from generate_series(1, %(units)s) n;
set session_replication_role = replica;
insert into deployment (package_name, package_version, address, address_version)
select '@yuants/app-' || n %% 50, '1.0.0', holder, (holder <> '')::integer
from generate_series(1, %(deployments)s) n,
     lateral (select case when n %% 20 = 0 then '' else 'unit-' || n %% (%(units)s / 2) + 1 end) as h (holder);
insert into assignment_order (deployment_id, version, assignment) select id, 0, 'free' from deployment;
insert into assignment_order select id, 1, 'held', address, 0, 'free' from deployment where address <> '';
reset session_replication_role;
insert into deployment (package_name, type) select 'd', 'daemon' from generate_series(1, 5);
insert into program (deployment_id, unit_address, claim_version, position, state, since)
select id, address, 1, 1, 'running', now() from deployment where address <> '';
insert into current_usage select id, address_version, 1, 1, now() from deployment where address <> '';
update lease set epoch = null where substr(address, 6)::integer > %(units)s / 2;
insert into event (recorded_at, stream_id, stream_version, type, unit_address, data)
select date_trunc('hour', now()) + interval '1 hour' - n * interval '0.5 s',
       'decision-unit-' || n %% %(units)s || '-1', n, 'DeploymentClaimRound',
       'unit-' || n %% %(units)s, '{"wake_up": "deployment"}'
from generate_series(1, %(events)s) n;
insert into usage (recorded_at, unit_address, cpu_percent, memory_mb)
select now() - n * interval '1 s', 'unit-' || n %% %(units)s, 1, 1 from generate_series(1, 50000) n;
select make_chunks_ahead();
"""


@pytest.fixture(scope="module")
def grown(timescale_databases: Databases) -> Iterator[str]:
    with timescale_databases.fresh() as conninfo:
        with psycopg.ClientCursor(psycopg.connect(conninfo, autocommit=True)) as cursor:
            cursor.execute(GROWTH, {"units": UNITS, "deployments": DEPLOYMENTS, "events": EVENTS})
            cursor.execute("vacuum analyze")
            cursor.connection.close()
        yield conninfo


def plans(grown: str, name: str, *, after: Sequence[str] = (), **parameters: object) -> list[Plan]:
    """The plans of one of the store's statements, and of the functions in it: made for these parameters, and as a
    session makes them that has prepared them, which must be good for all.
    """
    found: list[Plan] = []
    for mode in ("force_custom_plan", "force_generic_plan"):
        set_mode = ("select set_config('plan_cache_mode', %(mode)s, true)", {"mode": mode})
        found += plans_of(grown, set_mode, (QUERIES[name], parameters), after=after)
    return found


def reads(found: list[Plan], table: str, *, by: set[str], at_most: float) -> None:
    """Every scan of the table goes by one of these indexes, and reads no more rows than that. A chunk without any block
    is read without its index if it was vacuumed, which costs nothing.
    """
    seen = 0
    for plan in found:
        for scan in plan.of(table):
            if scan.empty_chunk and scan.node == "Seq Scan":
                continue
            seen += 1
            assert scan.index in by, (
                f"{scan.node} on {table} instead of an index scan by {' or '.join(sorted(by))}: "
                f"this statement runs all the time, and its cost would grow with the table.{plan}"
            )
            assert scan.rows <= at_most, (
                f"{scan.rows:.0f} rows of {table} are read by {scan.index} where {at_most:.0f} suffice: "
                f"is a condition missing that the index has?{plan}"
            )
    assert seen, f"no statement reads {table}: does this test still look at the right one?"


def heartbeat(**changed: object) -> dict[str, Any]:
    return {
        "address": "unit-1", "epoch": 1, "lease_ttl_s": 3600, "inactive_after_s": 3600, "cpu_percent": 1.0,
        "memory_mb": 1.0, "samples": "[]",
    } | changed  # fmt: skip


def test_a_heartbeat_looks_at_no_more_than_it_must(grown: str) -> None:
    found = plans(grown, "heartbeat", **heartbeat())
    reads(found, "deployment", by={"deployment_unassigned", "deployment_by_address"}, at_most=1)


def test_a_heartbeat_of_an_idle_fleet_does_not_read_every_row(grown: str) -> None:
    """Nothing waits, and half of the units are gone: the answer needs one look for each of those."""
    nothing_waits = (
        "update deployment set address = 'unit-1' where type = 'deployment' and address = ''",
        "analyze deployment",
    )
    found = plans(grown, "heartbeat", after=nothing_waits, **heartbeat())
    reads(found, "deployment", by={"deployment_unassigned", "deployment_by_address"}, at_most=UNITS)


def test_samples_are_stored_by_key(grown: str) -> None:
    held = rows(grown, "select id from deployment where address = 'unit-1' order by id limit 20")
    samples = [{"deployment_id": str(d["id"]), "claim_version": 1, "cpu_percent": 1, "memory_mb": 1} for d in held]
    found = plans(grown, "heartbeat", **heartbeat(samples=psycopg.types.json.Jsonb(samples)))
    reads(
        found, "deployment", by={"deployment_pkey", "deployment_unassigned", "deployment_by_address"}, at_most=len(held)
    )


def test_a_round_finds_its_candidates_by_index(grown: str) -> None:
    """The rows that are held are counted, which reads them all; those to claim must be found at once."""
    found = plans(grown, "round_inputs", refused=[], refused_commands=[], limit=64)
    scans = [scan for plan in found for scan in plan.of("deployment")]
    waiting = [scan.rows for scan in scans if scan.index == "deployment_unassigned"]
    orphaned = [scan.rows for scan in scans if scan.index == "deployment_by_address"]
    assert waiting, f"the rows that wait are not found by deployment_unassigned{found[-1]}"
    assert orphaned, f"the rows of units that are gone are not found by deployment_by_address{found[-1]}"
    assert max(waiting) <= 64, f"more rows are read than a round looks at{found[-1]}"
    assert max(orphaned) <= UNITS, f"more is read than a look for each unit that is gone{found[-1]}"


def test_what_runs_on_a_unit_is_found_by_index(grown: str) -> None:
    found = plans(grown, "programs_of", address="unit-7")
    reads(found, "deployment", by={"deployment_by_address", "deployment_daemon"}, at_most=DEPLOYMENTS / UNITS * 3)


def test_claims_touch_their_rows_in_each_table(grown: str) -> None:
    wanted = rows(grown, "select id from deployment where address = '' limit 3")
    claims = [
        {"deployment_id": row["id"], "version": 0, "holder": "", "event_id": uuid4(), "events": []} for row in wanted
    ]
    found = plans_of(
        grown,
        (
            QUERIES["claim_deployments"],
            {
                "address": "unit-1", "epoch": 1, "stream_version": 0,
                "claims": msgspec.json.encode(claims).decode(),
            },
        ),
    )  # fmt: skip
    # Of each row its version before, and, when the claimed rows are returned, the new one as well.
    reads(found, "deployment", by={"deployment_pkey"}, at_most=2 * len(wanted))
    assert not [scan for plan in found for scan in plan.of("event")], "a claim reads no events"


def test_an_append_reads_no_events(grown: str) -> None:
    events = '[{"event_id": "a57f1b8e-35f4-4b9e-8f5a-9a1f8c6c3f0b", "type": "ProcessParked", "data": {}}]'
    found = plans_of(
        grown, (QUERIES["append_decisions"], {"address": "unit-1", "epoch": 1, "stream_version": 0, "events": events})
    )
    assert found
    assert not [scan for plan in found for scan in plan.of("event")]


@pytest.mark.parametrize("analysed", [True, False])
def test_process_events_are_folded_by_key(grown: str, analysed: bool) -> None:
    held = rows(grown, "select id from deployment where address = 'unit-1' order by id limit 20")
    events = [
        {"event_id": str(uuid4()), "deployment_id": str(row["id"]), "type": kind,
         "data": {"claim_version": 1, "pid": 1, "revision": 1, "reason": "exited"}}
        for row in held for kind in ("ProcessExited", "ProcessStarted")
    ]  # fmt: skip
    parameters = {"address": "unit-1", "epoch": 1, "stream_version": 0, "events": psycopg.types.json.Jsonb(events)}
    forget = "delete from pg_statistic where starelid in ('program'::regclass, 'deployment'::regclass)"
    found = plans_of(grown, (QUERIES["append_decisions"], parameters), after=() if analysed else (forget,))
    # Each event reads its row, and what was deleted is looked for once.
    reads(found, "program", by={"program_pkey"}, at_most=2 * len(held))
    reads(found, "deployment", by={"deployment_pkey"}, at_most=2 * len(held))
    assert not [scan for plan in found for scan in plan.of("event")]


def test_a_release_touches_one_row(grown: str) -> None:
    (held,) = rows(grown, "select id from deployment where address = 'unit-1' limit 1")
    found = plans_of(
        grown,
        (
            QUERIES["release_deployment"],
            {
                "address": "unit-1", "epoch": 1, "deployment_id": held["id"], "version": 1, "reason": "drained",
                "event_id": uuid4(),
            },
        ),
    )  # fmt: skip
    reads(found, "deployment", by={"deployment_pkey"}, at_most=1)


@pytest.mark.parametrize("where", ["at the beginning", "in the middle", "at the end"])
def test_a_follower_reads_on_by_index(grown: str, where: str) -> None:
    """Wherever it stands: a batch, and a look at each chunk, also at the empty one."""
    share = {"at the beginning": 0.0, "in the middle": 0.5, "at the end": 1.0}[where]
    (after,) = rows(
        grown,
        "select transaction_id::text as after_transaction_id, position as after_position from event "
        "order by event.transaction_id, position offset greatest(%s::integer - 1, 0) limit 1",
        (int(share * value(grown, "select count(*) from event")),),
    )
    below = value(grown, "select pg_snapshot_xmin(pg_current_snapshot())::text")
    everything = asdict(EventFilter())
    following = [f"set local {name} = '{setting}'" for name, setting in FOLLOWING.items()]
    forget = (
        "update pg_class set relpages = 0, reltuples = -1 where reltuples = 0 and relname in "
        "(select chunk_name from timescaledb_information.chunks)"
    )
    for before in (following, [*following, forget]):
        found = plans(grown, "events_between", after=before, **everything, **after, below=below, limit=1000)
        reads(found, "event", by={"event_in_commit_order"}, at_most=1001)
        assert any(scan.empty_chunk for plan in found for scan in plan.of("event"))


def test_an_event_is_found_by_its_id(grown: str) -> None:
    found = plans(grown, "event_by_id", event_id=uuid4())
    reads(found, "event", by={"event_by_id"}, at_most=1)
    found = plans(grown, "recorded_events", event_ids=[uuid4() for _ in range(100)])
    reads(found, "event", by={"event_by_id"}, at_most=100)

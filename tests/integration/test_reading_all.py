"""`scan` gives the whole log, decoded, in commit order: the same as reading it batch by batch."""

import asyncio
import threading
from datetime import UTC, datetime

import psycopg
import pytest

from nodeunit.domain.events import DeploymentCreated, Unknown
from nodeunit.errors import EventUndecodable
from nodeunit.store.postgres import connections
from nodeunit.store.read import log_reader
from nodeunit.store.read.log_reader import ScannedEvent, scan
from tests.support.rows import insert_deployments, rows, value
from tests.support.waiting import eventually
from tools import synthetic_log


async def scanned(conninfo: str, *, until: datetime | None = None, position: int | None = None) -> list[ScannedEvent]:
    found: list[ScannedEvent] = []
    assert await scan(conninfo, found.append, until=until, position=position) == len(found)
    return found


@pytest.fixture(params=["database", "plain_database"])
def conninfo(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


async def test_a_scan_is_what_batches_are(conninfo: str) -> None:
    synthetic_log.load(conninfo, events=2000, units=3, deployments=20, days=3)
    async with connections.pool(conninfo, "test", max_size=2) as pool:
        read = [event async for event in log_reader.read_all(pool, batch=333)]
    found = await scanned(conninfo)
    assert len(found) == len(read) >= 2000
    for typed, plain in zip(found, read, strict=True):
        assert typed.event == plain.event()
        for name in (
            "type", "schema_version", "position", "recorded_at", "transaction_id", "stream_id", "stream_version",
            "deployment_id", "unit_address",
        ):  # fmt: skip
            assert getattr(typed, name) == getattr(plain, name)


async def test_a_part(conninfo: str) -> None:
    synthetic_log.load(conninfo, events=500, units=2, deployments=10, days=3)
    at = value(conninfo, "select recorded_at from event where position = 100")
    assert [event.position for event in await scanned(conninfo, until=at)] == list(range(1, 101))
    assert [event.position for event in await scanned(conninfo, position=50)] == list(range(1, 51))


async def test_what_is_not_known_is_passed_through(conninfo: str) -> None:
    rows(
        conninfo,
        "insert into event (stream_id, stream_version, type, schema_version, data) values "
        """(E'x\\\\t\\t\\n-1', 1, 'Deployment"Promoted\\', 1, '{"to": "é\\n\\\\"}'), """
        """('x-1', 2, 'DeploymentClaimed', 2, '{"a": [1]}')""",
    )
    first, second = await scanned(conninfo)
    assert first.event == Unknown('Deployment"Promoted\\', {"to": "é\n\\"})
    assert first.stream_id == "x\\t\t\n-1"
    assert second.event == Unknown("DeploymentClaimed", {"a": [1]})
    assert (second.stream_version, second.schema_version) == (2, 2)


async def test_an_event_of_the_wrong_shape_is_named(conninfo: str) -> None:
    rows(conninfo, "insert into event (stream_id, stream_version, type) values ('x-1', 1, 'DeploymentClaimed')")
    with pytest.raises(EventUndecodable, match="DeploymentClaimed"):
        await scanned(conninfo)


async def test_a_transaction_under_way_holds_the_end_back(conninfo: str) -> None:
    (first,) = insert_deployments(conninfo)
    with psycopg.connect(conninfo) as writer:
        writer.execute("insert into deployment (package_name) values ('@yuants/late')")
        insert_deployments(conninfo)
        assert [event.deployment_id for event in await scanned(conninfo)] == [first]
        writer.commit()
    found = await scanned(conninfo)
    assert [type(event.event) for event in found] == [DeploymentCreated] * 3
    assert found[1].event.package_name == "@yuants/late"  # type: ignore[union-attr]
    assert all(event.recorded_at <= datetime.now(UTC) for event in found)


async def test_a_scan_that_is_cancelled_ends(conninfo: str) -> None:
    insert_deployments(conninfo, 3000)
    begun, seen = asyncio.Event(), 0
    loop = asyncio.get_running_loop()

    def each(event: ScannedEvent) -> None:
        nonlocal seen
        seen += 1
        loop.call_soon_threadsafe(begun.set)
        if seen == 1:
            held.wait()

    held = threading.Event()
    task = asyncio.create_task(scan(conninfo, each))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held.set()
    await eventually(
        lambda: not rows(conninfo, "select from pg_stat_activity where application_name = 'nodeunit scan'"),
        what="its connection is closed",
    )
    assert seen <= 1000

"""What the library `eventsourcing` takes to read and fold the same events; run by tools.bench.replay.

    python tools/bench/peers/eventsourcing_log.py SOURCE TARGET     prints {"events", "seconds", "peak_mb", ...}

The events of the nodeunit log SOURCE, with the same data, become stored events of the library in the database TARGET
(not measured). Then its own recorder reads all of them in order, in large batches, its own mapper decodes them, and a
fold that does less than ours keeps who holds what.
"""

import json
import sys
import time
from datetime import datetime
from pathlib import Path
from uuid import NAMESPACE_URL, UUID, uuid5

import psycopg
from eventsourcing.domain import AggregateEvent
from eventsourcing.persistence import DatetimeAsISO, DecimalAsStr, JSONTranscoder, Mapper, UUIDAsHex
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

BATCH = 5000
REPEATED = 5

COPY_OUT = """
    copy (
        select json_build_array(e.type, e.stream_id, e.stream_version, e.recorded_at, e.data)
        from event e order by e.transaction_id, e.position
    ) to stdout (format csv, quote E'\\x01', delimiter E'\\x02')
"""


class Recorded(AggregateEvent):  # type: ignore[misc,unused-ignore]
    """Any of our events: its data are its attributes."""


CLASSES: dict[str, type[Recorded]] = {}


def class_of(name: str) -> type[Recorded]:
    """A class of its own for each type, as the library wants it."""
    if name not in CLASSES:
        CLASSES[name] = type(name, (Recorded,), {"__module__": __name__, "__qualname__": name})
        globals()[name] = CLASSES[name]
    return CLASSES[name]


def stored(source: str, recorder: PostgresApplicationRecorder, mapper: Mapper[UUID], target: str) -> int:
    """Fills the library's table. The rows are those that its recorder would write, by COPY."""
    recorder.create_table()
    count = 0
    with (
        psycopg.connect(source) as reading,
        psycopg.connect(target, autocommit=True) as writing,
        reading.cursor().copy(COPY_OUT) as lines,
        writing.cursor().copy(
            f"copy {recorder.events_table_name} (originator_id, originator_version, topic, state) from stdin"
        ) as rows,
    ):
        for line in lines:
            name, stream_id, version, recorded_at, data = json.loads(bytes(line))
            event = object.__new__(class_of(name))
            event.__dict__.update(
                data,
                originator_id=uuid5(NAMESPACE_URL, stream_id),
                originator_version=version,
                timestamp=datetime.fromisoformat(recorded_at),
            )
            written = mapper.to_stored_event(event)
            rows.write_row((written.originator_id, written.originator_version, written.topic, written.state))
            count += 1
    with psycopg.connect(target, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    return count


def fold(recorder: PostgresApplicationRecorder, mapper: Mapper[UUID]) -> tuple[int, int]:
    """Reads and folds everything. Returns how many events there were, and how many deployments are held."""
    holders: dict[UUID, str] = {}
    deleted: set[UUID] = set()
    count, start = 0, 1
    while notifications := recorder.select_notifications(start, BATCH):
        for notification in notifications:
            event = mapper.to_domain_event(notification)
            match type(event).__name__:
                case "DeploymentClaimed":
                    holders[event.originator_id] = event.__dict__["claimant"]
                case "DeploymentReleased":
                    holders.pop(event.originator_id, None)
                case "DeploymentDeleted":
                    deleted.add(event.originator_id)
        count += len(notifications)
        start = notifications[-1].id + 1
    return count, len(holders)


def main() -> None:
    source, target = sys.argv[1:]
    parts = {"host": "127.0.0.1", "port": "5432", "user": "postgres", "password": "", **conninfo_to_dict(target)}
    datastore = PostgresDatastore(
        dbname=str(parts["dbname"]), host=str(parts["host"]), port=str(parts["port"]), user=str(parts["user"]),
        password=str(parts["password"]),
    )  # fmt: skip
    transcoder = JSONTranscoder()
    for transcoding in (UUIDAsHex(), DecimalAsStr(), DatetimeAsISO()):
        transcoder.register(transcoding)
    mapper: Mapper[UUID] = Mapper(transcoder)
    recorder = PostgresApplicationRecorder(datastore)
    stored(source, recorder, mapper, target)
    seconds = []
    for _ in range(REPEATED):
        began = time.perf_counter()
        count, held = fold(recorder, mapper)
        seconds.append(time.perf_counter() - began)
    memory = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024
    print(json.dumps({"events": count, "seconds": min(seconds), "peak_mb": memory, "held": held}))
    datastore.close()


if __name__ == "__main__":
    main()

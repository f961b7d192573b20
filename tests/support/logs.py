"""The log as a test looks at it: by the reader that every command uses."""

from contextlib import aclosing

from nodeunit.audit.source import LiveLog
from nodeunit.store.read.event_log import EVERYTHING, EventFilter, RecordedEvent


async def whole_log(conninfo: str, wanted: EventFilter = EVERYTHING) -> list[RecordedEvent]:
    """Every event that can be read now, in the order of commits."""
    async with aclosing(aiter(LiveLog(conninfo, wanted))) as events:
        return [event async for event in events]

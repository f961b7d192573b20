"""Prints recorded events on standard output, one line each, at once."""

from collections.abc import Mapping

import msgspec
from rich.console import Console
from rich.text import Text

from nodeunit.audit.wording import called, describe, local_time
from nodeunit.cli.output.render import Format, is_terminal, write
from nodeunit.domain.events import UnitJoined
from nodeunit.domain.snapshot_events import UnitSnapshot
from nodeunit.errors import EventUndecodable
from nodeunit.plain import MOST_LINE, plain
from nodeunit.store.read.event_log import RecordedEvent


class EventLines:
    """Prints events as JSON lines, complete, or as lines for people: time, deployment, unit, type and words."""

    def __init__(self, output: Format, names: Mapping[str, str]) -> None:
        self._as_json = output is Format.JSONL
        self._names = dict(names)
        self._console = Console(soft_wrap=True, highlight=False) if is_terminal() and not self._as_json else None

    def print(self, recorded: RecordedEvent) -> None:
        """Prints one event. The data of an unknown type, a newer version or a damaged event is printed unchanged."""
        if self._as_json:
            write(msgspec.json.encode(as_json(recorded)).decode())
            return
        try:
            event = recorded.event()
            words = describe(event, self._names)
        except EventUndecodable:
            event, words = None, recorded.data
        if isinstance(event, UnitJoined | UnitSnapshot):
            self._names[recorded.unit_address] = event.name
        at = local_time(recorded.recorded_at)
        deployment = str(recorded.deployment_id or "")[:8]
        unit = called(recorded.unit_address, self._names) if recorded.unit_address else ""
        words = plain(str(words), MOST_LINE)
        unit, kind = plain(unit, 60), plain(recorded.type, 60)
        if self._console is None:
            write(f"{at}  {deployment:8}  {unit:12}  {kind:26}  {words}".rstrip())
            return
        self._console.print(
            Text.assemble(
                (at, "dim"), "  ", (f"{deployment:8}", "cyan"), "  ", (f"{unit:12}", "green"), "  ",
                (f"{kind:26}", "bold"), "  ", words,
            )
        )  # fmt: skip


def as_json(recorded: RecordedEvent) -> dict[str, object]:
    """Every column of the event; its data as it is stored."""
    return msgspec.structs.asdict(recorded) | {"data": msgspec.Raw(recorded.data.encode())}

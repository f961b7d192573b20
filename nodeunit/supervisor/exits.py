"""Exits that no daemon has acknowledged. None is ever thrown away; what bounds them is that a key is not started again
when too many of its own are waiting."""

from nodeunit.supervisor.program import Program
from nodeunit.supervisor.protocol import Exited

MOST_OF_ONE_KEY = 100


class Exits:
    """By id, in the order in which they happened."""

    def __init__(self) -> None:
        self._waiting: dict[int, Exited] = {}
        self._last = 0

    def record(self, program: Program, now: float) -> Exited:
        """The exit of a program whose tree is gone."""
        self._last += 1
        exited: Exited = {
            "event": "exited",
            "id": self._last,
            "key": program.key,
            "pid": program.pid,
            "start_time": program.start_time,
            "exit_code": program.exit_code,
            "signal": program.signal,
            "ran_s": round((program.ended_at or now) - program.started_at, 3),
            "stopped": program.cause != "exited",
            "cause": program.cause,
            "meta": program.meta,
        }
        self._waiting[self._last] = exited
        return exited

    def acknowledge(self, exit_id: object) -> None:
        if isinstance(exit_id, int):
            self._waiting.pop(exit_id, None)

    def waiting(self) -> list[Exited]:
        return list(self._waiting.values())

    def too_many_of(self, key: str) -> bool:
        return sum(exited["key"] == key for exited in self._waiting.values()) >= MOST_OF_ONE_KEY

"""What one daemon hands to the next through the supervisor, which outlives all daemons.

- Reports that no daemon has acknowledged. Each has a number; `hello` repeats it until an `ack` says that it is logged.
- One state per key that the daemon asked to remember: whether and when a failing program is started again.

Both are bounded, and nothing that is kept is ever dropped. At the bound of the reports no program is started, so that
only the ends of running programs are added; at the bound of the states a new state is refused.
"""

from collections import Counter
from typing import Any

from nodeunit.supervisor.protocol import Report, encode

MOST_OF_ONE_KEY = 100
MOST_BYTES = 8 * 1024 * 1024
"""The most bytes of all reports, and of all states, as sent: some twenty thousand of each."""


class Handover:
    """Reports by number, in the order in which they happened; states by key."""

    def __init__(self) -> None:
        self._reports: dict[int, Report] = {}
        self._reports_of: Counter[str] = Counter()
        self._report_bytes = 0
        self._last = 0
        self._states: dict[str, Any] = {}
        self._state_bytes = 0

    def keep(self, report: Report) -> Report:
        """Numbers a report and keeps it until it is acknowledged."""
        self._last += 1
        report["id"] = self._last
        self._reports[self._last] = report
        self._reports_of[report["key"]] += 1
        self._report_bytes += len(encode(report))
        return report

    def acknowledge(self, number: object) -> None:
        """Forgets a report that is in the log. Ignores unknown numbers."""
        report = self._reports.pop(number, None) if isinstance(number, int) else None
        if report is not None:
            self._report_bytes -= len(encode(report))
            self._reports_of[report["key"]] -= 1
            if not self._reports_of[report["key"]]:
                del self._reports_of[report["key"]]

    def refusal(self, key: str) -> str:
        """Why no further report of this key may be caused now; empty if it may."""
        if self._reports_of[key] >= MOST_OF_ONE_KEY:
            return f"{MOST_OF_ONE_KEY} of its reports are not acknowledged"
        if self._report_bytes >= MOST_BYTES:
            return f"{len(self._reports)} reports are not acknowledged"
        return ""

    def remember(self, key: str, state: object) -> None:
        """Replaces the state of a key; None removes it. Raises ValueError at the bound."""
        size = 0 if state is None else _size(key, state)
        former = _size(key, self._states[key]) if key in self._states else 0
        if size > former and self._state_bytes + size - former > MOST_BYTES:
            raise ValueError(f"the states of {len(self._states)} programs are the most that can be remembered")
        self._state_bytes += size - former
        if state is None:
            self._states.pop(key, None)
        else:
            self._states[key] = state

    def reports(self) -> list[Report]:
        return list(self._reports.values())

    def states(self) -> dict[str, Any]:
        return self._states


def _size(key: str, state: object) -> int:
    return len(encode({"op": "remember", "key": key, "state": state}))

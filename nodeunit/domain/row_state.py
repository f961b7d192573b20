"""A row as people see it: what is wanted, what runs where, and one word for its state."""

from datetime import datetime
from uuid import UUID

import msgspec


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """The program of a row on one unit."""

    unit: str
    """The name of the unit."""
    unit_address: str
    state: str
    """`installing`, `starting`, `running`, `backoff`, `stopping`, `parked` or `stopped`."""
    reason: str
    """Why it has this state, as one word; empty: nothing is to be said."""
    detail: str
    since: datetime | None
    pid: int | None
    port: int | None
    ready_since: datetime | None
    resolved_version: str
    """The version of the package that was installed; empty: none was, or it is not recorded."""
    restarts: int
    failures: int
    """Ends in a row that nobody asked for."""
    next_try_at: datetime | None
    ended_at: datetime | None
    """When the last process ended."""
    exit_code: int | None
    exit_signal: int | None
    claim_version: int | None


class DeploymentRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `deployment` with the state of its programs. The values of env are not in it."""

    id: UUID
    name: str
    """Empty: it has none."""
    package_name: str
    package_version: str
    type: str
    enabled: bool
    runtime: str
    state: str
    """That of its program, `waiting` without a unit; of a daemon row the state of the program that is worst off."""
    reason: str
    """Why, as one word."""
    ready: int
    """How many programs are running."""
    wanted: int
    """How many should be: 0 for a disabled row."""
    restarts: int
    revision: int
    claim_version: int
    """0: never claimed."""
    created_at: datetime
    age_s: float
    """By the clock of the database."""
    updated_at: datetime
    unit: str
    """The name of its unit; empty: none, or several."""
    unit_address: str
    programs: list[Program]

    @property
    def package(self) -> str:
        """name@version."""
        return f"{self.package_name}@{self.package_version}" if self.package_version else self.package_name

    @property
    def label(self) -> str:
        """What people call it: its name, or the beginning of its id."""
        return self.name or str(self.id)[:8]


WORST_FIRST = ("parked", "backoff", "stopped", "waiting", "installing", "starting", "stopping", "running")
"""The states from that which needs a person soonest to that which needs none."""


def worst(states: list[tuple[str, str]]) -> tuple[str, str]:
    """The state and reason of the program that is worst off; without any program the row waits."""
    if not states:
        return "waiting", "no_unit"
    return min(states, key=lambda one: WORST_FIRST.index(one[0]) if one[0] in WORST_FIRST else -1)

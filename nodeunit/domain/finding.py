"""What `nodeunit doctor` says: a finding has a fixed name, its cause, and the command or change that mends it."""

from typing import Literal

import msgspec

SCHEMA = "nodeunit.doctor/1"
"""The version of the document that `nodeunit doctor -o json` prints."""

Severity = Literal["error", "warning"]
"""error: something does not work now; warning: it works, and will fail or mislead one day."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong."""

    name: str
    """What kind of fault: a fixed word for scripts."""
    severity: Severity
    subject: str
    """What has the fault: the server, a unit, a row, a directory."""
    cause: str
    """What was found, and why it matters."""
    mend: str
    """The command that mends it, or the change to make."""


class NotMade(msgspec.Struct, frozen=True):
    """A check that could not be made."""

    check: str
    because: str


class Examination(msgspec.Struct, kw_only=True):
    """The whole answer."""

    schema: str = SCHEMA
    healthy: bool = True
    """No finding, and every check was made."""
    checks_made: int = 0
    findings: list[Finding] = msgspec.field(default_factory=list)
    not_made: list[NotMade] = msgspec.field(default_factory=list)


class Limits(msgspec.Struct, frozen=True):
    """From where on something is a finding. Durations are in seconds."""

    clock_difference_s: float = 1.0
    open_transaction_s: float = 60.0
    archive_after_s: float = 400 * 86400.0
    """Logs of a year stay fast; what is older belongs in an archive file."""
    deaf_within_s: float = 3600.0
    lost_within_s: float = 86400.0
    free_share: float = 0.05
    """The part of a disk that should be free."""
    connections_of_a_unit: int = 3
    connections_of_people: int = 10
    """Left for commands, migrations and monitoring."""
    lock_share: float = 0.5
    """The part of the server's table of locks that one query over the whole log may take."""

"""What a unit lacks when a program cannot be started for a reason outside the program."""

import errno

_LACKS = {
    errno.EMFILE: "descriptors",
    errno.ENFILE: "descriptors",
    errno.ENOMEM: "memory",
    errno.EAGAIN: "processes",
    errno.ENOSPC: "disk",
    errno.EDQUOT: "disk",
}

LEFTOVER = "leftover"
"""Not a shortage: processes of its earlier start may still run and cannot be ended."""

LEASE = "lease"
"""Not a shortage, but not the program's fault either: the next lease allows the start."""


def lack_of(number: int | None) -> str:
    """The shortage by errno; empty if the error is the program's own."""
    return _LACKS.get(number or 0, "")

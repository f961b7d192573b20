"""What a unit itself lacks when a program cannot be started through no fault of the program."""

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
"""Not a shortage: something of an earlier start of it may still run, and cannot be ended."""

LEASE = "lease"
"""Not a shortage, but as little the program's fault: the next lease allows the start."""


def lack_of(number: int | None) -> str:
    """By errno; empty when the error is the program's own."""
    return _LACKS.get(number or 0, "")

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

LEASE = "lease"
"""Not a shortage, but as little the program's fault: the next lease allows the start."""


def lack_of(number: int | None) -> str:
    """By errno; empty when the error is the program's own."""
    return _LACKS.get(number or 0, "")

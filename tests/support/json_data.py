"""Comparing JSON that was stored with what was read from it."""

from typing import Any


def holds(read: Any, stored: Any) -> bool:
    """Whether everything stored is also in what was read, which may have new fields on every level."""
    if isinstance(stored, dict):
        return isinstance(read, dict) and all(name in read and holds(read[name], stored[name]) for name in stored)
    if isinstance(stored, list):
        return isinstance(read, list) and len(read) == len(stored) and all(map(holds, read, stored))
    return bool(read == stored)

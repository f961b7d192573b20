"""Which port a program gets: the same one at each start where possible, and no two rows the same."""

import hashlib
from collections.abc import Callable, Mapping


def port_of(key: str, taken: Mapping[str, int], first: int, last: int, is_free: Callable[[int], bool]) -> int | None:
    """A port from `first` to `last` for the row; None if all are in use.

    `taken` are the ports of all rows of the unit, of this row too if it had one before. Without one, the search begins
    at a place that depends on the key alone, so that a row tends to get the same port after a restart of the unit too.
    """
    others = {port for other, port in taken.items() if other != key}
    count = last - first + 1
    place = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=4).digest()) % count
    before = taken.get(key)
    candidates = [before] if before is not None and first <= before <= last else []
    candidates += (first + (place + step) % count for step in range(count))
    return next((port for port in candidates if port not in others and is_free(port)), None)

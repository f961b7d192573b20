"""Whether a unit may run a package: its trust pattern is tested before anything is claimed, installed or run."""

import re
from functools import lru_cache


def may_run(trusted: str, package: str) -> bool:
    """Whether the pattern `trusted` is found in `package` (`name@version`).

    A pattern that is not a regular expression trusts nothing. It may come from another unit, perhaps of another
    version, and the bad setting of one unit must not stop the rounds of the others.
    """
    pattern = _compiled(trusted)
    return pattern is not None and pattern.search(package) is not None


@lru_cache(maxsize=4096)  # the cache of `re` is smaller than a fleet in which every unit has its own pattern
def _compiled(trusted: str) -> re.Pattern[str] | None:
    try:
        return re.compile(trusted)
    except (re.error, OverflowError, RecursionError):
        return None

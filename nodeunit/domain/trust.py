"""Whether a unit may run a package: the trust pattern, tested before anything is claimed, fetched or run."""

import re
from functools import lru_cache


@lru_cache(maxsize=4096)
def may_run(trusted: str, package: str) -> bool:
    """Whether the pattern `trusted` is found in `package` (`name@version`).

    A pattern that is no regular expression trusts nothing: it comes from another unit, perhaps of another
    version, and one unit's bad setting must not stop the rounds of the others.
    """
    try:
        return re.search(trusted, package) is not None
    except re.error:
        return False

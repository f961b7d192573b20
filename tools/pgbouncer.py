"""`python -m tools.pgbouncer`: the real proxy that the tests of refused proxies need, from Debian's packages."""

import shutil
import sys

from tools.timescaledb import debian
from tools.timescaledb.say import CannotGoOn, say


def main() -> int:
    """Installs it where that may be done; elsewhere says so, and those tests are skipped with that reason."""
    if shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin"):
        return 0
    if not debian.can_install():
        say("pgbouncer is not installed, and only root on Debian can install it here: its tests will be skipped")
        return 0
    try:
        debian.install("pgbouncer")
    except CannotGoOn as error:
        say(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

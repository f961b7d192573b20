"""What installers have downloaded. It only makes the next installation faster, so it may be removed at any time."""

import secrets
from pathlib import Path

from nodeunit.install.record import remove_tree
from nodeunit.process.disk_usage import disk_bytes

MOST_BYTES = 4 * 2**30
_OLD = ".old-"


def limit_downloads(cache: Path, most_bytes: int = MOST_BYTES) -> None:
    """Removes the downloads of each installer that has more than `most_bytes`, all at once, because only the
    installers know which of their files belong together.

    An installation that uses them at that moment may fail, and succeeds when it is tried again.
    """
    try:
        for directory in list(cache.iterdir()):
            if directory.name.startswith(_OLD):
                remove_tree(directory)
            elif disk_bytes(str(directory)) > most_bytes:
                old = directory.rename(cache / f"{_OLD}{secrets.token_hex(8)}")
                remove_tree(old)
    except OSError:
        pass  # there is no cache yet, or the disk is read-only

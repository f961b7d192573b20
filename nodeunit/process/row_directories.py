"""The directories in which the programs of rows run, one for each row, named by its id.

A directory outlives the stay of its row on the unit, because the row may come back. It is removed when the row is
deleted and nothing has used the directory for a while.
"""

import os
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path
from uuid import UUID


def note_use(root: Path, ids: Collection[str]) -> None:
    """The rows that are on this unit now."""
    for key in ids:
        try:
            os.utime(root / key)
        except OSError:
            continue  # its program has not been started yet


def unused(root: Path, after_s: float) -> list[UUID]:
    """The rows whose directory nothing has used for so many seconds."""
    found = []
    try:
        entries = list(os.scandir(root))
    except OSError:
        return []
    for entry in entries:
        try:
            key = UUID(entry.name)
            old = time.time() - entry.stat(follow_symlinks=False).st_mtime > after_s
        except (ValueError, OSError):
            continue  # none of ours, or gone
        if old and str(key) == entry.name and entry.is_dir(follow_symlinks=False):
            found.append(key)
    return found


def remove(root: Path, ids: Collection[UUID], say: Callable[[str], None]) -> None:
    """Removes the directories of these rows. `say` is told what was removed, or could not be."""
    for key in ids:
        directory = root / str(key)
        try:
            shutil.rmtree(directory)
        except OSError as error:
            say(f"cannot remove {directory}: {error.strerror}")
        else:
            say(f"removed {directory}, because its row was deleted long ago")

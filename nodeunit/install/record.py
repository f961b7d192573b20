"""What an installation says about itself, in a file of its directory; and the removal of such a directory."""

import os
import shutil
import stat
from pathlib import Path
from typing import Any

import msgspec

from nodeunit.install.package import Lock

RECORD = "nodeunit-install.json"
_LONGEST = 64 * 2**20


class Record(msgspec.Struct, frozen=True):
    """What is installed in the directory of this record."""

    runtime: str
    name: str
    version: str
    integrity: str
    lock: str
    """The text of the lock."""
    packages: int
    took_s: float

    def as_lock(self) -> Lock:
        return Lock(self.version, self.integrity, self.lock, self.packages)


def write_record(directory: Path, record: Record) -> None:
    """Raises OSError."""
    (directory / RECORD).write_bytes(msgspec.json.encode(record))


def read_record(directory: Path) -> Record | None:
    """None if there is none, or something else is in its place."""
    try:
        with open(directory / RECORD, "rb") as file:
            return msgspec.json.decode(file.read(_LONGEST), type=Record)
    except (OSError, ValueError, msgspec.MsgspecError):
        return None


def remove_tree(directory: Path) -> None:
    """Removes a directory and everything in it, unwritable directories too; what cannot be removed is left."""

    def make_writable_and_repeat(function: Any, path: str, _: object) -> None:
        try:
            for above in (os.path.dirname(path), path):
                if not os.path.islink(above):
                    os.chmod(above, stat.S_IRWXU)
            if function in (os.unlink, os.rmdir):
                function(path)
            else:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # it is gone, or the next start of a unit tries again

    shutil.rmtree(directory, onerror=make_writable_and_repeat)

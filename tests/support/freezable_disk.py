"""A file system that a test can freeze: a file, mounted over a loop device. Needs root and loop devices."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SIZE = 32 * 1024 * 1024


class Disk:
    """Mounted at `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._frozen = False

    def freeze(self) -> None:
        """Whoever writes from now on waits in the kernel, also for SIGKILL."""
        _run("fsfreeze", "--freeze", str(self.directory))
        self._frozen = True

    def thaw(self) -> None:
        if self._frozen:
            self._frozen = False
            _run("fsfreeze", "--unfreeze", str(self.directory))


@contextmanager
def freezable_disk(directory: Path) -> Iterator[Disk]:
    """An empty file system below `directory`, thawed and unmounted at the end. Skips the test where none can be had."""
    missing = [name for name in ("mkfs.ext4", "mount", "umount", "fsfreeze") if shutil.which(name) is None]
    if os.geteuid() != 0 or missing:
        pytest.skip(f"a file system can be frozen by root with {', '.join(missing) or 'mount and fsfreeze'} only")
    image, place = directory / "disk.img", directory / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(SIZE)
    _run("mkfs.ext4", "-q", "-F", str(image))
    try:
        _run("mount", "-o", "loop", str(image), str(place))
    except RuntimeError as error:
        pytest.skip(f"this machine has no loop mounts: {error}")
    disk = Disk(place)
    try:
        yield disk
    finally:
        disk.thaw()
        # What was stuck in a write may take a moment to let go.
        subprocess.run(["umount", "--lazy", str(place)], check=False, capture_output=True)


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    if ran.returncode != 0:
        raise RuntimeError(f"{command[0]}: {ran.stderr.strip()}")

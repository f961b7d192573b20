"""The directory of a row is removed when the row is deleted and nothing has used the directory for long."""

import os
import time
from pathlib import Path
from uuid import uuid4

from nodeunit.process import row_directories

LONG_AGO = time.time() - 1000


def test_only_what_is_unused_for_long_and_of_a_row_is_found(tmp_path: Path) -> None:
    old, used, new = (tmp_path / str(uuid4()) for _ in range(3))
    for directory in (old, used, new, tmp_path / "notes", tmp_path / str(uuid4()).upper()):
        directory.mkdir()
        (directory / "kept").write_text("")
    link = tmp_path / str(uuid4())
    link.symlink_to(old)
    for path in tmp_path.iterdir():
        if path != new:
            os.utime(path, (LONG_AGO, LONG_AGO), follow_symlinks=False)
    row_directories.note_use(tmp_path, [used.name, str(uuid4())])
    found = row_directories.unused(tmp_path, 500)
    assert [str(key) for key in found] == [old.name]

    said: list[str] = []
    row_directories.remove(tmp_path, found, said.append)
    assert not old.exists()
    assert (used / "kept").exists()
    assert said == [f"removed {old}, because its row was deleted long ago"]
    row_directories.remove(tmp_path, found, said.append)
    assert said[1] == f"cannot remove {old}: No such file or directory"


def test_a_workspace_without_directories(tmp_path: Path) -> None:
    assert row_directories.unused(tmp_path / "none", 0) == []

"""The store of a unit is in its workspace, and its downloads are limited."""

import os
from pathlib import Path

import pytest

from nodeunit.install.downloads import limit_downloads
from nodeunit.install.of_unit import unit_store
from nodeunit.settings import Settings


def test_it_is_in_the_workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    store = unit_store(Settings.from_environment({"NODE_UNIT_WORKSPACE": str(tmp_path / "workspace")}))
    assert store.missing("npm") == "node and npm cannot be found in the PATH of this unit."
    assert "no installer" in store.missing("cobol")
    assert store.size_bytes() == 0
    assert store.collect(set(), 0) == []
    store.clean()
    assert list(tmp_path.iterdir()) == [], "nothing is made before something is installed"


def test_downloads_are_removed_when_they_are_too_many(tmp_path: Path) -> None:
    for installer, size in (("npm", 3_000_000), ("python", 1_000_000)):
        (tmp_path / installer / "a").mkdir(parents=True)
        (tmp_path / installer / "a" / "file").write_bytes(os.urandom(size))
    (tmp_path / ".old-x" / "y").mkdir(parents=True)
    limit_downloads(tmp_path, most_bytes=2_000_000)
    assert {path.name for path in tmp_path.iterdir()} == {"python"}
    limit_downloads(tmp_path / "nowhere")

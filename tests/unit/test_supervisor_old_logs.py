"""Logs whose programs ended long ago are removed, and nothing else is."""

import os
import time
from pathlib import Path

import pytest

from nodeunit.supervisor.logs import CLOSE, KEPT_DAYS, OPEN, LogLimits, Logs
from nodeunit.supervisor.stderr_log import StderrLog

GONE, OPENED, RECENT = (f"{n}0000000-0000-0000-0000-000000000000" for n in (1, 2, 3))
LONG_AGO = time.time() - (KEPT_DAYS + 1) * 86_400


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(os.fspath(tmp_path), StderrLog(), LogLimits(1000))


def written(directory: Path, name: str, at: float) -> Path:
    path = directory / name
    path.write_text("x")
    os.utime(path, (at, at))
    return path


def test_old_logs_go_with_their_generations(tmp_path: Path, logs: Logs) -> None:
    for ending in (".log", ".log.1", ".log.2.gz", ".log.marks"):
        written(tmp_path, GONE + ending, LONG_AGO)
    logs.take(OPEN + OPENED.encode() + b"\n12 1")
    kept = [
        tmp_path / f"{OPENED}.log.marks",
        written(tmp_path, f"{OPENED}.log", LONG_AGO),
        written(tmp_path, f"{RECENT}.log", time.time()),
        written(tmp_path, f"{RECENT}.log.2.gz", LONG_AGO),
        written(tmp_path, "somebody.log", LONG_AGO),
        written(tmp_path, f"{GONE}.txt", LONG_AGO),
    ]
    logs.remove_old(0.0, time.time())
    assert sorted(tmp_path.iterdir()) == sorted(kept)
    assert kept[1].stat().st_mtime > LONG_AGO + 86_400, "another unit sees that it is in use"


def test_they_are_looked_for_once_an_hour(tmp_path: Path, logs: Logs) -> None:
    logs.remove_old(0.0, time.time())
    old = written(tmp_path, f"{GONE}.log", LONG_AGO)
    logs.remove_old(3599.0, time.time())
    assert old.exists()
    logs.remove_old(3600.0, time.time())
    assert not old.exists()


def test_what_was_open_may_grow_old(tmp_path: Path, logs: Logs) -> None:
    logs.take(OPEN + GONE.encode() + b"\n12 1")
    logs.take(CLOSE + GONE.encode() + b"\n12 exit 0")
    old = written(tmp_path, f"{GONE}.log", LONG_AGO)
    written(tmp_path, f"{GONE}.log.marks", LONG_AGO)
    logs.remove_old(0.0, time.time())
    assert not old.exists()

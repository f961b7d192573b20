"""What logs and packages use on disk is looked at aside, and told once."""

import asyncio
import threading
from pathlib import Path

import pytest

from nodeunit.daemon import disk_sampler
from nodeunit.daemon.disk_sampler import DiskSampler
from tests.support.waiting import eventually

KEY, OTHER = "8d7cf4a2-7b11-4f2e-8a8e-0a2f4cc4e6a1", "0f0f0f0f-7b11-4f2e-8a8e-0a2f4cc4e6a1"


async def test_all_files_of_a_log_count_and_each_look_is_taken_once(tmp_path: Path) -> None:
    for name, size in ((f"{KEY}.log", 100_000), (f"{KEY}.log.1.gz", 50_000), (f"{OTHER}.log", 5_000), ("notes", 9_000)):
        (tmp_path / name).write_bytes(b"x" * size)
    sampler = DiskSampler(str(tmp_path), lambda: 7)
    looking = asyncio.create_task(sampler.run())
    found = await eventually(sampler.take, what="it has looked")
    looking.cancel()
    assert found is not None
    assert found.logs.keys() == {KEY, OTHER}
    assert 150_000 <= found.logs[KEY] < 170_000
    assert found.installs == 7
    assert sampler.take() is None


async def test_a_disk_that_hangs_gives_no_sample_and_holds_nothing_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_sampler, "LOOK_WITHIN_S", 0.02)
    hangs, looks = threading.Event(), []

    def installs() -> int:
        looks.append(1)
        hangs.wait()
        return 1

    sampler = DiskSampler("/nonexistent", installs, every_s=0.01)
    looking = asyncio.create_task(sampler.run())
    await eventually(lambda: looks, what="it looks")
    assert sampler.take() is None
    hangs.set()
    await eventually(sampler.take, what="it looks again when the disk answers")
    looking.cancel()

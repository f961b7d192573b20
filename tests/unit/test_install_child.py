"""An installer's process: limited, given nothing of the unit, and never outlived by anything that it has started."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from nodeunit.install.child import Finished, Limits, run
from nodeunit.install.package import InstallFailed
from tests.support.waiting import eventually, turns_of_the_loop, wait_until

SHELL = "/bin/sh"
PATH = {"PATH": "/usr/bin:/bin"}

# Leaves the session, the group and the parent, and forgets its environment.
ESCAPE = "env -i setsid sh -c 'sleep 3600.{mark} & sleep 3600.{mark}' >/dev/null 2>&1 &"


@pytest.fixture
def mark(tmp_path: Path) -> str:
    """Digits for the arguments of `sleep`, by which a test recognises its own."""
    return f"{os.getpid()}{abs(hash(tmp_path)) % 10**8}"


def asleep(mark: str) -> int:
    """How many processes sleep with this mark."""
    count = 0
    for directory in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (directory / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        count += arguments[:2] == [b"sleep", f"3600.{mark}".encode()]
    return count


async def shell(
    script: str, cwd: Path, *, env: Mapping[str, str] = PATH, limits: Limits | None = None, watched: bool = False
) -> Finished:
    return await run(
        [SHELL, "-c", script], env=env, cwd=cwd, limits=limits or Limits(), watched=[cwd] if watched else []
    )


async def test_it_says_how_a_command_ended(tmp_path: Path) -> None:
    done = await shell("echo out; echo err >&2; exit 3", tmp_path)
    assert done == Finished(3, b"out\n", "err\n")
    assert (await shell("kill -KILL $$", tmp_path)).code == -signal.SIGKILL
    assert (await shell("exit 250", tmp_path)).code == 250


async def test_a_command_gets_exactly_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NODE_UNIT_PASSWORD", "hunter2")
    done = await run(["/usr/bin/env"], env={**PATH, "A": "1"}, cwd=tmp_path, limits=Limits())
    assert set(done.stdout.decode().split()) - {"LC_CTYPE=C.UTF-8"} == {"PATH=/usr/bin:/bin", "A=1"}


async def test_a_command_has_no_input_and_no_descriptor_of_the_unit(tmp_path: Path) -> None:
    done = await shell("cat; ls /proc/$$/fd", tmp_path)
    assert done.stdout.split() == [b"0", b"1", b"2"]


async def test_much_output_is_cut(tmp_path: Path) -> None:
    done = await shell("head -c 20000000 /dev/zero; head -c 100000 /dev/zero >&2; echo last >&2", tmp_path)
    assert len(done.stdout) == 16 * 2**20
    assert len(done.stderr) == 64 * 2**10
    assert done.stderr.endswith("last\n")


async def test_a_missing_program_is_said(tmp_path: Path) -> None:
    with pytest.raises(InstallFailed, match=r"nowhere cannot be started on this unit: .*No such file") as failed:
        await run([str(tmp_path / "nowhere")], env=PATH, cwd=tmp_path, limits=Limits())
    assert (failed.value.reason, failed.value.may_heal) == ("runtime_missing", True)


async def test_what_a_command_has_started_ends_with_it(tmp_path: Path, mark: str) -> None:
    done = await shell(ESCAPE.format(mark=mark) + f" sleep 3600.{mark} &", tmp_path)
    assert done.code == 0
    assert asleep(mark) == 0


async def test_a_command_that_takes_too_long_is_ended_with_its_tree(tmp_path: Path, mark: str) -> None:
    with pytest.raises(InstallFailed, match=r"not done after 0.5 s.*NODE_UNIT_INSTALL_TIMEOUT") as failed:
        await shell(f"trap '' TERM; {ESCAPE.format(mark=mark)} sleep 3600.{mark}", tmp_path, limits=Limits(time_s=0.5))
    assert (failed.value.reason, failed.value.may_heal) == ("timed_out", True)
    assert asleep(mark) == 0


async def test_a_command_that_fills_its_directory_is_ended(tmp_path: Path, mark: str) -> None:
    script = f"mkdir -p a/b; head -c 3000000 /dev/zero > a/b/c; sleep 3600.{mark}"
    with pytest.raises(InstallFailed, match="wrote more than 2 MiB") as failed:
        await shell(script, tmp_path, limits=Limits(disk_bytes=2 * 2**20), watched=True)
    assert (failed.value.reason, failed.value.may_heal) == ("too_large", False)
    assert asleep(mark) == 0


async def test_a_command_that_takes_too_much_memory_is_ended(tmp_path: Path, mark: str) -> None:
    script = f"{sys.executable} -c \"import signal; x = b'x' * 100_000_000; signal.pause()\" & sleep 3600.{mark}"
    with pytest.raises(InstallFailed, match="more than 64 MiB of memory") as failed:
        await shell(script, tmp_path, limits=Limits(memory_bytes=64 * 2**20))
    assert (failed.value.reason, failed.value.may_heal) == ("too_large", False)
    assert asleep(mark) == 0


async def test_no_file_becomes_too_large(tmp_path: Path) -> None:
    done = await shell("head -c 3000000 /dev/zero > file", tmp_path, limits=Limits(file_bytes=2**20))
    assert done.code != 0
    assert "File too large" in done.stderr
    assert (tmp_path / "file").stat().st_size <= 2**20


async def test_nothing_is_left_after_a_cancellation(tmp_path: Path, mark: str) -> None:
    script = f"trap '' TERM; {ESCAPE.format(mark=mark)} sleep 3600.{mark}"
    running = asyncio.create_task(shell(script, tmp_path))
    await eventually(lambda: asleep(mark) == 3)
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert asleep(mark) == 0


def test_nothing_is_left_after_the_end_of_the_loop(tmp_path: Path, mark: str) -> None:
    """A loop that ends cancels a second time what is being cancelled already."""
    script = f"trap '' TERM; {ESCAPE.format(mark=mark)} sleep 3600.{mark}"

    async def daemon() -> None:
        running = asyncio.create_task(shell(script, tmp_path))
        await eventually(lambda: asleep(mark) == 3)
        running.cancel()
        await turns_of_the_loop(10)  # it begins to wait for the end

    asyncio.run(daemon())
    assert asleep(mark) == 0


def test_nothing_is_left_after_the_death_of_the_daemon(tmp_path: Path, mark: str) -> None:
    daemon = f"""
import asyncio
from pathlib import Path
from nodeunit.install.child import Limits, run

asyncio.run(run({[SHELL, "-c", f"trap '' TERM; {ESCAPE.format(mark=mark)} sleep 3600.{mark}"]},
                env={PATH}, cwd=Path({str(tmp_path)!r}), limits=Limits()))
"""
    with subprocess.Popen([sys.executable, "-c", daemon]) as process:
        wait_until(lambda: asleep(mark) == 3)
        process.kill()
    wait_until(lambda: asleep(mark) == 0)

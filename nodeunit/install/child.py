"""Runs an installer's command to its end, with limits, and leaves no process of it behind."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nodeunit.install.package import InstallFailed

# The keeper needs the standard library only. A checkout that is not installed is found by its path.
_START_KEEPER = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    "from nodeunit.install.child_keeper import main; main()"
)

_MOST_OUTPUT = 16 * 2**20
_MOST_ERRORS = 64 * 2**10
_END_WITHIN_S = 10.0


class Limits(NamedTuple):
    """What one command of an installer may use."""

    time_s: float = 600
    disk_bytes: int = 10 * 2**30
    """Of the directory in which it installs."""
    file_bytes: int = 4 * 2**30
    """Of each file that it writes."""
    memory_bytes: int = 2 * 2**30
    """Resident, of all its processes together."""


class Finished(NamedTuple):
    """How a command ended."""

    code: int
    """Its exit code; negative: the signal that ended it."""
    stdout: bytes
    """Its first 16 MiB."""
    stderr: str
    """Its last 64 KiB."""


async def run(
    argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, limits: Limits, watched: Sequence[Path] = ()
) -> Finished:
    """Runs `argv` with exactly the environment `env`; returns when no process of its tree is left.

    `watched` are the directories whose size is limited. If this is cancelled, or the daemon dies, the tree is killed.
    Raises InstallFailed if the command cannot be started (`runtime_missing`) or reaches a limit (`timed_out`,
    `too_large`).
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    order = {
        "argv": list(argv),
        "parent": os.getpid(),
        "report": write_end,
        "watched": [str(directory) for directory in watched],
        **limits._asdict(),
    }
    keeper = (sys.executable, "-I", "-S", "-c", _START_KEEPER, json.dumps(order))
    try:
        process = await asyncio.create_subprocess_exec(
            *keeper,
            env=dict(env),
            cwd=cwd,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=(write_end,),
        )
    except OSError as error:
        os.close(read_end)
        raise InstallFailed("install_failed", f"No installer can be started: {error}.", may_heal=True) from error
    finally:
        os.close(write_end)
    try:
        assert process.stdout is not None
        assert process.stderr is not None
        stdout, stderr = await asyncio.gather(
            _read(process.stdout, first=_MOST_OUTPUT), _read(process.stderr, last=_MOST_ERRORS)
        )
        await process.wait()
        outcome = os.read(read_end, 4096).decode(errors="replace")
    finally:
        os.close(read_end)
        await _end(process)
    return _finished(outcome, argv[0], limits, stdout, stderr.decode(errors="replace"))


async def _read(stream: asyncio.StreamReader, first: int | None = None, last: int | None = None) -> bytes:
    """Reads to the end and keeps the first or the last bytes."""
    kept = bytearray()
    while piece := await stream.read(65_536):
        if first is not None:
            kept += piece[: first - len(kept)]
        elif last is not None:
            kept = (kept + piece)[-last:]
    return bytes(kept)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    try:
        process.terminate()
        await asyncio.wait_for(asyncio.shield(process.wait()), _END_WITHIN_S)
    except (ProcessLookupError, TimeoutError):
        pass
    finally:
        if process.returncode is None:
            process.kill()


def _finished(outcome: str, program: str, limits: Limits, stdout: bytes, stderr: str) -> Finished:
    kind, _, rest = outcome.partition(" ")
    name = os.path.basename(program)
    match kind:
        case "exit":
            return Finished(int(rest), stdout, stderr)
        case "signal":
            return Finished(-int(rest), stdout, stderr)
        case "absent":
            raise InstallFailed("runtime_missing", f"{name} cannot be started on this unit: {rest}.", may_heal=True)
        case "time":
            raise InstallFailed(
                "timed_out",
                f"{name} was not done after {limits.time_s:g} s, which is the limit (NODE_UNIT_INSTALL_TIMEOUT).",
                may_heal=True,
            )
        case "disk":
            raise InstallFailed(
                "too_large", f"{name} wrote more than {_mib(limits.disk_bytes)} for one package.", may_heal=False
            )
        case "memory":
            raise InstallFailed("too_large", f"{name} used more than {_mib(limits.memory_bytes)} of memory.", False)
        case _:
            raise InstallFailed("install_failed", f"{name} was ended from outside.", may_heal=True)


def _mib(count: int) -> str:
    return f"{count // 2**20} MiB"

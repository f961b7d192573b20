"""Runs an installer's command to its end, with limits, and leaves no process of it behind."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nodeunit.install.package import InstallFailed
from nodeunit.process.process_table import read_entry

# The keeper needs the standard library only. A checkout that is not installed is found by its path.
_START_KEEPER = (
    f"import sys; sys.path.append({str(Path(__file__).parents[2])!r}); "
    "from nodeunit.install.child_keeper import main; main()"
)

_MOST_OUTPUT = 16 * 2**20
_MOST_ERRORS = 64 * 2**10
_END_WITHIN_S = 5.0


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
    start = (sys.executable, "-I", "-S", "-c", _START_KEEPER, json.dumps(order))
    try:
        keeper, output = await asyncio.get_running_loop().subprocess_exec(
            _Output, *start, env=dict(env), cwd=cwd, stdin=asyncio.subprocess.DEVNULL, pass_fds=(write_end,)
        )
    except OSError as error:
        os.close(read_end)
        raise InstallFailed("install_failed", f"No installer can be started: {error}.", may_heal=True) from error
    except BaseException:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
    try:
        await output.complete.wait()
        outcome = os.read(read_end, 4096).decode(errors="replace")
    finally:
        os.close(read_end)
        await _end(keeper, output)
    return _finished(outcome, argv[0], limits, bytes(output.stdout), output.stderr.decode(errors="replace"))


class _Output(asyncio.SubprocessProtocol):
    """What a process writes, cut."""

    def __init__(self) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.complete = asyncio.Event()
        """Set when the process has ended and everything was read."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 1:
            self.stdout += data[: _MOST_OUTPUT - len(self.stdout)]
        else:
            self.stderr += data
            del self.stderr[:-_MOST_ERRORS]

    def connection_lost(self, _: Exception | None) -> None:
        self.complete.set()


async def _end(keeper: asyncio.SubprocessTransport, output: _Output) -> None:
    """Asks the keeper to end the tree, and waits until it has ended.

    It must not be killed before, because nobody else knows all of the tree. asyncio kills it when it closes a transport
    or a loop, so if this is cancelled again (as when a loop ends), it waits without the loop.
    """
    try:
        if not output.complete.is_set():
            keeper.terminate()
            await output.complete.wait()
    except ProcessLookupError:
        pass
    except asyncio.CancelledError:
        _wait_until_it_has_ended(keeper.get_pid())
        raise
    finally:
        keeper.close()


def _wait_until_it_has_ended(pid: int) -> None:
    give_up_at = time.monotonic() + _END_WITHIN_S
    while (entry := read_entry(pid)) is not None and entry.alive and time.monotonic() < give_up_at:
        time.sleep(0.01)


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

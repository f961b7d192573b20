"""fork and exec of one process, without waiting for either.

Written by hand because `subprocess` waits, in the parent, until the child has reached execve: on a hung file system
that is for ever, and the supervisor has a deadline to keep. Here the outcome arrives on a descriptor like everything.
"""

import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from nodeunit.process.process_table import read_entry

HANDLED_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""What the supervisor handles, and a child must not inherit even for a moment."""

# Ignored signals are inherited: those that Python ignores, and those of whoever started us (nohup, some shells).
_IGNORED = tuple(signum for signum in signal.valid_signals() if signal.getsignal(signum) is signal.SIG_IGN)


class Spawned(NamedTuple):
    """A child between fork and exec. `outcome` is at its end when exec succeeded, else it holds the reason as text."""

    pid: int
    start_time: int
    outcome: int


def raise_descriptor_limit() -> tuple[int, int]:
    """Allow this process as many descriptors as it may have; returns the limits that children should have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


def fork_only(work: Callable[[], None], keep: Sequence[int] = ()) -> int:
    """A child that goes on in this interpreter: own session, no descriptors but 0 to 2 and `keep`. It ends with `work`,
    with exit status 0, or 1 if that raised."""
    # No signal may be handled in the child: the handlers would write into the parent's wakeup pipe.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)
    try:
        pid = os.fork()
        if pid == 0:
            _work_and_exit(work, {0, 1, 2, *keep})
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return pid


def _work_and_exit(work: Callable[[], None], keep: set[int]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        for fd in {int(name) for name in os.listdir("/proc/self/fd")} - keep:
            try:
                os.close(fd)
            except OSError:
                pass  # the one that the listing itself had used
        _forget_signals()
        work()
        status = 0
    finally:
        os._exit(status)


def fork_and_exec(
    argv: Sequence[str],
    env: Mapping[str, str],
    *,
    cwd: str | None = None,
    output: int | None = None,
    keep: Sequence[int] = (),
    limits: tuple[int, int] | None = None,
    before_exec: Callable[[], None] = lambda: None,
) -> Spawned:
    """Start `argv` in its own session and process group, standard input from /dev/null.

    `output` becomes standard output and error (None: inherited), `keep` stays open under its numbers, everything else
    is closed. `before_exec` runs in the child. Raises OSError when there cannot be another process or pipe.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, HANDLED_SIGNALS)  # as above
    try:
        pid = os.fork()
        if pid == 0:
            _become(argv, env, cwd, output, keep, limits, before_exec, write_end)
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        entry = read_entry(pid)
        if entry is None:
            raise OSError(0, "/proc does not show it")  # nobody has waited for it, so it must be there, dead or alive
    except OSError:
        os.kill(pid, signal.SIGKILL)  # nothing may run that nobody keeps
        os.close(read_end)
        raise
    return Spawned(pid, entry.start_time, read_end)


def _become(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | None,
    output: int | None,
    keep: Sequence[int],
    limits: tuple[int, int] | None,
    before_exec: Callable[[], None],
    report: int,
) -> NoReturn:
    doing = "prepare"
    try:
        os.setsid()
        before_exec()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        if output is not None:
            os.dup2(output, 1)
            os.dup2(output, 2)
        for fd in keep:
            os.set_inheritable(fd, True)
        if limits is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        if cwd is not None:
            doing = f"enter {cwd}"
            os.chdir(cwd)
        doing = f"run {argv[0]}"
        _forget_signals()
        os.execvpe(argv[0], list(argv), env)
    except BaseException as error:  # noqa: BLE001 - a child must never return into the supervisor's code
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else repr(error)
        os.write(report, f"cannot {doing}: {reason}".encode(errors="backslashreplace")[:4000])
    finally:
        os._exit(127)


def _forget_signals() -> None:
    """Default dispositions and an empty mask, as a process started by init would have."""
    signal.set_wakeup_fd(-1)
    for signum in (*HANDLED_SIGNALS, *_IGNORED):
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())

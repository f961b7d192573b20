"""Forks, executes and reaps child processes without waiting for any of them.

`subprocess` is not used because its parent waits until the child has reached execve: on a hung file system that may
take forever, and the supervisor has deadlines to meet. Here the outcome arrives on a descriptor.
"""

import errno
import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from nodeunit.process import not_executable
from nodeunit.process.linux import die_with_parent
from nodeunit.process.process_table import read_entry
from nodeunit.process.program_user import ProgramUser, become
from nodeunit.supervisor import signals

# Ignored signals are inherited: those that Python ignores, and those that the parent ignored (nohup, some shells).
_IGNORED = tuple(signum for signum in signal.valid_signals() if signal.getsignal(signum) is signal.SIG_IGN)


class Spawned(NamedTuple):
    """A child between fork and exec. `outcome` is at its end if exec succeeded, otherwise it holds what `read_failure`
    reads."""

    pid: int
    start_time: int
    outcome: int


class Failure(NamedTuple):
    """Why a child did not become the program."""

    number: int
    """The errno, or 0."""
    because: str
    """`no_such_command`, or empty."""
    reason: str


def read_failure(outcome: int) -> Failure | None:
    """What a child has written before it ended; None if exec succeeded. Raises BlockingIOError before that is known, or
    if it was killed."""
    written = os.read(outcome, 4096).decode(errors="replace")
    if not written:
        return None
    number, because, reason = written.split(" ", 2)
    return Failure(int(number), because.strip("-"), reason)


def raise_descriptor_limit() -> tuple[int, int]:
    """Raises this process's limit of descriptors as far as allowed; returns the limits that children should have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


def fork_only(work: Callable[[], None], keep: Sequence[int] = ()) -> int:
    """Forks a child that stays in this interpreter, in its own session, with only descriptors 0 to 2 and `keep`. It
    ends after `work`, with exit status 0, or 1 if that raised."""
    # No signal may be handled in the child, because the handlers would write into the parent's wakeup pipe.
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signals.HANDLED)
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
                pass  # the descriptor that the listing itself used
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
    make_cwd: bool = False,
    output: int | None = None,
    keep: Sequence[int] = (),
    limits: tuple[int, int] | None = None,
    before_exec: Callable[[], None] = lambda: None,
    user: ProgramUser | None = None,
) -> Spawned:
    """Starts `argv` in its own session and process group, with standard input from /dev/null.

    `output` becomes standard output and error (None: inherited), `keep` stays open under its numbers, everything else
    is closed. `make_cwd`: the directory may have to be made, and is given to `user`. `before_exec` runs in the child.
    `user`: whose process it becomes then; None: this one's. Raises OSError if no process or pipe can be created.
    """
    read_end, write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, signals.HANDLED)  # as above
    try:
        pid = os.fork()
        if pid == 0:
            _become(argv, env, cwd, make_cwd, output, keep, limits, before_exec, user, write_end)
    except OSError:
        os.close(read_end)
        raise
    finally:
        os.close(write_end)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    try:
        entry = read_entry(pid)
        if entry is None:
            raise OSError(0, "/proc does not show it")  # not reaped yet, so /proc must show it, dead or alive
    except OSError:
        os.kill(pid, signal.SIGKILL)  # nothing may run that is not recorded
        os.close(read_end)
        raise
    return Spawned(pid, entry.start_time, read_end)


def _become(
    argv: Sequence[str],
    env: Mapping[str, str],
    cwd: str | None,
    make_cwd: bool,
    output: int | None,
    keep: Sequence[int],
    limits: tuple[int, int] | None,
    before_exec: Callable[[], None],
    user: ProgramUser | None,
    report: int,
) -> NoReturn:
    doing, because = "prepare", "-"
    parent = os.getppid()
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
            if make_cwd:  # here, because a disk that hangs must hang the child alone
                os.makedirs(cwd, 0o700, exist_ok=True)
                if user is not None and os.lstat(cwd).st_uid != user.uid:
                    os.chown(cwd, user.uid, user.gid, follow_symlinks=False)
        if user is not None:
            _become_user(user, output, parent)
        if cwd is not None:
            os.chdir(cwd)
        doing = f"run {argv[0]}"
        _forget_signals()
        if why := not_executable.refusal(argv[0], env):
            raise OSError(errno.ENOENT, why)
        try:
            os.execvpe(argv[0], list(argv), env)
        except OSError as error:
            because = "no_such_command" if not_executable.is_unknown(argv[0], env) else because
            raise OSError(error.errno, not_executable.reason(argv[0], env, error)) from None
    except BaseException as error:  # noqa: BLE001 - a child must never return into the supervisor's code
        reason = error.strerror if isinstance(error, OSError) and error.strerror else repr(error)
        number = (error.errno or 0) if isinstance(error, OSError) else 0
        os.write(report, f"{number} {because} cannot {doing}: {reason}".encode(errors="backslashreplace")[:4000])
    finally:
        os._exit(127)


def _become_user(user: ProgramUser, output: int | None, parent: int) -> None:
    if output is not None:
        os.fchown(output, user.uid, user.gid)  # so that /dev/stdout can be opened
    become(user)
    if not die_with_parent(signal.SIGKILL, parent):
        os._exit(127)


def _forget_signals() -> None:
    """Sets default dispositions and an empty mask, as a process started by init has."""
    signal.set_wakeup_fd(-1)
    for signum in (*signals.HANDLED, *_IGNORED):
        signal.signal(signum, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT

OnEnd = Callable[[int, int], bool]
"""Called with `code` and `status` as in waitid. True: it is reaped. False: it stays a zombie until `release`."""


class Reaper:
    """Reaps ended children: those announced by `expect` as its callback says, adopted orphans at once."""

    def __init__(self) -> None:
        self.on_child_ended: Callable[[], None] = lambda: None
        """Called after children have ended, expected or not."""
        self._expected: dict[int, OnEnd] = {}
        self._held: set[int] = set()
        self._look = True

    def expect(self, pid: int, on_end: OnEnd) -> None:
        self._expected[pid] = on_end

    def child_ended(self) -> None:
        """SIGCHLD has arrived."""
        self._look = True

    def release(self, pid: int) -> None:
        """Reaps a held child; from now on its pid may be reused."""
        self._held.discard(pid)
        self._expected.pop(pid, None)
        os.waitpid(pid, 0)
        self._look = True  # it may have hidden other ended children

    def tick(self, now: float) -> float | None:
        if not self._look:
            return None
        self._look = False
        if not self._collect():
            return None
        self.on_child_ended()
        return now

    def _collect(self) -> bool:
        """Whether any child has ended since the last time."""
        found = False
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, _PEEK)
            except ChildProcessError:
                return found
            if ended is None:
                return found
            if ended.si_pid in self._held:
                break  # waitid would always return the same child, so each is asked for by its pid
            self._take(ended.si_pid, ended.si_code, ended.si_status)
            found = True
        for pid in [pid for pid in self._expected if pid not in self._held]:
            ended = os.waitid(os.P_PID, pid, _PEEK)
            if ended is not None:
                self._take(pid, ended.si_code, ended.si_status)
        return True

    def _take(self, pid: int, code: int, status: int) -> None:
        on_end = self._expected.get(pid)
        if on_end is not None:
            self._held.add(pid)  # also if the callback fails, because the child must not be reaped unnoticed
            if not on_end(code, status):
                return
            self._held.discard(pid)
            del self._expected[pid]
        os.waitpid(pid, 0)

"""Linux calls that Python 3.11 lacks: prctl, the nice value of a session, what was inherited, and a timer that runs
while the machine is suspended too."""

import ctypes
import os
import time
from collections.abc import Container

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_TFD_TIMER_ABSTIME = 1
_FAR_AWAY_S = 1e9

# Loaded before any fork, because a child between fork and exec must not load anything.
_libc = ctypes.CDLL(None, use_errno=True)
_libc.prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
_libc.timerfd_settime.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


def die_with_parent(signum: int, parent: int) -> bool:
    """Makes the kernel send `signum` when the parent dies. False if `parent` has died already."""
    _prctl(_PR_SET_PDEATHSIG, signum)
    return os.getppid() == parent


def hide_memory() -> None:
    """No other process of the same user may read this one's memory, environment or descriptors, or trace it; only root
    may. It leaves no core dump. Children have the same until they execute something."""
    _prctl(_PR_SET_DUMPABLE, 0)


def close_inherited(keep: Container[int]) -> None:
    """Closes what was open when this process was started, except 0 to 2 and `keep`."""
    for fd in [int(name) for name in os.listdir("/proc/self/fd")]:
        if fd > 2 and fd not in keep:
            try:
                os.close(fd)
            except OSError:
                pass  # the descriptor that the listing itself used


def adopt_orphans() -> None:
    """Makes this process, instead of init, the parent of every orphan below it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Sets what `ps -o comm` and `top` show; at most 15 bytes."""
    text = ctypes.create_string_buffer(name.encode()[:15])
    _prctl(_PR_SET_NAME, ctypes.addressof(text))


def be_nice(value: int) -> None:
    """Sets the nice value of this process and of its session, as far as that is permitted: only root may lower it.

    Where the kernel groups tasks by session (autogroup), that of a process counts among those of its session only.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, value)
        with open("/proc/self/autogroup", "wb", buffering=0) as session:
            session.write(b"%d" % value)
    except OSError:
        pass  # not permitted, or no such grouping


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class BootTimer:
    """A descriptor that becomes readable at a time of CLOCK_BOOTTIME.

    A timeout of select or epoll counts CLOCK_MONOTONIC, which stops while the machine is suspended: a lease that
    expired during suspend would be noticed only seconds after waking up. This timer fires at once.
    """

    def __init__(self) -> None:
        self._fd: int = _libc.timerfd_create(time.CLOCK_BOOTTIME, os.O_CLOEXEC | os.O_NONBLOCK)
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), f"timerfd_create: {os.strerror(ctypes.get_errno())}")
        self._armed: float | None = None

    def fileno(self) -> int:
        return self._fd

    def arm(self, when: float | None) -> None:
        """Fires at `when` (seconds since boot; at once if that is past); None: never. May also fire early."""
        if when == self._armed:
            return
        self._armed = when
        # interval (s, ns), then the time (s, ns); all zeros disarm
        nanoseconds = 0 if when is None else max(int(min(when, _FAR_AWAY_S) * 1e9), 1)
        spec = (ctypes.c_long * 4)(0, 0, *divmod(nanoseconds, 1_000_000_000))
        if _libc.timerfd_settime(self._fd, _TFD_TIMER_ABSTIME, ctypes.byref(spec), None) != 0:
            raise OSError(ctypes.get_errno(), f"timerfd_settime: {os.strerror(ctypes.get_errno())}")

    def acknowledge(self) -> None:
        """Acknowledges that it has fired; it must be armed again."""
        self._armed = None
        try:
            os.read(self._fd, 8)
        except BlockingIOError:
            pass  # armed again in the meantime


def sync_file_system(fd: int) -> None:
    """Writes all that is not yet on the disk of the file system with this descriptor. Raises OSError."""
    if _libc.syncfs(fd) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

"""The process between a daemon and an installer: it limits the installer, and ends its whole tree.

An installer starts processes of its own, some of which leave its session or outlive it. The keeper adopts them, so that
it can end them all: when the installer ends, when a limit is reached, when it is asked (SIGTERM), and when the daemon
dies, because the kernel then sends that signal. It writes one line with the outcome to the descriptor `report`:

    exit CODE | signal NUMBER | absent REASON | time | disk | memory | asked

Memory is measured, not reserved: Node.js reserves far more address space than it uses, so RLIMIT_AS would break it. The
measure is the resident memory of the whole tree, a page that processes share counted once for each.
"""

import json
import os
import resource
import signal
import sys
import time
from typing import Any, NoReturn

from nodeunit.process.disk_usage import disk_bytes
from nodeunit.process.linux import adopt_orphans, die_with_parent, set_name
from nodeunit.process.process_table import ProcessEntry, ProcessTable, kill_all, read_entry

_LOOK_EVERY_S = 0.5
_ASKED = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Runs what the JSON in the first argument says; `child.run` writes it."""
    order: dict[str, Any] = json.loads(sys.argv[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_ASKED, signal.SIGCHLD})
    if not die_with_parent(signal.SIGTERM, order["parent"]):
        return
    adopt_orphans()
    set_name("nodeunit-instal")
    report: int = order["report"]
    absent, in_child = os.pipe2(os.O_CLOEXEC)
    keeper = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(order, keeper, in_child)
    os.close(in_child)
    outcome = _watch(pid, order)
    _end_all()
    reason = os.read(absent, 1000)  # at its end, unless the installer could not be started
    os.write(report, b"absent " + reason if reason else outcome.encode())


def _become(order: dict[str, Any], keeper: int, absent: int) -> NoReturn:
    try:
        os.close(order["report"])
        os.setsid()
        if not die_with_parent(signal.SIGKILL, keeper):
            os._exit(127)
        _limit(resource.RLIMIT_CORE, 0)
        _limit(resource.RLIMIT_FSIZE, order["file_bytes"])
        # Python ignores SIGPIPE, and an ignored signal stays ignored after exec. A write beyond RLIMIT_FSIZE shall fail
        # with an error that the installer reports, so SIGXFSZ stays ignored.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.execvp(order["argv"][0], order["argv"])
    except OSError as error:
        os.write(absent, str(error).encode(errors="backslashreplace"))
    finally:
        os._exit(127)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, most))


def _watch(pid: int, order: dict[str, Any]) -> str:
    """Waits for the end of the installer or for a reason to end it."""
    give_up_at = time.monotonic() + order["time_s"]
    look_at = time.monotonic() + _LOOK_EVERY_S
    while True:
        wait_s = max(min(look_at, give_up_at) - time.monotonic(), 0)
        arrived = signal.sigtimedwait({*_ASKED, signal.SIGCHLD}, wait_s)
        if arrived is not None and arrived.si_signo != signal.SIGCHLD:
            return "asked"
        status = _reap().get(pid)
        if status is not None:
            code = os.waitstatus_to_exitcode(status)
            return f"exit {code}" if code >= 0 else f"signal {-code}"
        if time.monotonic() >= give_up_at:
            return "time"
        if time.monotonic() >= look_at:
            if _resident_bytes() > order["memory_bytes"]:
                return "memory"
            if sum(disk_bytes(directory) for directory in order["watched"]) > order["disk_bytes"]:
                return "disk"
            look_at = time.monotonic() + _LOOK_EVERY_S


def _reap() -> dict[int, int]:
    """Reaps every ended child, adopted ones included: pid to wait status."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended[pid] = status


def _below() -> list[ProcessEntry]:
    own = read_entry(os.getpid())
    below = ProcessTable.read().with_descendants([own] if own else [])
    return [entry for entry in below.values() if entry.alive and entry.pid != os.getpid()]


def _end_all() -> None:
    """Kills until nothing is left below, because a process may have forked before the signal reached it."""
    while left := _below():
        kill_all(left)
        signal.sigtimedwait({signal.SIGCHLD}, 0.01)
        _reap()


def _resident_bytes() -> int:
    total = 0
    for entry in _below():
        try:
            with open(f"/proc/{entry.pid}/statm", encoding="ascii") as file:
                total += int(file.read().split()[1]) * _PAGE
        except (OSError, IndexError):
            pass  # it has ended
    return total

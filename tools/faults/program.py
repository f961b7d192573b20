"""The program under test: it writes a beat every 20 ms into a journal of its own, and does nothing else.

Run as a file, by `python -I -S`, and standard library only: a trial runs dozens of them. The journal is append-only,
one file a process: a first line that says who runs and under which claim, then the moments of its beats in milliseconds
of CLOCK_BOOTTIME. Each line is one write, so SIGKILL loses at most the beat that was not due yet.

Three tempers: `plain` ends on SIGTERM; `stubborn` ignores it and has to be killed; `family` has a child in a session of
its own, which beats too and has no parent once its parent is dead.
"""

import os
import signal
import sys
import time

BEAT_S = 0.020


def main() -> None:
    """Beats until killed."""
    directory, temper = sys.argv[1:3]
    root = os.getpid()
    if temper == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if temper == "family" and os.fork() == 0:
        os.setsid()
    beat(directory, root)


def beat(directory: str, root: int) -> None:
    """The journal of this process; `root` is the pid that the supervisor knows."""
    deployment, version = os.environ["DEPLOYMENT_ID"], os.environ["NODEUNIT_CLAIM_VERSION"]
    path = os.path.join(directory, f"{deployment}.{version}.{os.getpid()}.{now_ms()}")
    journal = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC)
    address = os.environ["NODE_UNIT_ADDRESS"]
    os.write(journal, f"{deployment} {version} {address} {root} {os.getpid()}\n{now_ms()}\n".encode())
    while True:
        time.sleep(BEAT_S)
        os.write(journal, b"%d\n" % now_ms())


def now_ms() -> int:
    """The clock that every process of the machine shares and that cannot be set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


if __name__ == "__main__":
    main()

"""Programs that behave badly, each in its own way: `python3 -I -S adversaries.py NAME DIRECTORY`.

Each of their processes leaves a file in the directory, named by its pid, with its start time: so a test knows them all,
whatever they have hidden. Standard library only, because it runs without site-packages.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

FLOOD_PIECE = b"".join(b"%063d\n" % number for number in range(1024))
EATEN_BYTES = 200 * 1024 * 1024
MOST_CHILDREN = 5000
held: list[bytes] = []
"""What a process has eaten."""
MARK = "up"
"""What a program that stays writes into the file `MARK` once it is as bad as it gets."""


def witness(directory: Path) -> None:
    """This process tells that it lives."""
    start_time = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    _publish(directory / str(os.getpid()), start_time)


def stay(directory: Path) -> NoReturn:
    """Tells that all are there, and stays."""
    _publish(directory / MARK, str(os.getpid()))
    while True:
        signal.pause()


def ignores_term(directory: Path) -> None:
    """And everything else that can be ignored."""
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1):
        signal.signal(signum, signal.SIG_IGN)
    witness(directory)
    stay(directory)


def leaves_its_group(directory: Path) -> None:
    """A child in a process group of its own, which does not hear what its parent's group hears."""

    def leave() -> None:
        os.setpgid(0, 0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    _in_child(leave, directory)
    witness(directory)
    stay(directory)


def double_fork(directory: Path) -> None:
    """A daemon of the old school: no parent, no session, no terminal, and the first process has ended well."""
    if os.fork() == 0:
        os.setsid()
        _in_child(lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN), directory)
        os._exit(0)
    os.wait()
    _wait_for(directory, 1)


def hides(directory: Path) -> None:
    """A process without parent, session and environment of the program; the first process stays."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execve(sys.executable, [sys.executable, "-I", "-S", __file__, "ignores_term", str(directory)], {})
        os._exit(0)
    os.wait()
    witness(directory)
    _wait_for(directory, 2)
    stay(directory)


def exits_at_once(directory: Path) -> None:
    witness(directory)


def crashes_at_once(directory: Path) -> None:
    witness(directory)
    os.kill(os.getpid(), signal.SIGSEGV)


def floods(directory: Path) -> None:
    """Writes as fast as it is read, and counts in a file what it has written."""
    witness(directory)
    written = 0
    while True:
        for _ in range(64):
            written += os.write(1, FLOOD_PIECE)
        _publish(directory / "written", str(written))


def closes_its_output(directory: Path) -> None:
    for fd in (0, 1, 2):
        os.close(fd)
    witness(directory)
    stay(directory)


def prints_no_text(directory: Path) -> None:
    """Every byte there is, then a line of three MiB, then a line without an end."""
    witness(directory)
    _write(bytes(range(256)) * 16 + b"\n" + b"\xff" * (3 * 1024 * 1024) + b"\n\0no end")
    stay(directory)


def eats_memory(directory: Path) -> None:
    """A child in a session of its own holds half of it: it is the tree that has too much."""
    _in_child(os.setsid, directory, EATEN_BYTES // 2)
    witness(directory)
    _hold(EATEN_BYTES // 2)
    stay(directory)


def forks_without_end(directory: Path) -> None:
    """Every child stays. It does give up at a number that a test machine can bear, and at a limit of the kernel."""
    witness(directory)
    for _ in range(MOST_CHILDREN):
        try:
            if os.fork() == 0:
                witness(directory)
                signal.pause()
        except BlockingIOError:
            break
    stay(directory)


def counts(directory: Path) -> None:
    """Not bad at all: prints a number every twentieth of a second, and tells it."""
    witness(directory)
    number = 0
    while True:
        number += 1
        _write(b"%d\n" % number)
        _publish(directory / "counted", str(number))
        signal.sigtimedwait((), 0.05)


def _in_child(prepare: Callable[[], object], directory: Path, eat: int = 0) -> None:
    """Forks; the child prepares, tells that it lives, and stays, with so many bytes."""
    known, tell = os.pipe()
    if os.fork() == 0:
        prepare()
        witness(directory)
        _hold(eat)
        os.write(tell, b".")
        while True:
            signal.pause()
    os.read(known, 1)


def _hold(size: int) -> None:
    held.append(os.urandom(size))


def _wait_for(directory: Path, witnesses: int) -> None:
    while len([path for path in directory.iterdir() if path.name.isdigit()]) < witnesses:
        signal.sigtimedwait((), 0.01)


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _publish(path: Path, text: str) -> None:
    """A reader finds all of the text or none."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.rename(path)


if __name__ == "__main__":
    globals()[sys.argv[1]](Path(sys.argv[2]))

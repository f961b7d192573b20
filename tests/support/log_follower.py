"""`nodeunit logs` as a process, and what it has printed so far."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.waiting import wait_until


class Follower:
    """A started `nodeunit logs`."""

    def __init__(self, process: "subprocess.Popen[bytes]", directory: Path) -> None:
        self.process = process
        self._out, self._err = directory / "follower.out", directory / "follower.err"

    @property
    def printed(self) -> bytes:
        return self._out.read_bytes()

    @property
    def said(self) -> str:
        return self._err.read_text()

    def lines(self) -> list[bytes]:
        """The whole lines, without the row and the unit before each."""
        whole = self.printed.rpartition(b"\n")[0]
        return [line.partition(b" | ")[2] for line in whole.split(b"\n")] if whole else []

    def wait_for(self, line: bytes, times: int = 1, within_s: float = 30.0) -> None:
        wait_until(
            lambda: self.lines().count(line) >= times or self.process.poll() is not None,
            within_s=within_s,
            what=f"{line!r} is printed {times} times; it says: {self.said}",
        )
        assert self.lines().count(line) >= times, self.said

    def interrupt(self) -> int:
        """As a person does. Returns its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)


@contextmanager
def follower(database: str, directory: Path, *arguments: str, before: tuple[str, ...] = ()) -> Iterator[Follower]:
    """Runs `nodeunit logs ARGUMENTS`, in a new directory below `directory`; `before` are words before its command."""
    own = directory / f"follower-{len(list(directory.glob('follower-*')))}"
    own.mkdir()
    with (own / "follower.out").open("wb") as out, (own / "follower.err").open("wb") as err:
        process = subprocess.Popen(
            [*before, sys.executable, "-P", "-m", "nodeunit", "logs", "--database", database, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            cwd=own,
            env={"PATH": os.environ["PATH"], "HOME": os.fspath(own)},
        )
    try:
        yield Follower(process, own)
    finally:
        process.kill()
        process.wait()


@contextmanager
def database_socket(database: str, directory: Path) -> Iterator[str]:
    """The conninfo of a socket file that leads to a database, for a process without a network."""
    parts = conninfo_to_dict(database)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(os.fspath(directory / ".s.PGSQL.5432"))
    listener.listen()

    ends: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                inside, _ = listener.accept()
            except OSError:
                return
            outside = socket.create_connection((str(parts["host"]), int(str(parts["port"]))))
            ends.extend((inside, outside))
            for pair in ((inside, outside), (outside, inside)):
                threads.append(threading.Thread(target=_copy, args=pair))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield make_conninfo(database, host=os.fspath(directory), port=5432)
    finally:
        _shut(listener)
        accepting.join()
        for end in ends:
            _shut(end)
        for thread in threads:
            thread.join()
        for end in (listener, *ends):
            end.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
    except OSError:
        pass
    finally:
        _shut(source)
        _shut(target)


def _shut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the other side was first

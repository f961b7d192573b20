"""A supervisor under test: run in earnest, with a scriptable process in the daemon's place.

Run as a file, this is that daemon: it copies lines between its link and a socket of the test, so that the test says and
hears word by word what a daemon would, and can freeze or kill a real process. Lines that begin with `!` are for itself.
Imported, it is the test's side.
"""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

WITHIN_S = 10.0
ADDRESS = f"TestUnit{os.getpid()}"  # no other run of the tests may find, or end, what this one started
PASSWORD = "a password that nobody may see"
CHECKOUT = Path(__file__).resolve().parents[2]

Message = dict[str, Any]


def key(number: int = 1) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def boottime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Daemon:
    """The test's end of one daemon process: what it sends the daemon says, what the daemon is told it receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.patience_s = WITHIN_S
        self._rest = b""
        self.heard: list[Message] = []
        """Events that no `expect` has asked for."""
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.pid: int = struct.unpack("3i", credentials)[0]

    def say(self, op: str, **fields: Any) -> None:
        self.say_raw(json.dumps({"op": op, **fields}).encode() + b"\n")

    def say_raw(self, data: bytes) -> None:
        """Raises TimeoutError when the daemon cannot pass it on, because the supervisor does not listen."""
        self._connection.settimeout(self.patience_s)
        self._connection.sendall(data)

    def leave_with(self, exit_code: int) -> None:
        """Have the daemon exit."""
        self.say_raw(f"!exit {exit_code}\n".encode())

    def stop_reading(self) -> None:
        """The daemon no longer reads its link, but still sends."""
        self.say_raw(b"!deaf\n")

    def expect(self, event: str, *, within_s: float = WITHIN_S, **fields: Any) -> Message:
        """The first event of this name and with these fields, past or to come."""
        deadline = time.monotonic() + within_s
        while True:
            for message in self.heard:
                if message["event"] == event and all(message.get(name) == value for name, value in fields.items()):
                    self.heard.remove(message)
                    return message
            self._receive(deadline, f"{event} {fields}")

    def _receive(self, deadline: float, what: str) -> None:
        left_s = deadline - time.monotonic()
        assert left_s > 0, f"not told of {what}; but of {self.heard}"
        self._connection.settimeout(left_s)
        try:
            data = self._connection.recv(65536)
        except TimeoutError:
            return
        assert data, f"the daemon is gone, and was not told of {what}; but of {self.heard}"
        *lines, self._rest = (self._rest + data).split(b"\n")
        self.heard.extend(json.loads(line) for line in lines)

    def spawn(self, argv: list[str], number: int = 1, *, on_disconnect: str = "keep", **fields: Any) -> None:
        """Ask for a program without waiting for an answer."""
        env = {"PATH": os.environ["PATH"], "NODE_UNIT_ADDRESS": ADDRESS, "DEPLOYMENT_ID": key(number)}
        request = {"argv": argv, "env": env, "on_disconnect": on_disconnect, "grace_s": 5.0, "meta": {"revision": 1}}
        self.say("spawn", key=key(number), **(request | fields))

    def start(self, argv: list[str], number: int = 1, **fields: Any) -> Message:
        """Start a program; returns the `started` event."""
        self.spawn(argv, number, **fields)
        return self.expect("started", key=key(number))

    def start_python(self, code: str, number: int = 1, **fields: Any) -> Message:
        """A program that runs `code`."""
        return self.start([sys.executable, "-I", "-S", "-u", "-c", code], number, **fields)

    def grant_lease(self, seconds: float) -> float:
        """Tells the supervisor when the lease expires, and waits until it has read that; returns the time."""
        expires = boottime() + seconds
        self.say("lease", expires_boottime=expires)
        self.say("spawn", key="nothing")
        self.expect("spawn_failed", key="nothing")
        return expires

    def close(self) -> None:
        self._connection.close()


class SupervisedUnit:
    """A running supervisor; `settings` are its own, `before` is code that is run in its process first.

    Each daemon that it starts connects here: `next_daemon` waits for it and its `hello`.
    """

    def __init__(self, directory: Path, *, before: str = "", **settings: Any) -> None:
        self.log_directory = directory / "logs"
        self.log = directory / "supervisor.stderr"
        control = directory / f"control-{time.monotonic_ns()}"
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(control))
        self._listener.listen()
        self._listener.settimeout(WITHIN_S)
        self._daemons: list[Daemon] = []
        supervisor = {
            "address": ADDRESS,
            "log_directory": str(self.log_directory),
            "daemon_argv": [sys.executable, "-I", "-S", __file__, str(control)],
            "stop_grace_s": 2.0,
        }
        code = f"{before}\nfrom nodeunit.supervisor.bootstrap import exec_supervisor as run\n"
        code += f"run({supervisor | settings!r}, {{'password': {PASSWORD!r}}})"
        environment = {"PATH": os.environ["PATH"], "HOME": "/", "SECRET": PASSWORD, "PYTHONPATH": str(CHECKOUT)}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                cwd=CHECKOUT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def pid(self) -> int:
        return self.process.pid

    def next_daemon(self, *, ready: bool = True) -> tuple[Daemon, Message]:
        """The next daemon that the supervisor starts, and the `hello` that it was given."""
        try:
            connection, _ = self._listener.accept()
        except TimeoutError:
            raise AssertionError(f"no daemon was started; the supervisor says: {self.said()}") from None
        daemon = Daemon(connection)
        self._daemons.append(daemon)
        hello = whole_hello(daemon)
        if ready:
            daemon.say("ready")
        return daemon, hello

    def said(self) -> str:
        """What the supervisor has written on standard error."""
        return self.log.read_text()

    def log_of(self, number: int = 1, generation: str = "") -> Path:
        return self.log_directory / ADDRESS[:8] / f"{key(number)}.log{generation}"

    def printed(self, number: int = 1) -> str:
        """What has been written of a program's output. It comes later than its exit, from a process of its own."""
        log = self.log_of(number)
        return log.read_text() if log.exists() else ""

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)

    def wait(self, within_s: float = WITHIN_S) -> int:
        """The supervisor's exit code."""
        return self.process.wait(within_s)

    def close(self) -> None:
        """End it and all that it started, whatever state the test left it in."""
        for daemon in self._daemons:
            daemon.close()
        self._listener.close()
        if self.process.poll() is None:
            tree = self.descendants()
            for pid in (self.pid, *tree):
                _signal_if_there(pid, signal.SIGCONT)
            self.process.kill()
            self.process.wait()
            for pid in tree:
                _signal_if_there(pid, signal.SIGKILL)

    def descendants(self) -> list[int]:
        """The pids below the supervisor."""
        parents = {pid: parent_of(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
        found, ends = [], [self.pid]
        while ends:
            above = ends.pop()
            below = [pid for pid, parent in parents.items() if parent == above]
            found += below
            ends += below
        return found


def whole_hello(daemon: Daemon) -> Message:
    """The `hello` with all its parts."""
    hello = daemon.expect("hello")
    part = hello
    while part.pop("more", False):
        part = daemon.expect("hello_more")
        hello["programs"] += part["programs"]
        hello["reports"] += part["reports"]
        hello["states"] |= part["states"]
    return hello


@contextmanager
def supervised_unit(directory: Path, **settings: Any) -> Iterator[SupervisedUnit]:
    unit = SupervisedUnit(directory, **settings)
    try:
        yield unit
    finally:
        unit.close()


def parent_of(pid: int) -> int | None:
    """The parent of a process that is alive; None for a zombie, or when there is none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[1])


def is_alive(pid: int) -> bool:
    return parent_of(pid) is not None


def environment_of(pid: int) -> Mapping[str, str]:
    items = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(item.split("=", 1) for item in items if item)


def _signal_if_there(pid: int, signum: int) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        pass


def _be_the_daemon(control_path: str, link_fd: int) -> None:
    """Copy lines both ways until either end is closed."""
    link = socket.socket(fileno=link_fd)
    control = socket.socket(socket.AF_UNIX)
    control.connect(control_path)
    sources, rest = [link, control], b""
    while True:
        ready, _, _ = select.select(sources, [], [])
        if link in ready:
            told = link.recv(65536)
            if not told:
                return
            control.sendall(told)
        if control in ready:
            data = control.recv(65536)
            if not data:
                sources.remove(control)
                continue
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                if line.startswith(b"!exit "):
                    os._exit(int(line.split()[1]))
                if line == b"!deaf":
                    sources.remove(link)
                else:
                    link.sendall(line + b"\n")


if __name__ == "__main__":
    _be_the_daemon(sys.argv[1], int(sys.argv[sys.argv.index("--link-fd") + 1]))

"""One unit as a process, as it is run in earnest, and the pids that faults are aimed at."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import psutil

from nodeunit.identity import address_of
from tools.faults.build import Build
from tools.faults.unread import Reader

END_WITHIN_S = 20.0

PASSWORD = f"of {os.getpid()}"
"""Another one in each process, because fleets that run at the same time must not end each other's processes."""


class Unit:
    """A unit that can be started again under the same identity. Its environment holds nothing but its settings."""

    def __init__(self, name: str, build: Build, directory: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.address = address_of(name, PASSWORD)
        self.log_path = directory / f"{name}.log"
        self.log: Reader | None = None
        """What reads its standard error; None before the first start."""
        self._build = build
        self._directory = directory / name
        self._directory.mkdir(parents=True, exist_ok=True)
        self._settings = dict(settings)
        self._wrapper: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: set[int] = set()
        self.asked_to_end = False
        """Whether it was asked to drain since it was started."""

    def wrap(self, *command: str) -> None:
        """From the next start on, run below this command, which has to exec what follows it."""
        self._wrapper = command

    def start(self) -> None:
        """Returns at once; nothing happens while it runs."""
        if self.running:
            return
        self.asked_to_end = False
        environment = {"NODE_UNIT_NAME": self.name, "NODE_UNIT_PASSWORD": PASSWORD, **self._settings}
        if self.log is not None:
            self.log.close()
        self.log = Reader(self.log_path)
        self._process = subprocess.Popen(
            [*self._wrapper, os.fspath(self._build.python), "-P", "-m", "nodeunit", "run"],
            env=environment, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=self.log.fd, stderr=self.log.fd,
            start_new_session=True,
        )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether the supervisor is there; reaps it if not."""
        return self._process is not None and self._process.poll() is None

    @property
    def supervisor(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def daemon(self) -> int | None:
        """The pid of the daemon, if there is one at this moment."""
        return next((c.pid for c in self._children() if "nodeunit.daemon" in _arguments(c)), None)

    @property
    def guard(self) -> int | None:
        return next((c.pid for c in self._children() if _name(c) == "nodeunit-guard"), None)

    @property
    def log_writer(self) -> int | None:
        return next((c.pid for c in self._children() if _name(c) == "nodeunit-log"), None)

    def everything(self) -> list[int]:
        """Supervisor and all below it."""
        try:
            below = psutil.Process(self.supervisor).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [self.supervisor, *(process.pid for process in below)]

    def left_over(self) -> list[str]:
        """What runs in this unit's directory and below no living supervisor of it: pid and name of each process."""
        own = set(self.everything()) if self.running else set()
        return [f"{pid} {name}" for pid, name in processes_in(self._directory) if pid not in own]

    def signal(self, signum: int, *pids: int | None) -> None:
        """To each that is there, one right after the other."""
        for pid in pids:
            try:
                if pid is not None:
                    os.kill(pid, signum)
            except ProcessLookupError:
                pass  # an earlier fault was faster

    def kill(self, *pids: int | None) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL, *pids)

    def kill_supervisor(self, *also: int | None) -> None:
        """SIGKILL to the supervisor, and right after it to others; nothing when it has ended."""
        if self.running:
            self.kill(self.supervisor, *also)

    def freeze(self, *pids: int | None) -> None:
        """SIGSTOP, until `thaw`."""
        self.signal(signal.SIGSTOP, *pids)
        self._frozen.update(pid for pid in pids if pid is not None)

    def thaw(self) -> None:
        """SIGCONT to whatever is still there."""
        self.signal(signal.SIGCONT, *self._frozen)
        self._frozen.clear()

    def terminate(self) -> None:
        """Ask it to drain."""
        if self.running:
            self.asked_to_end = True
            self.signal(signal.SIGTERM, self.supervisor)

    def reload(self) -> None:
        """Ask it for a new daemon."""
        if self.running:
            self.signal(signal.SIGHUP, self.supervisor)

    def wait(self, within_s: float = END_WITHIN_S) -> int:
        """Its exit code; raises TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(within_s)

    def ends_within(self, within_s: float) -> bool:
        """Whether the supervisor ends in time."""
        try:
            self.wait(within_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self) -> None:
        """Kill it with all that is below, and wait until it is gone."""
        if self._process is None:
            return
        self.thaw()
        processes = []
        for pid in self.everything() if self.running else []:
            with suppress(psutil.NoSuchProcess):
                processes.append(psutil.Process(pid))
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        for pid, _ in processes_in(self._directory):
            self.kill(pid)
        psutil.wait_procs(processes, timeout=5)
        if self.log is not None:
            self.log.close()
            self.log = None

    def daemon_within(self, within_s: float) -> int:
        """The daemon's pid, waited for. Raises TimeoutError."""
        give_up_at = time.monotonic() + within_s
        while (pid := self.daemon) is None:
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{self.name} has no daemon")
            time.sleep(0.02)
        return pid

    def _children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.supervisor).children()
        except psutil.NoSuchProcess:
            return []


def _arguments(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return []


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:
        return ""


def processes_in(directory: Path) -> list[tuple[int, str]]:
    """Pid and command of every living process whose working directory this is: supervisor, daemon, guard, programs."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.readlink(f"/proc/{process.pid}/cwd") == os.fspath(directory):
                found.append((process.pid, " ".join(process.cmdline())[-80:] or process.name()))
        except (OSError, psutil.NoSuchProcess):
            continue  # gone, or a zombie, which has no directory
    return found

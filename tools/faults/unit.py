"""One unit as a process, as it is run in earnest, and the pids that faults are aimed at."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from nodeunit.identity import address_of
from tools.faults.build import Build

END_WITHIN_S = 20.0


class Unit:
    """A unit that can be started again under the same identity. Its environment holds nothing but its settings."""

    def __init__(self, name: str, build: Build, directory: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.address = address_of(name, name)
        self.log_path = directory / f"{name}.log"
        self._build = build
        self._directory = directory
        self._settings = dict(settings)
        self._wrapper: tuple[str, ...] = ()
        self._process: subprocess.Popen[bytes] | None = None
        self._frozen: set[int] = set()

    def wrap(self, *command: str) -> None:
        """From the next start on, run below this command, which has to exec what follows it."""
        self._wrapper = command

    def start(self) -> None:
        """Returns at once; nothing happens while it runs."""
        if self.running:
            return
        environment = {"NODE_UNIT_NAME": self.name, "NODE_UNIT_PASSWORD": self.name, **self._settings}
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._wrapper, os.fspath(self._build.python), "-P", "-m", "nodeunit", "run"],
                env=environment, cwd=self._directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
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

    def everything(self) -> list[int]:
        """Supervisor and all below it."""
        try:
            below = psutil.Process(self.supervisor).children(recursive=True)
        except psutil.NoSuchProcess:
            return []
        return [self.supervisor, *(process.pid for process in below)]

    def kill(self, *pids: int | None) -> None:
        """SIGKILL, one right after the other."""
        for pid in pids:
            if pid is not None:
                os.kill(pid, signal.SIGKILL)

    def freeze(self, *pids: int | None) -> None:
        """SIGSTOP, until `thaw`."""
        for pid in pids:
            if pid is not None:
                os.kill(pid, signal.SIGSTOP)
                self._frozen.add(pid)

    def thaw(self) -> None:
        """SIGCONT to whatever is still there."""
        for pid in self._frozen:
            try:
                os.kill(pid, signal.SIGCONT)
            except ProcessLookupError:
                pass  # killed in the meantime, by its supervisor or by us
        self._frozen.clear()

    def terminate(self) -> None:
        """Ask it to drain."""
        os.kill(self.supervisor, signal.SIGTERM)

    def wait(self, within_s: float = END_WITHIN_S) -> int:
        """Its exit code; raises TimeoutExpired."""
        assert self._process is not None
        return self._process.wait(within_s)

    def end(self) -> None:
        """Kill it with all that is below, and wait until it is gone."""
        if self._process is None:
            return
        self.thaw()
        tree = self.everything() if self.running else []
        processes = [psutil.Process(pid) for pid in tree if psutil.pid_exists(pid)]
        for process in processes:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        psutil.wait_procs(processes, timeout=5)

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

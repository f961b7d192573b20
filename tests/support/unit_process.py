"""A real unit: `python -m nodeunit run` as a process, in an environment of nothing but settings."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from nodeunit.identity import address_of
from tests.support.waiting import wait_until

GRACE_S = 15.0

NOWHERE = {"NODE_UNIT_NPM_REGISTRY": "http://127.0.0.1:9/", "NODE_UNIT_PYTHON_INDEX": "http://127.0.0.1:9/simple/"}
"""No registry: a test says which one it means, because the names in rows are real names elsewhere."""


class UnitProcess:
    """A started unit: the process is its supervisor; daemon and programs are its descendants."""

    def __init__(
        self,
        settings: Mapping[str, str],
        directory: Path,
        module: str,
        python: str,
        starter: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.settings = dict(settings)
        self.name = settings["NODE_UNIT_NAME"]
        self.address = address_of(self.name, settings["NODE_UNIT_PASSWORD"])
        self.log_path = directory / f"{self.name}.log"
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*starter, python, "-P", "-m", module, "run"],
                env=self.settings,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=pass_fds,
            )
        self._root = psutil.Process(self.process.pid)

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def log(self) -> str:
        """All that supervisor and daemon have written so far."""
        return self.log_path.read_text(errors="replace")

    def descendants(self) -> list[psutil.Process]:
        """Daemon, programs and theirs, as long as the supervisor lives."""
        try:
            return self._root.children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def terminate(self) -> None:
        """Ask it to drain."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self, within_s: float = GRACE_S) -> int:
        """Its exit code; raises TimeoutExpired."""
        return self.process.wait(within_s)

    def end(self) -> None:
        """Drain; after the grace period kill what is left of exactly this tree."""
        tree = self.descendants()
        if self.process.poll() is None:
            self.terminate()
            try:
                self.wait()
            except subprocess.TimeoutExpired:
                tree += self.descendants()
                self.process.kill()
                self.process.wait()
        for process in filter(is_alive, tree):
            process.kill()
        wait_until(lambda: not any(map(is_alive, tree)), within_s=5, what=f"all of {self.name} is gone")


def is_alive(process: psutil.Process) -> bool:
    """Whether this very process still runs: neither a later one with its pid, nor a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def unit_process(
    database: str,
    directory: Path,
    *,
    name: str = "unit-1",
    module: str = "nodeunit",
    python: str = sys.executable,
    starter: Sequence[str] = (),
    pass_fds: Sequence[int] = (),
    **settings: str,
) -> Iterator[UnitProcess]:
    """Run a unit against `database` until the block ends; `settings` are environment variables, unchanged.

    Unless given, its password is one of this process, because a test of another process must not end its programs.
    Programs may run, and its log files are kept in `directory`. `python` is the interpreter of another build, `starter`
    a command that starts it, `pass_fds` what it leaves open.
    """
    environment = {
        "POSTGRES_URI": database,
        "NODE_UNIT_NAME": name,
        "NODE_UNIT_PASSWORD": f"{name} of {os.getpid()}",
        "NODE_UNIT_LOG_DIR": os.fspath(directory / "logs"),
        "NODE_UNIT_WORKSPACE": os.fspath(directory / "workspaces" / name),
        **NOWHERE,
        "ENABLE_CUSTOM_COMMAND": "true",
        "TRUSTED_PACKAGE_REGEXP": ".*",
    } | settings
    unit = UnitProcess(environment, directory, module, python, starter, pass_fds)
    try:
        yield unit
    finally:
        unit.end()

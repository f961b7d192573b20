"""The units of the demo: real units as processes, with only their settings in the environment."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nodeunit.errors import DemoFailed
from nodeunit.identity import address_of
from nodeunit.process.leftovers import find_leftovers

STOP_WITHIN_S = 30.0
KILLED_WITHIN_S = 5.0
LOOK_EVERY_S = 0.02

# `python -m nodeunit` finds only an installed package; a checkout is added here, last, so that it hides nothing.
_START = "import sys; sys.path.append({!r}); from nodeunit.cli import main; main()"


class DemoUnit:
    """One unit. Its name is also its password, so that its address is that of the original report."""

    def __init__(self, number: int, settings: dict[str, str], directory: Path) -> None:
        self.name = f"node-unit-{number}"
        self.address = address_of(self.name, self.name)
        self.log_path = directory / f"{self.name}.log"
        self.log_directory = directory / "logs" / self.address[:8]
        """The directory for the output of its programs."""
        environment = {
            **settings,
            "NODE_UNIT_NAME": self.name,
            "NODE_UNIT_PASSWORD": self.name,
            "NODE_UNIT_LOG_DIR": os.fspath(directory / "logs"),
            "NODE_UNIT_WORKSPACE": os.fspath(directory / "workspaces" / self.name),
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START.format(str(Path(__file__).parents[2])), "run"],
                env=environment,
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach only the demo, which ends the units properly
            )

    def require_alive(self) -> None:
        """Raises DemoFailed, with the end of the unit's log, if it has ended."""
        code = self.process.poll()
        if code is not None:
            raise DemoFailed(f"{self.name} ended with exit code {code}: {self.last_words()}")

    def last_words(self) -> str:
        """The end of its own log."""
        lines = self.log_path.read_text("utf-8", errors="replace").split("\n")
        return " / ".join(line for line in lines[-4:] if line) or "its log is empty"


class DemoFleet:
    """All units. `stop` drains them; leaving the context without it kills what still runs."""

    def __init__(self, in_a_hurry: Callable[[], bool]) -> None:
        self.units: list[DemoUnit] = []
        self.names: dict[str, str] = {}
        """By address."""
        self._in_a_hurry = in_a_hurry

    def start(self, settings: dict[str, str], directory: Path) -> None:
        """Starts one more unit."""
        unit = DemoUnit(len(self.units) + 1, settings, directory)
        self.units.append(unit)
        self.names[unit.address] = unit.name

    def require_alive(self) -> None:
        """Raises DemoFailed if a unit has ended."""
        for unit in self.units:
            unit.require_alive()

    def log_of(self, address: str, deployment_id: object) -> Path:
        """The output of a program."""
        (unit,) = (unit for unit in self.units if unit.address == address)
        return unit.log_directory / f"{deployment_id}.log"

    def stop(self) -> None:
        """Sends Sends SIGTERM to all; returns when all have left.

        Raises DemoFailed if one is late or leaves processes behind, KeyboardInterrupt if the person is in a hurry.
        """
        self._signal(signal.SIGTERM)
        give_up_at = time.monotonic() + STOP_WITHIN_S
        while any(unit.process.poll() is None for unit in self.units):
            if time.monotonic() > give_up_at:
                late = next(unit for unit in self.units if unit.process.poll() is None)
                raise DemoFailed(f"{late.name} does not end within {STOP_WITHIN_S:.0f} s: {late.last_words()}")
            if self._in_a_hurry():
                raise KeyboardInterrupt
            time.sleep(LOOK_EVERY_S)
        for unit in self.units:
            if unit.process.returncode:
                raise DemoFailed(f"{unit.name} ended with {unit.process.returncode}: {unit.last_words()}")
            if left := find_leftovers(unit.address):
                raise DemoFailed(f"{unit.name} left processes behind: {[one.entry.pid for one in left]}")

    def end(self) -> None:
        """Ends the remaining units: by a drain, unless that takes too long or the person is in a hurry."""
        try:
            self.stop()
        except (DemoFailed, KeyboardInterrupt):
            self._signal(signal.SIGKILL)
            for unit in self.units:
                unit.process.wait()
            give_up_at = time.monotonic() + KILLED_WITHIN_S
            while any(find_leftovers(unit.address) for unit in self.units) and time.monotonic() < give_up_at:
                time.sleep(LOOK_EVERY_S)

    def _signal(self, signum: int) -> None:
        for unit in self.units:
            unit.process.send_signal(signum)  # has no effect on a reaped one


@contextmanager
def demo_fleet(
    number: int,
    settings: dict[str, str],
    directory: Path,
    *,
    keep: bool,
    in_a_hurry: Callable[[], bool] = lambda: False,
) -> Iterator[DemoFleet]:
    """Starts the units. They end with the block; with `keep` only if it ends with an error."""
    fleet = DemoFleet(in_a_hurry)
    try:
        for _ in range(number):
            fleet.start(settings, directory)
        yield fleet
    except BaseException:
        fleet.end()
        raise
    if not keep:
        fleet.end()

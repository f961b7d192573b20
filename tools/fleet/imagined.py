"""The supervisor and the machine of a simulated unit: programs start and end without a process.

The daemon's side of the link is the real one, so reconciler, outbox and process events work as they do on a machine.
"""

import asyncio
import os
import random
from collections.abc import Callable, Mapping
from typing import Any

from nodeunit.clock import boottime
from nodeunit.daemon.disk_sampler import DiskSizes
from nodeunit.daemon.supervisor_link import Message, SupervisorLink
from nodeunit.domain.policy import Usage
from nodeunit.process.sampler import Sample
from nodeunit.supervisor.protocol import Op

SETTLED_S = 0.5
"""As the sampler, which knows no usage of a younger program."""

IDLE = Usage(0.3, 45.0)
"""What a unit without programs uses."""

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class ImaginedSupervisor(SupervisorLink):
    """Answers the daemon at once; `receive` gets the answers in the next turn of the loop, as from a socket."""

    def __init__(self, seed: int) -> None:
        self.receive: Callable[[Message], None] = lambda _: None
        self._pids = random.Random(seed)
        self._reports = 0
        self._running: dict[str, dict[str, Any]] = {}

    def send(self, message: Op) -> None:
        """Does what the daemon asks for."""
        match message["op"]:
            case "spawn":
                self._spawn(message["key"], message["meta"])
            case "stop":
                self._stop(message)
            case "probe":
                self._answer({"event": "probed", "lacks": ""})

    async def flush(self) -> None:
        """Nothing waits."""

    def _spawn(self, key: str, meta: Mapping[str, Any]) -> None:
        start_time = int(boottime() * _TICKS_PER_S)
        program = {"key": key, "pid": self._pids.randrange(2, 4_000_000), "start_time": start_time, "meta": meta}
        self._running[key] = program
        self._report({"event": "started", **program})

    def _stop(self, message: Mapping[str, Any]) -> None:
        program = self._running.pop(message["key"], None)
        if program is None:
            return
        ran_s = round(boottime() - program["start_time"] / _TICKS_PER_S, 3)
        ended = {"event": "exited", "exit_code": 0, "signal": None, "ran_s": ran_s, "stopped": True, "cause": "stop"}
        self._report({**program, **ended, "because": message.get("because", ""), "detail": message.get("detail", "")})

    def _report(self, report: dict[str, Any]) -> None:
        self._reports += 1
        self._answer({**report, "id": self._reports})

    def _answer(self, message: Message) -> None:
        asyncio.get_running_loop().call_soon(lambda: self.receive(message))


class ImaginedMachine:
    """Stands for the sampler: what the programs of a unit use on its machine, and when it is known.

    `slowness` multiplies the CPU of every program, and what the machine does besides; `lag_s`: samples are that old.
    """

    def __init__(self, slowness: float = 1.0, lag_s: float = 0.0) -> None:
        self._slowness = slowness
        self._lag_s = lag_s

    def sample(self, processes: Mapping[str, tuple[int, int]]) -> Sample:
        """As `Sampler.sample`, of programs by key with pid and start time."""
        now = boottime()
        ages = {key: now - started / _TICKS_PER_S for key, (_, started) in processes.items()}
        known = {key: self._usage(key) for key, age in ages.items() if age >= self._lag_s}
        unit = Usage(IDLE.cpu_percent * self._slowness, IDLE.memory_mb)
        for used in known.values():
            unit += used
        settled = {key: used for key, used in known.items() if ages[key] >= max(SETTLED_S, self._lag_s)}
        return Sample(unit, settled)

    def _usage(self, key: str) -> Usage:
        """Of one program: the same at each look, a little different from others of its package."""
        some = random.Random(key)
        return Usage(0.1 * some.uniform(0.8, 1.2) * self._slowness, 40 * some.uniform(0.95, 1.05))


class NoDisk:
    """Stands for the disk sampler: nothing was looked at."""

    def take(self) -> DiskSizes | None:
        """None, as between two looks."""
        return None

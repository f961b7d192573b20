"""What the daemon knows of a program that runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from nodeunit.daemon.process_events import Claim, claim_of


class MeasuredLimits(NamedTuple):
    """The limits of a program that have to be measured. None: no limit, or one that the kernel keeps."""

    memory_mb: int | None = None
    processes: int | None = None
    """Processes and threads."""


NOTHING_MEASURED = MeasuredLimits()


@dataclass
class LiveProgram:
    """A program that the supervisor was asked to start and has not reported as ended."""

    claim: Claim
    pid: int = 0
    start_time: int = 0
    """The start time in clock ticks since boot; with the pid it identifies the process."""
    grace_s: float | None = None
    """Seconds from the stop signal to SIGKILL; None: not known, as the unit is set."""
    limits: MeasuredLimits = NOTHING_MEASURED
    stopping: bool = False
    said_to_stop: bool = False
    because: str = ""
    """The failure that it is stopped for, and what is known of it for people."""
    detail: str = ""
    meta: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """What it was started with, as far as a later daemon needs it."""

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> "LiveProgram":
        """Of a program that has started, or that is listed in `hello`."""
        meta, kept = report["meta"], report.get("kept", [])
        limits = MeasuredLimits(
            None if "memory" in kept else meta.get("memory_limit_mb"),
            None if "processes" in kept else meta.get("process_limit"),
        )
        return cls(claim_of(report), report["pid"], report["start_time"], meta.get("grace_s"), limits, meta=meta)

"""What a supervisor is told: a JSON object in memory that belongs to no file system, neither argument nor environment.

    {"supervisor": {"address": …, "log_directory": …, "daemon_argv": […], …}, "daemon": {…}}

The second part, with the password in it, is the daemon's own; the supervisor hands it on unread.
"""

import json
import os
from typing import Any, NamedTuple

from nodeunit.process.rotating_log import MAX_BYTES


class SupervisorSettings(NamedTuple):
    """Durations in seconds."""

    address: str
    """The unit's public address: the mark of its programs, and by its first eight characters the name of their log
    directory below `log_directory`."""
    log_directory: str
    daemon_argv: list[str]
    """The daemon's command; `--settings-fd N --link-fd M` is appended."""
    stop_grace_s: float = 10.0
    """The longest grace period when the supervisor itself ends the programs."""
    drain_timeout_s: float = 60.0
    """How long the daemon may take to drain, before the supervisor ends the programs without it."""
    daemon_silence_s: float = 20.0
    """How long a daemon that has promised to be heard may be silent before it is killed and replaced."""
    control_groups: bool = True
    """Whether to put each program into a control group of its own, where that is permitted."""
    log_max_bytes: int = MAX_BYTES
    """A program's log is rotated at this size."""

    @classmethod
    def read(cls, fd: int) -> "SupervisorSettings":
        """From the beginning of `fd`, which stays open. Raises ValueError or TypeError for what no `nodeunit` wrote."""
        values: dict[str, Any] = json.loads(os.pread(fd, os.fstat(fd).st_size, 0))["supervisor"]
        return cls(**values)

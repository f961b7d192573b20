"""What a row says about its program beyond package, command, args and env. Every field is optional and has the name of
its column; constraints of the table check the values."""

from typing import Literal

import msgspec


class ProgramOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The options of one row, and their defaults."""

    cwd: str = ""
    """The working directory; empty: that of the package, or one of the deployment's own."""
    stop_grace_s: float | None = None
    """Seconds from the stop signal to SIGKILL; None: as the unit is set."""
    stop_signal: Literal["TERM", "INT", "QUIT", "HUP", "USR1", "USR2"] = "TERM"
    memory_limit_mb: int | None = None
    """MiB of the whole process tree."""
    cpu_weight: int | None = None
    """The share of CPU in comparison with other programs, as `cpu.weight` of cgroup v2: 1 to 10000; None: 100."""
    process_limit: int | None = None
    """How many processes and threads the tree may have."""
    restart: Literal["always", "on_failure", "never"] = "always"
    restart_limit: int | None = None
    """How often it is started again without a healthy run in between; then it is parked. None: without a limit."""
    startup_check: str = ""
    """`tcp:PORT`, `http:PORT/path` or `file:PATH`, which must hold before the program counts as running."""
    startup_timeout_s: float = 60
    liveness_check: str = ""
    """As `startup_check`, as long as the program runs; `file:PATH?SECONDS` must have changed within so many seconds."""
    wants_port: bool = False
    """The unit chooses a free port and gives it as `PORT`."""
    secrets: dict[str, str] = {}
    """Environment variables, each with the name of the secret file that has its value."""

"""How a supervisor comes up: its settings, and how the present process becomes one (`nodeunit run` does).

The settings are a JSON object in memory that belongs to no file system, neither an argument nor the environment:

    {"supervisor": {"address": …, "log_directory": …, "daemon_argv": […], …}, "daemon": {…}}

The second part, with the password in it, is the daemon's own; the supervisor passes it on unread.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from nodeunit.process.environment import base_environment
from nodeunit.process.leftovers import ADDRESS_OPTION, SUPERVISOR_MODULE
from nodeunit.process.rotating_log import MAX_BYTES

SETTINGS_OPTION = "--settings-fd"

_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent.parent)


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


def interpreter_argv(module: str, *, site: bool = True) -> list[str]:
    """The command that runs `module` of this very package, whichever way the package was made importable here.

    `python -m` alone would do for an installed package, but not for a checkout that only PYTHONPATH or the working
    directory made importable: neither reaches a process with a clean environment and `-P`. So the directory that holds
    the package is named in the command itself, and last on the path, where it can hide nothing.

    `site=False` leaves out site-packages and everything that `.pth` files there would load, for a module that needs the
    standard library only.
    """
    start = f"import sys; del sys.argv[0]; sys.path.append({_PACKAGE_PARENT!r}); from runpy import run_module; "
    start += "run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    return [sys.executable, *(["-P"] if site else ["-I", "-S"]), "-c", start, module]


def exec_supervisor(supervisor: Mapping[str, Any], daemon: Mapping[str, Any]) -> NoReturn:
    """Replace this process by a supervisor. `supervisor` has the fields of `SupervisorSettings`, `daemon` is the
    daemon's own.

    The settings, the password among them, travel in an anonymous memory file: neither `/proc/PID/environ` nor
    `/proc/PID/cmdline` of any process shows them, and no program inherits it. The address does stand in the command
    line: by it others tell this unit's supervisor from another one's (`nodeunit.process.leftovers`), and it is public.
    """
    settings = os.memfd_create("nodeunit-settings")  # closed by any exec but ours
    with open(settings, "wb", closefd=False) as file:
        file.write(json.dumps({"supervisor": dict(supervisor), "daemon": dict(daemon)}).encode())
    os.set_inheritable(settings, True)
    argv = interpreter_argv(SUPERVISOR_MODULE, site=False)
    argv += [ADDRESS_OPTION, supervisor["address"], SETTINGS_OPTION, str(settings)]
    os.execve(argv[0], argv, base_environment())

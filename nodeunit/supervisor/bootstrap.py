"""How a supervisor starts: its settings, and how `nodeunit run` turns its process into one.

The settings are a JSON object in an anonymous memory file, not in an argument or the environment:

    {"supervisor": {"address": …, "log_directory": …, "daemon_argv": […], …}, "daemon": {…}}

The second part, which includes how the database is reached, is for the daemon; the supervisor passes it on unread, to
each daemon through a socket, which unlike a file cannot be opened by way of /proc.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from nodeunit.process.environment import base_environment
from nodeunit.process.leftovers import ADDRESS_OPTION, SUPERVISOR_MODULE
from nodeunit.process.log_generations import KEPT
from nodeunit.process.rotating_log import MAX_BYTES

SETTINGS_OPTION = "--settings-fd"

_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent.parent)


class SupervisorSettings(NamedTuple):
    """The settings of the supervisor. Durations are in seconds."""

    address: str
    """The unit's public address. It marks the programs, and its first eight characters name the directory of their logs
    below `log_directory`."""
    log_directory: str
    daemon_argv: list[str]
    """The daemon's command; `--settings-fd N --link-fd M` is appended."""
    stop_grace_s: float = 10.0
    """The longest grace period if the supervisor itself ends the programs."""
    drain_timeout_s: float = 60.0
    """How long the daemon may take to drain before the supervisor ends the programs without it."""
    daemon_silence_s: float = 20.0
    """How long a daemon that has sent `alive` once may be silent before it is killed and replaced."""
    control_groups: bool = True
    """Whether to put each program into its own control group, if that is permitted."""
    log_max_bytes: int = MAX_BYTES
    """A program's log is rotated at this size."""
    start_directory: str = "/"
    """Where the unit was started. Only the daemon works there, because its settings may name files relative to it."""
    log_max_files: int = KEPT
    """So many older generations of a log are kept."""
    log_compress: bool = True
    """Whether the older generations, except the newest, are compressed."""
    run_as: list[Any] | None = None
    """The user that programs run as, as a `ProgramUser`; None: the user of the unit."""
    notify_socket: str = ""
    """Where a service manager listens (sd_notify); empty: there is none."""
    watchdog_s: float = 0.0
    """How long that waits for a sign of life before it ends the supervisor; 0: for ever."""

    @classmethod
    def read(cls, content: bytes) -> "SupervisorSettings":
        """From all settings. Raises ValueError or TypeError if invalid."""
        values: dict[str, Any] = json.loads(content)["supervisor"]
        return cls(**values)

    def absolute(self, start_directory: str) -> "SupervisorSettings":
        """The same, independent of the working directory."""
        log_directory = os.path.join(start_directory, self.log_directory)
        return self._replace(start_directory=start_directory, log_directory=log_directory)


def leave_start_directory() -> str:
    """Makes `/` the working directory, because the one in which somebody started the unit may be deleted, or on a disk
    that is to be unmounted. Returns the former one, `/` if it is deleted."""
    try:
        former = os.getcwd()
    except OSError:
        former = "/"
    os.chdir("/")
    return former


def interpreter_argv(module: str, *, site: bool = True) -> list[str]:
    """The command that runs `module` of this same package, however the package was made importable.

    `python -m` alone is enough for an installed package, but not for a checkout that is importable only by PYTHONPATH
    or the working directory: neither reaches a process with a clean environment and `-P`. So the command names the
    directory of the package, last on the path, where it hides nothing.

    `site=False` leaves out site-packages and everything that `.pth` files there would load, for a module that needs the
    standard library only.
    """
    start = f"import sys; del sys.argv[0]; sys.path.append({_PACKAGE_PARENT!r}); from runpy import run_module; "
    start += "run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    return [sys.executable, *(["-P"] if site else ["-I", "-S"]), "-c", start, module]


def exec_supervisor(supervisor: Mapping[str, Any], daemon: Mapping[str, Any]) -> NoReturn:
    """Replaces this process by a supervisor. `supervisor` has the fields of `SupervisorSettings`, `daemon` is the
    daemon's own.

    The settings, including the password, are passed in an anonymous memory file: neither `/proc/PID/environ` nor
    `/proc/PID/cmdline` of any process shows them, and no program inherits the file. The address is public and is in the
    command line, because other processes identify this unit's supervisor by it (`nodeunit.process.leftovers`).
    """
    settings = os.memfd_create("nodeunit-settings")  # any exec but this one closes it
    with open(settings, "wb", closefd=False) as file:
        file.write(json.dumps({"supervisor": dict(supervisor), "daemon": dict(daemon)}).encode())
    os.lseek(settings, 0, os.SEEK_SET)
    os.set_inheritable(settings, True)
    argv = interpreter_argv(SUPERVISOR_MODULE, site=False)
    argv += [ADDRESS_OPTION, supervisor["address"], SETTINGS_OPTION, str(settings)]
    os.execve(argv[0], argv, base_environment())

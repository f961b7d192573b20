"""Turns the present process into a supervisor (`nodeunit run` does, once it has read its settings)."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from nodeunit.process.environment import base_environment
from nodeunit.process.leftovers import ADDRESS_OPTION, SUPERVISOR_MODULE

SETTINGS_OPTION = "--settings-fd"

_PACKAGE_PARENT = str(Path(__file__).resolve().parent.parent.parent)


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

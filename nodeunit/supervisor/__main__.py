"""`python -m nodeunit.supervisor --address ADDRESS --settings-fd N`; started by `exec_supervisor`, not by hand."""

import os
import signal
import sys

from nodeunit.process.leftovers import SUPERVISOR_NAME
from nodeunit.process.linux import adopt_orphans, close_inherited, hide_memory, set_name
from nodeunit.supervisor.bootstrap import SupervisorSettings, leave_start_directory
from nodeunit.supervisor.child_processes import raise_descriptor_limit
from nodeunit.supervisor.stderr_log import StderrLog
from nodeunit.supervisor.supervisor import Supervisor

_EXIT_USAGE = 2


def main(arguments: list[str]) -> int:
    """`--address` lets other processes read it (see `nodeunit.process.leftovers`); it must be the address of the
    settings."""
    while (lowest := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass  # fills closed standard descriptors, so that no pipe or socket gets such a number
    os.close(lowest)
    hide_memory()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # an inherited mask would block the signals
    stderr_log = StderrLog()
    try:
        options = dict(zip(arguments[::2], arguments[1::2], strict=True))
        settings_fd = int(options["--settings-fd"])
        close_inherited({settings_fd})
        with open(settings_fd, "rb") as file:
            content = file.read()
        settings = SupervisorSettings.read(content)
        if options["--address"] != settings.address:
            raise ValueError("--address is not the address of the settings")
    except (ValueError, TypeError, KeyError, OSError) as error:
        stderr_log.warning(f"not started by nodeunit run: {error!r}")
        return _EXIT_USAGE
    settings = settings.absolute(leave_start_directory())
    set_name(SUPERVISOR_NAME)
    adopt_orphans()
    return Supervisor(settings, content, raise_descriptor_limit(), stderr_log).run()


sys.exit(main(sys.argv[1:]))

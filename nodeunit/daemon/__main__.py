"""The daemon's entry point, `python -m nodeunit.daemon`. Only the supervisor starts it."""

import argparse
import asyncio
import logging
import sys

from nodeunit import log
from nodeunit.daemon import configuration, daemon
from nodeunit.errors import NodeunitError
from nodeunit.process.linux import hide_memory


def main() -> int:
    """Runs the daemon; its exit code tells the supervisor how it ended."""
    hide_memory()  # before it has read a secret
    parser = argparse.ArgumentParser(prog="nodeunit.daemon")
    parser.add_argument("--settings-fd", type=int, required=True)
    parser.add_argument("--link-fd", type=int, required=True)
    arguments = parser.parse_args()
    ours = configuration.read(arguments.settings_fd)
    log.configure(ours.settings.log_level)
    try:
        asyncio.run(daemon.run(ours, arguments.link_fd))
    except NodeunitError as error:
        logging.getLogger("nodeunit").error("%s", error)
        return error.exit_code
    except Exception:
        # Logged, because the interpreter would print it to standard error and wait for a reader.
        logging.getLogger("nodeunit").exception("the daemon ends because of an unexpected error")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

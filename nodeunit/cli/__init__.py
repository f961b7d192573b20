"""The command line: one module a verb. `main`, the console script, turns errors into a sentence and an exit code."""

import sys

from nodeunit.cli.app import app
from nodeunit.errors import NodeunitError


def main() -> None:
    """Runs the command line. The exit codes stand in `nodeunit.errors`; 2 is a wrong call."""
    try:
        app()
    except NodeunitError as error:
        sys.stdout.flush()
        sys.stderr.write(f"nodeunit: {error}\n")
        sys.exit(error.exit_code)

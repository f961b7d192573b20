"""The command line: one module for each verb, named after it, and nothing else but these.

    app       puts the verbs together
    options   the options and arguments that verbs share: times, files, the database
    output    how results are shown

A verb reads its options, calls one function of `audit`, `store` or `demo`, and shows what it returned. `main`, the
console script, turns an error into one sentence and an exit code. No rule, no SQL and no format of a file belongs here.
"""

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

"""The command line: one module per verb, named after it, and nothing else except:

    app       puts the verbs together
    group     the group that imports a verb when it is asked for, and finds plugins
    options   the options and arguments that verbs share
    moments   how a time is said
    contexts  databases by name
    rows      what the verbs about rows share
    output    how results are shown

A verb reads its options, calls one function of `audit`, `store` or `demo`, and shows the result. `main`, the console
script, turns an error into one sentence and an exit code. Rules, SQL and file formats do not belong here.
"""

import os
import sys

from nodeunit.cli.app import app
from nodeunit.errors import NodeunitError
from nodeunit.plain import MOST_LINE, plain


def main() -> None:
    """Runs the command line. `nodeunit.errors` lists the exit codes; 2 is a usage error."""
    if "_NODEUNIT_COMPLETE" in os.environ:  # a shell asks
        from typer.completion import completion_init  # type: ignore[attr-defined]

        completion_init()
    try:
        app()
    except NodeunitError as error:
        sys.stdout.flush()
        sys.stderr.write(complaint(error))
        sys.exit(error.exit_code)


def complaint(error: NodeunitError) -> str:
    """What is said of an error: its sentence, and its details below it."""
    return "".join(f"{line}\n" for line in (f"nodeunit: {plain(str(error), MOST_LINE)}", *map(_detail, error.details)))


def _detail(text: str) -> str:
    return f"  {plain(text)}"

"""Processes that a test finds by what they were started with."""

import os
from pathlib import Path

from nodeunit.process.process_table import ProcessTable, read_arguments


def processes_below(directory: Path) -> list[int]:
    """The living processes with this directory among their arguments."""
    marked = os.fspath(directory).encode()
    return [
        entry.pid
        for entry in ProcessTable.read().entries.values()
        if entry.alive and any(marked in argument for argument in read_arguments(entry.pid))
    ]

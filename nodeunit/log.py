"""How the daemon and the supervisor log: one line a record, on standard error."""

import logging
import sys
from datetime import datetime
from typing import TextIO


class _Line(logging.Formatter):
    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")


def configure(level: str, stream: TextIO | None = None) -> None:
    """Logs from `level` (any case) upwards to `stream`, standard error by default, in place of what was
    configured.

    A line is local time with milliseconds and offset, level, logger, message; a traceback follows on lines
    of its own. Raises ValueError for a level that `logging` does not know.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_Line("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)

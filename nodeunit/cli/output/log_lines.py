"""Prints the logs of programs line by line, each with its row and unit.

What programs print is bytes and stays so, except on a terminal, which no program's output may control.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

from nodeunit.audit.program_logs import ReceivedPiece
from nodeunit.audit.wording import local_time
from nodeunit.cli.output.render import is_terminal
from nodeunit.domain.program_log import RunMark
from nodeunit.plain import plain

LONGEST_LINE = 1024 * 1024
"""What is longer is printed in parts."""


class LogLines:
    """Lines go to standard output; the beginnings and ends of runs, and what is missing, to standard error."""

    def __init__(self, unit_name: Callable[[str], str], *, prefix: bool) -> None:
        self._unit_name = unit_name
        self._prefix = prefix
        self._terminal = is_terminal()
        self._rests: dict[tuple[UUID, str], bytes] = {}

    def print(self, received: ReceivedPiece) -> None:
        source = (received.deployment_id, received.unit_address)
        if received.skipped:
            self.say(*source, f"{received.skipped} bytes are not in the log any more")
        piece, done = received.piece, 0
        for mark in piece.marks:
            until = max(mark.position - piece.position, done)
            self._print(source, piece.data[done:until])
            done = until
            self._print_rest(source)
            self.say(*source, _words(mark))
        self._print(source, piece.data[done:])
        sys.stdout.buffer.flush()

    def finish(self) -> None:
        """Prints what has no line end yet."""
        for source in list(self._rests):
            self._print_rest(source)
        sys.stdout.buffer.flush()

    def say(self, deployment_id: UUID, unit: str, what: str) -> None:
        """Says something about a log on standard error."""
        sys.stdout.buffer.flush()
        name = self._unit_name(unit) if unit else ""
        sys.stderr.write(f"-- {' '.join(filter(None, (str(deployment_id)[:8], name)))}: {what}\n")

    def _print(self, source: tuple[UUID, str], data: bytes) -> None:
        *lines, rest = (self._rests.pop(source, b"") + data).split(b"\n")
        for line in lines:
            self._print_line(source, line)
        while len(rest) >= LONGEST_LINE:
            self._print_line(source, rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        if rest:
            self._rests[source] = rest

    def _print_rest(self, source: tuple[UUID, str]) -> None:
        if rest := self._rests.pop(source, b""):
            self._print_line(source, rest)

    def _print_line(self, source: tuple[UUID, str], line: bytes) -> None:
        if self._terminal:
            text = line.decode(errors="replace").expandtabs()
            line = plain(text.rstrip("\r"), len(text) + 1).encode()
        prefix = b""
        if self._prefix:
            prefix = f"{str(source[0])[:8]} {plain(self._unit_name(source[1]), 60)} | ".encode()
        sys.stdout.buffer.write(prefix + line + os.linesep.encode())


def _words(mark: RunMark) -> str:
    at = local_time(datetime.fromtimestamp(mark.at, UTC), "seconds")
    if mark.begins:
        version = f", claim version {mark.detail}" if mark.detail else ""
        return f"started at {at}, pid {mark.pid}{version}"
    return f"ended at {at}, pid {mark.pid}: {mark.detail}"

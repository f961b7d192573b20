"""The last lines of a program's log, short and harmless enough for an event.

A log is what the program wrote. It may contain anything, so what could act on a terminal is replaced. Whether a line
contains a secret of the program cannot be known.
"""

import os
import re

from nodeunit.plain import plain

MOST_LINES = 20
MOST_BYTES = 4096

_READ_BYTES = 16 * 1024
_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])")


def last_lines(path: str) -> list[str]:
    """At most 20 lines of at most 4 KiB in UTF-8 together; without a readable file, none. Waits for the disk."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return []
    try:
        size = os.fstat(descriptor).st_size
        data = os.pread(descriptor, _READ_BYTES, max(size - _READ_BYTES, 0))
    except OSError:
        return []
    finally:
        os.close(descriptor)
    return shortened(data.decode(errors="replace"))


def shortened(text: str) -> list[str]:
    """The last lines of a text, without escape sequences, and with U+FFFD for each character that cannot be printed."""
    found: list[str] = []
    left = MOST_BYTES
    for line in reversed(_ESCAPE_SEQUENCE.sub("", text).replace("\r\n", "\n").rstrip("\n").split("\n")[-MOST_LINES:]):
        encoded = plain(line, len(line)).encode(errors="replace")
        if not encoded and not found:
            continue
        kept = encoded[-left:].decode(errors="ignore")
        found.append(kept)
        left -= len(kept.encode()) + 1
        if left <= 0 or len(kept.encode()) < len(encoded):
            break
    return found[::-1]

"""`hello` in parts, because it lists all programs, reports and states, and a line of the protocol has a limit.

A `hello` that fits into one part is sent as it is. Otherwise the first line has `more`, and lines `hello_more` follow
at once, each with some of the programs, reports and states; the last one has no `more`. A daemon of an earlier version
knows no parts and takes the first one for all. Standard library only.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from nodeunit.supervisor.protocol import Hello, HelloMore

LARGEST_PART = 1024 * 1024
"""The bytes of a part. One entry alone may exceed it; a line of the protocol has room for that."""


def parts_of(hello: Hello) -> Iterator[Hello | HelloMore]:
    """The lines to send, in order. Each entry is in exactly one of them, and lists keep their order."""
    first: Hello = {**hello, "programs": [], "reports": [], "states": {}}
    part: Hello | HelloMore = first
    size = 0
    for name, key, entry in _entries(hello):
        added = len(json.dumps(entry)) + len(key) + 4
        if size and size + added > LARGEST_PART:
            part["more"] = True
            yield part
            part, size = {"event": "hello_more", "programs": [], "reports": [], "states": {}}, 0
        if name == "states":
            part["states"][key] = entry
        elif name == "programs":
            part["programs"].append(entry)
        else:
            part["reports"].append(entry)
        size += added
    yield part


def _entries(hello: Hello) -> Iterator[tuple[str, str, Any]]:
    for program in hello["programs"]:
        yield "programs", "", program
    for report in hello["reports"]:
        yield "reports", "", report
    for key, state in hello["states"].items():
        yield "states", key, state


class HelloParts:
    """Puts a `hello` together again."""

    def __init__(self) -> None:
        self._hello: dict[str, Any] | None = None

    def take(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """The message, or the whole `hello` with its last part; None while parts are missing.

        The supervisor sends nothing between parts, so any other message passes.
        """
        if message["event"] == "hello" and message.get("more"):
            self._hello = {**message, "more": False}
            return None
        if message["event"] != "hello_more" or self._hello is None:
            return message
        self._hello["programs"] += message["programs"]
        self._hello["reports"] += message["reports"]
        self._hello["states"] |= message["states"]
        if message.get("more"):
            return None
        hello, self._hello = self._hello, None
        return hello

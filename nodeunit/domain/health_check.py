"""The checks that a row may have: what is looked at to tell whether a program is ready or alive.

tcp:8080         tcp:$PORT           something accepts connections on this port of the machine
http:8080/ready  http:$PORT/ready    the answer to GET /ready has a status of 200 to 399
file:/run/ready  file:/run/beat?60   the file exists, and was written in the last 60 seconds
"""

import re
from typing import Literal, NamedTuple

CHECK = re.compile(
    r"tcp:(?P<tcp>\$PORT|[0-9]{1,5})"
    r"|http:(?P<http>\$PORT|[0-9]{1,5})(?P<target>/[!-~]*)"
    r"|file:(?P<path>/[^?\x00-\x1f\x7f]+)(?:\?(?P<fresh>[0-9]{1,9}))?"
)


class HealthCheck(NamedTuple):
    """One check. `kind` says which of the other fields count."""

    kind: Literal["tcp", "http", "file"]
    port: int = 0
    """Of tcp and http; 0: the port that the unit gave the program."""
    target: str = ""
    """Of http: the path with its query."""
    path: str = ""
    """Of file."""
    fresh_s: int = 0
    """Of file: how old its last change may be; 0: any age."""


def parse(text: str) -> HealthCheck:
    """Reads a check as the row has it. Raises ValueError with a sentence for people."""
    found = CHECK.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r:.100} is not a check: write tcp:PORT, http:PORT/path or file:/PATH?SECONDS")
    if (path := found["path"]) is not None:
        return HealthCheck("file", path=path, fresh_s=int(found["fresh"] or 0))
    text_port = found["tcp"] or found["http"]
    port = 0 if text_port == "$PORT" else int(text_port)
    if text_port != "$PORT" and not 0 < port < 65536:
        raise ValueError(f"{text!r:.100} has no port from 1 to 65535")
    if found["tcp"]:
        return HealthCheck("tcp", port)
    return HealthCheck("http", port, found["target"])

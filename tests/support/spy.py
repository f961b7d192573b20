"""A program that looks for secrets wherever a process can look: `python3 -I -S spy.py REPORT WORD…`, WORD reversed.

It writes where it has found one of the words, and what it has looked at, as JSON. Standard library only.
"""

import json
import os
import sys
from pathlib import Path

MOST = 64 * 1024 * 1024


def read(path: str) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return b""
    with open(descriptor, "rb") as file:
        try:
            return file.read(MOST) or b""
        except OSError:
            return b""


def memory(pid: str) -> bytes:
    """All that can be read of the memory of a process."""
    found = []
    for line in read(f"/proc/{pid}/maps").decode(errors="replace").splitlines():
        span, permissions = line.split()[:2]
        if not permissions.startswith("rw"):
            continue
        first, last = (int(part, 16) for part in span.split("-"))
        try:
            with open(f"/proc/{pid}/mem", "rb", buffering=0) as file:
                file.seek(first)
                found.append(file.read(min(last - first, MOST)))
        except (OSError, ValueError, OverflowError):
            pass
    return b"".join(found)


def places(pid: str) -> dict[str, bytes]:
    """What there is to read of a process, by place."""
    found = {name: read(f"/proc/{pid}/{name}") for name in ("environ", "cmdline", "comm", "status")}
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        descriptors = []
    found |= {f"fd/{number}": read(f"/proc/{pid}/fd/{number}") for number in descriptors}
    if pid != str(os.getpid()):
        found["mem"] = memory(pid)
    return found


def main(report: Path, words: list[bytes]) -> None:
    looked, found = {}, []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        name = read(f"/proc/{pid}/comm").decode(errors="replace").strip()
        if not name.startswith(("nodeunit", "python")):
            continue
        looked[pid] = name
        for place, content in places(pid).items():
            found += [f"{name} {place}" for word in words if word in content and pid != str(os.getpid())]
    own = {number: os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd") if is_open(number)}
    partial = report.with_suffix(".partial")
    partial.write_text(json.dumps({"looked": looked, "found": found, "own": own, "environ": dict(os.environ)}))
    partial.rename(report)


def is_open(number: str) -> bool:
    try:
        os.fstat(int(number))
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main(Path(sys.argv[1]), [word[::-1].encode() for word in sys.argv[2:]])

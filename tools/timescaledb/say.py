"""Messages of all steps: what is being done, how long it took, what failed and the end of its output."""

import subprocess
import sys
import time
from collections.abc import Sequence


class CannotGoOn(Exception):
    """One sentence for the person: what is missing and what would help."""


def say(text: str) -> None:
    print(f"timescaledb: {text}", file=sys.stderr, flush=True)


def run(what: str, command: Sequence[str], *, environment: dict[str, str] | None = None) -> None:
    """Run a command that takes a while; raises CannotGoOn with the end of its output when it fails.

    A terminal sees a line that counts the seconds, a log file only the beginning and the end.
    """
    say(what)
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=environment,
    )
    assert process.stdout is not None
    output: list[str] = []
    for line in process.stdout:
        output.append(line.rstrip())
        if sys.stderr.isatty():
            step = line.strip()[:70]
            print(f"\r\033[K  {time.monotonic() - started:4.0f} s  {step}", end="", file=sys.stderr, flush=True)
    code = process.wait()
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr, flush=True)
    if code != 0:
        tail = "\n  ".join(output[-15:])
        raise CannotGoOn(f"{what}: failed with exit code {code}:\n  {tail}")
    say(f"{what}: done in {time.monotonic() - started:.0f} s")

"""`python -m tools.node`: Node.js, npm, and the real npm registry that the tests of installers need.

Node.js and npm are Debian's where root may install them. The registry is verdaccio, installed once for each content of
`verdaccio/package.json` into a folder that all checkouts of a user share.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.timescaledb import debian
from tools.timescaledb.say import CannotGoOn, run, say

OLDEST = 18
"""The major version of Node.js that verdaccio needs at least."""

VERDACCIO = Path(__file__).with_name("verdaccio")
NEEDS = "The tests of npm packages need Node.js and npm"


def main() -> int:
    """Installs it where that may be done; elsewhere says so, and those tests are skipped with that reason."""
    if missing() and not debian.can_install():
        say(f"{missing()}, and only root on Debian can install it here: the tests of npm packages will be skipped")
        return 0
    try:
        if missing():
            debian.install("nodejs", "npm")
        if reason := missing():
            raise CannotGoOn(f"{NEEDS}: {reason}.")
        _install_verdaccio()
    except CannotGoOn as error:
        say(str(error))
        return 1
    return 0


def missing() -> str:
    """What of Node.js and npm is missing here; "" if nothing is."""
    absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    if absent:
        return f"{' and '.join(absent)} not found on PATH"
    asked = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False)
    version = asked.stdout.strip()
    if not version.startswith("v") or int(version[1:].split(".")[0]) < OLDEST:
        return f"Node.js {version or 'does not start'}, but {OLDEST} is needed"
    return ""


def verdaccio() -> Path:
    """The folder in which verdaccio is installed. Raises CannotGoOn, which says what is missing."""
    if reason := missing():
        raise CannotGoOn(f"{NEEDS}: {reason}.")
    directory = _directory()
    if not directory.exists():
        raise CannotGoOn("The npm registry of the tests is not installed: `python -m tools.node` does that.")
    return directory


def _directory() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodeunit"
    wanted = (VERDACCIO / "package.json").read_bytes()
    return cache / f"verdaccio-{hashlib.sha256(wanted).hexdigest()[:12]}"


def _install_verdaccio() -> None:
    """Complete when it has its final name; a second process waits for the first."""
    directory = _directory()
    if directory.exists():
        return
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / "verdaccio.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if directory.exists():
            return
        with tempfile.TemporaryDirectory(dir=directory.parent, prefix="verdaccio-") as name:
            made = Path(name) / "made"
            made.mkdir()
            shutil.copy(VERDACCIO / "package.json", made)
            command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(made)]
            run("installing verdaccio, the npm registry of the tests", command)
            made.rename(directory)


if __name__ == "__main__":
    sys.exit(main())

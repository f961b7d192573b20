"""The doctor names each fault of a unit's machine."""

import os
import subprocess
from pathlib import Path

import pytest

from nodeunit.audit.doctor import machine
from nodeunit.process.process_table import is_readable_by_its_user
from nodeunit.settings import Settings
from tests.support.examined import examined, the_only
from tests.support.rows import rows
from tests.support.small_disk import small_disk


@pytest.fixture
def environ(database: str, tmp_path: Path) -> dict[str, str]:
    """That of a unit with which all is well."""
    return {
        "PATH": os.environ["PATH"],
        "POSTGRES_URI": database,
        "NODE_UNIT_NAME": "unit-1",
        "NODE_UNIT_PASSWORD": "of unit-1",
        "NODE_UNIT_WORKSPACE": str(tmp_path / "workspace"),
        "NODE_UNIT_LOG_DIR": str(tmp_path / "logs"),
        "NODE_UNIT_NPM_REGISTRY": "http://127.0.0.1:9/",
    }


def settings(environ: dict[str, str]) -> Settings:
    return Settings.from_environment(dict(environ))


async def test_a_healthy_machine_is_no_finding(database: str, environ: dict[str, str]) -> None:
    found = await examined(database, environ)
    assert (found.findings, found.not_made) == ([], [])


async def test_a_setting_that_is_not_allowed(database: str, environ: dict[str, str]) -> None:
    found = the_only(await examined(database, environ | {"NODE_UNIT_CLAIM_POLICY": "lowest"}))
    assert found.name == "setting_invalid"
    assert "NODE_UNIT_CLAIM_POLICY is 'lowest'" in found.cause


async def test_a_lease_that_is_shorter_than_three_heartbeats(database: str, environ: dict[str, str]) -> None:
    found = the_only(await examined(database, environ | {"NODE_UNIT_LEASE_TTL": "3"}))
    assert "less than 3 heartbeats" in found.cause


async def test_a_unit_without_a_password_of_its_own(database: str, environ: dict[str, str]) -> None:
    del environ["NODE_UNIT_PASSWORD"]
    assert the_only(await examined(database, environ)).name == "unit_without_password"


async def test_directories_that_cannot_be_written(database: str, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = await examined(database, environ | {"NODE_UNIT_WORKSPACE": str(tmp_path / "file" / "workspace")})
    assert the_only(found).name == "directory_not_writable"
    found = await examined(database, environ | {"NODE_UNIT_LOG_DIR": "/proc/sys/logs"})
    assert the_only(found).subject == "/proc/sys/logs"


async def test_a_disk_that_is_nearly_full(database: str, environ: dict[str, str], tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", 4) as disk:
        environ["NODE_UNIT_LOG_DIR"] = str(disk / "logs")
        assert (await examined(database, environ)).findings == []
        (disk / "filler").write_bytes(b"x" * (4 * 1024 * 1024 - 64 * 1024))
        found = the_only(await examined(database, environ))
    assert (found.name, found.subject) == ("disk_nearly_full", environ["NODE_UNIT_LOG_DIR"])


def insert_package(database: str) -> None:
    rows(
        database,
        "insert into deployment (package_name, package_version, enabled, runtime, type) "
        "values ('@yuants/app', '1.0.0', true, 'npm', 'daemon')",
    )


async def test_node_is_missing_where_rows_need_it(
    database: str, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (await examined(database, environ)).findings == []  # nobody needs it
    insert_package(database)
    found = next(one for one in (await examined(database, environ)).findings if one.name == "npm_missing")
    assert "node and npm cannot be found" in found.cause


async def test_a_registry_that_does_not_answer(database: str, environ: dict[str, str]) -> None:
    insert_package(database)
    found = the_only(await examined(database, environ))
    assert (found.name, found.subject) == ("registry_silent", "http://127.0.0.1:9/")
    environ["TRUSTED_PACKAGE_REGEXP"] = "^@others/"
    assert (await examined(database, environ)).findings == []  # no row that this unit trusts


def test_a_unit_without_a_control_group_of_its_own(environ: dict[str, str]) -> None:
    assert os.geteuid() == 0, "only root can become a user without rights"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:  # as a unit that systemd starts with User= and without Delegate=
        os.setgid(65534)
        os.setuid(65534)
        found = machine.processes(settings(environ))
        os.write(write, ",".join(one.name for one in found).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with open(read, "rb") as answer:
        assert answer.read() == b"no_control_groups"


PARENT = "import ctypes, sys; ctypes.CDLL(None).prctl(4, int(sys.argv[1]), 0, 0, 0); print(flush=True); input()"


@pytest.mark.parametrize("dumpable", [True, False])
def test_a_parent_whose_memory_its_programs_can_read(dumpable: bool) -> None:
    assert os.geteuid() == 0, "only root can start a process of another user"
    process = subprocess.Popen(
        ["/usr/bin/python3", "-c", PARENT, str(int(dumpable))],
        user=65534,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd="/",
    )
    with process:
        assert process.stdout is not None
        process.stdout.readline()
        assert is_readable_by_its_user(process.pid) is dumpable
        process.kill()

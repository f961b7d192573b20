"""What programs are given by their unit besides their rows: a file of variables, and secrets."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from psycopg.types.json import Jsonb

from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e

StartUnit = Callable[..., UnitProcess]

SECRET = "s3cret of the database"


def insert(fleet: Fleet, *, env: dict[str, str] | None = None, secrets: dict[str, str] | None = None) -> str:
    (row,) = fleet.query(
        "insert into deployment (package_name, package_version, command, env, secrets)"
        " values ('@yuants/x', '1', 'sleep 1000', %s, %s) returning id",
        Jsonb(env or {}), Jsonb(secrets or {}),
    )  # fmt: skip
    return str(row["id"])


def events(fleet: Fleet, kind: str, key: str) -> list[dict[str, Any]]:
    found = fleet.query("select data from event where type = %s and deployment_id = %s order by position", kind, key)
    return [row["data"] for row in found]


def environment(fleet: Fleet, key: str, starts: int = 1) -> dict[str, str]:
    """Of the program, once it has been started so often."""
    wait_until(lambda: len(events(fleet, "ProcessStarted", key)) == starts, within_s=30, what=f"{starts} starts")
    return psutil.Process(events(fleet, "ProcessStarted", key)[-1]["pid"]).environ()


def test_a_file_of_the_unit_gives_variables_below_those_of_the_row(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    fleet = Fleet(database)
    file = tmp_path / "programs.env"
    file.write_text(
        f"HOST_URL=wss://one\nBOTH=unit\nNODE_UNIT_PASSWORD=own\nPOSTGRES_URI='{database}'\nDEPLOYMENT_ID=x\n"
    )
    start_unit(database, NODE_UNIT_PROGRAM_ENV_FILE=str(file))
    key = insert(fleet, env={"BOTH": "row"})

    found = environment(fleet, key)
    assert (found["HOST_URL"], found["BOTH"], found["DEPLOYMENT_ID"]) == ("wss://one", "row", key)
    assert not {"NODE_UNIT_PASSWORD", "POSTGRES_URI"} & found.keys()

    file.write_text("HOST_URL=wss://two\nPOSTGRES_URI=postgresql:///of_programs\n")
    fleet.execute("update deployment set updated_at = now()")
    found = environment(fleet, key, 2)
    assert (found["HOST_URL"], found["POSTGRES_URI"]) == ("wss://two", "postgresql:///of_programs")

    file.write_text("no variable\n")
    fleet.execute("update deployment set updated_at = now()")
    (waits,) = wait_until(lambda: events(fleet, "ProcessParked", key), within_s=30, what="the unit says what is wrong")
    assert waits["reason"] == "bad_env_file"
    assert waits["detail"] == f"NODE_UNIT_PROGRAM_ENV_FILE line 1 of {file} is not NAME=value"
    file.write_text("HOST_URL=wss://three\n")
    assert environment(fleet, key, 3)["HOST_URL"] == "wss://three"
    fleet.assert_sound()


def test_secrets_reach_the_program_and_nothing_else(database: str, start_unit: StartUnit, tmp_path: Path) -> None:
    fleet = Fleet(database)
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o700)
    for name, mode in (("database", 0o600), ("readable-by-all", 0o644)):
        (directory / name).write_text(f"{SECRET}\n")
        (directory / name).chmod(mode)
    unit = start_unit(database, NODE_UNIT_SECRETS_DIR=str(directory))
    key = insert(fleet, env={"PASSWORD": "of the row"}, secrets={"PASSWORD": "database"})

    assert environment(fleet, key)["PASSWORD"] == SECRET
    (joined,) = fleet.events("UnitJoined")
    assert joined["data"]["secrets"] == ["database"]

    (directory / "database").unlink()
    fleet.execute("update deployment set updated_at = now()")
    (waits,) = wait_until(
        lambda: events(fleet, "ProcessParked", key), within_s=30, what="the unit says what is missing"
    )
    assert waits["reason"] == "no_secret"
    assert waits["detail"] == f"secret database cannot be read from {directory}: No such file or directory"
    (tmp_path / "new").touch(mode=0o600)
    (tmp_path / "new").write_text("another")
    (tmp_path / "new").rename(directory / "database")
    assert environment(fleet, key, 2)["PASSWORD"] == "another"

    unit.terminate()
    assert unit.wait() == 0
    assert not [row for row in fleet.query("select * from event") if SECRET in str(row)]
    assert not [row for row in fleet.query("select * from deployment") if SECRET in str(row)]
    assert SECRET not in unit.log
    fleet.assert_sound()


def test_a_secret_that_is_added_later_is_offered_without_a_restart(
    database: str, start_unit: StartUnit, tmp_path: Path
) -> None:
    fleet = Fleet(database)
    directory = tmp_path / "secrets"
    directory.mkdir(mode=0o700)
    start_unit(database, NODE_UNIT_SECRETS_DIR=str(directory))
    unconcerned = insert(fleet)
    environment(fleet, unconcerned)
    waiting = insert(fleet, secrets={"PASSWORD": "database"})
    (tmp_path / "new").touch(mode=0o600)
    (tmp_path / "new").write_text(SECRET)
    (tmp_path / "new").rename(directory / "database")

    assert environment(fleet, waiting)["PASSWORD"] == SECRET
    assert [event["data"]["secrets"] for event in fleet.events("UnitJoined")] == [[], ["database"]]
    assert len(events(fleet, "ProcessStarted", unconcerned)) == 1
    fleet.assert_sound()

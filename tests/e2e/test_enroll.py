"""A unit with a login of its own, from `nodeunit enroll` to its revocation."""

from collections.abc import Callable, Iterator
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from psycopg import sql
from typer.testing import CliRunner

from nodeunit.cli.app import app
from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture
def name(database: str) -> Iterator[str]:
    """Of a unit and its login, which belongs to the cluster and is dropped after the test."""
    name = f"test_{token_hex(6)}"
    yield name
    with psycopg.connect(database, autocommit=True) as administrator:
        administrator.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(name)))


def test_from_enrolling_to_revoking(
    database: str, name: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    fleet = Fleet(database)
    fleet.insert_servers(2)
    path = tmp_path / "unit.env"
    made = CliRunner().invoke(app, ["enroll", name, "-d", database, "--settings", str(path)])
    assert made.exit_code == 0, made.output
    assert path.stat().st_mode & 0o077 == 0
    settings = dict(line.split("=", 1) for line in path.read_text().splitlines())
    assert settings["NODE_UNIT_PASSWORD"] not in made.output
    assert settings.pop("NODE_UNIT_NAME") == name
    unit = start_unit(settings.pop("POSTGRES_URI"), name=name, **settings)
    assert fleet.wait_until_all_claimed() == {unit.address: 2}
    assert "may act for" not in unit.log

    again = CliRunner().invoke(app, ["enroll", name, "-d", database, "--settings", str(path)])
    assert type(again.exception).__name__ == "InputFileInvalid"
    revoked = CliRunner().invoke(app, ["enroll", name, "-d", database, "--revoke"])
    assert revoked.exit_code == 0, revoked.output
    second = start_unit(database, name="unit-2")
    wait_until(lambda: fleet.split() == {second.address: 2}, within_s=40, what="its rows are taken over")
    assert "may act for every unit" in second.log
    fleet.assert_sound()

"""`nodeunit usage`: numbers, blocks, a picture."""

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.errors import DeploymentUnknown, InputFileInvalid, SettingInvalid, UnitUnknown
from tests.support.rows import rows


@pytest.fixture(params=["database", "plain_database"])
def measured(request: pytest.FixtureRequest) -> str:
    """Two units, one of them with two programs, for a quarter of an hour."""
    conninfo = str(request.getfixturevalue(request.param))
    rows(
        conninfo,
        "insert into unit (address, name) values ('5DAR2Z', 'one'), ('GJ93nF', 'two');"
        "insert into usage (recorded_at, unit_address, deployment_id, cpu_percent, memory_mb) "
        "select t, p.address, p.id, 2, 100 from generate_series(now() - interval '15 minutes', now(), '20 seconds') t, "
        "(values ('5DAR2Z', null), ('GJ93nF', null), ('GJ93nF', '00000000-0000-0000-0000-000000000001'::uuid), "
        "('GJ93nF', '10000000-0000-0000-0000-000000000001')) p (address, id)",
    )
    return conninfo


def said(conninfo: str, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["usage", "--database", conninfo, *arguments])
    assert result.exit_code == code, result.output
    return result.output


def failed(conninfo: str, *arguments: str) -> BaseException | None:
    return CliRunner().invoke(app, ["usage", "--database", conninfo, *arguments]).exception


def test_units(measured: str) -> None:
    lines = said(measured).splitlines()
    assert [line.split()[0] for line in lines] == ["UNIT", "one", "two", "from"]
    assert lines[1].split()[1:3] == ["2.00%", "2.00%"]
    assert "█" in lines[1]


def test_one_unit_with_its_programs(measured: str) -> None:
    lines = said(measured, "--unit", "two", "--since", "5m", "--bucket", "10s").splitlines()
    assert [line.split()[1] for line in lines[2:4]] == ["00000000", "10000000"]
    assert isinstance(failed(measured, "--unit", "three"), UnitUnknown)


def test_one_program_is_drawn_large(measured: str) -> None:
    output = said(measured, "--deployment", "1000")
    assert "\nCPU\n" in output
    assert "\nmemory\n" in output
    assert output.count("│") == 16


def test_data(measured: str) -> None:
    points = msgspec.json.decode(said(measured, "-o", "json", "--bucket", "1h"))["items"]
    assert {point["unit"] for point in points} == {"one", "two"}
    assert {point["memory_mb_avg"] for point in points} == {100}
    assert said(measured, "-o", "yaml", "--bucket", "1h").startswith(
        'schema: "nodeunit.usage/1"\nitems:\n  - bucket_start: "'
    )


def test_nothing_measured(measured: str) -> None:
    assert isinstance(failed(measured, "--deployment", "ffff"), DeploymentUnknown)
    assert said(measured, "--since", "3h", "--until", "2h").startswith("no samples since ")


def test_a_picture(measured: str, tmp_path: Path) -> None:
    said(measured, "--png", str(tmp_path / "usage.png"))
    assert (tmp_path / "usage.png").read_bytes().startswith(b"\x89PNG")
    nowhere = tmp_path / "no" / "usage.png"
    assert isinstance(failed(measured, "--png", str(nowhere)), InputFileInvalid)


def test_without_matplotlib_it_says_what_to_install(measured: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodeunit.cli.output.usage_plot.find_spec", lambda name: None)
    error = failed(measured, "--png", "x.png")
    assert isinstance(error, SettingInvalid)
    assert str(error).endswith("pip install 'nodeunit[plot]'")


@pytest.mark.parametrize("wrong", ["soon", "0s", "2026-01-16"])
def test_a_bucket_is_a_length_of_time(measured: str, wrong: str) -> None:
    said(measured, "--bucket", wrong, code=2)

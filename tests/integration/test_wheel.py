"""An installed wheel works outside the checkout: the command is there, and so is the SQL."""

import json
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tools import sbom

ROOT = Path(__file__).parents[2]

LIST_SQL = """
from importlib.resources import files
import nodeunit
print(nodeunit.__file__)
def walk(folder, name):
    for entry in folder.iterdir():
        path = f"{name}/{entry.name}"
        if entry.is_dir():
            walk(entry, path)
        elif path.endswith(".sql"):
            print(path)
for folder in ("migrations", "projections", "store"):
    walk(files("nodeunit").joinpath(folder), folder)
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel alone; its dependencies are those of this environment."""
    directory = tmp_path_factory.mktemp("wheel")
    build = ("--no-deps", "--no-build-isolation", "--wheel-dir", directory)  # hatchling is here, nothing is downloaded
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *build, ROOT, at=directory)
    (wheel,) = directory.glob("nodeunit-*.whl")
    environment = directory / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel, at=directory)
    # The path of this environment's packages, without the .pth file in there that leads to the checkout.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", at=directory).strip())
    (site / "zz_dependencies.pth").write_text(f"import sys; sys.path.append({sysconfig.get_path('purelib')!r})\n")
    return environment / "bin"


def test_the_command_is_there(installed: Path, tmp_path: Path) -> None:
    assert "Usage: nodeunit" in run(installed / "nodeunit", "--help", at=tmp_path)
    assert run(installed / "nodeunit", "--version", at=tmp_path) == "nodeunit 0.2.0.dev0\n"


def test_it_carries_what_the_lock_installs_and_can_be_built_again_bit_by_bit(tmp_path: Path) -> None:
    wheels = []
    for attempt, umask in (("one", "022"), ("two", "077")):
        directory = tmp_path / attempt
        directory.mkdir()
        build = f"umask {umask}; exec {sys.executable} -m pip wheel --quiet --no-deps --no-build-isolation"
        run("sh", "-c", f"{build} --wheel-dir {directory} {ROOT}", at=directory)
        (wheel,) = directory.glob("nodeunit-*.whl")
        wheels.append(wheel)
    assert wheels[0].read_bytes() == wheels[1].read_bytes()
    with ZipFile(wheels[0]) as content:
        (name,) = (name for name in content.namelist() if name.endswith(".dist-info/sboms/sbom.cdx.json"))
        carried = json.loads(content.read(name))
    assert carried["components"] == sbom.components((ROOT / sbom.LOCK).read_text())
    assert {"psycopg", "google-re2", "cryptography"} <= {one["name"] for one in carried["components"]}


def test_migrations_and_projections_are_in_the_package(installed: Path, tmp_path: Path) -> None:
    module, *found = run(installed / "python", "-c", LIST_SQL, at=tmp_path).splitlines()
    assert not Path(module).is_relative_to(ROOT)
    assert set(found) == {
        *(str(path.relative_to(ROOT)) for folder in ("migrations", "projections") for path in sql(ROOT / folder)),
        *(str(path.relative_to(ROOT / "nodeunit")) for path in sql(ROOT / "nodeunit" / "store")),
    }
    assert {"migrations/0001_deployment.sql", "migrations/functions/claim_deployment.sql"} < set(found)


def sql(folder: Path) -> list[Path]:
    return list(folder.rglob("*.sql"))


def run(*command: object, at: Path) -> str:
    """What a command prints; its error output is the message when it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        check=False,
        cwd=at,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

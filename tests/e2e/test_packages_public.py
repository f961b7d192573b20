"""One real public package of each registry, from where this machine is told to get packages."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.e2e.fleet import Fleet
from tests.support.unit_process import UnitProcess
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

StartUnit = Callable[..., UnitProcess]

SAYS_ITS_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")

PACKAGES = {
    "npm": ("http-server", "14.1.1", ["-a", "127.0.0.1", "-c-1"], "Index of /"),
    "python": ("waitress", "3.0.2", ["--listen=127.0.0.1:0", "wsgiref.simple_server:demo_app"], "Hello world!"),
}
"""Name, version, arguments, and what is in its answer."""


@pytest.mark.parametrize("runtime", PACKAGES)
def test_a_public_package_runs(database: str, start_unit: StartUnit, tmp_path: Path, runtime: str) -> None:
    fleet = Fleet(database)
    name, version, arguments, said = PACKAGES[runtime]
    unit = start_unit(database, NODE_UNIT_NPM_REGISTRY="", NODE_UNIT_PYTHON_INDEX="", HOME=str(Path.home()))
    (row,) = fleet.query(
        "insert into deployment (package_name, package_version, args, runtime, wants_port)"
        " values (%s, %s, %s::jsonb, %s, true) returning id",
        name, version, json.dumps(arguments), runtime,
    )  # fmt: skip
    log = tmp_path / "logs" / unit.address[:8] / f"{row['id']}.log"

    def address() -> Any:
        if failed := fleet.events("ProgramInstallFailed"):
            said = failed[0]["data"]["detail"]
            if failed[0]["data"]["reason"] == "registry_unreachable":
                pytest.skip(f"no public registry can be reached from here: {said}")
            pytest.fail(said)
        return log.exists() and SAYS_ITS_ADDRESS.search(log.read_text())

    found = wait_until(address, within_s=100, what="the program says its address")
    with urlopen(found[0], timeout=10) as answer:
        assert said in answer.read().decode()
    fleet.assert_sound()

"""The package of the demo: npm and pip install it from the demo's own registry, and what they install answers."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.request import urlopen

import pytest

from nodeunit.demo.package import NPM_NAME, PYTHON_NAME, VERSION, demo_package
from tests.support.waiting import wait_until


def answer_of(command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> str:
    """What the program answers over HTTP; it must then end well when it is asked to."""
    log = directory / "program.log"
    own = {"DEPLOYMENT_ID": "an-id", "NODEUNIT_CLAIM_VERSION": "7"}
    with log.open("wb") as output:
        process = subprocess.Popen(command, env={**environment, **own}, stdout=output, stderr=output)
    try:
        (url,) = wait_until(lambda: re.findall(r"listening on (\S+)\n", log.read_text()), what="the program listens")
        with urlopen(url, timeout=10) as answer:
            said: str = answer.read().decode()
    finally:
        process.terminate()
        code = process.wait(10)
    assert code == 0
    return said


def test_npm_installs_it_and_it_answers_with_its_deployment(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("npm is not here, so the demo takes its Python package")
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    with demo_package() as package:
        registry = package.settings["NODE_UNIT_NPM_REGISTRY"]
        install = ["npm", "install", f"{NPM_NAME}@{VERSION}", "--registry", registry, "--no-audit", "--no-fund"]
        subprocess.run(install, cwd=tmp_path, env=environment, check=True, capture_output=True)
    assert package.runtime == "npm"
    assert answer_of([str(tmp_path / "node_modules/.bin/app-portal")], tmp_path, environment) == "an-id 7\n"


def test_without_node_pip_installs_a_python_package_that_answers(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    into = tmp_path / "into"
    with demo_package(absent=["node", "npm"]) as package:
        index = ["--index-url", package.settings["NODE_UNIT_PYTHON_INDEX"], "--no-cache-dir"]
        pip = [sys.executable, "-m", "pip", "--isolated", "install", "--target", str(into), *index, PYTHON_NAME]
        subprocess.run(pip, env=environment, check=True, capture_output=True)
    assert package.runtime == "python"
    assert "node and npm cannot be found" in package.description
    program = {**environment, "PYTHONPATH": str(into)}
    assert answer_of([str(into / "bin" / PYTHON_NAME)], tmp_path, program) == "an-id 7\n"


def test_what_the_registry_lacks_is_not_found() -> None:
    with demo_package(absent=["npm"]) as package, pytest.raises(OSError, match="404"):
        urlopen(package.settings["NODE_UNIT_PYTHON_INDEX"] + "other/", timeout=10)

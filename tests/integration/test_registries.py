"""The registries of the tests: npm and pip themselves install from them, and see what they must not accept."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.registries import NpmRegistry, PythonIndex
from tests.support.unit_process import is_alive
from tests.support.waiting import wait_until

SAYS = "#!/usr/bin/env node\nconsole.log('one')\n"


def npm(directory: Path, registry: NpmRegistry, *arguments: str, npmrc: str = "") -> subprocess.CompletedProcess[str]:
    """npm with a home of its own, so that nothing of this machine is in its way."""
    # npm takes wrong bytes for an accident of the network, and waits up to a minute before it asks again.
    settings = "fetch-retries=0\nupdate-notifier=false\n"
    (directory / ".npmrc").write_text(settings + (npmrc or f"registry={registry.url}/\n"))
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    command = ["npm", *arguments, "--no-audit", "--no-fund"]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_npm_installs_a_published_package_with_what_it_depends_on(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("@registries/below", "1.0.0", {"index.js": ""})
    depends = {"@registries/below": "^1.0.0"}
    npm_registry.publish("@registries/above", "1.0.0", {"cli.js": SAYS}, bin="cli.js", dependencies=depends)
    npm_registry.publish("@registries/above", "2.0.0", {"cli.js": SAYS}, tag="next")

    installed = npm(tmp_path, npm_registry, "install", "@registries/above")

    assert installed.returncode == 0, installed.stderr
    ran = subprocess.run([tmp_path / "node_modules/.bin/above"], capture_output=True, text=True, check=True)
    assert ran.stdout == "one\n"
    assert (tmp_path / "node_modules/@registries/below/index.js").exists()
    assert npm_registry.downloads("@registries/above") == 1
    tags = npm(tmp_path, npm_registry, "view", "@registries/above", "dist-tags", "--json")
    assert json.loads(tags.stdout) == {"latest": "1.0.0", "next": "2.0.0"}


def test_npm_refuses_other_bytes_than_the_registry_declares(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("@registries/changed", "1.0.0", {"index.js": ""})
    npm_registry.serve_other_bytes("@registries/changed", "1.0.0", {"index.js": "//"}, declared=False)

    refused = npm(tmp_path, npm_registry, "install", "@registries/changed")

    assert "EINTEGRITY" in refused.stderr


def test_a_private_package_needs_the_token(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("@private/registries", "1.0.0", {"index.js": ""})

    refused = npm(tmp_path, npm_registry, "install", "@private/registries")
    given = npm(tmp_path, npm_registry, "install", "@private/registries", npmrc=npm_registry.npmrc)

    assert refused.returncode != 0
    assert given.returncode == 0, given.stderr


def test_npm_installs_other_bytes_that_are_declared(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    npm_registry.publish("@registries/declared", "1.0.0", {"index.js": ""})
    npm_registry.serve_other_bytes("@registries/declared", "1.0.0", {"index.js": "//"}, declared=True)

    installed = npm(tmp_path, npm_registry, "install", "@registries/declared")

    assert installed.returncode == 0, installed.stderr
    assert (tmp_path / "node_modules/@registries/declared/index.js").read_text() == "//"


def test_verdaccio_ends_with_the_process_that_started_it(npm_registry: NpmRegistry, tmp_path: Path) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from tests.support.registries import running_npm_registry\n"
        "with running_npm_registry(Path(sys.argv[1])): print('runs', flush=True); sys.stdin.read(); os._exit(1)"
    )
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "runs\n"
        (verdaccio,) = psutil.Process(process.pid).children()
        process.kill()
    wait_until(lambda: not is_alive(verdaccio), what="verdaccio has ended")


def pip(directory: Path, index: PythonIndex, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Installs into a folder, from this index alone, whatever this machine is told to use."""
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--target", str(directory / "into")]
    own = ["--index-url", index.url, "--no-cache-dir", "--disable-pip-version-check", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": str(directory)}
    return subprocess.run(command + own, env=environment, capture_output=True, text=True, check=False)


def test_pip_installs_a_wheel_with_what_it_depends_on(python_index: PythonIndex, tmp_path: Path) -> None:
    python_index.add_wheel("Registries.Below", "1.0", {"below.py": "said = 'one'\n"})
    files = {"above.py": "import below\n\ndef main():\n    print(below.said)\n"}
    python_index.add_wheel(
        "registries-above", "1.0", files, {"above": "above:main"}, requires=["registries_below >= 1"]
    )

    installed = pip(tmp_path, python_index, "registries-above")

    assert installed.returncode == 0, installed.stderr
    ran = subprocess.run(
        [tmp_path / "into/bin/above"],
        env={"PYTHONPATH": str(tmp_path / "into")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "one\n"
    assert python_index.downloads("registries.below") == 1


def test_pip_refuses_other_bytes_than_the_index_declares(python_index: PythonIndex, tmp_path: Path) -> None:
    python_index.add_wheel("registries-changed", "1.0", {"changed.py": ""})
    python_index.serve_other_bytes("registries-changed", "registries_changed-1.0-py3-none-any.whl", b"other")

    refused = pip(tmp_path, python_index, "registries-changed")

    assert "DO NOT MATCH THE HASHES" in refused.stderr

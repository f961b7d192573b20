"""What the demo's deployments run: a package from a registry of the demo's own, npm's where Node.js is, else Python's.

To npm a registry of one package is two files, to pip an index of one project the same, so both are served from memory.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from nodeunit.demo import npm_package, python_package
from nodeunit.demo.static_server import StaticServer, static_server

NPM_NAME = "@yuants/app-portal"
PYTHON_NAME = "nodeunit-demo-server"
VERSION = "0.2.26"
"""Name and version of the report; the Python package has the same version."""

_HERE = Path(__file__).parent


class DemoPackage(NamedTuple):
    """A package that units can install as long as the demo runs."""

    runtime: str
    """`npm` or `python`."""
    description: str
    """For people: which package, from where, and why not the other one."""
    settings: dict[str, str]
    """What a unit must be told to install it: its registry, and that it may be trusted."""


@contextmanager
def demo_package(absent: Sequence[str] | None = None, versions: Sequence[str] = (VERSION,)) -> Iterator[DemoPackage]:
    """Serves the package until the block ends.

    `absent` names the commands that the npm package needs and this machine lacks (default: looked for in PATH). All
    `versions` are the same program.
    """
    if absent is None:
        absent = [name for name in ("node", "npm") if shutil.which(name) is None]
    with static_server() as server:
        yield _python(server, versions, absent) if absent else _npm(server, versions)


def _npm(server: StaticServer, versions: Sequence[str]) -> DemoPackage:
    source = (_HERE / "server.js").read_bytes()
    described = {}
    for version in versions:
        manifest = {"name": NPM_NAME, "version": version, "bin": {"app-portal": "server.js"}, "license": "MIT"}
        packed = npm_package.tarball({"package.json": npm_package.as_json(manifest), "server.js": source})
        file = f"/{NPM_NAME}/-/app-portal-{version}.tgz"
        server.put(file, packed)
        described[version] = npm_package.described(manifest, packed, server.url + file)
    document = npm_package.packument(described, {"latest": versions[-1]})
    server.put(f"/{NPM_NAME}", npm_package.as_json(document), "application/json")
    return DemoPackage(
        "npm",
        f"{NPM_NAME}@{VERSION} from an npm registry of the demo's own ({server.url})",
        {"NODE_UNIT_NPM_REGISTRY": f"{server.url}/", "TRUSTED_PACKAGE_REGEXP": f"^{NPM_NAME}@"},
    )


def _python(server: StaticServer, versions: Sequence[str], absent: Sequence[str]) -> DemoPackage:
    module = PYTHON_NAME.replace("-", "_")
    source = (_HERE / "program.py").read_bytes()
    files = {}
    for version in versions:
        file = python_package.wheel_name(PYTHON_NAME, version)
        scripts = {PYTHON_NAME: f"{module}:main"}
        files[file] = python_package.wheel(PYTHON_NAME, version, {f"{module}.py": source}, scripts)
        server.put(f"/simple/{PYTHON_NAME}/{file}", files[file])
    server.put(f"/simple/{PYTHON_NAME}/", python_package.project_page(files), "text/html")
    return DemoPackage(
        "python",
        f"{PYTHON_NAME} {VERSION} from a Python index of the demo's own ({server.url}/simple/), because an npm package"
        f" needs Node.js, and {' and '.join(absent)} cannot be found in PATH",
        {"NODE_UNIT_PYTHON_INDEX": f"{server.url}/simple/", "TRUSTED_PACKAGE_REGEXP": f"^{PYTHON_NAME}@"},
    )

"""Real registries on 127.0.0.1: verdaccio for npm packages, a simple repository (PEP 503) for Python wheels."""

import base64
import json
import os
import re
import secrets
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from nodeunit.demo import npm_package, python_package
from nodeunit.demo.static_server import StaticServer, static_server
from tests.support.waiting import wait_until
from tools import node
from tools.timescaledb.say import CannotGoOn

ANSWER_WITHIN_S = 20.0
STARTS_WITHIN_S = 60.0

CONFIGURATION: dict[str, Any] = {
    "web": {"enable": False},
    "uplinks": {},
    "packages": {
        "@private/*": {"access": "$authenticated", "publish": "$authenticated"},
        "**": {"access": "$all", "publish": "$authenticated"},
    },
    "max_body_size": "200mb",
    "log": {"type": "stdout", "format": "json", "level": "http"},
}


class NpmRegistry:
    """A running verdaccio. Everybody may read, except the scope `@private`, which needs the `token`."""

    def __init__(self, url: str, directory: Path, log: Path) -> None:
        self.url = url
        """Without a slash at its end."""
        self.token = self._log_in()
        self._storage = directory / "storage"
        self._log = log

    @property
    def npmrc(self) -> str:
        """The text of an `.npmrc` for this registry, with the token."""
        host = self.url.removeprefix("http:")
        return f"registry={self.url}/\n{host}/:_authToken={self.token}\n"

    def publish(
        self, name: str, version: str, files: Mapping[str, str | bytes], *, tag: str = "latest", **manifest: Any
    ) -> None:
        """Publishes a version. `manifest` is what its package.json says beside name and version.

        A package.json among the files is packed instead of that one, and the registry goes on saying `manifest`.
        """
        said = {"name": name, "version": version, **manifest}
        packed = npm_package.tarball({"package.json": json.dumps(said), **files})
        self.publish_tarball(packed, said, tag=tag)

    def publish_tarball(self, packed: bytes, manifest: Mapping[str, Any], *, tag: str = "latest") -> None:
        """Publishes these very bytes, which need be no archive."""
        name, version = manifest["name"], manifest["version"]
        file = f"{name.rpartition('/')[2]}-{version}.tgz"
        described = npm_package.described(manifest, packed, f"{self.url}/{name}/-/{file}")
        attachment = {
            "content_type": "application/octet-stream",
            "data": base64.b64encode(packed).decode(),
            "length": len(packed),
        }
        document = npm_package.packument({version: described}, {tag: version})
        self._call(
            "PUT", f"/{name.replace('/', '%2f')}", {**document, "_attachments": {f"{name}-{version}.tgz": attachment}}
        )

    def serve_other_bytes(
        self, name: str, version: str, files: Mapping[str, str | bytes], *, declared: bool, **manifest: Any
    ) -> None:
        """Replaces a published version in the storage; `declared`: the registry gives the hash of the new bytes."""
        said = {"name": name, "version": version, **manifest}
        packed = npm_package.tarball({"package.json": json.dumps(said), **files})
        folder = self._storage / name
        (folder / f"{name.rpartition('/')[2]}-{version}.tgz").write_bytes(packed)
        if declared:
            document = json.loads((folder / "package.json").read_text())
            url = document["versions"][version]["dist"]["tarball"]
            document["versions"][version] = npm_package.described(said, packed, url)
            (folder / "package.json").write_text(json.dumps(document))

    def downloads(self, name: str) -> int:
        """How many tarballs of this package have been given out so far."""
        path = re.compile(rf"/{re.escape(name)}/-/[^/]+\.tgz")
        return sum(1 for method, url in self._requests() if method == "GET" and path.fullmatch(url.replace("%2f", "/")))

    def _requests(self) -> Iterator[tuple[str, str]]:
        for line in self._log.read_text().splitlines():
            said = json.loads(line) if line.startswith("{") and line.endswith("}") else {}
            # An answer is logged twice: when it begins, with no byte, and when it ends.
            if "request" in said and said.get("status") == 200 and said["bytes"]["out"]:
                yield said["request"]["method"], said["request"]["url"]

    def _log_in(self) -> str:
        user = {"name": "publisher", "password": secrets.token_urlsafe(12)}
        token: str = self._call("PUT", "/-/user/org.couchdb.user:publisher", user, token="")["token"]
        return token

    def _call(self, method: str, path: str, body: Mapping[str, Any], token: str | None = None) -> dict[str, Any]:
        token = self.token if token is None else token
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        request = Request(self.url + path, json.dumps(body).encode(), headers, method=method)
        with urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
            found: dict[str, Any] = json.load(answer)
        return found


class PythonIndex:
    """A running simple repository. Its `url` is what pip calls the index URL."""

    def __init__(self, server: StaticServer) -> None:
        self.url = f"{server.url}/simple/"
        self._server = server
        self._projects: dict[str, dict[str, bytes]] = {}

    def add_wheel(
        self,
        name: str,
        version: str,
        files: Mapping[str, str | bytes],
        entry_points: Mapping[str, str] | None = None,
        *,
        requires: Iterable[str] = (),
        metadata: str | None = None,
    ) -> None:
        """Serves a wheel; one that was served before is replaced. The arguments are those of `wheel`."""
        packed = python_package.wheel(name, version, files, entry_points, requires, metadata)
        self.add_file(name, python_package.wheel_name(name, version), packed)

    def add_file(self, project: str, file: str, content: bytes) -> None:
        """Serves any file as one of the project: a source archive, or what is no archive at all."""
        project = python_package.normalised(project)
        files = self._projects.setdefault(project, {})
        files[file] = content
        self._server.put(f"/simple/{project}/{file}", content)
        self._server.put(f"/simple/{project}/", python_package.project_page(files), "text/html")

    def serve_other_bytes(self, project: str, file: str, content: bytes) -> None:
        """Replaces a file, while the page goes on giving the hash of the old one."""
        self._server.put(f"/simple/{python_package.normalised(project)}/{file}", content)

    def downloads(self, project: str) -> int:
        """How many files of this project have been asked for so far."""
        folder = f"/simple/{python_package.normalised(project)}/"
        return sum(1 for path in self._server.requests if path.startswith(folder) and path != folder)


@contextmanager
def running_npm_registry(directory: Path) -> Iterator[NpmRegistry]:
    """A verdaccio that keeps its packages in `directory`; it ends with the block or with this process.

    Skips the test where Node.js is missing and cannot be installed.
    """
    modules = _verdaccio()
    log, configuration = directory / "verdaccio.log", directory / "config.json"
    own = {"storage": str(directory / "storage"), "auth": {"htpasswd": {"file": str(directory / "htpasswd")}}}
    configuration.write_text(json.dumps(CONFIGURATION | own))
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["node", str(node.VERDACCIO / "serve.cjs"), str(modules), str(configuration)],
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
        )
    try:
        wait_until(lambda: _port(log) or process.poll() is not None, within_s=STARTS_WITHIN_S, what="verdaccio listens")
        assert process.poll() is None, f"verdaccio ended with {process.returncode}: {log.read_text()}"
        yield NpmRegistry(f"http://127.0.0.1:{_port(log)}", directory, log)
    finally:
        process.kill()
        process.communicate()


@contextmanager
def running_python_index() -> Iterator[PythonIndex]:
    """An empty index, which ends with the block."""
    with static_server() as server:
        yield PythonIndex(server)


def _verdaccio() -> Path:
    try:
        return node.verdaccio()
    except CannotGoOn as error:
        if not node.missing() or os.geteuid() == 0:
            pytest.fail(f"{error} `make test` installs it.", pytrace=False)
        pytest.skip(f"{error} Only root can install it here.")


def _port(log: Path) -> str | None:
    found = re.search(r"^port (\d+)$", log.read_text(), re.MULTILINE)
    return found[1] if found else None

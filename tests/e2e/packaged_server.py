"""A small real server as an npm and as a Python package, and what the programs of a fleet answer."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple, Protocol
from urllib.request import urlopen
from uuid import UUID

from tests.e2e.fleet import Fleet
from tests.support.registries import NpmRegistry, PythonIndex
from tests.support.waiting import wait_until

ANSWERS_WITHIN_S = 2.0

JAVASCRIPT = """#!/usr/bin/env node
const below = Object.keys(require("./package.json").dependencies || {}).map((name) => require(`${name}/package.json`));
const body = JSON.stringify({
  deployment: process.env.DEPLOYMENT_ID, claim: Number(process.env.NODEUNIT_CLAIM_VERSION), pid: process.pid,
  version: require("./package.json").version, below: below.map((one) => one.version),
});
process.on("SIGTERM", () => process.exit(0));
const server = require("http").createServer((request, response) => response.end(body));
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}/`));
"""

PYTHON = """
import http.server, importlib.metadata, json, os, re, signal, sys

NAME = "{name}"

def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    below = [re.match(r"[\\w.-]+", one)[0] for one in importlib.metadata.requires(NAME) or ()]
    body = json.dumps({{
        "deployment": os.environ["DEPLOYMENT_ID"], "claim": int(os.environ["NODEUNIT_CLAIM_VERSION"]),
        "pid": os.getpid(), "version": importlib.metadata.version(NAME),
        "below": [importlib.metadata.version(one) for one in below],
    }}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"listening on http://127.0.0.1:{{server.server_address[1]}}/", flush=True)
    server.serve_forever()
"""


class Answer(NamedTuple):
    """What a program says of itself."""

    deployment: str
    claim: int
    """The version of the claim that it was started under."""
    pid: int
    version: str
    """Of its package."""
    below: list[str]
    """The versions of the packages that it depends on."""


class Source(Protocol):
    """A registry that units install the server from."""

    runtime: str
    settings: dict[str, str]
    """What a unit must be told."""

    def publish(self, name: str, version: str, *, below: Mapping[str, str] | None = None) -> None:
        """Publishes the server; `below`: what it depends on, each with the versions that will do."""

    def publish_library(self, name: str, version: str) -> None:
        """Publishes a package that the server can depend on."""

    def replace(self, name: str, version: str) -> None:
        """Serves the server from now on in other bytes, and declares their hash, as if they had been there always."""


class NpmSource:
    runtime = "npm"

    def __init__(self, registry: NpmRegistry) -> None:
        self.settings = {"NODE_UNIT_NPM_REGISTRY": f"{registry.url}/"}
        self._registry = registry

    def publish(self, name: str, version: str, *, below: Mapping[str, str] | None = None) -> None:
        files = {"server.js": JAVASCRIPT}
        self._registry.publish(name, version, files, bin="server.js", dependencies=dict(below or {}))

    def publish_library(self, name: str, version: str) -> None:
        self._registry.publish(name, version, {"index.js": ""})

    def replace(self, name: str, version: str) -> None:
        files = {"server.js": f"{JAVASCRIPT}// other bytes\n"}
        self._registry.serve_other_bytes(name, version, files, declared=True, bin="server.js")


class PythonSource:
    runtime = "python"

    def __init__(self, index: PythonIndex) -> None:
        self.settings = {"NODE_UNIT_PYTHON_INDEX": index.url}
        self._index = index

    def publish(self, name: str, version: str, *, below: Mapping[str, str] | None = None) -> None:
        self._add(name, version, PYTHON.format(name=name), below or {})

    def publish_library(self, name: str, version: str) -> None:
        self._index.add_wheel(name, version, {f"{name.replace('-', '_')}.py": ""})

    def replace(self, name: str, version: str) -> None:
        self._add(name, version, f"{PYTHON.format(name=name)}# other bytes\n", {})

    def _add(self, name: str, version: str, source: str, below: Mapping[str, str]) -> None:
        module = name.replace("-", "_")
        requires = [f"{one}{versions}" for one, versions in below.items()]
        self._index.add_wheel(name, version, {f"{module}.py": source}, {name: f"{module}:main"}, requires=requires)


class Programs:
    """The programs of a fleet on this machine, whose units keep their logs in `logs`."""

    def __init__(self, fleet: Fleet, logs: Path) -> None:
        self._fleet = fleet
        self._logs = logs

    def answer(self, deployment: UUID) -> Answer | None:
        """What the row's newest program answers now; None if it does not."""
        started = self._fleet.query(
            "select unit_address, (data ->> 'pid')::int as pid from event where type = 'ProcessStarted'"
            " and deployment_id = %s order by position desc limit 1",
            deployment,
        )
        return self._ask(deployment, started[0]["unit_address"], started[0]["pid"]) if started else None

    def answers(self) -> dict[str, Answer]:
        """What the newest program of each row answers, by deployment; only those that answer."""
        started = self._fleet.query(
            "select distinct on (deployment_id) deployment_id, unit_address, (data ->> 'pid')::int as pid from event"
            " where type = 'ProcessStarted' order by deployment_id, position desc"
        )
        found = {str(row["deployment_id"]): self._ask(**_renamed(row)) for row in started}
        return {deployment: answer for deployment, answer in found.items() if answer}

    def wait_for(self, deployment: UUID, what: Callable[[Answer], bool], *, within_s: float = 60.0) -> Answer:
        """The first answer of which `what` is true."""

        def found() -> Answer | None:
            answer = self.answer(deployment)
            return answer if answer and what(answer) else None

        answer = wait_until(found, within_s=within_s, what="the program answers as expected")
        assert answer is not None
        return answer

    @contextmanager
    def gaps(self, deployment: UUID) -> Iterator[list[float]]:
        """Asks the program again and again meanwhile; at the end the list has each time without an answer, in ms."""
        times, gaps, ended = list[float](), list[float](), Event()

        def ask() -> None:
            while not ended.is_set():
                if self.answer(deployment):
                    times.append(time.monotonic())

        asking = Thread(target=ask, daemon=True)
        asking.start()
        try:
            yield gaps
        finally:
            ended.set()
            asking.join()
            gaps += [(after - before) * 1000 for before, after in pairwise(times)]

    def _ask(self, deployment: UUID, address: str, pid: int) -> Answer | None:
        log = self._logs / address[:8] / f"{deployment}.log"
        try:
            ports = re.findall(r"^listening on (http://127\.0\.0\.1:\d+/)$", log.read_text(), re.MULTILINE)
            if not ports:
                return None
            with urlopen(ports[-1], timeout=ANSWERS_WITHIN_S) as said:
                answer = Answer(**json.load(said))
        except (OSError, ValueError):
            return None
        # A port may have been given to another program meanwhile.
        return answer if answer.deployment == str(deployment) and answer.pid == pid else None


def _renamed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"deployment": row["deployment_id"], "address": row["unit_address"], "pid": row["pid"]}

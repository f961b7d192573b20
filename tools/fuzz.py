"""Hostile inputs, by the hundred thousand, at a unit that runs: rows, notifications, calls, settings and command lines.

    python -m tools.fuzz --count 100000 --seed 7     makes an embedded database, a unit and three logins for it

Each input is sent as the attacker who could send it: a stranger notifies, a unit's login calls functions, an operator
writes rows. At the end the unit must be the same process with the same lease, its log without a traceback, and every
projection the fold of the log. The exit code is 1 if not, and the seed makes the same inputs again.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb
from typer.testing import CliRunner

from nodeunit.cli.app import app
from nodeunit.demo.embedded import embedded_database
from nodeunit.errors import NodeunitError
from nodeunit.settings import DESCRIPTIONS, Settings
from nodeunit.store.postgres.connections import conninfo
from nodeunit.store.postgres.migrator import migrate
from nodeunit.store.postgres.notification import read_payload
from nodeunit.store.read import projections

PIECES = [
    "", " ", "*", "0", "-1", "1", "9" * 30, "9" * 4400, "nan", "inf", "-inf", "1e308", "null", "true", "True",
    "\x1b[2J", "a\nb", "\r", "\t", "\u202e", "\u2028", "\U0001f980", "'", '"', "\\", ";", "--", "$$", "%s", "{}",
    "[]", "{", "../..", "/etc/passwd", "(a+)+$", "(?=", "a" * 300, "deployment", "unit", "unit-1", "eligible", "logs",
    "-infinity", "100 years", "-1 s", "10 s", "postgresql://u:p@h/d", "password=x y", "@yuants/app", "1.0.0", "npm",
    "daemon", "TERM",
]  # fmt: skip


class Attackers(NamedTuple):
    """The conninfos of those who send."""

    stranger: str
    unit: str
    operator: str


class Inputs:
    """Inputs of one seed, sent over three connections. `accepted` counts what was not refused, by kind."""

    def __init__(self, attackers: Attackers, seed: int) -> None:
        self._random = random.Random(seed)
        self._connections = [psycopg.connect(each, autocommit=True) for each in attackers]
        self.accepted: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        with psycopg.connect(attackers.unit) as connection:
            self._calls = connection.execute(
                "select p.proname, array(select t::regtype::text"
                " from unnest(p.proargtypes::oid[]) with ordinality a (t, n) order by n)"
                " from pg_proc p where p.pronamespace = 'public'::regnamespace"
                " and has_function_privilege(p.oid, 'execute') and p.prosecdef order by 1, 2"
            ).fetchall()
        self._kinds: list[tuple[int, str, Callable[[], bool]]] = [
            (50, "notifications", self._notify), (20, "calls", self._call), (10, "rows", self._row),
            (15, "settings", self._settings), (4, "connection strings", self._conninfo),
            (1, "command lines", self._verb),
        ]  # fmt: skip

    def send(self, count: int) -> None:
        """Sends so many. Raises whatever is not a refusal."""
        weights = [weight for weight, _, _ in self._kinds]
        for _, kind, attempt in self._random.choices(self._kinds, weights, k=count):
            self.sent[kind] += 1
            self.accepted[kind] += attempt()

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def text(self) -> str:
        """Some pieces, joined by what separates things."""
        parts = self._random.choices(PIECES, k=self._random.choice((1, 1, 1, 2, 3, 8)))
        return self._random.choice(("", " ", ",", ":")).join(parts)

    def _tried(self, who: int, statement: sql.SQL | sql.Composed, values: list[Any]) -> bool:
        try:
            self._connections[who].execute(statement, values)
        except (psycopg.Error, UnicodeEncodeError):
            return False
        return True

    def _notify(self) -> bool:
        payload = self.text()
        read_payload(payload)
        return self._tried(0, sql.SQL("select pg_notify('nodeunit', left(%s, 7990))"), [payload])

    def _call(self) -> bool:
        name, types = self._random.choice(self._calls)
        values = [self._value(kind) for kind in types]
        places = sql.SQL(", ").join(sql.SQL("%s::{}").format(sql.SQL(kind)) for kind in types)
        return self._tried(1, sql.SQL("select {}({})").format(sql.Identifier(name), places), values)

    def _value(self, kind: str) -> Any:
        """Mostly of the type; sometimes not even that."""
        chosen = self._random.random()
        if chosen < 0.05:
            return None
        if kind == "text" and chosen < 0.5:
            return "unit-1"
        if kind == "integer" and chosen < 0.8:
            return str(self._random.choice((0, 1, 2, -1, 2**31 - 1, -(2**31))))
        if kind == "uuid":
            return UUID(int=self._random.getrandbits(128))
        if kind == "interval" and chosen < 0.5:
            return "10 s"
        if kind == "jsonb":
            keys = self._random.choices(
                ["type", "event_id", "deployment_id", "data", "cpu_percent", "claim_version"], k=3
            )
            return Jsonb([{key: self.text().replace("\0", "") for key in keys}])
        if kind.endswith("[]"):
            return "{}" if chosen < 0.5 else f"{{{self.text().replace('{', '')}}}"
        return self.text()

    def _row(self) -> bool:
        columns = self._random.sample(
            ["package_name", "package_version", "command", "args", "env", "type", "address", "runtime", "cwd",
             "secrets", "stop_signal", "startup_check", "memory_limit_mb", "restart"],
            k=self._random.randint(1, 4),
        )  # fmt: skip
        names = sql.SQL(", ").join(map(sql.Identifier, columns))
        return self._tried(
            2, sql.SQL("insert into deployment ({}) values ({})").format(
                names, sql.SQL(", ").join(sql.Placeholder() * len(columns))
            ),
            [self.text() for _ in columns],
        )  # fmt: skip

    def _settings(self) -> bool:
        variables = {d.variable: self.text() for d in self._random.sample(DESCRIPTIONS, k=3)}
        try:
            Settings.from_environment(variables)
        except NodeunitError:
            return False
        return True

    def _conninfo(self) -> bool:
        try:
            conninfo(self._random.choice(("", "postgresql://", "host=")) + self.text(), "fuzz")
        except NodeunitError:
            return False
        return True

    def _verb(self) -> bool:
        verb = self._random.choice(
            ["report", "why", "plan", "events", "usage", "replay", "drain", "logs", "enroll", ""]
        )
        words = [self.text() for _ in range(self._random.randint(0, 3))]
        found = CliRunner().invoke(app, [verb, *words, "--database", "host=127.0.0.1 port=1"], env={"POSTGRES_URI": ""})
        if found.exception is not None and not isinstance(found.exception, NodeunitError | SystemExit):
            raise found.exception
        return found.exit_code == 0


def attackers(owner: str) -> Attackers:
    """Makes the three logins, on a server that asks nobody for a password, or with one."""
    made = []
    with psycopg.connect(owner, autocommit=True) as connection:
        for name in ("stranger", "unit", "operator"):
            login = f"fuzz_{name}_{os.getpid()}"
            connection.execute(sql.SQL("create role {} login password 'fuzz'").format(sql.Identifier(login)))
            made.append(make_conninfo(owner, user=login, password="fuzz"))
            if name == "operator":
                connection.execute(sql.SQL("grant nodeunit_operator to {}").format(sql.Identifier(login)))
            if name == "unit":
                connection.execute("select enroll_unit(%s, null, 'unit-1')", (login,))
    return Attackers(*made)


def remove(owner: str) -> None:
    """Drops the logins again, which belong to the server."""
    with psycopg.connect(owner, autocommit=True) as connection:
        connection.execute("delete from unit_login where login like 'fuzz_%'")
        for name in ("stranger", "unit", "operator"):
            login = sql.Identifier(f"fuzz_{name}_{os.getpid()}")
            connection.execute(sql.SQL("drop owned by {} cascade").format(login))
            connection.execute(sql.SQL("drop role {}").format(login))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    with embedded_database() as server, tempfile.TemporaryDirectory() as directory:
        asyncio.run(migrate(server.conninfo))
        from tests.support.unit_process import unit_process  # only this entry needs a unit of its own

        with unit_process(server.conninfo, Path(directory), TRUSTED_PACKAGE_REGEXP="^never$") as unit:
            while "is ready" not in unit.log:
                time.sleep(0.1)
            before = living(unit.pid)
            inputs = Inputs(attackers(server.conninfo), given.seed)
            began = time.monotonic()
            inputs.send(given.count)
            took_s = time.monotonic() - began
            inputs.close()
            faults = faults_of(server.conninfo, unit.address, unit.log, before, living(unit.pid))
        print(f"seed {given.seed}: {given.count} inputs in {took_s:.1f} s, load {os.getloadavg()[0]:.1f}")
        for kind, sent in inputs.sent.most_common():
            print(f"  {sent:7} {kind}, {inputs.accepted[kind]} of them accepted")
        print(
            "\n".join(faults) or "no traceback, no daemon ended, no lease lost, every projection is the fold of the log"
        )
    return 1 if faults else 0


def living(pid: int) -> set[int]:
    """Supervisor, guard, log writer and daemon."""
    return {pid, *(child.pid for child in psutil.Process(pid).children())}


def faults_of(owner: str, address: str, log: str, before: set[int], after: set[int]) -> list[str]:
    """What must not have happened."""
    found = [line for line in log.splitlines() if "Traceback" in line or "unexpected error" in line]
    if not before <= after:
        found.append(f"processes of the unit have ended: {before - after}")
    with psycopg.connect(owner, autocommit=True) as connection:
        lost = connection.execute(
            "select type from event where unit_address = %s and type in ('UnitLost', 'UnitListenerDeaf')", (address,)
        ).fetchall()
        found += [f"the unit wrote or suffered {kind}" for (kind,) in lost]
    return found + [f"{one}" for one in asyncio.run(projections.verify(owner))]


if __name__ == "__main__":
    sys.exit(main())

"""What the end-to-end tests ask the database about a running fleet."""

import asyncio
from contextlib import suppress
from typing import Any, LiteralString

import psutil
import psycopg
from psycopg.rows import DictRow, dict_row

from nodeunit.audit import invariants
from nodeunit.store.read import projections
from nodeunit.store.read.report import snapshot
from tests.support.waiting import wait_until

REPORT_INSERT = b"""
insert into deployment (package_name, package_version, enabled)
select '@yuants/app-portal', '0.2.26', true from generate_series(1, 21);
"""
"""The statement of the report, to the letter."""

REPORT_UNITS = {
    "node-unit-1": "5DAR2ZCrRAma2EeGUPRmcYvXUfpaWxSRq5kzWrjs3dmT",
    "node-unit-2": "GJ93nFZvTSbdDYo4nR81WjPtEd6ovykN1xvYtX64fAd8",
}

SERVER = "/usr/bin/env python3 -I -S -u -m http.server 0 --bind 127.0.0.1"
"""A small real server; the interpreter is the one on the unit's PATH."""


class Fleet:
    """A database with units on it."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    def query(self, statement: LiteralString, *parameters: Any) -> list[DictRow]:
        with psycopg.connect(self.conninfo, autocommit=True, row_factory=dict_row) as connection:
            return connection.execute(statement, parameters).fetchall()

    def execute(self, statement: LiteralString, *parameters: Any) -> None:
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            connection.execute(statement, parameters)

    def simple_query(self, statement: bytes) -> None:
        """Sends it as psql does: unprepared, without parameters."""
        with psycopg.connect(self.conninfo, autocommit=True) as connection:
            result = connection.pgconn.exec_(statement)
            assert not result.error_message, result.error_message.decode()

    def insert_servers(self, count: int, *, kind: str = "deployment", on_disconnect: str = "keep") -> None:
        self.execute(
            "insert into deployment (package_name, package_version, command, type, on_disconnect)"
            " select '@yuants/server', '1.0.0', %s, %s, %s from generate_series(1, %s)",
            SERVER, kind, on_disconnect, count,
        )  # fmt: skip

    def wait_for_measured_units(self, count: int) -> None:
        """Until so many units have joined and have a sample."""
        wait_until(
            lambda: len(self.query("select from lease where epoch is not null and cpu_percent is not null")) == count,
            within_s=20,
            what=f"{count} units are measured",
        )

    def split(self) -> dict[str, int]:
        """Rows of type deployment by address."""
        rows = self.query("select address, count(*) as n from deployment where type = 'deployment' group by address")
        return {row["address"]: row["n"] for row in rows}

    def wait_until_all_claimed(self, within_s: float = 20) -> dict[str, int]:
        wait_until(lambda: "" not in self.split(), within_s=within_s, what="every row is claimed")
        return self.split()

    def events(self, *types: str) -> list[DictRow]:
        return self.query("select * from event where type = any(%s) order by position", list(types))

    def running(self) -> dict[str, psutil.Process]:
        """The program of each deployment whose last process event says that it runs; on a fleet of one machine."""
        last = self.query(
            "select distinct on (deployment_id, unit_address) type, deployment_id, unit_address, data from event"
            " where type in ('ProcessStarted', 'ProcessExited') order by deployment_id, unit_address, position desc"
        )
        found = {}
        for row in last:
            if row["type"] != "ProcessStarted":
                continue
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(row["data"]["pid"])
                if process.status() != psutil.STATUS_ZOMBIE:
                    found[f"{row['deployment_id']}/{row['unit_address']}"] = process
        return found

    def program_variables(self, name: str) -> list[str]:
        """The value of an environment variable in each program that runs; one may end while it is asked."""
        values = []
        for program in self.running().values():
            with suppress(psutil.NoSuchProcess):
                values.append(program.environ()[name])
        return values

    def assert_sound(self) -> None:
        """Every invariant holds, and every projection is the fold of the log."""
        violated = [one for one in asyncio.run(self._check()) if one.violations]
        assert violated == []
        assert asyncio.run(projections.verify(self.conninfo)) == []

    async def _check(self) -> list[invariants.Invariant]:
        async with snapshot(self.conninfo) as taken:
            return await invariants.check(taken)

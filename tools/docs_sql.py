"""Writes the results of a real run into docs/sql.md.

    python -m tools.docs_sql --database URL     an empty database, whose schema is made; the run takes two minutes

Two units claim 21 deployments, as in the original report. Then three programs are killed, and a unit with all its
programs, which the other one takes over. At the end each statement of the page is run and its result put after it.
"""

import argparse
import asyncio
import os
import re
import signal
import sys
import tempfile
import time
from datetime import datetime
from datetime import time as clock
from pathlib import Path

import psutil
import psycopg
from psycopg.types.json import Jsonb

from nodeunit.demo.fleet import demo_fleet
from nodeunit.store.postgres.migrator import migrate

PAGE = Path(__file__).parents[1] / "docs" / "sql.md"
DEPLOYMENTS = 21

_BLOCK = re.compile(r"```sql\n(?P<sql>.*?)```\n(?:\n```text\n(?P<result>.*?)```\n)?", re.DOTALL)


def statements(page: str) -> list[tuple[str, str]]:
    """Every ```sql block of a Markdown page, with the ```text block right after it (else empty)."""
    return [(match["sql"].strip(), match["result"] or "") for match in _BLOCK.finditer(page)]


def columns(result: str) -> list[str]:
    """The headers of a result as `table` writes it."""
    first = result.partition("\n")[0]
    return [name.strip() for name in first.split(" | ")] if first else []


def table(cursor: psycopg.Cursor[tuple[object, ...]]) -> str:
    """The answer of a statement as text, a line a row."""
    assert cursor.description is not None
    header = [column.name for column in cursor.description]
    rows = [list(map(_text, row)) for row in cursor.fetchall()]
    widths = [max(len(line[at]) for line in (header, *rows)) for at in range(len(header))]
    lines = [
        " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in (header, ["-" * width for width in widths], *rows)
    ]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    if isinstance(value, datetime | clock):
        at = value.isoformat(timespec="milliseconds" if value.microsecond else "seconds")
        return at.replace("T", " ").removesuffix("+00:00")
    return "" if value is None else str(value)


def filled(page: str, connection: psycopg.Connection) -> str:
    """The page with the result of each statement after it."""

    def answer(match: re.Match[str]) -> str:
        result = table(connection.execute(match["sql"].encode()))
        return f"```sql\n{match['sql']}```\n\n```text\n{result}```\n"

    return _BLOCK.sub(answer, page)


def real_run(database: str) -> None:
    """What the page tells of."""
    settings = {"POSTGRES_URI": database, "NODE_UNIT_CLAIM_POLICY": "resource_usage", "ENABLE_CUSTOM_COMMAND": "true"}
    program = "import time\nwhile True: time.sleep(0.05)"
    with (
        tempfile.TemporaryDirectory() as directory,
        psycopg.connect(database, autocommit=True) as connection,
        demo_fleet(2, settings, Path(directory), keep=False) as fleet,
    ):
        _wait(connection, "select count(*) = 2 from lease where cpu_percent is not null")
        connection.execute(
            "insert into deployment (package_name, package_version, enabled, command, args) "
            "select '@yuants/app-portal', '0.2.26', true, %s, %s from generate_series(1, %s)",
            (sys.executable, Jsonb(["-c", program]), DEPLOYMENTS),
        )
        running = f"select count(*) = {DEPLOYMENTS} from current_usage"
        _wait(connection, running)
        time.sleep(30)
        for (pid,) in connection.execute(
            "select (data ->> 'pid')::int from event where type = 'ProcessStarted' order by deployment_id limit 3"
        ).fetchall():
            os.kill(pid, signal.SIGKILL)
        time.sleep(20)
        lost = fleet.units.pop()
        _cut_the_power(lost.process.pid)
        lost.process.wait()
        _wait(connection, "select count(distinct address) = 1 from deployment where address <> ''")
        time.sleep(40)
        PAGE.write_text(filled(PAGE.read_text(), connection))


def _cut_the_power(pid: int) -> None:
    """All of a unit ends at once: supervisor, daemon and programs; stopped first, it starts nothing meanwhile."""
    supervisor = psutil.Process(pid)
    supervisor.suspend()
    for process in [*supervisor.children(recursive=True), supervisor]:
        process.kill()


def _wait(connection: psycopg.Connection, condition: str, within_s: float = 60) -> None:
    give_up_at = time.monotonic() + within_s
    while connection.execute(condition.encode()).fetchone() != (True,):
        if time.monotonic() > give_up_at:
            raise TimeoutError(f"not within {within_s:.0f} s: {condition}")
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", required=True)
    given = parser.parse_args()
    asyncio.run(migrate(given.database))
    real_run(given.database)


if __name__ == "__main__":
    main()

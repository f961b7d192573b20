"""The plans of every executed statement, also inside functions, as auto_explain reports them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.errors import Diagnostic

SCANS = ("Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Index Scan", "Sample Scan", "Tid Scan")
"""The plan nodes that read rows, and by which index."""


@dataclass(frozen=True)
class Scan:
    """One node of a plan that reads a table."""

    node: str
    table: str
    index: str
    rows: float
    """Returned and removed by a filter, in all loops."""
    empty_chunk: bool
    """Nothing is there to read, as in a chunk that was made ahead, so no index is needed."""


@dataclass(frozen=True)
class Plan:
    """One statement as it was executed."""

    statement: str
    scans: list[Scan] = field(default_factory=list)

    def of(self, table: str) -> list[Scan]:
        """The scans of a table, or of the chunks of a hypertable."""
        return [scan for scan in self.scans if scan.table == table]

    def __str__(self) -> str:
        return "\n".join(["", self.statement.strip(), *map(str, self.scans)])


def plans_of(conninfo: str, *statements: tuple[str, Mapping[str, object]], after: Sequence[str] = ()) -> list[Plan]:
    """Executes statements in one transaction, which is rolled back, and returns the plans of all that they executed.
    What is to happen before, in the same transaction, is `after`.
    """
    logged: list[dict[str, Any]] = []

    def take(diagnostic: Diagnostic) -> None:
        _, found, plan = (diagnostic.message_primary or "").partition("plan:\n")
        if found:
            logged.append(json.loads(plan))

    with psycopg.connect(conninfo) as connection:
        connection.add_notice_handler(take)
        for statement in after:
            connection.execute(statement)
        connection.execute("load 'auto_explain'")
        for name, setting in {
            "log_min_duration": "0", "log_nested_statements": "on", "log_analyze": "on", "log_timing": "off",
            "log_format": "json", "log_level": "notice",
        }.items():  # fmt: skip
            connection.execute("select set_config('auto_explain.' || %s, %s, true)", (name, setting))
        logged.clear()
        for statement, parameters in statements:
            connection.execute(statement, parameters)
        connection.rollback()
    tables, empty = _tables(conninfo), _empty_chunks(conninfo)
    return [Plan(each["Query Text"], list(_scans(each["Plan"], tables, empty))) for each in logged]


def _scans(node: dict[str, Any], tables: dict[str, str], empty: set[str]) -> Iterator[Scan]:
    loops = node["Actual Loops"]
    if loops and node["Node Type"] in SCANS:
        index = node.get("Index Name", "")
        table = node.get("Relation Name") or tables[index]
        thrown_away = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        rows = (node["Actual Rows"] + thrown_away) * loops
        yield Scan(
            node["Node Type"], tables.get(table, table), tables.get("index " + index, index), rows, table in empty
        )
    for below in node.get("Plans", []):
        yield from _scans(below, tables, empty)


def _empty_chunks(conninfo: str) -> set[str]:
    """The chunks without a single block."""
    with psycopg.connect(conninfo) as connection:
        chunks = connection.execute(
            "select chunk_name from timescaledb_information.chunks "
            "where pg_relation_size(format('%I.%I', chunk_schema, chunk_name)::regclass) = 0"
        ).fetchall()
    return {name for (name,) in chunks}


def _tables(conninfo: str) -> dict[str, str]:
    """Chunk to hypertable, index to table (or hypertable), and `index <index of a chunk>` to that of the hypertable."""
    with psycopg.connect(conninfo) as connection:
        chunks: dict[str, str] = dict(
            connection.execute("select chunk_name, hypertable_name from timescaledb_information.chunks").fetchall()
        )
        indexes = connection.execute(
            "select c.relname, t.relname from pg_index i join pg_class c on c.oid = i.indexrelid "
            "join pg_class t on t.oid = i.indrelid"
        ).fetchall()
    known = dict(chunks)
    for index, table in indexes:
        known[index] = chunks[table] if table in chunks else str(table)
        if table in chunks:
            known["index " + index] = str(index).removeprefix(f"{table}_")
    return known

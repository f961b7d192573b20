"""Plain SQL, as a superuser types it: to set up a test, and to look at its result."""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

Parameters = Sequence[Any] | Mapping[str, Any] | None


def rows(conninfo: str, statement: LiteralString, parameters: Parameters = None) -> list[dict[str, Any]]:
    """The answer to one statement, committed; empty when it has none."""
    with psycopg.connect(conninfo, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def value(conninfo: str, statement: LiteralString, parameters: Parameters = None) -> Any:
    """The one column of the one row of an answer."""
    ((only,),) = [row.values() for row in rows(conninfo, statement, parameters)]
    return only


def insert_deployments(conninfo: str, count: int = 1, *, address: str = "", package: str = "@yuants/app") -> list[UUID]:
    """Inserts rows and returns them in the order of their ids; with an address they are assigned by hand."""
    inserted = rows(
        conninfo,
        "insert into deployment (package_name, package_version, address) "
        "select %s, '1.0.0', %s from generate_series(1, %s) returning id",
        (package, address, count),
    )
    return sorted(row["id"] for row in inserted)


def deployment(conninfo: str, deployment_id: UUID) -> dict[str, Any]:
    """A row of the table."""
    (row,) = rows(conninfo, "select * from deployment where id = %s", (deployment_id,))
    return row


def events(conninfo: str, deployment_id: UUID | None = None) -> list[dict[str, Any]]:
    """The log, or its events of one deployment, in the order of positions."""
    return rows(
        conninfo,
        "select * from event where %(id)s::uuid is null or deployment_id = %(id)s order by position",
        {"id": deployment_id},
    )

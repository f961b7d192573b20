"""Rows with the state of their programs: page by page in the order of ids, and those that a name or package means."""

from collections.abc import AsyncGenerator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from psycopg.types.json import Jsonb

from nodeunit.domain.row_state import DeploymentRow, Program, worst
from nodeunit.errors import DeploymentUnknown
from nodeunit.store.postgres.connections import Connection, translate_errors
from nodeunit.store.postgres.queries import QUERIES

PAGE = 500
"""The number of rows that are read at once."""

_HEX = frozenset("0123456789abcdef")


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are read; None excludes nothing."""

    ids: list[UUID] | None = None
    name: str | None = None
    package_name: str | None = None
    package_version: str | None = None
    address: str | None = None
    """Held by this unit, or of type daemon."""
    columns: dict[str, Any] | None = None
    """Columns of the table with these values."""
    state: str | None = None
    reason: str | None = None


ALL_ROWS = RowFilter()


class Called(NamedTuple):
    """A row that was meant."""

    id: UUID
    name: str | None
    package_name: str
    package_version: str

    @property
    def label(self) -> str:
        """What it is called in sentences."""
        return self.name or str(self.id)[:8]


async def rows(
    connection: Connection, wanted: RowFilter = ALL_ROWS, page: int = PAGE
) -> AsyncGenerator[DeploymentRow, None]:
    """Every row that the filter selects, in the order of ids; reads a page when the page before was taken."""
    after: UUID | None = None
    while True:
        found = await _page(connection, wanted, after, page)
        for row in found:
            if wanted.state in (None, row.state) and wanted.reason in (None, row.reason):
                yield row
        if len(found) < page:
            return
        after = found[-1].id


async def _page(connection: Connection, wanted: RowFilter, after: UUID | None, limit: int) -> list[DeploymentRow]:
    parameters = msgspec.structs.asdict(wanted) | {"after": after, "limit": limit}
    parameters["columns"] = None if wanted.columns is None else Jsonb(wanted.columns)
    async with translate_errors():
        found = await (await connection.execute(QUERIES["deployment_page"], parameters)).fetchall()
        reported = await connection.execute(QUERIES["programs_of_rows"], {"ids": [row["id"] for row in found]})
        programs: dict[UUID, list[Program]] = {}
        for each in await reported.fetchall():
            programs.setdefault(each.pop("deployment_id"), []).append(Program(**each))
    return [_row(row, programs.get(row["id"], [])) for row in found]


def _row(columns: dict[str, Any], programs: list[Program]) -> DeploymentRow:
    daemon = columns["type"] == "daemon"
    there = [one for one in programs if one.unit_address and one.unit]
    own = there if daemon else [one for one in there if one.unit_address == columns["unit_address"]]
    looked_at = own or [one for one in programs if not one.unit]
    state, reason = worst([(one.state, one.reason) for one in looked_at])
    return DeploymentRow(
        **columns,
        state=state,
        reason=reason,
        ready=sum(one.state == "running" for one in own),
        wanted=0 if not columns["enabled"] else len(own) if daemon else 1,
        restarts=sum(one.restarts for one in own),
        programs=there,
    )


async def find_rows(connection: Connection, given: str) -> list[Called]:
    """The rows of the best kind of match: name or whole id, else package, else beginning. At most a few of several."""
    wanted = given.strip().removeprefix("deployment/")
    of_package, _, digits = wanted.rpartition("/")
    lowest, highest = ids_between(digits) or (None, None)
    name, at, version = wanted.rpartition("@")
    package, version = (name, version) if at and name else (wanted, "")
    parameters = {
        "given": wanted, "lowest": lowest, "highest": highest, "of_package": of_package or None,
        "package_name": package, "package_version": version or None,
    }  # fmt: skip
    async with translate_errors():
        found = await (await connection.execute(QUERIES["deployments_called"], parameters)).fetchall()
    best = [row for row in found if row["rank"] == found[0]["rank"]]
    called = {row["id"]: Called(row["id"], row["name"], row["package_name"], row["package_version"]) for row in best}
    return list(called.values())


async def find_row(connection: Connection, given: str) -> Called:
    """The only row that is meant. Raises DeploymentUnknown for none, and for several with the candidates."""
    return the_row(given, await find_rows(connection, given))


def the_row(given: str, found: Sequence[Called]) -> Called:
    """The only row that was found. Raises DeploymentUnknown for none, and for several with the candidates."""
    if not found:
        raise DeploymentUnknown(
            f"no deployment has the name, package or id {given}, or one that begins so; see: nodeunit get deployments"
        )
    if len(found) > 1:
        candidates = [*map(_candidate, found[:10]), *(["and more"] if len(found) > 10 else [])]
        raise DeploymentUnknown(
            f"{given} means several deployments; give the name of one or more of its id:", details=candidates
        )
    return found[0]


async def change_mark(connection: Connection) -> tuple[int, int | None]:
    """What differs after the log has grown or a notification was sent. Cheap enough to be asked often."""
    async with translate_errors():
        row = await (await connection.execute(QUERIES["change_mark"])).fetchone()
    assert row is not None
    return row["woken"], row["position"]


async def columns_of(connection: Connection, ids: list[UUID]) -> list[dict[str, Any]]:
    """The columns of these rows, those with secret values too, by id."""
    async with translate_errors():
        found = await (await connection.execute(QUERIES["row_columns"], {"ids": ids})).fetchall()
    return [row["columns"] for row in found]


async def shown_columns_of(connection: Connection, ids: list[UUID]) -> list[dict[str, Any]]:
    """The columns of these rows without env, by id."""
    async with translate_errors():
        found = await (await connection.execute(QUERIES["shown_columns"], {"ids": ids})).fetchall()
    return [row["columns"] for row in found]


async def lock(connection: Connection, ids: list[UUID]) -> None:
    """Nobody else changes these rows until the transaction ends."""
    async with translate_errors():
        await connection.execute(QUERIES["lock_rows"], {"ids": ids})


async def named_rows(connection: Connection, names: list[str]) -> dict[str, dict[str, Any]]:
    """The columns of the rows with these names, by name."""
    async with translate_errors():
        found = await (await connection.execute(QUERIES["named_rows"], {"names": names})).fetchall()
    return {row["name"]: row["columns"] for row in found}


async def other_named_rows(connection: Connection, names: list[str]) -> list[Called]:
    """The rows that have a name which is none of these."""
    found: list[Called] = []
    while True:
        after = found[-1].name if found else None
        parameters = {"names": names, "after": after, "limit": PAGE}
        async with translate_errors():
            page = await (await connection.execute(QUERIES["other_named_rows"], parameters)).fetchall()
        found += [Called(row["id"], row["name"], "", "") for row in page]
        if len(page) < PAGE:
            return found


def ids_between(given: str) -> tuple[UUID, UUID] | None:
    """The lowest and the highest id that begin like this, with or without hyphens; None for what begins none."""
    digits = given.strip().lower().replace("-", "")
    if not digits or len(digits) > 32 or not _HEX.issuperset(digits):
        return None
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def _candidate(one: Called) -> str:
    package = f"{one.package_name}@{one.package_version}" if one.package_version else one.package_name
    return f"{one.id}  {one.name or '-'}  {package}".rstrip()

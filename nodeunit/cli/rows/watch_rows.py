"""`nodeunit get deployments --watch`: repainted in place on a terminal, otherwise a line for each row that changed."""

import asyncio
from uuid import UUID

import msgspec
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from nodeunit.cli.output.kinds import DEPLOYMENTS
from nodeunit.cli.output.render import Format, is_terminal, lines, printable, table, write
from nodeunit.cli.rows.selection import row_filter
from nodeunit.cli.rows.watching import changes
from nodeunit.domain.row_state import DeploymentRow
from nodeunit.store.postgres.requirements import connect_to_schema
from nodeunit.store.read import deployments as store


async def watch_rows(
    conninfo: str, names: list[str] | None, fields: dict[str, str], output: Format, *, headers: bool, limit: int | None
) -> None:
    """Shows the rows and then their changes, until it is interrupted. A row that is gone is said on a terminal only."""
    shown = (
        _Painted(output, headers)
        if is_terminal() and output in (Format.TABLE, Format.WIDE)
        else _Lines(output, headers)
    )
    with shown:
        async with await connect_to_schema(conninfo, "watch") as connection:
            wanted = await row_filter(connection, names, fields)
            async for _ in changes(conninfo, connection):
                rows: list[DeploymentRow] = []
                async for row in store.rows(connection, wanted):
                    rows.append(row)
                    if limit is not None and len(rows) == limit:
                        break
                shown.show(rows)
                await asyncio.sleep(0)


class _Lines:
    """One line for each row that is new or differs from what was shown; ages alone make no difference."""

    def __init__(self, output: Format, headers: bool) -> None:
        self._output = output
        self._headers = headers
        self._widths: list[int] = []
        self._shown: dict[UUID, DeploymentRow] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, rows: list[DeploymentRow]) -> None:
        without_age = {row.id: msgspec.structs.replace(row, age_s=0.0) for row in rows}
        changed = [row for row in rows if self._shown.get(row.id) != without_age[row.id]]
        self._shown = without_age
        if not changed:
            return
        if self._output is Format.JSONL:
            lines(changed)
        elif self._output is Format.NAME:
            for row in changed:
                write(DEPLOYMENTS.name(row))
        else:
            wide = self._output is Format.WIDE
            self._widths = table(DEPLOYMENTS.columns, changed, wide=wide, headers=self._headers, widths=self._widths)
            self._headers = False


class _Painted:
    """A table that is painted again in the same place, as many rows as fit."""

    def __init__(self, output: Format, headers: bool) -> None:
        self._columns = [column for column in DEPLOYMENTS.columns if output is Format.WIDE or not column.wide]
        self._headers = headers
        self._console = Console()
        self._live = Live(console=self._console, auto_refresh=False)

    def __enter__(self) -> "_Painted":
        self._live.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.__exit__(None, None, None)

    def show(self, rows: list[DeploymentRow]) -> None:
        painted = Table(box=None, pad_edge=False, header_style="bold", show_header=self._headers)
        for column in self._columns:
            painted.add_column(column.header.upper(), justify="right" if column.right else "left", no_wrap=True)
        room = max(1, self._console.size.height - 3)
        for row in rows[:room]:
            painted.add_row(*(Text(printable(column.cell(row))) for column in self._columns))
        if len(rows) > room:
            painted.add_row(Text(f"and {len(rows) - room} more"))
        self._live.update(painted, refresh=True)

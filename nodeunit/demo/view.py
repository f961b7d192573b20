"""What the demo shows while the fleet converges: a live table on a terminal, otherwise one line per change."""

import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from nodeunit.store.write.demo_rows import InstallsNow, UnitNow


class DemoView:
    """Shows claims, living programs and usage while it is entered."""

    def __init__(self, console: Console, names: dict[str, str], deployments: int) -> None:
        self._console = console
        self._names = names
        self._deployments = deployments
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._since = time.monotonic()
        self._shown: tuple[object, ...] = ()

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def show(self, units: list[UnitNow], installs: InstallsNow | None, up: int) -> None:
        """Shows the present state; unchanged values are not shown again. `installs`: None if they do not matter yet."""
        claimed = [unit.claimed for unit in units]
        state = (claimed, installs, up, [unit.memory_mb for unit in units] if self._live else None)
        if state == self._shown:
            return
        self._shown = state
        elapsed_s = time.monotonic() - self._since
        if self._live:
            self._live.update(self._table(units, installs, up, elapsed_s), refresh=True)
            return
        split = ", ".join(f"{self._names.get(unit.address, unit.address[:8])} {unit.claimed}" for unit in units)
        installed = f", installed on {installs.complete} of {len(units)} units" if installs else ""
        self._console.print(
            f"{elapsed_s:6.2f} s  {sum(claimed)} of {self._deployments} claimed ({split}){installed}, {up} up"
        )

    def _table(self, units: list[UnitNow], installs: InstallsNow | None, up: int, elapsed_s: float) -> Group:
        table = Table(title=f"{elapsed_s:.1f} s after the insert", title_justify="left")
        for header in ("unit", "address", "claimed", "CPU %", "memory MB"):
            table.add_column(header, justify="left" if header in ("unit", "address") else "right")
        for unit in units:
            table.add_row(
                self._names.get(unit.address, ""),
                unit.address,
                str(unit.claimed),
                "" if unit.cpu_percent is None else f"{unit.cpu_percent:.2f}",
                "" if unit.memory_mb is None else f"{unit.memory_mb:.1f}",
            )
        bars = Table.grid(padding=(0, 1))
        for what, done, of in (
            ("claimed", sum(unit.claimed for unit in units), self._deployments),
            ("installed on", installs.complete if installs else 0, len(units)),
            ("up", up, self._deployments),
        ):
            bars.add_row(what, ProgressBar(of, done, width=40), f"{done} of {of}")
        return Group(table, bars)

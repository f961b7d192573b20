"""A picture of usage over time. The only importer of matplotlib, an extra that daemons do not need."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from nodeunit.errors import InputFileInvalid, SettingInvalid
from nodeunit.store.read.usage import UsagePoint

LABELLED = 12
"""Above this number of lines their names are left out, because they would hide the picture."""


def require() -> None:
    """Raises SettingInvalid if matplotlib is missing."""
    if find_spec("matplotlib") is None:
        raise SettingInvalid("--png draws with matplotlib, which is not installed; run: pip install 'nodeunit[plot]'")


def draw(path: Path, series: Sequence[tuple[str, Sequence[UsagePoint]]]) -> None:
    """Draws CPU above and memory below, one line per name. Raises InputFileInvalid if the file cannot be written."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 6), layout="constrained")
    cpu, memory = figure.subplots(2, 1, sharex=True)
    for name, points in series:
        at = [point.bucket_start.astimezone() for point in points]
        cpu.plot(at, [point.cpu_percent_avg for point in points], label=name, linewidth=1.2)
        memory.plot(at, [point.memory_mb_avg for point in points], linewidth=1.2)
    cpu.set_ylabel("CPU, % of the whole machine")
    memory.set_ylabel("resident memory, MiB")
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    memory.xaxis.set_major_locator(locator)
    memory.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    for axes in (cpu, memory):
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    if 0 < len(series) <= LABELLED:
        cpu.legend(fontsize="small")
    try:
        figure.savefig(path, format="png", dpi=120)
    except OSError as error:
        raise InputFileInvalid(f"{path} cannot be written: {error.strerror}; give --png another name") from None

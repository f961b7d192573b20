"""`nodeunit reload`: replace the daemon of a unit on this machine; its programs do not notice."""

import signal
from typing import Annotated

import typer

from nodeunit.errors import UnitUnknown
from nodeunit.process.leftovers import supervisors
from nodeunit.process.process_table import signal_exactly


def reload(
    address: Annotated[
        str,
        typer.Argument(
            metavar="[ADDRESS]", help="Address of the unit, or its beginning; may be left out if only one runs here."
        ),
    ] = "",
) -> None:
    """Replace the daemon of a unit on this machine by the version that is installed now.

    The supervisor and the programs continue to run. SIGHUP to the supervisor does the same.

    [bold]Example[/bold]: nodeunit reload
    """
    found = {identity: of for identity, of in supervisors().items() if of.startswith(address)}
    if not found:
        raise UnitUnknown(f"no unit {address or 'at all'} runs on this machine; start one with: nodeunit run")
    if len(found) > 1:
        units = ", ".join(f"{of} (supervisor {pid})" for (pid, _), of in found.items())
        raise UnitUnknown(f"several units run here: {units}; give an address, or send SIGHUP to one of them")
    ((pid, start_time), of) = found.popitem()
    if not signal_exactly(pid, start_time, signal.SIGHUP):
        raise UnitUnknown(f"unit {of} has just ended; start it with: nodeunit run")
    typer.echo(f"unit/{of} reloads: supervisor {pid} replaces its daemon")

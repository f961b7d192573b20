"""The verbs, put together. Nothing of a verb is imported before it is asked for."""

from typing import Annotated

import typer

from nodeunit import __version__
from nodeunit.cli.contexts import choose
from nodeunit.cli.group import Verb, group_of

PANELS = {
    "Run": "run service address demo",
    "Change rows": "create set enable disable restart delete edit apply diff rollout",
    "Operate": "enroll cordon uncordon drain reload config completion",
    "Look": "doctor get ps describe wait logs why usage events replay report plan backtest schema",
    "Database": "migrate archive projections",
}
"""The verbs by the heading under which the help lists them, in its order."""
VERBS = [Verb(name, panel) for panel, names in PANELS.items() for name in names.split()]

app = typer.Typer(
    name="nodeunit",
    cls=group_of(VERBS),
    help="A fleet scheduler for long-running programs that needs nothing but PostgreSQL with TimescaleDB.",
    epilog="Exit codes are in docs/operating.md; 0: done, 1: a difference was found, 2: the command line is wrong.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"nodeunit {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
    context: Annotated[
        str, typer.Option("--context", metavar="NAME", help="The database that config has under this name.")
    ] = "",
) -> None:
    """Options of nodeunit itself."""
    choose(context)

"""The verbs, put together."""

from typing import Annotated

import typer

from nodeunit import __version__
from nodeunit.cli.address import address
from nodeunit.cli.apply import apply
from nodeunit.cli.archive import archive
from nodeunit.cli.backtest import backtest
from nodeunit.cli.cordon import cordon
from nodeunit.cli.create import create
from nodeunit.cli.delete import delete
from nodeunit.cli.demo import demo
from nodeunit.cli.describe import describe
from nodeunit.cli.diff import diff
from nodeunit.cli.disable import disable
from nodeunit.cli.drain import drain
from nodeunit.cli.edit import edit
from nodeunit.cli.enable import enable
from nodeunit.cli.enroll import enroll
from nodeunit.cli.events import events
from nodeunit.cli.get import get
from nodeunit.cli.logs import logs
from nodeunit.cli.migrate import migrate
from nodeunit.cli.plan import plan
from nodeunit.cli.projections import projections
from nodeunit.cli.ps import ps
from nodeunit.cli.reload import reload
from nodeunit.cli.replay import replay
from nodeunit.cli.report import report
from nodeunit.cli.restart import restart
from nodeunit.cli.rollout import rollout
from nodeunit.cli.run import run
from nodeunit.cli.set import set_columns
from nodeunit.cli.uncordon import uncordon
from nodeunit.cli.usage import usage
from nodeunit.cli.wait import wait
from nodeunit.cli.why import why

app = typer.Typer(
    name="nodeunit",
    help="A fleet scheduler for long-running programs that needs nothing but PostgreSQL with TimescaleDB.",
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
) -> None:
    """Options of nodeunit itself."""


app.command(rich_help_panel="Run", help=run.__doc__)(run)
app.command(rich_help_panel="Run")(address)
app.command(rich_help_panel="Run")(demo)
app.command(rich_help_panel="Operate")(enroll)
for change in (create, enable, disable, restart, delete, edit, apply, diff):
    app.command(rich_help_panel="Change rows")(change)
app.add_typer(rollout, rich_help_panel="Change rows")
app.command(name="set", rich_help_panel="Change rows")(set_columns)
app.command(rich_help_panel="Operate")(cordon)
app.command(rich_help_panel="Operate")(uncordon)
app.command(rich_help_panel="Operate")(drain)
app.command(rich_help_panel="Operate")(reload)
app.add_typer(get, rich_help_panel="Look")
app.command(rich_help_panel="Look")(ps)
app.command(rich_help_panel="Look")(describe)
app.command(rich_help_panel="Look")(wait)
app.command(rich_help_panel="Look")(report)
app.command(rich_help_panel="Look")(replay)
app.command(rich_help_panel="Look")(logs)
app.command(rich_help_panel="Look")(why)
app.command(rich_help_panel="Look")(plan)
app.command(rich_help_panel="Look")(backtest)
app.add_typer(events, rich_help_panel="Look")
app.command(rich_help_panel="Look")(usage)
app.command(rich_help_panel="Database")(migrate)
app.command(rich_help_panel="Database")(archive)
app.add_typer(projections, rich_help_panel="Database")

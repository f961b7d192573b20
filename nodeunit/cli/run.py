"""`nodeunit run`: become the supervisor of a unit."""

import asyncio
import os
from collections.abc import Iterator

import typer

from nodeunit.cli.options import Database
from nodeunit.daemon import configuration
from nodeunit.errors import DatabaseUnreachable, SettingInvalid
from nodeunit.identity import address_of
from nodeunit.process.program_user import UserUnusable, find_user
from nodeunit.settings import DESCRIPTIONS, Settings
from nodeunit.store.postgres.requirements import require
from nodeunit.supervisor.bootstrap import exec_supervisor, interpreter_argv
from nodeunit.supervisor.service_manager import notify_settings


def settings_table() -> str:
    """Every setting of a unit, for the help: variable, meaning, default."""
    return "\n\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "[bold]Settings[/bold], all from the environment:"
    for setting in DESCRIPTIONS:
        default = f" \\[{setting.default}]" if setting.default else ""
        yield f"[cyan]{setting.variable}[/cyan]{default}: {setting.meaning}."
    yield "[bold]Example[/bold]: POSTGRES_URI=postgresql://postgres@127.0.0.1/fleet NODE_UNIT_NAME=a nodeunit run"


def run(database: Database = "") -> None:
    """Run a unit on this machine until SIGTERM, which drains it: programs are stopped, rows released."""
    if database:
        os.environ["POSTGRES_URI"] = database
    has_password = bool(os.environ.get("NODE_UNIT_PASSWORD"))
    settings = Settings.from_environment(os.environ)
    if not settings.postgres_uri:
        raise DatabaseUnreachable("POSTGRES_URI is not set; set it to the connection string of the database")
    # The daemon checks again; this check reports mistakes before anything is started.
    asyncio.run(require(settings.postgres_uri))
    address = address_of(settings.name, settings.password)
    if not has_password:
        typer.echo(
            f"nodeunit: NODE_UNIT_PASSWORD is not set, so this start makes a new unit, {address}; set it to keep one",
            err=True,
        )
    user = None
    if settings.run_as:
        try:
            user = find_user(settings.run_as)
        except UserUnusable as error:
            raise SettingInvalid(f"NODE_UNIT_RUN_AS: {error}") from None
    exec_supervisor(
        {
            "address": address,
            "log_directory": settings.log_directory,
            "log_max_bytes": settings.log_max_bytes,
            "log_max_files": settings.log_max_files,
            "log_compress": settings.log_compress,
            "daemon_argv": interpreter_argv("nodeunit.daemon"),
            "stop_grace_s": settings.stop_grace_s,
            "run_as": user,
            **notify_settings(os.environ),
        },
        configuration.of_unit(settings, address, dict(os.environ)),
    )


run.__doc__ = f"{run.__doc__}\n\n{settings_table()}"

"""`nodeunit config`: databases by name."""

from typing import Annotated

import typer

from nodeunit.cli import contexts
from nodeunit.cli.contexts import Contexts
from nodeunit.errors import SettingInvalid

config = typer.Typer(
    name="config",
    help="Keep databases under names: contexts, in a file that only you can read.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="Of a context.", show_default=False)]


@config.command(name="list")
def list_contexts() -> None:
    """List the contexts; the current one has a star. Databases are not shown, because they may have passwords.

    [bold]Example[/bold]: nodeunit config list
    """
    found = contexts.read()
    for name in sorted(found.databases):
        typer.echo(f"{'*' if name == found.current else ' '} {name}")


@config.command(name="set")
def set_context(
    name: Name, url: Annotated[str, typer.Argument(metavar="URL", help="The database, as --database takes it.")]
) -> None:
    """Keep a database under a name. The first one is the current one.

    [bold]Example[/bold]: nodeunit config set shop postgresql://operator@127.0.0.1/fleet
    """
    found = contexts.read()
    known = {**found.databases, name: url}
    contexts.write(Contexts(found.current or name, known))
    typer.echo(f"context/{name} set")


@config.command()
def use(name: Name) -> None:
    """Make a context the one that is used when neither --database, --context nor POSTGRES_URI says another.

    [bold]Example[/bold]: nodeunit config use shop
    """
    found = _with(name)
    contexts.write(Contexts(name, found.databases))
    typer.echo(f"context/{name} is the current one")


@config.command()
def remove(name: Name) -> None:
    """Forget a context.

    [bold]Example[/bold]: nodeunit config remove shop
    """
    found = _with(name)
    left = {one: url for one, url in found.databases.items() if one != name}
    contexts.write(Contexts("" if found.current == name else found.current, left))
    typer.echo(f"context/{name} removed")


@config.command()
def path() -> None:
    """Print where the file is.

    [bold]Example[/bold]: nodeunit config path
    """
    typer.echo(str(contexts.path()))


def _with(name: str) -> Contexts:
    found = contexts.read()
    if name not in found.databases:
        raise SettingInvalid(f"there is no context {name}; see: nodeunit config list")
    return found

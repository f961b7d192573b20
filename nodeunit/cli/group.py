"""The verbs as a group that imports a verb when it is asked for, so that the program starts at once.

A word that is no verb is looked for on the PATH as `nodeunit-WORD`, a plugin, which gets the other words.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command


class Verb(NamedTuple):
    """Where a verb is."""

    name: str
    panel: str
    """The heading under which the help lists it."""

    @property
    def module(self) -> str:
        return f"nodeunit.cli.{self.name}"


class Verbs(dict[str, Any]):
    """Commands by name; each is made when it is first read. Commands are Any, as typer may bring a click of its own."""

    def __init__(self, verbs: Iterable[Verb]) -> None:
        super().__init__((verb.name, verb) for verb in verbs)

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, Verb):
            found = self[name] = _command(found)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """The command; one that is none of the verbs may be a plugin."""
        if name in self:
            return self[name]
        return _plugin(name) or default

    def items(self) -> Any:
        return {name: self[name] for name in self}.items()

    def values(self) -> Any:
        return {name: self[name] for name in self}.values()


def group_of(verbs: Iterable[Verb]) -> type[TyperGroup]:
    """The class of a group that has these verbs."""

    class Lazy(TyperGroup):
        """Typer makes it."""

        def __init__(self, **settings: Any) -> None:
            super().__init__(**settings)
            self.commands = Verbs(verbs)

        def list_commands(self, ctx: Any) -> list[str]:
            return list(self.commands)

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
            for word in args:
                if not word.isprintable() and any("\ud800" <= one <= "\udfff" for one in word):
                    ctx.fail(f"{word.encode(errors='replace').decode()!r} is not UTF-8")
            return super().parse_args(ctx, args)

    return Lazy


def _command(verb: Verb) -> Any:
    what = getattr(import_module(verb.module), FUNCTIONS.get(verb.name, verb.name))
    room = _room()
    if isinstance(what, typer.Typer):
        room.add_typer(what, name=verb.name, rich_help_panel=verb.panel)
    else:
        room.command(name=verb.name, help=what.__doc__, rich_help_panel=verb.panel)(what)
    return get_command(room).commands[verb.name]  # type: ignore[attr-defined]


FUNCTIONS = {"set": "set_columns"}
"""The names of functions that cannot be called like their verbs."""


def _room() -> typer.Typer:
    room = typer.Typer(add_completion=False, rich_markup_mode="rich")
    room.callback()(_nothing)
    return room


def _nothing() -> None:
    pass


def _plugin(name: str) -> Any:
    program = None if not name or "/" in name else shutil.which(f"nodeunit-{name}")
    if program is None:
        return None
    room = _room()
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    room.command(name=name, context_settings=settings, add_help_option=False)(_runs(program))
    return get_command(room).commands[name]  # type: ignore[attr-defined]


def _runs(program: str) -> Callable[[typer.Context], None]:
    def run(context: typer.Context) -> None:
        os.execv(program, [program, *context.args])

    return run

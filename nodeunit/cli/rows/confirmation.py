"""Asking before something is lost."""

import sys

import typer

from nodeunit.errors import NotConfirmed


def confirm(question: str, *, yes: bool) -> None:
    """Asks on standard error, unless `--yes` was given. Raises NotConfirmed for a no, and where nobody can be asked."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(f"{question} Nobody can be asked here; say --yes")
    if not typer.confirm(question, default=False, err=True):
        raise NotConfirmed("nothing was changed")


def count(number: int, what: str = "deployment") -> str:
    """`1 deployment`, `3 deployments`."""
    return f"{number} {what}{'' if number == 1 else 's'}"

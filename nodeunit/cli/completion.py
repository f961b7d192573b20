"""`nodeunit completion`: what a shell loads to complete the verbs and options."""

from enum import StrEnum
from typing import Annotated

import typer


class Shell(StrEnum):
    """The shells that can."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]) -> None:
    """Print the script that a shell loads: eval "$(nodeunit completion bash)" completes verbs and options.

    [bold]Example[/bold]: nodeunit completion bash
    """
    from typer.completion import get_completion_script  # type: ignore[attr-defined]

    typer.echo(get_completion_script(prog_name="nodeunit", complete_var="_NODEUNIT_COMPLETE", shell=shell.value))

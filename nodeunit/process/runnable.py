"""How a deployment row becomes the arguments of a program."""

import shlex
from collections.abc import Sequence


def argv_of(command: str, args: Sequence[str]) -> list[str]:
    """The row's `command`, split into words by the rules of a shell, followed by its `args` unchanged.

    No shell runs it. A shell would be one more process between supervisor and program (its pid would be signalled,
    sampled and reported), would expand `$`, `*` and `;` in values from a table, and would turn "no such program" into
    exit code 127 of a program that did start. A row that needs a shell has the command `sh -c '…'`.

    Raises ValueError, with a sentence for people, if the quotes are not closed or no word is left.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ValueError(f"command {command!r} cannot be split into words: {error}") from error
    if not words:
        raise ValueError("command is empty: there is nothing to run")
    return [*words, *args]

"""A row's command becomes arguments without any shell."""

import pytest

from nodeunit.process.runnable import argv_of


def test_command_is_split_as_quoted_and_args_are_kept_whole() -> None:
    assert argv_of("python -c 'print(1)'", ["a b", "$HOME; rm"]) == ["python", "-c", "print(1)", "a b", "$HOME; rm"]


@pytest.mark.parametrize(("command", "reason"), [("echo 'open", "cannot be split"), ("  ", "nothing to run")])
def test_a_command_that_is_none_says_why(command: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        argv_of(command, ["x"])

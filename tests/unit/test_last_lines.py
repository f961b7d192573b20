"""The end of a log, as an event may have it."""

import os
from pathlib import Path

import pytest

from nodeunit.process.last_lines import MOST_BYTES, MOST_LINES, last_lines, shortened


def test_the_last_lines_are_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert last_lines(str(path)) == [f"line {number}" for number in range(9980, 10_000)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", []),
        ("\n\n", []),
        ("one", ["one"]),
        ("one\r\ntwo\r\n", ["one", "two"]),
        ("one\n\ntwo\n", ["one", "", "two"]),
        ("\x1b[31mError\x1b[0m: no\x1b]0;title\x07 more", ["Error: no more"]),
        ("a\0b\x07c\x1b", ["a\ufffdb\ufffdc\ufffd"]),
        ("a\tb", ["a b"]),
        ("right \u202e to left", ["right \ufffd to left"]),
        ("\ud800", ["\ufffd"]),
    ],
)
def test_nothing_that_acts_on_a_terminal_is_left(text: str, lines: list[str]) -> None:
    assert shortened(text) == lines


@pytest.mark.parametrize("line", ["x" * 100_000, "\N{SNOWMAN}" * 50_000, "\0" * 100_000, "short\n" * 5_000])
def test_it_is_short_whatever_the_program_writes(line: str) -> None:
    lines = shortened(line)
    assert 0 < len(lines) <= MOST_LINES
    assert sum(len(one.encode()) for one in lines) <= MOST_BYTES
    assert line.replace("\n", "").endswith(lines[-1]) or set(lines[-1]) == {"\ufffd"}


def test_any_bytes_can_be_in_the_log(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(bytes(range(256)) * 100)
    assert all(line.isprintable() for line in last_lines(str(path)))


def test_what_is_no_file_has_no_lines(tmp_path: Path) -> None:
    secret, link, pipe = tmp_path / "secret", tmp_path / "link", tmp_path / "pipe"
    secret.write_text("secret")
    link.symlink_to(secret)
    os.mkfifo(pipe)
    for path in (link, pipe, tmp_path, tmp_path / "missing"):
        assert last_lines(str(path)) == []

"""What a stranger wrote moves no cursor, breaks no line and hides nothing, wherever it is shown."""

import io
import logging
import os

import pytest

from nodeunit import log
from nodeunit.audit import markdown
from nodeunit.cli.output.render import Column, table
from nodeunit.plain import MOST, plain
from nodeunit.supervisor.stderr_log import StderrLog

HOSTILE = [
    "\x1b[2J\x1b]0;title\x07", "a\rb", "a\nb\n2026-01-01 INFO forged", "\x00", "\x7f\x9b31m", "\u202egnp.exe",
    "\u2066x\u2069", "\u200b\u200d\ufeff", "\u2028\u2029", "\ud800", "\x85", "\t\v\f",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_nothing_hostile_is_left(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert plain(text).isprintable()
    table([Column("name", lambda row: row)], [text])
    shown = capfd.readouterr().out
    assert len(shown.splitlines()) == 2
    assert shown.replace("\n", "").isprintable()
    cell = markdown._cell(text)
    assert cell.isprintable()


def test_plain_text_stays_as_it_is() -> None:
    for text in ("@yuants/app-portal@0.2.26", "größe 価格 🦀", ""):
        assert plain(text) == text


def test_a_cell_is_capped() -> None:
    assert len(plain("x" * 10_000)) == MOST
    assert plain("x" * 10_000).endswith("…")


def test_a_cell_of_markdown_is_no_link_and_no_tag() -> None:
    cell = markdown._cell("[a](javascript:b) <img src=x onerror=c> | d")
    assert "](" not in cell
    assert "<" not in cell
    assert "|" not in cell


def test_a_line_of_a_log_stays_one_line() -> None:
    reading, writing = os.pipe()
    try:
        log.configure("info", writing)
        logging.getLogger("test").info("from %s", "a\n2026-11-27T00:00:00 INFO forged\x1b[2J")
        for handler in logging.getLogger().handlers:
            handler.flush()
        StderrLog(writing).warning("from a\nforged\x1b[2J")
        found = io.BytesIO(os.read(reading, 65536)).readlines()
    finally:
        logging.basicConfig(handlers=[], force=True)
        os.close(writing)
        os.close(reading)
    assert len(found) == 2
    assert b"\x1b" not in b"".join(found)

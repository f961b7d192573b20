"""A log line has time with offset, level, logger and message, and nothing else."""

import io
import logging
import re
from collections.abc import Iterator

import pytest

from nodeunit.log import configure


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # else `configure` would close those of pytest
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def test_one_plain_line_a_record() -> None:
    stream = io.StringIO()
    configure("info", stream)
    logging.getLogger("nodeunit.daemon").info("joined as %s", "5DAR2Z")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d INFO nodeunit\.daemon: joined as 5DAR2Z\n",
        stream.getvalue(),
    )


def test_what_is_below_the_level_is_not_logged() -> None:
    stream = io.StringIO()
    configure("WARNING", stream)
    logging.getLogger("nodeunit").info("not this")
    logging.getLogger("nodeunit").warning("this")
    assert stream.getvalue().endswith(" WARNING nodeunit: this\n")
    assert "not this" not in stream.getvalue()


def test_configuring_again_replaces_what_was() -> None:
    first, second = io.StringIO(), io.StringIO()
    configure("info", first)
    configure("info", second)
    logging.getLogger("nodeunit").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def test_a_level_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure("loud", io.StringIO())

"""A log line has time with offset, level, logger and message, and nothing else; logging never waits for a reader."""

import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.log import MOST_WAITING, configure
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(20)


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    root.handlers.clear()  # else `configure` would close those of pytest
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def written(fd: int) -> str:
    """All that has been logged there."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    return os.pread(fd, 1_000_000, 0).decode()


def test_one_plain_line_a_record(file: int) -> None:
    configure("info", file)
    logging.getLogger("nodeunit.daemon").info("joined as %s", "5DAR2Z")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d INFO nodeunit\.daemon: joined as 5DAR2Z\n",
        written(file),
    )


def test_what_is_below_the_level_is_not_logged(file: int) -> None:
    configure("WARNING", file)
    logging.getLogger("nodeunit").info("not this")
    logging.getLogger("nodeunit").warning("this")
    assert written(file).endswith(" WARNING nodeunit: this\n")
    assert "not this" not in written(file)


def test_configuring_again_replaces_what_was(file: int, tmp_path: Path) -> None:
    second = os.open(tmp_path / "second", os.O_RDWR | os.O_CREAT)
    configure("info", file)
    configure("info", second)
    logging.getLogger("nodeunit").info("once")
    assert written(second).count("once") == 1
    assert written(file) == ""
    os.close(second)


def test_a_level_nobody_knows_is_refused(file: int) -> None:
    with pytest.raises(ValueError, match="LOUD"):
        configure("loud", file)


def test_a_log_that_nobody_reads_holds_nobody_up_and_says_later_what_is_missing() -> None:
    reader, writer = os.pipe()
    configure("info", writer)
    lines, text = 3 * MOST_WAITING, "x" * 100
    for number in range(lines):  # far more than a pipe holds: with a plain handler this would never end
        logging.getLogger("nodeunit").info("%d %s", number, text)

    found = bytearray()

    def read() -> bool:
        found.extend(os.read(reader, 65536))
        return b"were dropped" in found

    wait_until(read, within_s=10, what="the log says how much is missing")
    logged = found.decode().splitlines()
    dropped = int(re.search(r"(\d+) lines of this log were dropped", logged[-1])[1])  # type: ignore[index]
    assert len(logged) - 1 + dropped == lines
    assert dropped > 0
    os.close(reader)

"""A log is rotated by size and between lines, keeps what was written byte by byte, and survives a disk that fails."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.process.log_generations import LogGenerations
from nodeunit.process.rotating_log import RotatingLog

LINE = b"0123456789abcde\n"


class Log:
    """A log of 100 bytes a generation, in a directory that does not exist yet."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "logs" / "k.log"
        self.said: list[str] = []
        self.rotations = 0
        self.generations = LogGenerations(str(self.path), kept=3)
        self.log = RotatingLog(self.generations, self.said.append, self._rotated, max_bytes=100)

    def _rotated(self, _: LogGenerations) -> None:
        self.rotations += 1

    def text(self, generation: str = "") -> bytes:
        return Path(f"{self.path}{generation}").read_bytes()

    def files(self) -> list[str]:
        return sorted(name for name in os.listdir(self.path.parent) if not name.endswith(".marks"))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.log.close()


def test_bytes_are_kept_as_they_are(log: Log) -> None:
    log.log.write(b"\xff\x00no line end", 0.0)
    log.log.write(b"\n", 0.0)

    assert log.text() == b"\xff\x00no line end\n"


def test_rotation_falls_between_two_lines(log: Log) -> None:
    for _ in range(3):
        log.log.write(LINE * 5, 0.0)

    assert (log.text(".2"), log.text(".1"), log.text()) == (LINE * 6, LINE * 6, LINE * 3)
    assert log.rotations == 2


def test_a_line_that_began_in_a_file_ends_in_it(log: Log) -> None:
    log.log.write(b"x" * 90, 0.0)
    log.log.write(b"y" * 30, 0.0)
    log.log.write(b"z\nnext\n", 0.0)

    assert log.text(".1") == b"x" * 90 + b"y" * 30 + b"z\n"
    assert log.text() == b"next\n"


def test_a_line_without_end_does_not_grow_a_file_without_end(log: Log) -> None:
    for _ in range(20):
        log.log.write(b"x" * 10_000, 0.0)

    sizes = [len(log.text(generation)) for generation in (".3", ".2", ".1", "")]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 100 + 64 * 1024


def test_an_existing_log_is_continued(log: Log, tmp_path: Path) -> None:
    log.log.write(LINE * 5, 0.0)
    log.log.close()

    log.log.write(LINE * 2, 0.0)

    assert log.text(".1") == LINE * 6
    assert log.text() == LINE


def test_the_oldest_generation_is_forgotten(log: Log) -> None:
    for number in range(6):
        log.log.write(b"%015d\n" % number * 6, 0.0)

    assert log.files() == ["k.log", "k.log.1", "k.log.2", "k.log.3"]
    assert log.text(".3").startswith(b"000000000000002")


def test_a_generation_keeps_its_number_while_it_is_compressed(log: Log) -> None:
    for number in range(3):
        log.log.write(b"%015d\n" % number * 6, 0.0)
    assert log.generations.next_to_compress() == f"{log.path}.2"
    Path(log.generations.unfinished).write_bytes(b"compressed 0")

    log.log.write(LINE * 6, 0.0)  # moves everything on by one
    log.generations.finish_compression(True)

    assert log.text(".3.gz") == b"compressed 0"
    assert log.files() == ["k.log", "k.log.1", "k.log.2", "k.log.3.gz"]


def test_a_generation_that_is_forgotten_meanwhile_leaves_nothing(log: Log) -> None:
    for _ in range(4):
        log.log.write(LINE * 6, 0.0)
    assert log.generations.next_to_compress() == f"{log.path}.2"
    Path(log.generations.unfinished).write_bytes(b"compressed")

    log.log.write(LINE * 6, 0.0)
    log.log.write(LINE * 6, 0.0)
    log.generations.finish_compression(True)

    assert log.files() == ["k.log", "k.log.1", "k.log.2", "k.log.3"]


def test_a_failed_compression_leaves_the_plain_text(log: Log) -> None:
    for _ in range(3):
        log.log.write(LINE * 6, 0.0)
    log.generations.next_to_compress()
    Path(log.generations.unfinished).write_bytes(b"half")

    log.generations.finish_compression(False)

    assert log.files() == ["k.log", "k.log.1", "k.log.2"]
    assert log.generations.next_to_compress() == f"{log.path}.2"


def test_a_full_disk_drops_output_says_so_once_and_says_when_it_is_over(log: Log) -> None:
    log.log.write(LINE, 0.0)
    previous = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))  # writes beyond 20 bytes fail, as on a full disk
        for now in range(50):
            log.log.write(LINE, float(now))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, previous)
    assert len(log.said) == 1
    assert "output is dropped" in log.said[0]

    log.log.write(LINE, 50.0)
    log.log.write(LINE, 70.0)

    assert len(log.said) == 2
    assert "796 bytes of output are missing" in log.said[1]
    assert log.text().endswith(LINE * 2)


def test_a_directory_that_cannot_be_made_costs_the_output_and_nothing_else(log: Log) -> None:
    obstacle = log.path.parent
    obstacle.write_bytes(b"a file")
    log.log.write(LINE, 0.0)
    log.log.write(LINE, 1.0)
    obstacle.unlink()

    log.log.write(LINE, 2.0)  # too early for another attempt
    log.log.write(LINE, 20.0)

    assert log.text() == LINE
    assert len(log.said) == 2


@pytest.mark.parametrize("take_away", ["delete", "move"])
def test_a_log_that_was_taken_away_is_made_anew(log: Log, take_away: str) -> None:
    """Found: megabytes went into a deleted file until the unit was restarted."""
    log.log.write(LINE, 0.0)
    if take_away == "delete":
        log.path.unlink()
    else:
        log.path.rename(log.path.with_name("elsewhere"))

    log.log.write(LINE * 2, 0.0)

    assert log.text() == LINE * 2
    assert len(log.said) == 1


def test_a_log_that_was_emptied_in_place_is_continued(log: Log) -> None:
    log.log.write(LINE * 5, 0.0)
    os.truncate(log.path, 0)

    log.log.write(LINE * 5, 0.0)

    assert log.files() == ["k.log"]
    assert log.text() == LINE * 5


def test_a_log_that_cannot_be_rotated_keeps_its_newest_lines_and_stays_small(log: Log) -> None:
    log.log.write(LINE, 0.0)
    (log.path.parent / "k.log.1").mkdir()  # a file cannot be renamed to it

    for number in range(100):
        log.log.write(b"%015d\n" % number, 0.0)
        assert log.path.stat().st_size <= 100
        assert log.text().endswith(b"%015d\n" % number)
    assert len(log.said) == 1


def test_files_that_are_more_than_are_kept_are_removed(log: Log) -> None:
    log.log.write(LINE, 0.0)
    for name in ("k.log.3.gz", "k.log.4.gz", "k.log.12", "k.log.old", "kk.log.9"):
        (log.path.parent / name).write_bytes(b"")

    log.generations.remove_surplus()

    assert log.files() == ["k.log", "k.log.3.gz", "k.log.old", "kk.log.9"]


def test_without_compression_all_stay_plain(log: Log) -> None:
    for _ in range(4):
        log.log.write(LINE * 6, 0.0)

    assert LogGenerations(str(log.path), kept=3, compress=False).next_to_compress() is None

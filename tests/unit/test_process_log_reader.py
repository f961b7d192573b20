"""A log is read by position: what is there stays where it is, whatever is renamed, compressed or removed around it."""

import gzip
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.process.log_generations import LogGenerations
from nodeunit.process.log_marks import MOST_BYTES, START, LogMarks, Mark, parse, thinned
from nodeunit.process.log_reader import LogReader
from nodeunit.process.rotating_log import RotatingLog


class Log:
    """A log of 100 bytes a generation and a reader; the time is what the test says."""

    def __init__(self, directory: Path, max_bytes: int = 100, kept: int = 3) -> None:
        self.path = directory / "k.log"
        self.time = 1000.0
        self.generations = LogGenerations(str(self.path), kept)
        self.log = RotatingLog(self.generations, print, self._rotated, max_bytes, wall_clock=lambda: self.time)
        self.reader = LogReader(str(self.path))
        self.compresses = True

    def _rotated(self, generations: LogGenerations) -> None:
        while self.compresses and (plain := generations.next_to_compress()):
            Path(generations.unfinished).write_bytes(gzip.compress(Path(plain).read_bytes()))
            generations.finish_compression(True)

    def close(self) -> None:
        self.reader.close()
        self.log.close()

    def write(self, *numbers: int) -> None:
        """A line of 10 bytes for each number."""
        for number in numbers:
            self.log.write(b"%09d\n" % number, 0.0)

    def read(self, position: int = 0, most: int = 64) -> bytes:
        found = b""
        while (text := self.reader.read(position, most)).data:
            found += text.data
            position = text.position + len(text.data)
        return found


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path)
    yield log
    log.close()


def lines(first: int, last: int) -> bytes:
    return b"".join(b"%09d\n" % number for number in range(first, last))


def test_a_log_is_read_through_all_its_generations(log: Log) -> None:
    log.write(*range(35))

    assert {path.name for path in log.path.parent.iterdir()} == {
        "k.log", "k.log.1", "k.log.2.gz", "k.log.3.gz", "k.log.marks",
    }  # fmt: skip
    assert log.read() == lines(0, 35)
    assert log.reader.read(125, 10).data == b"0012\n00000"
    assert log.reader.bounds() == (0, 350)


def test_what_is_removed_is_skipped_and_positions_stay(log: Log) -> None:
    log.write(*range(75))

    assert log.reader.bounds() == (400, 750)
    assert log.reader.read(0, 10) == (400, b"000000040\n")
    assert log.read() == lines(40, 75)


def test_a_reader_at_the_end_sees_every_line_over_many_rotations(log: Log) -> None:
    position, found = 0, b""
    for number in range(200):
        log.write(number)
        text = log.reader.read(position, 1000)
        position = text.position + len(text.data)
        found += text.data
    assert found == lines(0, 200)


def test_a_reader_misses_nothing_in_the_middle_of_a_rotation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer may stand still between any two renamings: its files have a gap in their numbers then."""
    log = Log(tmp_path, kept=20)
    log.write(*range(85))
    looks: list[str] = []

    def look(source: str, target: str) -> None:
        rename(source, target)
        reader = LogReader(str(log.path))
        for position in range(0, 850, 100):
            assert reader.read(position, 10) == (position, b"%09d\n" % (position // 10)), (source, position)
        reader.close()
        looks.append(source)

    rename = os.rename
    monkeypatch.setattr(os, "rename", look)
    log.write(*range(85, 95))
    assert len(looks) >= 9
    log.close()


def test_a_reader_keeps_up_with_a_writer_that_rotates_and_compresses_meanwhile(tmp_path: Path) -> None:
    log = Log(tmp_path, 4000)
    gate = threading.Semaphore(900)

    def write() -> None:
        for number in range(10_000):
            gate.acquire()  # never more than the kept generations ahead
            log.write(number)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    found, position, chance = b"", 0, random.Random(1)
    while len(found) < 100_000:
        text = log.reader.read(position, chance.choice((1, 7, 64, 5000)))
        assert text.position == position
        found += text.data
        for _ in range((position + len(text.data)) // 10 - position // 10):
            gate.release()
        position += len(text.data)
    writer.join()
    log.close()
    assert found == lines(0, 10_000)


@pytest.mark.parametrize("end", [b"", b"half"])
@pytest.mark.parametrize("compresses", [True, False])
def test_the_last_lines(log: Log, compresses: bool, end: bytes) -> None:
    log.compresses = compresses
    log.write(*range(35))
    log.log.write(end, 0.0)
    for count in range(40):
        expected = (lines(0, 35) + end).splitlines(keepends=True)[-count:] if count else []
        assert log.read(log.reader.start_of_tail(count)) == b"".join(expected), count


def test_the_last_lines_of_a_log_of_many_blocks(tmp_path: Path) -> None:
    log = Log(tmp_path, 300_000)
    log.write(*range(40_000))
    for count in (1, 6553, 6554, 29_999, 30_000, 30_001, 39_000):
        assert log.reader.start_of_tail(count) == 400_000 - 10 * count


def test_the_lines_since_a_time(log: Log) -> None:
    for number in range(35):
        log.time = 1000.0 + 60 * number
        log.write(number)

    assert log.read(log.reader.start_of_time(1000.0 + 60 * 30)) == lines(30, 35)
    assert log.read(log.reader.start_of_time(0.0)) == lines(0, 35)
    assert log.read(log.reader.start_of_time(99_999.0)) == b""


def test_runs_are_told_apart(log: Log) -> None:
    log.log.begin_run(0.0, 11, "1")
    log.write(1, 2)
    log.log.end_run(11, "exit 1")
    assert log.reader.run_before_newest() is None
    log.log.begin_run(0.0, 12, "1")
    log.write(3)
    log.log.end_run(12, "signal 9")
    log.log.begin_run(0.0, 13, "4")
    log.write(4)

    runs = [(mark.kind, mark.position, mark.number, mark.detail) for mark in log.reader.runs()]
    assert runs == [
        ("S", 0, 11, "1"), ("E", 20, 11, "exit 1"), ("S", 20, 12, "1"), ("E", 30, 12, "signal 9"), ("S", 30, 13, "4"),
    ]  # fmt: skip
    assert log.reader.run_before_newest() == (20, 30)
    assert log.reader.start_of_claim(2) == 30
    assert log.reader.start_of_claim(5) == 40


def test_the_start_of_a_run_that_goes_on_is_remembered(log: Log) -> None:
    log.log.begin_run(0.0, 11, "7")
    log.write(*range(100))

    assert log.reader.start_of_claim(7) == 0
    assert log.read(0) == lines(60, 100)


@pytest.mark.parametrize("take_away", ["delete", "move", "empty"])
def test_a_reader_goes_on_where_a_log_was_taken_away(log: Log, take_away: str) -> None:
    log.write(*range(13))
    assert log.read() == lines(0, 13)
    if take_away == "delete":
        log.path.unlink()
    elif take_away == "move":
        log.path.rename(log.path.with_name("elsewhere"))
    else:
        os.truncate(log.path, 0)
    assert log.read(130) == b""

    log.write(*range(13, 35))

    assert log.read(130) == lines(13, 35)


def test_a_new_writer_continues_the_positions(log: Log, tmp_path: Path) -> None:
    log.write(*range(13))
    log.log.close()
    another = Log(tmp_path)
    another.write(*range(13, 18))
    assert log.read(130) == lines(13, 18)
    another.log.close()
    log.path.unlink()
    last = Log(tmp_path)
    last.write(18)

    text = log.reader.read(180, 64)
    assert (text.position > 180, text.data) == (True, lines(18, 19))


def test_a_log_of_an_earlier_version_gets_positions(log: Log) -> None:
    log.write(*range(35))
    log.log.close()
    Path(f"{log.path}.marks").unlink()
    later = Log(log.path.parent)
    assert later.read() == b""

    later.write(35)

    assert later.read() == lines(0, 36)
    later.close()


def test_marks_stay_small_and_the_newest_stay_exact(tmp_path: Path) -> None:
    log = Log(tmp_path, 10_000_000)
    log.log.begin_run(0.0, 11, "7")
    for number in range(9_000):
        log.time += 1.0
        log.write(number)

    assert os.path.getsize(f"{log.path}.marks") <= MOST_BYTES
    assert log.reader.start_of_time(log.time - 600) == 10 * (9_000 - 601)
    long_ago = log.reader.start_of_time(1000.0 + 1000)
    assert 0 <= long_ago <= 10 * 999, "nothing that was written since then is left out"
    assert log.reader.start_of_claim(7) == 0


def test_marks_of_a_program_that_always_fails_stay_small(tmp_path: Path) -> None:
    marks = LogMarks(str(tmp_path / "k.log.marks"))
    for number in range(10_000):
        marks.add(Mark(START, number, 1000.0, number, "1"))
    assert os.path.getsize(marks.path) <= MOST_BYTES
    assert marks.read()[-1].number == 9999


def test_damaged_marks_are_left_out() -> None:
    whole = Mark("T", 5, 1000.5)
    assert parse(b"T 5 10\n\xff\xfe\nT 5 1000.500 0\nX 5 1000.500 0\nS") == [whole]
    assert thinned([whole]) == [whole]

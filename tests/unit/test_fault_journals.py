"""The fault kit reads journals: who ran when, who ran twice, who paused."""

from pathlib import Path
from uuid import UUID

import pytest

from tools.faults.journals import Journals, overlaps
from tools.faults.summary import quantile

ROW, OTHER = UUID(int=1), UUID(int=2)


def write(
    directory: Path, beats: list[float], *, row: UUID = ROW, version: int = 1, root: int = 10, pid: int = 10
) -> None:
    """One journal, with beats at these seconds."""
    head = f"{row} {version} unit {root} {pid}\n"
    (directory / f"{row}.{version}.{pid}.{beats[0]}").write_text(head + "".join(f"{int(at * 1000)}\n" for at in beats))


def test_a_copy_runs_from_its_first_beat_to_its_last(tmp_path: Path) -> None:
    write(tmp_path, [1.00, 1.02, 1.04])
    journals = Journals(tmp_path)
    journals.read()
    (copy,) = journals.copies()
    assert (copy.deployment, copy.claim_version, copy.address, copy.root) == (ROW, 1, "unit", 10)
    assert (copy.first, copy.last, copy.longest_pause_s) == (1.0, 1.04, 0.0)


def test_a_program_and_its_child_are_one_copy(tmp_path: Path) -> None:
    write(tmp_path, [1.0, 2.0])
    write(tmp_path, [1.1, 2.5], pid=11)
    journals = Journals(tmp_path)
    journals.read()
    (copy,) = journals.copies()
    assert (copy.first, copy.last) == (1.0, 2.5)
    assert overlaps([copy], 0) == {}


def test_two_copies_overlap_even_while_one_pauses(tmp_path: Path) -> None:
    write(tmp_path, [1.0, 5.0])
    write(tmp_path, [2.0, 3.0], version=3, root=20, pid=20)
    write(tmp_path, [1.0, 5.0], row=OTHER, root=30, pid=30)
    journals = Journals(tmp_path)
    journals.read()
    assert overlaps(journals.copies(), 0) == {ROW: pytest.approx(1.0)}
    assert overlaps(journals.copies(), 2.5) == {ROW: pytest.approx(0.5)}
    assert overlaps(journals.copies(), 3.0) == {}


def test_pauses_are_told_of_the_time_asked_for(tmp_path: Path) -> None:
    write(tmp_path, [1.0, 1.05, 1.3, 1.35, 2.0, 2.05])
    journals = Journals(tmp_path)
    journals.read()
    assert [copy.longest_pause_s for copy in journals.copies(0)] == [pytest.approx(0.65)]
    assert [copy.longest_pause_s for copy in journals.copies(2.02)] == [0.0]


def test_a_journal_is_read_on_and_a_line_half_written_waits(tmp_path: Path) -> None:
    write(tmp_path, [1.0, 1.02])
    (path,) = tmp_path.iterdir()
    with path.open("a") as journal:
        journal.write("10")
    journals = Journals(tmp_path)
    journals.read()
    assert journals.copies()[0].last == 1.02
    with path.open("a") as journal:
        journal.write("40\n1060\n")
    journals.read()
    assert journals.copies()[0].last == 1.06


def test_quantiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([7.0], 0.99)) == (51.0, 100.0, 7.0)

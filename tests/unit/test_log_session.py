"""A unit's side of a request for a log: where it begins, when it waits for its reader, and when it is complete."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from nodeunit.daemon.log_session import MOST_MARKS, LogSession
from nodeunit.domain.program_log import PIECE_BYTES, PIECES_AHEAD, LogRequest
from nodeunit.process.log_generations import LogGenerations
from nodeunit.process.rotating_log import RotatingLog

ROW = UUID(int=1)
ASKED = LogRequest(
    request_id=UUID(int=2), deployment_id=ROW, tail=None, since_s=None, first_byte=0, bytes=None, previous=False,
    follow=False, holds=True, is_first=True, claim_version=1, position=None, next_number=0, confirmed=-1,
)  # fmt: skip


class Unit:
    """The log of one program, and sessions that read it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = RotatingLog(LogGenerations(str(directory / f"{ROW}.log")), print, lambda _: None)
        self.sessions: list[LogSession] = []

    def run(self, claim: str, *lines: str, ends: bool = True) -> None:
        self.log.begin_run(0.0, 11, claim)
        for line in lines:
            self.log.write(line.encode() + b"\n", 0.0)
        if ends:
            self.log.end_run(11, "exit 0")

    def session(self, **asked: Any) -> LogSession:
        request = msgspec.structs.replace(ASKED, **asked)
        session = LogSession(os.fspath(self.directory), request)
        session.update(request, leaving=False)
        self.sessions.append(session)
        return session

    def text(self, **asked: Any) -> bytes:
        return b"".join(piece_data(self.session(**asked)))


def piece_data(session: LogSession) -> list[bytes]:
    found = []
    while (piece := session.next_piece()) is not None:
        found.append(piece.data)
    return found


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[Unit]:
    unit = Unit(tmp_path)
    unit.run("1", "a", "b")
    unit.run("1", "c")
    unit.run("4", "d", "e", ends=False)
    yield unit
    unit.log.close()
    for session in unit.sessions:
        session.close()


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({}, b"a\nb\nc\nd\ne\n"),
        ({"first_byte": None, "tail": 3}, b"c\nd\ne\n"),
        ({"first_byte": None, "since_s": 3600.0}, b"a\nb\nc\nd\ne\n"),
        ({"first_byte": None, "since_s": -3600.0}, b""),
        ({"first_byte": None, "previous": True}, b"c\n"),
        ({"first_byte": -4, "bytes": 3}, b"d\ne"),
        ({"first_byte": -400}, b"a\nb\nc\nd\ne\n"),
        ({"first_byte": 400}, b""),
        ({"first_byte": 2, "bytes": 0}, b""),
        ({"is_first": False, "claim_version": 3}, b"d\ne\n"),
        ({"is_first": False, "claim_version": 5}, b""),
        ({"position": 6, "next_number": 3, "confirmed": 2}, b"d\ne\n"),
    ],
)
def test_where_it_begins_and_ends(unit: Unit, asked: dict[str, Any], text: bytes) -> None:
    session = unit.session(**asked)
    assert b"".join(piece_data(session)) == text
    assert session.finished
    assert session.progress().problem == ""


def test_runs_are_told_with_the_text(unit: Unit) -> None:
    piece = unit.session().next_piece()
    assert piece is not None
    assert [(mark.position, mark.begins, mark.detail) for mark in piece.marks] == [
        (0, True, "1"), (4, False, "exit 0"), (4, True, "1"), (6, False, "exit 0"), (6, True, "4"),
    ]  # fmt: skip
    previous = unit.session(first_byte=None, previous=True).next_piece()
    assert previous is not None
    assert [mark.begins for mark in previous.marks] == [False, True, False]


def test_the_marks_of_a_program_that_always_fails_come_in_portions(unit: Unit) -> None:
    for _ in range(MOST_MARKS):
        unit.run("4")
    session = unit.session(first_byte=10, follow=True)
    found = []
    while (piece := session.next_piece()) is not None:
        assert len(piece.marks) <= MOST_MARKS
        found += piece.marks
    assert len(found) == 2 * MOST_MARKS


def test_it_waits_for_its_reader(unit: Unit) -> None:
    unit.log.write(b"x" * PIECE_BYTES * 10, 0.0)
    session = unit.session()
    assert len(piece_data(session)) == PIECES_AHEAD
    assert session.waits_for_its_reader
    assert not session.finished
    session.update(msgspec.structs.replace(ASKED, confirmed=1), leaving=False)
    assert len(piece_data(session)) == 2


def test_a_follower_gets_what_is_written_later(unit: Unit) -> None:
    session = unit.session(first_byte=None, tail=0, follow=True)
    assert piece_data(session) == []
    unit.log.write(b"f\n", 0.0)
    assert piece_data(session) == [b"f\n"]
    assert not session.finished


@pytest.mark.parametrize("leaving", [True, False])
def test_a_row_that_has_gone_is_complete_with_the_end_of_its_run(unit: Unit, leaving: bool) -> None:
    session = unit.session(first_byte=None, tail=0, follow=True)
    session.update(msgspec.structs.replace(ASKED, follow=True, holds=leaving), leaving=leaving)
    assert piece_data(session) == []
    assert not session.finished, "the program may say more while it stops"

    unit.log.write(b"last words\n", 0.0)
    unit.log.end_run(11, "exit 0")

    assert b"".join(piece_data(session)) == b"last words\n"
    assert session.finished


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"deployment_id": UUID(int=3)}, "it has no log of this deployment"),
        ({"deployment_id": UUID(int=4), "first_byte": None, "previous": True}, "its log has no run before the newest"),
    ],
)
def test_what_is_not_there_is_said(unit: Unit, asked: dict[str, Any], problem: str) -> None:
    (unit.directory / f"{UUID(int=4)}.log").write_bytes(b"")
    session = unit.session(**asked)
    assert session.next_piece() is None
    assert (session.finished, session.progress().problem) == (True, problem)

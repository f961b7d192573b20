"""Control groups where they may be made; the rest of the suite runs without them too."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.process.control_groups import ControlGroups
from tests.support.waiting import wait_until

ADDRESS = f"GroupTest{os.getpid()}"


@pytest.fixture
def groups() -> Iterator[ControlGroups]:
    try:
        groups = ControlGroups.create(ADDRESS, within_s=5)
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")
    yield groups
    groups.end_all(within_s=5)


def _start_in(groups: ControlGroups, key: str, *argv: str) -> "subprocess.Popen[bytes]":
    place = groups.enter(key)
    assert place is not None
    process = subprocess.Popen(argv, preexec_fn=lambda: os.write(place.entrance, b"0"))  # noqa: PLW1509 - as the supervisor does
    os.close(place.entrance)
    return process


def test_a_group_is_populated_while_something_in_it_lives(groups: ControlGroups) -> None:
    with _start_in(groups, "k", "sh", "-c", "env -i setsid sleep 60 & exec sleep 60") as process:
        wait_until(lambda: len(Path(f"{groups}/k/cgroup.procs").read_text().split()) == 2)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert groups.is_populated("k")  # the other one

        groups.kill("k")
        wait_until(lambda: not groups.is_populated("k"), what="a zombie counts for nothing")
    groups.remove("k")
    assert not Path(f"{groups}/k").exists()


def test_the_members_of_a_group_are_all_in_it_and_below(groups: ControlGroups) -> None:
    with _start_in(groups, "k", "sleep", "60") as process:
        below = Path(f"{groups}/k/below")
        below.mkdir()
        (below / "cgroup.procs").write_text(str(process.pid))
        assert groups.members("k") == [process.pid]
        assert groups.members("other") == []
        groups.kill("k")


def test_killing_one_group_leaves_the_others(groups: ControlGroups) -> None:
    with _start_in(groups, "a", "sleep", "60") as first, _start_in(groups, "b", "sleep", "60") as second:
        groups.kill("a")
        assert first.wait(5) == -9
        assert groups.is_populated("b")
        assert second.poll() is None
        groups.kill()


def test_a_group_that_does_not_exist_is_empty(groups: ControlGroups) -> None:
    assert not groups.is_populated("nobody")
    groups.kill("nobody")
    groups.remove("nobody")


def test_groups_of_a_dead_supervisor_are_ended_and_removed_and_those_of_a_living_one_are_not(
    groups: ControlGroups,
) -> None:
    abandoned = Path(str(groups)).parent / f"nodeunit-{ADDRESS}-{os.getpid()}-1"  # another start time: another process
    abandoned.mkdir()
    with (
        _start_in(ControlGroups(str(abandoned)), "k", "sleep", "60") as left_over,
        _start_in(groups, "k", "sleep", "60") as ours,
    ):
        with pytest.raises(FileExistsError):
            ControlGroups.create(ADDRESS, within_s=5)  # ours is there already

        assert left_over.wait(5) == -9
        assert not abandoned.exists()
        assert ours.poll() is None
        groups.kill()

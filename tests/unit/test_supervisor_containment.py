"""What a program starts ends with it, also without control groups and when it has shed what it is known by."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from nodeunit.process.process_table import read_entry, read_mark
from tests.support.supervisor_daemon import Daemon, SupervisedUnit, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

SHED_EVERYTHING = 'setsid env -i sleep 300 & echo $! > "$0.new"; mv "$0.new" "$0"; '


@pytest.fixture(params=[True, False], ids=["groups", "no groups"])
def unit(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[SupervisedUnit]:
    """With control groups, where the machine permits them, and without."""
    with supervised_unit(tmp_path, control_groups=request.param) as unit:
        yield unit


def _hidden(path: Path) -> int:
    """The pid in the file, when that process has a session of its own and nothing in its environment."""
    wait_until(path.exists)
    pid = int(path.read_text())
    wait_until(lambda: (entry := read_entry(pid)) and entry.session == pid and read_mark(pid) is None)
    return pid


def test_what_has_left_its_session_and_cleared_its_environment_is_ended_with_its_program(
    daemon: Daemon, tmp_path: Path
) -> None:
    daemon.start(["sh", "-c", SHED_EVERYTHING + "wait", str(tmp_path / "hidden")])
    hidden = _hidden(tmp_path / "hidden")
    daemon.say("stop", key=key(), grace_s=0.5)
    daemon.expect("exited")
    assert not is_alive(hidden)


def test_what_a_program_starts_when_it_is_asked_to_end_is_ended_with_it(
    unit: SupervisedUnit, daemon: Daemon, tmp_path: Path
) -> None:
    on_term = f"trap '{SHED_EVERYTHING}' TERM; echo up; while :; do sleep 300 & wait; done"
    daemon.start(["sh", "-c", on_term, str(tmp_path / "hidden")])
    wait_until(lambda: "up" in unit.printed())
    daemon.say("stop", key=key(), grace_s=3)
    hidden = _hidden(tmp_path / "hidden")
    daemon.expect("exited")
    assert not is_alive(hidden)


def test_how_programs_are_contained_is_said(unit: SupervisedUnit) -> None:
    _, hello = unit.next_daemon()
    grouped = "programs run in control groups" in unit.said()
    assert hello["containment"] == ("control_groups" if grouped else "process_trees")
    assert grouped or "programs are known by parents, sessions and marks" in unit.said()


def test_a_process_that_hides_from_everything_but_its_control_group(
    unit: SupervisedUnit, daemon: Daemon, tmp_path: Path
) -> None:
    """No parent, no session, no mark, another output. Without control groups it is found when the supervisor ends, and
    not before."""
    pid_file = tmp_path / "hidden"
    hide = '(env -i setsid sh -c \'echo $$ > "$0"; exec sleep 60\' "$0" >/dev/null 2>&1 &); exec sleep 60'
    daemon.start(["sh", "-c", hide, str(pid_file)])
    wait_until(lambda: pid_file.exists() and pid_file.read_text().strip())
    hidden = int(pid_file.read_text())
    grouped = "programs run in control groups" in unit.said()
    daemon.say("stop", key=key(), grace_s=0.2)
    daemon.expect("exited")
    assert is_alive(hidden) is not grouped

    daemon.say("leave")
    daemon.leave_with(0)
    assert unit.wait() == 0
    assert not is_alive(hidden)

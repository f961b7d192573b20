"""The CPU time of trees never goes back, whatever ends in them."""

from nodeunit.process.process_table import ProcessEntry
from nodeunit.process.tree_times import Identity, Member, TreeTimes

SUPERVISOR = 1
UNIT: Identity = (SUPERVISOR, 0)
PROGRAM: Identity = (10, 100)


def _member(pid: int, parent: int, cpu: int, reaped: int = 0, root: Identity = PROGRAM, start: int = 100) -> Member:
    return Member(ProcessEntry(pid, parent, pid, pid, start, "S", 1, cpu, reaped), root)


def _update(times: TreeTimes, *members: Member) -> dict[Identity, int]:
    supervisor = _member(SUPERVISOR, 0, 1, root=UNIT, start=0)
    return times.update({each.entry.identity: each for each in (supervisor, *members)})


def test_a_reaped_child_counts_once() -> None:
    times = TreeTimes(SUPERVISOR)
    assert _update(times, _member(10, 1, 5), _member(11, 10, 7))[PROGRAM] == 12
    assert _update(times, _member(10, 1, 5, reaped=9))[PROGRAM] == 14


def test_a_chain_that_was_reaped_counts_once() -> None:
    times = TreeTimes(SUPERVISOR)
    _update(times, _member(10, 1, 5), _member(11, 10, 7), _member(12, 11, 3))
    assert _update(times, _member(10, 1, 5, reaped=11))[PROGRAM] == 16


def test_a_child_that_its_parent_does_not_wait_for_stays_counted() -> None:
    times = TreeTimes(SUPERVISOR)
    _update(times, _member(10, 1, 5), _member(11, 10, 7))
    assert _update(times, _member(10, 1, 6))[PROGRAM] == 13
    assert _update(times, _member(10, 1, 7))[PROGRAM] == 14


def test_an_orphan_that_ends_stays_counted() -> None:
    times = TreeTimes(SUPERVISOR)
    _update(times, _member(10, 1, 5), _member(11, 10, 2), _member(12, 11, 9))
    assert _update(times, _member(10, 1, 5, reaped=2), _member(12, 1, 9))[PROGRAM] == 16
    assert _update(times, _member(10, 1, 5, reaped=2))[PROGRAM] == 16


def test_a_chain_whose_end_the_supervisor_reaped_stays_counted() -> None:
    times = TreeTimes(SUPERVISOR)
    _update(times, _member(10, 1, 5), _member(11, 10, 2), _member(12, 11, 9))
    assert _update(times, _member(10, 1, 5, reaped=2))[PROGRAM] == 16


def test_a_new_program_begins_at_nothing() -> None:
    times = TreeTimes(SUPERVISOR)
    _update(times, _member(10, 1, 500))
    assert _update(times, _member(20, 1, 3, root=(20, 200), start=200)) == {UNIT: 1, (20, 200): 3}


def test_what_a_process_used_before_it_joined_the_tree_is_not_the_trees() -> None:
    times = TreeTimes(SUPERVISOR)
    older = _member(9, 1, 400, start=50)
    assert _update(times, _member(10, 1, 5), older)[PROGRAM] == 5
    assert _update(times, _member(10, 1, 5), older._replace(entry=older.entry._replace(cpu_ticks=407)))[PROGRAM] == 12


def test_what_the_supervisor_reaps_is_not_its_own() -> None:
    times = TreeTimes(SUPERVISOR)
    assert times.update({UNIT: _member(SUPERVISOR, 0, 4, reaped=900, root=UNIT, start=0)}) == {UNIT: 4}

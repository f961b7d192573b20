"""What a dead supervisor left behind is found by its mark and ended; supervised processes are not touched."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from nodeunit.process.leftovers import end_leftovers, find_leftovers
from nodeunit.process.process_table import read_mark
from tests.support.supervisor_daemon import is_alive
from tests.support.waiting import wait_until

ADDRESS = f"LeftoverTest{os.getpid()}"
_WAIT = "import signal; signal.pause()"


class Processes:
    """Starts marked processes, and ends them after the test."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def start(self, code: str, *arguments: str, marked: bool = True) -> subprocess.Popen[bytes]:
        mark = {"NODE_UNIT_ADDRESS": ADDRESS, "DEPLOYMENT_ID": "d1"} if marked else {}
        command = [sys.executable, "-I", "-S", "-c", code, *arguments]
        process = subprocess.Popen(command, env={"PATH": os.environ["PATH"]} | mark, stdout=subprocess.PIPE)
        self._stack.enter_context(process)
        self._stack.callback(process.kill)
        if marked:
            wait_until(lambda: read_mark(process.pid) is not None)
        return process


@pytest.fixture
def processes() -> Iterator[Processes]:
    with ExitStack() as stack:
        yield Processes(stack)


def test_marked_and_unsupervised_is_a_leftover(processes: Processes) -> None:
    marked, unmarked = processes.start(_WAIT), processes.start(_WAIT, marked=False)

    assert [(found.entry.pid, found.key) for found in find_leftovers(ADDRESS)] == [(marked.pid, "d1")]
    assert end_leftovers(ADDRESS, within_s=5) == []
    assert marked.wait(5) == -9
    assert unmarked.poll() is None


def test_a_child_that_cleared_its_environment_is_one_too(processes: Processes) -> None:
    parent = processes.start(
        "import os, signal, sys\n"
        "if os.fork() == 0: os.setsid(); os.execve(sys.executable, [sys.executable, '-c', 'import os; "
        'os.write(1, b"%d" % os.getpid()); import signal; signal.pause()\'], {})\n'
        "signal.pause()"
    )
    assert parent.stdout is not None
    child = int(os.read(parent.stdout.fileno(), 20))

    assert {found.entry.pid for found in find_leftovers(ADDRESS)} == {parent.pid, child}
    end_leftovers(ADDRESS, within_s=5)
    parent.wait(5)
    wait_until(lambda: not is_alive(child))


def test_the_mark_of_another_unit_is_none_of_ours(processes: Processes) -> None:
    processes.start(_WAIT)

    assert find_leftovers(ADDRESS + "x") == []


def test_what_has_a_living_supervisor_of_the_address_above_is_left_alone(processes: Processes) -> None:
    spawn = (
        "import os, signal, sys\n"
        f"env = {{'NODE_UNIT_ADDRESS': {ADDRESS!r}, 'DEPLOYMENT_ID': 'd2'}}\n"
        f"if os.fork() == 0: os.execve(sys.executable, [sys.executable, '-c', {_WAIT!r}], env)\n"
        "signal.pause()"
    )
    supervisor = processes.start(spawn, "nodeunit.supervisor", "--address", ADDRESS, marked=False)
    other = processes.start(spawn, "nodeunit.supervisor", "--address", "other", marked=False)

    wait_until(lambda: [found.entry.parent for found in find_leftovers(ADDRESS)] == [other.pid])
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: len(find_leftovers(ADDRESS)) == 2)
    assert end_leftovers(ADDRESS, within_s=5) == []

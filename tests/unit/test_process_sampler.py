"""The sampler's figures against processes whose use is known."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psutil
import pytest

from nodeunit.domain.policy import Usage
from nodeunit.process.process_table import read_entry
from nodeunit.process.sampler import SHORTEST_WINDOW_S, Sampler
from tests.support.waiting import wait_until

_CORES = psutil.cpu_count() or 1
_MIB = 1024 * 1024

Start = Callable[[str], tuple[int, int]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs code in a process that says when it is ready; returns its pid and start time."""
    with ExitStack() as stack:

        def run(code: str) -> tuple[int, int]:
            command = [sys.executable, "-I", "-S", "-c", f"import os, signal\n{code}"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
            stack.enter_context(process)
            stack.callback(os.killpg, process.pid, 9)
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            entry = read_entry(process.pid)
            assert entry is not None
            return entry.identity

        yield run


def _ready(then: str) -> str:
    return f"os.write(1, b'ready\\n')\n{then}"


def _started_at(identity: tuple[int, int]) -> float:
    """By the clock of the sampler."""
    return identity[1] / os.sysconf("SC_CLK_TCK")


def _settled(sampler: Sampler, programs: dict[str, tuple[int, int]]) -> tuple[dict[str, Usage], dict[str, float]]:
    """Sample until every program is settled, and then once more over a fresh window of a second.

    Also the CPU percent that the kernel's counts of the first processes give for that second, because how much a busy
    program gets depends on who else is busy.
    """
    wait_until(lambda: sampler.sample(programs).programs.keys() == programs.keys())
    start = time.monotonic()
    before = {key: _cpu_s(pid) for key, (pid, _) in programs.items()}
    wait_until(lambda: time.monotonic() > start + 1.0)
    usage = sampler.sample(programs).programs
    elapsed = time.monotonic() - start
    return usage, {key: (_cpu_s(pid) - before[key]) / elapsed / _CORES * 100 for key, (pid, _) in programs.items()}


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system + times.children_user + times.children_system


def test_a_busy_and_an_idle_program(start: Start) -> None:
    programs = {"busy": start(_ready("while True: pass")), "idle": start(_ready("signal.pause()"))}

    usage, known = _settled(Sampler(os.getpid()), programs)

    assert usage["busy"].cpu_percent == pytest.approx(known["busy"], rel=0.2)
    assert usage["busy"].cpu_percent > 1
    assert usage["idle"].cpu_percent < 0.05 * 100 / _CORES


def test_memory_of_a_whole_tree(start: Start) -> None:
    held = "held = bytearray(os.urandom(1)) * (40 * 1024 * 1024)\n"
    programs = {
        "tree": start(f"child = os.fork()\n{held}if child: os.write(1, b'ready\\n')\nsignal.pause()"),
        "small": start(_ready("signal.pause()")),
    }

    usage, _ = _settled(Sampler(os.getpid()), programs)

    assert 80 < usage["tree"].memory_mb < 115
    resident = psutil.Process(programs["small"][0]).memory_info().rss / _MIB
    assert usage["small"].memory_mb == pytest.approx(resident, rel=0.05)


def test_what_a_program_starts_and_reaps_counts_for_it(start: Start) -> None:
    spin = "while True:\n  if os.fork() == 0:\n    for _ in range(300000): pass\n    os._exit(0)\n  os.wait()"
    programs = {"forks": start(_ready(spin))}

    usage, known = _settled(Sampler(os.getpid()), programs)

    assert usage["forks"].cpu_percent == pytest.approx(known["forks"], rel=0.2)
    assert usage["forks"].cpu_percent > 1


def test_a_program_is_known_from_the_first_reading_once_it_is_half_a_second_old(start: Start) -> None:
    programs = {"p": start(_ready("signal.pause()"))}
    now = _started_at(programs["p"])
    sampler = Sampler(os.getpid(), clock=lambda: now)

    now += SHORTEST_WINDOW_S * 0.9
    assert sampler.sample(programs).programs == {}
    now += SHORTEST_WINDOW_S * 0.2
    assert sampler.sample(programs).programs.keys() == {"p"}
    assert sampler.sample(programs).programs.keys() == {"p"}


def test_the_first_reading_is_the_average_since_the_start(start: Start) -> None:
    programs = {"p": start("import time\nwhile time.process_time() < 0.2: pass\n" + _ready("signal.pause()"))}
    used = _cpu_s(programs["p"][0])

    now = _started_at(programs["p"]) + 100
    usage = Sampler(os.getpid(), clock=lambda: now).sample(programs).programs["p"]

    assert used > 0.05
    assert usage.cpu_percent == pytest.approx(used / 100 / _CORES * 100, abs=0.02 / 100 / _CORES * 100)


def test_memory_that_processes_share_counts_once(start: Start) -> None:
    held = "held = bytearray(os.urandom(1)) * (60 * 1024 * 1024)\n"
    forks = "children = [os.fork() for _ in range(3)]\nif all(children): os.write(1, b'ready\\n')\nsignal.pause()"
    usage, _ = _settled(Sampler(os.getpid()), programs := {"forks": start(held + forks)})

    assert len(psutil.Process(programs["forks"][0]).children(recursive=True)) > 1
    assert 60 < usage["forks"].memory_mb < 90


def test_a_unit_is_its_own_processes_and_the_settled_programs(start: Start) -> None:
    first = {"first": start(_ready("signal.pause()"))}
    now = _started_at(first["first"]) + 1
    sampler = Sampler(os.getpid(), clock=lambda: now)
    before = sampler.sample(first)
    # What other tests left running in this process belongs to the unit as well.
    me = psutil.Process()
    own = [me, *(child for child in me.children(recursive=True) if child.pid != first["first"][0])]
    own_mb = sum(process.memory_info().rss for process in own) / _MIB

    second = start("held = bytearray(os.urandom(1)) * (60 * 1024 * 1024)\n" + _ready("signal.pause()"))
    now = _started_at(second) + SHORTEST_WINDOW_S / 2
    after = sampler.sample({**first, "second": second})

    assert before.unit.memory_mb == pytest.approx(own_mb + before.programs["first"].memory_mb, rel=0.05)
    assert after.unit.memory_mb < before.unit.memory_mb + 20
    assert after.programs.keys() == {"first"}


def test_a_pid_with_another_start_time_is_not_the_program(start: Start) -> None:
    pid, start_time = start(_ready("signal.pause()"))
    now = _started_at((pid, start_time)) + 10
    sampler = Sampler(os.getpid(), clock=lambda: now)

    assert sampler.sample({"p": (pid, start_time + 1)}).programs == {}
    assert sampler.sample({"p": (pid, start_time)}).programs.keys() == {"p"}


def test_a_program_that_ends_disappears(start: Start) -> None:
    programs = {"p": start(_ready("signal.pause()"))}
    sampler = Sampler(os.getpid())
    wait_until(lambda: sampler.sample(programs).programs.keys() == {"p"})
    os.kill(programs["p"][0], 9)

    wait_until(lambda: sampler.sample(programs).programs == {})


def test_an_orphan_counts_for_the_program_whose_mark_it_carries() -> None:
    """Run under a subreaper, as the supervisor is."""
    code = f"""
import os, subprocess, sys, time
from nodeunit.process.linux import adopt_orphans
from nodeunit.process.process_table import ProcessTable, read_entry
from nodeunit.process.sampler import Sampler
adopt_orphans()
orphan = "import os, signal\\nif os.fork() == 0:\\n  os.setsid()\\n  if os.fork() == 0:\\n"
orphan += "    held = bytearray(os.urandom(1)) * (50 * 1024 * 1024)\\n    os.write(1, b'ready')\\n    signal.pause()\\n"
orphan += "  os._exit(0)\\nsignal.pause()"
env = dict(os.environ, NODE_UNIT_ADDRESS="a", DEPLOYMENT_ID="k")
program = subprocess.Popen([sys.executable, "-c", orphan], env=env, stdout=subprocess.PIPE)
assert program.stdout.read(5) == b"ready"
programs = {{"k": read_entry(program.pid).identity}}
now = programs["k"][1] / os.sysconf("SC_CLK_TCK") + {SHORTEST_WINDOW_S}
sampler = Sampler(os.getpid(), clock=lambda: now)
print(sampler.sample(programs).programs["k"].memory_mb)
for child in ProcessTable.read().children(os.getpid()):
    os.kill(child.pid, 9)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True)

    assert 50 < float(result.stdout) < 90

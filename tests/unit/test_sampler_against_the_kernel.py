"""The sampler's CPU time against what the kernel counts for a control group, within 5 %."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from nodeunit.clock import boottime
from nodeunit.process.control_groups import ControlGroups, cpu_s_of
from nodeunit.process.process_table import read_entry
from nodeunit.process.sampler import Sampler
from tests.support.waiting import wait_until

_CORES = os.cpu_count() or 1
_A_TICK_S = 0.01

SPIN = "for _ in range(400000): pass"
STEADY = "while True: pass"
SHORT_CHILDREN = f"""
while True:
  if os.fork() == 0:
    {SPIN}
    os._exit(0)
  os.wait()
"""
SHORT_GRANDCHILDREN = f"""
while True:
  if os.fork() == 0:
    if os.fork() == 0:
      {SPIN}
      os._exit(0)
    os.wait()
    os._exit(0)
  os.wait()
"""
ORPHANS = f"""
while True:
  if os.fork() == 0:
    if os.fork() == 0:
      os.setsid()
      {SPIN}
      os.write(2, b'.')
      os._exit(0)
    os._exit(0)
  os.wait()
  os.read(0, 1)
"""
NOT_WAITED_FOR = f"""
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
  if os.fork() == 0:
    {SPIN}
    os._exit(0)
  try: os.wait()
  except ChildProcessError: pass
"""

Start = Callable[[str, str], tuple[tuple[int, int], str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs code in a control group of this name; returns the identity of the process and the group's directory."""
    try:
        groups = ControlGroups.create(f"SamplerTest{os.getpid()}", within_s=5)
    except OSError as error:
        pytest.skip(f"no control groups here: {error}")
    with ExitStack() as stack:

        def run(name: str, code: str) -> tuple[tuple[int, int], str]:
            place = groups.enter(name)
            assert place is not None
            enter = f"import os, signal\nos.write({place.entrance}, b'0')\n"
            ready, ended = os.pipe()
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", enter + code],
                stdin=ready,
                stderr=ended,
                pass_fds=(place.entrance,),
                start_new_session=True,
            )
            for descriptor in (place.entrance, ready, ended):
                os.close(descriptor)
            stack.enter_context(process)
            stack.callback(groups.kill, name)
            entry = read_entry(process.pid)
            assert entry is not None
            return entry.identity, f"{groups}/{name}"

        yield run
    groups.end_all(within_s=5)


def _used(group: str) -> float:
    used = cpu_s_of(group)
    assert used is not None
    return used


class _Counted:
    """The CPU seconds of each window of a sampler, between the kernel's counts just before and just after."""

    def __init__(self, key: str, identity: tuple[int, int], group: str) -> None:
        self._now = 0.0
        self._sampler = Sampler(os.getpid(), clock=self._clock)
        self._key, self._identity, self._group = key, identity, group
        self._since = identity[1] * _A_TICK_S
        self._before = self._after = 0.0

    def _clock(self) -> float:
        self._now = boottime()
        return self._now

    def window(self, of_cpu_s: float) -> tuple[float, float, float]:
        """Samples when the program has used so much more: the least, the measured and the most CPU seconds."""
        wait_until(lambda: _used(self._group) > self._after + of_cpu_s, within_s=30)
        before = _used(self._group)
        percent = self._sampler.sample({self._key: self._identity}).programs[self._key].cpu_percent
        after = _used(self._group)
        measured = percent / 100 * _CORES * (self._now - self._since)
        found = before - self._after, measured, after - self._before
        self._since, self._before, self._after = self._now, before, after
        return found


@pytest.mark.parametrize("own_group", [False, True], ids=["from_proc", "from_the_group"])
@pytest.mark.parametrize(
    "code", [STEADY, SHORT_CHILDREN, SHORT_GRANDCHILDREN], ids=["one", "children", "grandchildren"]
)
def test_each_reading_from_the_first_is_within_5_percent(start: Start, code: str, own_group: bool) -> None:
    identity, group = start("p" if own_group else "other", code)
    counted = _Counted("p", identity, group)
    for _ in range(2):
        least, measured, most = counted.window(of_cpu_s=0.6)
        assert least * 0.95 - _A_TICK_S <= measured <= most * 1.05 + _A_TICK_S


@pytest.mark.parametrize("code", [ORPHANS, NOT_WAITED_FOR], ids=["orphans", "not_waited_for"])
def test_the_group_also_counts_what_no_process_inherits(start: Start, code: str) -> None:
    identity, group = start("p", code)
    counted = _Counted("p", identity, group)
    for _ in range(2):
        least, measured, most = counted.window(of_cpu_s=0.6)
        assert least * 0.95 <= measured <= most * 1.05

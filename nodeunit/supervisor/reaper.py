"""Collects ended children: those that are expected, in the way each wants, and adopted orphans without further ado."""

import os
from collections.abc import Callable

_PEEK = os.WEXITED | os.WNOHANG | os.WNOWAIT

OnEnd = Callable[[int, int], bool]
"""Called with `code` and `status` as in waitid. True: reap it. False: it stays a zombie until `release`."""


class Reaper:
    """Knows the children that somebody waits for."""

    def __init__(self) -> None:
        self.on_any: Callable[[], None] = lambda: None
        """Called after children have ended, expected or not."""
        self._expected: dict[int, OnEnd] = {}
        self._held: set[int] = set()
        self._look = True

    def expect(self, pid: int, on_end: OnEnd) -> None:
        self._expected[pid] = on_end

    def child_ended(self) -> None:
        """SIGCHLD has come."""
        self._look = True

    def release(self, pid: int) -> None:
        """Reap one that was held; from now on its pid may be anybody's."""
        self._held.discard(pid)
        self._expected.pop(pid, None)
        os.waitpid(pid, 0)
        self._look = True  # it may have hidden others

    def tick(self, now: float) -> float | None:
        if not self._look:
            return None
        self._look = False
        if not self._collect():
            return None
        self.on_any()
        return now

    def _collect(self) -> bool:
        """Whether any child has ended since the last time."""
        found = False
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, _PEEK)
            except ChildProcessError:
                return found
            if ended is None:
                return found
            if ended.si_pid in self._held:
                break  # the kernel would show the same one for ever: ask for each by its number
            self._take(ended.si_pid, ended.si_code, ended.si_status)
            found = True
        for pid in [pid for pid in self._expected if pid not in self._held]:
            ended = os.waitid(os.P_PID, pid, _PEEK)
            if ended is not None:
                self._take(pid, ended.si_code, ended.si_status)
        return True

    def _take(self, pid: int, code: int, status: int) -> None:
        on_end = self._expected.get(pid)
        if on_end is not None:
            self._held.add(pid)  # also when the call fails: it must not be reaped unnoticed
            if not on_end(code, status):
                return
            self._held.discard(pid)
            del self._expected[pid]
        os.waitpid(pid, 0)

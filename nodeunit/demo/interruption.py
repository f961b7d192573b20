"""How `nodeunit demo` is ended early: the first SIGINT, SIGTERM or SIGHUP interrupts it, but never its cleaning up."""

import asyncio
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interruption:
    """Catches the signals while it is entered, and raises KeyboardInterrupt only where an interruption is allowed.

    A shell script starts background commands with SIGINT ignored, and a mask of blocked signals is inherited; both are
    undone here. SIGHUP stays ignored if it was, because nohup relies on that.
    """

    def __init__(self) -> None:
        self.signum: int | None = None
        """The first signal that arrived."""
        self.repeated = False
        """Whether another signal followed, because the person does not want to wait."""
        self._interrupt: Callable[[], object] | None = None
        self._before: dict[int, Any] = {}

    @property
    def exit_code(self) -> int:
        """128 plus the number of the signal, as in a shell."""
        return 128 + (self.signum or signal.SIGINT)

    def __enter__(self) -> Self:
        for signum in _ENDING:
            if signum != signal.SIGHUP or signal.getsignal(signum) is not signal.SIG_IGN:
                self._before[signum] = signal.signal(signum, self._caught)
        self._mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        for signum, handler in self._before.items():
            # After a signal the demo only ends with its exit code, which no other exit code may replace.
            signal.signal(signum, handler if self.signum is None else signal.SIG_IGN)

    def _caught(self, signum: int, _: FrameType | None) -> None:
        if self.signum is not None:
            self.repeated = True
            return
        self.signum = signum
        if self._interrupt:
            self._interrupt()

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """The block may be interrupted; outside of such blocks a signal is only remembered."""
        self._interrupt = self._raise
        try:
            if self.signum is not None:
                self._raise()
            yield
        finally:
            self._interrupt = None

    def _raise(self) -> None:
        self._interrupt = None
        raise KeyboardInterrupt

    async def may_end(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which a signal cancels. The caller is not cancelled, and can clean up."""
        if self.signum is not None:
            work.close()
            raise KeyboardInterrupt
        loop = asyncio.get_running_loop()
        interrupted = asyncio.Event()
        working = asyncio.create_task(work)
        tasks = (working, asyncio.create_task(interrupted.wait()))
        self._interrupt = lambda: loop.call_soon_threadsafe(interrupted.set)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        self._interrupt = None
        ended = working.done()
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        if ended:
            return working.result()
        raise KeyboardInterrupt

"""The event loop: waits for descriptors, signals and the next due time, and calls back, in one thread."""

import os
import selectors
import signal
import time
from collections.abc import Callable

from nodeunit.clock import boottime
from nodeunit.process.linux import BootTimer
from nodeunit.supervisor import signals
from nodeunit.supervisor.stderr_log import StderrLog

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE

Tick = Callable[[float], float | None]
"""Does what is due at the given time and returns the next due time; None if there is none."""

_PAUSE_AFTER_ERROR_S = 0.05


class Loop:
    """Runs until `end` is called. An error in one callback is logged and survived, because the others must continue."""

    def __init__(self, stderr_log: StderrLog) -> None:
        self._log = stderr_log
        self._selector = selectors.DefaultSelector()
        self._timer = BootTimer()
        self._paused: dict[int, tuple[str, Callable[[int], None]]] = {}
        self._ticks: list[tuple[str, Tick]] = []
        self._on_signal: dict[int, Callable[[], None]] = {}
        self._pending: list[int] = []
        self._exit_code: int | None = None
        woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for signum in signals.HANDLED:
            signal.signal(signum, lambda signum, _: self._pending.append(signum))
        self.watch(woken, "signals", lambda _: self._take_signals(woken))
        self.watch(self._timer.fileno(), "timer", lambda _: self._timer.acknowledge())

    def watch(self, fd: int, what: str, call: Callable[[int], None], events: int = READ) -> None:
        """Calls `call` with the events (READ, WRITE) whenever `fd` has some; `what` names it in errors."""
        self._selector.register(fd, events, (what, call))

    def watch_for(self, fd: int, events: int) -> None:
        """Changes the events that `fd` is watched for; 0 means none for now."""
        if fd in self._paused:
            if events:
                self._selector.register(fd, events, self._paused.pop(fd))
            return
        key = self._selector.get_key(fd)
        if not events:
            self._paused[fd] = key.data
            self._selector.unregister(fd)
        elif key.events != events:
            self._selector.modify(fd, events, key.data)

    def unwatch(self, fd: int) -> None:
        """Must be called before the descriptor is closed. Does nothing if it is not watched."""
        if self._paused.pop(fd, None) is None and fd in self._selector.get_map():
            self._selector.unregister(fd)

    def on_signal(self, signum: int, call: Callable[[], None]) -> None:
        """Calls `call` from the loop, not in the signal's context. Signals of one turn may coalesce."""
        self._on_signal[signum] = call

    def every_turn(self, what: str, tick: Tick) -> None:
        """Ticks run in every turn, in the order of registration, and must be cheap when nothing is due."""
        self._ticks.append((what, tick))

    def end(self, exit_code: int) -> None:
        """Ends `run` after this turn. The first exit code counts."""
        if self._exit_code is None:
            self._exit_code = exit_code

    def run(self) -> int:
        while self._exit_code is None:
            try:
                self._turn()
            except Exception as error:  # noqa: BLE001 - see the class
                self._report("a turn of the loop", error)
        return self._exit_code

    def _turn(self) -> None:
        due: list[float] = []
        for what, tick in self._ticks:
            try:
                moment = tick(boottime())
            except Exception as error:  # noqa: BLE001 - see the class
                moment = boottime()
                self._report(what, error)
            if moment is not None:
                due.append(moment)
        if self._exit_code is not None:
            return
        first = min(due, default=None)
        self._timer.arm(first)
        # If something is already due, no timer is needed: only what is ready is checked.
        busy = self._pending or (first is not None and first <= boottime())
        for key, events in self._selector.select(0 if busy else None):
            now_watched = self._selector.get_map().get(key.fd)
            if now_watched is None or now_watched.data is not key.data:
                continue  # unwatched by an earlier callback of this turn, and perhaps the number is watched again
            what, call = key.data
            try:
                call(events)
            except Exception as error:  # noqa: BLE001
                self._report(what, error)
        self._dispatch_signals()

    def _take_signals(self, woken: int) -> None:
        try:
            while os.read(woken, 4096):
                pass
        except BlockingIOError:
            pass

    def _dispatch_signals(self) -> None:
        pending, self._pending = self._pending, []
        for signum in dict.fromkeys(pending):
            try:
                self._on_signal[signum]()
            except Exception as error:  # noqa: BLE001
                self._report(f"signal {signum}", error)

    def _report(self, what: str, error: Exception) -> None:
        self._log.error(what, error)
        time.sleep(_PAUSE_AFTER_ERROR_S)  # the cause may persist in the next turn

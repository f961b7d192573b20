"""The supervisor's end of the socket pair with one daemon. It never waits.

A daemon that does not read cannot make the supervisor's memory grow: once too much is waiting to be sent, no further
request is read. After that only one exit per ended program is added, because no program is started. So nothing is ever
dropped, and a daemon that thaws receives everything in order.
"""

import socket
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from nodeunit.supervisor.loop import READ, WRITE, Loop
from nodeunit.supervisor.protocol import Decoder, Event, encode
from nodeunit.supervisor.stderr_log import StderrLog

_PIECE = 256 * 1024
_LAST_PIECES = 32  # more than a socket holds; a child of the daemon may still have its end open and write
_MOST_UNSENT = 1024 * 1024
_REQUESTS_A_TURN = 8  # a fork takes about a millisecond; a burst of a thousand must not delay logs and deadlines


class DaemonLink:
    """Sends events, and hands each request to `on_request`, a few in a turn."""

    def __init__(
        self, end: socket.socket, loop: Loop, stderr_log: StderrLog, on_request: Callable[[Mapping[str, Any]], None]
    ) -> None:
        end.setblocking(False)
        self._socket = end
        self._loop = loop
        self._on_request = on_request
        self._decoder = Decoder(
            lambda text: stderr_log.rate_limited("link", f"the daemon sent an invalid message: {text}")
        )
        self._requests: deque[Mapping[str, Any]] = deque()
        self._unsent = bytearray()
        self._readable = True
        self._closed = False
        loop.watch(end.fileno(), "link", self._on_ready)

    def send(self, event: Event) -> None:
        if not self._closed:
            self._unsent += encode(event)
            self._flush()

    def tick(self, now: float) -> float | None:
        """Executes a few of the waiting requests."""
        for _ in range(min(_REQUESTS_A_TURN, len(self._requests))):
            self._on_request(self._requests.popleft())
        self._choose_events()
        return now if self._requests else None

    def finish(self) -> None:
        """Called when the daemon is dead: executes what it sent before, then closes."""
        for _ in range(_LAST_PIECES):
            if not (self._readable and self._receive()):
                break
        self.close()
        while self._requests:
            self._on_request(self._requests.popleft())

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._unsent.clear()
            self._loop.unwatch(self._socket.fileno())
            self._socket.close()

    def _on_ready(self, events: int) -> None:
        if events & WRITE:
            self._flush()
        if events & READ:
            self._receive()
        self._choose_events()

    def _receive(self) -> bool:
        """Reads once. False if there is nothing to read or the other end is closed."""
        try:
            data = self._socket.recv(_PIECE)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._readable = False
            return False
        self._requests.extend(self._decoder.feed(data))
        return True

    def _flush(self) -> None:
        while self._unsent and not self._closed:
            try:
                sent = self._socket.send(self._unsent)
            except BlockingIOError:
                break
            except OSError:
                self._unsent.clear()  # it has closed its end; its successor gets everything from `hello`
                break
            del self._unsent[:sent]
        self._choose_events()

    def _choose_events(self) -> None:
        if self._closed:
            return
        # Reading continues only after everything read is executed, so that requests wait in the socket and not in
        # memory.
        wants_more = self._readable and not self._requests and len(self._unsent) < _MOST_UNSENT
        self._loop.watch_for(self._socket.fileno(), (READ if wants_more else 0) | (WRITE if self._unsent else 0))

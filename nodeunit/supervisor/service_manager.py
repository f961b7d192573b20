"""What the supervisor tells systemd (`Type=notify`): ready, alive, stopping. Without systemd it tells nobody.

The protocol is that of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names. The loop of the supervisor sends
the watchdog's signs of life itself, so that they end when it hangs.
"""

import os
import socket
from collections.abc import Mapping

_SIGNS_PER_WATCHDOG = 3


def notify_settings(environ: Mapping[str, str]) -> dict[str, str | float]:
    """The fields of `SupervisorSettings` for the service manager that started this process, if one did."""
    try:
        watchdog_s = int(environ.get("WATCHDOG_USEC", "0")) / 1e6
    except ValueError:
        watchdog_s = 0.0
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        watchdog_s = 0.0  # meant for another process
    return {"notify_socket": environ.get("NOTIFY_SOCKET", ""), "watchdog_s": watchdog_s}


class ServiceManager:
    """Tells it. No method raises or waits. `watchdog_s`: the seconds it waits for a sign of life; 0: it does not."""

    def __init__(self, address: str, watchdog_s: float) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = watchdog_s / _SIGNS_PER_WATCHDOG
        self._next = 0.0
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        if self._socket is not None:
            self._socket.setblocking(False)

    def ready(self) -> None:
        """The daemon has joined. Later daemons say it again, which changes nothing."""
        self._tell("READY=1\nSTATUS=in the fleet")

    def stopping(self) -> None:
        self._tell("STOPPING=1\nSTATUS=draining")

    def tick(self, now: float) -> float | None:
        """Sends a sign of life when it is due. `now` is CLOCK_BOOTTIME in seconds."""
        if self._socket is None or self._every_s <= 0:
            return None
        if now >= self._next:
            self._tell("WATCHDOG=1")
            self._next = now + self._every_s
        return self._next

    def _tell(self, text: str) -> None:
        if self._socket is None:
            return
        try:
            self._socket.sendto(text.encode(), self._address)
        except OSError:
            pass  # full, or gone: the next sign of life tries again

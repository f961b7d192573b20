"""What a unit says, behind a pipe whose reader can stop: a stuck journal, a terminal after Ctrl-S."""

import fcntl
import os
import threading
from pathlib import Path

SMALLEST_PIPE = 4096

PAUSES_WITHIN_S = 5.0


class Reader:
    """Copies from a small pipe, whose writing end is `fd`, to the end of a file."""

    def __init__(self, path: Path) -> None:
        self._reads = threading.Event()
        self._reads.set()
        self._paused = threading.Event()
        self._end, self.fd = os.pipe2(os.O_CLOEXEC)
        fcntl.fcntl(self.fd, fcntl.F_SETPIPE_SZ, SMALLEST_PIPE)
        threading.Thread(target=self._copy, args=(path,), daemon=True).start()

    def stop(self) -> None:
        """Read nothing any more. Returns when the pipe is full."""
        self._paused.clear()
        self._reads.clear()
        ours = os.open(f"/proc/self/fd/{self.fd}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            _fill(ours)  # the thread takes what is there before it pauses
            self._paused.wait(PAUSES_WITHIN_S)
            _fill(ours)
        finally:
            os.close(ours)

    def go_on(self) -> None:
        """Read all that is there, and all that comes."""
        self._reads.set()

    def close(self) -> None:
        """The thread ends with the last writer."""
        self.go_on()
        os.close(self.fd)

    def _copy(self, path: Path) -> None:
        with path.open("ab", buffering=0) as file:
            while data := os.read(self._end, SMALLEST_PIPE):
                file.write(data)
                if not self._reads.is_set():
                    self._paused.set()
                    self._reads.wait()
        os.close(self._end)


def _fill(pipe: int) -> None:
    try:
        while True:
            os.write(pipe, b"nobody reads it\n")
    except BlockingIOError:
        pass

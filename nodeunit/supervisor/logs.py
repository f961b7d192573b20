"""The programs' output: from the pipe into a log file for each key, and on into compressed older generations.

Output is copied a bounded piece at a time, and one process at a time compresses."""

import os
import signal

from nodeunit.clock import boottime
from nodeunit.process.log_generations import LogGenerations
from nodeunit.process.rotating_log import RotatingLog
from nodeunit.supervisor.child_processes import fork_only
from nodeunit.supervisor.linux import die_with_parent
from nodeunit.supervisor.stderr_log import StderrLog

_BLOCK = 256 * 1024
_GZIP_CONTAINER = 31  # zlib's wbits for a gzip file with the largest window
_LEVEL = 6
_NICE = 19
_AFTER_FAILURE_S = 60.0


class Logs:
    """`directory/KEY.log` for each key. A key keeps its log object, because its generations may still be compressed
    when its next program already writes."""

    def __init__(self, directory: str, stderr_log: StderrLog, max_bytes: int) -> None:
        self._directory = directory
        self._log = stderr_log
        self._max_bytes = max_bytes
        self._logs: dict[str, RotatingLog] = {}
        self._waiting: dict[str, LogGenerations] = {}
        self._compressing: LogGenerations | None = None
        self._not_before = 0.0
        self.compressor: int | None = None
        """The pid of the process that compresses."""

    def of(self, key: str) -> RotatingLog:
        log = self._logs.get(key)
        if log is None:
            generations = LogGenerations(os.path.join(self._directory, f"{key}.log"))
            log = self._logs[key] = RotatingLog(generations, self._log.warning, self._rotated, self._max_bytes)
            self._rotated(generations)  # an earlier supervisor may have ended in the middle of a compression
        return log

    def _rotated(self, generations: LogGenerations) -> None:
        self._waiting[generations.path] = generations

    def compress_next(self) -> int | None:
        """Compress the next generation that is due, unless one is being compressed. Returns the pid of the process."""
        while self.compressor is None and self._waiting and boottime() >= self._not_before:
            path, generations = next(iter(self._waiting.items()))
            source = generations.next_to_compress()
            if source is None:
                del self._waiting[path]
            else:
                self._compressing = generations
                self.compressor = self._start(source, generations.unfinished)
                return self.compressor
        return None

    def _start(self, path: str, target: str) -> int | None:
        supervisor = os.getpid()
        try:
            # Opened here, because the path may be that of another generation by the time the child runs.
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return fork_only(lambda: _compress(source, target, supervisor), keep=(source,))
            finally:
                os.close(source)
        except OSError:
            self.compressor_ended(False)
            return None

    def compressor_ended(self, succeeded: bool) -> None:
        generations, self._compressing, self.compressor = self._compressing, None, None
        if generations is None:
            return
        try:
            generations.finish_compression(succeeded)
        except OSError as error:
            self._log.warning(f"{generations.path}: an older generation stays uncompressed: {error.strerror}")
            succeeded = False
        if not succeeded:
            self._not_before = boottime() + _AFTER_FAILURE_S  # the disk is full, most likely


def _compress(source: int, target: str, supervisor: int) -> None:
    if not die_with_parent(signal.SIGKILL, supervisor):
        return
    os.nice(_NICE)
    import zlib  # imported in the child only: the supervisor does not need it

    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_CONTAINER)
    with open(source, "rb", buffering=0) as plain, open(target, "wb") as packed:
        os.fchmod(packed.fileno(), 0o640)
        while block := plain.read(_BLOCK):
            packed.write(packer.compress(block))
        packed.write(packer.flush())
        packed.flush()
        os.fsync(packed.fileno())  # the plain text is deleted next


PIECE = 64 * 1024
"""At most so much of one program is copied in a turn of the loop, so that a chatty one does not starve the others."""

_LAST_PIECES = 32


class Output:
    """The read end of a program's standard output and error."""

    def __init__(self, fd: int, log: RotatingLog) -> None:
        os.set_blocking(fd, False)
        self._fd: int | None = fd
        self.log = log

    def fileno(self) -> int:
        """The descriptor to watch. Raises ValueError once closed."""
        if self._fd is None:
            raise ValueError("output is closed")
        return self._fd

    @property
    def open(self) -> bool:
        return self._fd is not None

    def copy(self, now: float) -> bool:
        """Copy one piece. False: there is none now, or no more at all (`open` tells)."""
        if self._fd is None:
            return False
        try:
            data = os.read(self._fd, PIECE)
        except BlockingIOError:
            return False
        if not data:
            self._shut()
            return False
        self.log.write(data, now)
        return True

    def finish(self, now: float) -> None:
        """The tree is gone: copy the rest of the pipe, and close. Bounded, because the other end may still be held."""
        for _ in range(_LAST_PIECES):
            if not self.copy(now):
                break
        self._shut()
        self.log.close()

    def _shut(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

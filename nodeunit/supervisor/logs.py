"""The log writer's side: writes output into one log file per key, and compresses older generations.

All of this may wait for a disk, so it runs in a separate process (`nodeunit.supervisor.log_writer`). One process at a
time compresses.
"""

import os
import re
import select
import signal
import socket
import time
from typing import NamedTuple

from nodeunit.clock import boottime
from nodeunit.process.linux import die_with_parent, set_name
from nodeunit.process.log_generations import KEPT, LogGenerations
from nodeunit.process.rotating_log import MAX_BYTES, RotatingLog
from nodeunit.supervisor import signals
from nodeunit.supervisor.child_processes import fork_only
from nodeunit.supervisor.stderr_log import StderrLog

_BLOCK = 256 * 1024
_GZIP_CONTAINER = 31  # zlib's wbits for a gzip file with the largest window
_LEVEL = 6
_NICE = 19
_AFTER_FAILURE_S = 60.0

OPEN, WRITE, CLOSE, SAY = b"O", b"W", b"C", b"S"
"""The kinds of messages. The key, a line end and the output follow; after `OPEN` and `CLOSE` the run, as `pid detail`;
after `SAY` a line of the supervisor's own log."""

KEPT_DAYS = 30
"""A log and its generations are removed this long after its program has ended, because its row may be deleted."""

_LOOK_FOR_OLD_EVERY_S = 3600.0

_KEY = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The id of a deployment, and so nothing that others keep in that directory."""

_LONGEST_MESSAGE = 128 * 1024
_LOOK_AT_COMPRESSOR_S = 0.1
_STDERR = 2


class LogLimits(NamedTuple):
    """How much is kept of each log."""

    max_bytes: int = MAX_BYTES
    """A log is rotated at this size."""
    max_files: int = KEPT
    """So many older generations are kept."""
    compress: bool = True
    """Whether the older generations, except the newest, are compressed."""


def write_logs(messages: socket.socket, directory: str, limits: LogLimits) -> None:
    """Writes messages until all senders have closed their ends."""
    for signum in signals.NOT_FOR_HELPERS:
        signal.signal(signum, signal.SIG_IGN)  # it ends only after supervisor and guard have ended
    set_name("nodeunit-log")
    logs = Logs(directory, StderrLog(), limits)
    while True:
        busy = logs.compress()
        logs.remove_old(boottime(), time.time())
        ready, _, _ = select.select([messages], [], [], _LOOK_AT_COMPRESSOR_S if busy else _LOOK_FOR_OLD_EVERY_S)
        if not ready:
            continue
        message = messages.recv(_LONGEST_MESSAGE)
        if not message:
            return
        logs.take(message)


class Logs:
    """`directory/KEY.log` for each key. A key keeps its log object, because its generations may still be compressed
    while its next program writes."""

    def __init__(self, directory: str, stderr_log: StderrLog, limits: LogLimits) -> None:
        self._directory = directory
        self._log = stderr_log
        self._limits = limits
        self._logs: dict[str, RotatingLog] = {}
        self._waiting: dict[str, LogGenerations] = {}
        self._compressing: LogGenerations | None = None
        self._not_before = 0.0
        self._compressor: int | None = None
        self._looked_for_old: float | None = None

    def take(self, message: bytes) -> None:
        """Executes one message."""
        what, rest = message[:1], message[1:]
        if what == SAY:
            try:
                os.write(_STDERR, rest)
            except OSError:
                pass
            return
        key, _, data = rest.partition(b"\n")
        log, now = self.of(key.decode()), boottime()
        if what == WRITE:
            log.write(data, now)
            return
        pid, _, detail = data.decode().partition(" ")
        if what == OPEN:
            log.begin_run(now, int(pid), detail)
        else:
            log.end_run(int(pid), detail)

    def compress(self) -> bool:
        """Continues compressing. True if a process compresses now and must be checked again soon."""
        if self._compressor is not None:
            pid, status = os.waitpid(self._compressor, os.WNOHANG)
            if pid:
                self._compressor_ended(status == 0)
        self._compress_next()
        return self._compressor is not None or bool(self._waiting)

    def of(self, key: str) -> RotatingLog:
        log = self._logs.get(key)
        if log is None:
            path, limits = os.path.join(self._directory, f"{key}.log"), self._limits
            generations = LogGenerations(path, limits.max_files, compress=limits.compress)
            log = self._logs[key] = RotatingLog(generations, self._log.warning, self._rotated, limits.max_bytes)
            try:
                generations.remove_surplus()
            except OSError as error:
                self._log.warning(f"{path}: older generations are not removed: {error.strerror}")
            self._rotated(generations)  # an earlier supervisor may have ended during a compression
        return log

    def remove_old(self, now: float, wall_clock: float) -> None:
        """Remove what is old, once an hour at most. What is in use is kept from looking old, because units may share a
        directory."""
        if self._looked_for_old is not None and now - self._looked_for_old < _LOOK_FOR_OLD_EVERY_S:
            return
        self._looked_for_old = now
        newest: dict[str, float] = {}
        files: dict[str, list[str]] = {}
        try:
            for entry in os.scandir(self._directory):
                key, ending, _ = entry.name.partition(".log")
                if not ending or not _KEY.fullmatch(key) or not entry.is_file(follow_symlinks=False):
                    continue
                if key in self._logs and self._logs[key].is_open:
                    os.utime(entry.path)
                else:
                    newest[key] = max(newest.get(key, 0.0), entry.stat(follow_symlinks=False).st_mtime)
                    files.setdefault(key, []).append(entry.path)
            for key, written in newest.items():
                if written < wall_clock - KEPT_DAYS * 86_400:
                    for path in files[key]:
                        os.unlink(path)
        except FileNotFoundError:
            pass  # nothing was written yet, or another unit removes the same
        except OSError as error:
            self._log.warning(f"{self._directory}: old logs are not removed: {error.strerror}")

    def _rotated(self, generations: LogGenerations) -> None:
        self._waiting[generations.path] = generations

    def _compress_next(self) -> None:
        """Compresses the next due generation, unless one is being compressed."""
        while self._compressor is None and self._waiting and boottime() >= self._not_before:
            path, generations = next(iter(self._waiting.items()))
            source = generations.next_to_compress()
            if source is None:
                del self._waiting[path]
            else:
                self._compressing = generations
                self._compressor = self._start(source, generations.unfinished)
                return

    def _start(self, path: str, target: str) -> int | None:
        writer = os.getpid()
        try:
            # Opened here, because the path may belong to another generation when the child runs.
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return fork_only(lambda: _compress(source, target, writer), keep=(source,))
            finally:
                os.close(source)
        except OSError:
            self._compressor_ended(False)
            return None

    def _compressor_ended(self, succeeded: bool) -> None:
        generations, self._compressing, self._compressor = self._compressing, None, None
        if generations is None:
            return
        try:
            generations.finish_compression(succeeded)
        except OSError as error:
            self._log.warning(f"{generations.path}: an older generation stays uncompressed: {error.strerror}")
            succeeded = False
        if not succeeded:
            self._not_before = boottime() + _AFTER_FAILURE_S  # the disk is probably full


def _compress(source: int, target: str, parent: int) -> None:
    if not die_with_parent(signal.SIGKILL, parent):
        return
    os.nice(_NICE)
    import zlib  # imported only in the child, because the supervisor does not need it

    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_CONTAINER)
    with open(source, "rb", buffering=0) as plain, open(target, "wb") as packed:
        os.fchmod(packed.fileno(), 0o640)
        while block := plain.read(_BLOCK):
            packed.write(packer.compress(block))
        packed.write(packer.flush())
        packed.flush()
        os.fsync(packed.fileno())  # the plain text is deleted next

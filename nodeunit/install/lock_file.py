"""A lock file: it excludes other processes and other tasks of this one, and ends with its holder however that ends."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

_ASK_AGAIN_AFTER_S = 0.1


@asynccontextmanager
async def locked(path: Path) -> AsyncIterator[None]:
    """Holds the lock at `path`, which is made if it is not there; waits for other holders."""
    while True:
        with locked_now(path) as acquired:
            if acquired:
                yield
                return
        await asyncio.sleep(_ASK_AGAIN_AFTER_S)


@contextmanager
def locked_now(path: Path) -> Iterator[bool]:
    """Holds the lock if nobody else does; otherwise False. Its holder removes the file in the end."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        acquired = _acquire(fd, path)
        try:
            yield acquired
        finally:
            if acquired:
                os.unlink(path)
    finally:
        os.close(fd)


def _acquire(fd: int, path: Path) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Its last holder may have removed the file between the opening and now: then it is no longer the lock.
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except FileNotFoundError:
        return False

"""A thread for what may wait for a disk that hangs. Nothing waits long for it, not even the end of the daemon."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class SideThread:
    """Does one thing at a time. While that hangs, everything else is refused, so that threads do not pile up."""

    def __init__(self) -> None:
        self._before: Future[Any] | None = None

    async def run(self, work: Callable[[], T], within_s: float) -> T:
        """What `work` returns or raises. Raises TimeoutError if it takes longer, or the one before still hangs."""
        if self._before is not None and not self._before.done():
            raise TimeoutError
        result = self._before = Future[T]()
        result.set_running_or_notify_cancel()  # so that a result that comes too late is no error

        def work_aside() -> None:
            try:
                result.set_result(work())
            except Exception as error:  # noqa: BLE001 - it is raised where the result is awaited
                result.set_exception(error)

        threading.Thread(target=work_aside, daemon=True).start()
        return await asyncio.wait_for(asyncio.wrap_future(result), within_s)

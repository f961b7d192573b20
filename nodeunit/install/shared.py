"""Work that several tasks want at once, done once: they share the result, or the failure."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

T = TypeVar("T")


class SharedWork(Generic[T]):
    """Runs one piece of work per key at a time. It is cancelled when all who wait for it are."""

    def __init__(self) -> None:
        self._running: dict[Hashable, tuple[asyncio.Task[T], list[object]]] = {}

    async def get(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of the work that runs under this key, which is `work` if none does."""
        if key not in self._running:
            self._running[key] = asyncio.create_task(_await(work)), []
        task, waiting = self._running[key]
        me = object()
        waiting.append(me)
        try:
            return await asyncio.shield(task)
        finally:
            waiting.remove(me)
            if self._running.get(key, (None,))[0] is task and (task.done() or not waiting):
                del self._running[key]
            if not waiting and not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)


async def _await(work: Callable[[], Awaitable[T]]) -> T:
    return await work()

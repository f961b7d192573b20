"""Waiting for a condition with a deadline, instead of sleeping and hoping."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")


@overload
async def eventually(
    condition: Callable[[], Awaitable[T]], *, within_s: float = 10.0, every_s: float = 0.02, what: str = ""
) -> T: ...
@overload
async def eventually(
    condition: Callable[[], T], *, within_s: float = 10.0, every_s: float = 0.02, what: str = ""
) -> T: ...
async def eventually(
    condition: Callable[[], T | Awaitable[T]], *, within_s: float = 10.0, every_s: float = 0.02, what: str = ""
) -> T:
    """Ask `condition`, plain or async, until it is truthy, and return that value.

    Raises AssertionError with the last value after `within_s`. An exception of the condition passes through: a
    condition that may fail at first says so itself.
    """
    deadline = time.monotonic() + within_s
    while True:
        answer = condition()
        value: T = await answer if inspect.isawaitable(answer) else answer
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(what or _name(condition), within_s, value))
        await asyncio.sleep(every_s)


async def turns_of_the_loop(count: int = 3) -> None:
    """What is due in the event loop has been done when this returns."""
    for _ in range(count):
        await asyncio.sleep(0)


def wait_until(condition: Callable[[], T], *, within_s: float = 10.0, every_s: float = 0.02, what: str = "") -> T:
    """The same for tests that are not coroutines."""
    deadline = time.monotonic() + within_s
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(_complaint(what or _name(condition), within_s, value))
        time.sleep(every_s)
    return value


def _complaint(what: str, within_s: float, value: object) -> str:
    return f"not within {within_s:g} s: {what} (last value: {value!r})"


def _name(condition: Callable[[], object]) -> str:
    return getattr(condition, "__qualname__", repr(condition))

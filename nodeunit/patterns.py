"""Regular expressions that other units wrote: searched for in linear time, so that none of them can stall a unit.

The engine is RE2. It has no look-around and no back-references, which makes it linear; a pattern that needs them is
refused when a unit starts. The named groups of JavaScript, `(?<name>…)`, are understood.
"""

from functools import lru_cache
from typing import Protocol

import re2

LONGEST = 4096
"""A longer pattern is refused; the database does so too when a unit joins."""

_MEANINGS = {
    "(?=": "a look-ahead",
    "(?!": "a look-ahead",
    "(?<=": "a look-behind",
    "(?<!": "a look-behind",
    "(?>": "an atomic group",
}


class Pattern(Protocol):
    """What is used of a compiled pattern."""

    def search(self, text: str) -> object | None:
        """Something that is not None if the pattern is found in the text."""


class PatternRefused(ValueError):
    """The text says which part of the pattern is meant, and why it is refused."""


def compiled(pattern: str) -> Pattern:
    """The pattern, ready to search. Raises PatternRefused."""
    if len(pattern) > LONGEST:
        raise PatternRefused(f"it has {len(pattern)} characters, and {LONGEST} are the most")
    options = re2.Options()
    options.log_errors = False
    try:
        found: Pattern = re2.compile(pattern, options)
    except UnicodeEncodeError:
        raise PatternRefused("it is not valid UTF-8") from None
    except re2.error as error:
        raise PatternRefused(_reason(error)) from None
    return found


@lru_cache(maxsize=4096)  # a fleet in which every unit has a pattern of its own
def usable(pattern: str) -> Pattern | None:
    """The same, or None for a pattern that is refused."""
    try:
        return compiled(pattern)
    except PatternRefused:
        return None


def _reason(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
    kind, _, part = text.partition(": ")
    if meaning := _MEANINGS.get(part):
        return f"{part} is {meaning}, which cannot be searched for in linear time"
    if kind == "invalid escape sequence" and part[1:].isdigit():
        return f"{part} is a back-reference, which cannot be searched for in linear time"
    return f"{kind}: {part}" if part else kind

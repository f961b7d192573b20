"""The base of all event types."""

from typing import ClassVar

import msgspec


class Event(msgspec.Struct, frozen=True):
    """The base of all event types. An event is immutable."""

    schema_version: ClassVar[int] = 1
    """The version of the fields below, written with each event; `domain.upcasting` says when it increases."""

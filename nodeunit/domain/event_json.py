"""Events to and from the JSON that the log stores as their `data`."""

from collections.abc import Callable

import msgspec

from nodeunit.domain.event import Event
from nodeunit.domain.events import EVENT_TYPES, Unknown
from nodeunit.domain.upcasting import UPCASTS, Form, keeps_data, present_form, upcast
from nodeunit.errors import EventUndecodable

_ENCODER = msgspec.json.Encoder()


def _decoder(stored: Form) -> Callable[[bytes | str], Event]:
    decode_present = msgspec.json.Decoder(EVENT_TYPES[present_form(stored).type]).decode
    if keeps_data(stored):
        return decode_present
    decode_stored = msgspec.json.Decoder(dict).decode
    return lambda data: decode_present(_ENCODER.encode(upcast(stored, decode_stored(data))))


DECODERS: dict[tuple[str, int], Callable[[bytes | str], Event]] = {
    stored: _decoder(stored)
    for stored in [*UPCASTS, *(Form(name, kind.schema_version) for name, kind in EVENT_TYPES.items())]
}
"""How to decode each form that was ever written. Each raises msgspec.DecodeError; `decode` adds the type."""


def decode(type_name: str, data: bytes | str, schema_version: int = 1) -> Event | Unknown:
    """The event of a stored type, JSON and schema version, in its present form. Unknown fields are ignored.

    A type or schema version that this code does not know gives `Unknown`. Raises EventUndecodable if a known form
    lacks a field or has one of another type.
    """
    decoder = DECODERS.get((type_name, schema_version))
    if decoder is None:
        return Unknown(type_name, msgspec.json.decode(data))
    try:
        return decoder(data)
    except msgspec.DecodeError as error:
        raise EventUndecodable(f"an event of type {type_name} cannot be decoded: {error}") from error


def encode(event: Event | Unknown) -> bytes:
    """The JSON to store as the event's `data`."""
    return _ENCODER.encode(event.data if isinstance(event, Unknown) else event)


def type_name(event: Event | Unknown) -> str:
    """The type under which the event is stored."""
    return event.type if isinstance(event, Unknown) else type(event).__name__

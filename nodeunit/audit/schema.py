"""The JSON Schema of the log, made from the types that write and read it."""

from typing import Any

import msgspec

from nodeunit.domain.events import EVENT_TYPES


def event_schema() -> dict[str, Any]:
    """A schema of one event as `nodeunit events -o jsonl` prints it, with the schema of `data` for each type.

    Unknown types and higher schema versions are allowed, because readers pass them through.
    """
    schemas, components = msgspec.json.schema_components(EVENT_TYPES.values(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "nodeunit event",
        "type": "object",
        "properties": {
            "position": {"type": "integer", "description": "Taken in one order, committed in another."},
            "recorded_at": {"type": "string", "format": "date-time", "description": "The database's clock."},
            "transaction_id": {"type": "integer", "description": "With the position the order of commits."},
            "event_id": {"type": "string", "format": "uuid"},
            "stream_id": {"type": "string"},
            "stream_version": {"type": "integer", "minimum": 1},
            "type": {"type": "string", "examples": list(EVENT_TYPES)},
            "deployment_id": {"type": ["string", "null"], "format": "uuid"},
            "unit_address": {"type": "string"},
            "schema_version": {"type": "integer", "minimum": 1},
            "data": {},
        },
        "required": ["type", "schema_version", "data"],
        "allOf": [
            {
                "if": {"properties": {"type": {"const": name}, "schema_version": {"const": kind.schema_version}}},
                "then": {"properties": {"data": schema}},
            }
            for (name, kind), schema in zip(EVENT_TYPES.items(), schemas, strict=True)
        ],
        "$defs": components,
    }

"""The JSON Schema of all events: complete, and true of the golden events."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from nodeunit.audit.schema import event_schema
from nodeunit.cli.app import app
from nodeunit.domain.events import EVENT_TYPES
from nodeunit.domain.upcasting import Form, present_form, upcast

GOLDEN = [json.loads(line) for line in (Path(__file__).parent / "vectors" / "events.jsonl").read_text().splitlines()]

KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None),
    "array": list, "object": dict,
}  # fmt: skip


def test_the_command_prints_the_schema_of_every_type() -> None:
    result = CliRunner().invoke(app, ["events", "schema"])
    assert result.exit_code == 0
    schema = json.loads(result.stdout)
    assert schema == json.loads(json.dumps(event_schema()))  # JSON has no tuples
    named = {each["if"]["properties"]["type"]["const"] for each in schema["allOf"]}
    assert named == EVENT_TYPES.keys()
    assert all(each["then"]["properties"]["data"] for each in schema["allOf"])


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["type"])
def test_golden_events_obey_it(golden: dict[str, Any]) -> None:
    schema = event_schema()
    stored = Form(golden["type"], golden["schema_version"])
    present = {
        "type": {"const": present_form(stored).type},
        "schema_version": {"const": present_form(stored).schema_version},
    }
    (of_type,) = [e for e in schema["allOf"] if e["if"]["properties"] == present]
    _obeys(upcast(stored, golden["data"]), of_type["then"]["properties"]["data"], schema["$defs"])


def _obeys(value: Any, schema: dict[str, Any], definitions: dict[str, Any]) -> None:
    """As much of JSON Schema as these schemas use."""
    if "$ref" in schema:
        schema = definitions[schema["$ref"].removeprefix("#/$defs/")]
    if "anyOf" in schema:
        failures = []
        for each in schema["anyOf"]:
            try:
                return _obeys(value, each, definitions)
            except AssertionError as failure:
                failures.append(failure)
        raise AssertionError(failures)
    if "type" in schema:
        assert isinstance(value, KINDS[schema["type"]]), (value, schema)
    if isinstance(value, dict):
        assert set(schema.get("required", [])) <= value.keys(), (value, schema)
        for key, inner in value.items():
            _obeys(inner, schema.get("properties", {}).get(key, schema.get("additionalProperties") or {}), definitions)
    if isinstance(value, list):
        for inner in value:
            _obeys(inner, schema.get("items") or {}, definitions)
    return None

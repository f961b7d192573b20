"""Every form in which an event was ever stored can still be read, and no type changes its form unnoticed.

`vectors/events.jsonl` has golden events of every form, `vectors/event_forms.jsonl` the fields of every form. Lines are
added to both and never removed.
"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nodeunit.domain.event import Event
from nodeunit.domain.event_json import DECODERS, decode, encode, type_name
from nodeunit.domain.events import EVENT_TYPES, SNAPSHOT_NAMES, DeploymentClaimRound, Unknown
from nodeunit.domain.snapshot_events import LogArchived, UnitSnapshot
from nodeunit.domain.upcasting import UPCASTS, Form, keeps_data, present_form, stored_names, upcast
from nodeunit.errors import EventUndecodable
from tests.support.json_data import holds

VECTORS = Path(__file__).parent / "vectors"
GOLDEN = [json.loads(line) for line in (VECTORS / "events.jsonl").read_text().splitlines()]
FORMS = {
    Form(form["type"], form["schema_version"]): form["fields"]
    for form in map(json.loads, (VECTORS / "event_forms.jsonl").read_text().splitlines())
}
PRESENT = {Form(name, kind.schema_version): kind for name, kind in EVENT_TYPES.items()}


def _stored(golden: dict[str, Any]) -> Form:
    return Form(golden["type"], golden["schema_version"])


def fields(kind: type[Event]) -> dict[str, Any]:
    """The fields of a type with the JSON that each takes; a question mark for those that may be missing."""
    (schema,), definitions = msgspec.json.schema_components([kind])

    def inline(value: Any) -> Any:
        if isinstance(value, list):
            return [inline(one) for one in value]
        if not isinstance(value, dict):
            return value
        if "$ref" in value:
            return members(definitions[value["$ref"].rpartition("/")[2]])
        return {key: inline(one) for key, one in value.items() if key not in ("description", "title", "default")}

    def members(schema: dict[str, Any]) -> dict[str, Any]:
        required = schema.get("required", [])
        named = schema["properties"].items()
        return {name if name in required else f"{name}?": inline(value) for name, value in named}

    described: dict[str, Any] = inline(schema)
    return described


@pytest.mark.parametrize("present", PRESENT, ids=str)
def test_a_change_of_a_type_is_noticed(present: Form) -> None:
    """Fails for any change of a type's name, fields, their types, and whether they may be missing.

    A new field with a default: renew the line of this form. Any other change: increase `schema_version`, add an entry
    to UPCASTS, and add a line and golden events of the new form; the line of the old one stays as it is.
    """
    now = fields(PRESENT[present])
    line = json.dumps({"type": present.type, "schema_version": present.schema_version, "fields": now})
    assert FORMS.get(present) == now, f"the form changed; see this test. It is now:\n{line}"


def test_every_form_that_was_ever_stored_can_be_read_and_has_golden_events() -> None:
    assert FORMS.keys() == DECODERS.keys() == {_stored(golden) for golden in GOLDEN}
    assert FORMS.keys() == PRESENT.keys() | UPCASTS.keys()
    assert {present_form(form) for form in FORMS} == PRESENT.keys()


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: f"{golden['type']}-{golden['schema_version']}")
def test_golden_events_of_every_form_are_read_in_the_present_one(golden: dict[str, Any]) -> None:
    stored = _stored(golden)
    present = present_form(stored)
    event = decode(stored.type, json.dumps(golden["data"]), stored.schema_version)
    assert type(event) is PRESENT[present]
    assert (type_name(event), type(event).schema_version) == present
    again = encode(event)
    assert decode(*present[:1], again, present.schema_version) == event
    # Nothing that was stored is lost: it is there, under its present name.
    data = upcast(stored, golden["data"])
    assert len(data) == len(golden["data"])
    assert holds(json.loads(again), data)


def test_a_form_keeps_its_data_exactly_when_no_golden_event_of_it_changes() -> None:
    changing = {_stored(golden) for golden in GOLDEN if upcast(_stored(golden), golden["data"]) != golden["data"]}
    assert {form for form in FORMS if not keeps_data(form)} == changing


def test_what_an_archive_was_called_before() -> None:
    (data,) = [golden["data"] for golden in GOLDEN if _stored(golden) == ("LogArchived", 1)]
    event = decode("LogArchived", json.dumps(data), 1)
    assert isinstance(event, LogArchived)
    assert event.snapshots == data["carried"] == 25
    assert "carried" in data
    assert "snapshots" not in data


def test_in_version_1_of_a_round_commands_did_not_count() -> None:
    data = next(golden["data"] for golden in reversed(GOLDEN) if _stored(golden) == ("DeploymentClaimRound", 1))
    event = decode("DeploymentClaimRound", json.dumps(data), 1)
    assert isinstance(event, DeploymentClaimRound)
    assert [row.has_command for row in event.candidates] == [False]
    assert [row["has_command"] for row in data["candidates"]] == [True]


def test_a_snapshot_under_its_earlier_name() -> None:
    (data,) = [golden["data"] for golden in GOLDEN if golden["type"] == "UnitCarried"]
    event = decode("UnitCarried", json.dumps(data))
    assert isinstance(event, UnitSnapshot)
    assert event == decode("UnitSnapshot", json.dumps(data))
    assert [program.pid for program in event.programs] == [4711]


def test_names_under_which_events_stand_in_logs() -> None:
    assert stored_names("UnitSnapshot") == ("UnitSnapshot", "UnitCarried")
    assert stored_names("LogArchived") == ("LogArchived",)
    assert stored_names("UnitCarried") == ("UnitCarried",)
    assert stored_names("NeverHeardOf") == ("NeverHeardOf",)
    kinds = ("Deployment", "Assignment", "Unit", "Decisions")
    assert {f"{kind}{end}" for kind in kinds for end in ("Snapshot", "Carried")} == SNAPSHOT_NAMES


def test_a_version_that_is_not_known_yet_is_passed_through() -> None:
    assert decode("LogArchived", b'{"a": 1}', 3) == Unknown("LogArchived", {"a": 1})
    assert decode("AssignmentCarried", b'{"a": 1}', 2) == Unknown("AssignmentCarried", {"a": 1})


@pytest.mark.parametrize("data", ["{}", "[]", "{", "null"])
@pytest.mark.parametrize("form", UPCASTS, ids=str)
def test_an_old_form_with_another_shape_is_refused_by_name(form: Form, data: str) -> None:
    if form.type == "DecisionsCarried" and data == "{}":
        return  # has no fields
    with pytest.raises(EventUndecodable, match=f"^an event of type {form.type} cannot be decoded: "):
        decode(form.type, data, form.schema_version)


def test_sql_that_reads_snapshots_accepts_both_names() -> None:
    """SQL does not upcast. Who looks for the one name must look for the other."""
    root = VECTORS.parents[2]
    files = [path for folder in ("migrations", "projections", "nodeunit") for path in (root / folder).rglob("*.sql")]
    assert len(files) > 50
    functions = root / "migrations" / "functions"
    writers = {functions / "append_snapshots.sql", functions / "record_deployment_insert.sql"}
    found = 0
    for path in set(files) - writers:
        text = path.read_text(encoding="utf8")
        for old, (new, _) in [(form.type, upcast_.to) for form, upcast_ in UPCASTS.items() if not upcast_.change]:
            found += text.count(f"'{new}'")
            assert text.count(f"'{old}'") == text.count(f"'{new}'"), f"{path.relative_to(root)}: {old} and {new}"
    assert found > 10

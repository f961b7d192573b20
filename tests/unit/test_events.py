"""Events of the present form decode and encode; what this code does not know is passed through."""

import json
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import pytest

from nodeunit.domain.event_json import decode, encode, type_name
from nodeunit.domain.events import (
    EVENT_TYPES,
    DeploymentClaimed,
    DeploymentClaimEligibility,
    DeploymentClaimSkipped,
    Unknown,
)
from nodeunit.errors import EventUndecodable
from tests.support.json_data import holds

CORPUS = [json.loads(line) for line in (Path(__file__).parent / "vectors" / "events.jsonl").read_text().splitlines()]
GOLDEN = [
    golden
    for golden in CORPUS
    if golden["type"] in EVENT_TYPES and golden["schema_version"] == EVENT_TYPES[golden["type"]].schema_version
]
"""Those of the present form; `test_upcasting` has the others."""


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["type"])
def test_golden_events_decode_and_keep_every_field(golden: dict[str, Any]) -> None:
    event = decode(golden["type"], json.dumps(golden["data"]), golden["schema_version"])
    assert type(event) is EVENT_TYPES[golden["type"]]
    assert type_name(event) == golden["type"]
    stored_again = json.loads(encode(event))
    # A field that came later has its default in it; none that was there is lost or changed.
    assert holds(stored_again, golden["data"])
    assert decode(golden["type"], encode(event), golden["schema_version"]) == event


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["type"])
def test_fields_from_a_later_version_are_passed_over(golden: dict[str, Any]) -> None:
    data = golden["data"] | {"field_of_tomorrow": {"a": [1, None]}}
    version = golden["schema_version"]
    known = decode(golden["type"], json.dumps(golden["data"]), version)
    assert decode(golden["type"], json.dumps(data), version) == known


def test_an_unknown_type_is_passed_through() -> None:
    event = decode("DeploymentPromoted", b'{"to": "production", "n": [1, 2.5, null]}')
    assert event == Unknown("DeploymentPromoted", {"to": "production", "n": [1, 2.5, None]})
    assert type_name(event) == "DeploymentPromoted"
    assert json.loads(encode(event)) == {"to": "production", "n": [1, 2.5, None]}


def test_a_later_schema_version_of_a_known_type_is_passed_through() -> None:
    event = decode("DeploymentClaimed", b'{"claimants": ["a"]}', 2)
    assert event == Unknown("DeploymentClaimed", {"claimants": ["a"]})


@pytest.mark.parametrize("data", ["{}", '{"deployment_id": "x", "claimant": "a"}', "[]", "{", "null"])
def test_a_known_type_of_another_shape_is_refused_by_name(data: str) -> None:
    with pytest.raises(EventUndecodable, match="DeploymentClaimed"):
        decode("DeploymentClaimed", data)


def test_fields_of_the_report() -> None:
    fields = {name: EVENT_TYPES[name].__struct_fields__ for name in EVENT_TYPES if name.startswith("DeploymentClaim")}
    assert fields["DeploymentClaimEligibility"] == (
        "eligible",
        "policy",
        "activeNodeUnits",
        "eligibleNodeUnits",
        "metrics",
        "minMetrics",
        "notEligibleReasons",
    )
    assert fields["DeploymentClaimAttempt"] == ("deployment_id", "claimant", "usage")
    assert fields["DeploymentClaimed"] == ("deployment_id", "claimant")


def test_what_is_not_set_is_not_in_the_json() -> None:
    assert encode(DeploymentClaimSkipped(reason="no_candidate")) == b'{"reason":"no_candidate"}'


def test_an_event_does_not_change() -> None:
    event = DeploymentClaimed(UUID(int=1), "a")
    with pytest.raises(AttributeError):
        event.claimant = "b"  # type: ignore[misc]


def test_all_events_have_a_json_schema() -> None:
    schema = msgspec.json.schema(DeploymentClaimEligibility)
    assert "activeNodeUnits" in str(schema)
    assert len(msgspec.json.schema_components(EVENT_TYPES.values())[0]) == len(EVENT_TYPES)

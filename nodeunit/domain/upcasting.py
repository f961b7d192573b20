"""How events of older versions are read: one entry per stored type and schema version that is no longer written.

A new field with a default needs neither an entry nor a new version, because old events decode and old readers ignore
it. Every other change of a type (a field renamed, removed, of another type or newly required) increases the
`schema_version` of its class, and every rename of a type keeps the class's version. Both add an entry here, and the
golden events of the old form stay in `tests/unit/vectors/events.jsonl`. SQL does not upcast: a fold or a query in SQL
that reads a changed type accepts each of its forms.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Json = dict[str, Any]
"""The `data` of an event as decoded JSON."""


class Form(NamedTuple):
    """A type name and schema version under which events are stored."""

    type: str
    schema_version: int


class Upcast(NamedTuple):
    """One step from an old form towards the present one."""

    to: Form
    change: Callable[[Json], Json] | None = None
    """Makes the new data from the old, without changing its argument; None if the data stays the same."""


def _count_of_snapshots(data: Json) -> Json:
    return {("snapshots" if name == "carried" else name): value for name, value in data.items()}


def _commands_did_not_count(data: Json) -> Json:
    candidates = data.get("candidates")
    if not isinstance(candidates, list):
        return data
    ignored = {"has_command": False}
    return data | {"candidates": [one | ignored if isinstance(one, dict) else one for one in candidates]}


UPCASTS: dict[Form, Upcast] = {
    Form("DeploymentCarried", 1): Upcast(Form("DeploymentSnapshot", 1)),
    Form("AssignmentCarried", 1): Upcast(Form("AssignmentSnapshot", 1)),
    Form("UnitCarried", 1): Upcast(Form("UnitSnapshot", 1)),
    Form("DecisionsCarried", 1): Upcast(Form("DecisionsSnapshot", 1)),
    Form("DeploymentClaimRound", 1): Upcast(Form("DeploymentClaimRound", 2), _commands_did_not_count),
    Form("LogArchived", 1): Upcast(Form("LogArchived", 2), _count_of_snapshots),
}
"""By the stored form. Steps follow each other until a form has no entry: that is the present one."""


def present_form(stored: Form) -> Form:
    """The form in which an event of the stored form is read."""
    while stored in UPCASTS:
        stored = UPCASTS[stored].to
    return stored


def upcast(stored: Form, data: Json) -> Json:
    """The data in its present form."""
    while stored in UPCASTS:
        stored, change = UPCASTS[stored]
        data = change(data) if change else data
    return data


def keeps_data(stored: Form) -> bool:
    """Whether the stored data already has its present form, so that it can be decoded without a detour."""
    while stored in UPCASTS:
        stored, change = UPCASTS[stored]
        if change:
            return False
    return True


def stored_names(type_name: str) -> tuple[str, ...]:
    """The names under which logs have events of a type: its own, then its earlier names."""
    earlier = (form.type for form in UPCASTS if present_form(form).type == type_name)
    return tuple(dict.fromkeys((type_name, *earlier)))

"""The documents that verbs print with -o json and yaml, each with the name and version of its schema.

A listing verb prints {"schema": …, "items": […]}; another prints one object with a field `schema`. Within one version
fields are added, and none is renamed, removed or given another meaning.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import msgspec

from nodeunit.audit.backtest import Backtest
from nodeunit.audit.description import Description
from nodeunit.audit.plan import Plan
from nodeunit.audit.replay import FleetAt
from nodeunit.audit.report import Report
from nodeunit.audit.why import Explanation
from nodeunit.cli.output.kinds import KINDS, EventRow
from nodeunit.cli.output.render import Format, document, lines, write
from nodeunit.errors import InputFileInvalid
from nodeunit.store.read.usage import UsagePoint


class DescriptionDocument(Description, kw_only=True):
    """A description with its events in words."""

    places: list[EventRow]  # type: ignore[assignment]
    events: list[EventRow]  # type: ignore[assignment]


class Document(NamedTuple):
    """What a verb prints."""

    version: int
    content: type[Any]
    """Of the object, or of each item."""
    listed: bool
    """Whether there are items."""


DOCUMENTS: dict[str, Document] = {
    **{kind.plural: Document(kind.version, kind.item, True) for kind in KINDS.values()},
    "usage": Document(1, UsagePoint, True),
    "description": Document(1, DescriptionDocument, False),
    "fleet": Document(1, FleetAt, False),
    "explanation": Document(1, Explanation, False),
    "plan": Document(1, Plan, False),
    "backtest": Document(1, Backtest, False),
    "report": Document(1, Report, False),
}
"""Every document, by the name of its schema."""


def identifier(name: str) -> str:
    """What the field `schema` says: nodeunit.usage/1."""
    return f"nodeunit.{name}/{DOCUMENTS[name].version}"


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of a document. Raises InputFileInvalid for a name that there is not."""
    if name not in DOCUMENTS:
        raise InputFileInvalid(f"there is no schema {name}; there are {', '.join(DOCUMENTS)}")
    (content,), components = msgspec.json.schema_components([DOCUMENTS[name].content], ref_template="#/$defs/{name}")
    known = {"schema": {"const": identifier(name)}}
    said: dict[str, Any] = {"type": "object", "properties": known, "required": ["schema"]}
    if DOCUMENTS[name].listed:
        said["properties"] = {**known, "items": {"type": "array", "items": content}}
        said["required"] = ["schema", "items"]
    else:
        said["allOf"] = [content]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "$id": identifier(name), **said, "$defs": components,
    }  # fmt: skip


def show_document(name: str, value: Any, output: Format, names: Iterable[str] = ()) -> None:
    """Prints an object as json, yaml or one line of jsonl, or for `name` what other verbs take."""
    fields = value if isinstance(value, dict) else msgspec.structs.asdict(value)
    whole = {"schema": identifier(name), **fields}
    if output is Format.NAME:
        for one in names:
            write(one)
    elif output is Format.JSONL:
        lines([whole])
    else:
        document(whole, output)


def show_items(name: str, items: Sequence[Any], output: Format, names: Iterable[str] = ()) -> None:
    """Prints items as json, yaml or jsonl, or for `name` what other verbs take."""
    if output is Format.NAME:
        for one in names:
            write(one)
    elif output is Format.JSONL:
        lines(items)
    else:
        document({"schema": identifier(name), "items": items}, output)

"""What a person may say about a row: every column that is theirs, with its default and type.

Files, flags and editors all become a `Specification` or a part of one, so that a wrong column or value is refused with
the same words before the database sees it. The constraints of the table check the rest.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from nodeunit.domain.program_options import ProgramOptions
from nodeunit.errors import InputFileInvalid


class Specification(ProgramOptions, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The columns of a row, by their names in the table."""

    name: str | None = None
    """Unique; None: the row has no name."""
    package_name: str = ""
    package_version: str = ""
    command: str = ""
    args: list[str] = msgspec.field(default_factory=list)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    type: Literal["deployment", "daemon"] = "deployment"
    enabled: bool = True
    on_disconnect: Literal["keep", "stop"] = "keep"
    runtime: Literal["", "npm", "python", "command"] = ""


_OPTIONS = ProgramOptions.__struct_fields__
COLUMNS: tuple[str, ...] = (*(n for n in Specification.__struct_fields__ if n not in _OPTIONS), *_OPTIONS)
"""The columns that people set."""


def parse(given: object, where: str) -> Specification:
    """A whole specification. Raises InputFileInvalid, naming the column, for what is not one."""
    try:
        return msgspec.convert(given, Specification)
    except msgspec.ValidationError as error:
        said = str(error).replace(" - at `$.", " in `")
        if "unknown field" in said:
            said = said.replace("Object contains unknown field", "there is no column")
            said += f"; the columns are {', '.join(COLUMNS)}"
        raise InputFileInvalid(f"{where}: {said}") from None


def checked(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A part of a specification: only the given columns. Raises InputFileInvalid."""
    whole = parse(dict(given), where)
    return {name: msgspec.to_builtins(getattr(whole, name)) for name in given}


def columns(specification: Specification) -> dict[str, Any]:
    """Every column with its value, defaults too."""
    return {name: msgspec.to_builtins(getattr(specification, name)) for name in COLUMNS}


def value_of(column: str, text: str) -> Any:
    """The value that a word of the command line means for a column; `null` is none.

    `args` is a JSON list; text stays text. Raises InputFileInvalid for an unknown column or a wrong value.
    """
    if column not in COLUMNS:
        raise InputFileInvalid(f"there is no column {column}; the columns are {', '.join(COLUMNS)}")
    types = _TYPES[column]
    if text == "null" and type(None) in types:
        return None
    if str in types and bool not in types:
        return checked({column: text}, column)[column]
    try:
        decoded = msgspec.json.decode(text)
    except msgspec.DecodeError:
        decoded = text
    return checked({column: decoded}, column)[column]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The columns of `new` whose values differ from those in `old`, in the order of the table."""
    return [name for name in COLUMNS if name in new and old.get(name) != new[name]]


def _types() -> dict[str, set[type]]:
    found: dict[str, set[type]] = {}
    for field in msgspec.inspect.type_info(Specification).fields:  # type: ignore[attr-defined]
        options = getattr(field.type, "types", (field.type,))
        found[field.name] = {_PLAIN.get(type(one).__name__, object) for one in options}
    return found


_PLAIN: dict[str, type] = {
    "StrType": str, "LiteralType": str, "BoolType": bool, "NoneType": type(None), "IntType": int, "FloatType": float,
}  # fmt: skip
_TYPES = _types()

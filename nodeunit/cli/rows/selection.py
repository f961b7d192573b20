"""Which rows a verb is about: names, `-l field=value,…` or `--all`, the same for every verb.

A row is called by its name, its package (with or without `@version`), its id, or the unique beginning of name or id.
What `get` shows as NAME, and `deployment/…` as `-o name` prints it, can be given too. What means several rows is
refused with the candidates.
"""

from typing import Annotated, Any

import typer

from nodeunit.domain.specification import COLUMNS, checked, value_of
from nodeunit.errors import InputFileInvalid
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import deployments, lookup
from nodeunit.store.read.deployments import Called, RowFilter

SECRET = ("env", "secrets")
"""Columns that nothing is selected by, because their values are not shown either."""
FIELDS = ("state", "reason", "unit", "package", *(name for name in COLUMNS if name not in SECRET))

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[DEPLOYMENT]...", help="Name, package or id, or a unique beginning.", show_default=False),
]
Labels = Annotated[
    list[str] | None,
    typer.Option(
        "--selector",
        "-l",
        metavar="FIELD=VALUE,…",
        help="Only rows with these values: state, reason, unit, package (name or name@version) or a column.",
    ),
]
All = Annotated[bool, typer.Option("--all", help="Every row.")]


def parse_labels(labels: list[str] | None) -> dict[str, str]:
    """The fields and values of `-l`. Raises typer.BadParameter for an unknown field, or one that is given twice."""
    found: dict[str, str] = {}
    for part in ",".join(labels or []).split(",") if labels else []:
        field, equals, value = part.partition("=")
        field = field.strip()
        if not equals or field not in FIELDS:
            raise typer.BadParameter(f"{part!r} is not FIELD=VALUE with one of {', '.join(FIELDS)}", param_hint="-l")
        if field in found:
            raise typer.BadParameter(f"{field} is given twice", param_hint="-l")
        found[field] = value.strip().removeprefix("=")
    return found


async def row_filter(connection: Connection, names: list[str] | None, labels: dict[str, str]) -> RowFilter:
    """The filter that the words of a command mean. Raises DeploymentUnknown, UnitUnknown and typer.BadParameter."""
    left = dict(labels)
    wanted: dict[str, Any] = {"state": left.pop("state", None), "reason": left.pop("reason", None)}
    if left.get("name", "null") != "null":
        wanted["name"] = left.pop("name")
    if package := left.pop("package", ""):
        name, at, version = package.rpartition("@")
        wanted["package_name"] = name if at and name else package
        wanted["package_version"] = version if at and name else None
    if unit := left.pop("unit", ""):
        wanted["address"] = (await lookup.find_unit(connection, unit)).address
    try:
        columns = {field: value_of(field, value) for field, value in left.items()}
    except InputFileInvalid as error:
        raise typer.BadParameter(str(error), param_hint="-l") from None
    if names:
        wanted["ids"] = [(await deployments.find_row(connection, name)).id for name in names]
    return RowFilter(columns=columns or None, **wanted)


async def selected(
    connection: Connection, names: list[str] | None, labels: list[str] | None, everything: bool
) -> list[Called]:
    """The rows that a change is about. Raises typer.BadParameter unless exactly one way to say it is used."""
    fields = parse_labels(labels)
    if bool(names) + bool(fields) + everything != 1:
        raise typer.BadParameter("give the names of rows, or -l FIELD=VALUE, or --all", param_hint="DEPLOYMENT")
    found = deployments.rows(connection, await row_filter(connection, names, fields))
    return [Called(row.id, row.name or None, row.package_name, row.package_version) async for row in found]


def assignments(words: list[str], option: str) -> dict[str, Any]:
    """`column=value` words as columns. Raises typer.BadParameter for what is not one."""
    found: dict[str, Any] = {}
    for word in words:
        column, equals, value = word.partition("=")
        try:
            if not equals:
                raise InputFileInvalid(f"{word!r} is not COLUMN=VALUE")
            found[column] = value_of(column, value)
        except InputFileInvalid as error:
            raise typer.BadParameter(str(error), param_hint=option) from None
    return checked(found, option)


def variables(words: list[str], option: str) -> dict[str, str]:
    """`NAME=VALUE` words as environment variables. Raises typer.BadParameter for one without a name."""
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise typer.BadParameter(f"{word!r} is not NAME=VALUE", param_hint=option)
        found[name] = value
    return found

"""The option that every verb with a database has."""

from typing import Annotated

import typer

from nodeunit.errors import DatabaseUnreachable

Database = Annotated[
    str,
    typer.Option(
        "--database",
        "-d",
        metavar="URL",
        envvar="POSTGRES_URI",
        help="The database, as a libpq URI or keywords and values; a password is better kept in ~/.pgpass.",
        show_default=False,
    ),
]


def given(database: str) -> str:
    """The conninfo. Raises DatabaseUnreachable when there is none."""
    if not database:
        raise DatabaseUnreachable("no database is given; set POSTGRES_URI or --database to its connection string")
    return database

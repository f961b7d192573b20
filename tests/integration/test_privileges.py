"""The matrix of privileges in docs/security.md is what the database says to real logins, and what it does."""

import psycopg
import pytest
from psycopg import sql

from tests.support.logins import Login
from tests.support.rows import rows
from tools.privileges import LOGINS, documented, matrix


def test_the_matrix_of_the_documentation_is_true(database: str, login: Login) -> None:
    logins = {name: login(*([] if name == "stranger" else [f"nodeunit_{name}"])) for name in LOGINS}
    assert documented() == matrix(logins), "run: python -m tools.privileges"


@pytest.mark.parametrize("name", LOGINS)
def test_what_the_matrix_says_of_columns_is_what_happens(database: str, login: Login, name: str) -> None:
    """Each column is read, and each write planned, which checks the rights of the login without writing."""
    conninfo = login(*([] if name == "stranger" else [f"nodeunit_{name}"]))
    columns = rows(
        database,
        "select c.relname as table, a.attname as column, c.relkind = 'r' and a.attidentity = '' as plain "
        "from pg_class c join pg_attribute a on a.attrelid = c.oid "
        "where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'v') "
        "and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' order by 1, a.attnum",
    )
    lines = {line.split("`")[1]: line.split("|")[2 + LOGINS.index(name)].strip() for line in documented().splitlines()
             if line.startswith("| `")}  # fmt: skip
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for row in columns:
            table, column = sql.Identifier(row["table"]), sql.Identifier(row["column"])
            attempts = {"select": sql.SQL("select {1} from {0} limit 0")}
            if row["plain"]:
                attempts["insert"] = sql.SQL("explain insert into {0} ({1}) select {1} from {0}")
                attempts["update"] = sql.SQL("explain update {0} set {1} = default")
            for verb, statement in attempts.items():
                right = next((part for part in lines[row["table"]].split(", ") if part.startswith(verb)), "")
                expected = bool(right) and row["column"] not in right.partition(" without ")[2].split()
                try:
                    connection.execute(statement.format(table, column))
                    allowed = True
                except psycopg.errors.InsufficientPrivilege:
                    allowed = False
                assert allowed == expected, (verb, row["table"], row["column"], right)

"""Whatever a database and a role have set, units do their work and every command answers as it does without that."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from nodeunit.cli.app import app
from tests.support.databases import Databases
from tests.support.rows import rows
from tests.support.unit_process import unit_process
from tests.support.waiting import wait_until

VALUES = {
    "client_encoding": ["SQL_ASCII", "LATIN1", "UTF8", "WIN1252"],
    "datestyle": ["German", "SQL, DMY", "Postgres, MDY", "ISO, DMY"],
    "intervalstyle": ["sql_standard", "postgres_verbose", "iso_8601"],
    "timezone": ["Asia/Kolkata", "America/St_Johns", "<+0330>-03:30", "Europe/Dublin"],
    "bytea_output": ["escape"],
    "extra_float_digits": ["-15", "0", "3"],
    "standard_conforming_strings": ["off"],
    "array_nulls": ["off"],
    "transform_null_equals": ["on"],
    "quote_all_identifiers": ["on"],
    "default_transaction_isolation": ["serializable", "repeatable read", "read uncommitted"],
    "default_transaction_read_only": ["on"],
    "default_transaction_deferrable": ["on"],
    "statement_timeout": ["1s"],
    "lock_timeout": ["1ms"],
    "idle_in_transaction_session_timeout": ["1s"],
    "idle_session_timeout": ["1s"],
    "transaction_timeout": ["1s"],
    "check_function_bodies": ["off"],
    "client_min_messages": ["debug1", "error"],
    "plan_cache_mode": ["force_generic_plan"],
    "synchronous_commit": ["off"],
}
VERBS = (
    "replay",
    "events",
    "why {id}",
    "backtest",
    "projections verify",
    "migrate --status",
)

WRITABLE = "-c default_transaction_read_only=off"

drawn = st.fixed_dictionaries({name: st.sampled_from([*values, None]) for name, values in VALUES.items()})


@contextmanager
def login_with(administrator: str, of_database: dict[str, str | None], of_role: dict[str, str | None]) -> Iterator[str]:
    """The conninfo of a superuser of its own; the database and this role have these settings."""
    database, role = conninfo_to_dict(administrator)["dbname"], f"test_{secrets.token_hex(6)}"
    with psycopg.connect(administrator, autocommit=True) as connection:
        connection.execute(sql.SQL("create role {} superuser login password 'right'").format(sql.Identifier(role)))
        try:
            for kind, name, values in (("database", database, of_database), ("role", role, of_role)):
                for setting, value in values.items():
                    if value is not None and known(connection, setting):
                        connection.execute(
                            sql.SQL("alter {} {} set {} = {}").format(
                                sql.SQL(kind), sql.Identifier(str(name)), sql.Identifier(setting), sql.Literal(value)
                            )
                        )
            yield make_conninfo(administrator, user=role, password="right")
        finally:
            connection.execute("set default_transaction_read_only = off")
            connection.execute(sql.SQL("reassign owned by {} to current_user").format(sql.Identifier(role)))
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def known(connection: psycopg.Connection, setting: str) -> bool:
    return connection.execute("select current_setting(%s, true) is not null", [setting]).fetchone() == (True,)


def answer(conninfo: str, verb: str) -> str:
    """What the command prints; it must end well."""
    result = CliRunner().invoke(app, [*verb.split(), "--database", conninfo], env={"COLUMNS": "300"})
    assert result.exit_code == 0, f"{verb}: {result.output} {result.exception!r}"
    return result.stdout


@pytest.mark.timeout(300)
@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(of_database=drawn, of_role=drawn)
def test_units_and_commands_depend_on_no_setting_of_a_database_or_a_role(
    plain_databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    of_database: dict[str, str | None],
    of_role: dict[str, str | None],
) -> None:
    directory = tmp_path_factory.mktemp("units")
    with (
        plain_databases.fresh(migrated=False) as administrator,
        login_with(administrator, of_database, of_role) as conninfo,
    ):
        answer(conninfo, "migrate")
        with unit_process(conninfo, directory) as unit:
            answer(conninfo, "migrate")
            # A person's statement under the same settings, but for those that only stop people.
            with psycopg.connect(conninfo, autocommit=True) as person:
                person.execute("set client_encoding = 'UTF8'")
                for stops in ("default_transaction_read_only", "statement_timeout", "lock_timeout"):
                    person.execute(sql.SQL("set {} = 0").format(sql.Identifier(stops)))
                person.execute(
                    "insert into deployment (package_name, package_version, command, args) "
                    "select 'a', '1', '/bin/sh', '[\"-c\", \"exec sleep 1000 # caffè-é\"]' from generate_series(1, 3)"
                )
            wait_until(
                lambda: (
                    rows(administrator, "select count(*) as n from event where type = 'ProcessStarted'")[0]["n"] == 3
                ),
                within_s=30,
                what=f"three programs run, under {of_database} and {of_role}: {unit.log}",
            )
            (first, *_) = rows(administrator, "select id from deployment order by id")
            answer(conninfo, f"cordon {unit.address}")
            answer(conninfo, f"uncordon {unit.address}")
            for verb in (f"plan {first['id']}", "usage", "report", "report -o json"):
                answer(conninfo, verb)
        verbs = [verb.format(id=first["id"]) for verb in VERBS]
        under_settings = {verb: answer(conninfo, verb) for verb in verbs}
        with psycopg.connect(administrator, autocommit=True, options=WRITABLE) as connection:
            connection.execute(sql.SQL("alter database {} reset all").format(sql.Identifier(connection.info.dbname)))
        assert under_settings == {verb: answer(administrator, verb) for verb in verbs}

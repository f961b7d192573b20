"""The rules of `migrations/README.md`: what each folder may contain, so that a running fleet can be upgraded."""

import hashlib
import re
from pathlib import Path

import pytest

from nodeunit.errors import BY_SQLSTATE
from nodeunit.store.postgres.compatibility import SCHEMA_VERSION
from nodeunit.store.postgres.schema_files import Migration, Phase, migrations

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "schemas"

RELEASED = {"0.1.0": (1, "7e6d53b29aff8163a082da1f27d485d556936dc286e65afc0fcc7784540d1993")}
"""Each kept schema with its version and the digest of its files: what was released does not change any more."""

ALLOWED = re.compile(
    r"create or replace (function|view|aggregate)\b|comment on (function|view|aggregate|column)\b|do\b|"
    r"insert into schema_compatibility\b",
    re.IGNORECASE,
)
"""How the statements of a repeatable file may begin. It may run at any time, on any version: it locks no table."""

TABLE_DDL = re.compile(
    r"\b(create|alter|drop)\s+(unlogged\s+|temp\s+)?(table|index|sequence|type|trigger|or replace trigger)\b",
    re.IGNORECASE,
)

REPEATABLE = [m for m in migrations() if m.phase is Phase.REPEATABLE]
FUNCTIONS = [m for m in REPEATABLE if m.name.startswith("migrations/functions/")]


def statements(text: str) -> list[str]:
    """The statements of a file, without comments; bodies in $$ and in begin atomic … end are part of theirs."""
    plain = re.sub(r"--[^\n]*", "", text)
    hidden = re.sub(r"\$\$.*?\$\$", "$$", plain, flags=re.DOTALL)
    hidden = re.sub(r"\bbegin atomic\b.*?\nend;", "body;", hidden, flags=re.DOTALL)
    return [statement.strip() for statement in hidden.split(";\n") if statement.strip()]


def digest(root: Path) -> str:
    """Of the names and texts of all files below a folder."""
    files = sorted(path for folder in ("migrations", "projections") for path in (root / folder).rglob("*.sql"))
    return hashlib.sha256(b"".join(str(f.relative_to(root)).encode() + f.read_bytes() for f in files)).hexdigest()


@pytest.mark.parametrize("migration", REPEATABLE, ids=lambda m: m.name)
def test_a_repeatable_file_makes_functions_views_and_grants_only(migration: Migration) -> None:
    assert [s for s in statements(migration.text) if not ALLOWED.match(s)] == []
    assert TABLE_DDL.findall(re.sub(r"--[^\n]*", "", migration.text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "create table if not exists t (x int);\n",
        "do $$ begin alter table t add column x int; end $$;\n",
        "create or replace trigger t before insert on u execute function f();\n",
    ],
)
def test_what_locks_a_table_is_noticed(text: str) -> None:
    assert TABLE_DDL.search(text)


@pytest.mark.parametrize("migration", FUNCTIONS, ids=lambda m: m.name)
def test_a_file_of_functions_has_one_named_after_it(migration: Migration) -> None:
    made = re.findall(r"^create or replace function (\w+)", migration.text, re.MULTILINE)
    assert made == [Path(migration.name).stem]
    assert migration.text.startswith("-- "), "what it does"


def test_versioned_files_are_numbered_through_and_released_ones_stay_where_they_are() -> None:
    numbered = [m.name for m in migrations() if m.phase is not Phase.REPEATABLE]
    assert sorted(int(Path(name).name[:4]) for name in numbered) == list(range(1, len(numbered) + 1))
    top = {name for name in numbered if name.count("/") == 1}
    kept = {f"migrations/{path.name}" for path in (KEPT / "0.1.0" / "migrations").glob("0*.sql")}
    assert top == kept, (
        "a new file belongs into before/ or after/: units of 0.1.0 refuse a schema with another one here"
    )


def test_versioned_files_of_a_released_schema_are_not_changed() -> None:
    ours = {m.name: m.checksum for m in migrations() if m.phase is not Phase.REPEATABLE}
    for kept in KEPT.iterdir():
        for old in migrations(kept):
            if old.phase is not Phase.REPEATABLE:
                assert ours[old.name] == old.checksum, old.name


def test_kept_schemas_are_what_was_released() -> None:
    assert {kept.name: digest(kept) for kept in KEPT.iterdir()} == {name: it for name, (_, it) in RELEASED.items()}


def test_the_version_of_the_schema_rises_with_the_first_change_after_a_release() -> None:
    for name, (version, _) in RELEASED.items():
        if version == SCHEMA_VERSION:
            released = {m.name: m.checksum for m in migrations(KEPT / name)}
            assert {m.name: m.checksum for m in migrations()} == released, "raise SCHEMA_VERSION and compatibility.sql"


def test_the_schema_states_the_version_that_the_code_needs() -> None:
    (text,) = [m.text for m in REPEATABLE if m.name == "migrations/compatibility.sql"]
    stated = re.search(r"values \((\d+), (\d+), (\d+)\)", text)
    assert stated is not None
    version, min_reader, min_writer = map(int, stated.groups())
    assert version == SCHEMA_VERSION
    assert max(min_reader, min_writer) <= version
    assert f"\n-- {version}  " in text, "what came with it"


def test_every_sqlstate_of_the_sql_has_an_error_and_every_error_a_place_that_raises_it() -> None:
    raised = {state for m in migrations() for state in re.findall(r"errcode = '(NU\d{3})'", m.text)}
    assert raised == set(BY_SQLSTATE)


def test_one_function_checks_the_epoch() -> None:
    assert [m.name for m in migrations() if "'NU001'" in m.text] == ["migrations/functions/require_epoch.sql"]

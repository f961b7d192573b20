"""What is wrong with a connection string is said without any part of it that may be one of a password."""

import pytest

from nodeunit.errors import DatabaseUnreachable
from nodeunit.store.postgres.connections import conninfo

TORN = [
    "postgresql://user:secretpw/part@h/db",
    "postgresql://user:secretpw@part@h/db",
    "postgresql://user:1234/secretpw@h/db",
    "postgresql://user:secret%pw@h/db",
    "postgresql://user:secretpw#part@h:secretpw/db",
    "postgresql://h:secretpw/db",
    "host=h password=hunter secretpw",
    "host=h password='secretpw",
    "host=h passwrd=secretpw",
    "secretpw",
    "user=u password=a secretpw=b",
    "postgresql://u@h:99999999999999999/secretpw",
]


@pytest.mark.parametrize("given", TORN)
def test_no_part_is_quoted(given: str) -> None:
    with pytest.raises(DatabaseUnreachable) as refused:
        conninfo(given, "test")
    assert "secretpw" not in str(refused.value)
    assert "hunter" not in str(refused.value)
    assert "POSTGRES_URI" in str(refused.value)


@pytest.mark.parametrize(
    "given",
    ["postgresql://u:p%40%2F@h:5432/db", "postgresql://a,b:5433/db", "host=/tmp dbname=d", "host=@abstract dbname=d",
     "", "postgresql:///db?host=/run/postgresql&port=6000", "host=a,b port=1,2", "postgresql://[::1]:5432/db"],
)  # fmt: skip
def test_what_is_right_is_taken(given: str) -> None:
    assert "application_name" in conninfo(given, "test")

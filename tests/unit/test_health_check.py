"""The checks of a row, as text."""

import pytest

from nodeunit.domain.health_check import HealthCheck, parse


@pytest.mark.parametrize(
    ("text", "check"),
    [
        ("tcp:8080", HealthCheck("tcp", 8080)),
        ("tcp:$PORT", HealthCheck("tcp")),
        ("http:8080/", HealthCheck("http", 8080, "/")),
        ("http:$PORT/ready?deep=1&x=%20", HealthCheck("http", 0, "/ready?deep=1&x=%20")),
        ("file:/ready", HealthCheck("file", path="/ready")),
        ("file:/run/a b:c?60", HealthCheck("file", path="/run/a b:c", fresh_s=60)),
    ],
)
def test_a_check_is_read(text: str, check: HealthCheck) -> None:
    assert parse(text) == check


@pytest.mark.parametrize(
    "text",
    [
        "", "tcp", "tcp:", "tcp:0", "tcp:65536", "tcp:99999999", "tcp:80/x", "tcp:$HOME", "tcp:127.0.0.1:80",
        "tcp:\u0661", "http:8080", "http:/ready", "http://host/ready",
        "http:80/a b", "http:80/a\r\nX: y", "http:80/\u00e4",
        "file:", "file:?60", "file:ready", "file:/a?", "file:/a?-1", "file:/a?1.5", "file:/a\nb", "file:/a?9999999999",
        "exec:true", " tcp:80", "tcp:80\n",
    ],
)  # fmt: skip
def test_what_is_no_check_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a check|has no port"):
        parse(text)

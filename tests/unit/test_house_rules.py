"""Rules of the house that no linter knows: small files, a docstring for each module, no SQL in Python strings."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.distribution import WITH_UNITS

ROOT = Path(__file__).parents[2]
LONGEST = 400

SQL = re.compile(
    r"^\s*(select\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s|truncate\s|"
    r"(create|alter|drop)\s+(or\s+replace\s+)?(table|index|function|type|view|role|schema|database|extension|trigger)\s|"
    r"(un)?listen\s+\S+\s*$|notify\s+\S+(\s*,.*)?$|set\s+(local\s+)?\w+_\w+\s*(to|=)\s|call\s+\w+\()",
    re.IGNORECASE,
)


def files(*patterns: str) -> Iterator[Path]:
    for folder in ("nodeunit", "migrations", "projections", "tests", "tools"):
        for pattern in patterns:
            yield from (ROOT / folder).rglob(pattern)


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in files("*.py", "*.sql", "*.sh")}
    assert {path: count for path, count in lines.items() if count > LONGEST} == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in files("*.py") if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def test_sql_lives_in_sql_files() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text!r}"
        for path in (ROOT / "nodeunit").rglob("*.py")
        for line, text in strings(ast.parse(path.read_text()))
        if SQL.match(text)
    ]
    assert found == []


def test_units_are_started_by_tests_of_two_folders_only() -> None:
    elsewhere = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        if not str(path.relative_to(ROOT)).startswith(WITH_UNITS)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and "start_unit" in {argument.arg for argument in node.args.args}
    ]
    assert elsewhere == [], "move these tests to tests/e2e"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/upgrading.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    """Paths as they stand from the top of the checkout, or as the architecture names modules: below `nodeunit/`."""
    named = re.findall(r"`([a-z_]+(?:/[\w.*]+)+)`", (ROOT / page).read_text())
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert named or links
    missing = [
        name for name in named if not any(found for top in ("", "nodeunit/") for found in ROOT.glob(f"{top}{name}*"))
    ]
    missing += [link for link in links if not (ROOT / page).parent.joinpath(link).exists()]
    assert missing == []


@pytest.mark.parametrize(
    "text", ["select 1", "\n  INSERT INTO event", "update unit set x = 1", "listen nodeunit", "with a as (select 1)"]
)
def test_sql_is_recognised(text: str) -> None:
    assert SQL.match(text)


@pytest.mark.parametrize(
    "text", ["selected", "update the row", "with a unit as holder", "notify", "set it to text that"]
)
def test_prose_is_no_sql(text: str) -> None:
    assert not SQL.match(text)


def strings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every string of a module, and the beginning of every f-string, but the docstrings."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value

"""The matrix of privileges in docs/security.md: what each login may do, as the database itself answers it.

python -m tools.privileges     writes the matrix; makes an embedded database and four logins for it
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from nodeunit.demo.embedded import embedded_database
from nodeunit.store.postgres.migrator import migrate

PAGE = Path(__file__).parents[1] / "docs" / "security.md"
LOGINS = ("unit", "operator", "reader", "stranger")
"""The last one may connect and has no role."""

_PLACE = re.compile(r"(?<=<!-- privileges -->\n).*(?=<!-- /privileges -->)", re.DOTALL)
_QUERIES = (Path(__file__).with_suffix(".sql")).read_text().split(";")


def matrix(logins: Mapping[str, str]) -> str:
    """Tables of Markdown. `logins` are conninfos by the names of LOGINS."""
    tables, functions = ({name: _answers(logins[name], query) for name in LOGINS} for query in _QUERIES[:2])
    granted = {name for answers in functions.values() for name, may in answers.items() if may}
    others = sorted({name.partition("(")[0] for name in functions["stranger"] if name not in granted})
    lines = [*_lines("table or view", tables, set(tables["stranger"])), "", *_lines("function", functions, granted), ""]
    lines += ["The owner alone executes: " + ", ".join(f"`{name}`" for name in others) + "."]
    return "\n".join(lines) + "\n"


def documented() -> str:
    """The matrix as the page has it."""
    found = _PLACE.search(PAGE.read_text())
    return found.group() if found else ""


def _lines(what: str, answers: Mapping[str, Mapping[str, str]], shown: set[str]) -> list[str]:
    header = [f"| {what} | {' | '.join(LOGINS)} |", f"| --- {'| --- ' * len(LOGINS)}|"]
    rows = [[answers[login].get(name, "") or "-" for login in LOGINS] for name in sorted(shown)]
    return header + [f"| `{name}` | {' | '.join(row)} |" for name, row in zip(sorted(shown), rows, strict=True)]


def _answers(conninfo: str, query: str) -> dict[str, str]:
    with psycopg.connect(conninfo) as connection:
        return dict(connection.execute(query.encode()).fetchall())


def main() -> None:
    with embedded_database() as server:
        asyncio.run(migrate(server.conninfo))
        logins = {}
        with psycopg.connect(server.conninfo, autocommit=True) as owner:
            for name in LOGINS:
                login = sql.Identifier(f"the_{name}")
                owner.execute(sql.SQL("create role {} login").format(login))
                if name != "stranger":
                    owner.execute(sql.SQL("grant {} to {}").format(sql.Identifier(f"nodeunit_{name}"), login))
                logins[name] = make_conninfo(server.conninfo, user=f"the_{name}")
        PAGE.write_text(_PLACE.sub(lambda _: matrix(logins), PAGE.read_text()))


if __name__ == "__main__":
    main()

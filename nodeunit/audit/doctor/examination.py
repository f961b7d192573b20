"""Runs all checks, one after the other. None takes longer than its limit, and none can stop the others."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from nodeunit.audit.doctor import fleet, log, machine, schema, server
from nodeunit.domain.finding import Examination, Finding, Limits, NotMade
from nodeunit.errors import DatabaseUnreachable, NodeunitError
from nodeunit.settings import Settings
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import doctor as store
from nodeunit.store.read.projections import PROJECTIONS

CHECK_WITHIN_S = 8.0
"""Longer than the server lets a statement run."""
CONNECT_WITHIN_S = 20.0
"""Several hosts may be tried, for five seconds each."""

Answer = TypeVar("Answer")
Check = tuple[str, Callable[[], Awaitable[list[Finding]]]]


async def examine(conninfo: str, environ: Mapping[str, str] | None, limits: Limits = Limits()) -> Examination:  # noqa: B008 - frozen
    """The findings. `environ`: that of this machine's unit; None: this machine is none of a unit.

    Raises nothing that a fleet can cause: what cannot be asked is in `not_made`.
    """
    found = Examination()
    unit: Settings | None = None
    if environ is not None:
        unit, wrong = machine.settings(dict(environ))
        found.findings += wrong
        found.checks_made += 1
    wanted = await _database(found, conninfo, limits, of_unit=environ is not None)
    if unit is not None:
        await _machine(found, unit, wanted, limits)
    found.healthy = not found.findings and not found.not_made
    return found


async def _database(
    found: Examination, conninfo: str, limits: Limits, *, of_unit: bool
) -> list[tuple[str, str]] | None:
    """The packages that rows want; None if nobody could be asked."""
    try:
        if not conninfo:
            raise DatabaseUnreachable("no database is given")
        async with asyncio.timeout(CONNECT_WITHIN_S):
            connection = await store.open_session(conninfo)
    except (NodeunitError, TimeoutError) as error:
        _not_connected(found, error)
        return None
    async with connection:
        unusable = len(found.findings)
        await _run(found, [
            ("pooling", partial(server.pooling, connection, conninfo)),
            ("server", partial(server.kind, connection)),
            ("clock", partial(server.clock, connection, limits)),
            ("durability", partial(server.durability, connection)),
            ("login", partial(schema.login, connection, of_unit=of_unit)),
        ])  # fmt: skip
        rest = _of_schema(connection, limits)
        if any(one.name in ("pooling_proxy", "login_without_role") for one in found.findings[unusable:]):
            _skip(found, ["migrations", *(name for name, _ in rest)], "the login or the connection does not serve")
            return None
        known = len(found.findings)
        await _run(found, [("migrations", partial(schema.migrations, connection, writes=of_unit))])
        if len(found.findings) > known:
            _skip(found, [name for name, _ in rest], "the schema is not the one of this nodeunit")
            return None
        await _run(found, rest)
        return await _made(found, "packages", partial(store.wanted_packages, connection))


def _of_schema(connection: Connection, limits: Limits) -> list[Check]:
    return [
        ("capacity", partial(server.capacity, connection, limits)),
        ("waiting rows", partial(fleet.waiting_rows, connection)),
        ("versions", partial(fleet.versions, connection)),
        ("listeners", partial(fleet.deaf_listeners, connection, limits)),
        ("leases", partial(fleet.short_leases, connection, limits)),
        ("age of the log", partial(log.age, connection, limits)),
        ("open transactions", partial(log.open_transactions, connection, limits)),
        *((f"projection {name}", partial(log.projection, connection, name)) for name in PROJECTIONS),
    ]


async def _machine(found: Examination, unit: Settings, wanted: list[tuple[str, str]] | None, limits: Limits) -> None:
    await _run(found, [
        ("directories", lambda: machine.aside(partial(machine.directories, unit, limits))),
        ("processes", lambda: machine.aside(partial(machine.processes, unit))),
    ])  # fmt: skip
    if wanted is None:
        _skip(found, ["installers", "registries"], "nobody says which packages the rows want")
        return
    await _run(found, [
        ("installers", lambda: machine.aside(partial(machine.installers, unit, wanted))),
        ("registries", partial(machine.registries, unit, wanted)),
    ])  # fmt: skip


def _not_connected(found: Examination, error: NodeunitError | TimeoutError) -> None:
    finding = server.of_error(error) if isinstance(error, NodeunitError) else None
    if finding is None:
        because = str(error) or f"no answer within {CONNECT_WITHIN_S:g} s"
        found.not_made.append(NotMade("connection", because))
    else:
        found.findings.append(finding)
        found.checks_made += 1
        _skip(found, ["all others of the database"], "there is no connection")


def _skip(found: Examination, checks: list[str], because: str) -> None:
    found.not_made += [NotMade(check, because) for check in checks]


async def _run(found: Examination, checks: list[Check]) -> None:
    for name, check in checks:
        found.findings += await _made(found, name, check) or []


async def _made(found: Examination, name: str, check: Callable[[], Awaitable[Answer]]) -> Answer | None:
    """The answer of one check; None if it could not be made, which is noted."""
    try:
        async with asyncio.timeout(CHECK_WITHIN_S):
            answer = await check()
    except TimeoutError:
        found.not_made.append(NotMade(name, f"no answer within {CHECK_WITHIN_S:g} s"))
    except (NodeunitError, OSError) as error:
        found.not_made.append(NotMade(name, str(error)))
    else:
        found.checks_made += 1
        return answer
    return None

"""Checks of the event log: its projections, its age, and what keeps its readers back."""

from typing import LiteralString

from nodeunit.domain.finding import Finding, Limits
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import doctor as store


async def projection(connection: Connection, name: LiteralString) -> list[Finding]:
    """Folds the whole log once, within the limit of a check."""
    differing = await store.rows_that_differ(connection, name)
    if not differing:
        return []
    return [
        Finding(
            name="projection_differs",
            severity="error",
            subject=f"projection {name}",
            cause=f"rows of the live table differ from the fold of the log, the first is {differing[0]}",
            mend="nodeunit projections verify, which shows them all; then nodeunit projections rebuild",
        )
    ]


async def age(connection: Connection, limits: Limits) -> list[Finding]:
    """How far back the live log goes."""
    age_s = await store.age_of_log(connection)
    if age_s is None or age_s <= limits.archive_after_s:
        return []
    return [
        Finding(
            name="archive_overdue",
            severity="warning",
            subject="log",
            cause=f"the live log goes back {age_s / 86400:.0f} days, and questions to it get slower with its length",
            mend="nodeunit archive --until 180d --file events.jsonl.gz --usage-until 30d",
        )
    ]


async def open_transactions(connection: Connection, limits: Limits) -> list[Finding]:
    """Sessions that do nothing in an open transaction. Of other logins' sessions a login may see too little to tell."""
    return [
        Finding(
            name="idle_transaction",
            severity="warning",
            subject=f"pid {idle.pid}",
            cause=f"a transaction of {idle.user} in {idle.database} (application {idle.application or 'unnamed'}) has "
            f"been idle, open for {idle.open_s:.0f} s: readers of the log wait for it, and chunks cannot be dropped",
            mend=f"end it there, or: select pg_terminate_backend({idle.pid})",
        )
        for idle in await store.idle_transactions(connection, limits.open_transaction_s)
    ]

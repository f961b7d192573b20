"""`nodeunit why`: why a unit or no unit holds a deployment."""

import asyncio

from nodeunit.audit import why as audit
from nodeunit.audit.why import Explanation
from nodeunit.audit.wording import local_time, program_state
from nodeunit.cli.moments import Time
from nodeunit.cli.options import At, Database, Deployment, OutputFormat, given, resolve
from nodeunit.cli.output.render import Format, write
from nodeunit.cli.output.schemas import show_document
from nodeunit.cli.output.verdicts import show_verdicts
from nodeunit.store.read import event_log


def why(
    deployment: Deployment,
    database: Database = "",
    at: At = None,
    output: OutputFormat = Format.TABLE,
) -> None:
    """Explain from the log why a deployment runs where it runs, or why no unit holds it.

    Shows for every unit the predicate or the value that decided, as the round recorded it.

    [bold]Example[/bold]: nodeunit why 044142ec --at 2026-01-16T15:52:50+08:00
    """
    explanation = asyncio.run(_explain(given(database), deployment, at))
    if output not in (Format.TABLE, Format.WIDE):
        show_document("explanation", explanation, output, [f"deployment/{explanation.deployment_id}"])
    else:
        _show(explanation, wide=output is Format.WIDE)


async def _explain(conninfo: str, deployment: str, at: Time | None) -> Explanation:
    async with await event_log.open_log(conninfo, "why") as connection:
        return await audit.explain(connection, deployment, await resolve(at, connection))


def _show(found: Explanation, *, wide: bool) -> None:
    since = f" since {local_time(found.since)}" if found.since else ""
    who = f"held by {found.holder_name} ({found.holder})" if found.holder else ""
    state = found.state.replace("_", " ")
    state = who if found.state == "held" else f"{state}, {who}" if who else state
    version = f", version {found.version}" if found.holder else ""
    write(f"{found.deployment_id} {found.package}".rstrip())
    write(f"{state}{since}{version}")
    for reason in found.because:
        write(f"  {reason}")
    if found.program:
        write(f"  program: {found.program}")
    for one in found.programs:
        write(f"  {program_state(one)}")
    if found.verdicts:
        if found.decided_at:
            write(f"what a round saw at {local_time(found.decided_at)}:")
        show_verdicts(found.verdicts, wide=wide)

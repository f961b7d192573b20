"""`nodeunit plan`: which unit would claim a deployment now."""

import asyncio

from nodeunit.audit import plan as audit
from nodeunit.audit.plan import Plan
from nodeunit.cli.options import Database, Deployment, OutputFormat, given
from nodeunit.cli.output.render import Format, write
from nodeunit.cli.output.schemas import show_document
from nodeunit.cli.output.verdicts import show_verdicts
from nodeunit.store.read import event_log


def plan(
    deployment: Deployment,
    database: Database = "",
    output: OutputFormat = Format.TABLE,
) -> None:
    """Say which unit would claim a deployment if it were its turn now. Claims and writes nothing.

    [bold]Example[/bold]: nodeunit plan 044142ec
    """
    found = asyncio.run(_plan(given(database), deployment))
    if output not in (Format.TABLE, Format.WIDE):
        show_document("plan", found, output, [f"deployment/{found.deployment_id}"])
    else:
        _show(found, wide=output is Format.WIDE)


async def _plan(conninfo: str, deployment: str) -> Plan:
    async with await event_log.open_log(conninfo, "plan") as connection:
        return await audit.plan(connection, deployment)


def _show(found: Plan, *, wide: bool) -> None:
    write(f"{found.deployment_id} {found.package}")
    write(f"{found.claimant_name or found.claimant} would claim it" if found.claimant else "no unit would claim it")
    for reason in found.because:
        write(f"  {reason}")
    if found.verdicts:
        show_verdicts(found.verdicts, wide=wide)

"""The unit that would claim a deployment now, by the inputs of a round. Writes nothing and wakes no unit."""

from uuid import UUID

import msgspec

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.fleet import DeploymentState
from nodeunit.domain.policy import Candidate, UnitView
from nodeunit.domain.verdict import Verdict, judge
from nodeunit.errors import DeploymentUnknown
from nodeunit.store.postgres.connections import Connection
from nodeunit.store.read import fleet, lookup, why
from nodeunit.store.read.fleet import AsOf

CANDIDATES = 1000
"""How many waiting rows are read to count those before this one."""


class Plan(msgspec.Struct, kw_only=True):
    """The unit that would claim one deployment if it were its turn now."""

    deployment_id: UUID
    package: str
    holder: str
    """The unit that holds it; the plan for a held row says which unit would claim it if it were free."""
    may_be_claimed: bool
    """Whether it is a candidate of a round: enabled, and held by no unit in the fleet."""
    claimant: str
    """The unit that would claim it; empty if none would."""
    claimant_name: str
    before_it: int | None
    """How many rows come first; None if it is not a candidate, or if too many come first."""
    because: list[str]
    verdicts: list[Verdict]


async def plan(connection: Connection, given: str) -> Plan:
    """The plan for the deployment whose id begins like this. Raises DeploymentUnknown, also for a deleted one."""
    deployment_id = await lookup.find_deployment(connection, given)
    found = await fleet.deployments(connection, AsOf(), deployment_id)
    if not found:
        raise DeploymentUnknown(f"deployment {deployment_id} was deleted; see: nodeunit why {given}")
    row = found[0]
    roster = await fleet.units(connection, AsOf())
    inputs = await why.inputs_now(connection, CANDIDATES)
    waiting = [candidate.id for candidate in inputs.candidates]
    before = waiting.index(deployment_id) if deployment_id in waiting else None
    name, version = row.package_name, row.package_version
    candidate = Candidate(
        id=deployment_id,
        version=row.address_version,
        package_name=name,
        package_version=version,
    )
    candidate = why.with_needs(candidate, await why.specifications(connection, deployment_id, None))
    units = tuple(_without(unit, row) for unit in inputs.units)
    verdicts = judge(candidate, RoundInputs(units, (candidate,)), roster)
    claimant = next((one for one in verdicts if one.verdict == "takes_it"), None)
    names = {unit.address: unit.name for unit in roster}
    return Plan(
        deployment_id=deployment_id,
        package=row.package,
        holder=row.address,
        may_be_claimed=before is not None,
        claimant=claimant.address if claimant else "",
        claimant_name=names.get(claimant.address, "") if claimant else "",
        before_it=before,
        because=_reasons(row, before, names, len(waiting)),
        verdicts=verdicts,
    )


def _without(unit: UnitView, row: DeploymentState) -> UnitView:
    """The holder without the row: one row fewer. The usage of the row's program is not subtracted."""
    if unit.address != row.address or not row.enabled:
        return unit
    return msgspec.structs.replace(unit, deployment_count=max(unit.deployment_count - 1, 0))


def _reasons(row: DeploymentState, before: int | None, names: dict[str, str], waiting: int) -> list[str]:
    if row.type == "daemon":
        return ["it is a daemon row: every unit runs it, and nobody claims it"]
    reasons = []
    if not row.enabled:
        reasons.append("it is disabled, and not claimed before it is enabled")
    if row.address and before is None:
        reasons.append(
            f"{names.get(row.address) or row.address} has it; this is the unit that would claim it if it were free"
        )
    elif row.address:
        reasons.append(f"{names.get(row.address) or row.address} has it and is not in the fleet any more")
    if before:
        reasons.append(f"{before} rows come before it")
    elif before is None and row.waits:
        reasons.append(f"more than {waiting} rows come before it, or no unit can run it")
    return reasons

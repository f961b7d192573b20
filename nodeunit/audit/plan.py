"""Who would claim a deployment now: a round is looked at and not run. Nothing is written, nobody is woken."""

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
"""So many rows that wait are looked at, to say how many come before this one."""


class Plan(msgspec.Struct, kw_only=True):
    """Who would claim one deployment, were it its turn now."""

    deployment_id: UUID
    package: str
    holder: str
    """Who has it; a plan for a row that is held tells who would claim it, were it free."""
    may_be_claimed: bool
    """Whether a round would take it as a candidate: enabled, and held by nobody who is in the fleet."""
    claimant: str
    """The unit that would claim it; empty: none."""
    claimant_name: str
    before_it: int | None
    """How many rows come first; None: it is not a candidate, or too many do."""
    because: list[str]
    verdicts: list[Verdict]


async def plan(connection: Connection, given: str) -> Plan:
    """The plan for the deployment whose id begins like this. Raises DeploymentUnknown, for a deleted one too."""
    deployment_id = await lookup.find_deployment(connection, given)
    found = await fleet.deployments(connection, AsOf(), deployment_id)
    if not found:
        raise DeploymentUnknown(f"deployment {deployment_id} was deleted; see: nodeunit why {given}")
    row = found[0]
    roster = await fleet.units(connection, AsOf())
    inputs = await why.inputs_now(connection, CANDIDATES)
    queue = [candidate.id for candidate in inputs.candidates]
    before = queue.index(deployment_id) if deployment_id in queue else None
    name, version = row.package_name, row.package_version
    candidate = Candidate(id=deployment_id, version=row.address_version, package_name=name, package_version=version)
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
        because=_reasons(row, before, names, len(queue)),
        verdicts=verdicts,
    )


def _without(unit: UnitView, row: DeploymentState) -> UnitView:
    """The holder, were the row free: with one row less. What the row's program uses is not taken off."""
    if unit.address != row.address or not row.enabled:
        return unit
    return msgspec.structs.replace(unit, deployment_count=max(unit.deployment_count - 1, 0))


def _reasons(row: DeploymentState, before: int | None, names: dict[str, str], queue: int) -> list[str]:
    if row.type == "daemon":
        return ["it is a daemon row: every unit runs it, and nobody claims it"]
    reasons = []
    if not row.enabled:
        reasons.append("it is disabled, and not claimed before it is enabled")
    if row.address and before is None:
        reasons.append(f"{names.get(row.address) or row.address} has it; this is who would claim it, were it free")
    elif row.address:
        reasons.append(f"{names.get(row.address) or row.address} has it and is not in the fleet any more")
    if before:
        reasons.append(f"{before} rows come before it")
    elif before is None and row.waits:
        reasons.append(f"more than {queue} rows come before it, or no unit may run it")
    return reasons

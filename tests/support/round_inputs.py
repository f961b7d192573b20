"""Units, candidates and inputs of rounds, with what a test does not care about filled in."""

from uuid import UUID

from nodeunit.domain.claim_round import RoundInputs
from nodeunit.domain.policy import Candidate, UnitView, Usage

A, B, C = "5DAR2ZCr", "GJ93nFZv", "HzK5aRew"
"""Addresses in their order."""


def unit(address: str, policy: str = "deployment_count", **fields: object) -> UnitView:
    return UnitView(address=address, policy=policy, **{"trusted": "^@yuants/", **fields})  # type: ignore[arg-type]


def busy(address: str, cpu: float, memory: float, **fields: object) -> UnitView:
    return unit(address, "resource_usage", measured=Usage(cpu, memory), **fields)


def candidate(number: int, package: str = "@yuants/app-portal", holder: str = "") -> Candidate:
    return Candidate(id=UUID(int=number), version=number, holder=holder, package_name=package, package_version="0.2.26")


def inputs(units: list[UnitView], *candidates: Candidate) -> RoundInputs:
    return RoundInputs(tuple(units), candidates)

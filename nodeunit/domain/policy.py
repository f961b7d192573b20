"""How a claim policy measures a unit. The unit with the smallest metric may claim."""

import math
from typing import NamedTuple
from uuid import UUID

import msgspec

from nodeunit.domain.can_run import Ability, Needs

POLICIES = ("deployment_count", "resource_usage", "none")
"""The policy names, in lower case; settings accept any case."""


class Usage(msgspec.Struct, frozen=True, rename="camel"):
    """What a unit and all its programs use. In JSON: `{"cpuPercent": …, "memoryMb": …}`."""

    cpu_percent: float
    """Percent of the whole machine: 100 is all cores busy."""
    memory_mb: float
    """Resident memory in MiB."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.cpu_percent + other.cpu_percent, self.memory_mb + other.memory_mb)


NOTHING = Usage(0.0, 0.0)
"""No usage. Unknown usage is `None`."""


class Weights(NamedTuple):
    """What one percent of CPU and one GiB of memory count in a score."""

    cpu: float = 0.5
    memory: float = 0.5

    def normalised(self) -> "Weights":
        """The same proportion with a sum of 1; 0.5 each where there is none (negative, nan, infinite or a sum of 0)."""
        total = self.cpu + self.memory
        if not (self.cpu >= 0 and self.memory >= 0 and 0 < total < math.inf):
            return Weights(0.5, 0.5)
        return Weights(self.cpu / total, self.memory / total)


def score(usage: Usage, weights: Weights) -> float:
    """`cpuPercent * w_cpu + memoryMb / 1024 * w_mem` with normalised weights, as in the original system.

    Not finite if the usage is not.
    """
    cpu, memory = weights.normalised()
    return usage.cpu_percent * cpu + usage.memory_mb / 1024 * memory


class UnitView(msgspec.Struct, frozen=True, kw_only=True):
    """One active unit as a round sees it: how it decides, what it may run and how loaded it is."""

    address: str
    policy: str
    cpu_weight: float = 0.5
    memory_weight: float = 0.5
    trusted: str
    """The regular expression that must be found in `name@version` of a package if this unit is to run it."""
    custom_command: bool = False
    """Whether the unit runs the commands of rows."""
    runtimes: tuple[str, ...] = ()
    """The runtimes for which it can install packages."""
    secrets: tuple[str, ...] = ()
    """The names of the secret files that it has."""
    deployment_count: int = 0
    """Enabled rows of type `deployment` whose address is this unit."""
    measured: Usage | None = None
    """The last fresh sample; `None` if there is none, which is not the same as using nothing."""
    reserved: Usage = NOTHING
    """The expected usage of what the unit claimed since that sample."""

    @property
    def ability(self) -> Ability:
        return Ability(self.trusted, self.custom_command, self.runtimes, self.secrets)


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A row that a round may claim."""

    id: UUID
    version: int
    """The version of the row's assignment. A claim appends the next one."""
    holder: str = ""
    """The lost unit that still holds the row, or empty."""
    package_name: str = ""
    package_version: str = ""
    has_command: bool = False
    runtime: str = ""
    """`npm`, `python` or `command`; empty: not recorded, as before 0.2."""
    secrets: tuple[str, ...] = ()
    """The names of the secrets that the row wants, sorted."""

    @property
    def package(self) -> str:
        """`name@version`, which trust patterns are tested against."""
        return f"{self.package_name}@{self.package_version}"

    @property
    def needs(self) -> Needs:
        return Needs(self.package, self.has_command, self.runtime, self.secrets)


class Policy(NamedTuple):
    """A policy with its weights. Units with equal policies compare themselves with each other."""

    name: str
    weights: Weights = Weights()

    @classmethod
    def of(cls, unit: UnitView) -> "Policy":
        """The policy by which this unit decides, with normalised weights, or the default ones if it uses none."""
        if unit.policy == "resource_usage":
            return cls(unit.policy, Weights(unit.cpu_weight, unit.memory_weight).normalised())
        return cls(unit.policy)


def metric(policy: Policy, unit: UnitView) -> float | None:
    """The unit's value under the policy. Smaller is better; with `None` the unit is not eligible.

    `deployment_count` counts rows. `resource_usage` is the score of measured plus reserved usage, and `None` without a
    fresh sample. `none` and policies that this code does not know have no metric.
    """
    if policy.name == "deployment_count":
        return unit.deployment_count
    if policy.name == "resource_usage" and unit.measured is not None:
        value = score(unit.measured + unit.reserved, policy.weights)
        return value if math.isfinite(value) else None
    return None

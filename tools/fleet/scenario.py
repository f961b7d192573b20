"""What happens to a fleet, read from a file of `scenarios/`: who is in it, which rows there are, and the steps.

summary = "…"
[[groups]]                      # units that are alike; shares of the fleet
[[rows]]                        # kinds of rows; shares of all rows
[[steps]]                       # what is done, in order: `do` names a step of tools/fleet/steps.py
"""

import random
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from nodeunit.domain.can_run import Ability, Needs, obstacle
from tools.fleet.unit import Plan

SCENARIOS = Path(__file__).with_name("scenarios")


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units that are alike."""

    share: float = 1.0
    policy: str = "deployment_count"
    trusted: str = "^@fleet/"
    slowness: tuple[float, float] = (1.0, 1.0)
    """The slowest machine needs that many times as much CPU for a program as the usual one; and the fastest."""
    lag_s: float = 0.0
    """So old are the samples."""


class Kind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows of one package."""

    package: str = "@fleet/app"
    share: float = 1.0


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that is done."""

    do: str
    share: float = 1.0
    """Of the rows or of the units that it concerns."""
    times: int = 1


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file, decoded."""

    summary: str
    steps: tuple[Step, ...]
    groups: tuple[Group, ...] = (Group(),)
    rows: tuple[Kind, ...] = (Kind(),)
    hosts: int = 3
    """Processes that the units are spread over. What happens to a whole process happens to the share of one."""
    frozen_host: bool = False
    """One unit of each group is in a process of its own, which a step can freeze."""
    balance_rows: int | None = None
    """At the end no two units of a group differ by more rows; None: not looked at."""
    balance_usage: float | None = None
    """At the end no unit of a group uses more than this share more or less than the mean; None: not looked at."""


class Size(msgspec.Struct, frozen=True):
    """How much of it."""

    units: int
    rows: int
    seed: int = 1
    heartbeat_interval_s: float = 2.0
    policy: str = ""
    """In place of the one that the groups have."""

    @property
    def lease_ttl_s(self) -> float:
        """As many heartbeats as by default."""
        return 5 * self.heartbeat_interval_s


def read(name: str) -> Scenario:
    """A scenario by name. Raises SystemExit, with what there is, if there is none of that name."""
    path = SCENARIOS / f"{name}.toml"
    if not path.exists():
        raise SystemExit(f"there is no scenario {name}; there are: {', '.join(names())}")
    found: dict[str, Any] = tomllib.loads(path.read_text())
    return msgspec.convert(found, Scenario)


def names() -> list[str]:
    """All scenarios."""
    return sorted(path.stem for path in SCENARIOS.glob("*.toml"))


def units(scenario: Scenario, size: Size) -> list[Plan]:
    """The units of the fleet; those of one group follow each other."""
    some = random.Random(size.seed)
    groups = _shared_out(size.units, [group.share for group in scenario.groups])
    plans: list[Plan] = []
    for group, count in zip(scenario.groups, groups, strict=True):
        for _ in range(count):
            number = len(plans)
            plans.append(
                Plan(
                    number, f"sim-{size.seed}-{number}", size.policy or group.policy, group.trusted,
                    some.uniform(*group.slowness), group.lag_s, size.heartbeat_interval_s, size.lease_ttl_s,
                )
            )  # fmt: skip
    return plans


def kinds(scenario: Scenario, rows: int) -> list[tuple[str, int]]:
    """How many rows there are of each package."""
    counts = _shared_out(rows, [kind.share for kind in scenario.rows])
    return [(kind.package, count) for kind, count in zip(scenario.rows, counts, strict=True)]


def runnable(plan: Plan, package: str) -> bool:
    """Whether the unit claims, and may run, rows of `name@version`."""
    return plan.policy != "none" and obstacle(Ability(plan.trusted, True), Needs(package, True)) is None


def _shared_out(number: int, shares: list[float]) -> list[int]:
    """Whole numbers in proportion to the shares, with this sum."""
    ends = [round(number * sum(shares[: n + 1]) / sum(shares)) for n in range(len(shares))]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]

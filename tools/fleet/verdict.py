"""What must hold at the end of a scenario: the invariants of `nodeunit report`, and balance among like units."""

import statistics
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

import psycopg

from nodeunit.audit import invariants
from nodeunit.domain.policy import Usage, Weights, score
from nodeunit.store.read.report import snapshot
from tools.fleet.scenario import Scenario
from tools.fleet.unit import Plan

HELD = """
    select l.address, coalesce(l.cpu_percent, 0)::float8, coalesce(l.memory_mb, 0)::float8, count(d.id)::int
    from lease l left join deployment d on d.address = l.address and d.enabled and d.type = 'deployment'
    where l.address = any (%(alive)s)
    group by 1, 2, 3
"""

SAMPLED = """
    select count(*) = cardinality(%(alive)s::text[]) and coalesce(bool_and(l.renewed_at > %(after)s), true)
    from lease l where l.address = any (%(alive)s)
"""

NOW = "select clock_timestamp()"


class Balance(NamedTuple):
    """How even a group of like units is."""

    units: int
    fewest: int
    most: int
    """Rows of a unit."""
    usage: float
    """The largest distance of a unit's score from the mean of the group, as a share of the mean."""


def now(conninfo: str) -> datetime:
    """By the clock of the database."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute(NOW).fetchone()
    assert found is not None
    at: datetime = found[0]
    return at


def all_sampled(conninfo: str, alive: list[Plan], after: datetime) -> bool:
    """Whether each unit has sent a heartbeat after that moment."""
    parameters = {"alive": [unit.address for unit in alive], "after": after}
    with psycopg.connect(conninfo, autocommit=True) as connection:
        found = connection.execute(SAMPLED, parameters).fetchone()
    return found is not None and bool(found[0])


def balances(conninfo: str, alive: list[Plan]) -> list[Balance]:
    """Of each group, as the units last reported it."""
    group_of = {unit.address: (unit.policy, unit.trusted) for unit in alive}
    rows: dict[tuple[str, str], list[int]] = defaultdict(list)
    scores: dict[tuple[str, str], list[float]] = defaultdict(list)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for address, cpu, memory, count in connection.execute(HELD, {"alive": list(group_of)}).fetchall():
            rows[group_of[address]].append(count)
            scores[group_of[address]].append(score(Usage(cpu, memory), Weights()))
    return [Balance(len(rows[g]), min(rows[g]), max(rows[g]), _spread(scores[g])) for g in sorted(rows)]


async def faults(conninfo: str, scenario: Scenario, found: list[Balance]) -> list[str]:
    """What does not hold, in words; empty if all does."""
    async with snapshot(conninfo) as log:
        broken = [f"{i.name}: {i.violations}, e.g. {i.examples}" for i in await invariants.check(log) if i.violations]
    for group in found:
        if scenario.balance_rows is not None and group.most - group.fewest > scenario.balance_rows:
            broken.append(f"rows of a unit: {group.fewest} to {group.most}, more than {scenario.balance_rows} apart")
        if scenario.balance_usage is not None and group.usage > scenario.balance_usage:
            broken.append(f"usage: {group.usage:.1%} off the mean, more than {scenario.balance_usage:.0%}")
    return broken


def _spread(scores: list[float]) -> float:
    mean = statistics.fmean(scores)
    return max(abs(one - mean) for one in scores) / mean if mean else 0.0

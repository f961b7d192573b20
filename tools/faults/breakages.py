"""Deliberately broken builds: is the checker able to see what it is there for?

Each takes away one thing that a promise rests on, from outside: by a patch of the copy that the units run from, or of
the schema in that one database. Nothing in the product can switch anything of it off.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.faults.build import Patch, make_build
from tools.faults.fleet import NotSettled
from tools.faults.run import Run, Shape, execute


@dataclass(frozen=True)
class Breakage:
    """What is broken, and the kinds of faults that must bring it to light."""

    says: str
    kinds: tuple[str, ...]
    patches: Mapping[str, Patch]
    prepare: Callable[[str], None] = lambda conninfo: None


def replacing(old: str, new: str = "") -> Patch:
    """The file with one text in place of another, which must be there; white space counts as any other."""
    pattern = r"\s+".join(map(re.escape, old.split()))

    def patch(text: str) -> str:
        changed, times = re.subn(pattern, lambda _: new, text)
        if not times:
            raise ValueError(f"there is no {old!r} any more: take away what does its work now")
        return changed

    return patch


def without(*texts: str) -> Patch:
    """The file without these texts."""
    patches = [replacing(text) for text in texts]
    return lambda text: functools.reduce(lambda changed, patch: patch(changed), patches, text)


def drop_the_order(conninfo: str) -> None:
    """The ordering table keeps its rows and forgets its rules."""
    execute(
        conninfo,
        "alter table assignment_order drop constraint assignment_order_has_one_event_per_version, "
        "drop constraint assignment_order_invents_no_past, drop constraint assignment_order_state_is_unique",
    )


BREAKAGES = {
    # The constraints alone are not enough to break anything: the functions lock the row and look at its version first,
    # which keeps order as long as everybody uses them, and units share the rows among themselves before they claim any.
    # So that goes as well, as in a version that relied on the constraints.
    "order": Breakage(
        "the ordering constraints are dropped",
        ("contend",),
        {
            "migrations/functions/append_assignment.sql": without(
                "on conflict on constraint assignment_order_has_one_event_per_version do nothing",
                "and d.address_version = p_version - 1",
            ),
            "migrations/functions/record_deployment_insert.sql": without(
                "on conflict on constraint assignment_order_has_one_event_per_version do nothing"
            ),
            "migrations/functions/claim_deployments.sql": without(
                "d.address_version = g.version and",
                "and d.address_version = w.version",
                "skip locked",
                "k.address = g.holder and",
            ),
            "nodeunit/domain/forward_play.py": replacing(
                "for unit in inputs.units}", "for unit in inputs.units if unit.address == me}"
            ),
        },
        drop_the_order,
    ),
    "deadline": Breakage(
        "supervisor and guard take every lease for an hour longer",
        ("freeze-daemon",),
        {"nodeunit/supervisor/lease.py": replacing("return cls(expires, now)", "return cls(expires + 3600.0, now)")},
    ),
    "epoch": Breakage(
        "a stale epoch may renew the lease and write",
        ("freeze-daemon",),
        {
            "migrations/functions/heartbeat.sql": without("and l.epoch = p_epoch"),
            "migrations/functions/append_decisions.sql": without("and epoch = p_epoch"),
            "migrations/functions/require_epoch.sql": without("and epoch = p_epoch"),
        },
    ),
    "renewal": Breakage(
        "the renewal of a lease waits for no standby",
        ("failover-old-primary-alive",),
        {
            "migrations/functions/heartbeat.sql": replacing(
                "update lease l set", "perform set_config('synchronous_commit', 'off', true); update lease l set"
            ),
        },
    ),
    "orphan": Breakage(
        "a daemon does not notice that its supervisor is dead",
        ("kill-supervisor",),
        {"nodeunit/daemon/daemon.py": without("self._end.request(self._when_the_link_ends)")},
    ),
    "nowhere": Breakage(
        "what has ended is taken to run on, so that it is never started again",
        ("freeze-database",),
        {"nodeunit/daemon/live_programs.py": replacing("return self.pop(key, None)", "return self.get(key)")},
    ),
    "reader": Breakage(
        "the daemon's log waits for its reader",
        ("unread-log",),
        {
            "nodeunit/log.py": replacing(
                "if len(self._lines) < MOST_WAITING:", "self._write(line)\n            if False:"
            )
        },
    ),
    "loop": Breakage(
        "what ended with the lease is started again under the same one",
        ("freeze-database",),
        {
            "nodeunit/supervisor/lease.py": replacing(
                "return now < self.term_at(grace_s)", "return now < self.kill_at"
            ),
            # Much the same rule, for a lease that was confirmed late.
            "nodeunit/daemon/reconciler.py": replacing(
                "long_enough = self._lease.expires - now >= self._least_left_s", "long_enough = True"
            ),
        },
    ),
}


def is_caught(breakage: Breakage, directory: Path, *, trials: int, seed: int, shape: Shape | None = None) -> list[str]:
    """Runs trials of a broken build until something is found; what was found, empty when nothing was."""
    build = make_build(directory / "build", breakage.patches)
    for number in range(trials):
        run = Run(build, directory, shape or Shape(), prepare=breakage.prepare)
        try:
            run.trials([(breakage.kinds[number % len(breakage.kinds)], seed + number)])
        except NotSettled:
            continue  # on a busy machine a broken build may not even come to rest before the fault
        found = [fault for outcome in run.outcomes for fault in outcome.faults] + run.violations
        if found:
            return found
    return []

"""Finds and ends what a dead supervisor left running, by the mark in its environment.

A program dies with its supervisor (parent-death signal), but what the program started does not. Such leftovers carry
the unit's address in their environment and stand under no living supervisor of that address; both are needed, for
a second unit started by mistake with the same identity must not end the programs of the first.

Three parties call this: a supervisor before it starts its daemon, the guard when its supervisor dies, and a daemon
that has lost its supervisor, before it gives its rows back.
"""

import os
import select
import signal
import time
from typing import NamedTuple

from nodeunit.process.process_table import Mark, ProcessEntry, ProcessTable, read_arguments, read_mark, signal_exactly

SUPERVISOR_MODULE = "nodeunit.supervisor"
ADDRESS_OPTION = "--address"

_LOOK_AGAIN_AFTER_S = 0.02


class Leftover(NamedTuple):
    """A process nobody supervises any more, and the deployment that it was started for."""

    entry: ProcessEntry
    key: str


def find_leftovers(address: str, table: ProcessTable | None = None) -> list[Leftover]:
    """The living processes marked with `address`, and all below them, that have no living supervisor of it above."""
    table = ProcessTable.read() if table is None else table
    found: dict[int, Leftover] = {}
    for entry in table.entries.values():
        mark = read_mark(entry.pid)
        if mark is None or mark.address != address or _is_supervised(entry, address, table):
            continue
        for below in table.with_descendants([entry]).values():
            if below.alive and (below.pid == entry.pid or below.pid not in found):
                found[below.pid] = Leftover(below, _key_of(below, mark))
    return list(found.values())


def end_leftovers(address: str, within_s: float) -> list[Leftover]:
    """SIGKILL leftovers until none is found; returns those that are still there after `within_s` seconds.

    Looks again after each kill, because a process may have forked between the look and the signal. SIGKILL at once:
    nobody is there to wait for a grace period, and another unit may already run their successors.
    """
    give_up_at = time.monotonic() + within_s
    while leftovers := find_leftovers(address):
        for leftover in leftovers:
            signal_exactly(*leftover.entry.identity, signal.SIGKILL)
        if time.monotonic() >= give_up_at:
            return leftovers
        select.select([], [], [], _LOOK_AGAIN_AFTER_S)
    return []


def is_supervisor_of(pid: int, address: str) -> bool:
    """Whether the command line of `pid` is that of a supervisor of this address."""
    return _supervised_address(pid) == address


def supervisors() -> dict[tuple[int, int], str]:
    """The living supervisors on this machine: pid and start time to address."""
    entries = [entry for entry in ProcessTable.read().entries.values() if entry.alive]
    addresses = {entry.identity: _supervised_address(entry.pid) for entry in entries}
    return {identity: address for identity, address in addresses.items() if address is not None}


def _supervised_address(pid: int) -> str | None:
    """The address in the command line of a supervisor; None for any other process."""
    arguments = read_arguments(pid)
    if SUPERVISOR_MODULE.encode() not in arguments or ADDRESS_OPTION.encode() not in arguments:
        return None
    at = arguments.index(ADDRESS_OPTION.encode())
    return os.fsdecode(arguments[at + 1]) if at + 1 < len(arguments) else None


def _is_supervised(entry: ProcessEntry, address: str, table: ProcessTable) -> bool:
    return any(above.alive and is_supervisor_of(above.pid, address) for above in table.ancestors(entry))


def _key_of(entry: ProcessEntry, inherited: Mark) -> str:
    own = read_mark(entry.pid)
    return own.key if own is not None and own.address == inherited.address else inherited.key

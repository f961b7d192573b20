"""Finds and ends what a dead supervisor left running, by the mark in its environment.

A program dies with its supervisor (parent-death signal), but what the program started does not. Such leftovers have the
unit's address in their environment and no living supervisor of that address among their ancestors. Both are required,
because a second unit started by mistake with the same identity must not end the programs of the first.

`end_leftovers` is called by a supervisor before it starts its daemon, by the guard when its supervisor dies, and by a
daemon that has lost its supervisor, before it releases its rows.
"""

import os
import select
import time
from typing import NamedTuple

from nodeunit.process.control_groups import end_abandoned
from nodeunit.process.process_table import (
    Mark,
    ProcessEntry,
    ProcessTable,
    kill_all,
    read_arguments,
    read_mark,
    read_name,
)

SUPERVISOR_MODULE = "nodeunit.supervisor"
SUPERVISOR_NAME = "nodeunit-superv"  # the kernel keeps 15 bytes
ADDRESS_OPTION = "--address"

_CHECK_AGAIN_AFTER_S = 0.02


class Leftover(NamedTuple):
    """A process without a supervisor, and the deployment it was started for."""

    entry: ProcessEntry
    key: str


def find_leftovers(address: str, table: ProcessTable | None = None) -> list[Leftover]:
    """The living processes marked with `address`, and all below them, whose ancestors include no living supervisor of
    that address."""
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
    """Kills leftovers until none is found; returns those still alive after `within_s` seconds.

    The control groups of dead supervisors are ended first, because processes in them may have lost their mark.

    Searches again after each kill, because a process may have forked before the signal. There is no grace period,
    because another unit may already run their successors.
    """
    give_up_at = time.monotonic() + within_s
    try:
        end_abandoned(address, within_s)
    except OSError:
        pass  # control groups are not available
    while leftovers := find_leftovers(address):
        kill_all(leftover.entry for leftover in leftovers)
        if time.monotonic() >= give_up_at:
            return leftovers
        select.select([], [], [], _CHECK_AGAIN_AFTER_S)
    return []


def supervisors() -> dict[tuple[int, int], str]:
    """The supervisors on this machine, of any unit: pid and start time to address."""
    entries = ProcessTable.read().entries.values()
    found = {entry.identity: _supervised_address(entry.pid) for entry in entries}
    # A supervisor's guard has the same command line, but another name.
    return {
        identity: address
        for identity, address in found.items()
        if address is not None and read_name(identity[0]) == SUPERVISOR_NAME
    }


def _supervised_address(pid: int) -> str | None:
    """The address in the command line of a supervisor; None for any other process and for an ending one, because a
    process loses its command line first, before its descriptors and its children."""
    arguments = read_arguments(pid)
    if SUPERVISOR_MODULE.encode() not in arguments or ADDRESS_OPTION.encode() not in arguments[:-1]:
        return None
    return os.fsdecode(arguments[arguments.index(ADDRESS_OPTION.encode()) + 1])


def _is_supervised(entry: ProcessEntry, address: str, table: ProcessTable) -> bool:
    return any(_supervised_address(above.pid) == address for above in table.ancestors(entry))


def _key_of(entry: ProcessEntry, inherited: Mark) -> str:
    own = read_mark(entry.pid)
    return own.key if own is not None and own.address == inherited.address else inherited.key

"""The faults: each harms a settled fleet as the seed has it, waits for what should follow, and undoes the harm."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.supervisor_watch import SILENT_S
from nodeunit.store.postgres.connections import ANSWER_WITHIN_S
from tools.faults.fleet import Fleet
from tools.faults.proxy import Fuse
from tools.faults.unit import Unit

BACK_WITHIN_S = 20.0


@dataclass
class Fault:
    """What was done to the fleet, filled in by the kind that does it."""

    victim: Unit
    held: list[UUID]
    """The rows of the victim before the fault."""
    at: float = 0.0
    """CLOCK_BOOTTIME when the harm was done."""
    wall: float = 0.0
    """The same by the clock of the database."""
    healed_at: float = 0.0
    may_be_lost: bool = False
    """Whether the victim may be declared lost for this."""
    struck_too: list[Unit] = field(default_factory=list)
    """Others who may be lost for this as well."""
    rows_must_stay: bool = False
    """Whether every program must continue untouched, under the same claim."""
    stops_must_stay: bool = False
    """Whether that holds for `stop` programs too."""
    freezes_programs: bool = False
    """Whether the programs are frozen too: a frozen program does not run, and counts again once it is thawed."""
    stop_is_promised_after_s: float | None = None
    """If given, two copies of a `stop` program count only from so long after the end of the fault."""
    watches: str = ""
    """What else is measured: `decides` or `drain`."""
    leader_at: float = 0.0
    """Seconds since 1970 when another server had become the primary; 0 where none does."""
    inserted: list[UUID] = field(default_factory=list)

    def strikes(self) -> None:
        """Now."""
        self.at, self.wall = boottime(), time.time()

    def heals(self) -> None:
        self.healed_at = boottime()


Kind = Callable[[Fleet, Fault, Random], Awaitable[None]]


async def kill_daemon(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGKILL to the daemon."""
    fault.rows_must_stay, fault.watches = True, "decides"
    daemon = fault.victim.daemon_within(BACK_WITHIN_S)
    fault.strikes()
    fault.victim.kill(daemon)
    fault.heals()
    await asyncio.sleep(1.0)


async def kill_supervisor(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGKILL to the supervisor: the programs die with it, and the daemon gives their rows back."""
    fault.may_be_lost = True
    fault.strikes()
    fault.victim.kill(fault.victim.supervisor)
    await _until_taken(fleet, fault)
    fault.victim.start()
    fault.heals()


async def kill_both(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGKILL to supervisor and daemon together."""
    fault.may_be_lost = True
    supervisor, daemon = fault.victim.supervisor, fault.victim.daemon_within(BACK_WITHIN_S)
    fault.strikes()
    fault.victim.kill(*random.sample((supervisor, daemon), 2))
    await _until_taken(fleet, fault)
    fault.victim.start()
    fault.heals()


async def freeze_daemon(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGSTOP to the daemon for longer than the lease."""
    await _freeze(fleet, fault, random.uniform(1.2, 2.5), fault.victim.daemon)


async def freeze_daemon_briefly(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGSTOP to the daemon for less than the lease."""
    await _freeze(fleet, fault, random.uniform(0.1, 0.6), fault.victim.daemon)


async def freeze_supervisor(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGSTOP to the supervisor, while the daemon runs; for longer than the lease."""
    await _freeze(fleet, fault, random.uniform(1.2, 2.0), fault.victim.supervisor)
    fault.may_be_lost = False


async def hang_supervisor(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGSTOP to the supervisor for so long that its daemon gives up the lease, and others take the rows."""
    await _freeze(fleet, fault, (SILENT_S + 3) / fleet.ttl_s + random.uniform(1, 2), fault.victim.supervisor)


async def freeze_both(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGSTOP to supervisor and daemon for longer than the lease: the guard is alone with the deadline."""
    pids = random.sample((fault.victim.supervisor, fault.victim.daemon), 2)
    await _freeze(fleet, fault, random.uniform(1.2, 2.5), *pids)


async def freeze_machine(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGSTOP to everything of the unit, guard and programs too, as a paused machine: beyond what `stop` promises."""
    fault.freezes_programs = True
    await _freeze(fleet, fault, random.uniform(1.2, 2.0), *fault.victim.everything())


async def cut_network(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Every connection reset and new ones refused, for longer than the lease."""
    fault.may_be_lost = True
    proxy = fleet.proxies[fault.victim.name]
    fault.strikes()
    await proxy.refuse()
    await proxy.cut()
    await asyncio.sleep(fleet.ttl_s * random.uniform(1.5, 3))
    await proxy.accept()
    fault.heals()


async def cut_network_briefly(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The same for less than the lease."""
    fault.rows_must_stay = True
    proxy = fleet.proxies[fault.victim.name]
    fault.strikes()
    await proxy.refuse()
    await proxy.cut()
    await asyncio.sleep(fleet.ttl_s * random.uniform(0, 0.35))
    await proxy.accept()
    fault.heals()


async def deafen_network(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Nothing passes and nothing is reset, for longer than the lease; then all that was held back arrives."""
    fault.may_be_lost = True
    proxy = fleet.proxies[fault.victim.name]
    fault.strikes()
    proxy.go_deaf()
    await asyncio.sleep(fleet.ttl_s * random.uniform(1.5, 3))
    proxy.hear_again()
    fault.heals()


async def strand_connections(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Every open connection passes nothing ever again, while new ones work: only the unit itself can notice."""
    fault.may_be_lost = fleet.ttl_s < ANSWER_WITHIN_S + 3
    fault.rows_must_stay = not fault.may_be_lost
    fault.strikes()
    fleet.proxies[fault.victim.name].strand()
    await asyncio.sleep(ANSWER_WITHIN_S + 2)
    fault.heals()


async def delay_network(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Everything arrives late, in each direction."""
    fault.rows_must_stay = True
    proxy = fleet.proxies[fault.victim.name]
    fault.strikes()
    proxy.delay(random.uniform(0.02, 0.06) * fleet.ttl_s)
    await asyncio.sleep(fleet.ttl_s * random.uniform(1.5, 2.5))
    proxy.delay(0)
    fault.heals()


async def end_sessions(fleet: Fleet, fault: Fault, random: Random) -> None:
    """pg_terminate_backend to every session of every unit."""
    fault.rows_must_stay = True
    fault.strikes()
    await fleet.observer.ask(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'nodeunit %%'"
    )
    fault.heals()
    await asyncio.sleep(1.0)


async def restart_database(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The server stops and is back after longer than the lease."""
    await _database_away(fleet, fault, fleet.ttl_s * random.uniform(1.2, 3))


async def restart_database_60_s(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The server is away for a minute."""
    await _database_away(fleet, fault, 60.0)


async def crash_database(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The server is killed without a word and started again after some seconds."""
    assert fleet.server is not None
    fault.rows_must_stay = True
    fault.strikes()
    await asyncio.to_thread(fleet.server.kill)
    await asyncio.sleep(fleet.ttl_s * random.uniform(0.5, 2))
    await asyncio.to_thread(fleet.server.start)
    fault.heals()


async def freeze_database(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Every process of the server is frozen for longer than the lease."""
    assert fleet.server is not None
    fault.rows_must_stay = True
    fault.strikes()
    await asyncio.to_thread(fleet.server.freeze)
    await asyncio.sleep(fleet.ttl_s * random.uniform(1.2, 3))
    await asyncio.to_thread(fleet.server.thaw)
    fault.heals()


async def fail_over(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The primary dies and the standby is promoted some seconds later. Once a fleet."""
    assert fleet.server is not None
    assert fleet.standby is not None
    fault.rows_must_stay = True
    fault.strikes()
    await asyncio.to_thread(fleet.server.kill)
    await asyncio.sleep(random.uniform(0.5, 8))
    await asyncio.to_thread(fleet.standby.promote)
    fault.heals()


async def drain(fleet: Fleet, fault: Fault, random: Random) -> None:
    """SIGTERM to the unit, which gives its rows back and leaves."""
    fault.watches = "drain"
    fault.strikes()
    fault.victim.terminate()
    await asyncio.to_thread(fault.victim.wait)
    await _until_taken(fleet, fault)
    fault.victim.start()
    fault.heals()


async def contend(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Rows inserted one by one within a moment, so that units see different states and meet at the same row."""
    fault.rows_must_stay = True
    fault.strikes()
    for _ in range(6):
        fault.inserted += await fleet.insert(1, "stop", "plain")
        await asyncio.sleep(random.uniform(0, 0.02))
    fault.heals()


async def cut_at_claim(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Each unit's connection reset at some byte of a claim or of its answer; several times over."""
    fault.rows_must_stay = True
    fault.strikes()
    for _ in range(4):
        for proxy in fleet.proxies.values():
            at = random.randrange(3000) if random.random() < 0.5 else None
            fuse = Fuse(sent=at, received=None if at is not None else random.randrange(1200))
            proxy.set_fuse(fuse)
        fault.inserted += await fleet.insert(3, "stop", "plain")
        await asyncio.sleep(random.uniform(0.05, 0.4))
    for proxy in fleet.proxies.values():
        proxy.set_fuse(None)
    fault.heals()


async def freeze_one_and_claim(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Supervisor and daemon of one unit frozen for six leases, while rows are inserted one by one: no other unit waits
    for it."""
    fault.may_be_lost = True
    fault.strikes()
    fault.victim.freeze(fault.victim.supervisor, fault.victim.daemon)
    while boottime() < fault.at + 6 * fleet.ttl_s:
        fault.inserted += await fleet.insert(1, "stop", "plain")
        await asyncio.sleep(random.uniform(0.2, 0.8) * fleet.ttl_s / 10)
    fault.victim.thaw()
    fault.heals()


async def burn_cpu(fleet: Fleet, fault: Fault, random: Random) -> None:
    """Twice as many busy processes as cores, for a few leases."""
    await _burn(fleet, fault, fleet.ttl_s * 5)


async def burn_cpu_300_s(fleet: Fleet, fault: Fault, random: Random) -> None:
    """The same for five minutes."""
    await _burn(fleet, fault, 300)


KINDS: dict[str, Kind] = {
    "kill-daemon": kill_daemon,
    "kill-supervisor": kill_supervisor,
    "kill-both": kill_both,
    "freeze-daemon": freeze_daemon,
    "freeze-daemon-briefly": freeze_daemon_briefly,
    "freeze-supervisor": freeze_supervisor,
    "hang-supervisor": hang_supervisor,
    "freeze-both": freeze_both,
    "freeze-machine": freeze_machine,
    "cut-network": cut_network,
    "cut-network-briefly": cut_network_briefly,
    "deafen-network": deafen_network,
    "strand-connections": strand_connections,
    "delay-network": delay_network,
    "end-sessions": end_sessions,
    "restart-database": restart_database,
    "restart-database-60s": restart_database_60_s,
    "crash-database": crash_database,
    "freeze-database": freeze_database,
    "fail-over": fail_over,
    "drain": drain,
    "contend": contend,
    "cut-at-claim": cut_at_claim,
    "freeze-one-and-claim": freeze_one_and_claim,
    "burn-cpu": burn_cpu,
    "burn-cpu-300s": burn_cpu_300_s,
}

NOT_AT_RANDOM = {"freeze-machine", "freeze-one-and-claim", "restart-database-60s", "fail-over", "burn-cpu-300s"}
"""Only when named: they promise something else, take minutes, or need a pair of servers."""


async def _freeze(fleet: Fleet, fault: Fault, leases: float, *pids: int | None) -> None:
    fault.may_be_lost = leases >= 1
    fault.rows_must_stay = leases < 1
    fault.strikes()
    fault.victim.freeze(*pids)
    await asyncio.sleep(fleet.ttl_s * leases)
    fault.victim.thaw()
    fault.heals()


async def _database_away(fleet: Fleet, fault: Fault, seconds: float) -> None:
    assert fleet.server is not None
    fault.rows_must_stay = True
    fault.strikes()
    await asyncio.to_thread(fleet.server.stop)
    await asyncio.sleep(seconds)
    await asyncio.to_thread(fleet.server.start)
    fault.heals()


async def _burn(fleet: Fleet, fault: Fault, seconds: float) -> None:
    fault.strikes()
    busy = [sys.executable, "-I", "-S", "-c", "while True: pass"]
    hogs = [await asyncio.create_subprocess_exec(*busy) for _ in range(2 * (os.cpu_count() or 1))]
    try:
        await asyncio.sleep(seconds)
    finally:
        for hog in hogs:
            hog.kill()
            await hog.wait()
    fault.heals()


async def _until_taken(fleet: Fleet, fault: Fault) -> None:
    """Returns when others hold every row of the victim; gives up after some leases, and the checker reports it."""
    give_up_at = boottime() + 3 * fleet.ttl_s + BACK_WITHIN_S
    while boottime() < give_up_at:
        rows = await fleet.observer.rows()
        if all(row.holder not in ("", fault.victim.address) for row in rows if row.id in fault.held):
            return
        await asyncio.sleep(0.1)

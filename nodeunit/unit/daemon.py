"""The daemon's life: join, work, join again when fenced, and leave when told to.

    hello ─→ join ─→ an epoch: heartbeat, listener, scheduler, runner, journal
               ↑        │ fenced            │ drain            │ replace
               └────────┘                   └─→ leave, exit 0  └─→ exit 0, the programs go on

One TaskGroup owns the duties of an epoch. What outlives an epoch, the link, the runner and the journal, belongs to the
daemon: programs do not notice that their unit has joined anew.
"""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from enum import Enum
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.domain.events import UnitListenerDeaf
from nodeunit.domain.restart import RestartRule
from nodeunit.errors import DatabaseError, IdentityAlive, NodeunitError, StaleEpoch
from nodeunit.process.leftovers import end_leftovers
from nodeunit.process.sampler import Sampler
from nodeunit.store import connections, membership, requirements
from nodeunit.store.decisions import DecisionStream
from nodeunit.store.listener import Listener, WakeUp
from nodeunit.store.membership import Membership
from nodeunit.unit.configuration import QUIET_AFTER_HEARTBEATS, Configuration
from nodeunit.unit.drain import drain
from nodeunit.unit.heartbeat import Heartbeat
from nodeunit.unit.journal import Journal
from nodeunit.unit.launch import Launcher
from nodeunit.unit.link import Link, Message
from nodeunit.unit.runner import Runner
from nodeunit.unit.scheduler import Scheduler

log = logging.getLogger(__name__)

ALIVE_EVERY_S = 1.0
LOOK_AT_LEASE_EVERY_S = 0.2
LEFTOVERS_WITHIN_S = 10.0


class Ending(Enum):
    """Why a daemon ends."""

    DRAIN = "drain"
    REPLACE = "replace"
    ORPHANED = "orphaned"
    """The supervisor is dead, and the programs with it."""


class Daemon:
    """One daemon process. `run` returns when it has nothing more to do; errors end it."""

    def __init__(self, configuration: Configuration, link: Link) -> None:
        s = configuration.settings
        self._configuration = configuration
        self._link = link
        self._journal = Journal()
        launcher = Launcher(configuration.address, s.trusted_package_regexp, s.enable_custom_command, s.stop_grace_s)
        self._runner = Runner(configuration.address, link, self._journal, launcher, RestartRule())
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self._pool = connections.pool(s.postgres_uri, f"unit {s.name}")

    async def run(self) -> None:
        """Lives. Raises what joining raises, and IdentityAlive when another unit has taken this identity."""
        await requirements.require(self._configuration.settings.postgres_uri, timescaledb=True)
        messages = self._link.messages()
        hello = await anext(messages, None)
        if hello is None:
            return
        async with self._pool, asyncio.TaskGroup() as background:
            self._receive(hello)
            tasks = [
                background.create_task(self._follow_supervisor(messages)),
                background.create_task(self._say_alive()),
            ]
            try:
                while not await self._epoch(UUID(hello["supervisor"]), Sampler(hello["pid"])):
                    log.warning("this unit was declared lost: it joins again and keeps what nobody took")
            except IdentityAlive:
                await self._stop_everything()
                raise
            finally:
                await self._link.flush()
                for task in tasks:
                    task.cancel()

    async def _epoch(self, supervisor: UUID, sampler: Sampler) -> bool:
        """Joins and works until the end of the epoch. False when the unit was fenced and is to join again."""
        sent_at = boottime()
        unit = await self._join(supervisor)
        log.info("joined as %s in epoch %d", unit.address, unit.epoch)
        self._link.send({"op": "ready"})
        decisions = DecisionStream(self._pool, unit)
        s = self._configuration.settings
        scheduler = Scheduler(self._pool, unit, s.trusted_package_regexp, decisions, self._runner)

        def on_wake_up(wake_up: WakeUp) -> None:
            scheduler.hear(wake_up)
            if wake_up.what != "eligible":
                self._runner.look()

        listener = Listener(s.postgres_uri, on_wake_up)
        heartbeat = Heartbeat(
            self._pool, unit, s.heartbeat_interval_s, sampler, self._runner, scheduler, listener,
            on_lease=self._on_lease, on_deaf=lambda missed: self._journal.write(UnitListenerDeaf(missed)),
        )  # fmt: skip
        fenced = False
        try:
            async with asyncio.TaskGroup() as duties:
                self._on_lease(sent_at + unit.lease_ttl_s)
                claiming = duties.create_task(scheduler.run())
                rest = [
                    duties.create_task(duty)
                    for duty in (
                        heartbeat.run(), listener.run(), self._runner.run(self._pool),
                        self._journal.run(self._pool, decisions),
                    )
                ]  # fmt: skip
                ending = await asyncio.shield(self._ending)
                claiming.cancel()
                await self._end(ending, unit)
                for duty in rest:
                    duty.cancel()
        except* StaleEpoch:
            fenced = True
        return not fenced

    async def _join(self, supervisor: UUID) -> Membership:
        """Joins. A lease under our identity may be a dead predecessor's: it is watched until it is renewed, and then
        somebody lives there, or until it has run out.
        """
        s = self._configuration.settings
        address = self._configuration.address
        joined = self._configuration.joined(socket.gethostname(), supervisor)
        first = None
        while True:
            try:
                return await membership.join(
                    self._pool, address, supervisor, joined,
                    lease_ttl_s=s.lease_ttl_s, quiet_after_s=QUIET_AFTER_HEARTBEATS * s.heartbeat_interval_s,
                )  # fmt: skip
            except IdentityAlive:
                lease = await membership.lease_of(self._pool, address)
                if lease is not None and first is not None and lease.renewed_at > first.renewed_at:
                    raise
                if first is None and lease is not None:
                    first = lease
                    log.warning("the lease of a unit with this identity runs %.0f s more; waiting", lease.left_s)
            await asyncio.sleep(LOOK_AT_LEASE_EVERY_S)

    async def _end(self, ending: Ending, unit: Membership) -> None:
        if ending is Ending.REPLACE:
            log.info("making room for a new daemon")
            return
        if ending is Ending.ORPHANED:
            left = await asyncio.to_thread(end_leftovers, unit.address, LEFTOVERS_WITHIN_S)
            if left:
                log.error("processes of this unit cannot be ended: %s", [one.entry.pid for one in left])
                return  # what may still run is not given back: the lease runs out and others decide
            self._runner.supervisor_is_gone()
        try:
            await drain(self._pool, unit, self._runner, self._journal)
        except DatabaseError as error:
            log.warning("could not leave in order (%s): the lease runs out", error)
        self._link.send({"op": "leave"})

    async def _stop_everything(self) -> None:
        """Another unit holds our identity: nothing may go on here."""
        async with asyncio.TaskGroup() as stopping:
            for key in self._runner.held():
                stopping.create_task(self._runner.give_back(key))
        self._link.send({"op": "leave"})

    def _on_lease(self, deadline: float) -> None:
        self._link.send({"op": "lease", "expires_boottime": deadline})
        self._runner.lease_is_good_until(deadline)

    async def _follow_supervisor(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self._receive(message)
        self._end_with(Ending.ORPHANED)

    async def _say_alive(self) -> None:
        while True:
            self._link.send({"op": "alive"})
            await asyncio.sleep(ALIVE_EVERY_S)

    def _receive(self, message: Message) -> None:
        match message["event"]:
            case "drain":
                self._end_with(Ending.DRAIN)
            case "replace":
                self._end_with(Ending.REPLACE)
            case _:
                self._runner.receive(message)
        if message["event"] == "hello" and message["draining"]:
            self._end_with(Ending.DRAIN)

    def _end_with(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)


async def run(configuration: Configuration, link_fd: int) -> None:
    """Runs a daemon to its end. Raises NodeunitError."""
    daemon = Daemon(configuration, await Link.open(link_fd))
    try:
        await daemon.run()
    except* NodeunitError as errors:
        raise errors.exceptions[0] from None

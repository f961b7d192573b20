"""The daemon's life: join, work, join again when fenced, and leave when told to.

    hello ─→ join ─→ a session: heartbeat, listener, scheduler, reconciler, outbox
               ↑        │ fenced            │ drain            │ replace
               └────────┘                   └─→ leave, exit 0  └─→ exit 0, the programs continue

Link, reconciler and outbox belong to the daemon and outlive a session, so that programs do not notice when their unit
joins again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

from nodeunit.clock import boottime
from nodeunit.daemon.configuration import INACTIVE_AFTER_HEARTBEATS, Configuration
from nodeunit.daemon.disk_sampler import DiskSampler
from nodeunit.daemon.end_reason import EndReason, EndRequest
from nodeunit.daemon.health import HealthTimes
from nodeunit.daemon.housekeeping import Housekeeping
from nodeunit.daemon.installs import Installs
from nodeunit.daemon.membership_session import MembershipSession
from nodeunit.daemon.offers import LOOK_WITHIN_S, Offers, OffersChanged, ability_of, offers_of, watch_offers
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.program_environment import Ports, UnitVariables
from nodeunit.daemon.program_limits import ProgramLimits
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.side_thread import SideThread
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_link import Message, SupervisorLink
from nodeunit.daemon.supervisor_watch import SupervisorSilent, SupervisorWatch
from nodeunit.domain.restart import RestartRule
from nodeunit.errors import IdentityAlive, NodeunitError, StaleEpoch
from nodeunit.install.of_unit import unit_store
from nodeunit.process.program_user import find_user
from nodeunit.process.sampler import Sampler
from nodeunit.store.postgres import connections, requirements
from nodeunit.store.write import membership
from nodeunit.store.write.membership import Membership

log = logging.getLogger(__name__)

ALIVE_EVERY_S = 1.0
READ_LEASE_EVERY_S = 0.2


class Daemon:
    """One daemon process, which joins under one identity."""

    def __init__(self, configuration: Configuration, link: SupervisorLink) -> None:
        s = configuration.settings
        self._configuration = configuration
        self._link = link
        self._outbox = Outbox()
        store = unit_store(s)
        self._look_at_offers = partial(offers_of, s, store)
        self._offers = Offers()
        ability = ability_of(s, self._offers)
        self._installs = Installs(store, ability, self._outbox)
        variables = UnitVariables(s.program_env_file, s.secrets_directory, configuration.own_variables)
        spawn_requests = self._spawn_requests = SpawnRequestBuilder(
            configuration.address,
            ability,
            s.stop_grace_s,
            variables,
            Ports(*s.port_range),
            self._installs,
            s.workspace,
            find_user(s.run_as).home if s.run_as else "",
        )
        self._reconciler = Reconciler(
            link, self._outbox, spawn_requests, RestartRule(), configuration.program_logs, HealthTimes()
        )
        self._installs.on_change = variables.on_change = self._reconciler.compare_again
        self._disk = DiskSampler(configuration.program_logs, store.size_bytes)
        self._end = EndRequest()
        self._containment = ""
        self._when_the_link_ends = EndReason.SUPERVISOR_DIED
        self._supervisor = SupervisorWatch()
        self._pool = connections.pool(s.postgres_uri, f"unit {s.name}")
        self._housekeeping = Housekeeping(self._pool, self._installs, self._reconciler, s.workspace, s.store_keep_s)

    async def run(self) -> None:
        """Returns when the daemon is done. Raises what joining raises; IdentityAlive means that another unit has joined
        with this identity.
        """
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
                background.create_task(ProgramLimits(hello["pid"], self._reconciler).run()),
                background.create_task(self._housekeeping.run()),
                background.create_task(self._disk.run()),
            ]
            try:
                await self._live(UUID(hello["supervisor"]), Sampler(hello["pid"]))
            except IdentityAlive:
                await self._stop_everything()
                raise
            finally:
                self._installs.end()
                await self._link.flush()
                for task in tasks:
                    task.cancel()

    async def _live(self, supervisor: UUID, sampler: Sampler) -> None:
        """Runs one session after another, until one ends normally."""
        while True:
            await self._supervisor.wait_until_it_answers()
            await self._find_offers()
            unit, sent_at = await self._join(supervisor)
            self._installs.join(unit)
            log.info("joined as %s in epoch %d", unit.address, unit.epoch)
            self._link.send({"op": "ready"})
            settings = self._configuration.settings
            session = MembershipSession(
                unit, settings, self._spawn_requests.ability, sampler, self._disk, self._link, self._supervisor,
                self._reconciler, self._outbox, partial(watch_offers, self._look_at_offers, self._offers),
            )  # fmt: skip
            fenced = silent = changed = False
            try:
                await session.run(sent_at, self._end)
            except* StaleEpoch:
                fenced = True
            except* SupervisorSilent as silence:
                log.error("%s: the lease is not renewed until it does", silence.exceptions[0])
                silent = True
            except* OffersChanged:
                log.info("what this unit offers has changed: it joins again, and its programs continue")
                changed = True
            if not (fenced or silent or changed):
                return
            if fenced:
                log.warning("this unit was declared lost: it joins again and keeps rows that no unit took over")

    async def _find_offers(self) -> None:
        """What it offers from this join on. What is on a disk that hangs is not offered until it can be looked at."""
        try:
            self._offers = await SideThread().run(self._look_at_offers, LOOK_WITHIN_S)
        except TimeoutError:
            log.warning("what this unit offers cannot be looked at: the disk of NODE_UNIT_SECRETS_DIR may hang")
        self._spawn_requests.ability = ability_of(self._configuration.settings, self._offers)

    async def _join(self, supervisor: UUID) -> tuple[Membership, float]:
        """Joins; returns the membership and the time (CLOCK_BOOTTIME) from which its lease counts.

        A lease under this identity may be that of a dead daemon. It is watched until it has expired, or until it is
        renewed: then another daemon is alive, and IdentityAlive is raised.
        """
        s = self._configuration.settings
        address = self._configuration.address
        joined = self._configuration.joined(supervisor, self._containment, self._offers)
        first = None
        while True:
            sent_at = boottime()
            try:
                unit = await membership.join(
                    self._pool, address, supervisor, joined,
                    lease_ttl_s=s.lease_ttl_s, inactive_after_s=INACTIVE_AFTER_HEARTBEATS * s.heartbeat_interval_s,
                )  # fmt: skip
                return unit, sent_at
            except IdentityAlive:
                lease = await membership.lease_of(self._pool, address)
                if lease is not None and first is not None and lease.renewed_at > first.renewed_at:
                    raise
                if first is None and lease is not None:
                    first = lease
                    log.warning("the lease of a unit with this identity expires in %.0f s; waiting", lease.left_s)
            await asyncio.sleep(READ_LEASE_EVERY_S)

    async def _stop_everything(self) -> None:
        """Stops all programs, because another unit has this identity."""
        async with asyncio.TaskGroup() as stopping:
            for key in self._reconciler.known_keys():
                stopping.create_task(self._reconciler.begin_release(key))
        self._link.send({"op": "leave"})

    async def _follow_supervisor(self, messages: AsyncIterator[Message]) -> None:
        async for message in messages:
            self._receive(message)
        self._end.request(self._when_the_link_ends)
        self._supervisor.on_answer()

    async def _say_alive(self) -> None:
        while True:
            self._link.send({"op": "alive"})
            await asyncio.sleep(ALIVE_EVERY_S)

    def _receive(self, message: Message) -> None:
        match message["event"]:
            case "drain":
                self._end.request(EndReason.DRAIN)
            case "replace":
                self._end.request(EndReason.REPLACE)
            case "ending":
                self._when_the_link_ends = EndReason.SUPERVISOR_ENDED
            case "alive":
                self._supervisor.on_answer()
            case _:
                self._reconciler.receive(message)
        if message["event"] == "hello":
            self._containment = message.get("containment", "")
            if message["draining"]:
                self._end.request(EndReason.DRAIN)


async def run(configuration: Configuration, link_fd: int) -> None:
    """Runs a daemon until it ends. Raises NodeunitError, the first one if several tasks failed."""
    daemon = Daemon(configuration, await SupervisorLink.open(link_fd))
    first: BaseException | None = None
    try:
        await daemon.run()
    except* NodeunitError as errors:
        first = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    if first is not None:
        raise first

"""A simulated unit: the session of the real daemon, with scheduler, listener and heartbeat, on an imagined machine."""

import asyncio
import hashlib
import logging
from typing import cast
from uuid import UUID

import base58
import msgspec

from nodeunit.clock import boottime
from nodeunit.daemon.configuration import INACTIVE_AFTER_HEARTBEATS, Configuration
from nodeunit.daemon.disk_sampler import DiskSampler
from nodeunit.daemon.end_reason import EndReason, EndRequest
from nodeunit.daemon.membership_session import MembershipSession
from nodeunit.daemon.offers import Offers
from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.reconciler import Reconciler
from nodeunit.daemon.spawn_request import SpawnRequestBuilder
from nodeunit.daemon.supervisor_watch import SupervisorWatch
from nodeunit.domain.can_run import Ability
from nodeunit.domain.restart import RestartRule
from nodeunit.errors import IdentityAlive, NodeunitError, StaleEpoch
from nodeunit.process.sampler import Sampler
from nodeunit.settings import Settings
from nodeunit.store.postgres.connections import Pool
from nodeunit.store.write import membership
from nodeunit.store.write.membership import Membership
from tools.fleet.imagined import ImaginedMachine, ImaginedSupervisor, NoDisk

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 0.2


class Plan(msgspec.Struct, frozen=True):
    """What one unit is."""

    number: int
    name: str
    policy: str
    trusted: str
    slowness: float
    lag_s: float
    heartbeat_interval_s: float
    lease_ttl_s: float

    @property
    def address(self) -> str:
        """As long as the address of a real unit, and the same in each run."""
        return base58.b58encode(hashlib.sha256(self.name.encode()).digest()).decode()


class SimulatedUnit:
    """Lives until it is told to leave."""

    def __init__(self, plan: Plan, conninfo: str, pool: Pool) -> None:
        self.joined = asyncio.Event()
        self._plan = plan
        self._pool = pool
        self._settings = Settings.from_environment(
            {
                "POSTGRES_URI": conninfo,
                "NODE_UNIT_NAME": plan.name,
                "NODE_UNIT_PASSWORD": "simulated",
                "NODE_UNIT_HOST": "simulated",
                "NODE_UNIT_CLAIM_POLICY": plan.policy,
                "TRUSTED_PACKAGE_REGEXP": plan.trusted,
                "ENABLE_CUSTOM_COMMAND": "true",
                "NODE_UNIT_HEARTBEAT_INTERVAL": str(plan.heartbeat_interval_s),
                "NODE_UNIT_LEASE_TTL": str(plan.lease_ttl_s),
                "NODE_UNIT_LOG_DIR": "/nonexistent",
                "NODE_UNIT_WORKSPACE": "/nonexistent",
            }
        )
        self._configuration = Configuration(plan.address, self._settings)
        self._offers = Offers()
        self._ability = Ability(plan.trusted, True)
        self._supervisor = UUID(bytes=hashlib.md5(f"{plan.name} {boottime()}".encode(), usedforsecurity=False).digest())
        self._link = ImaginedSupervisor(plan.number)
        self._machine = ImaginedMachine(plan.slowness, plan.lag_s)
        self._outbox = Outbox()
        requests = SpawnRequestBuilder(plan.address, self._ability, 1.0)
        self._reconciler = Reconciler(self._link, self._outbox, requests, RestartRule())
        self._link.receive = self._reconciler.receive
        self._end = EndRequest()

    def leave(self) -> None:
        """Asks it to drain and to leave, as SIGTERM does."""
        self._end.request(EndReason.DRAIN)

    async def run(self) -> None:
        """Joins and works until it has left; joins again when another unit declared it lost."""
        self._reconciler.receive(
            {"event": "hello", "supervisor": str(self._supervisor), "pid": 0, "programs": [], "states": {}}
        )
        while True:
            unit, sent_at = await self._join()
            self.joined.set()
            session = MembershipSession(
                unit, self._settings, self._ability, cast(Sampler, self._machine), cast(DiskSampler, NoDisk()),
                self._link, SupervisorWatch(), self._reconciler, self._outbox, _offers_never_change,
            )  # fmt: skip
            fenced = False
            try:
                await session.run(sent_at, self._end)
            except* StaleEpoch:
                fenced = True
            if not fenced:
                return
            log.warning("%s was declared lost and joins again", self._plan.name)

    async def _join(self) -> tuple[Membership, float]:
        joined = self._configuration.joined(self._supervisor, "simulated", self._offers)
        while True:
            sent_at = boottime()
            try:
                unit = await membership.join(
                    self._pool, self._plan.address, self._supervisor, joined, lease_ttl_s=self._plan.lease_ttl_s,
                    inactive_after_s=INACTIVE_AFTER_HEARTBEATS * self._plan.heartbeat_interval_s,
                )  # fmt: skip
                return unit, sent_at
            except IdentityAlive:
                pass  # its lease, from before its process was killed, runs out
            except NodeunitError as error:
                log.warning("%s cannot join yet: %s", self._plan.name, error)
            await asyncio.sleep(AGAIN_AFTER_S)


async def _offers_never_change() -> None:
    await asyncio.Event().wait()

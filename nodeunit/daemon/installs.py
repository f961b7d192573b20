"""Installs the packages of rows in the background, and says which programs can be started.

    row ─→ version: as recorded for the row, or resolved now ─→ lock of that version, if any unit has installed it
        ─→ store ─→ recorded: what the first unit recorded counts ─→ ready

What time can heal is tried again after growing delays, for ever. A package that is installed for one row is installed
for all.
"""

import asyncio
import logging
from collections.abc import Callable, Container, Set
from pathlib import Path
from uuid import uuid5

from nodeunit.daemon.outbox import Outbox
from nodeunit.daemon.spawn_request import NotRunnable
from nodeunit.domain.can_run import Ability, Needs, obstacle
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.program_events import ProgramInstalled, ProgramInstallFailed, ProgramInstalling
from nodeunit.errors import DatabaseError, StaleEpoch
from nodeunit.install.package import Installed, InstallFailed, Lock, Package
from nodeunit.install.store import InstallStore
from nodeunit.store.write import packages
from nodeunit.store.write.membership import Membership
from nodeunit.store.write.packages import RecordedLock

log = logging.getLogger(__name__)

FIRST_DELAY_S = 5.0
LONGEST_DELAY_S = 300.0
WITHOUT_DATABASE_S = 1.0


class _Job:
    """The installation for one revision of a row."""

    def __init__(self, row: Deployment) -> None:
        self.row = row
        self.task: asyncio.Task[None] | None = None
        self.installed: Installed | None = None
        self.obstacle: NotRunnable | None = None


class Installs:
    """The installations for the rows of this unit. They go on while the unit joins again."""

    def __init__(self, store: InstallStore, ability: Ability, outbox: Outbox) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called when a row can be started, or never will be in its present revision."""
        self._store = store
        self._ability = ability
        self._outbox = outbox
        self._jobs: dict[str, _Job] = {}
        self._unit: Membership | None = None

    def join(self, unit: Membership) -> None:
        """The membership under which installations are recorded from now on. Nothing is asked for before the first."""
        self._unit = unit

    def of(self, row: Deployment) -> Installed | None:
        """The installation for a row; None while it is being made. Raises NotRunnable if it cannot be made."""
        key = str(row.id)
        job = self._jobs.get(key)
        if job is None or job.row.revision != row.revision:
            self._cancel(key)
            job = self._jobs[key] = _Job(row)
            job.task = asyncio.get_running_loop().create_task(self._run(job))
            job.task.add_done_callback(lambda ended: self._on_end(job, ended))
        if job.obstacle is not None:
            raise job.obstacle
        return job.installed

    def directories(self) -> set[Path]:
        """What rows have of the store."""
        return {job.installed.directory for job in self._jobs.values() if job.installed is not None}

    def forget_all_but(self, keys: Container[str]) -> None:
        """Ends the installations for other rows."""
        for key in [key for key in self._jobs if key not in keys]:
            self._cancel(key)

    async def clean(self) -> None:
        """Removes what installations have left unfinished."""
        await asyncio.to_thread(self._store.clean)

    async def collect(self, running: Set[str], after_s: float) -> None:
        """Removes what nothing has used for so many seconds, except the directories that programs run from."""
        in_use = self.directories() | {Path(directory) for directory in running}
        for directory in await asyncio.to_thread(self._store.collect, in_use, after_s):
            log.info("removed %s from the store, because nothing has used it for long", directory.name)

    def end(self) -> None:
        """Ends all installations, because the daemon ends."""
        self.forget_all_but(())

    def _cancel(self, key: str) -> None:
        job = self._jobs.pop(key, None)
        if job is not None and job.task is not None:
            job.task.cancel()

    def _on_end(self, job: _Job, ended: "asyncio.Task[None]") -> None:
        """What nobody expected is said as well, and must not leave the row waiting in silence."""
        if ended.cancelled():
            return
        if (error := ended.exception()) is not None:
            log.error("the installation for %s ended unexpectedly", job.row.id, exc_info=error)
            job.obstacle = NotRunnable("install_failed", f"the installer ended unexpectedly: {error!r:.500}")
        self.on_change()

    async def _run(self, job: _Job) -> None:
        delay_s = FIRST_DELAY_S
        said: tuple[str, str] | None = None
        while True:
            try:
                job.installed = await self._attempt(job.row)
                if job.installed is not None:
                    break
                # The row has changed, or is elsewhere: this ends when the row is read again, unless it comes back.
                await asyncio.sleep(WITHOUT_DATABASE_S)
            except NotRunnable as error:
                job.obstacle = error
                break
            except InstallFailed as error:
                if not error.may_heal:
                    self._say_failed(job.row, error, None)
                    job.obstacle = NotRunnable(error.reason, error.detail)
                    break
                if said != (error.reason, error.detail):
                    said = error.reason, error.detail
                    self._say_failed(job.row, error, delay_s)
                await asyncio.sleep(delay_s)
                delay_s = min(2 * delay_s, LONGEST_DELAY_S)
            except (DatabaseError, StaleEpoch) as error:
                log.warning("the installation of %s waits for the database: %s", job.row.id, error)
                await asyncio.sleep(WITHOUT_DATABASE_S)

    async def _attempt(self, row: Deployment) -> Installed | None:
        """One try. None: the row wants something else by now, or this unit does not run it."""
        assert self._unit is not None
        pool = self._unit.pool
        agreed = await packages.agreed_for(pool, row)
        if agreed is not None:
            installed = await self._ensure(row, agreed.version, agreed)
            self._say_installed(row, installed)
            return installed
        version = await self._store.resolve(Package(row.runtime, row.package_name, row.package_version))
        self._require_trust(row, version)
        known = await packages.lock_of(pool, row.runtime, row.package_name, version)
        installed = await self._ensure(row, version, known)
        lock = installed.lock
        made = RecordedLock(lock.version, lock.integrity, lock.text, installed.packages)
        counts = await packages.record(self._unit, row, made)
        if counts is None:
            return None
        if (counts.version, counts.lock) != (made.version, made.lock):
            installed = await self._ensure(row, counts.version, counts)
        self._say_installed(row, installed)
        return installed

    async def _ensure(self, row: Deployment, version: str, agreed: RecordedLock | None) -> Installed:
        self._require_trust(row, version)
        lock = Lock(agreed.version, agreed.integrity, agreed.lock, agreed.packages) if agreed else None
        if not await asyncio.to_thread(self._store.find, row.runtime, row.package_name, version, lock):
            said = ProgramInstalling(row.id, row.runtime, row.package_name, row.package_version, row.address_version)
            self._put(said, row, "installing", version)
        package = Package(row.runtime, row.package_name, version)
        return await self._store.ensure(package, lock, needs_entry=not row.command)

    def _require_trust(self, row: Deployment, version: str) -> None:
        """A range or a tag may mean a version that the unit does not trust."""
        package = f"{row.package_name}@{version}"
        if obstacle(self._ability, Needs(package)) == "untrusted":
            raise NotRunnable(
                "not_trusted", f"{package} does not match TRUSTED_PACKAGE_REGEXP {self._ability.trusted!r}"
            )

    def _say_installed(self, row: Deployment, installed: Installed) -> None:
        said = ProgramInstalled(
            row.id, row.runtime, row.package_name, installed.version, installed.lock.integrity, installed.lock.digest,
            installed.packages, installed.took_s, row.address_version,
        )  # fmt: skip
        self._put(said, row, "installed", installed.lock.digest)

    def _say_failed(self, row: Deployment, error: InstallFailed, retry_s: float | None) -> None:
        log.warning("%s cannot be installed for %s (%s): %s", row.package_name, row.id, error.reason, error.detail)
        said = ProgramInstallFailed(
            row.id, row.runtime, row.package_name, row.package_version, error.reason, error.detail, retry_s,
            row.address_version,
        )  # fmt: skip
        self._outbox.put(said)

    def _put(self, event: ProgramInstalling | ProgramInstalled, row: Deployment, what: str, which: str) -> None:
        """Puts an event into the outbox once for each claim and revision, whichever daemon does."""
        name = f"{what} {row.address} {row.address_version} {row.revision} {which}"
        self._outbox.put(event, event_id=uuid5(row.id, name), maybe_written=True)

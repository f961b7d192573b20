"""The event types about programs, and about the packages they are installed from, by the rules of `domain.events`."""

from uuid import UUID

from nodeunit.domain.event import Event

WAITS_FOR_UNIT = frozenset({"no_secret", "no_port", "bad_env_file"})
"""The reasons of ProcessParked for which the unit looks again by itself."""

# --- programs -------------------------------------------------------------------------------------


class ProcessStarted(Event, frozen=True):
    """A unit runs the deployment's program."""

    deployment_id: UUID
    pid: int
    start_time: str
    """In clock ticks since boot, as the kernel gives it. With the pid it identifies the process."""
    revision: int
    """Of the specification that was started."""
    claim_version: int
    """The fencing token that the program got."""
    port: int = 0
    """What it got as PORT; 0 if the row asks for none."""
    package_version: str = ""
    """What the version of the row was resolved to; empty if nothing was installed."""
    awaits_check: bool = False
    """Whether the row has a start-up check: the program is ready with the event ProcessReady, not with this one."""


class ProcessReady(Event, frozen=True):
    """The start-up check of the program holds: it runs."""

    deployment_id: UUID
    pid: int
    after_s: float
    claim_version: int


class ProcessStopping(Event, frozen=True):
    """The program was asked to end and takes its time: `stopped`, or a reason as in ProcessExited."""

    deployment_id: UUID
    pid: int
    reason: str
    claim_version: int


class ProcessExited(Event, frozen=True):
    """The program ended, or could not be started (`spawn_failed`)."""

    deployment_id: UUID
    pid: int
    exit_code: int | None
    signal: int | None
    ran_s: float
    reason: str
    """`exited` by itself, `stopped` by the unit, `lease_expired`, `unit_ended`, `spawn_failed`, `out_of_memory`,
    `too_many_processes`, `unhealthy` or `startup_timeout`: ended for its limits or checks, or `supervisor_died`: killed
    with its supervisor, so its exit status is unknown."""
    detail: str
    claim_version: int = 0
    """Of the claim that it was started for; 0: not recorded, as before 0.2."""


class ProcessNotEnded(Event, frozen=True):
    """The unit cannot end the program: some of its processes survive SIGKILL. Its row is not released."""

    deployment_id: UUID
    pid: int
    detail: str
    claim_version: int = 0
    """As in ProcessExited."""


class ProcessCrashLooping(Event, frozen=True):
    """The program keeps failing. Said once, until it has run for a while; it is started again after growing delays."""

    deployment_id: UUID
    failures: int
    exit_code: int | None
    signal: int | None
    last_lines: list[str]
    """The end of its log: at most 20 lines of 4 KiB together, without control characters. If it could not be started,
    the reason."""
    retry_s: float
    """The delay until the next start."""
    claim_version: int


class ProcessParked(Event, frozen=True):
    """The unit restarts the program only after the row has changed or is claimed again; for a reason of
    `WAITS_FOR_UNIT`, also when the unit has what it lacks."""

    deployment_id: UUID
    reason: str
    detail: str
    claim_version: int = 0
    """As in ProcessExited."""


# --- packages -------------------------------------------------------------------------------------


class ProgramInstalling(Event, frozen=True):
    """The unit installs the package of a row."""

    deployment_id: UUID
    runtime: str
    package_name: str
    package_version: str
    claim_version: int


class ProgramInstalled(Event, frozen=True):
    """The package of a row is installed on the unit. Every unit that installs the row later gets the same bytes."""

    deployment_id: UUID
    runtime: str
    package_name: str
    package_version: str
    """What the version of the row was resolved to."""
    integrity: str
    """The hash of the package as its registry states it."""
    lock_digest: str
    """The SHA-256 of the lock, which has the versions and hashes of all that was installed."""
    packages: int
    """How many packages were installed."""
    took_s: float
    claim_version: int


class ProgramInstallFailed(Event, frozen=True):
    """The package of a row could not be installed."""

    deployment_id: UUID
    runtime: str
    package_name: str
    package_version: str
    reason: str
    """As in `nodeunit.install.package.InstallFailed`."""
    detail: str
    retry_s: float | None
    """Seconds until the next try; None: time cannot heal it, and the program is parked."""
    claim_version: int

"""Makes the request to start the program of a row, or finds the reason why it may not be started."""

import os
from collections.abc import Container
from typing import Any, Protocol, cast

from nodeunit.daemon.program_environment import DEFAULT_PORT_RANGE, Ports, UnitVariables
from nodeunit.domain.can_run import INSTALLED_RUNTIMES, Ability, Needs, obstacle
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.health_check import parse
from nodeunit.domain.program_options import ProgramOptions
from nodeunit.install.package import Installed
from nodeunit.process.environment import clean_environment
from nodeunit.process.runnable import argv_of
from nodeunit.supervisor.protocol import LONGEST_LINE, OnDisconnect, Spawn, encode

_USUAL = ProgramOptions()

_REMEMBERED = (
    "memory_limit_mb", "process_limit", "restart", "restart_limit",
    "startup_check", "startup_timeout_s", "liveness_check",
)  # fmt: skip
"""The options that a later daemon must know of a program, before it has read the row."""


class NotRunnable(Exception):
    """This unit cannot run the row; `reason` is for the event, the text for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Installing(Exception):
    """The package of the row is being installed."""


class Packages(Protocol):
    """Where the packages of rows are installed."""

    def of(self, row: Deployment) -> Installed | None:
        """The installation for a row; None while it is being made. Raises NotRunnable if it cannot be made."""

    def forget_all_but(self, keys: Container[str]) -> None:
        """Ends the installations for other rows."""


class SpawnRequestBuilder:
    """Builds the requests for what this unit may run."""

    def __init__(
        self,
        address: str,
        ability: Ability,
        grace_s: float,
        variables: UnitVariables | None = None,
        ports: Ports | None = None,
        packages: Packages | None = None,
        workspace: str = "",
        home: str = "",
    ) -> None:
        """`packages`: None for a unit that installs nothing. `workspace`: where each row has a directory of its own, in
        which its program runs; empty: `/`. `home`: that of the user that programs run as; empty: the unit's."""
        self.grace_s = grace_s
        """How long a program has to end, unless its row says it."""
        self.ports = ports or Ports(*DEFAULT_PORT_RANGE)
        self._address = address
        self._variables = variables or UnitVariables("", "", {})
        self.ability = ability
        """What the unit can run, as it joined with it."""
        self._packages = packages
        self._workspace = workspace
        self._home = home

    def forget_all_but(self, keys: Container[str]) -> None:
        """Keeps nothing for rows that are gone from this unit."""
        self.ports.forget_all_but(keys)
        self._variables.forget_all_but(keys)
        if self._packages is not None:
            self._packages.forget_all_but(keys)

    def may_replace(self, row: Deployment) -> bool:
        """Whether the program of an earlier revision may be stopped: not before the new version is installed, and not
        for one that cannot be installed."""
        if row.runtime not in INSTALLED_RUNTIMES:
            return True
        try:
            self._refuse_obstacles(row)
        except NotRunnable:
            return True
        try:
            return self._installed(row) is not None
        except (Installing, NotRunnable):  # the second was said when it was found out
            return False

    def grace_of(self, row: Deployment) -> float:
        """Seconds that the program has to end before it is killed."""
        return self.grace_s if row.options.stop_grace_s is None else row.options.stop_grace_s

    def _refuse_obstacles(self, row: Deployment) -> None:
        """Raises NotRunnable if the unit may not run the row, or cannot run any row of its kind."""
        package = f"{row.package_name}@{row.package_version}"
        # Without the secrets: one that is missing when the unit joins may be there now.
        match obstacle(self.ability, Needs(package, bool(row.command), row.runtime)):
            case "untrusted":
                trusted = self.ability.trusted
                raise NotRunnable("not_trusted", f"{package} does not match TRUSTED_PACKAGE_REGEXP {trusted!r}")
            case "commands_off":
                raise NotRunnable("custom_command_off", "the row has a command and ENABLE_CUSTOM_COMMAND is not on")
            case "no_runtime":
                raise NotRunnable("no_runtime", f"this unit cannot install {row.runtime} packages")

    def _installed(self, row: Deployment) -> Installed | None:
        """The package of a row; None if it has no need of one. Raises NotRunnable and Installing."""
        if row.runtime not in INSTALLED_RUNTIMES:
            return None
        if not row.package_name:
            raise NotRunnable("no_package", "the row has neither a command nor a package_name")
        if self._packages is None:
            raise NotRunnable("no_runtime", f"this unit cannot install {row.runtime} packages")
        installed = self._packages.of(row)
        if installed is None:
            raise Installing
        return installed

    def build(self, row: Deployment) -> Spawn:
        """The request to the supervisor. Raises NotRunnable; Installing or Reading while something is made or read for
        it; NotYet if the unit lacks something now."""
        self._refuse_obstacles(row)
        installed = self._installed(row)
        for check in filter(None, (row.options.startup_check, row.options.liveness_check)):
            try:
                parse(check)
            except ValueError as error:
                raise NotRunnable("bad_check", str(error)) from None
        try:
            argv = argv_of(row.command, row.args) if row.command or installed is None else [*installed.argv, *row.args]
        except ValueError as error:
            raise NotRunnable("bad_command", str(error)) from None
        given = self._variables.of(row)
        granted = dict(given.secrets)
        port = self.ports.take(str(row.id)) if row.options.wants_port else 0
        if port:
            granted["PORT"] = str(port)
        env = clean_environment(
            {**given.from_file, **row.env, **granted},
            deployment_id=str(row.id),
            address=self._address,
            claim_version=row.address_version,
            home=self._home,
        )
        if installed is not None and installed.path:
            env["PATH"] = ":".join((*installed.path, env["PATH"]))
        own = os.path.join(self._workspace, "deployments", str(row.id)) if self._workspace else "/"
        spawn: Spawn = {
            "op": "spawn",
            "key": str(row.id),
            "argv": argv,
            "env": env,
            "cwd": row.options.cwd or own,
            "make_cwd": not row.options.cwd,
            "on_disconnect": cast(OnDisconnect, row.on_disconnect),
            "grace_s": self.grace_of(row),
            "stop_signal": row.options.stop_signal,
            "memory_limit_mb": row.options.memory_limit_mb,
            "cpu_weight": row.options.cpu_weight,
            "process_limit": row.options.process_limit,
            "meta": self._meta_of(row, port, installed),
        }
        if (size := len(encode(spawn))) > LONGEST_LINE:
            raise NotRunnable("too_large", f"command, args and env are {size} bytes, more than can be handed on")
        return spawn

    def _meta_of(self, row: Deployment, port: int, installed: Installed | None) -> dict[str, Any]:
        """What this daemon, or the next one before it has read the row, has to know of the program while it runs."""
        options = {
            name: value for name in _REMEMBERED if (value := getattr(row.options, name)) != getattr(_USUAL, name)
        }
        own: dict[str, Any] = {
            "revision": row.revision,
            "claim_version": row.address_version,
            "grace_s": self.grace_of(row),
        }
        if installed is not None:
            own |= {"package_version": installed.version, "installation": str(installed.directory)}
        return own | options | ({"port": port} if port else {})

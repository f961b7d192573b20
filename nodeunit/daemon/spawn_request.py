"""Makes the request to start the program of a row, or finds the reason why it may not be started."""

from typing import Any, cast

from nodeunit.daemon.program_environment import DEFAULT_PORT_RANGE, Ports, UnitVariables
from nodeunit.domain.can_run import Ability, Needs, obstacle
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.health_check import parse
from nodeunit.domain.program_options import ProgramOptions
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


class SpawnRequestBuilder:
    """Builds the requests for what this unit may run."""

    def __init__(
        self,
        address: str,
        ability: Ability,
        grace_s: float,
        variables: UnitVariables | None = None,
        ports: Ports | None = None,
    ) -> None:
        self.grace_s = grace_s
        """How long a program has to end, unless its row says it."""
        self.ports = ports or Ports(*DEFAULT_PORT_RANGE)
        self._address = address
        self._variables = variables or UnitVariables("", "", {})
        self._ability = ability

    def grace_of(self, row: Deployment) -> float:
        """Seconds that the program has to end before it is killed."""
        return self.grace_s if row.options.stop_grace_s is None else row.options.stop_grace_s

    def build(self, row: Deployment) -> Spawn:
        """The request to the supervisor. Raises NotRunnable, and NotYet if the unit lacks something now."""
        package = f"{row.package_name}@{row.package_version}"
        # Without the secrets: one that is missing when the unit joins may be there now.
        match obstacle(self._ability, Needs(package, bool(row.command), row.runtime)):
            case "untrusted":
                trusted = self._ability.trusted
                raise NotRunnable("not_trusted", f"{package} does not match TRUSTED_PACKAGE_REGEXP {trusted!r}")
            case "commands_off":
                raise NotRunnable("custom_command_off", "the row has a command and ENABLE_CUSTOM_COMMAND is not on")
            case "no_runtime":
                raise NotRunnable("no_runtime", f"this unit cannot install {row.runtime} packages")
        if not row.command:
            raise NotRunnable("no_installer", f"{package} has no command, and packages cannot be installed yet")
        for check in filter(None, (row.options.startup_check, row.options.liveness_check)):
            try:
                parse(check)
            except ValueError as error:
                raise NotRunnable("bad_check", str(error)) from None
        try:
            argv = argv_of(row.command, row.args)
        except ValueError as error:
            raise NotRunnable("bad_command", str(error)) from None
        granted = self._variables.secrets(row)
        port = self.ports.take(str(row.id)) if row.options.wants_port else 0
        if port:
            granted["PORT"] = str(port)
        env = clean_environment(
            {**self._variables.from_file(), **row.env, **granted},
            deployment_id=str(row.id),
            address=self._address,
            claim_version=row.address_version,
        )
        spawn: Spawn = {
            "op": "spawn",
            "key": str(row.id),
            "argv": argv,
            "env": env,
            "cwd": row.options.cwd or None,
            "on_disconnect": cast(OnDisconnect, row.on_disconnect),
            "grace_s": self.grace_of(row),
            "stop_signal": row.options.stop_signal,
            "memory_limit_mb": row.options.memory_limit_mb,
            "cpu_weight": row.options.cpu_weight,
            "process_limit": row.options.process_limit,
            "meta": self._meta_of(row, port),
        }
        if (size := len(encode(spawn))) > LONGEST_LINE:
            raise NotRunnable("too_large", f"command, args and env are {size} bytes, more than can be handed on")
        return spawn

    def _meta_of(self, row: Deployment, port: int) -> dict[str, Any]:
        """What this daemon, or the next one before it has read the row, has to know of the program while it runs."""
        options = {
            name: value for name in _REMEMBERED if (value := getattr(row.options, name)) != getattr(_USUAL, name)
        }
        own = {"revision": row.revision, "claim_version": row.address_version, "grace_s": self.grace_of(row)}
        return own | options | ({"port": port} if port else {})

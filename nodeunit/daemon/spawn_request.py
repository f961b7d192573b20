"""Makes the request to start the program of a row, or finds the reason why it may not be started."""

from typing import Any, cast

from nodeunit.domain.can_run import Ability, Needs, obstacle
from nodeunit.domain.deployment import Deployment
from nodeunit.process.environment import clean_environment
from nodeunit.process.runnable import argv_of
from nodeunit.supervisor.protocol import LONGEST_LINE, OnDisconnect, Spawn, encode


class NotRunnable(Exception):
    """This unit cannot run the row; `reason` is for the event, the text for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class SpawnRequestBuilder:
    """Builds the requests for what this unit may run."""

    def __init__(self, address: str, ability: Ability, grace_s: float) -> None:
        self.grace_s = grace_s
        self._address = address
        self._ability = ability

    def grace_of(self, row: Deployment) -> float:
        """Seconds that the program has to end before it is killed."""
        return self.grace_s if row.options.stop_grace_s is None else row.options.stop_grace_s

    def build(self, row: Deployment) -> Spawn:
        """The request to the supervisor. Raises NotRunnable."""
        package = f"{row.package_name}@{row.package_version}"
        secrets = tuple(sorted(set(row.options.secrets.values())))
        match obstacle(self._ability, Needs(package, bool(row.command), row.runtime, secrets)):
            case "untrusted":
                trusted = self._ability.trusted
                raise NotRunnable("not_trusted", f"{package} does not match TRUSTED_PACKAGE_REGEXP {trusted!r}")
            case "commands_off":
                raise NotRunnable("custom_command_off", "the row has a command and ENABLE_CUSTOM_COMMAND is not on")
            case "no_runtime":
                raise NotRunnable("no_runtime", f"this unit cannot install {row.runtime} packages")
            case "no_secret":
                lacks = ", ".join(sorted(set(secrets).difference(self._ability.secrets)))
                raise NotRunnable("no_secret", f"this unit has no secret {lacks} in NODE_UNIT_SECRETS_DIR")
        if not row.command:
            raise NotRunnable("no_installer", f"{package} has no command, and packages cannot be installed yet")
        try:
            argv = argv_of(row.command, row.args)
        except ValueError as error:
            raise NotRunnable("bad_command", str(error)) from None
        spawn: Spawn = {
            "op": "spawn",
            "key": str(row.id),
            "argv": argv,
            "env": clean_environment(
                row.env, deployment_id=str(row.id), address=self._address, claim_version=row.address_version
            ),
            "cwd": row.options.cwd or None,
            "on_disconnect": cast(OnDisconnect, row.on_disconnect),
            "grace_s": self.grace_of(row),
            "stop_signal": row.options.stop_signal,
            "memory_limit_mb": row.options.memory_limit_mb,
            "cpu_weight": row.options.cpu_weight,
            "process_limit": row.options.process_limit,
            "meta": self._meta_of(row),
        }
        if (size := len(encode(spawn))) > LONGEST_LINE:
            raise NotRunnable("too_large", f"command, args and env are {size} bytes, more than can be handed on")
        return spawn

    def _meta_of(self, row: Deployment) -> dict[str, Any]:
        """What this daemon, or the next one, has to know of the program while it runs."""
        return {
            "revision": row.revision,
            "claim_version": row.address_version,
            "grace_s": self.grace_of(row),
            "memory_limit_mb": row.options.memory_limit_mb,
            "process_limit": row.options.process_limit,
        }

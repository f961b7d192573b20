"""What a program is given besides its row: variables of a file of the unit, secrets as variables, and a port.

    PATH, HOME, LANG  <  the file of the unit  <  env of the row  <  secrets and PORT  <  the three that the unit sets

All of it is found anew at each start. What a unit lacks now it may have later, so the program waits for it.
"""

from collections.abc import Container, Mapping

from nodeunit.domain.deployment import Deployment
from nodeunit.domain.ports import port_of
from nodeunit.process.environment_file import EnvironmentFileInvalid, read_environment_file
from nodeunit.process.free_port import is_free
from nodeunit.process.secret_files import SecretUnusable, read_secret

DEFAULT_PORT_RANGE = (20_000, 29_999)

OWN_PREFIX = "NODE_UNIT_"
"""Variables of this name in the file are settings of the unit, and not for programs."""


class NotYet(Exception):
    """The unit lacks something that the program needs. `reason` is for the event, the text for people."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason


class Ports:
    """The ports of the rows on this unit."""

    def __init__(self, first: int, last: int) -> None:
        self._first = first
        self._last = last
        self._of: dict[str, int] = {}

    def take(self, key: str) -> int:
        """A free port for a program that is about to be started. Raises NotYet."""
        port = port_of(key, self._of, self._first, self._last, is_free)
        if port is None:
            raise NotYet("no_port", f"each port of NODE_UNIT_PORT_RANGE={self._first}-{self._last} is in use")
        self._of[key] = port
        return port

    def keep(self, key: str, port: int) -> None:
        """A running program has this port, by the word of the daemon before."""
        if port:
            self._of[key] = port

    def forget_all_but(self, keys: Container[str]) -> None:
        """Others may have the ports of rows that are gone from this unit."""
        self._of = {key: port for key, port in self._of.items() if key in keys}


class UnitVariables:
    """The file and the secrets of the unit. `own` are variables of the unit itself, which the file may contain when
    somebody uses one file for both; they are not handed on."""

    def __init__(self, environment_file: str, secrets_directory: str, own: Mapping[str, str]) -> None:
        self._environment_file = environment_file
        self._secrets_directory = secrets_directory
        self._own = own

    def from_file(self) -> dict[str, str]:
        """Those of the file, which is read anew. Raises NotYet."""
        if not self._environment_file:
            return {}
        try:
            found = read_environment_file(self._environment_file)
        except EnvironmentFileInvalid as error:
            raise NotYet("bad_env_file", f"NODE_UNIT_PROGRAM_ENV_FILE {error}") from None
        return {
            name: value
            for name, value in found.items()
            if not name.startswith(OWN_PREFIX) and self._own.get(name) != value
        }

    def secrets(self, row: Deployment) -> dict[str, str]:
        """The secrets that the row names, by variable. Raises NotYet."""
        try:
            return {
                variable: read_secret(self._secrets_directory, name) for variable, name in row.options.secrets.items()
            }
        except SecretUnusable as error:
            raise NotYet("no_secret", str(error)) from None

"""What a program is given besides its row: variables of a file of the unit, secrets as variables, and a port.

    PATH, HOME, LANG  <  the file of the unit  <  env of the row  <  secrets and PORT  <  the three that the unit sets

All of it is found anew at each start. What a unit lacks now it may have later, so the program waits for it.
"""

import asyncio
from collections.abc import Callable, Container, Mapping
from typing import NamedTuple

from nodeunit.daemon.side_thread import SideThread
from nodeunit.domain.deployment import Deployment
from nodeunit.domain.ports import port_of
from nodeunit.process.environment_file import EnvironmentFileInvalid, read_environment_file
from nodeunit.process.free_port import is_free
from nodeunit.process.secret_files import SecretUnusable, read_secret

DEFAULT_PORT_RANGE = (20_000, 29_999)

READ_WITHIN_S = 5.0

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


class Reading(Exception):
    """The file or the secrets of a program are being read."""


class Given(NamedTuple):
    """Variables."""

    from_file: dict[str, str]
    secrets: dict[str, str]


class UnitVariables:
    """The file and the secrets of the unit. `own` are variables of the unit itself, which the file may contain when
    somebody uses one file for both; they are not handed on.

    They are read aside, because a disk that hangs must keep waiting only the programs that need it.
    """

    def __init__(self, environment_file: str, secrets_directory: str, own: Mapping[str, str]) -> None:
        self.on_change: Callable[[], None] = lambda: None
        """Called when something has been read, or will not be."""
        self._environment_file = environment_file
        self._secrets_directory = secrets_directory
        self._own = own
        self._thread = SideThread()
        self._one_by_one = asyncio.Lock()
        self._readings: dict[str, tuple[int, asyncio.Task[Given]]] = {}

    def of(self, row: Deployment) -> Given:
        """What a program is given at this start. Raises Reading until that is read, and NotYet if it cannot be had."""
        if not self._environment_file and not row.options.secrets:
            return Given({}, {})
        key = str(row.id)
        revision, reading = self._readings.get(key, (0, None))
        if reading is None or revision != row.revision:
            reading = asyncio.get_running_loop().create_task(self._read(row))
            reading.add_done_callback(self._on_read)
            self._readings[key] = row.revision, reading
        if not reading.done():
            raise Reading
        del self._readings[key]
        return reading.result()

    def forget_all_but(self, keys: Container[str]) -> None:
        """Reads nothing for rows that are gone from this unit."""
        for key in [key for key in self._readings if key not in keys]:
            self._readings.pop(key)[1].cancel()

    def _on_read(self, reading: "asyncio.Task[Given]") -> None:
        if not reading.cancelled():
            reading.exception()  # raised in `of`, unless the row is gone by then
        self.on_change()

    async def _read(self, row: Deployment) -> Given:
        file, directory = self._environment_file, self._secrets_directory
        given = Given({}, {})
        async with self._one_by_one:
            if file:
                where = f"NODE_UNIT_PROGRAM_ENV_FILE {file}"
                given = given._replace(from_file=await self._aside(self._from_file, "bad_env_file", where))
            if row.options.secrets:
                where = f"NODE_UNIT_SECRETS_DIR {directory}"
                given = given._replace(secrets=await self._aside(lambda: self._secrets(row), "no_secret", where))
        return given

    async def _aside(self, read: Callable[[], dict[str, str]], reason: str, where: str) -> dict[str, str]:
        try:
            return await self._thread.run(read, READ_WITHIN_S)
        except TimeoutError:
            raise NotYet(reason, f"{where} does not answer: its disk may hang") from None

    def _from_file(self) -> dict[str, str]:
        try:
            found = read_environment_file(self._environment_file)
        except EnvironmentFileInvalid as error:
            raise NotYet("bad_env_file", f"NODE_UNIT_PROGRAM_ENV_FILE {error}") from None
        return {
            name: value
            for name, value in found.items()
            if not name.startswith(OWN_PREFIX) and self._own.get(name) != value
        }

    def _secrets(self, row: Deployment) -> dict[str, str]:
        try:
            return {
                variable: read_secret(self._secrets_directory, name) for variable, name in row.options.secrets.items()
            }
        except SecretUnusable as error:
            raise NotYet("no_secret", str(error)) from None

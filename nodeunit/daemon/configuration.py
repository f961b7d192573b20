"""The settings of the daemon, read once from what the supervisor passes on."""

import os
from typing import Any
from uuid import UUID

import msgspec

from nodeunit import __version__
from nodeunit.daemon.offers import Offers
from nodeunit.domain.events import UnitJoined
from nodeunit.settings import Settings

INACTIVE_AFTER_HEARTBEATS = 2
"""A unit that missed this many heartbeats takes no part in rounds, long before its lease expires."""


class Configuration(msgspec.Struct, frozen=True):
    """The daemon's part of the settings: the address in place of the password that it is derived from."""

    address: str
    settings: Settings
    libpq: dict[str, str] = {}
    """The `PG*` variables that the unit was started with. No child inherits them."""

    @property
    def program_logs(self) -> str:
        """The directory in which the supervisor keeps the logs of this unit's programs."""
        return os.path.join(self.settings.log_directory, self.address[:8])

    @property
    def own_variables(self) -> dict[str, str]:
        """The variables with which the unit reaches its database. They are not for programs."""
        return {"POSTGRES_URI": self.settings.postgres_uri, **self.libpq}

    def joined(self, supervisor: UUID, containment: str, offers: Offers) -> UnitJoined:
        """The event with which this unit joins; the database fills in epoch and predecessor."""
        s = self.settings
        return UnitJoined(
            name=s.name,
            host=s.host,
            epoch=0,
            succeeds=None,
            supervisor=supervisor,
            policy=s.claim_policy,
            cpu_weight=s.cpu_weight,
            memory_weight=s.memory_weight,
            reserved_cpu_percent=s.reserved_cpu_percent,
            reserved_memory_mb=s.reserved_memory_mb,
            trusted=s.trusted_package_regexp,
            custom_command=s.enable_custom_command,
            version=__version__,
            containment=containment,
            runtimes=offers.runtimes,
            secrets=offers.secrets,
        )


def of_unit(settings: Settings, address: str, environ: dict[str, str]) -> dict[str, Any]:
    """What `read` returns in the daemon, as JSON values."""
    libpq = {name: value for name, value in environ.items() if name.startswith("PG")}
    plain = msgspec.structs.replace(settings, password="")
    return {"address": address, "settings": msgspec.to_builtins(plain), "libpq": libpq}


def read(settings_fd: int) -> Configuration:
    """Reads the settings, from a socket or from the memory file of an earlier supervisor, and closes it."""
    with open(settings_fd, "rb", buffering=0) as file:
        whole = msgspec.json.decode(file.read())
    configuration = msgspec.convert(whole["daemon"], Configuration)
    os.environ.update(configuration.libpq)
    return configuration

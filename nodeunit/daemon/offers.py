"""What a unit offers to rows besides its trust: runtimes it can install for, and secrets. Other units learn it when the
unit joins, so it joins again when that changes: programs do not notice."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from nodeunit.daemon.side_thread import SideThread
from nodeunit.domain.can_run import INSTALLED_RUNTIMES, Ability
from nodeunit.install.store import InstallStore
from nodeunit.process.secret_files import secret_names
from nodeunit.settings import Settings

LOOK_EVERY_S = 15.0
LOOK_WITHIN_S = 5.0


class Offers(NamedTuple):
    """Sorted names."""

    runtimes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class OffersChanged(Exception):
    """The unit offers something else than it did when it joined."""


def offers_of(settings: Settings, store: InstallStore) -> Offers:
    """What this unit offers now. It may wait for a disk."""
    runtimes = tuple(runtime for runtime in INSTALLED_RUNTIMES if not store.missing(runtime))
    return Offers(runtimes, tuple(secret_names(settings.secrets_directory)))


def ability_of(settings: Settings, offers: Offers) -> Ability:
    """What this unit can run."""
    return Ability(settings.trusted_package_regexp, settings.enable_custom_command, offers.runtimes, offers.secrets)


async def watch_offers(look: Callable[[], Offers], joined_with: Offers, every_s: float = LOOK_EVERY_S) -> None:
    """Raises OffersChanged once `look` finds something else. What cannot be looked at now is as it was."""
    thread = SideThread()
    while True:
        await asyncio.sleep(every_s)
        try:
            found = await thread.run(look, LOOK_WITHIN_S)
        except TimeoutError:
            continue
        if found != joined_with:
            raise OffersChanged

"""What a unit offers to rows besides its trust: runtimes it can install for, and secrets. Other units learn it when the
unit joins."""

from typing import NamedTuple

from nodeunit.domain.can_run import INSTALLED_RUNTIMES, Ability
from nodeunit.install.store import InstallStore
from nodeunit.process.secret_files import secret_names
from nodeunit.settings import Settings


class Offers(NamedTuple):
    """Sorted names."""

    runtimes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


def offers_of(settings: Settings, store: InstallStore) -> Offers:
    """What this unit offers now."""
    runtimes = tuple(runtime for runtime in INSTALLED_RUNTIMES if not store.missing(runtime))
    return Offers(runtimes, tuple(secret_names(settings.secrets_directory)))


def ability_of(settings: Settings, offers: Offers) -> Ability:
    """What this unit can run."""
    return Ability(settings.trusted_package_regexp, settings.enable_custom_command, offers.runtimes, offers.secrets)

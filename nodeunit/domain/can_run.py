"""Whether a unit can run a row: the one predicate that the scheduler, rankings, verdicts, plans and backtests share.

A unit claims only what it can run, and is compared only with units that can run it too. What a row needs beyond its
package and its command, and what a unit offers for it, belongs here as well.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol, get_args

import msgspec

from nodeunit import patterns

INSTALLED_RUNTIMES = ("npm", "python")
"""The runtimes whose packages a unit installs. Every unit can run a command without one."""


class Able(Protocol):
    """The part of a unit that matters here."""

    @property
    def trusted(self) -> str:
        """The regular expression that must be found in `name@version` of a package."""

    @property
    def custom_command(self) -> bool:
        """Whether the unit runs the commands of rows."""

    @property
    def runtimes(self) -> Sequence[str]:
        """The runtimes for which the unit can install packages, `npm` or `python`."""

    @property
    def secrets(self) -> Sequence[str]:
        """The names of the secret files that the unit has."""


class Needy(Protocol):
    """The part of a row that matters here."""

    @property
    def package(self) -> str:
        """`name@version`."""

    @property
    def has_command(self) -> bool:
        """Whether the row has a command of its own."""

    @property
    def runtime(self) -> str:
        """`npm`, `python` or `command`; empty: not recorded, as before 0.2, and then it does not count."""

    @property
    def secrets(self) -> Sequence[str]:
        """The names of the secrets that the row wants in its environment."""


class Ability(msgspec.Struct, frozen=True):
    """What a unit can run. Units of one ability can run the same rows."""

    trusted: str
    custom_command: bool = False
    runtimes: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()


class Needs(NamedTuple):
    """What a row needs of a unit. Rows of the same needs can be run by the same units."""

    package: str
    has_command: bool = False
    runtime: str = ""
    secrets: tuple[str, ...] = ()


Obstacle = Literal["untrusted", "commands_off", "no_runtime", "no_secret"]
"""Why a unit cannot run a row: its trust pattern does not match, it runs no commands and the row has one, it cannot
install for the row's runtime, or it lacks a secret."""

OBSTACLES: frozenset[str] = frozenset(get_args(Obstacle))


def obstacle(unit: Able, row: Needy) -> Obstacle | None:
    """What keeps the unit from running the row; None if it can run it.

    The pattern is tested before anything is claimed, installed or run. One that cannot be used trusts
    nothing. It may come from another unit, perhaps of another version, and the bad setting of one unit must not stop
    the rounds of the others.
    """
    pattern = patterns.usable(unit.trusted)
    if pattern is None or pattern.search(row.package) is None:
        return "untrusted"
    if row.has_command and not unit.custom_command:
        return "commands_off"
    if row.runtime in INSTALLED_RUNTIMES and row.runtime not in unit.runtimes:
        return "no_runtime"
    if not set(row.secrets).issubset(unit.secrets):
        return "no_secret"
    return None


def can_run(unit: Able, row: Needy) -> bool:
    """Whether nothing keeps the unit from running the row."""
    return obstacle(unit, row) is None

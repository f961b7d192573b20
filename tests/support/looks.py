"""Counts how often the daemon looks at the checks of programs. The looks themselves are real."""

from collections.abc import Callable

import pytest

from nodeunit.daemon import health, health_probe
from nodeunit.daemon.health_probe import Look, Subject
from nodeunit.domain.health_check import HealthCheck


class Looks:
    """All looks since it was made."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at: list[HealthCheck] = []
        self.before_each: Callable[[int], None] = lambda _: None
        """Called with the number of each look, from 0, before it."""
        monkeypatch.setattr(health, "look", self._look)

    async def _look(self, check: HealthCheck, subject: Subject, not_older_than: float = 0.0) -> Look:
        self.before_each(len(self.at))
        found = await health_probe.look(check, subject, not_older_than)
        self.at.append(check)
        return found

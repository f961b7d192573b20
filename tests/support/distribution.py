"""How processes share the tests (`pytest --numprocesses`): by module, but all of e2e in one.

Modules are given out in the order of their names (`--no-loadscope-reorder`): those of chaos, which take longest, come
first, and the many short ones fill up the end.
"""

from xdist.scheduler import LoadFileScheduling

ALONE = "tests/e2e"
"""Its tests never run beside each other, because their units share names."""

TOGETHER = (ALONE, "tests/chaos")
"""Folders in which tests may start units: fleets of chaos have identities of their own."""


class ByModule(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out whole modules, because their fixtures are made once, and the folder of `ALONE` as a whole."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        folder = module.rpartition("/")[0]
        return folder if folder == ALONE else module

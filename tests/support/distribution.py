"""How processes share the tests (`pytest --numprocesses`): by module, but all of e2e and all of chaos in one each."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/e2e", "tests/chaos")
"""Folders whose tests never run beside each other, because their units share names and the machine's cores."""


class ByModule(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out whole modules, because their fixtures are made once; the folders of `TOGETHER` are given out whole."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        folder = module.rpartition("/")[0]
        return folder if folder in TOGETHER else module

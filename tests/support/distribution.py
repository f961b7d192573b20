"""How processes share the tests (`pytest --numprocesses`): by module, but all of e2e in one, and chaos in two."""

from xdist.scheduler import LoadFileScheduling

TOGETHER = ("tests/e2e", "tests/chaos")
"""Folders whose tests share the names of units or the machine's cores: few of them run beside each other."""

EVERY_FAULT = "tests/chaos/test_faults.py"
"""Takes as long as all other tests of chaos, and has fleets of its own."""


class ByModule(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out whole modules, because their fixtures are made once; the folders of `TOGETHER` are given out whole."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        folder = module.rpartition("/")[0]
        return folder if folder in TOGETHER and module != EVERY_FAULT else module

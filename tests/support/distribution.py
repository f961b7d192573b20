"""How processes share the tests (`pytest --numprocesses`): by module, but what has the identities of the report in one.

Modules are given out in the order of their names (`--no-loadscope-reorder`): those of chaos, which take longest, come
first, and the many short ones fill up the end.
"""

from xdist.scheduler import LoadFileScheduling

SAME_IDENTITIES = ("tests/e2e/test_demo.py", "tests/e2e/test_embedded.py", "tests/e2e/test_report_run.py")
"""These never run beside each other, because their units have the names and passwords of the report."""

WITH_UNITS = ("tests/e2e", "tests/chaos")
"""Folders in which tests may start units. Each process of the tests gives its units identities of their own."""


class ByModule(LoadFileScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives out whole modules, because their fixtures are made once, and those of `SAME_IDENTITIES` as one."""

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return SAME_IDENTITIES[0] if module in SAME_IDENTITIES else module

"""Identical daemons claim deployments over PostgreSQL with TimescaleDB; every decision is an event.

Imports go downwards only: cli, then demo, then daemon and audit, then store and supervisor, then process, then domain,
then the bottom (errors, settings, identity, clock, log). `nodeunit.__version__` is the version of the installed
distribution.
"""

__version__: str


def __getattr__(name: str) -> str:
    """Looks the version up only on request, because the supervisor imports this package and must stay small."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("nodeunit")

"""The store of a unit, as its settings say."""

from pathlib import Path

from nodeunit.install.child import Limits
from nodeunit.install.npm import NpmInstaller
from nodeunit.install.python import PythonInstaller
from nodeunit.install.store import InstallStore
from nodeunit.settings import Settings


def unit_store(settings: Settings) -> InstallStore:
    """With an installer for each runtime, whether or not the unit has what it needs; `missing` says that."""
    workspace = Path(settings.workspace)
    cache = workspace / "cache"
    limits = Limits(time_s=settings.install_timeout_s)
    npm = NpmInstaller(cache / "npm", registry=settings.npm_registry, scripts=settings.npm_scripts, limits=limits)
    python = PythonInstaller(
        cache / "python", index=settings.python_index, source_builds=settings.python_source_builds, limits=limits
    )
    # Programs of another user run what is in it, and need not list it.
    return InstallStore(workspace / "store", [npm, python], cache, mode=0o711 if settings.run_as else 0o700)

"""Packages from an npm registry, installed by npm and run by Node.js.

The registry and its credentials are those of the unit's user (`.npmrc` in its home) or of the unit's settings. They are
given to npm only. Everything must come from a registry, and nothing of a package is run while it is installed, unless
the unit allows that.
"""

import json
import logging
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path

from nodeunit.domain.npm_names import exact_version, name_problem, version_problem
from nodeunit.install.child import Finished, Limits, run
from nodeunit.install.npm_entry import entry_file
from nodeunit.install.npm_errors import failure
from nodeunit.install.npm_lock import read_lock
from nodeunit.install.package import Entry, InstallFailed, Lock
from nodeunit.process.environment import base_environment

log = logging.getLogger(__name__)

_LOCK_FILE = "package-lock.json"

# What a user's .npmrc may say otherwise and an installation depends on is among them.
_OPTIONS = (
    "--json", "--loglevel=error", "--color=false", "--progress=false", "--update-notifier=false", "--audit=false",
    "--fund=false", "--logs-max=0", "--omit=dev", "--lockfile-version=3", "--omit-lockfile-registry-resolved",
    "--package-lock", "--package-lock-only=false", "--save", "--global=false", "--install-strategy=hoisted",
    # The unit tries again by itself.
    "--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000", "--fetch-timeout=30000",
)  # fmt: skip

# An unknown option is no error for npm, so an older one runs too, without the last four. For that one there is no git,
# and the lock that it makes is refused.
_FROM_REGISTRIES_ONLY = (
    "--git=/bin/false", "--allow-git=none", "--allow-remote=none", "--allow-file=none", "--allow-directory=none",
)  # fmt: skip


class NpmInstaller:
    """Installs with the npm that is first in PATH."""

    runtime = "npm"

    def __init__(
        self,
        cache: Path,
        *,
        registry: str = "",
        scripts: bool = False,
        limits: Limits = Limits(),  # noqa: B008 - immutable
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`cache`: a directory for what npm has downloaded. `registry`: its URL; empty: as the user's `.npmrc` says.

        `scripts`: whether packages may run code while they are installed. `environ`: where PATH and HOME are taken
        from; None: from this process.
        """
        self._cache = cache
        self._registry = registry
        self._scripts = scripts
        self._limits = limits
        self._env = {**base_environment(environ), **_certificates()}

    def missing(self) -> str:
        lacking = [name for name in ("node", "npm") if self._program(name) is None]
        return f"{' and '.join(lacking)} cannot be found in the PATH of this unit." if lacking else ""

    async def resolve(self, name: str, wanted: str) -> str:
        _check(name, wanted)
        exact = exact_version(wanted)
        if exact:
            return exact
        spec = f"{name}@{wanted or 'latest'}"
        self._cache.mkdir(parents=True, exist_ok=True)
        # Of npm's commands only this one chooses a version as an installation does. It downloads the package, which an
        # installation then finds in the cache.
        done = await self._npm(self._cache, "pack", spec, "--dry-run", "--ignore-scripts")
        try:
            chosen = exact_version(json.loads(done.stdout)[0]["version"]) if done.code == 0 else ""
        except (ValueError, TypeError, KeyError, IndexError, RecursionError):
            raise InstallFailed("bad_manifest", f"What npm says about {spec} is no version.", may_heal=True) from None
        if not chosen:
            raise failure(spec, done.stdout, done.stderr)
        return chosen

    async def install(self, name: str, version: str, lock: Lock | None, directory: Path) -> Lock:
        _check(name, version)
        package = f"{name}@{version}"
        manifest = {"name": "installation", "private": True, "dependencies": {name: version}}
        (directory / "package.json").write_text(json.dumps(manifest), encoding="utf-8")
        if lock is not None:
            (directory / _LOCK_FILE).write_text(read_lock(name, lock.text).text, encoding="utf-8")
        scripts = (
            ("--ignore-scripts=false", "--dangerously-allow-all-scripts") if self._scripts else ("--ignore-scripts",)
        )
        command = "ci" if lock else "install"
        done = await self._npm(directory, command, "--dry-run=false", *_FROM_REGISTRIES_ONLY, *scripts)
        if done.code != 0:
            raise failure(package, done.stdout, done.stderr)
        made = read_lock(name, (directory / _LOCK_FILE).read_text(encoding="utf-8"))
        if made.version != version:
            raise InstallFailed("wrong_bytes", f"The registry serves version {made.version} as {package}.", False)
        self._say_what_was_not_run(package, made)
        return lock._replace(packages=made.packages) if lock else made

    def entry(self, directory: Path, name: str) -> Entry:
        _check(name, "")
        node = self._program("node")
        if node is None:
            raise InstallFailed("runtime_missing", self.missing(), may_heal=True)
        path = (str(directory / "node_modules" / ".bin"),)
        file = entry_file(directory, name)
        if file is None:
            return Entry((), path, f"{name} has neither a bin nor a main that exists: give the row a command.")
        return Entry((node, str(file)), path)

    async def _npm(self, directory: Path, command: str, *arguments: str) -> Finished:
        npm = self._program("npm")
        if npm is None:
            raise InstallFailed("runtime_missing", self.missing(), may_heal=True)
        registry = (f"--registry={self._registry}",) if self._registry else ()
        places = (f"--cache={self._cache}", f"--prefix={directory}")
        argv = (npm, command, *_OPTIONS, *places, *registry, *arguments)
        return await run(argv, env=self._env, cwd=directory, limits=self._limits, watched=[directory])

    def _program(self, name: str) -> str | None:
        return shutil.which(name, path=self._env["PATH"])

    def _say_what_was_not_run(self, package: str, lock: Lock) -> None:
        if not self._scripts and '"hasInstallScript": true' in lock.text:
            log.warning(
                "%s has an install script, or a package below it, which was not run: NODE_UNIT_NPM_SCRIPTS", package
            )


def _certificates() -> dict[str, str]:
    """Those of the system, where an organisation puts its own: Node.js knows only those that it was built with."""
    file = ssl.get_default_verify_paths().cafile
    return {"NODE_EXTRA_CA_CERTS": file} if file else {}


def _check(name: str, wanted: str) -> None:
    for what, text, problem in (("name", name, name_problem(name)), ("version", wanted, version_problem(wanted))):
        if problem:
            raise InstallFailed("bad_name", f"The package {what} {text[:100]!r} {problem}.", may_heal=False)

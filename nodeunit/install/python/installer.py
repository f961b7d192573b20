"""Installs Python packages into virtual environments, with uv where it is on PATH, else with pip."""

import asyncio
import errno
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from nodeunit.install import child
from nodeunit.install.package import Entry, InstallFailed, Lock, Reason
from nodeunit.install.python.entry import find_entry
from nodeunit.install.python.environment import Environment
from nodeunit.install.python.failures import failure
from nodeunit.install.python.index import only_pip_knows_the_index
from nodeunit.install.python.lock import is_same_version, lock_of, make_lock
from nodeunit.install.python.request import Name, exact_version, parse_name, requirement
from nodeunit.install.python.tools import Options, Pip, Tool, ToolFailed, Uv
from nodeunit.process.environment import base_environment

_ENVIRONMENT = "environment"
_SCRATCH = "scratch"


class PythonInstaller:
    """The installer of the runtime `python`.

    A package is run by the Python that runs this unit.
    """

    runtime = "python"

    def __init__(
        self,
        cache: Path,
        *,
        index: str = "",
        source_builds: bool = False,
        limits: child.Limits = child.Limits(),  # noqa: B008 - immutable
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`cache`: a directory for what was downloaded. `index`: its URL; empty: as the user's files say.

        `source_builds`: whether a package without a wheel is built, which runs code of it. `environ`: where PATH and
        HOME are taken from; None: from this process.
        """
        environment = base_environment(environ)
        self._options = Options(index, source_builds, cache, limits, environment)
        takes_uv = Uv.location(environment) and (index or not only_pip_knows_the_index(Path(environment["HOME"])))
        self._tool: Tool = Uv(self._options) if takes_uv else Pip(self._options)

    def missing(self) -> str:
        if find_spec("venv") is None:
            return "The Python of this unit has no module venv (Debian: python3-venv)."
        if isinstance(self._tool, Pip) and Pip.location() is None:
            return "Neither uv can be found in the PATH of this unit nor pip in its Python (Debian: python3-venv)."
        return ""

    async def resolve(self, name: str, wanted: str) -> str:
        """The newest version that fits `wanted`, has a wheel and runs on this unit's Python; final ones first."""
        parsed = parse_name(name)
        if (exact := exact_version(wanted)) is not None:
            return exact
        line = requirement(parsed, wanted)
        self._options.cache.mkdir(parents=True, exist_ok=True)
        with (
            self._told(parsed, wanted),
            tempfile.TemporaryDirectory(prefix="resolve-", dir=self._options.cache) as directory,
        ):
            scratch = _make_scratch(Path(directory))
            found = await self._tool.find(Path(sys.executable), line, scratch, with_dependencies=False)
            return make_lock(parsed, found).version

    async def install(self, name: str, version: str, lock: Lock | None, directory: Path) -> Lock:
        """Makes an environment below `directory`. With a lock, exactly its packages and bytes; without one, the newest
        that fit the package of this version."""
        parsed = parse_name(name)
        line = requirement(parsed, version)
        given = None if lock is None else _checked(lock_of(parsed, lock.text), version)
        with self._told(parsed, version, given):
            scratch = _make_scratch(directory)
            environment = await self._make_environment(directory, scratch)
            before = environment.interpreter()
            if given is None:
                found = await self._tool.find(environment.python, line, scratch, with_dependencies=True)
                given = _checked(make_lock(parsed, found), version)
            await self._tool.install(environment.python, given.text, scratch)
            environment.check_interpreter(before)
            # Imported here, because a daemon that has nothing to install starts sooner without it.
            from nodeunit.install.python.completeness import lacking

            if lock is not None and (lacks := await asyncio.to_thread(lacking, environment)):
                raise InstallFailed(
                    "install_failed",
                    f"The lock of {parsed}@{version} was made with another Python: with that of this unit it also needs"
                    f" {', '.join(lacks)}.",
                    may_heal=False,
                )
            environment.make_movable()
            await self._compile(environment, scratch)
            await asyncio.to_thread(shutil.rmtree, scratch)
        return given

    def entry(self, directory: Path, name: str) -> Entry:
        """Its console script, else its module `__main__`."""
        return find_entry(Environment(directory / _ENVIRONMENT), parse_name(name).base)

    async def _make_environment(self, directory: Path, scratch: Path) -> Environment:
        environment = Environment(directory / _ENVIRONMENT)
        finished = await self._python(
            "venv", "--without-pip", "--symlinks", str(environment.directory), scratch=scratch
        )
        if finished.code != 0:
            raise ToolFailed(finished.stderr)
        return environment

    async def _compile(self, environment: Environment, scratch: Path) -> None:
        """Compiles the modules once, because many programs may start at once. Not with the interpreter of the
        environment, which would run the `.pth` files of the package. What cannot be compiled, its importer will see."""
        if environment.packages is not None:
            await self._python("compileall", "-qq", str(environment.packages), scratch=scratch)

    async def _python(self, module: str, *arguments: str, scratch: Path) -> child.Finished:
        return await child.run(
            [sys.executable, "-I", "-m", module, *arguments],
            env=self._options.environment_of(scratch, {}),
            cwd=scratch,
            limits=self._options.limits,
            watched=[scratch.parent],
        )

    @contextmanager
    def _told(self, name: Name, wanted: str, lock: Lock | None = None) -> Iterator[None]:
        """Turns what goes wrong into InstallFailed."""
        try:
            yield
        except ToolFailed as failed:
            raise failure(name, wanted, str(failed), lock, source_builds=self._options.source_builds) from failed
        except OSError as error:
            reason: Reason = "disk_full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "install_failed"
            raise InstallFailed(reason, f"{name} cannot be installed: {error.strerror}.", may_heal=True) from error


def _make_scratch(directory: Path) -> Path:
    """A directory of its own beside what is installed, whose size is limited with it."""
    scratch = directory / _SCRATCH
    scratch.mkdir()
    return scratch


def _checked(lock: Lock, version: str) -> Lock:
    if not is_same_version(lock.version, exact_version(version) or ""):
        raise InstallFailed("bad_manifest", f"The lock is for {lock.version}, not for {version}.", may_heal=False)
    return lock

"""The two installers of Python packages, uv and pip, behind one interface: find versions, and install a lock.

Each call is one process with the settings of the unit's index. Neither runs code of a package, unless the unit allows
source builds: uv is told so, and pip runs behind `pip_guard`. The environment is a fresh one each time, because a
package that is already in it would be part of the interpreter that installs the next.
"""

import json
import re
import shutil
import sysconfig
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from nodeunit.install import child
from nodeunit.install.package import InstallFailed
from nodeunit.install.python import pip_guard
from nodeunit.install.python.index import pip_environment, uv_environment
from nodeunit.install.python.lock import Pinned, parse

_LARGEST_LOG = 4 * 1024 * 1024
_TELLING = re.compile(
    r"(?:no (?:sources|binaries) permitted|requires a different python|none of the wheel's tags|could not fetch|"
    r"has inconsistent)"
    r".{0,300}",
    re.IGNORECASE,
)


class ToolFailed(Exception):
    """The tool has exited with an error; the text is what it has printed."""


class Options(NamedTuple):
    """What the unit decides for both."""

    index_url: str
    """Empty: as the files of the unit's user say."""
    source_builds: bool
    cache: Path
    limits: child.Limits
    environment: dict[str, str]
    """PATH, HOME and LANG."""

    def environment_of(self, scratch: Path, index: Mapping[str, str], **more: str) -> dict[str, str]:
        """That of a process which keeps its temporary files in `scratch`."""
        return {**self.environment, **index, **more, "TMPDIR": str(scratch)}


class Tool(Protocol):
    """One way to install. `scratch` is an empty directory for what it needs meanwhile."""

    async def find(self, python: Path, requirement: str, scratch: Path, *, with_dependencies: bool) -> list[Pinned]:
        """The newest versions for this interpreter that satisfy the requirement. Raises ToolFailed, InstallFailed."""

    async def install(self, python: Path, lock: str, scratch: Path) -> None:
        """Installs what the lock says, and nothing else. Raises ToolFailed, InstallFailed."""


class Pip:
    """pip: the one that is installed with nodeunit, else the one that comes with Python."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @staticmethod
    def location() -> Path | None:
        """What `pip_guard` runs; None if this Python has no pip."""
        spec = find_spec("pip")
        runner = Path(spec.origin).with_name("__pip-runner__.py") if spec and spec.origin else None
        if runner and runner.exists():
            return runner
        shipped = sysconfig.get_config_var("WHEEL_PKG_DIR")  # where Debian and Fedora have moved it to
        ensurepip = find_spec("ensurepip")
        bundled = Path(ensurepip.origin).with_name("_bundled") if ensurepip and ensurepip.origin else None
        directories = [Path(shipped)] if shipped else [bundled] if bundled else []
        return next((wheel for directory in directories for wheel in sorted(directory.glob("pip-*.whl"))), None)

    async def find(self, python: Path, requirement: str, scratch: Path, *, with_dependencies: bool) -> list[Pinned]:
        (scratch / "wanted.txt").write_text(requirement + "\n")
        report = scratch / "report.json"
        options = ["--dry-run", "--ignore-installed", "--report", str(report)]
        await self._run(python, scratch, *options, *([] if with_dependencies else ["--no-deps"]), "-r", "wanted.txt")
        try:
            return parse("".join(f"{_reported(one)}\n" for one in json.loads(report.read_bytes())["install"]))
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise ToolFailed(f"error: the report of pip cannot be read: {error!r}") from error

    async def install(self, python: Path, lock: str, scratch: Path) -> None:
        (scratch / "lock.txt").write_text(lock)
        await self._run(python, scratch, "--require-hashes", "--no-deps", "--no-compile", "-r", "lock.txt")

    async def _run(self, python: Path, scratch: Path, *arguments: str) -> None:
        pip = self.location()
        if pip is None:
            raise InstallFailed("runtime_missing", "The Python of this unit has no pip.", may_heal=True)
        wheels = ["--prefer-binary"] if self._options.source_builds else ["--only-binary", ":all:"]
        program = [str(pip)] if self._options.source_builds else [pip_guard.__file__, str(pip)]
        log = scratch / "pip.log"
        quiet = ["--no-input", "--no-color", "--quiet", "--log", str(log), "--disable-pip-version-check"]
        finished = await child.run(
            [str(python), "-I", *program, "install", *quiet, "--no-user", *wheels, *arguments],
            env=self._options.environment_of(
                scratch, pip_environment(self._options.index_url), PIP_CACHE_DIR=str(self._options.cache / "pip")
            ),
            cwd=scratch,
            limits=self._options.limits,
            watched=[scratch.parent],
        )
        if finished.code != 0:
            raise ToolFailed("\n".join([*_telling_lines(log), finished.stderr]))


class Uv:
    """uv, where it is on PATH."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @staticmethod
    def location(environment: Mapping[str, str]) -> str | None:
        return shutil.which("uv", path=environment["PATH"])

    async def find(self, python: Path, requirement: str, scratch: Path, *, with_dependencies: bool) -> list[Pinned]:
        (scratch / "wanted.txt").write_text(requirement + "\n")
        options = ["--generate-hashes", "--strip-extras", "--no-header", "--no-annotate"]
        dependencies = [] if with_dependencies else ["--no-deps"]
        printed = await self._run(python, scratch, "compile", *options, *dependencies, "wanted.txt")
        return parse(re.sub(r" \\\n *", " ", printed))

    async def install(self, python: Path, lock: str, scratch: Path) -> None:
        (scratch / "lock.txt").write_text(lock)
        # Copied, because a program that changes a linked file would change the cache.
        await self._run(
            python, scratch, "install", "--require-hashes", "--no-deps", "--link-mode", "copy", "-r", "lock.txt"
        )

    async def _run(self, python: Path, scratch: Path, verb: str, *arguments: str) -> str:
        wheels = [] if self._options.source_builds else ["--no-build"]
        options = ["--python", str(python), "--quiet", "--color", "never", "--no-progress", "--no-python-downloads"]
        finished = await child.run(
            [self.location(self._options.environment) or "uv", "pip", verb, *options, *wheels, *arguments],
            env=self._options.environment_of(
                scratch, uv_environment(self._options.index_url), UV_CACHE_DIR=str(self._options.cache / "uv")
            ),
            cwd=scratch,
            limits=self._options.limits,
            watched=[scratch.parent],
        )
        if finished.code != 0:
            raise ToolFailed(finished.stderr)
        return finished.stdout.decode(errors="replace")


def _reported(one: dict[str, Any]) -> Pinned:
    """One package of pip's report. Raises ToolFailed if it comes from an address instead of the index."""
    metadata, download = one["metadata"], one["download_info"]
    if one.get("is_direct"):
        raise ToolFailed(f"error: direct reference to {metadata['name']}")
    return Pinned(
        name=metadata["name"],
        version=metadata["version"],
        hashes=(download["archive_info"]["hashes"]["sha256"],),
        file=unquote(urlsplit(download["url"]).path).rpartition("/")[2],
    )


def _telling_lines(log: Path) -> list[str]:
    """What pip writes into its log alone, and what tells an unusable package from an absent one."""
    try:
        with log.open(errors="replace") as file:
            return [found[0] for found in _TELLING.finditer(file.read(_LARGEST_LOG))][:20]
    except OSError:
        return []

"""What of an installed npm package is run: its `bin`, or its `main`. Its manifest may be written by an attacker."""

import os
from pathlib import Path

import msgspec

from nodeunit.install.package import InstallFailed

LONGEST_MANIFEST = 2**20
_ENDINGS = ("", ".js", ".cjs", ".mjs", "/index.js")


class _Manifest(msgspec.Struct):
    """What of `package.json` counts here; the rest is skipped."""

    bin: str | dict[str, str] | None = None
    main: str | bool | None = None


def entry_file(directory: Path, name: str) -> Path | None:
    """The file to run of the package `name` in `directory/node_modules`; None if the package has none.

    That is its `bin`: the only one, or the one named like the package. Else its `main`, else `index.js`. Raises
    InstallFailed (`bad_manifest`) if the manifest is damaged, too large, or names a file outside the package.
    """
    package = directory / "node_modules" / name
    if os.path.realpath(package) != os.path.join(os.path.realpath(directory), "node_modules", name):
        raise _bad(name, "the package is a link")
    manifest = _read_manifest(package, name)
    own = _own_bin(manifest.bin, name)
    if own is not None:
        return _inside(package, name, own, ("",))
    main = manifest.main if isinstance(manifest.main, str) and manifest.main else "index.js"
    return _inside(package, name, main, _ENDINGS) or _inside(package, name, "index.js", ("",))


def _read_manifest(package: Path, name: str) -> _Manifest:
    try:
        with open(package / "package.json", "rb") as file:
            content = file.read(LONGEST_MANIFEST + 1)
    except OSError as error:
        raise _bad(name, f"it cannot be read: {error.strerror}") from error
    if len(content) > LONGEST_MANIFEST:
        raise _bad(name, f"it is larger than {LONGEST_MANIFEST} bytes")
    try:
        return msgspec.json.decode(content.removeprefix(b"\xef\xbb\xbf"), type=_Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _bad(name, str(error)) from error
    except RecursionError as error:
        raise _bad(name, "it is too deep") from error


def _own_bin(bins: str | dict[str, str] | None, name: str) -> str | None:
    if isinstance(bins, dict):
        unscoped = name.rpartition("/")[2]
        return bins.get(unscoped) or bins.get(name) or (next(iter(bins.values())) if len(bins) == 1 else None)
    return bins or None


def _inside(package: Path, name: str, relative: str, endings: tuple[str, ...]) -> Path | None:
    """The first existing file of `relative` with one of the endings."""
    root = os.path.realpath(package)
    for ending in endings:
        try:
            path = os.path.realpath(os.path.join(root, relative + ending))
            if os.path.commonpath([root, path]) != root:
                raise _bad(name, f"it names {relative!r}, which is not in the package")
            if os.path.isfile(path):
                return Path(path)
        except (ValueError, OSError) as error:
            raise _bad(name, f"it names {relative!r}, which is no path") from error
    return None


def _bad(name: str, what: str) -> InstallFailed:
    return InstallFailed("bad_manifest", f"The manifest of {name} is refused: {what}.", may_heal=False)

"""How an installed Python package is run: by its console script, else as a module.

    1. the console script that is named like the package, or its only one
    2. `python -m NAME`, if the package has a `__main__`

Everything read here was written by the package, and nothing of it is executed: file sizes are bounded, and names that
would lead out of the environment are no names.
"""

import re
from collections.abc import Iterable, Iterator

from packaging.utils import canonicalize_name

from nodeunit.install.package import Entry
from nodeunit.install.python.environment import Environment

_LARGEST = 4 * 1024 * 1024
_SCRIPT = re.compile(r"(?:\.\./)+bin/([A-Za-z0-9_][A-Za-z0-9._+-]{0,199})", re.ASCII)
_MAIN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)/__main__\.py", re.ASCII)


def find_entry(environment: Environment, name: str) -> Entry:
    """How the package is run, by absolute paths. What a package contains raises nothing."""
    path = (str(environment.bin),)
    if not environment.python.exists():
        return Entry(
            (), path, f"the Python that {name} was installed with is gone: remove {environment.directory.parent}"
        )
    files = _installed_files(environment, name)
    if files is None:
        return Entry((), path, f"{name} is not among what was installed, or its metadata cannot be read")
    python = (str(environment.python), "-u")  # unbuffered: what it prints is in its log at once
    scripts = dict(_scripts(environment, files))
    script = _own(name, scripts)
    if script is not None:
        # The interpreter is named, because the script would look for it with the help of a shell.
        return Entry((*python, script) if _is_python(script) else (script,), path)
    modules = {found[1]: found[1] for file in files if (found := _MAIN.fullmatch(file))}
    module = _own(name, modules)
    if module is not None:
        return Entry((*python, "-m", module), path)
    if scripts:
        return Entry((), path, f"{name} has several programs and none of its own name: {', '.join(sorted(scripts))}")
    return Entry((), path, f"{name} has neither a console script nor a module __main__: it is a library")


def _installed_files(environment: Environment, name: str) -> list[str] | None:
    """The paths of the package's files, relative to `site-packages`, from its RECORD, which installers write anew."""
    packages = environment.packages
    for directory in packages.glob("*.dist-info") if packages else ():
        if canonicalize_name(directory.name.removesuffix(".dist-info").partition("-")[0]) == name:
            try:
                if (directory / "RECORD").stat().st_size <= _LARGEST:
                    lines = (directory / "RECORD").read_text(errors="replace").splitlines()
                    return [line.rsplit(",", 2)[0].strip('"') for line in lines]
            except OSError:
                pass
            return None
    return None


def _scripts(environment: Environment, files: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The executables of the package that are in the environment: name and path."""
    for file in files:
        found = _SCRIPT.fullmatch(file)
        path = environment.bin / found[1] if found else None
        if found and path and path.is_file() and not path.is_symlink():
            yield found[1], str(path)


def _own(name: str, among: dict[str, str]) -> str | None:
    """The one named like the package, else the only one."""
    named = next((value for key, value in sorted(among.items()) if canonicalize_name(key) == name), None)
    return named or (next(iter(among.values())) if len(among) == 1 else None)


def _is_python(script: str) -> bool:
    with open(script, "rb") as file:
        first = file.read(200)
    return first.startswith(b"#!") and b"/python" in first

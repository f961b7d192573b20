"""What a row may ask of a Python index: a name by PEP 508, a version or a range by PEP 440, and nothing else.

Both come from a table, and both are handed to an installer. So nothing passes that it could take for an option, a path
or an address.
"""

import re
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from nodeunit.install.package import InstallFailed

NEWEST = ("", "latest")
"""What a row writes for the newest final release."""

_LONGEST = 200
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_NAME = re.compile(rf"({_WORD})(?:\[({_WORD}(?:,{_WORD})*)\])?", re.ASCII)


class Name(NamedTuple):
    """A package of a Python index, and what is asked of it in addition."""

    base: str
    """The name as PEP 503 normalises it."""
    extras: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.base}[{','.join(self.extras)}]" if self.extras else self.base


def parse_name(text: str) -> Name:
    """The name in `uvicorn` or `uvicorn[standard]`. Raises InstallFailed (`bad_name`)."""
    found = _NAME.fullmatch(text)
    if found is None or len(text) > _LONGEST:
        raise InstallFailed(
            "bad_name",
            f"{_shown(text)} is not the name of a Python package; write it like 'my-app' or 'my-app[extra]'.",
            may_heal=False,
        )
    extras = sorted({canonicalize_name(extra) for extra in (found[2] or "").split(",") if extra})
    return Name(canonicalize_name(found[1]), tuple(extras))


def exact_version(wanted: str) -> str | None:
    """The version, as PEP 440 normalises it, if `wanted` is one (`1.2`, `==1.2`); None if it is a range or a tag."""
    text = wanted.strip().removeprefix("==").strip()
    try:
        return str(Version(text)) if len(text) <= _LONGEST else None
    except InvalidVersion:
        return None


def specifier_of(wanted: str) -> str:
    """`wanted` as a version specifier; empty: any. Raises InstallFailed (`bad_name`)."""
    if wanted.strip() in NEWEST:
        return ""
    if (exact := exact_version(wanted)) is not None:
        return f"=={exact}"
    try:
        if "===" not in wanted and len(wanted) <= _LONGEST and wanted.isascii() and wanted.isprintable():
            return str(SpecifierSet(wanted))
    except InvalidSpecifier:
        pass
    if re.match(r"\s*[\^~][\s=v]*\d", wanted):
        hint = "that is a range as npm writes it; for a Python package write '>=1.2,<2' or '~=1.2'"
    else:
        hint = "write an exact version, a range like '>=1.2,<2', or 'latest'"
    raise InstallFailed("bad_name", f"{_shown(wanted)} is not a version of a Python package: {hint}.", may_heal=False)


def requirement(name: Name, wanted: str) -> str:
    """One line of a requirements file."""
    return f"{name}{specifier_of(wanted)}"


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST else text[:_LONGEST] + "…")

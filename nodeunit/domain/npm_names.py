"""Which texts of a row are npm packages and versions of a registry, and nothing else.

npm takes far more: folders, archives, URLs, git repositories, aliases, options. What is not plainly a name or a
version is refused before npm is started. The rules of npm are in its packages `npm-package-arg` and
`validate-npm-package-name`.
"""

import re

_PART = r"[A-Za-z0-9][A-Za-z0-9._~-]*"
_NAME = re.compile(rf"(?:@{_PART}/)?{_PART}")
_LONGEST_NAME = 214

_NUMBER = r"(?:0|[1-9][0-9]{0,15})"
_LABELS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_EXACT = re.compile(rf"[v=]?({_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-{_LABELS})?)(?:\+{_LABELS})?")
_WANTED = re.compile(r"[0-9A-Za-z~^<>=*|][0-9A-Za-z._+~^<>=*| -]*")
_LONGEST_VERSION = 128

# npm reads a name or a version that ends like this as the path of a file.
_ARCHIVE = re.compile(r"\.(?:tgz|tar\.gz|tar)$", re.IGNORECASE)

_ALIAS = re.compile(rf"^npm:(?:@{_PART}/)?{_PART}(?:@|$)")


def name_problem(name: str) -> str:
    """Why this is not the name of an npm package, as the end of a sentence; empty if it is one."""
    if not name:
        return "is empty"
    if len(name) > _LONGEST_NAME:
        return f"is longer than {_LONGEST_NAME} characters"
    if not _NAME.fullmatch(name):
        return "is not a name of the form name or @scope/name, of letters, digits, dots, hyphens and underscores"
    if _ARCHIVE.search(name):
        return "ends like an archive, which npm would take for a file"
    if name.rpartition("/")[2].lower() in ("node_modules", "favicon.ico"):
        return "is a name that npm reserves"
    return ""


def version_problem(wanted: str) -> str:
    """Why this is neither a version, a range nor a tag, as the end of a sentence; empty if it is one of them.

    An empty text is one: the newest.
    """
    if len(wanted) > _LONGEST_VERSION:
        return f"is longer than {_LONGEST_VERSION} characters"
    if wanted and not _WANTED.fullmatch(wanted):
        return "is not a version, a range or a tag such as 1.2.3, ^1.2 or latest"
    if _ARCHIVE.search(wanted):
        return "ends like an archive, which npm would take for a file"
    return ""


def exact_version(wanted: str) -> str:
    """The version as a registry has it if `wanted` is exact; empty for a range or a tag.

    As npm does, it drops a leading `v` or `=` and the build metadata after a `+`.
    """
    match = _EXACT.fullmatch(wanted)
    return match.group(1) if match else ""


def comes_from_a_registry(wanted: str) -> bool:
    """Whether a dependency with this version is looked up in a registry: not a URL, a folder, a file or a repository.

    An alias (`npm:other@^1`) is looked up there too.
    """
    wanted = _ALIAS.sub("", wanted)
    return not (":" in wanted or "/" in wanted or wanted.startswith(".") or _ARCHIVE.search(wanted))

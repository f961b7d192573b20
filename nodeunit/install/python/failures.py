"""What pip and uv print when they fail, as a reason and one sentence.

Both exit with 1 or 2 whatever is wrong, so their words are all there is. The most certain rules come first. What no
rule knows is `install_failed`, with the last line that says something.
"""

import re
from typing import NamedTuple

from packaging.utils import canonicalize_name

from nodeunit.install.package import InstallFailed, Lock, Reason
from nodeunit.install.python.lock import parse
from nodeunit.install.python.request import Name

_LONGEST_QUOTE = 300


class _Rule(NamedTuple):
    words: str
    reason: Reason
    sentence: str
    may_heal: bool


_RULES = (
    _Rule(
        r"no space left on device|errno 28\b|os error 28\b|disk quota exceeded",
        "disk_full", "There is no space left to install {package}", True,
    ),
    _Rule(
        r"file too large|errno 27\b|os error 27\b|memoryerror|cannot allocate memory",
        "too_large", "{package} needs more disk or memory than an installation may use", False,
    ),
    _Rule(
        r"nodeunit: a wheel is installed without other programs|url dependenc|direct (url|reference)|cannot depend on",
        "bad_manifest", "{package} depends on an address instead of a package of the index", False,
    ),
    _Rule(
        r"do not match the hashes|hash mismatch|hashes are required in --require-hashes",
        "wrong_bytes", "The index serves other bytes for {package} than the lock of its first install records", False,
    ),
    _Rule(
        r"\b40[13]:? (client error|unauthorized|forbidden)|http error 40[13]|\(40[13] [a-z]+\)|user for .* aborted",
        "registry_refused", "The index refuses {package} to the credentials of this unit", True,
    ),
    _Rule(
        r"connection (refused|broken|reset|aborted|error)|failed to establish a new connection|timed out|"
        r"name or service not known|failure in name resolution|failed to lookup address|error sending request|"
        r"network is unreachable|no route to host|max retries exceeded|\b(429|5\d\d):? (server|client) error|"
        r"http error 5\d\d|\(5\d\d [a-z ]+\)|certificate verify failed|invalid peer certificate",
        "registry_unreachable", "The index cannot be asked for {package}", True,
    ),
    _Rule(
        r"is invalid|invalid (wheel|metadata|requirement)|unsupported wheel|outside the target directory|"
        r"unknown scheme key|badzipfile|not a zip file|inconsistent (name|version)|invalid script|"
        r"corrupt|failed to (extract|unzip|read) |metadata[^\n]*not found|metadata field|invalidrequirement|"
        r"does not match (given name|filename)|invalid package format|reserved name|errno 20\b",
        "bad_manifest", "A file of {package}, or of what it needs, is not a valid wheel", False,
    ),
)  # fmt: skip
_SOURCE_ONLY = r"no (binaries|sources) permitted|no usable wheels|wheels are required for|from source is disabled"
_OTHER_PYTHON = (
    r"requires? a different python|does not satisfy python|no wheels with a matching|not compatible with this python|"
    r"requires-python|requires python|none of the wheel's tags"
)
_MISSING = (
    r"could not find a version that satisfies the requirement (?P<pip>[\w.-]+)|"
    r"because (?P<uv>[\w.-]+) was not found in the|"
    r"because there (?:is|are) no versions? of (?P<version>[\w.-]+)|"
    r"because only (?:the following versions of )?(?P<only>[\w.-]+)"
)


def failure(name: Name, wanted: str, output: str, lock: Lock | None, *, source_builds: bool) -> InstallFailed:
    """Why a run of pip or uv that printed `output` has failed; `lock` is the one that it was given."""
    package = f"{name}@{wanted}" if wanted else str(name)
    for rule in _RULES:
        if _has(rule.words, output):
            if rule.reason == "wrong_bytes" and lock and (other := _other_file(output, lock)):
                return InstallFailed("install_failed", f"The lock of {package} was made {other}", may_heal=False)
            sentence = rule.sentence.format(package=package)
            return InstallFailed(rule.reason, f"{sentence}{_quoted(output)}.", rule.may_heal)
    if _has(_SOURCE_ONLY, output) and not source_builds:
        return InstallFailed(
            "needs_scripts",
            f"{package} or what it needs has no wheel for this Python, and to build one would run code of the package:"
            " NODE_UNIT_PYTHON_SOURCE_BUILDS=true allows that on this unit.",
            may_heal=False,
        )
    if _has(_OTHER_PYTHON, output):
        sentence = f"No version of {package}, or of what it needs, is for the Python of this unit{_quoted(output)}."
        return InstallFailed("no_such_version", sentence, may_heal=True)
    missing = re.search(_MISSING, output, re.IGNORECASE)
    if missing is None:
        return InstallFailed("install_failed", f"{package} cannot be installed{_quoted(output)}.", may_heal=True)
    asked = canonicalize_name(missing[missing.lastgroup or 0])
    if asked != name.base:
        return InstallFailed("install_failed", f"{package} needs {asked}{_quoted(output)}.", may_heal=True)
    if missing["uv"] or _has(r"from versions: none", output):
        return InstallFailed("no_such_package", f"The index has no package {name}.", may_heal=True)
    return InstallFailed(
        "no_such_version", f"The index has no such version: {package}{_quoted(output)}.", may_heal=True
    )


def _has(words: str, output: str) -> bool:
    return re.search(words, output, re.IGNORECASE) is not None


def _other_file(output: str, lock: Lock) -> str:
    """If pip took another file of the version than the unit that made the lock: for what it was made."""
    taken = {found.partition("#")[0] for found in re.findall(r" from \S+/([^/\s]+\.whl)", output)}
    locked = {package.file for package in parse(lock.text) if package.file}
    if not taken or not locked or taken <= locked:
        return ""
    other = ", ".join(sorted(taken - locked))
    return (
        f"on a unit with another Python or platform: it does not have {other}. Install uv, whose locks suit all units."
    )


def _quoted(output: str) -> str:
    """What the tool said, in parentheses: without credentials, control characters and decoration."""
    lines = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in output.splitlines()]
    said = [re.sub(r"^(ERROR|error|cause): ", "", line) for line in lines if re.match(r"(ERROR|error|cause):", line)]
    telling = [line for line in said if "(from versions:" in line] or said or [line for line in lines if line]
    if telling and telling[-1] == "Exception:":
        telling = [line for line in lines if line]  # of a traceback, the last line
    line = re.sub(r"://[^/@\s]*@", "://***@", telling[-1]) if telling else ""
    return f" ({line[:_LONGEST_QUOTE].rstrip('.')})" if line else ""

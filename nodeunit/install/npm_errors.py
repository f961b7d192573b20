"""What npm's error codes mean: the reason, one sentence, and whether the same request may succeed later."""

import json
import re

from nodeunit.install.package import InstallFailed, Reason

_UNREACHABLE = {
    "EAI_AGAIN", "ECONNABORTED", "ECONNREFUSED", "ECONNRESET", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH",
    "ENOTFOUND", "EPIPE", "EPROTO", "ERR_INVALID_URL", "ERR_SOCKET_TIMEOUT", "ESOCKETTIMEDOUT", "ETIMEDOUT", "E429",
    "CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "DEPTH_ZERO_SELF_SIGNED_CERT", "ERR_TLS_CERT_ALTNAME_INVALID",
    "SELF_SIGNED_CERT_IN_CHAIN", "UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    "FETCH_ERROR", "EINVALIDRESPONSE",
}  # fmt: skip

_MEANINGS: dict[str, tuple[Reason, str, bool]] = {
    "E404": ("no_such_package", "The registry has no {package}, or does not show it to this unit", True),
    "ETARGET": ("no_such_version", "The registry has no {package}", True),
    "ENOVERSIONS": ("no_such_version", "The registry has no version of {package}", True),
    "E401": ("registry_refused", "The registry asks for credentials: see .npmrc of the unit's user", True),
    "E403": ("registry_refused", "The registry refuses {package} to this unit's credentials", True),
    "ENEEDAUTH": ("registry_refused", "The registry asks for credentials: see .npmrc of the unit's user", True),
    "EINTEGRITY": ("wrong_bytes", "The registry serves other bytes for {package}, or below it, than recorded", False),
    "ENOSPC": ("disk_full", "The disk is full", True),
    "EDQUOT": ("disk_full", "The disk quota of the unit's user is used up", True),
    "EFBIG": ("too_large", "A file of {package}, or below it, is larger than the limit", False),
    "TAR_ABORT": ("too_large", "The archive of {package}, or of a package below it, unpacks to far too much", False),
    "TAR_BAD_ARCHIVE": ("install_failed", "The archive of {package}, or of a package below it, is damaged", True),
    "Z_BUF_ERROR": ("install_failed", "The archive of {package}, or of a package below it, is damaged", True),
    "Z_DATA_ERROR": ("install_failed", "The archive of {package}, or of a package below it, is damaged", True),
    "EALLOWGIT": ("bad_manifest", "{package}, or a package below it, wants a git repository, not a package", False),
    "EALLOWREMOTE": ("bad_manifest", "{package}, or a package below it, wants a URL, not a package", False),
    "EALLOWFILE": ("bad_manifest", "{package}, or a package below it, wants a file, not a package", False),
    "EALLOWDIRECTORY": ("bad_manifest", "{package}, or a package below it, wants a folder, not a package", False),
    "EINVALIDPACKAGENAME": ("bad_manifest", "{package}, or a package below it, wants what is no package name", False),
    "EUNSUPPORTEDPROTOCOL": ("bad_manifest", "{package}, or a package below it, wants what is no version", False),
    "EINVALIDTAGNAME": ("bad_name", "The version of {package} is neither a version, a range nor a tag", False),
    "EJSONPARSE": ("bad_manifest", "The manifest of {package}, or of a package below it, is no JSON", False),
    "EBADENGINE": ("install_failed", "{package} needs another version of Node.js", False),
    "EBADPLATFORM": ("install_failed", "{package} does not run on this platform", False),
    "ERESOLVE": ("install_failed", "The dependencies of {package} contradict each other", False),
    "EUSAGE": ("install_failed", "The recorded lock of {package} does not fit", False),
}  # fmt: skip

_CODE = re.compile(r"npm (?:ERR!|error) code (\S+)")
_LONGEST = 300


def failure(package: str, stdout: bytes, stderr: str) -> InstallFailed:
    """The failure that npm has reported, as JSON on standard output or as text on standard error."""
    code, summary = _reported(stdout, stderr)
    said = f" (npm: {code}{': ' if summary else ''}{summary})." if code else f" (npm: {summary})." if summary else "."
    if code in _MEANINGS:
        reason, sentence, may_heal = _MEANINGS[code]
        return InstallFailed(reason, sentence.format(package=package) + said, may_heal)
    if code in _UNREACHABLE or re.fullmatch(r"E5\d\d", code):
        return InstallFailed(
            "registry_unreachable", f"The registry of {package} does not answer as it should{said}", True
        )
    return InstallFailed("install_failed", f"npm cannot install {package}{said}", True)


def _reported(stdout: bytes, stderr: str) -> tuple[str, str]:
    try:
        error = json.loads(stdout)["error"]
        return _plain(str(error["code"])), _plain(str(error.get("summary") or error.get("detail") or ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        found = _CODE.search(stderr)
        lines = [line.partition(" ")[2] for line in stderr.splitlines() if line.startswith("npm err")]
        return _plain(found.group(1)) if found else "", _plain(lines[-1] if lines else stderr.strip()[-_LONGEST:])


def _plain(text: str) -> str:
    """One short line without control characters and without the credentials of a URL."""
    text = re.sub(r"//[^/\s@]*@", "//", text)
    return "".join(c if c.isprintable() else " " for c in text).strip()[:_LONGEST].rstrip(".")

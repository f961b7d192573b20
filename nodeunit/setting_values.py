"""How the text of a setting becomes its value. Each function gets the variable, for its error, and the text.

What is not allowed is a SettingInvalid, in one sentence that names the variable and its text.
"""

import math
import os
import re
from collections.abc import Mapping

from nodeunit.errors import PatternInvalid, SettingInvalid, UnknownPolicy, WeightInvalid
from nodeunit.patterns import PatternRefused, compiled

_POLICIES = ("deployment_count", "resource_usage", "none")
_SIZES = {None: 1, "K": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}

SMALLEST_LOG = 4096
"""In bytes. A smaller log would be rotated with almost every line."""

_LOG_LEVELS = ("debug", "info", "warning", "error")


def plain_text(variable: str, text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SettingInvalid(f"{variable} is not valid UTF-8; set it to text that is") from None
    return text


def _choice(variable: str, text: str, allowed: tuple[str, ...], error: type[SettingInvalid]) -> str:
    if text.lower() not in allowed:
        raise error(f"{variable} is {text!r}, which is not one of {', '.join(allowed)}")
    return text.lower()


def policy(variable: str, text: str) -> str:
    return _choice(variable, text, _POLICIES, UnknownPolicy)


def log_level(variable: str, text: str) -> str:
    return _choice(variable, text, _LOG_LEVELS, SettingInvalid)


def pattern(variable: str, text: str) -> str:
    try:
        compiled(plain_text(variable, text))
    except PatternRefused as error:
        shown = f"{text:.200}" if len(text) <= 200 else f"{text:.200}…"
        raise PatternInvalid(f"{variable} is {shown!r}, which is not a usable regular expression: {error}") from None
    return text


def switch(variable: str, text: str) -> bool:
    if text.lower() in ("true", "1", "yes"):
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise SettingInvalid(f"{variable} is {text!r}, which is not one of true, false, 1, 0, yes, no")


def opening_switch(variable: str, text: str) -> bool:
    """Of what opens something: nothing that is only near the word `true` switches it on."""
    if text == "true":
        return True
    if text.lower() in ("false", "0", "no"):
        return False
    raise SettingInvalid(f"{variable} is {text!r}, which is not one of true, false: only the word true switches it on")


def _number(text: str) -> float:
    """The number in any text. What is not a finite number becomes nan, because comparisons with nan are false."""
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def weight(variable: str, text: str) -> float:
    value = _number(text)
    if not value >= 0:
        raise WeightInvalid(f"{variable} is {text!r}, which is not a finite number of 0 or more")
    return value


def amount(variable: str, text: str) -> float:
    value = _number(text)
    if not value >= 0:
        raise SettingInvalid(f"{variable} is {text!r}, which is not a finite number of 0 or more")
    return value


def duration(variable: str, text: str) -> float:
    value = _number(text)
    if not value > 0:
        raise SettingInvalid(f"{variable} is {text!r}, which is not a finite number of seconds above 0")
    return value


def size(variable: str, text: str) -> int:
    match = re.fullmatch(r"(\d{1,20}(?:\.\d{1,20})?)\s*([KMG]i?)?B?", text.strip())
    value = int(float(match[1]) * _SIZES[match[2]]) if match else 0
    if not SMALLEST_LOG <= value < 2**31:
        raise SettingInvalid(
            f"{variable} is {text!r}, which is not a size from {SMALLEST_LOG} bytes to 2 GiB, such as 10Mi or 500K"
        )
    return value


def count(variable: str, text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,2}", text.strip()):
        raise SettingInvalid(f"{variable} is {text!r}, which is not a whole number from 1 to 999")
    return int(text)


def directory(variable: str, text: str) -> str:
    path = os.path.expanduser(plain_text(variable, text))
    try:
        return os.path.abspath(path)
    except FileNotFoundError:
        raise SettingInvalid(
            f"{variable} is {path!r}, relative to a working directory that was deleted; set it to an absolute path"
        ) from None


def registry(variable: str, text: str) -> str:
    """A URL without a user, because settings are shown and arguments of processes are visible to all."""
    if not text:
        return text
    match = re.fullmatch(r"https?://([^\s/?#]+)[^\s?#]*", plain_text(variable, text))
    if match is None or "@" in match.group(1):
        raise SettingInvalid(
            f"{variable} is not the URL of a registry, http or https and without credentials, which the registry's own"
            " tool reads from a file of the unit's user"
        )
    return text


def host(variable: str, text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._:%-]{1,253}", text):
        raise SettingInvalid(f"{variable} is {text!r}, which is not a host name or an IP address, without a port")
    return text


def path_or_none(variable: str, text: str) -> str:
    return directory(variable, text) if text else ""


def port_range(variable: str, text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", text)
    first, last = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 0 < first <= last < 65536:
        raise SettingInvalid(f"{variable} is {text!r}, which is not two ports from 1 to 65535, such as 20000-29999")
    return first, last


def state_directory(environ: Mapping[str, str]) -> str:
    """Follows the XDG base directory specification, which says to ignore a relative path."""
    state = environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):
        home = environ.get("HOME") or os.path.expanduser("~")
        if not os.path.isabs(home):
            raise SettingInvalid(
                "There is no home directory; set NODE_UNIT_LOG_DIR and NODE_UNIT_WORKSPACE, each to a path"
            )
        state = os.path.join(home, ".local", "state")
    return os.path.join(state, "nodeunit")

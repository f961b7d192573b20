"""The daemon's requests as the supervisor executes them: checked first, because a daemon may be of another version.

Standard library only, like `protocol`, which says what the requests mean.
"""

import math
import signal
from collections.abc import Mapping
from typing import Any, NamedTuple

from nodeunit.process.environment import ADDRESS_MARK, DEPLOYMENT_MARK
from nodeunit.process.group_limits import GroupLimits
from nodeunit.supervisor.protocol import OnDisconnect

STOP_SIGNALS = {name: signal.Signals[f"SIG{name}"] for name in ("TERM", "INT", "QUIT", "HUP", "USR1", "USR2")}
"""The signals that may ask a program to end, by name."""

_LONGEST_WORD = 100
_LONGEST_DETAIL = 2000

_KEY_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


class SpawnRequest(NamedTuple):
    """A valid `spawn`."""

    key: str
    argv: list[str]
    env: dict[str, str]
    cwd: str
    make_cwd: bool
    on_disconnect: OnDisconnect
    grace_s: float
    stop_signal: int
    limits: GroupLimits
    meta: dict[str, Any]


class StopReason(NamedTuple):
    """Why the daemon stops a program: a word for the log, a text for people. Both may be empty."""

    because: str = ""
    detail: str = ""


NO_REASON = StopReason()


def key_of(op: Mapping[str, Any]) -> str:
    """The key, which also names a file. Raises ValueError."""
    key = op.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= 100 or not _KEY_CHARACTERS.issuperset(key) or key[0] == ".":
        raise ValueError(f"key is not an identifier: {key!r:.120}")
    return key


def seconds_of(op: Mapping[str, Any], name: str) -> float:
    """A finite number. Raises ValueError."""
    value = op.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is not a number: {value!r:.60}")
    return float(value)


def meta_of(op: Mapping[str, Any]) -> dict[str, Any]:
    meta = op.get("meta", {})
    return meta if isinstance(meta, dict) else {}


def spawn_of(op: Mapping[str, Any], address: str) -> SpawnRequest:
    """A complete `spawn`. Raises ValueError with the reason to report."""
    key, argv, env = key_of(op), op.get("argv"), op.get("env")
    cwd, on_disconnect = op.get("cwd") or "/", op.get("on_disconnect")
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv) or not argv[0]:
        raise ValueError("argv is not a list of strings that begins with a program")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise ValueError("env is not an object of strings")
    if any("\0" in text for text in (*argv, *env, *env.values())):
        raise ValueError("argv or env contains a NUL character")
    if any(not name or "=" in name for name in env):
        raise ValueError("env has a name that is empty or contains '='")
    if env.get(ADDRESS_MARK) != address or env.get(DEPLOYMENT_MARK) != key:
        raise ValueError(f"env lacks the mark by which a tree is found: {ADDRESS_MARK} and {DEPLOYMENT_MARK}")
    if not isinstance(cwd, str) or "\0" in cwd or cwd[:1] != "/":
        raise ValueError(f"cwd is not an absolute path: {cwd!r:.120}")
    if on_disconnect not in ("keep", "stop"):
        raise ValueError("on_disconnect is neither keep nor stop")
    grace_s, stop_signal = max(seconds_of(op, "grace_s"), 0.0), _stop_signal_of(op)
    make_cwd = op.get("make_cwd") is True
    return SpawnRequest(key, argv, env, cwd, make_cwd, on_disconnect, grace_s, stop_signal, _limits_of(op), meta_of(op))


def reason_of(op: Mapping[str, Any]) -> StopReason:
    """Why a program is to be stopped, as far as the daemon says."""
    because, detail = op.get("because"), op.get("detail")
    return StopReason(
        because[:_LONGEST_WORD] if isinstance(because, str) else "",
        detail[:_LONGEST_DETAIL] if isinstance(detail, str) else "",
    )


def _stop_signal_of(op: Mapping[str, Any]) -> int:
    name = op.get("stop_signal") or "TERM"
    if not isinstance(name, str) or name not in STOP_SIGNALS:
        raise ValueError(f"stop_signal is none of {', '.join(STOP_SIGNALS)}")
    return STOP_SIGNALS[name]


def _limits_of(op: Mapping[str, Any]) -> GroupLimits:
    return GroupLimits(
        memory_mb=_limit_of(op, "memory_limit_mb"),
        processes=_limit_of(op, "process_limit"),
        cpu_weight=_limit_of(op, "cpu_weight"),
    )


def _limit_of(op: Mapping[str, Any], name: str) -> int | None:
    value = op.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"{name} is not a positive number: {value!r:.60}")
    return value

"""Checks what the daemon asks for, before anything is done about it."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from nodeunit.process.environment import ADDRESS_MARK, DEPLOYMENT_MARK
from nodeunit.supervisor.protocol import OnDisconnect

_KEY_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


class SpawnRequest(NamedTuple):
    """A `spawn` that can be tried."""

    key: str
    argv: list[str]
    env: dict[str, str]
    cwd: str | None
    on_disconnect: OnDisconnect
    grace_s: float
    meta: dict[str, Any]


def key_of(op: Mapping[str, Any]) -> str:
    """The key, which is also the name of a file. Raises ValueError."""
    key = op.get("key")
    if not isinstance(key, str) or not 0 < len(key) <= 100 or not _KEY_CHARACTERS.issuperset(key) or key[0] == ".":
        raise ValueError(f"key is no identifier: {key!r:.120}")
    return key


def seconds_of(op: Mapping[str, Any], name: str) -> float:
    """A finite number. Raises ValueError."""
    value = op.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} is no number: {value!r:.60}")
    return float(value)


def meta_of(op: Mapping[str, Any]) -> dict[str, Any]:
    meta = op.get("meta", {})
    return meta if isinstance(meta, dict) else {}


def spawn_of(op: Mapping[str, Any], address: str) -> SpawnRequest:
    """A complete `spawn`. Raises ValueError with the reason to report."""
    key, argv, env = key_of(op), op.get("argv"), op.get("env")
    cwd, on_disconnect = op.get("cwd"), op.get("on_disconnect")
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv) or not argv[0]:
        raise ValueError("argv is no list of strings with a program in front")
    if not isinstance(env, dict) or not all(isinstance(value, str) for value in env.values()):
        raise ValueError("env is no object of strings")
    if any("\0" in text for text in (*argv, *env, *env.values())):
        raise ValueError("argv or env holds a NUL character")
    if any(not name or "=" in name for name in env):
        raise ValueError("env has a name that is empty or holds '='")
    if env.get(ADDRESS_MARK) != address or env.get(DEPLOYMENT_MARK) != key:
        raise ValueError(f"env lacks the mark by which a tree is known: {ADDRESS_MARK} and {DEPLOYMENT_MARK}")
    if cwd is not None and (not isinstance(cwd, str) or "\0" in cwd):
        raise ValueError("cwd is no path")
    if on_disconnect not in ("keep", "stop"):
        raise ValueError("on_disconnect is neither keep nor stop")
    grace_s = max(seconds_of(op, "grace_s"), 0.0)
    return SpawnRequest(key, argv, env, cwd, on_disconnect, grace_s, meta_of(op))

"""Secrets as files in a directory that only the user of the unit can read.

The name of a secret is the name of its file. What others could have read or placed there is refused, and a link is not
followed, so that no row can name a file elsewhere.
"""

import os
import re
import stat

LARGEST = 64 * 1024

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class SecretUnusable(Exception):
    """A secret is missing or must not be used; the text names it and says why, and never contains its value."""


def secret_names(directory: str) -> list[str]:
    """The names of the secrets that can be used; none without a directory, or if others may read it."""
    if not directory:
        return []
    try:
        folder = _open_directory(directory)
    except SecretUnusable:
        return []
    try:
        return sorted(name for name in os.listdir(folder) if _is_usable(folder, name))
    finally:
        os.close(folder)


def read_secret(directory: str, name: str) -> str:
    """The content of the file, without one line end at its end. Raises SecretUnusable."""
    if not directory:
        raise SecretUnusable(f"secret {name!r:.140} is not here: NODE_UNIT_SECRETS_DIR is not set on this unit")
    if not _NAME.fullmatch(name):
        raise SecretUnusable(f"secret {name!r:.140} has a name that is not a plain file name")
    folder = _open_directory(directory)
    try:
        return _read(folder, name)
    except OSError as error:
        why = "it is a link" if error.errno == 40 else error.strerror
        raise SecretUnusable(f"secret {name} cannot be read from {directory}: {why}") from None
    finally:
        os.close(folder)


def _open_directory(directory: str) -> int:
    try:
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SecretUnusable(f"NODE_UNIT_SECRETS_DIR {directory} cannot be read: {error.strerror}") from None
    if fault := _exposed(os.fstat(folder)):
        os.close(folder)
        raise SecretUnusable(f"NODE_UNIT_SECRETS_DIR {directory} {fault}")
    return folder


def _is_usable(folder: int, name: str) -> bool:
    try:
        _read(folder, name)
    except (OSError, SecretUnusable):
        return False
    return _NAME.fullmatch(name) is not None


def _read(folder: int, name: str) -> str:
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise SecretUnusable(f"secret {name} is not a regular file")
        if fault := _exposed(status):
            raise SecretUnusable(f"the file of secret {name} {fault}")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise SecretUnusable(f"secret {name} is larger than {LARGEST // 1024} KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise SecretUnusable(f"secret {name} is not UTF-8, and cannot be a variable") from None
    if "\0" in text:
        raise SecretUnusable(f"secret {name} contains a NUL character, and cannot be a variable")
    return text.removesuffix("\n").removesuffix("\r")


def _exposed(status: os.stat_result) -> str:
    """Why this is not a secret of this user; empty if it is one."""
    if status.st_uid not in (os.geteuid(), 0):
        return f"belongs to user {status.st_uid}"
    if status.st_mode & 0o077:
        return f"has mode {stat.S_IMODE(status.st_mode):o}: let only its owner read it (chmod go=)"
    return ""

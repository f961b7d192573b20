"""A file of variables that a unit gives all its programs.

One `NAME=value` a line. Empty lines and lines that begin with `#` are left out, and so is a leading `export`. A value
may be quoted, which keeps the blanks at its ends. Nothing is expanded, so that a value is what the file shows.
"""

import os
import re
import stat

LARGEST = 256 * 1024

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class EnvironmentFileInvalid(Exception):
    """The file cannot be used; the text says why, and contains no value of it."""


def read_environment_file(path: str) -> dict[str, str]:
    """The variables of the file. Raises EnvironmentFileInvalid."""
    try:
        text = _read(path)
    except OSError as error:
        raise EnvironmentFileInvalid(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise EnvironmentFileInvalid(f"{path} is not UTF-8") from None
    found = {}
    for number, written in enumerate(text.split("\n"), 1):
        line = written.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, sign, value = line.partition("=")
        name = name.strip()
        if not sign or not _NAME.fullmatch(name):
            raise EnvironmentFileInvalid(f"line {number} of {path} is not NAME=value")
        if "\0" in value:
            raise EnvironmentFileInvalid(f"line {number} of {path} contains a NUL character")
        found[name] = _unquoted(value.strip())
    return found


def _read(path: str) -> str:
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:  # a pipe holds nobody up
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise EnvironmentFileInvalid(f"{path} is not a regular file")
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise EnvironmentFileInvalid(f"{path} is larger than {LARGEST // 1024} KiB")
    return content.decode()


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value

"""Why the system cannot run a file, as one sentence: errno alone says "no such file" about a file that is there.

Used in a child between fork and exec, so it may wait for a disk; light on purpose, like `process_table`.
"""

import errno
import os
import struct
from collections.abc import Mapping
from typing import NamedTuple

_FIRST_LINE = 256  # as much as the kernel reads
_ELF = b"\x7fELF"
_PT_INTERP = 3
_MACHINES = {
    3: "x86",
    8: "mips",
    20: "ppc",
    21: "ppc64",
    22: "s390",
    40: "arm",
    62: "x86_64",
    183: "aarch64",
    243: "riscv",
}


class _Elf(NamedTuple):
    machine: int
    loader: str


def refusal(word: str, env: Mapping[str, str]) -> str:
    """Why a script would start and fail at once: its first line names an interpreter that is not there, in a way that
    the kernel does not see (`#!/usr/bin/env node`). Empty if nothing is known to be wrong."""
    path = _find(word, env)
    first = _first_line(path) if path is not None else b""
    if not first.startswith(b"#!"):
        return ""
    if first.endswith(b"\r"):
        return _carriage_return(path or word)
    words = first[2:].decode(errors="replace").split()
    if len(words) < 2 or os.path.basename(words[0]) != "env" or words[1].startswith("-") or "=" in words[1]:
        return ""
    if _find(words[1], env) is None:
        return f"{path} needs {words[1]}, which is in no directory of PATH ({_path_of(env)})"
    return ""


def is_unknown(word: str, env: Mapping[str, str]) -> bool:
    """Whether no directory of the PATH of `env` has a program of this name. A path is never unknown, because the file
    system that it is on may be mounted later."""
    return "/" not in word and _find(word, env) is None


def reason(word: str, env: Mapping[str, str], error: OSError) -> str:
    """Why exec of `word`, found in the PATH of `env`, has failed with `error`."""
    path = _find(word, env)
    if path is None:
        if "/" not in word:
            return f"no directory of PATH has a program of this name ({_path_of(env)})"
        return "no such file" if error.errno == errno.ENOENT else _text(error)
    if os.path.isdir(path):
        return "it is a directory"
    if error.errno == errno.EACCES and not os.access(path, os.X_OK, effective_ids=True):
        if os.statvfs(path).f_flag & os.ST_NOEXEC:
            return f"{path} is on a file system from which nothing may be executed (noexec)"
        return f"{path} is not executable by this user (mode {os.stat(path).st_mode & 0o7777:04o}): chmod +x"
    if error.errno not in (errno.ENOENT, errno.EACCES, errno.ENOEXEC):
        return _text(error)
    return _about_content(path, error)


def _about_content(path: str, error: OSError) -> str:
    first = _first_line(path)
    if first.startswith(b"#!"):
        interpreter = first[2:].decode(errors="replace").split()[:1]
        if first.endswith(b"\r"):
            return _carriage_return(path)
        if not interpreter:
            return f"the first line of {path} names no interpreter"
        found = os.path.exists(interpreter[0])
        problem = "cannot be executed" if found else "does not exist"
        return f"the interpreter {interpreter[0]}, which the first line of {path} names, {problem}"
    if not first:
        return f"{path} is empty"
    elf, own = _read_elf(path), _read_elf("/proc/self/exe")
    if elf is None:
        return f"{path} is neither a program for this machine nor a script that begins with #!"
    if own is not None and elf.machine != own.machine:
        return f"{path} is built for {_machine(elf)}, and this machine is {_machine(own)}"
    if elf.loader and not os.path.exists(elf.loader):
        return f"{path} needs the loader {elf.loader}, which is not there: it is built for another system"
    return _text(error)


def _find(word: str, env: Mapping[str, str]) -> str | None:
    """The file that exec would try, as far as one is there: the first executable one, else the first one."""
    if "/" in word:
        return word if os.path.exists(word) else None
    paths = [os.path.join(directory, word) for directory in _path_of(env).split(os.pathsep)]
    files = [path for path in paths if os.path.isfile(path)]
    return next((path for path in files if os.access(path, os.X_OK, effective_ids=True)), files[0] if files else None)


def _path_of(env: Mapping[str, str]) -> str:
    return env.get("PATH", os.defpath)


def _first_line(path: str) -> bytes:
    try:
        with open(path, "rb", buffering=0) as file:
            return (file.read(_FIRST_LINE) or b"").split(b"\n", 1)[0]
    except OSError:
        return b""  # it may be executed, but not read


def _carriage_return(path: str) -> str:
    return f"the first line of {path} ends with CR LF, so it names no interpreter that exists: save the file with LF"


def _read_elf(path: str) -> _Elf | None:
    """What an ELF header says. None for what is no ELF file, or a broken one."""
    try:
        with open(path, "rb") as file:
            head = file.read(64)
            if len(head) < 52 or not head.startswith(_ELF):
                return None
            wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
            (machine,) = struct.unpack_from(order + "H", head, 18)
            offset, size, count = _program_headers(head, wide, order)
            for number in range(min(count, 64)):
                file.seek(offset + number * size)
                entry = file.read(56)
                kind, start, length = _segment(entry, wide, order)
                if kind == _PT_INTERP:
                    file.seek(start)
                    return _Elf(machine, os.fsdecode(file.read(min(length, 4096)).rstrip(b"\0")))
            return _Elf(machine, "")
    except (OSError, struct.error, ValueError, OverflowError):
        return None


def _program_headers(head: bytes, wide: bool, order: str) -> tuple[int, int, int]:
    """Where they begin, the size of one, and how many there are."""
    (offset,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
    size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    return offset, size, count


def _segment(entry: bytes, wide: bool, order: str) -> tuple[int, int, int]:
    """The kind of a segment, where it begins in the file, and its length there."""
    (kind,) = struct.unpack_from(order + "I", entry)
    (start,) = struct.unpack_from(order + ("Q" if wide else "I"), entry, 8 if wide else 4)
    (length,) = struct.unpack_from(order + ("Q" if wide else "I"), entry, 32 if wide else 16)
    return kind, start, length


def _machine(elf: _Elf) -> str:
    return _MACHINES.get(elf.machine, f"machine type {elf.machine}")


def _text(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error)

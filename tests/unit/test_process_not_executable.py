"""What cannot be run says why, each in a sentence about the file; tried with real files and exec."""

import os
import struct
from pathlib import Path

import pytest

from nodeunit.process import not_executable
from nodeunit.supervisor.child_processes import fork_and_exec, read_failure

ARM = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, 183, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0)
"""The header of a program for aarch64."""


def _own_elf_with_loader(loader: bytes) -> bytes:
    """A program for this machine that asks for this loader: a header, and one segment that names it."""
    machine = struct.unpack_from("<H", Path("/proc/self/exe").read_bytes()[:20], 18)[0]
    head = struct.pack("<4sBBBB8xHHIQQQIHHHHHH", b"\x7fELF", 2, 1, 1, 0, 2, machine, 1, 0, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    name = loader + b"\0"
    return head + struct.pack("<IIQQQQQQ", 3, 4, 120, 0, 0, len(name), len(name), 1) + name


def why(word: str, path: str = os.environ["PATH"]) -> str:
    """What a child says that cannot become this program."""
    spawned = fork_and_exec([word], {"PATH": path})
    os.waitpid(spawned.pid, 0)
    failure = read_failure(spawned.outcome)
    os.close(spawned.outcome)
    assert failure is not None
    assert failure.number > 0
    return failure.reason.removeprefix(f"cannot run {word}: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (
            b"#!/bin/sh\r\necho hello\r\n",
            "the first line of {} ends with CR LF, so it names no interpreter that exists",
        ),
        (b"#!/usr/bin/env node\r\nconsole.log(1)\r\n", "the first line of {} ends with CR LF"),
        (
            b"#!/no/such/interpreter -x\n",
            "the interpreter /no/such/interpreter, which the first line of {} names, ",
        ),
        (b"#!/etc/passwd\n", "the interpreter /etc/passwd, which the first line of {} names, cannot be executed"),
        (b"#!/usr/bin/env no-such-interpreter\n", "{} needs no-such-interpreter, which is in no directory of PATH (/"),
        (b"#!\necho hello\n", "the first line of {} names no interpreter"),
        (b"echo hello\n", "{} is neither a program for this machine nor a script that begins with #!"),
        (b"\x7fELF cut off", "{} is neither a program for this machine nor a script that begins with #!"),
        (b"", "{} is empty"),
        (ARM, "{} is built for aarch64, and this machine is "),
        (
            _own_elf_with_loader(b"/lib/no-such-loader.so"),
            "{} needs the loader /lib/no-such-loader.so, which is not there",
        ),
    ],
)
def test_a_file_that_cannot_be_run(tmp_path: Path, content: bytes, reason: str) -> None:
    program = tmp_path / "program"
    program.write_bytes(content)
    program.chmod(0o755)

    assert why(str(program)).startswith(reason.format(program))
    assert why("program", f"/nowhere:{tmp_path}:/usr/bin").startswith(reason.format(program))


def test_a_file_without_permission(tmp_path: Path) -> None:
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o644)

    expected = f"{program} is not executable by this user (mode 0644): chmod +x"
    assert why(str(program)) == expected
    assert why("program", str(tmp_path)) == expected


def test_a_directory_and_what_is_not_there(tmp_path: Path) -> None:
    assert why(str(tmp_path)) == "it is a directory"
    assert why(str(tmp_path / "nothing")) == "no such file"
    assert why("nothing", str(tmp_path)) == f"no directory of PATH has a program of this name ({tmp_path})"


def test_what_runs_is_not_refused(tmp_path: Path) -> None:
    env = {"PATH": os.environ["PATH"]}
    script = tmp_path / "script"
    for first_line in ("#!/bin/sh", "#!/usr/bin/env sh", "#!/usr/bin/env -S sh -e", "#!/usr/bin/env A=1 sh", ""):
        script.write_text(first_line + "\n")
        assert not_executable.refusal(str(script), env) == ""
    assert not_executable.refusal("sh", env) == ""

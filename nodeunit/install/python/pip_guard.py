"""Runs pip in a process that may start no other.

A wheel is unpacked, and needs no process. A source archive is built, and building runs its code: `--only-binary`
forbids that, but not where a package depends on an address (`evil @ file:///…`, `evil @ git+https://…`). In this
process the interpreter refuses to start anything, so that nothing is built and no version control runs, whatever a
package asks for.

    python -I pip_guard.py PIP [ARGUMENT…]

PIP is the file `__pip-runner__.py` of an installed pip, or a wheel of pip. Runs in the interpreter of the environment,
where nodeunit is absent: standard library only.
"""

import runpy
import sys

_STARTS_A_PROCESS = frozenset(
    {
        "subprocess.Popen", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn",
    }
)  # fmt: skip


def refuse_processes(event: str, arguments: tuple[object, ...]) -> None:
    """An audit hook. Raises PermissionError, which pip takes for a program that is not there."""
    if event in _STARTS_A_PROCESS and not _asks_for_a_password(arguments):
        raise PermissionError("nodeunit: a wheel is installed without other programs, and this would start one")


def _asks_for_a_password(arguments: tuple[object, ...]) -> bool:
    """pip asks the program `keyring` for the credentials of an index, if its user has configured that."""
    return bool(arguments) and isinstance(arguments[0], str) and arguments[0].rpartition("/")[2] == "keyring"


def main() -> None:
    """Becomes pip."""
    pip = sys.argv.pop(1)
    sys.addaudithook(refuse_processes)
    if pip.endswith(".whl"):
        sys.path.insert(0, pip)
        runpy.run_module("pip", run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(pip, run_name="__main__")


if __name__ == "__main__":
    main()

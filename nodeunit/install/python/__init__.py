"""The installer of the runtime `python`.

    installer    PythonInstaller: makes an environment, has it filled, says how its package is run
    request      names and versions as rows have them;  lock: exact versions and hashes
    tools        uv and pip;  pip_guard: pip in a process that may start no other;  failures: what they print
    index        where they ask
    environment  an environment that survives a new name;  entry: its package's program
    completeness whether a lock of another unit has what this Python needs

Rows, wheels, indexes and locks may all be hostile: nothing of a package runs before its program does.
"""

from nodeunit.install.python.installer import PythonInstaller

__all__ = ["PythonInstaller"]

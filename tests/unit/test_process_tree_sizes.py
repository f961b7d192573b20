"""The size of a tree: all that belongs to it, each process once."""

import os
import subprocess
import sys

from nodeunit.process.process_table import read_entry
from nodeunit.process.tree_sizes import proportional_mb, read_sizes

# Fills 60 MiB and shares it with three children, one of them in a session of its own; one has three threads.
FAMILY = """
import os, signal, threading
filled = b'x' * (60 * 1024 * 1024)
ready, tell = os.pipe()
for number in range(3):
    if os.fork() == 0:
        if number == 0: os.setsid()
        if number == 1:
            for _ in range(2): threading.Thread(target=threading.Event().wait, daemon=True).start()
        os.write(tell, b'.')
        signal.pause()
for _ in range(3): os.read(ready, 1)
print('up', flush=True)
signal.pause()
"""


def _identity(pid: int) -> tuple[int, int]:
    entry = read_entry(pid)
    assert entry is not None
    return entry.identity


def test_a_tree_in_several_sessions_and_threads() -> None:
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", FAMILY], stdout=subprocess.PIPE) as family:
        try:
            assert family.stdout is not None
            family.stdout.readline()
            sizes = read_sizes(os.getpid(), {"k": _identity(family.pid), "gone": (family.pid, 1)})
            assert sizes.keys() == {"k"}
            size = sizes["k"]
            assert len(size.pids) == 4
            assert size.tasks == 6
            assert size.resident_mb > 4 * 60
            assert 60 < sum(map(proportional_mb, size.pids)) < 2 * 60, "what is shared counts once"
        finally:
            for pid in size.pids:
                os.kill(pid, 9)
    assert proportional_mb(family.pid) == 0.0

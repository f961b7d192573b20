"""A unit whose wall clock is off: the same build, started through a script that preloads `skew.c`.

The environment of a unit does not reach its daemon, on purpose; but both are started by the interpreter's path, so the
script stands in the interpreter's place.
"""

import shutil
import subprocess
from pathlib import Path

from tools.faults.build import Build, make_build

SOURCE = Path(__file__).with_suffix(".c")


def make_skewed_build(directory: Path, off_by_s: int) -> Build:
    """A build that believes it is so many seconds later. Raises RuntimeError where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        raise RuntimeError("a clock that is off needs a C compiler, as `cc`")
    build = make_build(directory)
    library = directory / "skew.so"
    subprocess.run(
        [compiler, "-shared", "-fPIC", f"-DOFF_BY_S={off_by_s}", "-o", str(library), str(SOURCE), "-ldl"], check=True
    )
    interpreter = build.python.resolve()
    build.python.unlink()
    build.python.write_text(f'#!/bin/bash\nLD_PRELOAD={library} exec -a "$0" {interpreter} "$@"\n')
    build.python.chmod(0o755)
    return build

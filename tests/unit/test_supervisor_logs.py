"""Programs' output on its way into rotated and compressed files, under a real supervisor."""

import gzip
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.supervisor_daemon import Daemon, SupervisedUnit, is_alive, key, supervised_unit
from tests.support.waiting import wait_until

MAX_BYTES = 100_000


@pytest.fixture
def unit(tmp_path: Path) -> Iterator[SupervisedUnit]:
    with supervised_unit(tmp_path, log_max_bytes=MAX_BYTES) as unit:
        yield unit


def test_rotation_keeps_one_plain_and_compresses_the_older(unit: SupervisedUnit, daemon: Daemon) -> None:
    code = f"""
import os, signal
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
for part in range(4):
    for n in range({MAX_BYTES} // 10): os.write(1, b'%09d\\n' % (part * ({MAX_BYTES} // 10) + n))
    if part > 1: signal.sigwait([signal.SIGUSR1])
"""
    pid = daemon.start_python(code)["pid"]
    for part in (2, 3):
        wait_until(unit.log_of(generation=f".{part}.gz").exists)
        os.kill(pid, signal.SIGUSR1)
    daemon.expect("exited")

    def generations() -> list[str]:
        return sorted(path.name.removeprefix(f"{key()}.log") for path in unit.log_of().parent.iterdir())

    wait_until(lambda: generations() == ["", ".1", ".2.gz", ".3.gz", ".marks"])
    texts = [gzip.decompress(unit.log_of(generation=f".{number}.gz").read_bytes()) for number in (3, 2)]
    texts += [unit.log_of(generation=generation).read_bytes() for generation in (".1", "")]
    assert [len(text) for text in texts] == [MAX_BYTES] * 4
    assert b"".join(texts) == b"".join(b"%09d\n" % number for number in range(4 * MAX_BYTES // 10))


def test_a_flood_starves_nobody_and_is_bounded_on_disk(unit: SupervisedUnit, daemon: Daemon) -> None:
    flood = daemon.start_python("import os\nwhile True: os.write(1, b'x' * 9999 + b'\\n')", 1)
    wait_until(lambda: unit.log_of(1, ".5").exists() or unit.log_of(1, ".5.gz").exists())

    for _ in range(5):
        daemon.start(["echo", "here"], 2)
        assert daemon.expect("exited", key=key(2))["ran_s"] < 2
    wait_until(lambda: unit.printed(2) == "here\n" * 5)
    daemon.say("stop", key=key(1), grace_s=1)
    daemon.expect("exited", key=key(1))
    assert not is_alive(flood["pid"])
    wait_until(lambda: all(unit.log_of(1, f".{number}.gz").exists() for number in range(2, 6)))
    wait_until(lambda: len(unit.descendants()) == 3, what="nothing is compressed any more")
    files = list(unit.log_of(1).parent.glob(f"{key(1)}.log*"))
    assert len(files) == 6 + len(["marks"])
    assert sum(path.stat().st_size for path in files) < 6 * (MAX_BYTES + 64 * 1024)


def test_output_just_before_the_end_is_not_lost(unit: SupervisedUnit, daemon: Daemon) -> None:
    for number in range(1, 21):
        daemon.start_python("import os\nos.write(1, b'y' * 60000 + b'end\\n')\nos._exit(0)", number)
        daemon.expect("exited")
        log = unit.log_of(number)
        wait_until(lambda log=log: log.exists() and log.stat().st_size == 60_004)  # type: ignore[misc]


def test_a_full_disk_stops_no_program(unit: SupervisedUnit, daemon: Daemon) -> None:
    unit.log_of().parent.mkdir(parents=True)
    unit.log_of().symlink_to("/dev/full")
    started = daemon.start_python("import os\nfor _ in range(200): os.write(1, b'z' * 10000)\nos.write(1, b'!')", 1)

    assert daemon.expect("exited", pid=started["pid"])["exit_code"] == 0
    wait_until(lambda: unit.said().count("output is dropped") == 1)
    assert "No space left on device" in unit.said()


def test_a_disk_that_hangs_stops_no_program_and_holds_nobody_up(tmp_path: Path) -> None:
    """Opening a FIFO without a reader waits in the kernel without end, as a frozen file system does."""
    with supervised_unit(tmp_path) as unit:
        daemon = unit.next_daemon()[0]
        unit.log_of(1).parent.mkdir(parents=True)
        os.mkfifo(unit.log_of(1))
        daemon.start_python("import os\nfor _ in range(300): os.write(1, b'z' * 10000)", 1)
        daemon.start(["echo", "here"], 2)
        assert daemon.expect("exited", key=key(2))["exit_code"] == 0
        assert daemon.expect("exited", key=key(1))["exit_code"] == 0
        endless = daemon.start(["sleep", "60"], 3)
        daemon.say("stop", key=key(3), grace_s=1)
        daemon.expect("exited", pid=endless["pid"])

        read = unit.log_of(1).read_bytes()  # the disk goes on
        assert set(read) == {ord("z")}
        wait_until(lambda: unit.printed(2) == "here\n")
        wait_until(lambda: _missing(unit) > 0, what="it is said how much is missing")
        assert len(read) + _missing(unit) == 3_000_000


def _missing(unit: SupervisedUnit) -> int:
    found = re.search(rf"(\d+) bytes of the output of {key(1)} are missing", unit.said())
    return int(found[1]) if found else 0


def test_a_dead_log_writer_is_replaced(unit: SupervisedUnit, daemon: Daemon) -> None:
    daemon.start_python("import os, signal\nos.write(1, b'one\\n')\nsignal.pause()", 1)
    wait_until(lambda: unit.printed(1) == "one\n")
    (writer,) = [pid for pid in unit.descendants() if Path(f"/proc/{pid}/comm").read_text() == "nodeunit-log\n"]
    os.kill(writer, signal.SIGKILL)
    daemon.start(["echo", "two"], 2)
    wait_until(lambda: unit.printed(2) == "two\n")


def test_a_program_that_closes_its_output_goes_on(unit: SupervisedUnit, daemon: Daemon) -> None:
    started = daemon.start_python("import os, signal\nos.write(1, b'bye\\n')\nos.close(1)\nos.close(2)\nsignal.pause()")
    wait_until(lambda: unit.printed() == "bye\n")
    daemon.start(["true"], 2)
    daemon.expect("exited", key=key(2))

    assert is_alive(started["pid"])
    ticks = _cpu_ticks(unit.pid)
    daemon.start(["sleep", "0.5"], 2)
    daemon.expect("exited", key=key(2))
    assert _cpu_ticks(unit.pid) - ticks < 0.2 * os.sysconf("SC_CLK_TCK")


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])

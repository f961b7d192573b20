"""Programs run as another user than their unit, without its rights, and are supervised as usual."""

import asyncio
import os
import pwd
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from nodeunit.process.program_user import UserUnusable, find_user
from tests.support.rows import rows, value
from tests.support.unit_process import UnitProcess
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can start processes of another user")

NOBODY = pwd.getpwnam("nobody")
TREE = "sh -c 'id > id; echo to-stdout > /dev/stdout; setsid sleep 1000 & exec sleep 1001'"


@pytest.fixture
def workspace() -> Iterator[Path]:
    """Where others can pass; the directories of pytest are closed to them."""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        yield Path(made)


def told(database: str, kind: str) -> list[dict[str, object]]:
    return [row["data"] for row in rows(database, "select data from event where type = %s order by position", (kind,))]


def effective_capabilities(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("CapEff")).split()[1], 16)


@needs_root
async def test_programs_are_those_of_another_user(
    database: str, start_unit: Callable[..., UnitProcess], workspace: Path
) -> None:
    unit = start_unit(
        database, NODE_UNIT_RUN_AS="nobody", NODE_UNIT_WORKSPACE=str(workspace),
        NODE_UNIT_LOG_DIR=str(workspace / "logs"), NODE_UNIT_STOP_GRACE="5",
    )  # fmt: skip
    rows(database, "insert into deployment (package_name, package_version, command) values ('a', '1', %s)", (TREE,))
    (started,) = await eventually(lambda: told(database, "ProcessStarted"), within_s=30, what="it runs")
    program = psutil.Process(int(str(started["pid"])))
    own = workspace / "deployments" / str(started["deployment_id"])
    await eventually(lambda: (own / "id").exists() and (own / "id").read_text(), what="it has written")
    assert (own / "id").read_text().startswith(f"uid={NOBODY.pw_uid}(nobody)")
    assert own.stat().st_uid == NOBODY.pw_uid
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert set(program.uids()) == {NOBODY.pw_uid}
    assert set(program.gids()) == {NOBODY.pw_gid}
    assert program.environ()["HOME"] == NOBODY.pw_dir
    assert effective_capabilities(program.pid) == 0
    log = workspace / "logs" / unit.address[:8] / f"{started['deployment_id']}.log"
    await eventually(lambda: b"to-stdout" in log.read_bytes(), what="/dev/stdout can be opened")
    parent = program.parent()
    assert parent is not None
    assert set(parent.uids()) == {0}, "the supervisor stays the unit's"

    program.kill()
    await eventually(lambda: len(told(database, "ProcessStarted")) == 2, within_s=30, what="it is started again")
    again = psutil.Process(int(str(told(database, "ProcessStarted")[1]["pid"])))
    await eventually(lambda: len(again.children()) == 1, what="with its child")
    tree = [again, *again.children()]
    os.kill(unit.pid, 9)
    await eventually(
        lambda: not any(process.is_running() and process.status() != "zombie" for process in tree[:1]),
        within_s=20, what="it dies with its supervisor",
    )  # fmt: skip
    await eventually(
        lambda: value(database, "select address from deployment") == "", within_s=30, what="it is given back"
    )


@needs_root
async def test_a_directory_that_the_user_cannot_enter_is_said(
    database: str, start_unit: Callable[..., UnitProcess], tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    start_unit(database, NODE_UNIT_RUN_AS="nobody", NODE_UNIT_WORKSPACE=str(closed))
    rows(database, "insert into deployment (package_name, package_version, command) values ('a', '1', 'sleep 1000')")
    (said, *_) = await eventually(lambda: told(database, "ProcessExited"), within_s=30, what="it says why")
    assert str(said["detail"]).endswith("Permission denied")
    assert str(said["detail"]).startswith(f"cannot enter {closed}")


async def test_a_user_that_is_none_is_refused_at_the_start(
    database: str, start_unit: Callable[..., UnitProcess]
) -> None:
    unit = start_unit(database, NODE_UNIT_RUN_AS="no-such-user")
    assert await asyncio.to_thread(unit.wait) != 0
    assert "NODE_UNIT_RUN_AS: 'no-such-user' is no user, or no group, of this system" in unit.log
    assert "Traceback" not in unit.log


def test_only_root_can_choose_another_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    with pytest.raises(UserUnusable, match="only root can run programs as nobody"):
        find_user("nobody")
